package shard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// validate refuses what the machines would, before anything is made.
func (l *LicenseSpec) validate() error {
	product := l.ProductID
	if l.Count > 0 {
		product = l.product(l.Count - 1)
	}
	if cloudlicenses.ValidateID(string(product)) != nil {
		return &Refusal{Code: cloudlicenses.InvalidField, Detail: "product: " + cloudlicenses.ErrID.Error()}
	}
	if l.Count < 0 || l.Count > cloudlicenses.MaxProvisionedLicenses {
		return &Refusal{Code: cloudlicenses.InvalidField, Detail: fmt.Sprintf("count must be 1–%d", cloudlicenses.MaxProvisionedLicenses)}
	}
	entitlement := cloudlicenses.Entitlement{Total: l.total(), CommitQty: l.CommitQty, MaxOverage: l.MaxOverage}
	if !entitlement.Valid() {
		return &Refusal{Code: cloudlicenses.InvalidEntitlement, Detail: "want 0 ≤ commit ≤ total ≤ commit + overage"}
	}
	return nil
}

func (l *LicenseSpec) total() int64 {
	if l.Total == 0 {
		return l.CommitQty + l.MaxOverage
	}
	return l.Total
}

// product returns the i-th product, from 0.
func (l *LicenseSpec) product(i int64) cloudlicenses.ProductID {
	if l.Count == 0 {
		return l.ProductID
	}
	return cloudlicenses.ProductID(fmt.Sprintf("%s-%04d", l.ProductID, i))
}

// start returns the contract's first moment.
func (l *LicenseSpec) start(now time.Time) time.Time {
	if l.StartMillis != 0 {
		return time.UnixMilli(l.StartMillis).UTC()
	}
	return time.Date(now.UTC().Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
}

// license returns the i-th license, from 0.
func (l *LicenseSpec) license(i int64, vendor cloudlicenses.VendorID, id cloudlicenses.LicenseID, start time.Time) license.License {
	currency := l.Currency
	if currency == "" {
		currency = "EUR"
	}
	name := l.ProductName
	if name == "" {
		name = string(l.product(i))
	}
	return license.License{
		ID: id, VendorID: vendor, ProductID: l.product(i), ProductName: name, Constraint: l.Constraint,
		Total: l.total(), CommitQty: l.CommitQty, MaxOverage: l.MaxOverage,
		CommitFeeMinor: l.CommitFeeMinor, OverageFeeMinor: l.OverageFeeMinor, Currency: currency,
		StartMillis: start.UnixMilli(), EndMillis: l.EndMillis,
		Status: cloudlicenses.LicenseProvisioned,
	}
}

// provision reserves ids for the licenses and puts them into the tenant's
// group. Repeated, it leaves those that are there and makes the rest. It
// returns the id of each spec's first license.
func (s *Shard) provision(ctx context.Context, tenant *directory.Tenant, vendor cloudlicenses.VendorID, specs []LicenseSpec) ([]cloudlicenses.LicenseID, error) {
	there, err := s.licensesOf(ctx, tenant, vendor)
	if err != nil {
		return nil, fmt.Errorf("list the licenses of %s: %w", tenant.ID, err)
	}
	now := time.Now()
	firsts := make([]cloudlicenses.LicenseID, len(specs))
	for i := range specs {
		if firsts[i], err = s.provisionSpec(ctx, tenant, vendor, &specs[i], there, now); err != nil {
			return nil, fmt.Errorf("provision %s of %s to %s: %w", specs[i].ProductID, vendor, tenant.ID, err)
		}
	}
	return firsts, nil
}

func (s *Shard) provisionSpec(ctx context.Context, tenant *directory.Tenant, vendor cloudlicenses.VendorID, spec *LicenseSpec,
	there licensesThere, now time.Time,
) (cloudlicenses.LicenseID, error) {
	var missing []int64
	for i := range max(1, spec.Count) {
		if _, ok := there.current[spec.product(i)]; !ok {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return there.current[spec.product(0)], nil
	}
	start := spec.start(now)
	reserve := &directory.ReserveLicenses{
		Intent:   reserveIntent(tenant, vendor, spec, missing, there.total),
		VendorID: vendor, TenantID: tenant.ID, Year: int64(start.Year()), Count: int64(len(missing)),
	}
	var reserved directory.Reserved
	if _, err := s.DoDirectory(ctx, Command{Op: directory.OpReserve, Payload: reserve, Result: &reserved}); err != nil {
		return "", err
	}
	if err := refused(reserved.Code, reserved.Detail); err != nil {
		return "", err
	}
	if err := s.putLicenses(ctx, tenant, vendor, spec, missing, &reserved, start); err != nil {
		return "", err
	}
	if missing[0] == 0 {
		return reserved.ID(0), nil
	}
	return there.current[spec.product(0)], nil
}

// reserveIntent names what is still to be made, so that a repetition draws the
// same ids, and one that goes on half-way, or follows a revocation, new ones.
func reserveIntent(tenant *directory.Tenant, vendor cloudlicenses.VendorID, spec *LicenseSpec, missing []int64, there int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d %d", tenant.ID, vendor, spec.product(missing[0]), len(missing), spec.StartMillis, there))
	return "provision-" + hex.EncodeToString(sum[:16])
}

// putLicenses puts the licenses numbered in missing, some hundred a command.
func (s *Shard) putLicenses(ctx context.Context, tenant *directory.Tenant, vendor cloudlicenses.VendorID, spec *LicenseSpec,
	missing []int64, reserved *directory.Reserved, start time.Time,
) error {
	batch := make([]license.License, 0, min(len(missing), licensesPerCommand))
	for n, i := range missing {
		batch = append(batch, spec.license(i, vendor, reserved.ID(int64(n)), start))
		if len(batch) < licensesPerCommand && n+1 < len(missing) {
			continue
		}
		var ack license.Ack
		put := Command{Op: license.OpLicenses, Payload: &license.PutLicenses{Licenses: batch}, Result: &ack}
		if _, err := s.doPlaced(ctx, tenant, put); err != nil {
			return err
		}
		if ack.Code != cloudlicenses.OK {
			return &Refusal{Code: ack.Code, Detail: ack.Detail, LicenseID: ack.LicenseID, Use: ack.Use}
		}
		batch = batch[:0]
	}
	return nil
}

// licensesThere is what a tenant has of a vendor.
type licensesThere struct {
	current map[cloudlicenses.ProductID]cloudlicenses.LicenseID // neither revoked nor expired
	total   int                                                 // of any status
}

// licensesOf returns the tenant's licenses of a vendor, as its leader has them.
func (s *Shard) licensesOf(ctx context.Context, tenant *directory.Tenant, vendor cloudlicenses.VendorID) (licensesThere, error) {
	there := licensesThere{current: map[cloudlicenses.ProductID]cloudlicenses.LicenseID{}}
	for cursor := ""; ; {
		page, err := s.licensePage(ctx, tenant, cursor)
		if err != nil {
			return there, err
		}
		for i := range page.Items {
			l := &page.Items[i].License
			if l.VendorID != vendor {
				continue
			}
			there.total++
			if l.Status != cloudlicenses.LicenseRevoked && l.Status != cloudlicenses.LicenseExpired {
				there.current[l.ProductID] = l.ID
			}
		}
		if page.Next == "" {
			return there, nil
		}
		cursor = page.Next
	}
}

func (s *Shard) licensePage(ctx context.Context, tenant *directory.Tenant, cursor string) (*license.LicensePage, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	header := fsm.Header{Op: license.QueryLicenses, Version: license.Version, Epoch: tenant.Epoch, Tenant: tenant.ID}
	page := &license.LicensePage{}
	list := &license.ListLicenses{Cursor: cursor, Limit: cloudlicenses.MaxListLimit}
	if _, err := s.query(ctx, cluster.GroupID(tenant.Group), header, list, cluster.ReadOptions{Linearizable: true}, page); err != nil {
		return nil, err
	}
	return page, refused(page.Code, page.Detail)
}
