package billing

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// InvoiceID names an invoice or credit note, such as
// "inv-2025-11-8a51f0c94be2d0137f66". It follows from vendor, customer,
// currency, period, part and revision alone, so that the same month billed twice is
// one invoice; it tells nothing about the customer.
type InvoiceID string

// InvoiceKind tells invoices from credit notes.
type InvoiceKind string

// The kinds of an invoice.
const (
	KindInvoice    InvoiceKind = "invoice"
	KindCreditNote InvoiceKind = "credit_note"
)

// InvoiceState is where an invoice stands. There is no draft: an invoice is
// computed when it is due.
type InvoiceState string

// The states of an invoice.
const (
	InvoiceIssued InvoiceState = "issued"
	InvoiceVoid   InvoiceState = "void"
)

// LineItem is a line of an invoice.
type LineItem struct {
	License     cloudlicenses.LicenseID
	Description string // worded as in the seed
	Amount      int64  // minor units, rounded once
	Quantity    int64  // of overage the uses, else 1; negative on a credit note
	UnitPrice   int64  // minor units; Amount = Quantity × UnitPrice where PerUnit
	PerUnit     bool   // UnitPrice is shown
	Fee         Month  // of a commit fee; none: overage of the invoice's month
}

// Mark is what is known of a month's commit fee or overage of a license.
type Mark uint8

// The marks. Without one, it is not billed.
const (
	MarkBilled Mark = 1
	MarkAgain  Mark = 2 // billed by an invoice that is void and to be replaced
)

// Books are what a vendor's invoices have billed, whatever the contracts were then.
type Books struct {
	// From is the first month that is invoiced by itself: cycles that closed before
	// it are billed with the invoice of that month alone.
	From Month
	// Through is up to which month invoices are made. What closed later, and before
	// the month that is run, is left to its own run.
	Through Month
	Fees    map[cloudlicenses.LicenseID]map[Month]Mark
	Overage map[cloudlicenses.LicenseID]Mark // of the month that is run
}

// Invoice is what a vendor bills a customer for a month in one currency. The
// platform computes it, the vendor's billing system sends it: it knows no tax.
type Invoice struct {
	ID           InvoiceID
	Kind         InvoiceKind
	State        InvoiceState
	Part         int       // from 1; a customer's month is billed by several where one has not held it all
	Revision     int       // from 1; a voided invoice is replaced by the next one
	Voids        InvoiceID // of a mirror: the invoice that it cancels
	VoidReason   string    // why it was voided, or empty; a mirror has that of its invoice
	Vendor       cloudlicenses.VendorID
	CRMAccount   string                 // the customer, or empty
	Tenant       cloudlicenses.TenantID // the customer where there is no CRM account, else empty
	CustomerName string
	Period       Month
	Currency     cloudlicenses.Currency
	Lines        []LineItem
	Total        int64 // minor units, the sum of the lines
}

// Errors of invoices.
var (
	// ErrVoid: the invoice is void already.
	ErrVoid = errors.New("invoice is void already")
	// ErrMirror: what cancels another is not voided; the month is invoiced anew.
	ErrMirror = errors.New("the mirror of a voided invoice cannot be voided")
	// ErrDuplicate: two contract lines have one license id.
	ErrDuplicate = errors.New("license has two contract lines")
)

// Invoices makes the invoices of a month: the commit fees that are due with it
// (Due), and the overage of that very month, billed monthly in arrears
// whatever the cycle; both without what is billed already. There is one for each
// vendor, customer and currency, in that order. A customer is a CRM account, or a
// tenant that has none; tenants with one CRM account are billed together.
//
// Lines stand in order of product and license: commit fee by day, then overage
// by unit price, then adjustments. A commit fee of 0 has no line. An invoice over 0
// is there for what it bills alone: it is not issued. Adjustments that outweigh the
// rest make a negative total: it is issued as a credit note that voids nothing. Past
// cloudlicenses.MaxInvoiceLines or MaxInvoiceBytes an invoice comes in parts.
//
// Errors: ErrContract, ErrDuplicate, ErrRecord, ErrOverflow, ErrPeriod for a
// sum of another month, cloudlicenses.ErrCurrency.
func Invoices(period Month, contracts []ContractLine, sums []OverageSum, books *Books) ([]Invoice, error) {
	byLicense := make(map[cloudlicenses.LicenseID]*ContractLine, len(contracts))
	var drafts drafts
	for i := range contracts {
		c := &contracts[i]
		if err := c.Validate(); err != nil {
			return nil, err
		}
		if byLicense[c.License] != nil {
			return nil, fmt.Errorf("%w: %s", ErrDuplicate, c.License)
		}
		byLicense[c.License] = c
		if err := drafts.addCommit(period, c, books); err != nil {
			return nil, err
		}
	}
	for _, s := range sums {
		c := byLicense[s.License]
		if c == nil {
			return nil, fmt.Errorf("%w: license %s: no contract line", ErrContract, s.License)
		}
		if s.Month != period {
			return nil, fmt.Errorf("%w: license %s, %s", ErrPeriod, s.License, s.Month)
		}
		if err := s.Validate(); err != nil {
			return nil, err
		}
		if books.Overage[s.License] != MarkBilled {
			drafts.addOverage(c, s)
		}
	}
	return drafts.invoices(period)
}

// draft is a line with all that decides its place.
type draft struct {
	contract *ContractLine
	currency cloudlicenses.Currency
	rank     int   // commit, overage, adjustment
	from     int64 // first day, or unit price
	uses     int64
	item     LineItem
}

const (
	rankCommit = iota
	rankOverage
	rankAdjustment
)

type drafts []draft

// account is the customer as invoices tell them apart.
func (d *draft) account() customer {
	if d.contract.CRMAccount != "" {
		return customer{crmAccount: d.contract.CRMAccount}
	}
	return customer{tenant: d.contract.Tenant}
}

func (ds *drafts) addCommit(period Month, c *ContractLine, books *Books) error {
	for _, m := range Due(c, period, books) {
		fees, err := appendCommitFees(nil, c, m)
		if err != nil {
			return err
		}
		for _, f := range fees {
			if f.Minor == 0 {
				continue
			}
			*ds = append(*ds, draft{contract: c, currency: c.Currency, rank: rankCommit, from: int64(f.Days.Start), item: LineItem{
				License: c.License, Description: commitText(c.ProductName, f, period), Amount: f.Minor, Quantity: 1, Fee: m,
			}})
		}
	}
	return nil
}

// commitText is the seed's wording, with the days where they are not the whole
// month of the invoice.
func commitText(product string, f CommitFee, period Month) string {
	text := fmt.Sprintf("%s - Commit (%s)", product, counted(f.CommitQty, "license"))
	switch {
	case !f.Whole():
		return text + ", " + f.Days.String()
	case f.Month != period:
		return text + ", " + f.Month.String()
	}
	return text
}

func counted(n int64, noun string) string {
	if n != 1 && n != -1 {
		noun += "s"
	}
	return strconv.FormatInt(n, 10) + " " + noun
}

func (ds *drafts) addOverage(c *ContractLine, s OverageSum) {
	d := draft{contract: c, currency: s.Currency, rank: rankOverage, from: s.UnitPrice, uses: s.Uses, item: LineItem{
		License: c.License, Amount: s.Minor, Quantity: s.Uses, UnitPrice: s.UnitPrice, PerUnit: true,
	}}
	if s.Adjustment { // of any price: all of a license are one line
		d.rank, d.from = rankAdjustment, 0
		d.item.Quantity, d.item.UnitPrice, d.item.PerUnit = 1, 0, false
	}
	if s.Uses != 0 || s.Minor != 0 {
		*ds = append(*ds, d)
	}
}

func (d *draft) describe() {
	switch {
	case d.rank == rankOverage:
		d.item.Description = fmt.Sprintf("%s - Overage (%s)", d.contract.ProductName, counted(d.uses, "checkout"))
	case d.rank == rankAdjustment && d.uses != 0:
		d.item.Description = fmt.Sprintf("%s - Overage adjustment (%s)", d.contract.ProductName, counted(d.uses, "checkout"))
	case d.rank == rankAdjustment:
		d.item.Description = d.contract.ProductName + " - Overage adjustment"
	}
}

func compareInvoices(a, b draft) int {
	ca, cb := a.account(), b.account()
	return cmp.Or(
		strings.Compare(string(a.contract.Vendor), string(b.contract.Vendor)),
		strings.Compare(ca.crmAccount, cb.crmAccount),
		strings.Compare(string(ca.tenant), string(cb.tenant)),
		strings.Compare(string(a.currency), string(b.currency)),
	)
}

func compareDrafts(a, b draft) int {
	return cmp.Or(
		compareInvoices(a, b),
		strings.Compare(string(a.contract.Product), string(b.contract.Product)),
		strings.Compare(string(a.contract.License), string(b.contract.License)),
		cmp.Compare(a.rank, b.rank),
		cmp.Compare(a.from, b.from),
	)
}

// invoices puts the lines in order and sums equal ones up.
func (ds drafts) invoices(period Month) ([]Invoice, error) {
	slices.SortStableFunc(ds, compareDrafts)
	var invoices []Invoice
	for len(ds) > 0 {
		end := 1
		for end < len(ds) && compareInvoices(ds[0], ds[end]) == 0 {
			end++
		}
		invoice, err := ds[:end].invoice(period)
		if err != nil {
			return nil, err
		}
		if invoices, err = invoice.appendParts(invoices); err != nil {
			return nil, err
		}
		ds = ds[end:]
	}
	return invoices, nil
}

func (ds drafts) invoice(period Month) (Invoice, error) {
	c, who := ds[0].contract, ds[0].account()
	v := Invoice{
		Kind: KindInvoice, State: InvoiceIssued, Vendor: c.Vendor, CRMAccount: who.crmAccount, Tenant: who.tenant,
		CustomerName: c.CustomerName, Period: period, Currency: ds[0].currency,
	}
	for i := 0; i < len(ds); {
		d := ds[i]
		for i++; i < len(ds) && compareDrafts(d, ds[i]) == 0; i++ { // sums of one price that came apart
			var err error
			if d.uses, err = add(d.uses, ds[i].uses); err != nil {
				return v, err
			}
			if d.item.Amount, err = add(d.item.Amount, ds[i].item.Amount); err != nil {
				return v, err
			}
			if d.item.PerUnit {
				d.item.Quantity = d.uses
			}
		}
		d.describe()
		v.Lines = append(v.Lines, d.item)
	}
	return v, nil
}

// appendParts appends an invoice in parts of at most MaxInvoiceLines and
// MaxInvoiceBytes, the lines of one license's month in one of them.
func (v Invoice) appendParts(all []Invoice) ([]Invoice, error) {
	for part, lines := 1, v.Lines; len(lines) > 0; part++ {
		end, size := 0, 0
		for end < min(len(lines), cloudlicenses.MaxInvoiceLines) {
			if size += lines[end].size(); size > cloudlicenses.MaxInvoiceBytes {
				break
			}
			end++
		}
		for end < len(lines) && end > 0 && lines[end-1].License == lines[end].License && lines[end-1].Fee == lines[end].Fee {
			end--
		}
		if end == 0 {
			return nil, fmt.Errorf("%w: license %s: one month of it has more lines than an invoice", ErrContract, lines[0].License)
		}
		p := v
		p.Lines, p.Total, lines = lines[:end:end], 0, lines[end:]
		for i := range p.Lines {
			var err error
			if p.Total, err = add(p.Total, p.Lines[i].Amount); err != nil {
				return nil, err
			}
		}
		if p.Total < 0 {
			p.Kind = KindCreditNote
		}
		all = append(all, p.WithPart(part))
	}
	return all, nil
}

// size is how many bytes a line takes in what is sent, at most: whoever keeps it on
// the way may escape it once more.
func (l *LineItem) size() int {
	const numbers = 160                    // and names
	text, _ := json.Marshal(l.Description) //nolint:errchkjson // a string always encodes
	return len(text) + numbers
}

// WithRevision returns a new invoice as the n-th of its customer and period,
// n ≥ 1: after one was voided, the same month computed anew is the next.
func (v Invoice) WithRevision(n int) Invoice {
	v.Revision = n
	h := sha256.New()
	for _, text := range []string{string(v.Vendor), v.CRMAccount, string(v.Tenant), string(v.Currency)} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		h.Write([]byte(text))
	}
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(v.Period)))
	v.ID = InvoiceID("inv-" + v.Period.String() + "-" + hex.EncodeToString(h.Sum(nil)[:10]))
	if v.Part > 1 {
		v.ID += InvoiceID("-p" + strconv.Itoa(v.Part))
	}
	if n > 1 {
		v.ID += InvoiceID("-r" + strconv.Itoa(n))
	}
	return v
}

// WithPart returns a new invoice as the n-th part of its customer and period, n ≥ 1.
func (v Invoice) WithPart(n int) Invoice {
	v.Part = n
	return v.WithRevision(1)
}

// Void returns the voided invoice and its mirror, a credit note with the same
// lines, amounts and quantities negated, so that both together are 0. (The
// mirror of a month whose total was negative is an invoice.) Errors: ErrVoid,
// ErrMirror, ErrOverflow.
func (v Invoice) Void() (void, mirror Invoice, err error) {
	switch {
	case v.State == InvoiceVoid:
		return v, Invoice{}, ErrVoid
	case v.Voids != "":
		return v, Invoice{}, ErrMirror
	}
	void, mirror = v, v
	void.State = InvoiceVoid
	mirror.ID, mirror.Voids, mirror.Kind = "void-"+v.ID, v.ID, KindCreditNote
	if v.Kind == KindCreditNote {
		mirror.Kind = KindInvoice
	}
	mirror.Lines = slices.Clone(v.Lines)
	if mirror.Total, err = negate(v.Total); err != nil {
		return v, Invoice{}, err
	}
	for i := range mirror.Lines {
		line := &mirror.Lines[i]
		if line.Amount, err = negate(line.Amount); err != nil {
			return v, Invoice{}, err
		}
		if line.Quantity, err = negate(line.Quantity); err != nil {
			return v, Invoice{}, err
		}
	}
	return void, mirror, nil
}
