package license_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// billingQuerySamples has one row per query about what is billed. Append only.
func billingQuerySamples() []sample {
	return []sample{
		{"QueryOverageSums", license.QueryOverageSums, true, &license.SumOverage{
			VendorID: "vector", FromMillis: epochStart, ToMillis: epochStart + hour, Cursor: "24322-7", Limit: 5,
		}},
		{"QueryRules", license.QueryRules, true, &license.GetRules{}},
		{"QueryInvoices", license.QueryInvoices, true, &license.ListInvoices{Month: 24322, Cursor: "inv-2026-11-0a", Limit: 2}},
		{"QueryInvoiced", license.QueryInvoiced, true, &license.GetInvoiced{}},
		{"QuerySeries", license.QuerySeries, true, &license.GetSeries{VendorID: "vector", LicenseID: "lic-1", Grain: license.ByDay, From: 20000, To: 20031}},
		{"QueryTail", license.QueryTail, true, &license.TailAudit{AfterMillis: epochStart, After: 7, Limit: 100}},
		{"QueryOverageDays", license.QueryOverageDays, true, &license.SumOverage{VendorID: "vector", ToMillis: epochStart, Cursor: "24322-7", Limit: 5}},
		{"QueryKept", license.QueryKept, true, &license.ListKept{From: 24322, To: 24323, Cursor: "00005f02", Limit: 2}},
		{"QueryBilled", license.QueryBilled, true, &license.ListBilled{Cursor: "lic-1", Limit: 2}},
		{"QueryHeatmap", license.QueryHeatmap, true, &license.SumHeatmap{VendorID: "vector", LicenseID: "lic-1", From: 490000, To: 490100}},
	}
}

func sampleInvoice() license.Invoice {
	return license.Invoice{
		ID: "inv-2026-10-8a51f0c94be2d0137f66", Revision: 1, CRMAccount: "ACC-98765", CustomerName: "Mercedes-Benz AG", Month: 2026*12 + 9, Currency: "EUR",
		Lines: []license.InvoiceLine{{LicenseID: "lic-1", Description: "CAD - Overage (44 checkouts)", Amount: 2_200_000, Quantity: 44, UnitPrice: 50_000, PerUnit: true}},
		Total: 2_200_000,
	}
}

// invoiceSamples has one row per command about invoices. Append only.
func invoiceSamples() []sample {
	by, mirror := license.By{Platform: true, Session: sum("s"), Address: "10.0.0.1"}, sampleInvoice()
	mirror.ID, mirror.Voids, mirror.CreditNote, mirror.Total = "void-"+mirror.ID, mirror.ID, true, -mirror.Total
	mirror.Lines[0].Amount, mirror.Lines[0].Quantity = mirror.Total, -44
	return []sample{
		{"OpVoidInvoice", license.OpVoidInvoice, true, &license.VoidInvoice{By: by, ID: mirror.Voids, Mirror: mirror, Body: []byte(`{"total":-22000.00}`)}},
		{"OpInvoiced", license.OpInvoiced, true, &license.Invoiced{Month: 2026*12 + 9}},
		{"OpTick", license.OpTick, false, &license.Tick{}},
		{"OpIssueInvoice", license.OpIssueInvoice, true, &license.IssueInvoice{
			By: by, Invoice: sampleInvoice(), Body: []byte(`{"total":22000.00}`),
			Shares: []license.Share{{LicenseID: "lic-1", Overage: true, First: 2026*12 + 9, Last: 2026*12 + 9}, {LicenseID: "lic-1", First: 2026*12 + 7, Last: 2026*12 + 9}},
		}},
		{"OpResendInvoice", license.OpResendInvoice, true, &license.ResendInvoice{By: by, ID: mirror.Voids, Body: []byte(`{"total":22000.00}`)}},
	}
}

// sums shows the sums of [from, to), the month of the session where not given.
func (s *session) sums(a arguments) string {
	var out strings.Builder
	start := time.UnixMilli(epochStart).UTC()
	month := time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, time.UTC)
	q := license.SumOverage{
		VendorID:   cl.VendorID(a.text("vendor", "")),
		FromMillis: a.time("from", month.UnixMilli()), ToMillis: a.time("to", month.AddDate(0, 1, 0).UnixMilli()),
	}
	for range 1000 {
		var page license.OverageSums
		askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryOverageSums, &q, &page)
		require.Equal(s.r.t, cl.OK, page.Code)
		for _, o := range page.Items {
			fmt.Fprintf(&out, "%s %d-%02d: %d × %s = %s %s\n", o.LicenseID, o.Month/12, o.Month%12+1, o.Uses,
				cl.Money{Minor: o.PriceMinor, Currency: o.Currency}, cl.Money{Minor: o.Minor, Currency: o.Currency}, o.Currency)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if out.Len() == 0 {
		return "none\n"
	}
	return out.String()
}

// requireSums compares sums of overage over days with what the model charged:
// all of it, what was charged up to some day, and one vendor's.
func requireSums(t rapid.TB, machine *license.Machine, name cl.TenantID, tenant *modelTenant, clock int64) {
	t.Helper()
	const day = 24 * hour
	first, last := epochStart/day*day, clock/day*day+day
	for _, ask := range []license.SumOverage{
		{FromMillis: first, ToMillis: last, Limit: 3},
		{FromMillis: first, ToMillis: last},
		{FromMillis: first + day, ToMillis: max(first+2*day, last-day), Limit: 1},
		{FromMillis: clock / day * day, ToMillis: last, Limit: 2},
		{FromMillis: first, ToMillis: last, VendorID: "vector", Limit: 2},
	} {
		want := map[license.OverageSum]license.OverageSum{}
		for _, o := range tenant.overage {
			at := time.UnixMilli(o.AtMillis).UTC()
			if o.AtMillis < ask.FromMillis || o.AtMillis >= ask.ToMillis || ask.VendorID != "" && tenant.license(o.LicenseID).VendorID != ask.VendorID {
				continue
			}
			of := license.OverageSum{
				LicenseID: o.LicenseID, Month: uint32(at.Year()*12 + int(at.Month()) - 1), Currency: o.Currency, PriceMinor: o.PriceMinor,
				Adjustment: o.Adjusts != 0,
			}
			sum := want[of]
			sum.Uses, sum.Minor = sum.Uses+o.Uses, sum.Minor+o.Uses*o.PriceMinor
			want[of] = sum
		}
		got := map[license.OverageSum]license.OverageSum{}
		for more := true; more; {
			var page license.OverageSums
			askAt(t, machine, name, 1, license.QueryOverageSums, &ask, &page)
			require.Equal(t, cl.OK, page.Code)
			require.LessOrEqual(t, page.ClockMillis, clock)
			for _, s := range page.Items {
				of := s
				of.Uses, of.Minor = 0, 0
				sum := got[of]
				sum.Uses, sum.Minor = sum.Uses+s.Uses, sum.Minor+s.Minor
				got[of] = sum
			}
			ask.Cursor, more = page.Next, page.Next != ""
		}
		require.Equal(t, want, got, "overage of %s in [%d, %d) of %q", name, ask.FromMillis, ask.ToMillis, ask.VendorID)
	}
}

func (s *session) rulesNow(arguments) string {
	var out strings.Builder
	var r license.RulesResult
	askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryRules, &license.GetRules{}, &r)
	fmt.Fprintf(&out, "deny overage: %v\n", r.Rules.DenyOverage)
	for _, c := range r.Rules.Caps {
		fmt.Fprintf(&out, "%s%s: uses %d, amount %d %s\n", c.LicenseID, c.KeyID, c.MaxUses, c.MaxMinor, c.Currency)
	}
	return out.String()
}
