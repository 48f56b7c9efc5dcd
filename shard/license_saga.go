package shard

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// The saga of a license: the directory holds what was agreed and counts its
// revisions; each step brings the tenant's group closer to it and may be
// repeated, by any node.
//
//	tell the tenant of the vendor   LinkVendor → LinkTold
//	and of its catalog's floor      SetFloor, where there is one
//	bring the license up to date    Provision → DropNotice, where one waits
//	                                with the vendor → LicenseSynced

// syncLicense brings a license's group up to the revision of a result, and
// returns the license as it is then.
func (s *Shard) syncLicense(ctx context.Context, r *directory.LicenseResult) (directory.License, Written, error) {
	l := &r.License
	if r.Untold {
		if err := s.tellTenant(ctx, l.TenantID, l.VendorID, r.VendorName); err != nil {
			return *l, Written{}, err
		}
	}
	if l.Revision <= l.Synced {
		return *l, Written{}, nil
	}
	n := pendingNotice{vendor: l.VendorID, tenant: l.TenantID, key: l.NoticeKey}
	provision := &license.Provision{License: granted(l), VendorName: r.VendorName, NoticeKey: l.NoticeKey}
	if l.Notice == directory.NoticeAtVendor {
		var err error
		if provision.Notice, err = s.noticeOf(ctx, &n); err != nil {
			return *l, Written{}, err
		}
	}
	if err := s.floorBefore(ctx, l); err != nil {
		return *l, Written{}, err
	}
	var ack license.Ack
	provisioned, err := s.Do(ctx, l.TenantID, Command{Op: license.OpProvision, Payload: provision, Result: &ack})
	if err != nil {
		return *l, Written{}, fmt.Errorf("provision %s: %w", l.ID, err)
	}
	if ack.Code != cloudlicenses.OK {
		return *l, Written{}, s.failLicense(ctx, l, &ack)
	}
	if l.Notice == directory.NoticeAtVendor { // it has gone into the tenant's outbox
		if err := s.forgetNotice(ctx, &n, l.Notice); err != nil {
			return *l, Written{}, err
		}
	}
	var result directory.LicenseResult
	written, err := s.DoDirectory(ctx, Command{
		Op: directory.OpLicenseSynced, Payload: &directory.LicenseSynced{ID: l.ID, Revision: l.Revision, Notified: ack.Notified}, Result: &result,
	})
	if err == nil {
		err = refusedLicense(&result)
	}
	if err != nil {
		return *l, Written{}, fmt.Errorf("end the provisioning of %s: %w", l.ID, err)
	}
	written.Applied = JoinAppliedIndexes(provisioned.Applied, written.Applied)
	return result.License, written, nil
}

// granted is a license as its group knows it.
func granted(l *directory.License) license.License {
	status := cloudlicenses.LicenseProvisioned
	switch {
	case l.Status == cloudlicenses.LicenseRevoked:
		status = l.Status
	case l.SuspendedMillis != 0:
		status = cloudlicenses.LicenseSuspended
	}
	t := &l.Terms
	return license.License{
		ID: l.ID, VendorID: l.VendorID, ProductID: l.ProductID, ProductName: l.ProductName, Constraint: t.Constraint,
		Total: t.Total, CommitQty: t.CommitQty, MaxOverage: t.MaxOverage,
		CommitFeeMinor: t.CommitFeeMinor, OverageFeeMinor: t.OverageFeeMinor, Currency: t.Currency,
		StartMillis: t.StartMillis, EndMillis: t.EndMillis, AutoRenew: t.AutoRenew, Status: status, Revision: l.Revision,
	}
}

// failLicense takes back what the group refuses, and returns the refusal.
func (s *Shard) failLicense(ctx context.Context, l *directory.License, ack *license.Ack) error {
	var done directory.Ack
	_, err := s.DoDirectory(ctx, Command{
		Op: directory.OpLicenseFailed, Payload: &directory.LicenseFailed{ID: l.ID, Revision: l.Revision, Code: ack.Code}, Result: &done,
	})
	if err == nil {
		err = refused(done.Code, done.Detail)
	}
	if err != nil {
		return fmt.Errorf("take %s back: %w", l.ID, err)
	}
	return &Refusal{Code: ack.Code, Detail: ack.Detail, LicenseID: ack.LicenseID, Use: ack.Use}
}

// noticeOf reads a notice from the vendor's account; an empty one where it has
// expired. While the vendor is suspended nobody can tell: the license waits.
func (s *Shard) noticeOf(ctx context.Context, n *pendingNotice) (license.Notice, error) {
	var result license.NoticeResult
	_, err := s.Read(ctx, n.vendor.Account(), Command{
		Op: license.QueryNotice, Payload: &license.FindNotice{Key: n.key[:]}, Result: &result,
	}, ReadOptions{Linearizable: true})
	if err != nil {
		return license.Notice{}, fmt.Errorf("read the notice of %s: %w", n.vendor, err)
	}
	return result.Notice, nil
}

// tellTenant tells a tenant of a vendor that is linked with it.
func (s *Shard) tellTenant(ctx context.Context, tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID, name string) error {
	var ack license.Ack
	_, err := s.Do(ctx, tenant, Command{Op: license.OpLinkVendor, Payload: &license.LinkVendor{VendorID: vendor, Name: name}, Result: &ack})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	if err != nil {
		return fmt.Errorf("tell %s of %s: %w", tenant, vendor, err)
	}
	var done directory.Ack
	_, err = s.DoDirectory(ctx, Command{Op: directory.OpLinkTold, Payload: &directory.LinkTold{TenantID: tenant, VendorID: vendor}, Result: &done})
	if err == nil {
		err = refused(done.Code, done.Detail)
	}
	if err != nil {
		return fmt.Errorf("end the link of %s with %s: %w", tenant, vendor, err)
	}
	return nil
}

// ResumeLicenses finishes, while this node leads the directory, the sagas of
// licenses that were interrupted, and those that time began: a tenant that
// appeared, a contract that was renewed. It returns when ctx is done.
func (s *Shard) ResumeLicenses(ctx context.Context) {
	ticker := time.NewTicker(resumeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.Secrets() == nil || !s.node.Leads(directoryGroup) {
			continue
		}
		if err := s.resumeLicenses(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("licenses can't be provisioned yet", "error", err)
		}
	}
}

// tenantSagas are a tenant's unfinished links and licenses, in order. What fails
// keeps what comes after it from being done.
type tenantSagas struct {
	tenant   cloudlicenses.TenantID
	links    []directory.LinkedVendor
	licenses []directory.LicenseResult
}

// resumeLicenses goes through what is unfinished once. What fails for one tenant
// keeps that one's alone from being done.
func (s *Shard) resumeLicenses(ctx context.Context) error {
	var errs []error
	failed, p := make(map[cloudlicenses.TenantID]bool), newPass()
	needs := func(t *tenantSagas) []cluster.GroupID { return s.sagaNeeds(ctx, t) }
	for cursor, more := "", true; more && ctx.Err() == nil; {
		page := directory.Unprovisioned{}
		list := &directory.List{Cursor: cursor, Limit: cloudlicenses.MaxListLimit}
		if _, err := s.ReadDirectory(ctx, Command{Op: directory.QueryUnprovisioned, Payload: list, Result: &page}, ReadOptions{}); err != nil {
			return failures(append(errs, fmt.Errorf("read unfinished licenses: %w", err)))
		}
		sagas := slices.DeleteFunc(sagasOf(&page), func(t tenantSagas) bool { return failed[t.tenant] })
		for i, err := range atOnce(p, sagas, needs, func(t *tenantSagas) error { return s.resumeTenant(ctx, t) }) {
			if err != nil {
				failed[sagas[i].tenant] = true
				errs = append(errs, err)
			}
		}
		cursor, more = page.Next, page.Next != ""
	}
	return failures(errs)
}

// sagaNeeds are the tenant's group, and those of vendors that hold a notice for it.
func (s *Shard) sagaNeeds(ctx context.Context, t *tenantSagas) []cluster.GroupID {
	groups := []cluster.GroupID{s.groupOf(ctx, t.tenant)}
	for i := range t.licenses {
		if l := &t.licenses[i].License; l.Notice == directory.NoticeAtVendor {
			groups = append(groups, s.groupOf(ctx, l.VendorID.Account()))
		}
	}
	return groups
}

// sagasOf puts a page in order of tenant.
func sagasOf(page *directory.Unprovisioned) (all []tenantSagas) {
	places := make(map[cloudlicenses.TenantID]int)
	of := func(tenant cloudlicenses.TenantID) *tenantSagas {
		at, known := places[tenant]
		if !known {
			at = len(all)
			places[tenant] = at
			all = append(all, tenantSagas{tenant: tenant})
		}
		return &all[at]
	}
	for _, link := range page.Links {
		t := of(link.Link.TenantID)
		t.links = append(t.links, link)
	}
	for _, r := range page.Licenses {
		t := of(r.License.TenantID)
		t.licenses = append(t.licenses, r)
	}
	return all
}

func (s *Shard) resumeTenant(ctx context.Context, t *tenantSagas) error {
	bounded := func(step func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, cloudlicenses.RequestTimeout)
		defer cancel()
		return step(ctx)
	}
	for i := range t.links {
		link := &t.links[i]
		if err := bounded(func(ctx context.Context) error { return s.tellTenant(ctx, t.tenant, link.Link.VendorID, link.Name) }); err != nil {
			return err
		}
	}
	for i := range t.licenses {
		if err := bounded(func(ctx context.Context) error { _, _, err := s.syncLicense(ctx, &t.licenses[i]); return err }); err != nil {
			return err
		}
	}
	return nil
}
