package billing

import (
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/cloudlicenses/cloudlicenses"
)

// WriteJSON writes the export as the seed's JSON document, in UTF-8, without
// blanks, ended by a line break. An entry of products[] is one license over
// the whole period; commit_fee is that of the months whose last day is in the
// period (CommitFeeTotal), whatever the billing cycle.
//
// With several currencies, or none, total_overage_revenue and currency are
// null and totals[] has one for each; every entry of products[] then has a
// currency of its own, which the seed's single-currency document leaves out.
// commit_fee stands in the entry of the contract's currency; a license's entry
// in another one has 0.
//
// The totals stand before the customers, so charges is passed over twice and
// must yield the same twice; ErrUnstable where it did not. Errors: see Export.
func (e *Export) WriteJSON(w io.Writer, charges iter.Seq2[Charge, error]) error {
	if err := e.Period.Validate(); err != nil {
		return err
	}
	totals, err := e.totals(charges)
	if err != nil {
		return err
	}
	doc := jsonExport{period: e.Period, mixed: len(totals) != 1}
	b := append(make([]byte, 0, flushAt+4096), '{')
	b = appendTextField(b, "vendor_id", e.Vendor)
	b = append(appendName(b, "period"), '{')
	b = appendTextField(b, "start", e.Period.Start.String())
	b = append(appendTextField(b, "end", e.Period.End.String()), '}')
	if b, err = appendTotals(b, "total_overage_revenue", totals); err != nil {
		return err
	}
	b = append(appendName(b, "customers"), '[')
	first := true
	for cells, err := range e.customers(charges) {
		if err != nil {
			return err
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		if b, err = doc.appendCustomer(b, cells); err != nil {
			return err
		}
		if b, err = flush(w, b, flushAt); err != nil {
			return err
		}
	}
	if !slices.Equal(doc.written, totals) {
		return ErrUnstable
	}
	_, err = flush(w, append(b, "]}\n"...), 0)
	return err
}

// jsonExport is the second pass of WriteJSON.
type jsonExport struct {
	period  Range
	mixed   bool
	written tally
	known   decimals
}

func (j *jsonExport) appendCustomer(b []byte, cells []cell) ([]byte, error) {
	c := cells[0].contract
	b = append(b, '{')
	b = appendOptional(appendName(b, "crm_account_id"), c.CRMAccount)
	b = appendTextField(b, "tenant_id", c.Tenant)
	b = appendTextField(b, "customer_name", c.CustomerName)
	b = append(appendName(b, "products"), '[')
	entries, err := merge(cells, sameEntry)
	if err != nil {
		return nil, err
	}
	for i, entry := range entries {
		if b, err = j.appendEntry(appendNext(b, i), entry); err != nil {
			return nil, err
		}
	}
	return append(b, "]}"...), nil
}

func (j *jsonExport) appendEntry(b []byte, entry cell) ([]byte, error) {
	if err := j.written.add(entry.currency, entry.minor); err != nil {
		return nil, err
	}
	count, err := j.known.of(entry.currency)
	if err != nil {
		return nil, err
	}
	fee, err := entry.commitFee(j.period)
	if err != nil {
		return nil, err
	}
	billable, err := add(entry.minor, fee)
	if err != nil {
		return nil, err
	}
	b = append(b, '{')
	b = appendTextField(b, "product_id", entry.contract.Product)
	b = appendTextField(b, "product_name", entry.contract.ProductName)
	b = appendTextField(b, "license_id", entry.contract.License)
	b = strconv.AppendInt(appendName(b, "overage_checkouts"), entry.uses, 10)
	b = appendMoneyField(b, "overage_cost", entry.minor, count)
	b = appendMoneyField(b, "commit_fee", fee, count)
	b = appendMoneyField(b, "total_billable", billable, count)
	if j.mixed {
		b = appendTextField[cloudlicenses.Currency](b, "currency", entry.currency)
	}
	return append(b, '}'), nil
}

// commitFee returns the license's commit fee where c is in its currency.
func (c *cell) commitFee(within Range) (int64, error) {
	if c.currency != c.contract.Currency {
		return 0, nil
	}
	return commitFeeTotal(c.contract, within)
}
