package shard

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// sharesOf is what an invoice bills.
func sharesOf(v *billing.Invoice) (shares []license.Share) {
	for i := range v.Lines {
		line := &v.Lines[i]
		month := uint32(cmp.Or(line.Fee, v.Period))
		share := license.Share{LicenseID: line.License, Overage: line.Fee == 0, First: month, Last: month}
		if n := len(shares); n > 0 {
			last := &shares[n-1]
			if last.LicenseID == share.LicenseID && last.Overage == share.Overage && last.Last+1 >= month {
				last.Last = month
				continue
			}
		}
		shares = append(shares, share)
	}
	return shares
}

// books reads what a vendor's invoices have billed, for the run of a month.
func (r *reader) books(ctx context.Context, vendor cloudlicenses.VendorID, month billing.Month, byHand bool) (b billing.Books, err error) {
	var of directory.VendorResult
	if err = r.directory(ctx, Command{Op: directory.QueryVendor, Payload: &directory.GetVendor{ID: vendor}, Result: &of}); err != nil {
		return b, fmt.Errorf("read the vendor %s: %w", vendor, err)
	}
	next, err := r.invoicedBefore(ctx, vendor)
	if err != nil {
		return b, err
	}
	b = billing.Books{
		From: billing.DayAt(of.Vendor.CreatedMillis).Month(), Through: next - 1,
		Fees: make(map[cloudlicenses.LicenseID]map[billing.Month]billing.Mark), Overage: make(map[cloudlicenses.LicenseID]billing.Mark),
	}
	list := license.ListBilled{Limit: cloudlicenses.MaxListLimit}
	for more := true; more; {
		var page license.BilledPage
		err := r.account(ctx, vendor.Account(), Command{Op: license.QueryBilled, Payload: &list, Result: &page})
		if err == nil {
			err = refused(page.Code, "")
		}
		if err != nil {
			return b, fmt.Errorf("read what %s has billed: %w", vendor, err)
		}
		for i := range page.Items {
			markBilled(&b, &page.Items[i], month, byHand)
		}
		list.Cursor, more = page.Next, page.Next != ""
	}
	return b, nil
}

// markBilled enters what is billed of a license. By hand, what a void invoice of
// the month has billed is billed again.
func markBilled(b *billing.Books, of *license.Billed, month billing.Month, byHand bool) {
	fees := make(map[billing.Month]billing.Mark)
	again := "inv-" + month.String() + "-"
	for _, void := range []bool{true, false} { // of a month that is void and billed anew, the latter counts
		for i := range of.Spans {
			span := &of.Spans[i]
			if span.Void != void {
				continue
			}
			mark := billing.MarkBilled
			if void && byHand && strings.HasPrefix(span.Invoice, again) {
				mark = billing.MarkAgain
			}
			for m := billing.Month(span.First); m <= billing.Month(span.Last); m++ {
				switch {
				case span.Overage && m == month:
					b.Overage[of.LicenseID] = mark
				case !span.Overage && (!void || fees[m] != billing.MarkAgain):
					fees[m] = mark
				}
			}
		}
	}
	b.Fees[of.LicenseID] = fees
}

// invoicesOf reads a vendor's invoices of a month.
func (r *reader) invoicesOf(ctx context.Context, vendor cloudlicenses.VendorID, month billing.Month) (all []license.Invoice, err error) {
	list := license.ListInvoices{Month: uint32(month), Limit: cloudlicenses.MaxListLimit}
	for more := true; more; {
		var page license.InvoicePage
		err := r.account(ctx, vendor.Account(), Command{Op: license.QueryInvoices, Payload: &list, Result: &page})
		if err == nil {
			err = refused(page.Code, "")
		}
		if err != nil {
			return nil, fmt.Errorf("read the invoices of %s for %s: %w", vendor, month, err)
		}
		all = append(all, page.Items...)
		list.Cursor, more = page.Next, page.Next != ""
	}
	return all, nil
}
