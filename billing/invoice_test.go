package billing

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

func invoices(t testing.TB, monthText string, contracts []*ContractLine, sums ...OverageSum) []Invoice {
	t.Helper()
	var lines []ContractLine
	for _, c := range contracts {
		lines = append(lines, *c)
	}
	list, err := Invoices(month(t, monthText), lines, sums, &Books{From: month(t, monthText)})
	require.NoError(t, err)
	for _, v := range list {
		require.NoError(t, cl.ValidateID(string(v.ID)))
	}
	return list
}

// shortly is an invoice's lines as texts.
func shortly(t testing.TB, v Invoice) (lines []string) {
	t.Helper()
	count, err := v.Currency.Decimals()
	require.NoError(t, err)
	for _, l := range v.Lines {
		lines = append(lines, l.Description+": "+string(appendMoney(nil, l.Amount, count)))
	}
	return append(lines, string(appendMoney(nil, v.Total, count)))
}

// TestSeedInvoice: the webhook's body is the seed's to the letter.
func TestSeedInvoice(t *testing.T) {
	m := mercedes(t)
	list := invoices(t, "2025-11", []*ContractLine{m}, uses(t, m, "2025-11", 44))
	require.Len(t, list, 1)
	body, err := list[0].AppendWebhook(nil, "cloudlicenses.com")
	require.NoError(t, err)
	require.Equal(t, golden(t, "seed_invoice.json"), pretty(t, body)+"\n")
	require.Equal(t, InvoiceID("inv-2025-11-42342056bb9ae2ee642e"), list[0].ID)

	shown, err := list[0].AppendJSON(nil)
	require.NoError(t, err)
	require.Equal(t, `{"invoice_id":"inv-2025-11-42342056bb9ae2ee642e","kind":"invoice","state":"issued","voids":null,"void_reason":null,"vendor_id":"vector-de",`+
		`"customer_name":"Mercedes-Benz AG","period":"2025-11","crm_account_id":"ACC-98765",`+
		`"line_items":[{"description":"DaVinci Configurator SE - Commit (5 licenses)","amount":5000.00,"quantity":1},`+
		`{"description":"DaVinci Configurator SE - Overage (44 checkouts)","amount":22000.00,"unit_price":500.00,"quantity":44}],`+
		`"total":27000.00,"currency":"EUR"}`, string(shown))
}

func TestInvoiceCycles(t *testing.T) {
	m := mercedes(t)
	m.Start, m.End, m.Cycle = day(t, "2025-02-15"), day(t, "2026-02-14"), CycleQuarterly
	m.Prices = append(m.Prices, Price{From: day(t, "2025-04-11"), CommitFeeMonthly: 6000_00, OveragePerUse: 500_00, CommitQty: 6})
	overage := uses(t, m, "2025-03", 1)
	march := invoices(t, "2025-03", []*ContractLine{m}, overage)
	require.Len(t, march, 1, "overage is billed monthly in arrears")
	require.Equal(t, []string{"DaVinci Configurator SE - Overage (1 checkout): 500.00", "500.00"}, shortly(t, march[0]))
	require.Equal(t, []string{
		"DaVinci Configurator SE - Commit (5 licenses), 2025-02-15 to 2025-02-28: 2500.00",
		"DaVinci Configurator SE - Commit (5 licenses), 2025-03: 5000.00",
		"DaVinci Configurator SE - Commit (5 licenses), 2025-04-01 to 2025-04-10: 1666.67",
		"DaVinci Configurator SE - Commit (6 licenses), 2025-04-11 to 2025-04-30: 4000.00",
		"13166.67",
	}, shortly(t, invoices(t, "2025-04", []*ContractLine{m})[0]))
	require.Empty(t, invoices(t, "2025-05", []*ContractLine{m}))
	m.RevokedOn = day(t, "2025-05-31")
	require.Equal(t, []string{"DaVinci Configurator SE - Commit (6 licenses): 6000.00", "6000.00"}, shortly(t, invoices(t, "2025-05", []*ContractLine{m})[0]))
	m.RevokedOn, m.Cycle = 0, CycleYearly
	yearly := invoices(t, "2026-01", []*ContractLine{m})
	require.Len(t, yearly[0].Lines, 13)
	require.Equal(t, []string{"DaVinci Configurator SE - Commit (6 licenses), 2026-02-01 to 2026-02-14: 3000.00", "3000.00"}, shortly(t, invoices(t, "2026-02", []*ContractLine{m})[0]))
}

func TestInvoicesAreGrouped(t *testing.T) {
	m, b := mercedes(t), bmw(t)
	sister := mercedes(t) // a second tenant of the same account
	sister.License, sister.Tenant, sister.Product, sister.ProductName = "lic-vector-mercedes-it-2025-001", "mercedes-it", "canoe", "CANoe"
	unlinked := bmw(t)
	unlinked.License, unlinked.CRMAccount, unlinked.Tenant = "lic-vector-tesla-2025-001", "", "tesla"
	other := mercedes(t)
	other.License, other.Vendor = "lic-ghs-mercedes-2025-001", "greenhills"
	dollars := uses(t, m, "2025-11", 2)
	dollars.Currency = "USD"
	cheaper := uses(t, m, "2025-11", 4)
	cheaper.UnitPrice, cheaper.Minor = 400_00, 1600_00
	adjusted := OverageSum{License: m.License, Month: month(t, "2025-11"), Currency: "EUR", UnitPrice: 500_00, Uses: -1, Minor: -500_00, Adjustment: true}
	goodwill := OverageSum{License: b.License, Month: month(t, "2025-11"), Currency: "EUR", Uses: 0, Minor: -6000_00, Adjustment: true}
	half := adjusted
	half.UnitPrice, half.Uses, half.Minor = 400_00, -1, -400_00
	sums := []OverageSum{goodwill, half, dollars, uses(t, m, "2025-11", 3), adjusted, cheaper, uses(t, m, "2025-11", 1)}
	list := invoices(t, "2025-11", []*ContractLine{sister, unlinked, b, m, other}, sums...)
	require.Len(t, list, 5)
	require.Equal(t, cl.VendorID("greenhills"), list[0].Vendor)
	require.Equal(t, cl.TenantID("tesla"), list[1].Tenant)
	body, err := list[1].AppendWebhook(nil, "x")
	require.NoError(t, err)
	require.Contains(t, string(body), `"crm_account_id":null,"tenant_id":"tesla","line_items"`)
	require.Equal(t, []string{"DaVinci Configurator SE - Commit (5 licenses): 5000.00", "DaVinci Configurator SE - Overage adjustment: -6000.00", "-1000.00"}, shortly(t, list[2]))
	require.Equal(t, KindCreditNote, list[2].Kind)
	require.Equal(t, []string{
		"CANoe - Commit (5 licenses): 5000.00",
		"DaVinci Configurator SE - Commit (5 licenses): 5000.00",
		"DaVinci Configurator SE - Overage (4 checkouts): 1600.00",
		"DaVinci Configurator SE - Overage (4 checkouts): 2000.00",
		"DaVinci Configurator SE - Overage adjustment (-2 checkouts): -900.00",
		"12700.00",
	}, shortly(t, list[3]))
	require.Equal(t, cl.Currency("USD"), list[4].Currency)
	ids := map[InvoiceID]bool{}
	for _, v := range list {
		ids[v.ID] = true
	}
	require.Len(t, ids, 5)

	turned := invoices(t, "2025-11", []*ContractLine{other, m, b, unlinked, sister}, sums[6], sums[5], sums[4], sums[3], sums[2], sums[1], sums[0])
	require.Equal(t, list, turned, "the order of the input does not matter")
}

func TestNoZeroInvoice(t *testing.T) {
	m := mercedes(t)
	m.Prices[0].CommitFeeMonthly = 0
	require.Empty(t, invoices(t, "2025-11", []*ContractLine{m}))
	require.Empty(t, invoices(t, "2025-11", []*ContractLine{m}, uses(t, m, "2025-11", 0)))
	require.Len(t, invoices(t, "2025-11", []*ContractLine{m}, uses(t, m, "2025-11", 1))[0].Lines, 1, "nor a line of a fee of 0")
	back := OverageSum{License: m.License, Month: month(t, "2025-11"), Currency: "EUR", Uses: -1, Minor: -500_00, Adjustment: true}
	nothing := invoices(t, "2025-11", []*ContractLine{m}, uses(t, m, "2025-11", 1), back)
	require.Len(t, nothing, 1, "it is there for what it bills")
	require.Zero(t, nothing[0].Total)
	require.Empty(t, invoices(t, "2026-11", []*ContractLine{mercedes(t)}))
}

func TestVoid(t *testing.T) {
	m := mercedes(t)
	v := invoices(t, "2025-11", []*ContractLine{m}, uses(t, m, "2025-11", 44))[0]
	v.VoidReason = "canceled"
	void, note, err := v.Void()
	require.NoError(t, err)
	require.Equal(t, "canceled", void.VoidReason)
	body, err := note.AppendWebhook(nil, "cloudlicenses.com")
	require.NoError(t, err)
	require.Contains(t, string(body), `{"source":"cloudlicenses.com","voids":"`+string(v.ID)+`","void_reason":"canceled","period":"2025-11",`)
	shown, err := note.AppendJSON(nil)
	require.NoError(t, err)
	require.Contains(t, string(shown), `"voids":"`+string(v.ID)+`","void_reason":"canceled",`)
	require.Equal(t, InvoiceIssued, v.State)
	require.Equal(t, InvoiceVoid, void.State)
	require.Equal(t, v.ID, void.ID)
	require.Equal(t, v.ID, note.Voids)
	require.Equal(t, "void-"+v.ID, note.ID)
	require.Equal(t, KindCreditNote, note.Kind)
	require.Equal(t, []string{
		"DaVinci Configurator SE - Commit (5 licenses): -5000.00",
		"DaVinci Configurator SE - Overage (44 checkouts): -22000.00", "-27000.00",
	}, shortly(t, note))
	require.Equal(t, int64(-44), note.Lines[1].Quantity)
	require.Equal(t, int64(22000_00), v.Lines[1].Amount, "the invoice itself is left alone")
	_, _, err = void.Void()
	require.ErrorIs(t, err, ErrVoid)
	_, _, err = note.Void()
	require.ErrorIs(t, err, ErrMirror)
	credit := note
	credit.Voids = ""
	_, debit, err := credit.Void()
	require.NoError(t, err)
	require.Equal(t, KindInvoice, debit.Kind)
	require.Equal(t, v.Lines, debit.Lines)
	again := v.WithRevision(2)
	require.Equal(t, v.ID+"-r2", again.ID)
	require.Equal(t, v.ID, again.WithRevision(1).ID)
	v.Total = math.MinInt64
	_, _, err = v.Void()
	require.ErrorIs(t, err, ErrOverflow)
}

func TestInvoicesRefused(t *testing.T) {
	m := *mercedes(t)
	november := month(t, "2025-11")
	good := uses(t, &m, "2025-11", 1)
	wrong, late, stray := good, uses(t, &m, "2025-12", 1), good
	wrong.Minor++
	stray.License = "lic-other"
	broken, rich := m, m
	broken.Cycle = "weekly"
	rich.License, rich.Prices = "lic-rich", []Price{{From: m.Start, CommitFeeMonthly: math.MaxInt64}}
	for name, c := range map[string]struct {
		contracts []ContractLine
		sums      []OverageSum
		err       error
	}{
		"bad contract":   {[]ContractLine{broken}, nil, ErrContract},
		"twice":          {[]ContractLine{m, m}, nil, ErrDuplicate},
		"not added up":   {[]ContractLine{m}, []OverageSum{wrong}, ErrRecord},
		"another month":  {[]ContractLine{m}, []OverageSum{late}, ErrPeriod},
		"no contract":    {[]ContractLine{m}, []OverageSum{stray}, ErrContract},
		"past the limit": {[]ContractLine{m, rich}, nil, ErrOverflow},
	} {
		_, err := Invoices(november, c.contracts, c.sums, &Books{From: november})
		require.ErrorIs(t, err, c.err, name)
	}
}

// TestInvoicesBillEverythingOnce: over a contract's life, however it is amended,
// the invoices' totals are the commit fees of what it came to and the overage,
// nothing left out, nothing twice.
func TestInvoicesBillEverythingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyContract(t)
		whole := Range{NewDay(2022, 12, 1), NewDay(2027, 1, 31)}
		var want, billed int64
		books := &Books{From: whole.Start.Month(), Fees: map[cl.LicenseID]map[Month]Mark{c.License: {}}}
		for m := whole.Start.Month(); m <= whole.End.Month(); m++ {
			books.Through = m - 1
			switch rapid.IntRange(0, 9).Draw(t, "amend") {
			case 0:
				c.Cycle = rapid.SampledFrom([]Cycle{CycleMonthly, CycleQuarterly, CycleYearly}).Draw(t, "cycle")
			case 1: // never before what may be billed already
				if m.First() < c.End && c.RevokedOn == 0 {
					c.End = Day(rapid.Int32Range(int32(max(c.Start, m.First())), int32(whole.End)).Draw(t, "newEnd"))
				}
			}
			var sums []OverageSum
			if n := rapid.Int64Range(0, 3).Draw(t, "uses"); n > 0 {
				sums = append(sums, OverageSum{License: c.License, Month: m, Currency: c.Currency, UnitPrice: 7, Uses: n, Minor: 7 * n})
				want += 7 * n
			}
			list, err := Invoices(m, []ContractLine{*c}, sums, books)
			require.NoError(t, err)
			for _, v := range list {
				require.NotZero(t, v.Total)
				var lines int64
				for _, l := range v.Lines {
					lines += l.Amount
					if l.PerUnit {
						require.Equal(t, l.Amount, l.UnitPrice*l.Quantity)
					}
					if l.Fee != 0 {
						books.Fees[c.License][l.Fee] = MarkBilled
					}
				}
				require.Equal(t, v.Total, lines)
				billed += v.Total
			}
		}
		fees, err := CommitFeeTotal(c, whole)
		require.NoError(t, err)
		require.Equal(t, want+fees, billed)
	})
}

// TestBooks: what is billed is not billed again unless it is to be, and what closed
// before the first month that is invoiced by itself, or after the last one, waits
// for its own run.
func TestBooks(t *testing.T) {
	m := mercedes(t)
	november := month(t, "2025-11")
	fees := map[Month]Mark{month(t, "2025-08"): MarkBilled, month(t, "2025-06"): MarkAgain, november: MarkBilled}
	books := &Books{From: month(t, "2025-07"), Through: month(t, "2025-09"), Fees: map[cl.LicenseID]map[Month]Mark{m.License: fees}}
	due := func() (months []string) {
		for _, d := range Due(m, november, books) {
			months = append(months, d.String())
		}
		return months
	}
	require.Equal(t, []string{"2025-06", "2025-07", "2025-09"}, due())
	delete(fees, november)
	require.Equal(t, []string{"2025-06", "2025-07", "2025-09", "2025-11"}, due())
	m.Cycle = CycleYearly
	require.Equal(t, []string{"2025-06"}, due())
	m.End = day(t, "2025-09-30")
	require.Equal(t, []string{"2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06", "2025-07", "2025-09"}, due())

	books.Overage = map[cl.LicenseID]Mark{m.License: MarkBilled}
	m.Start = m.End
	m.Prices[0].From = m.End
	fees[m.Start.Month()], fees[month(t, "2025-06")] = MarkBilled, MarkBilled
	list, err := Invoices(november, []ContractLine{*m}, []OverageSum{uses(t, m, "2025-11", 2)}, books)
	require.NoError(t, err)
	require.Empty(t, list)
	books.Overage[m.License] = MarkAgain
	list, err = Invoices(november, []ContractLine{*m}, []OverageSum{uses(t, m, "2025-11", 2)}, books)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, list[0].ID+"-p2-r3", list[0].WithPart(2).WithRevision(3).ID)
}

// TestLongInvoiceInParts: an invoice of very many lines comes in parts, the lines
// of one month of a license together.
func TestLongInvoiceInParts(t *testing.T) {
	m, november := mercedes(t), month(t, "2025-11")
	m.Start, m.End = (november - cl.MaxInvoiceLines + 1).First(), november.Last()
	m.Prices[0].From = m.Start
	m.Prices = append(m.Prices, Price{From: day(t, "2025-11-16"), CommitFeeMonthly: 4000_00, CommitQty: 4})
	list, err := Invoices(november, []ContractLine{*m}, nil, &Books{From: m.Start.Month(), Through: november - 1})
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Len(t, list[0].Lines, cl.MaxInvoiceLines-1)
	require.EqualValues(t, (cl.MaxInvoiceLines-1)*5000_00, list[0].Total)
	require.Len(t, list[1].Lines, 2, "both prices of November")
	require.EqualValues(t, 4500_00, list[1].Total)
	require.Equal(t, list[0].ID+"-p2", list[1].ID)

	m.ProductName = strings.Repeat("<", 300)
	list, err = Invoices(november, []ContractLine{*m}, nil, &Books{From: m.Start.Month(), Through: november - 1})
	require.NoError(t, err)
	require.Greater(t, len(list), 5)
	lines := 0
	for _, v := range list {
		body, err := v.AppendWebhook(nil, "cloudlicenses.com")
		require.NoError(t, err)
		kept, err := json.Marshal(json.RawMessage(body)) // escaped once more
		require.NoError(t, err)
		require.Less(t, len(kept), 50<<10)
		lines += len(v.Lines)
	}
	require.Equal(t, cl.MaxInvoiceLines+1, lines)

	var sums []OverageSum
	for price := range int64(cl.MaxInvoiceLines) + 1 {
		sums = append(sums, OverageSum{License: m.License, Month: november, Currency: "EUR", UnitPrice: price, Uses: 1, Minor: price})
	}
	_, err = Invoices(november, []ContractLine{*m}, sums, &Books{From: november})
	require.ErrorIs(t, err, ErrContract)
}
