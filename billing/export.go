package billing

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// Export is an overage export of one vendor over a range of whole UTC days
// (seed A2, "Export Overage Costs"). Its Write methods take charges as a
// stream: those of one customer (CRM account and tenant) beside each other,
// customers in any order, and inside a customer any order. What they hold in
// memory is one customer's sums by license, month and currency, and the names
// of the customers seen. The order of customers is kept; a customer's rows are
// put in order.
//
// Every charge's month has days in Period: who scans the records leaves out
// those on other days (SumOverage does). A license without overage appears
// where the stream has a sum of 0 uses for it.
//
// An error in the middle leaves a torn document at the writer: a caller who
// has begun to send it must break the connection off.
type Export struct {
	Vendor     cloudlicenses.VendorID
	VendorName string // the PDF's title; may be empty
	Period     Range
}

// Errors of an export, besides ErrRange, ErrContract, ErrRecord, ErrOverflow,
// cloudlicenses.ErrCurrency and those of the stream and the writer.
var (
	// ErrForeign: a charge belongs to another vendor. Nothing of it is written.
	ErrForeign = errors.New("charge of another vendor in the export")
	// ErrOrder: a customer's charges do not stand beside each other.
	ErrOrder = errors.New("a customer's charges are not beside each other")
	// ErrPeriod: a charge's month has no day in the period.
	ErrPeriod = errors.New("charge outside the period")
	// ErrUnstable: a stream that must yield the same twice did not.
	ErrUnstable = errors.New("the charges changed between two passes")
)

// cell is what one license was charged in one month and currency.
type cell struct {
	contract *ContractLine
	month    Month
	currency cloudlicenses.Currency
	uses     int64
	minor    int64
}

// compareCells puts a customer's cells in the order of the JSON.
func compareCells(a, b cell) int {
	return cmp.Or(
		strings.Compare(string(a.contract.Product), string(b.contract.Product)),
		strings.Compare(string(a.contract.License), string(b.contract.License)),
		strings.Compare(string(a.currency), string(b.currency)),
		cmp.Compare(a.month, b.month),
	)
}

// compareRows puts them in the order of the table: what is one row lies
// together, whatever its licenses.
func compareRows(a, b cell) int {
	return cmp.Or(
		strings.Compare(string(a.contract.Product), string(b.contract.Product)),
		cmp.Compare(a.month, b.month),
		strings.Compare(string(a.currency), string(b.currency)),
		strings.Compare(string(a.contract.License), string(b.contract.License)),
	)
}

func sameRow(a, b cell) bool {
	return a.contract.Product == b.contract.Product && a.month == b.month && a.currency == b.currency
}

func sameEntry(a, b cell) bool {
	return a.contract.License == b.contract.License && a.currency == b.currency
}

// merge adds neighbours that are the same, in place.
func merge(cells []cell, same func(a, b cell) bool) ([]cell, error) {
	kept := cells[:0]
	for _, c := range cells {
		if len(kept) == 0 || !same(kept[len(kept)-1], c) {
			kept = append(kept, c)
			continue
		}
		last := &kept[len(kept)-1]
		var err error
		if last.uses, err = add(last.uses, c.uses); err != nil {
			return nil, err
		}
		if last.minor, err = add(last.minor, c.minor); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// compactAt is from how many cells on a customer's are merged while they still
// come in.
const compactAt = 4096

// account gathers one customer's charges.
type account struct {
	customer  customer
	cells     []cell
	compactAt int
}

func (a *account) begin(c customer) {
	a.customer, a.cells, a.compactAt = c, a.cells[:0], compactAt
}

func (a *account) add(c cell) error {
	if n := len(a.cells); n > 0 { // sums of one month at two prices come together
		if last := &a.cells[n-1]; last.contract == c.contract && last.month == c.month && last.currency == c.currency {
			merged, err := merge(append(a.cells, c)[n-1:], func(cell, cell) bool { return true })
			a.cells = append(a.cells[:n-1], merged...)
			return err
		}
	}
	a.cells = append(a.cells, c)
	if len(a.cells) < a.compactAt {
		return nil
	}
	err := a.close()
	a.compactAt = max(compactAt, 2*len(a.cells))
	return err
}

// close leaves the cells in order, one for each license, month and currency.
func (a *account) close() (err error) {
	slices.SortFunc(a.cells, compareCells)
	a.cells, err = merge(a.cells, func(a, b cell) bool { return sameEntry(a, b) && a.month == b.month })
	return err
}

// check refuses a charge that has no place in e. checked is the contract that
// was validated last.
func (e *Export) check(c *Charge, checked **ContractLine) error {
	switch {
	case c.Contract == nil || c.Contract.License != c.Sum.License:
		return fmt.Errorf("%w: license %s: the sum has another contract", ErrContract, c.Sum.License)
	case c.Contract.Vendor != e.Vendor:
		return fmt.Errorf("%w: license %s", ErrForeign, c.Sum.License)
	}
	if *checked != c.Contract {
		if err := c.Contract.Validate(); err != nil {
			return err
		}
		*checked = c.Contract
	}
	if err := c.Sum.addsUp(); err != nil {
		return err
	}
	if !e.Period.touches(c.Sum.Month) {
		return fmt.Errorf("%w: license %s, %s", ErrPeriod, c.Sum.License, c.Sum.Month)
	}
	return nil
}

// cells checks the charges of a stream and yields them.
func (e *Export) cells(charges iter.Seq2[Charge, error]) iter.Seq2[cell, error] {
	return func(yield func(cell, error) bool) {
		var checked *ContractLine
		var known decimals
		for c, err := range charges {
			if err == nil {
				err = e.check(&c, &checked)
			}
			if err == nil {
				_, err = known.of(c.Sum.Currency)
			}
			if err != nil {
				yield(cell{}, err)
				return
			}
			if !yield(cell{c.Contract, c.Sum.Month, c.Sum.Currency, c.Sum.Uses, c.Sum.Minor}, nil) {
				return
			}
		}
	}
}

// customers yields one customer's cells after another's. A slice is good until
// the next one.
func (e *Export) customers(charges iter.Seq2[Charge, error]) iter.Seq2[[]cell, error] {
	return func(yield func([]cell, error) bool) {
		var open account
		seen := make(map[customer]struct{})
		flush := func() bool {
			if len(open.cells) == 0 {
				return true
			}
			err := open.close()
			return yield(open.cells, err) && err == nil
		}
		for c, err := range e.cells(charges) {
			if err != nil {
				yield(nil, err)
				return
			}
			if who := c.contract.customer(); who != open.customer {
				if !flush() {
					return
				}
				if _, again := seen[who]; again {
					yield(nil, fmt.Errorf("%w: tenant %s", ErrOrder, who.tenant))
					return
				}
				seen[who] = struct{}{}
				open.begin(who)
			}
			if err := open.add(c); err != nil {
				yield(nil, err)
				return
			}
		}
		flush()
	}
}

// rows yields the rows of CSV and PDF: one for each customer, month, product
// and currency (contract, "States and rules"), a renewal's two licenses in
// one. The contract is that of the first license.
func (e *Export) rows(charges iter.Seq2[Charge, error]) iter.Seq2[cell, error] {
	return func(yield func(cell, error) bool) {
		for cells, err := range e.customers(charges) {
			if err == nil {
				slices.SortFunc(cells, compareRows)
				cells, err = merge(cells, sameRow)
			}
			if err != nil {
				yield(cell{}, err)
				return
			}
			for _, c := range cells {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// totals sums the stream by currency.
func (e *Export) totals(charges iter.Seq2[Charge, error]) (tally, error) {
	var t tally
	for c, err := range e.cells(charges) {
		if err != nil {
			return nil, err
		}
		if err := t.add(c.currency, c.minor); err != nil {
			return nil, err
		}
	}
	return t, nil
}
