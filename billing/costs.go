package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// Costs is what a tenant's month costs, by vendor and product: the reply to
// GET /api/v1/costs?period=YYYY-MM.
type Costs struct {
	Tenant cloudlicenses.TenantID
	Period Month
	Lines  []CostLine  // by vendor, product, license and currency
	Totals []CostTotal // by currency
}

// CostLine is one license's month in one currency. Amounts are minor units.
type CostLine struct {
	Contract    *ContractLine
	Currency    cloudlicenses.Currency
	CommitFee   int64 // the month's own fee, whatever the billing cycle
	OverageUses int64
	OverageCost int64
	Total       int64
}

// CostTotal sums a tenant's month in one currency, in minor units.
type CostTotal struct {
	Currency    cloudlicenses.Currency
	CommitFee   int64
	OverageCost int64
	Total       int64
}

// TenantCosts makes a tenant's costs of a month. A license costs its month's
// commit fee, pro rata as CommitFees says, and its overage, adjustments
// included; one that the month's days do not touch and that has no overage has
// no line. Lines point into contracts. Errors: ErrContract (also for another
// tenant's line), ErrDuplicate, ErrPeriod for a sum of another month,
// ErrRecord, ErrOverflow, cloudlicenses.ErrCurrency.
func TenantCosts(tenant cloudlicenses.TenantID, period Month, contracts []ContractLine, sums []OverageSum) (Costs, error) {
	costs := Costs{Tenant: tenant, Period: period}
	byLicense := make(map[cloudlicenses.LicenseID]*ContractLine, len(contracts))
	for i := range contracts {
		c := &contracts[i]
		if err := c.Validate(); err != nil {
			return Costs{}, err
		}
		switch {
		case c.Tenant != tenant:
			return Costs{}, fmt.Errorf("%w: license %s: not the tenant's", ErrContract, c.License)
		case byLicense[c.License] != nil:
			return Costs{}, fmt.Errorf("%w: %s", ErrDuplicate, c.License)
		}
		byLicense[c.License] = c
		if c.covered().touches(period) {
			fee, err := commitFeeTotal(c, period.Days())
			if err != nil {
				return Costs{}, err
			}
			costs.Lines = append(costs.Lines, CostLine{Contract: c, Currency: c.Currency, CommitFee: fee})
		}
	}
	for _, s := range sums {
		c := byLicense[s.License]
		switch {
		case c == nil:
			return Costs{}, fmt.Errorf("%w: license %s: no contract line", ErrContract, s.License)
		case s.Month != period:
			return Costs{}, fmt.Errorf("%w: license %s, %s", ErrPeriod, s.License, s.Month)
		}
		if err := s.Validate(); err != nil {
			return Costs{}, err
		}
		costs.Lines = append(costs.Lines, CostLine{Contract: c, Currency: s.Currency, OverageUses: s.Uses, OverageCost: s.Minor})
	}
	return costs, costs.sumUp()
}

func compareCosts(a, b CostLine) int {
	return cmp.Or(
		strings.Compare(string(a.Contract.Vendor), string(b.Contract.Vendor)),
		strings.Compare(string(a.Contract.Product), string(b.Contract.Product)),
		strings.Compare(string(a.Contract.License), string(b.Contract.License)),
		strings.Compare(string(a.Currency), string(b.Currency)),
	)
}

// sumUp makes one line of each license and currency, and the totals.
func (c *Costs) sumUp() (err error) {
	slices.SortStableFunc(c.Lines, compareCosts)
	kept := c.Lines[:0]
	for _, line := range c.Lines {
		if n := len(kept); n == 0 || compareCosts(kept[n-1], line) != 0 {
			kept = append(kept, line)
			continue
		}
		last := &kept[len(kept)-1]
		if last.CommitFee, err = add(last.CommitFee, line.CommitFee); err != nil {
			return err
		}
		if last.OverageUses, err = add(last.OverageUses, line.OverageUses); err != nil {
			return err
		}
		if last.OverageCost, err = add(last.OverageCost, line.OverageCost); err != nil {
			return err
		}
	}
	c.Lines = kept
	var commit, overage, total tally
	for i := range c.Lines {
		line := &c.Lines[i]
		if line.Total, err = add(line.CommitFee, line.OverageCost); err != nil {
			return err
		}
		if err = commit.add(line.Currency, line.CommitFee); err != nil {
			return err
		}
		if err = overage.add(line.Currency, line.OverageCost); err != nil {
			return err
		}
		if err = total.add(line.Currency, line.Total); err != nil {
			return err
		}
	}
	for i := range total {
		c.Totals = append(c.Totals, CostTotal{total[i].Currency, commit[i].Minor, overage[i].Minor, total[i].Minor})
	}
	return nil
}

// AppendJSON appends the reply, without blanks:
//
//	{"period","vendors":[{"vendor_id","vendor_name","products":[{"product_id","product_name","license_id",
//	"commit_qty","commit_fee","overage_checkouts","overage_cost","total","currency","suspended_on"}]}],
//	"totals":[{"currency","commit_fee","overage_cost","total"}]}
//
// commit_qty is that of the month's last day under contract, suspended_on is
// there for a suspended license only. Every amount has its currency beside it.
// Error: cloudlicenses.ErrCurrency.
func (c *Costs) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, '{')
	b = appendTextField(b, "period", c.Period.String())
	b = append(appendName(b, "vendors"), '[')
	for i := range c.Lines {
		line := &c.Lines[i]
		if i > 0 && c.Lines[i-1].Contract.Vendor == line.Contract.Vendor {
			b = append(b, ',')
		} else {
			if i > 0 {
				b = append(b, "]},"...)
			}
			b = append(b, '{')
			b = appendTextField(b, "vendor_id", line.Contract.Vendor)
			b = appendTextField(b, "vendor_name", line.Contract.VendorName)
			b = append(appendName(b, "products"), '[')
		}
		var err error
		if b, err = line.append(b, c.Period); err != nil {
			return nil, err
		}
	}
	if len(c.Lines) > 0 {
		b = append(b, "]}"...)
	}
	b = append(b, ']')
	b = append(appendName(b, "totals"), '[')
	for i, t := range c.Totals {
		count, err := t.Currency.Decimals()
		if err != nil {
			return nil, err
		}
		b = append(appendNext(b, i), '{')
		b = appendTextField(b, "currency", t.Currency)
		b = appendMoneyField(b, "commit_fee", t.CommitFee, count)
		b = appendMoneyField(b, "overage_cost", t.OverageCost, count)
		b = append(appendMoneyField(b, "total", t.Total, count), '}')
	}
	return append(b, "]}"...), nil
}

func (l *CostLine) append(b []byte, period Month) ([]byte, error) {
	count, err := l.Currency.Decimals()
	if err != nil {
		return nil, err
	}
	b = append(b, '{')
	b = appendTextField(b, "product_id", l.Contract.Product)
	b = appendTextField(b, "product_name", l.Contract.ProductName)
	b = appendTextField(b, "license_id", l.Contract.License)
	b = strconv.AppendInt(appendName(b, "commit_qty"), l.Contract.commitQty(period), 10)
	b = appendMoneyField(b, "commit_fee", l.CommitFee, count)
	b = strconv.AppendInt(appendName(b, "overage_checkouts"), l.OverageUses, 10)
	b = appendMoneyField(b, "overage_cost", l.OverageCost, count)
	b = appendMoneyField(b, "total", l.Total, count)
	b = appendTextField(b, "currency", l.Currency)
	if l.Contract.SuspendedOn != 0 {
		b = appendTextField(b, "suspended_on", l.Contract.SuspendedOn.String())
	}
	return append(b, '}'), nil
}

// commitQty returns the committed seats on a month's last day under contract.
func (c *ContractLine) commitQty(m Month) int64 {
	qty, last := c.Prices[0].CommitQty, c.covered().intersect(m.Days()).End
	for _, p := range c.Prices {
		if p.From <= last {
			qty = p.CommitQty
		}
	}
	return qty
}
