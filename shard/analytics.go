package shard

import (
	"context"
	"errors"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// UsageFilter says which of a vendor's licenses analytics are about: every field
// that is not empty must fit.
type UsageFilter struct {
	CRMAccount string
	Tenant     cloudlicenses.TenantID
	Product    cloudlicenses.ProductID
	License    cloudlicenses.LicenseID
}

func (f *UsageFilter) fits(c *billing.ContractLine) bool {
	return (f.CRMAccount == "" || c.CRMAccount == f.CRMAccount) && (f.Tenant == "" || c.Tenant == f.Tenant) &&
		(f.Product == "" || c.Product == f.Product) && (f.License == "" || c.License == f.License)
}

// Periods are those of a grain (license.ByHour, ByDay, ByMonth) in [From, To).
type Periods struct {
	Grain    uint8
	From, To uint32
}

// LicenseUsage is what one of a vendor's licenses was used for.
type LicenseUsage struct {
	Contract billing.ContractLine
	Points   []license.SeriesPoint
}

// VendorUsage returns what a vendor's licenses were used for, in order of
// license, after cursor: limit of them at most. Replicas answer it.
func (s *Shard) VendorUsage(ctx context.Context, vendor cloudlicenses.VendorID, filter UsageFilter, in Periods, cursor string, limit int, opt ReadOptions) (all []LicenseUsage, next string, fresh Freshness, err error) {
	r := s.newReader(opt)
	contracts, err := r.fitting(ctx, vendor, &filter)
	if err != nil {
		return nil, "", Freshness{}, err
	}
	for i := range contracts {
		c := &contracts[i]
		if strings.Compare(string(c.License), cursor) <= 0 {
			continue
		}
		if len(all) == limit {
			next = string(all[limit-1].Contract.License)
			break
		}
		points, err := r.series(ctx, c.Tenant, vendor, c.License, in)
		if err != nil {
			return nil, "", Freshness{}, err
		}
		all = append(all, LicenseUsage{*c, points})
	}
	return all, next, r.freshness(), nil
}

// fitting returns the contracts of a vendor that a filter is about, in order of
// license.
func (r *reader) fitting(ctx context.Context, vendor cloudlicenses.VendorID, filter *UsageFilter) ([]billing.ContractLine, error) {
	contracts, err := r.contracts(ctx, directory.ListLicenses{VendorID: vendor})
	if err == nil && vendor == operatorVendor.ID {
		contracts, err = r.operatorContracts(ctx, contracts)
	}
	if err != nil {
		return nil, err
	}
	fitting := contracts[:0]
	for i := range contracts {
		if filter.fits(&contracts[i]) {
			fitting = append(fitting, contracts[i])
		}
	}
	return fitting, nil
}

// series reads a license's periods. A tenant that was removed, and a license that
// the replica does not know yet, have none.
func (r *reader) series(ctx context.Context, tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID, id cloudlicenses.LicenseID, in Periods) ([]license.SeriesPoint, error) {
	var found license.Series
	err := r.account(ctx, tenant, Command{
		Op: license.QuerySeries, Payload: &license.GetSeries{VendorID: vendor, LicenseID: id, Grain: in.Grain, From: in.From, To: in.To}, Result: &found,
	})
	switch {
	case errors.Is(err, ErrTenantNotFound) || err == nil && found.Code == cloudlicenses.NotFound:
		return nil, nil
	case err == nil:
		err = refused(found.Code, "")
	}
	return found.Points, err
}

// VendorHeatmap adds the hours [from, to) of a vendor's licenses up by the hour
// of the week, from Monday 00:00 UTC on.
func (s *Shard) VendorHeatmap(ctx context.Context, vendor cloudlicenses.VendorID, filter UsageFilter, from, to uint32, opt ReadOptions) (cells [license.HoursPerWeek]license.HeatmapCell, fresh Freshness, err error) {
	r := s.newReader(opt)
	contracts, err := r.fitting(ctx, vendor, &filter)
	if err != nil {
		return cells, Freshness{}, err
	}
	for i := range contracts {
		c := &contracts[i]
		var sum license.Heatmap
		err := r.account(ctx, c.Tenant, Command{
			Op: license.QueryHeatmap, Payload: &license.SumHeatmap{VendorID: vendor, LicenseID: c.License, From: from, To: to}, Result: &sum,
		})
		if errors.Is(err, ErrTenantNotFound) || err == nil && sum.Code == cloudlicenses.NotFound {
			continue
		}
		if err == nil {
			err = refused(sum.Code, "")
		}
		if err != nil {
			return cells, Freshness{}, err
		}
		for j := range sum.Cells {
			cell, add := &cells[j], &sum.Cells[j]
			cell.Checkouts += add.Checkouts
			cell.OverageUses += add.OverageUses
			cell.Refused += add.Refused
			cell.SeatMillis += add.SeatMillis
		}
	}
	return cells, r.freshness(), nil
}

// LicenseHistory returns what one of a tenant's licenses was used for; false: the
// tenant has no such license.
func (s *Shard) LicenseHistory(ctx context.Context, tenant cloudlicenses.TenantID, id cloudlicenses.LicenseID, in Periods, opt ReadOptions) (points []license.SeriesPoint, found bool, fresh Freshness, err error) {
	var series license.Series
	fresh, err = s.Read(ctx, tenant, Command{
		Op: license.QuerySeries, Payload: &license.GetSeries{LicenseID: id, Grain: in.Grain, From: in.From, To: in.To}, Result: &series,
	}, opt)
	if err == nil && series.Code != cloudlicenses.NotFound {
		err, found = refused(series.Code, ""), true
	}
	return series.Points, found && err == nil, fresh, err
}
