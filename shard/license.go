package shard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// Generate makes a license: its contact's notice is put where persons may be
// known, the directory decides and remembers what is to be done, and the saga
// does it. Said again, it answers the same. Refusals (*Refusal) are those of
// directory.GenerateLicense, and those of the tenant's group.
func (s *Shard) Generate(ctx context.Context, g directory.GenerateLicense, contact license.Notice) (directory.LicenseResult, Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	n := pendingNotice{vendor: g.VendorID, tenant: g.TenantID, Notice: contact}
	n.key = noticeKey(string(g.VendorID), g.OpportunityID, string(g.ProductID), string(g.RequestHash[:]))
	if n.tenant == "" {
		c, err := s.customer(ctx, g.VendorID, g.CRMAccount)
		if err != nil {
			return directory.LicenseResult{}, Written{}, err
		}
		n.tenant = c.TenantID
	}
	var err error
	if g.NoticeKey = n.key; contact.Email != "" {
		if g.Notice, err = s.offerNotice(ctx, &n); err != nil {
			return directory.LicenseResult{}, Written{}, err
		}
	}
	var result directory.LicenseResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpLicenseGenerate, Payload: &g, Result: &result})
	if err != nil {
		return directory.LicenseResult{}, Written{}, err
	}
	return s.finish(ctx, result, written, &n, g.Notice)
}

// ProvisionLicense provisions a license that was generated only. Said again,
// it answers the same, and sends nothing more.
func (s *Shard) ProvisionLicense(ctx context.Context, p directory.ProvisionLicense, contact license.Notice) (directory.LicenseResult, Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var before directory.LicenseResult
	query := Command{Op: directory.QueryLicense, Payload: &directory.GetLicense{VendorID: p.VendorID, ID: p.ID}, Result: &before}
	if _, err := s.ReadDirectory(ctx, query, ReadOptions{Linearizable: true}); err != nil {
		return directory.LicenseResult{}, Written{}, err
	}
	if err := refusedLicense(&before); err != nil {
		return before, Written{}, err
	}
	n := pendingNotice{vendor: p.VendorID, tenant: before.License.TenantID, Notice: contact, key: noticeKey("provision", string(p.ID))}
	if contact.Email != "" && (before.License.Revision == 0 || before.License.NoticeKey != n.key) {
		var err error
		if p.Notice, err = s.offerNotice(ctx, &n); err != nil {
			return directory.LicenseResult{}, Written{}, err
		}
		p.NoticeKey = n.key
	}
	var result directory.LicenseResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpLicenseProvision, Payload: &p, Result: &result})
	if err != nil {
		return directory.LicenseResult{}, Written{}, err
	}
	old, now := &before.License, &result.License
	replaced := now.NoticeKey == n.key && (old.NoticeKey != n.key || old.Notice != p.Notice)
	if result.Code == cloudlicenses.OK && old.Notice != directory.NoticeNowhere && p.Notice != directory.NoticeNowhere && replaced {
		s.dropNotice(ctx, &pendingNotice{vendor: old.VendorID, tenant: old.TenantID, key: old.NoticeKey}, old.Notice)
	}
	return s.finish(ctx, result, written, &n, p.Notice)
}

// AmendLicense changes a license's terms, in force once it returns.
func (s *Shard) AmendLicense(ctx context.Context, a directory.AmendLicense) (directory.LicenseResult, Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var result directory.LicenseResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpLicenseAmend, Payload: &a, Result: &result})
	if err != nil {
		return result, Written{}, err
	}
	return s.finish(ctx, result, written, nil, directory.NoticeNowhere)
}

// SetLicenseStatus suspends, resumes or revokes a license, in force once it
// returns.
func (s *Shard) SetLicenseStatus(ctx context.Context, c directory.SetLicenseStatus) (directory.LicenseResult, Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var result directory.LicenseResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpLicenseStatus, Payload: &c, Result: &result})
	if err != nil {
		return result, Written{}, err
	}
	if l := &result.License; result.Code == cloudlicenses.OK && l.Status == cloudlicenses.LicenseRevoked && l.Revision == 0 {
		s.dropNotice(ctx, &pendingNotice{vendor: l.VendorID, tenant: l.TenantID, key: l.NoticeKey}, l.Notice)
	}
	return s.finish(ctx, result, written, nil, directory.NoticeNowhere)
}

// finish takes the saga of an answered command to its end. A notice that
// nothing came of is forgotten.
func (s *Shard) finish(ctx context.Context, result directory.LicenseResult, written Written, n *pendingNotice, at directory.NoticePlace) (directory.LicenseResult, Written, error) {
	l := &result.License
	if at != directory.NoticeNowhere && (result.Code != cloudlicenses.OK || l.Notice == directory.NoticeNowhere || l.NoticeKey != n.key) {
		s.dropNotice(ctx, n, at)
	}
	if err := refusedLicense(&result); err != nil {
		return result, written, err
	}
	synced, more, err := s.syncLicense(ctx, &result)
	if err != nil {
		return result, written, err
	}
	if more.Applied != "" {
		more.Applied = JoinAppliedIndexes(written.Applied, more.Applied)
		written = more
	}
	result.License = synced
	return result, written, nil
}

// refusedLicense returns the refusal that a result stands for, or nil.
func refusedLicense(r *directory.LicenseResult) error {
	if r.Code == cloudlicenses.OK {
		return nil
	}
	return &Refusal{Code: r.Code, Detail: r.Detail, LicenseID: r.Other}
}

// customer returns what the directory's leader knows of a CRM account; a zero
// one where it is not linked.
func (s *Shard) customer(ctx context.Context, vendor cloudlicenses.VendorID, account string) (directory.Customer, error) {
	var page directory.CustomerPage
	query := Command{Op: directory.QueryCustomers, Payload: &directory.ListCustomers{VendorID: vendor, CRMAccount: account, Limit: 1}, Result: &page}
	_, err := s.ReadDirectory(ctx, query, ReadOptions{Linearizable: true})
	if err != nil || len(page.Items) == 0 {
		return directory.Customer{}, err
	}
	return page.Items[0].Customer, nil
}

// BlockVendor has a tenant block a vendor, or unblock it.
func (s *Shard) BlockVendor(ctx context.Context, b directory.BlockVendor) (directory.LinkResult, Written, error) {
	var result directory.LinkResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpVendorBlock, Payload: &b, Result: &result})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	return result, written, err
}

// SetCustomer changes a vendor's setting for one customer.
func (s *Shard) SetCustomer(ctx context.Context, c directory.SetCustomer) (directory.CustomerResult, Written, error) {
	var result directory.CustomerResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpCustomer, Payload: &c, Result: &result})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	return result, written, err
}

// pendingNotice is a notice to a license's contact on its way.
type pendingNotice struct {
	license.Notice
	vendor cloudlicenses.VendorID
	tenant cloudlicenses.TenantID
	key    [16]byte
}

// account returns where a place of notices is.
func (n *pendingNotice) account(at directory.NoticePlace) cloudlicenses.TenantID {
	if at == directory.NoticeAtVendor {
		return n.vendor.Account()
	}
	return n.tenant
}

// noticeKey names a notice, the same for the same request.
func noticeKey(parts ...string) [16]byte {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return [16]byte(sum[:16])
}

// offerNotice puts a notice, unless the directory is going to refuse the license:
// what a blocked vendor writes must not get into the tenant's group at all.
func (s *Shard) offerNotice(ctx context.Context, n *pendingNotice) (directory.NoticePlace, error) {
	var page directory.LinkPage
	query := Command{Op: directory.QueryLinks, Payload: &directory.ListLinks{TenantID: n.tenant, VendorID: n.vendor, Limit: 1}, Result: &page}
	if _, err := s.ReadDirectory(ctx, query, ReadOptions{Linearizable: true}); err != nil {
		return directory.NoticeNowhere, err
	}
	if len(page.Items) > 0 && page.Items[0].Link.BlockedMillis != 0 {
		return directory.NoticeNowhere, nil
	}
	return s.putNotice(ctx, n)
}

// putNotice keeps a notice in the tenant's group or, while the tenant is not
// there, in the vendor's own account.
func (s *Shard) putNotice(ctx context.Context, n *pendingNotice) (directory.NoticePlace, error) {
	at := directory.NoticeAtTenant
	if n.tenant.Validate() != nil {
		at = directory.NoticeAtVendor
	}
	for {
		var ack license.Ack
		_, err := s.Do(ctx, n.account(at), Command{Op: license.OpPutNotice, Result: &ack, Payload: &license.PutNotice{
			Key: n.key, VendorID: n.vendor, Notice: n.Notice, ExpiresMillis: time.Now().Add(cloudlicenses.NoticeLife).UnixMilli(),
		}})
		if errors.Is(err, ErrTenantNotFound) && at == directory.NoticeAtTenant {
			at = directory.NoticeAtVendor
			continue
		}
		if err == nil {
			err = refused(ack.Code, ack.Detail)
		}
		return at, err
	}
}

// dropNotice forgets a notice that nothing came of. One that stays expires.
func (s *Shard) dropNotice(ctx context.Context, n *pendingNotice, at directory.NoticePlace) {
	if at == directory.NoticeNowhere {
		return
	}
	if err := s.forgetNotice(ctx, n, at); err != nil {
		s.logger.Warn("a notice that nothing came of stays until it expires", "vendor", string(n.vendor), "error", err)
	}
}

// forgetNotice removes a notice from its place.
func (s *Shard) forgetNotice(ctx context.Context, n *pendingNotice, at directory.NoticePlace) error {
	var ack license.Ack
	_, err := s.Do(ctx, n.account(at), Command{Op: license.OpDropNotice, Payload: &license.DropNotice{Key: n.key[:]}, Result: &ack})
	if errors.Is(err, ErrTenantNotFound) {
		return nil // suspended meanwhile
	}
	if err != nil {
		return fmt.Errorf("forget a notice of %s: %w", n.vendor, err)
	}
	return refused(ack.Code, ack.Detail)
}
