package shard

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// A tenant's overage outlives it in its vendors' accounts (ADR 19).

// keptBytes bounds a KeepOverage, but for its first item: a month has a sum for
// each day and each of a license's prices, which are some 100 KiB at most.
const keptBytes = 256 << 10

// errNotKept: a tenant is gone, and the account does not hold its overage.
var errNotKept = errors.New("the overage of a removed tenant is missing in its vendor's account")

// keepOverage puts the overage of a tenant that is being removed into its vendors'
// accounts, whatever their status.
func (s *Shard) keepOverage(ctx context.Context, gone *directory.LifeResult) error {
	r := s.newReader(ReadOptions{Linearizable: true})
	contracts, err := r.contracts(ctx, directory.ListLicenses{TenantID: gone.Tenant.ID})
	if err != nil {
		return err
	}
	own, err := r.ownLicenses(ctx, gone.Tenant.ID)
	if err != nil {
		return err
	}
	items := make(map[cloudlicenses.VendorID][]license.Kept)
	for i := range contracts {
		items[contracts[i].Vendor] = nil
	}
	for i := range own {
		items[own[i].VendorID] = append(items[own[i].VendorID], license.Kept{
			TenantID: gone.Tenant.ID, LicenseID: own[i].ID, Company: gone.Tenant.Company, Own: own[i], EndMillis: gone.Life.DeleteMillis,
		})
	}
	for vendor, all := range items {
		months, err := r.keptMonths(ctx, gone.Tenant.ID, vendor)
		if err != nil {
			return err
		}
		all = append(append(all, months...), license.Kept{TenantID: gone.Tenant.ID}) // the last word
		for _, batch := range keptBatches(all) {
			var ack license.Ack
			_, err := s.doAccount(ctx, vendor, Command{Op: license.OpKeepOverage, Payload: &license.KeepOverage{Items: batch}, Result: &ack})
			if err == nil {
				err = refused(ack.Code, ack.Detail)
			}
			if err != nil {
				return fmt.Errorf("keep the overage of %s with %s: %w", gone.Tenant.ID, vendor, err)
			}
		}
	}
	return nil
}

// keptBatches cuts what is kept into what a command takes.
func keptBatches(all []license.Kept) (batches [][]license.Kept) {
	from, size := 0, 0
	for i := range all {
		bytes := all[i].Msgsize()
		if i > from && size+bytes > keptBytes {
			batches = append(batches, all[from:i])
			from, size = i, 0
		}
		size += bytes
	}
	return append(batches, all[from:])
}

// addDay adds a sum to a month's, in order of day. A day that fell on two pages
// comes twice, and is one sum as long as that holds the amount.
func addDay(days []license.DaySum, d license.DaySum) []license.DaySum {
	for i := len(days) - 1; i >= 0 && days[i].Day == d.Day; i-- {
		o := &days[i]
		minor := o.Minor + d.Minor
		fits := (minor > o.Minor) == (d.Minor > 0)
		if o.Currency == d.Currency && o.PriceMinor == d.PriceMinor && o.Adjustment == d.Adjustment && fits {
			o.Uses, o.Minor = o.Uses+d.Uses, minor
			return days
		}
	}
	return append(days, d)
}

// keptMonths gathers all that a tenant was ever charged for a vendor's licenses, by
// license and month.
func (r *reader) keptMonths(ctx context.Context, tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID) (all []license.Kept, err error) {
	type of struct {
		month   billing.Month
		license cloudlicenses.LicenseID
	}
	places := make(map[of]int)
	ask := license.SumOverage{VendorID: vendor, ToMillis: (billing.LastDay + 1).UnixMillis(), Limit: reportRecords}
	for more := true; more; {
		var page license.OverageDays
		if err := r.account(ctx, tenant, Command{Op: license.QueryOverageDays, Payload: &ask, Result: &page}); err != nil {
			return nil, err
		}
		if err := refused(page.Code, ""); err != nil {
			return nil, err
		}
		for _, d := range page.Items {
			month := of{unixDay(d.Sum.Day).Month(), d.LicenseID}
			at, known := places[month]
			if !known {
				at = len(all)
				places[month] = at
				all = append(all, license.Kept{TenantID: tenant, LicenseID: d.LicenseID, Month: uint32(month.month)})
			}
			all[at].Days = addDay(all[at].Days, d.Sum)
		}
		ask.Cursor, more = page.Next, page.Next != ""
	}
	return all, nil
}

// unixDay is a day of the machines, which count from 1970.
func unixDay(day uint32) billing.Day { return billing.DayAt(0) + billing.Day(day) }

// keptOf is what a vendor's account keeps of tenants that are gone.
type keptOf struct {
	whole     map[cloudlicenses.TenantID]bool
	contracts []billing.ContractLine // of licenses that the directory does not know
	sums      map[cloudlicenses.TenantID][]billing.OverageSum
}

// kept reads what a vendor's account keeps of the days of a range. It is always as
// of now: what a replica that is behind does not keep yet would be left out of an
// invoice, and nothing would show that.
func (r *reader) kept(ctx context.Context, vendor cloudlicenses.VendorID, within billing.Range) (*keptOf, error) {
	opt := r.opt
	defer func() { r.opt = opt }()
	r.opt.Linearizable = true
	all := &keptOf{whole: make(map[cloudlicenses.TenantID]bool), sums: make(map[cloudlicenses.TenantID][]billing.OverageSum)}
	take := func(k *license.Kept) {
		switch {
		case k.LicenseID == "":
			all.whole[k.TenantID] = true
		case k.Month == 0:
			c := ownContract(&k.Own, &directory.Tenant{ID: k.TenantID, Company: k.Company})
			c.RevokedOn = billing.DayAt(k.EndMillis)
			all.contracts = append(all.contracts, c)
		default:
			for _, d := range k.Days {
				if within.Holds(unixDay(d.Day)) {
					all.sums[k.TenantID] = append(all.sums[k.TenantID], billing.OverageSum{
						License: k.LicenseID, Month: billing.Month(k.Month), Currency: d.Currency, UnitPrice: d.PriceMinor,
						Uses: d.Uses, Minor: d.Minor, Adjustment: d.Adjustment,
					})
				}
			}
		}
	}
	if err := r.eachKept(ctx, vendor, 0, 0, take); err != nil {
		return nil, err
	}
	first, last := max(within.Start, billing.DayAt(0)), max(within.End, billing.DayAt(0))
	err := r.eachKept(ctx, vendor, uint32(first.Month()), uint32(last.Month()), take)
	return all, err
}

func (r *reader) eachKept(ctx context.Context, vendor cloudlicenses.VendorID, from, to uint32, take func(*license.Kept)) error {
	ask := license.ListKept{From: from, To: to, Limit: cloudlicenses.MaxListLimit}
	for more := true; more; {
		var page license.KeptPage
		err := r.account(ctx, vendor.Account(), Command{Op: license.QueryKept, Payload: &ask, Result: &page})
		if err == nil {
			err = refused(page.Code, "")
		}
		if err != nil {
			return fmt.Errorf("read what %s keeps of removed tenants: %w", vendor, err)
		}
		for i := range page.Items {
			take(&page.Items[i])
		}
		ask.Cursor, more = page.Next, page.Next != ""
	}
	return nil
}
