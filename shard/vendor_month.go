package shard

import (
	"context"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// VendorMonth is a vendor's month at a glance.
type VendorMonth struct {
	Month            billing.Month
	Customers        int // tenants under contract in the month, or charged in it
	Licenses         int // their licenses
	Checkouts        int64
	OverageCheckouts int64 // those of Checkouts that took overage seats
	Refusals         int64 // checkouts that found no seat, and nothing else that was refused
	Totals           []billing.CostTotal
}

// VendorMonth sums a vendor's month up. Replicas answer it, as VendorCharges.
func (s *Shard) VendorMonth(ctx context.Context, vendor cloudlicenses.VendorID, month billing.Month, opt ReadOptions) (VendorMonth, Freshness, error) {
	r := s.newReader(opt)
	m := VendorMonth{Month: month}
	charged, behind, err := r.vendorCharges(ctx, vendor, "", month.Days())
	switch {
	case err == nil && behind && !opt.Linearizable:
		return s.VendorMonth(ctx, vendor, month, ReadOptions{Linearizable: true, MinIndex: opt.MinIndex})
	case err == nil && behind: // no total may leave anything out
		err = errUnknownLicense
	case err == nil:
		err = r.countMonth(ctx, vendor, &m, charged.Charges)
	}
	return m, r.freshness(), err
}

// countMonth fills m in by the month's charges and the use of their licenses.
func (r *reader) countMonth(ctx context.Context, vendor cloudlicenses.VendorID, m *VendorMonth, charges []billing.Charge) (err error) {
	if m.Totals, err = billing.VendorTotals(m.Month, charges); err != nil {
		return err
	}
	first := license.PeriodOf(license.ByMonth, time.UnixMilli(m.Month.Days().Start.UnixMillis()))
	in := Periods{Grain: license.ByMonth, From: first, To: first + 1}
	tenants, licenses := map[cloudlicenses.TenantID]bool{}, map[cloudlicenses.LicenseID]bool{}
	for i := range charges {
		c := charges[i].Contract
		if tenants[c.Tenant] = true; licenses[c.License] {
			continue
		}
		licenses[c.License] = true
		points, err := r.series(ctx, c.Tenant, vendor, c.License, in)
		if err != nil {
			return err
		}
		for j := range points {
			m.Checkouts += points[j].CommitCheckouts + points[j].OverageCheckouts
			m.OverageCheckouts += points[j].OverageCheckouts
			for _, refused := range points[j].Refusals {
				if foundNoSeat(refused.Code) {
					m.Refusals += refused.Count
				}
			}
		}
	}
	m.Customers, m.Licenses = len(tenants), len(licenses)
	return nil
}

// foundNoSeat reports whether a refusal is demand that more seats would have met.
// The counters hold every refusal of a known key: also what the customer declined
// itself, and heartbeats and returns of leases that had ended.
func foundNoSeat(code cloudlicenses.Code) bool {
	return code == cloudlicenses.OverageMaxExceeded || code == cloudlicenses.LicenseUnavailable
}
