package billing

import (
	"errors"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
)

// Cycle is how often the commit fee is billed; the value is the contract's
// billing_cycle (seed A1). Overage is billed monthly in arrears whatever the
// cycle.
type Cycle string

// The billing cycles.
const (
	CycleMonthly   Cycle = "monthly"
	CycleQuarterly Cycle = "quarterly"
	CycleYearly    Cycle = "yearly"
)

// months returns how many months a cycle has; 0 for an unknown one.
func (c Cycle) months() Month {
	switch c {
	case CycleMonthly:
		return 1
	case CycleQuarterly:
		return 3
	case CycleYearly:
		return 12
	}
	return 0
}

// Price is what a license costs from a day on, until the next version: as
// generated, or as an amendment left it.
type Price struct {
	From             Day
	CommitFeeMonthly int64 // minor units for a whole calendar month
	OveragePerUse    int64 // minor units; charged uses carry their own price
	CommitQty        int64 // seats that the fee covers
}

// ContractLine is one license's contract, as far as it is billed.
type ContractLine struct {
	License      cloudlicenses.LicenseID
	Vendor       cloudlicenses.VendorID
	VendorName   string // for a tenant's view; may be empty
	Tenant       cloudlicenses.TenantID
	CRMAccount   string // the vendor's own name for the customer; may be empty
	CustomerName string // company name
	Product      cloudlicenses.ProductID
	ProductName  string
	Currency     cloudlicenses.Currency
	Prices       []Price // by From, ascending; the first is in force at Start
	Start, End   Day     // both included
	Cycle        Cycle
	// RevokedOn is the license's last day: it is billed as a whole, what
	// follows is not covered by the contract any more. Zero: not revoked.
	RevokedOn Day
	// SuspendedOn is the day a running suspension began; zero: none. It does
	// not lower the fee: the contract still covers the days, and the fee is
	// pro rata "only where the contract covers part" of a month. It is here so
	// that a tenant's costs can say so.
	SuspendedOn Day
}

// ErrContract: a contract line that cannot be billed; the text says why.
var ErrContract = errors.New("contract line cannot be billed")

// Validate returns ErrContract, cloudlicenses.ErrCurrency or nil.
func (c *ContractLine) Validate() error {
	if _, err := c.Currency.Decimals(); err != nil {
		return fmt.Errorf("license %s: %w", c.License, err)
	}
	refuse := func(why string) error { return fmt.Errorf("%w: license %s: %s", ErrContract, c.License, why) }
	switch {
	case c.License == "" || c.Vendor == "" || c.Tenant == "" || c.Product == "":
		return refuse("license, vendor, tenant and product are required")
	case (Range{c.Start, c.End}).Validate() != nil:
		return refuse("it ends before it begins")
	case c.Cycle.months() == 0:
		return refuse("unknown billing cycle")
	case len(c.Prices) == 0 || c.Prices[0].From > c.Start:
		return refuse("no price is in force at its start")
	}
	for i, p := range c.Prices {
		if p.CommitFeeMonthly < 0 || p.OveragePerUse < 0 || p.CommitQty < 0 {
			return refuse("negative price")
		}
		if i > 0 && p.From <= c.Prices[i-1].From {
			return refuse("prices are not in order of their first day")
		}
	}
	return nil
}

// covered returns the days that the contract covers, up to a revocation.
func (c *ContractLine) covered() Range {
	r := Range{c.Start, c.End}
	if c.RevokedOn != 0 {
		r.End = min(r.End, c.RevokedOn)
	}
	return r
}

// customer tells customers of a vendor apart. Two tenants may share a CRM
// account; each is then a customer of its own in an export.
type customer struct {
	crmAccount string
	tenant     cloudlicenses.TenantID
}

func (c *ContractLine) customer() customer { return customer{c.CRMAccount, c.Tenant} }
