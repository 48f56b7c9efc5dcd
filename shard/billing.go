package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// What is billed is put together from two sides: the directory knows contracts
// and their prices over time, the tenants' groups know what was charged.

// contractOf is a license of the directory as it is billed.
func contractOf(l *directory.License, vendorName string) billing.ContractLine {
	t := &l.Terms
	c := billing.ContractLine{
		License: l.ID, Vendor: l.VendorID, VendorName: vendorName, Tenant: l.TenantID, CRMAccount: l.CRMAccount, CustomerName: l.Company,
		Product: l.ProductID, ProductName: cmp.Or(l.ProductName, string(l.ProductID)), Currency: t.Currency,
		Start: billing.DayAt(t.StartMillis), End: billing.LastDay, Cycle: billing.Cycle(t.Cycle),
	}
	if t.EndMillis != 0 {
		c.End = billing.DayAt(t.EndMillis - 1)
	}
	if l.RevokedMillis != 0 {
		c.RevokedOn = billing.DayAt(l.RevokedMillis)
	}
	if l.SuspendedMillis != 0 {
		c.SuspendedOn = billing.DayAt(l.SuspendedMillis)
	}
	for i := range l.Prices {
		p := &l.Prices[i]
		price := billing.Price{From: billing.DayAt(p.FromMillis), CommitFeeMonthly: p.CommitFeeMinor, OveragePerUse: p.OverageFeeMinor, CommitQty: p.CommitQty}
		if i == 0 {
			price.From = min(price.From, c.Start)
		}
		if n := len(c.Prices); n > 0 && c.Prices[n-1].From >= price.From { // of one day, the last one counts
			price.From = c.Prices[n-1].From
			c.Prices = c.Prices[:n-1]
		}
		c.Prices = append(c.Prices, price)
	}
	return c
}

// ownContract is a license that the directory does not know of: the operator's
// own, of one price and billed monthly.
func ownContract(l *license.License, tenant *directory.Tenant) billing.ContractLine {
	c := billing.ContractLine{
		License: l.ID, Vendor: l.VendorID, Tenant: tenant.ID, CustomerName: tenant.Company,
		Product: l.ProductID, ProductName: cmp.Or(l.ProductName, string(l.ProductID)), Currency: l.Currency,
		Start: billing.DayAt(l.StartMillis), End: billing.LastDay, Cycle: billing.CycleMonthly,
	}
	if l.EndMillis != 0 {
		c.End = billing.DayAt(l.EndMillis - 1)
	}
	c.Prices = []billing.Price{{From: c.Start, CommitFeeMonthly: l.CommitFeeMinor, OveragePerUse: l.OverageFeeMinor, CommitQty: l.CommitQty}}
	return c
}

// errUnknownLicense: a license was charged that the directory does not know.
var errUnknownLicense = errors.New("a license was charged that the directory does not know")

// contracts returns what was ever provisioned of a vendor or, where that is
// empty, of a tenant, in order of license.
func (r *reader) contracts(ctx context.Context, list directory.ListLicenses) (all []billing.ContractLine, err error) {
	names := make(map[cloudlicenses.VendorID]string)
	list.Limit = cloudlicenses.MaxListLimit
	for more := true; more; {
		var page directory.LicensePage
		if err := r.directory(ctx, Command{Op: directory.QueryLicenses, Payload: &list, Result: &page}); err != nil {
			return nil, err
		}
		for i := range page.Items {
			l := &page.Items[i]
			if l.Revision == 0 { // no group is to know it
				continue
			}
			over := l.Status == cloudlicenses.LicenseExpired || l.Status == cloudlicenses.LicenseRevoked
			if end := l.Terms.EndMillis; end != 0 && !over && l.Synced > 0 && (r.ends == 0 || end < r.ends) {
				r.ends = end
			}
			name, known := names[l.VendorID]
			if !known {
				if name, err = r.vendorName(ctx, l.VendorID); err != nil {
					return nil, err
				}
				names[l.VendorID] = name
			}
			all = append(all, contractOf(l, name))
		}
		list.Cursor, more = page.Next, page.Next != ""
	}
	return all, nil
}

func (r *reader) vendorName(ctx context.Context, id cloudlicenses.VendorID) (string, error) {
	var result directory.VendorResult
	err := r.directory(ctx, Command{Op: directory.QueryVendor, Payload: &directory.GetVendor{ID: id}, Result: &result})
	return cmp.Or(result.Vendor.Name, string(id)), err
}

// ownContracts adds the licenses of a tenant that the directory does not know of
// (vendor empty: of every vendor).
func (r *reader) ownContracts(ctx context.Context, tenant *directory.Tenant, vendor cloudlicenses.VendorID, all []billing.ContractLine) ([]billing.ContractLine, error) {
	own, err := r.ownLicenses(ctx, tenant.ID)
	for i := range own {
		if vendor == "" || own[i].VendorID == vendor {
			all = append(all, ownContract(&own[i], tenant))
		}
	}
	return all, err
}

// ownLicenses are those of a tenant that the directory does not know of.
func (r *reader) ownLicenses(ctx context.Context, tenant cloudlicenses.TenantID) (all []license.License, err error) {
	list := license.ListLicenses{Limit: 1000}
	for more := true; more; {
		var page license.LicensePage
		if err := r.account(ctx, tenant, Command{Op: license.QueryLicenses, Payload: &list, Result: &page}); err != nil {
			return nil, err
		}
		for i := range page.Items {
			if l := &page.Items[i].License; l.Revision == 0 {
				all = append(all, *l)
			}
		}
		list.Cursor, more = page.Next, page.Next != ""
	}
	return all, nil
}

// sums adds up a tenant's overage records of whole days. clock is up to when
// nothing more can be charged.
func (r *reader) sums(ctx context.Context, tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID, within billing.Range) (all []billing.OverageSum, clock int64, err error) {
	ask := license.SumOverage{VendorID: vendor, FromMillis: max(0, within.Start.UnixMillis()), ToMillis: max(1, (within.End + 1).UnixMillis()), Limit: reportRecords}
	for more := true; more; {
		var page license.OverageSums
		if err := r.account(ctx, tenant, Command{Op: license.QueryOverageSums, Payload: &ask, Result: &page}); err != nil {
			return nil, 0, err
		}
		if err := refused(page.Code, ""); err != nil {
			return nil, 0, err
		}
		for _, s := range page.Items {
			all = append(all, billing.OverageSum{
				License: s.LicenseID, Month: billing.Month(s.Month), Currency: s.Currency, UnitPrice: s.PriceMinor, Uses: s.Uses, Minor: s.Minor, Adjustment: s.Adjustment,
			})
		}
		if clock == 0 {
			clock = page.ClockMillis
		}
		ask.Cursor, more = page.Next, page.Next != ""
	}
	return all, clock, nil
}

// readCosts adds up what a tenant's month costs so far.
func (s *Shard) readCosts(ctx context.Context, id cloudlicenses.TenantID, period billing.Month, opt ReadOptions) (billing.Costs, Freshness, error) {
	r := s.newReader(opt)
	sums, _, err := r.sums(ctx, id, "", period.Days())
	if err != nil {
		return billing.Costs{}, Freshness{}, err
	}
	tenant, err := r.tenant(ctx, id)
	if err != nil {
		return billing.Costs{}, Freshness{}, err
	}
	contracts, err := r.contracts(ctx, directory.ListLicenses{TenantID: id})
	if err != nil {
		return billing.Costs{}, Freshness{}, err
	}
	if contracts, err = r.ownContracts(ctx, &tenant, "", contracts); err != nil {
		return billing.Costs{}, Freshness{}, err
	}
	for i := range contracts {
		if c := &contracts[i]; c.VendorName == "" {
			if c.VendorName, err = r.vendorName(ctx, c.Vendor); err != nil {
				return billing.Costs{}, Freshness{}, err
			}
		}
	}
	costs, err := billing.TenantCosts(id, period, contracts, sums)
	if errors.Is(err, billing.ErrContract) && !opt.Linearizable { // the directory's replica is behind
		return s.readCosts(ctx, id, period, ReadOptions{Linearizable: true, MinIndex: opt.MinIndex})
	}
	return costs, r.freshness(), err
}

// VendorCharges are a vendor's charges over whole days, with the contracts they
// were made under: customer by customer, in order of CRM account and tenant.
type VendorCharges struct {
	Name      string // the vendor's
	Contracts []billing.ContractLine
	Charges   []billing.Charge
	// ClockMillis: nothing more can be charged before it.
	ClockMillis int64

	kept *keptOf // of customers that are gone; nil: not read yet
}

// VendorCharges gathers what was charged for a vendor's licenses on the days of a
// range, at the customer with a CRM account or, where that is empty, at all. What
// it holds in memory are sums, however many records there are.
func (s *Shard) VendorCharges(ctx context.Context, vendor cloudlicenses.VendorID, crmAccount string, within billing.Range, opt ReadOptions) (VendorCharges, Freshness, error) {
	r := s.newReader(opt)
	v, behind, err := r.vendorCharges(ctx, vendor, crmAccount, within)
	switch {
	case err == nil && behind && !opt.Linearizable:
		return s.VendorCharges(ctx, vendor, crmAccount, within, ReadOptions{Linearizable: true, MinIndex: opt.MinIndex})
	case err == nil && behind: // no total may leave anything out
		err = errUnknownLicense
	}
	return v, r.freshness(), err
}

// vendorCharges reports besides whether the directory's replica does not know a
// license that was charged.
func (r *reader) vendorCharges(ctx context.Context, vendor cloudlicenses.VendorID, crmAccount string, within billing.Range) (v VendorCharges, behind bool, err error) {
	if v.Name, err = r.vendorName(ctx, vendor); err != nil {
		return v, false, err
	}
	if v.Contracts, err = r.contracts(ctx, directory.ListLicenses{VendorID: vendor}); err != nil {
		return v, false, err
	}
	if vendor == operatorVendor.ID {
		if v.Contracts, err = r.operatorContracts(ctx, v.Contracts); err == nil {
			err = r.goneContracts(ctx, &v, within)
		}
		if err != nil {
			return v, false, err
		}
	}
	slices.SortStableFunc(v.Contracts, func(a, b billing.ContractLine) int {
		return cmp.Or(strings.Compare(string(a.Tenant), string(b.Tenant)), strings.Compare(a.CRMAccount, b.CRMAccount))
	})
	for from := 0; from < len(v.Contracts); {
		to := from + 1
		for to < len(v.Contracts) && v.Contracts[to].Tenant == v.Contracts[from].Tenant {
			to++
		}
		missing, err := r.chargesOf(ctx, &v, v.Contracts[from:to], crmAccount, within)
		if err != nil {
			return v, false, err
		}
		behind, from = behind || missing, to
	}
	slices.SortStableFunc(v.Charges, func(a, b billing.Charge) int {
		return cmp.Or(strings.Compare(a.Contract.CRMAccount, b.Contract.CRMAccount), strings.Compare(string(a.Contract.Tenant), string(b.Contract.Tenant)))
	})
	return v, behind, nil
}

// chargesOf adds the charges under the contracts of one tenant, and a sum of 0
// for each that has none.
func (r *reader) chargesOf(ctx context.Context, v *VendorCharges, contracts []billing.ContractLine, crmAccount string, within billing.Range) (missing bool, err error) {
	sums, clock, err := r.sums(ctx, contracts[0].Tenant, contracts[0].Vendor, within)
	switch {
	case errors.Is(err, ErrTenantNotFound):
		if sums, err = r.sumsOfGone(ctx, v, contracts[0].Tenant, contracts[0].Vendor, within); err != nil {
			return false, err
		}
	case err != nil:
		return false, err
	case v.ClockMillis == 0 || clock < v.ClockMillis:
		v.ClockMillis = clock
	}
	byLicense := make(map[cloudlicenses.LicenseID]*billing.ContractLine, len(contracts))
	for i := range contracts {
		byLicense[contracts[i].License] = &contracts[i]
	}
	charged := make(map[cloudlicenses.LicenseID]bool, len(contracts))
	for _, sum := range sums {
		c := byLicense[sum.License]
		if missing = missing || c == nil; c == nil || crmAccount != "" && c.CRMAccount != crmAccount {
			continue
		}
		charged[sum.License] = true
		v.Charges = append(v.Charges, billing.Charge{Contract: c, Sum: sum})
	}
	for i := range contracts {
		c := &contracts[i]
		idle := !charged[c.License] && c.Start <= within.End && c.End >= within.Start && (c.RevokedOn == 0 || c.RevokedOn >= within.Start)
		if idle && (crmAccount == "" || c.CRMAccount == crmAccount) {
			v.Charges = append(v.Charges, billing.Charge{Contract: c, Sum: billing.OverageSum{
				License: c.License, Month: within.Start.Month(), Currency: c.Currency,
			}})
		}
	}
	return missing, nil
}

// sumsOfGone are the sums of a tenant that is gone, as its vendor's account keeps
// them.
func (r *reader) sumsOfGone(ctx context.Context, v *VendorCharges, tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID, within billing.Range) ([]billing.OverageSum, error) {
	if v.kept == nil || !v.kept.whole[tenant] { // gone since it was read
		kept, err := r.kept(ctx, vendor, within)
		if err != nil {
			return nil, err
		}
		v.kept = kept
	}
	if !v.kept.whole[tenant] {
		return nil, fmt.Errorf("%w: %s of %s", errNotKept, tenant, vendor)
	}
	return v.kept.sums[tenant], nil
}

// operatorContracts adds the licenses that `tenant create` has made, which the
// directory does not know of.
func (r *reader) operatorContracts(ctx context.Context, all []billing.ContractLine) ([]billing.ContractLine, error) {
	list := directory.List{Limit: cloudlicenses.MaxListLimit}
	for more := true; more; {
		var page directory.TenantPage
		if err := r.directory(ctx, Command{Op: directory.QueryTenants, Payload: &list, Result: &page}); err != nil {
			return nil, err
		}
		for i := range page.Items {
			t := &page.Items[i]
			if t.Status == cloudlicenses.TenantPending {
				continue
			}
			with, err := r.ownContracts(ctx, t, operatorVendor.ID, all)
			if errors.Is(err, ErrTenantNotFound) { // gone since
				continue
			}
			if err != nil {
				return nil, err
			}
			all = with
		}
		list.Cursor, more = page.Next, page.Next != ""
	}
	return all, nil
}

// goneContracts adds what operatorContracts would, of tenants that are gone.
func (r *reader) goneContracts(ctx context.Context, v *VendorCharges, within billing.Range) (err error) {
	there := make(map[cloudlicenses.LicenseID]bool, len(v.Contracts))
	for i := range v.Contracts {
		there[v.Contracts[i].License] = true
	}
	if v.kept, err = r.kept(ctx, operatorVendor.ID, within); err != nil {
		return err
	}
	for i := range v.kept.contracts {
		if c := &v.kept.contracts[i]; !there[c.License] {
			v.Contracts = append(v.Contracts, *c)
		}
	}
	return nil
}

// RevenueShare makes the platform's statement of a month: its share of every
// vendor's overage revenue.
func (s *Shard) RevenueShare(ctx context.Context, month billing.Month, opt ReadOptions) (billing.ShareStatement, Freshness, error) {
	r := s.newReader(opt)
	rates := make(map[cloudlicenses.VendorID]billing.BasisPoints)
	var sums []billing.VendorSum
	list := directory.List{Limit: cloudlicenses.MaxListLimit}
	for more := true; more; {
		var page directory.VendorPage
		if err := r.directory(ctx, Command{Op: directory.QueryVendors, Payload: &list, Result: &page}); err != nil {
			return billing.ShareStatement{}, Freshness{}, err
		}
		for i := range page.Items {
			v := &page.Items[i]
			rates[v.ID] = billing.BasisPoints(cmp.Or(v.ShareRate, cloudlicenses.DefaultShareRate))
			found, behind, err := r.vendorCharges(ctx, v.ID, "", month.Days())
			if err != nil {
				return billing.ShareStatement{}, Freshness{}, err
			}
			if behind && opt.Linearizable {
				return billing.ShareStatement{}, Freshness{}, errUnknownLicense
			}
			if behind {
				return s.RevenueShare(ctx, month, ReadOptions{Linearizable: true, MinIndex: opt.MinIndex})
			}
			for j := range found.Charges {
				if sum := found.Charges[j].Sum; sum.Uses != 0 || sum.Minor != 0 {
					sums = append(sums, billing.VendorSum{Vendor: v.ID, Sum: sum})
				}
			}
		}
		list.Cursor, more = page.Next, page.Next != ""
	}
	statement, err := billing.RevenueShare(rates, sums)
	return statement, r.freshness(), err
}

// PlanFees makes the platform's statements of a month for a page of tenants, in
// order of id, after cursor; those that were removed are among them. A tenant's
// plan counts from its verification on, until it is removed.
func (s *Shard) PlanFees(ctx context.Context, month billing.Month, cursor string, limit int64, opt ReadOptions) (all []billing.PlanStatement, next string, fresh Freshness, err error) {
	r := s.newReader(opt)
	var page directory.PlanPage
	list := &directory.List{Cursor: cursor, Limit: limit}
	if err := r.directory(ctx, Command{Op: directory.QueryPlans, Payload: list, Result: &page}); err != nil {
		return nil, "", Freshness{}, err
	}
	for i := range page.Items {
		h := &page.Items[i]
		spans := planSpans(h.Plans)
		var ended billing.Day
		if h.RemovedMillis != 0 {
			ended = billing.DayAt(h.RemovedMillis)
		}
		if len(spans) == 0 || spans[0].From > month.Days().End || ended != 0 && ended < month.Days().Start {
			continue
		}
		statement, err := billing.PlanFees(h.ID, month, spans, ended)
		if err != nil {
			return nil, "", Freshness{}, err
		}
		all = append(all, statement)
	}
	return all, page.Next, r.freshness(), nil
}

// planSpans are a tenant's plans by day: of one with several, the last counts.
func planSpans(plans []directory.PlanSpan) []billing.PlanSpan {
	spans := make([]billing.PlanSpan, 0, len(plans))
	for _, p := range plans {
		span := billing.PlanSpan{From: billing.DayAt(p.FromMillis), Plan: cmp.Or(p.Plan, cloudlicenses.Plan(DefaultPlan))}
		if n := len(spans); n > 0 && spans[n-1].From == span.From {
			spans = spans[:n-1]
		}
		spans = append(spans, span)
	}
	return spans
}

// SetVendorShare sets the platform's share of a vendor's overage revenue.
func (s *Shard) SetVendorShare(ctx context.Context, id cloudlicenses.VendorID, rate int64) (directory.Vendor, Written, error) {
	var result directory.VendorResult
	w, err := s.DoDirectory(ctx, Command{Op: directory.OpVendorShare, Payload: &directory.SetVendorShare{ID: id, Rate: rate}, Result: &result})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	return result.Vendor, w, err
}
