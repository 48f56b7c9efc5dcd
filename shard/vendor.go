package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// CreateVendorRequest asks for a vendor.
type CreateVendorRequest struct {
	ID            cloudlicenses.VendorID
	Name          string
	LicensePrefix string
	Region        string // empty: the vendor's own, and for a new one this node's
}

// CreateVendor makes an active vendor with its account. It is a saga
// (directory → group → active) that an interrupted caller resumes by repeating
// it; one that is there already, with the same attributes, is left as it is.
func (s *Shard) CreateVendor(ctx context.Context, req CreateVendorRequest) (directory.Vendor, Written, error) {
	return s.createVendor(ctx, req, func(v *directory.Vendor) bool { return req.Region == "" && v.Name == req.Name })
}

// ensureVendor is CreateVendor where a vendor that has another name by now is
// as good.
func (s *Shard) ensureVendor(ctx context.Context, req CreateVendorRequest) (directory.Vendor, error) {
	vendor, _, err := s.createVendor(ctx, req, func(*directory.Vendor) bool { return true })
	return vendor, err
}

// createVendor is CreateVendor; same reports whether a vendor of the id and
// prefix is the one that is asked for.
func (s *Shard) createVendor(ctx context.Context, req CreateVendorRequest, same func(*directory.Vendor) bool) (directory.Vendor, Written, error) {
	put := &directory.PutVendor{
		ID: req.ID, Name: req.Name, LicensePrefix: req.LicensePrefix, Region: req.Region, AtMillis: time.Now().UnixMilli(),
	}
	if region := s.region.Load(); put.Region == "" && region != nil {
		put.Region = *region
	}
	var result directory.VendorResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpVendor, Payload: put, Result: &result})
	vendor := result.Vendor
	known := result.Code == cloudlicenses.AlreadyExists && vendor.ID == req.ID && vendor.LicensePrefix == req.LicensePrefix && same(&vendor)
	if err == nil && !known {
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return directory.Vendor{}, Written{}, fmt.Errorf("create vendor %s: %w", req.ID, err)
	}
	if vendor.Status != cloudlicenses.TenantPending {
		return vendor, written, nil
	}
	account := vendor.Account()
	if err := s.openAccount(ctx, &account, 0); err != nil {
		return directory.Vendor{}, Written{}, err
	}
	if written, err = s.activate(ctx, &account); err != nil {
		return directory.Vendor{}, Written{}, err
	}
	vendor.Status, vendor.VerifiedMillis = account.Status, account.VerifiedMillis
	return vendor, written, nil
}

// doAccount is Do for a vendor's account, whatever the vendor's status: what was
// used stays to be billed.
func (s *Shard) doAccount(ctx context.Context, vendor cloudlicenses.VendorID, cmd Command) (Written, error) {
	w, err := s.Do(ctx, vendor.Account(), cmd)
	if !errors.Is(err, ErrTenantNotFound) {
		return w, err
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	account, err := s.newReader(ReadOptions{Linearizable: true}).tenant(ctx, vendor.Account())
	if err != nil {
		return Written{}, err
	}
	return s.doPlaced(ctx, &account, cmd)
}

// VendorKey asks the access chain for the caller of a vendor's API: does the
// vendor have the key, neither revoked nor expired. What is about to write asks
// the leader, and leaves, to the minute, that the key was used; else any replica
// may say yes, and its no is confirmed at the leader.
func (s *Shard) VendorKey(ctx context.Context, vendor cloudlicenses.VendorID, caller *license.Caller, writes bool) (license.KeyFacts, error) {
	now := time.Now()
	var facts license.KeyFacts
	_, err := s.Read(ctx, vendor.Account(), Command{
		Op: license.QueryKey, Payload: &license.FindKey{Caller: *caller, NowMillis: now.UnixMilli()}, Result: &facts,
	}, ReadOptions{Linearizable: writes})
	used := time.UnixMilli(facts.Key.LastUsedMillis)
	if err != nil || facts.Code != cloudlicenses.OK || !writes || now.Sub(used) < cloudlicenses.KeyUseTouch {
		return facts, err
	}
	var ack license.Ack
	_, err = s.Do(ctx, vendor.Account(), Command{Op: license.OpTouchKey, Payload: &license.TouchKey{Hash: caller.KeyHash, Address: caller.Address}, Result: &ack})
	return facts, err
}

// vendorKeyFor returns a key of a vendor: key itself where its account knows
// it, else a new one.
func (s *Shard) vendorKeyFor(ctx context.Context, vendor *directory.Vendor, key, app string) (string, error) {
	account := vendor.Account()
	known, err := s.knowsKey(ctx, &account, key)
	if err != nil || known {
		return key, err
	}
	return s.NewVendorKey(ctx, vendor, app)
}

// NewVendorKey gives a vendor another API key and returns it.
func (s *Shard) NewVendorKey(ctx context.Context, vendor *directory.Vendor, app string) (string, error) {
	account := vendor.Account()
	return s.putKey(ctx, &account, app, 0, license.Restrictions{})
}
