package shard

import (
	"context"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// A vendor's settings are in two places: what is not secret in the directory,
// where every node sees it, the rest in the vendor's account. The directory is
// asked first whether it would take a change, so that a refused one changes
// nothing. Then the change goes to the account: it decides who may make it, and
// leaves that in the audit log.

// Vendor returns a vendor as the directory has it; a *Refusal with not_found
// where there is none, confirmed at the leader.
func (s *Shard) Vendor(ctx context.Context, id cloudlicenses.VendorID, opt ReadOptions) (directory.Vendor, Freshness, error) {
	for {
		var result directory.VendorResult
		fresh, err := s.ReadDirectory(ctx, Command{Op: directory.QueryVendor, Payload: &directory.GetVendor{ID: id}, Result: &result}, opt)
		switch {
		case err != nil:
			return directory.Vendor{}, Freshness{}, err
		case result.Code == cloudlicenses.OK, opt.Linearizable:
			return result.Vendor, fresh, refused(result.Code, "there is no such vendor")
		}
		opt.Linearizable = true
	}
}

// InvoiceHook returns where a vendor's invoices go, token included: it is not
// to be shown.
func (s *Shard) InvoiceHook(ctx context.Context, id cloudlicenses.VendorID, opt ReadOptions) (license.InvoiceHook, Freshness, error) {
	var result license.InvoiceHookResult
	fresh, err := s.Read(ctx, id.Account(), Command{Op: license.QueryInvoiceHook, Payload: &license.GetInvoiceHook{}, Result: &result}, opt)
	if err == nil {
		err = refused(result.Code, "")
	}
	return result.Invoice, fresh, err
}

// Product returns a product of a vendor's catalog; a *Refusal with
// product_not_found where there is none.
func (s *Shard) Product(ctx context.Context, vendor cloudlicenses.VendorID, id cloudlicenses.ProductID, opt ReadOptions) (license.Product, error) {
	var page license.ProductPage
	_, err := s.Read(ctx, vendor.Account(), Command{Op: license.QueryProducts, Payload: &license.ListProducts{ID: id}, Result: &page}, opt)
	if err == nil {
		err = refused(page.Code, "the vendor has no such product")
	}
	if err != nil {
		return license.Product{}, err
	}
	return page.Items[0], nil
}

// VendorChange is a change of a vendor's settings.
type VendorChange struct {
	Public  directory.SetVendor // its ID is not looked at
	Account license.VendorSettings
}

// ChangeVendor changes a vendor's settings, if who asks (Account.By) may.
// Refusals (*Refusal): unauthenticated, key_expired, key_revoked,
// forbidden_role, invalid_field, already_exists.
func (s *Shard) ChangeVendor(ctx context.Context, id cloudlicenses.VendorID, change VendorChange) (Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	change.Public.ID = id
	if change.Public.Set != 0 {
		check := change.Public
		check.Check = true
		if _, err := s.setPublic(ctx, &check); err != nil {
			return Written{}, err
		}
	}
	var ack license.Ack
	inAccount, err := s.Do(ctx, id.Account(), Command{Op: license.OpVendorSettings, Payload: &change.Account, Result: &ack})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	if err != nil || change.Public.Set == 0 {
		return inAccount, err
	}
	public, err := s.setPublic(ctx, &change.Public)
	if change.Public.Set&directory.VendorHost != 0 {
		s.hosts.forget()
	}
	return Written{Applied: JoinAppliedIndexes(inAccount.Applied, public.Applied), LeaderURL: inAccount.LeaderURL}, err
}

// setPublic proposes a change of what the directory has.
func (s *Shard) setPublic(ctx context.Context, set *directory.SetVendor) (Written, error) {
	var result directory.VendorResult
	written, err := s.DoDirectory(ctx, Command{Op: directory.OpVendorSet, Payload: set, Result: &result})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	return written, err
}

// SetVendor changes a vendor by the operator's wish: its name and its status
// (active or suspended), where they are not empty.
func (s *Shard) SetVendor(ctx context.Context, id cloudlicenses.VendorID, name string, status cloudlicenses.TenantStatus) (directory.Vendor, Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	vendor, _, err := s.Vendor(ctx, id, ReadOptions{Linearizable: true})
	if err != nil {
		return directory.Vendor{}, Written{}, err
	}
	var commands []Command
	var result directory.VendorResult
	if name != "" {
		set := &directory.SetVendor{ID: id, Set: directory.VendorName, Name: name}
		commands = append(commands, Command{Op: directory.OpVendorSet, Payload: set, Result: &result})
	}
	switch {
	case status == "":
	case vendor.Status != cloudlicenses.TenantActive && vendor.Status != cloudlicenses.TenantSuspended:
		return directory.Vendor{}, Written{}, &Refusal{Code: cloudlicenses.InvalidField, Detail: "status: the vendor is " + string(vendor.Status)}
	default:
		set := &directory.SetVendorStatus{ID: id, Status: status}
		commands = append(commands, Command{Op: directory.OpVendorStatus, Payload: set, Result: &result})
	}
	var written Written
	for _, command := range commands {
		if written, err = s.DoDirectory(ctx, command); err == nil {
			err = refused(result.Code, result.Detail)
		}
		if err != nil {
			return directory.Vendor{}, Written{}, fmt.Errorf("set vendor %s: %w", id, err)
		}
		vendor = result.Vendor
	}
	s.places.forget(id.Account())
	return vendor, written, nil
}

// HostRecord is the TXT record that proves a vendor's white-label host. It
// follows from vendor and host, so that it is the same whenever it is asked for.
func (s *Shard) HostRecord(vendor cloudlicenses.VendorID, host string) (name, value string, err error) {
	token, err := s.hostToken(vendor, host)
	return verificationLabel + host, VerificationPrefix + token, err
}

func (s *Shard) hostToken(vendor cloudlicenses.VendorID, host string) (string, error) {
	sum, err := s.hashSecret("white-label host", string(vendor), host)
	if err != nil {
		return "", err
	}
	token := make([]byte, verificationRandom)
	for i := range token {
		token[i] = base62[int(sum[i])%len(base62)]
	}
	return string(token), nil
}

// VerifyHost looks for the record of the vendor's white-label host and puts the
// host into force. Refusals (*Refusal): those of ChangeVendor, and
// verification_pending; errors: ErrResolver and those of Do.
func (s *Shard) VerifyHost(ctx context.Context, vendor *directory.Vendor, by license.By) (Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	host := vendor.Settings.Host
	token, err := s.hostToken(vendor.ID, host)
	if err != nil {
		return Written{}, err
	}
	if !vendor.Settings.HostVerified {
		if err := s.proved(ctx, host, token); err != nil {
			return Written{}, err
		}
	}
	if _, err := s.ChangeVendor(ctx, vendor.ID, VendorChange{Account: license.VendorSettings{By: by}}); err != nil {
		return Written{}, err
	}
	var result directory.VendorResult
	written, err := s.DoDirectory(ctx, Command{
		Op: directory.OpVendorHost, Payload: &directory.VerifyVendorHost{ID: vendor.ID, Host: host}, Result: &result,
	})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	*vendor = result.Vendor
	s.hosts.forget()
	return written, err
}
