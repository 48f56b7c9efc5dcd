package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// millisPerDay is a UTC day's length.
const millisPerDay = 24 * 60 * 60 * 1000

// Parts that generation and amendment have in common. What is absent is nil.
type (
	bodyPricing struct {
		CommitFee  json.RawMessage `json:"commit_fee_monthly"`
		OverageFee json.RawMessage `json:"overage_per_use"`
		Currency   *string         `json:"currency"`
	}
	bodyEntitlement struct {
		Total      *int64      `json:"total_licenses"`
		CommitQty  *int64      `json:"commit_qty"`
		MaxOverage *int64      `json:"max_overage"`
		Pricing    bodyPricing `json:"pricing"`
	}
	bodyContract struct {
		Start     *string `json:"start_date"`
		End       *string `json:"end_date"`
		AutoRenew *bool   `json:"auto_renew"`
		Cycle     *string `json:"billing_cycle"`
	}
)

// newLicense is the body of POST /api/v1/licenses/generate.
type newLicense struct {
	OpportunityID string `json:"crm_opportunity_id"`
	Customer      struct {
		CRMAccount   string `json:"crm_account_id"`
		Name         string `json:"name"`
		TenantID     string `json:"tenant_id"`
		ContactEmail string `json:"contact_email"`
	} `json:"customer"`
	Product struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"product"`
	Entitlement   bodyEntitlement `json:"entitlement"`
	Contract      bodyContract    `json:"contract"`
	AutoProvision *bool           `json:"auto_provision"`
}

// check returns what is asked for, and what is wrong with the fields. What only
// the directory knows is not asked here.
func (n *newLicense) check() (g directory.GenerateLicense, contact license.Notice, w wrong) {
	w.check(cloudlicenses.ValidateForeignID(n.OpportunityID) != nil, "crm_opportunity_id", cloudlicenses.ErrForeignID.Error())
	w.check(cloudlicenses.ValidateForeignID(n.Customer.CRMAccount) != nil, "customer/crm_account_id", cloudlicenses.ErrForeignID.Error())
	w.name(n.Customer.Name, "customer/name", true)
	tenant := cloudlicenses.TenantID(n.Customer.TenantID)
	w.check(tenant != "" && tenant.Validate() != nil, "customer/tenant_id", cloudlicenses.ErrTenantID.Error())
	contact.Email = w.contact(n.Customer.ContactEmail, "customer/contact_email")
	w.check(cloudlicenses.ValidateID(n.Product.ID) != nil, "product/id", cloudlicenses.ErrID.Error())
	w.name(n.Product.Name, "product/name", false)
	w.name(n.Product.Version, "product/version", false)
	g = directory.GenerateLicense{
		OpportunityID: n.OpportunityID, ProductID: cloudlicenses.ProductID(n.Product.ID), ProductName: n.Product.Name,
		CRMAccount: n.Customer.CRMAccount, Company: n.Customer.Name, TenantID: tenant,
		AutoProvision: n.AutoProvision == nil || *n.AutoProvision,
	}
	if g.ProductName == "" {
		g.ProductName = n.Product.ID
	}
	t := &g.Terms
	t.Constraint = n.Product.Version
	t.Total = w.seats(n.Entitlement.Total, "total_licenses")
	t.CommitQty = w.seats(n.Entitlement.CommitQty, "commit_qty")
	t.MaxOverage = w.seats(n.Entitlement.MaxOverage, "max_overage")
	pricing := &n.Entitlement.Pricing
	if pricing.Currency == nil {
		w.check(true, "entitlement/pricing/currency", "is missing")
	} else {
		t.Currency = cloudlicenses.Currency(*pricing.Currency)
		_, err := t.Currency.Decimals()
		w.check(err != nil, "entitlement/pricing/currency", cloudlicenses.ErrCurrency.Error())
	}
	t.CommitFeeMinor = w.money(pricing.CommitFee, t.Currency, "commit_fee_monthly")
	t.OverageFeeMinor = w.money(pricing.OverageFee, t.Currency, "overage_per_use")
	w.check(n.Contract.Start == nil, "contract/start_date", "is missing")
	w.check(n.Contract.End == nil, "contract/end_date", "is missing")
	t.StartMillis, _ = w.day(n.Contract.Start, "contract/start_date")
	if last, ok := w.day(n.Contract.End, "contract/end_date"); ok {
		t.EndMillis = last + millisPerDay
	}
	t.AutoRenew = n.Contract.AutoRenew != nil && *n.Contract.AutoRenew
	t.Cycle = w.cycle(n.Contract.Cycle)
	return g, contact, w
}

// hashGeneration is a hash over a decoded request: what means the same is the
// same. A replay may come long after, so its form never changes.
func hashGeneration(g *directory.GenerateLicense, contact license.Notice) [32]byte {
	t := &g.Terms
	return sha256.Sum256(fmt.Appendf(nil, "1 %q %q %q %q %q %q %q %q %d %d %d %d %d %q %d %d %t %q %t",
		g.VendorID, g.OpportunityID, g.ProductID, g.ProductName, g.CRMAccount, g.Company, g.TenantID,
		t.Constraint, t.Total, t.CommitQty, t.MaxOverage, t.CommitFeeMinor, t.OverageFeeMinor, t.Currency,
		t.StartMillis, t.EndMillis, t.AutoRenew, string(t.Cycle)+" "+contact.Email, g.AutoProvision))
}

// changedLicense is the body of PATCH /api/v1/licenses/{id}.
type changedLicense struct {
	Product struct {
		Version *string `json:"version"`
	} `json:"product"`
	Entitlement bodyEntitlement `json:"entitlement"`
	Contract    bodyContract    `json:"contract"`
}

// check returns the amendment, and what is wrong with the fields.
func (n *changedLicense) check(currency cloudlicenses.Currency) (a directory.AmendLicense, w wrong) {
	t := &a.Terms
	if v := n.Product.Version; v != nil {
		w.name(*v, "product/version", false)
		t.Constraint, a.Fields = *v, a.Fields|directory.AmendConstraint
	}
	for _, seats := range []struct {
		sent  *int64
		name  string
		into  *int64
		field directory.AmendFields
	}{
		{n.Entitlement.Total, "total_licenses", &t.Total, directory.AmendTotal},
		{n.Entitlement.CommitQty, "commit_qty", &t.CommitQty, directory.AmendCommitQty},
		{n.Entitlement.MaxOverage, "max_overage", &t.MaxOverage, directory.AmendMaxOverage},
	} {
		if seats.sent != nil {
			*seats.into, a.Fields = w.seats(seats.sent, seats.name), a.Fields|seats.field
		}
	}
	pricing := &n.Entitlement.Pricing
	w.check(pricing.Currency != nil && *pricing.Currency != string(currency), "entitlement/pricing/currency", "can't change: it is "+string(currency))
	if pricing.CommitFee != nil {
		t.CommitFeeMinor, a.Fields = w.money(pricing.CommitFee, currency, "commit_fee_monthly"), a.Fields|directory.AmendCommitFee
	}
	if pricing.OverageFee != nil {
		t.OverageFeeMinor, a.Fields = w.money(pricing.OverageFee, currency, "overage_per_use"), a.Fields|directory.AmendOverageFee
	}
	if first, ok := w.day(n.Contract.Start, "contract/start_date"); ok {
		t.StartMillis, a.Fields = first, a.Fields|directory.AmendStart
	}
	if last, ok := w.day(n.Contract.End, "contract/end_date"); ok {
		t.EndMillis, a.Fields = last+millisPerDay, a.Fields|directory.AmendEnd
	}
	if n.Contract.AutoRenew != nil {
		t.AutoRenew, a.Fields = *n.Contract.AutoRenew, a.Fields|directory.AmendAutoRenew
	}
	if n.Contract.Cycle != nil {
		t.Cycle, a.Fields = w.cycle(n.Contract.Cycle), a.Fields|directory.AmendCycle
	}
	return a, w
}

// name checks a text that people have chosen.
func (w *wrong) name(value, member string, required bool) {
	if value != "" || required {
		w.text(member, value, cloudlicenses.MaxNameLength)
	}
}

// contact checks an e-mail address that may be left out.
func (w *wrong) contact(text, member string) string {
	if text == "" {
		return ""
	}
	email, err := cloudlicenses.NormalizeEmail(text)
	w.check(err != nil, member, cloudlicenses.ErrEmail.Error())
	return email
}

// validMessage reports whether a text may be a notification's message.
func validMessage(text string) bool {
	for _, r := range text {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return false
		}
	}
	return utf8.RuneCountInString(text) <= cloudlicenses.MaxNoticeMessage
}

func (w *wrong) seats(sent *int64, name string) int64 {
	if sent == nil {
		w.check(true, "entitlement/"+name, "is missing")
		return 0
	}
	w.check(*sent < 0 || *sent > cloudlicenses.MaxSeats, "entitlement/"+name, "must be 0 to "+strconv.Itoa(cloudlicenses.MaxSeats))
	return *sent
}

// money reads an amount from its own text. Of an unknown currency it says
// nothing: that is wrong already.
func (w *wrong) money(sent json.RawMessage, currency cloudlicenses.Currency, name string) int64 {
	member := "entitlement/pricing/" + name
	if sent == nil {
		w.check(true, member, "is missing")
		return 0
	}
	if _, err := currency.Decimals(); err != nil {
		return 0
	}
	m, err := cloudlicenses.ParseMoney(string(sent), currency)
	if err != nil {
		w.check(true, member, err.Error())
	}
	return m.Minor
}

// day reads a date as its first moment; false where there is none.
func (w *wrong) day(sent *string, member string) (int64, bool) {
	if sent == nil {
		return 0, false
	}
	at, err := time.Parse(time.DateOnly, *sent)
	if err != nil || at.Year() < 1970 || at.Year() > 9998 {
		w.check(true, member, "must be a day of the years 1970 to 9998, as 2025-12-31")
		return 0, false
	}
	return at.UnixMilli(), true
}

func (w *wrong) cycle(sent *string) cloudlicenses.BillingCycle {
	if sent == nil {
		return cloudlicenses.BillingMonthly
	}
	cycle := cloudlicenses.BillingCycle(*sent)
	w.check(!cycle.Valid(), "contract/billing_cycle", "must be monthly, quarterly or yearly")
	return cycle
}
