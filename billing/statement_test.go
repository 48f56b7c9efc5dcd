package billing

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

func TestRevenueShare(t *testing.T) {
	m := mercedes(t)
	odd := uses(t, m, "2025-11", 1)
	odd.UnitPrice, odd.Minor = 20, 20 // 2.5 % of 0.20 is half a cent
	back := OverageSum{License: m.License, Month: month(t, "2025-12"), Currency: "EUR", Uses: -1, Minor: -20, Adjustment: true}
	yen := uses(t, m, "2025-11", 3)
	yen.Currency, yen.UnitPrice, yen.Minor = "JPY", 1200, 3600
	rates := map[cl.VendorID]BasisPoints{"vector-de": 250, "greenhills": 500}
	got, err := RevenueShare(rates, []VendorSum{
		{"vector-de", back}, {"vector-de", uses(t, m, "2025-11", 44)}, {"vector-de", odd}, {"greenhills", yen}, {"vector-de", uses(t, m, "2025-11", 12)},
	})
	require.NoError(t, err)
	require.Equal(t, ShareStatement{
		Lines: []ShareLine{
			{"greenhills", month(t, "2025-11"), "JPY", 3600, 500, 180},
			{"vector-de", month(t, "2025-11"), "EUR", 28000_20, 250, 700_01},
			{"vector-de", month(t, "2025-12"), "EUR", -20, 250, -1},
		},
		Totals: []CurrencyTotal{{"EUR", 700_00}, {"JPY", 180}},
	}, got)
	for _, rate := range []BasisPoints{0, 199, 501, -250} {
		_, err := RevenueShare(map[cl.VendorID]BasisPoints{"vector-de": rate}, []VendorSum{{"vector-de", yen}})
		require.ErrorIs(t, err, ErrShare)
	}
	large := uses(t, m, "2025-11", 1)
	large.UnitPrice, large.Minor = math.MaxInt64, math.MaxInt64
	got, err = RevenueShare(rates, []VendorSum{{"vector-de", large}})
	require.NoError(t, err, "128 bits between")
	require.Equal(t, int64(230584300921369395), got.Totals[0].Minor)
	broken := large
	broken.Minor--
	for name, sums := range map[string][]OverageSum{"past the limit": {large, large}, "not added up": {broken}} {
		all := []VendorSum{{"greenhills", yen}}
		for _, sum := range sums {
			all = append(all, VendorSum{"vector-de", sum})
		}
		got, err = RevenueShare(rates, all)
		require.NoError(t, err, name)
		require.Equal(t, []cl.VendorID{"vector-de"}, got.Failed, name)
		require.Equal(t, []ShareLine{{"greenhills", month(t, "2025-11"), "JPY", 3600, 500, 180}}, got.Lines, name)
		require.Equal(t, []CurrencyTotal{{"JPY", 180}}, got.Totals, name)
	}
	rates, all := map[cl.VendorID]BasisPoints{}, []VendorSum{}
	for _, vendor := range []cl.VendorID{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u"} {
		rates[vendor], all = 500, append(all, VendorSum{vendor, large})
	}
	got, err = RevenueShare(rates, all)
	require.NoError(t, err)
	require.Equal(t, []cl.VendorID{"u"}, got.Failed, "no total past the limit")
}

func TestPlanFees(t *testing.T) {
	span := func(from string, plan cl.Plan, fee int64) PlanSpan { return PlanSpan{day(t, from), plan, fee} }
	type line struct {
		days  string
		minor int64
	}
	for name, c := range map[string]struct {
		spans []PlanSpan
		ended string
		month string
		want  []line
		total int64
	}{
		"free":              {[]PlanSpan{span("2025-01-01", cl.PlanFree, 0)}, "", "2025-11", []line{{"2025-11-01 to 2025-11-30", 0}}, 0},
		"startup":           {[]PlanSpan{span("2025-01-01", cl.PlanStartup, 0)}, "", "2025-11", []line{{"2025-11-01 to 2025-11-30", 49_00}}, 49_00},
		"enterprise":        {[]PlanSpan{span("2025-01-01", cl.PlanEnterprise, 1234_56)}, "", "2025-11", []line{{"2025-11-01 to 2025-11-30", 1234_56}}, 1234_56},
		"upgrade":           {[]PlanSpan{span("2025-01-01", cl.PlanStartup, 0), span("2025-11-11", cl.PlanProfessional, 0)}, "", "2025-11", []line{{"2025-11-01 to 2025-11-10", 16_33}, {"2025-11-11 to 2025-11-30", 132_67}}, 149_00},
		"signed up":         {[]PlanSpan{span("2024-02-29", cl.PlanStartup, 0)}, "", "2024-02", []line{{"2024-02-29", 1_69}}, 1_69},
		"left":              {[]PlanSpan{span("2024-01-01", cl.PlanStartup, 0)}, "2025-02-14", "2025-02", []line{{"2025-02-01 to 2025-02-14", 24_50}}, 24_50},
		"left before":       {[]PlanSpan{span("2024-01-01", cl.PlanStartup, 0), span("2025-02-20", cl.PlanProfessional, 0)}, "2025-02-14", "2025-02", []line{{"2025-02-01 to 2025-02-14", 24_50}}, 24_50},
		"gone":              {[]PlanSpan{span("2024-01-01", cl.PlanStartup, 0)}, "2025-02-14", "2025-03", nil, 0},
		"not yet there":     {[]PlanSpan{span("2026-01-01", cl.PlanStartup, 0)}, "", "2025-03", nil, 0},
		"the same again":    {[]PlanSpan{span("2025-01-01", cl.PlanStartup, 0), span("2025-11-08", cl.PlanStartup, 0)}, "", "2025-11", []line{{"2025-11-01 to 2025-11-30", 49_00}}, 49_00},
		"changed elsewhere": {[]PlanSpan{span("2025-01-01", cl.PlanFree, 0), span("2025-11-01", cl.PlanStartup, 0), span("2025-12-01", cl.PlanFree, 0)}, "", "2025-11", []line{{"2025-11-01 to 2025-11-30", 49_00}}, 49_00},
	} {
		ended := Day(0)
		if c.ended != "" {
			ended = day(t, c.ended)
		}
		got, err := PlanFees("mercedes", month(t, c.month), c.spans, ended)
		require.NoError(t, err, name)
		var lines []line
		for _, l := range got.Lines {
			lines = append(lines, line{l.Days.String(), l.Minor})
		}
		require.Equal(t, c.want, lines, name)
		require.Equal(t, c.total, got.Total, name)
	}
	for name, spans := range map[string][]PlanSpan{
		"unknown plan":    {span("2025-01-01", "gold", 0)},
		"negative fee":    {span("2025-01-01", cl.PlanEnterprise, -1)},
		"fee of its own":  {span("2025-01-01", cl.PlanStartup, 1)},
		"not in order":    {span("2025-01-02", cl.PlanFree, 0), span("2025-01-01", cl.PlanStartup, 0)},
		"twice one day":   {span("2025-01-02", cl.PlanFree, 0), span("2025-01-02", cl.PlanStartup, 0)},
		"later one wrong": {span("2025-01-01", cl.PlanFree, 0), span("2027-01-01", "gold", 0)},
	} {
		_, err := PlanFees("mercedes", month(t, "2025-11"), spans, 0)
		require.ErrorIs(t, err, ErrPlan, name)
	}
	two := []PlanSpan{span("2025-01-01", cl.PlanEnterprise, math.MaxInt64), span("2025-11-30", cl.PlanEnterprise, math.MaxInt64-1)}
	_, err := PlanFees("mercedes", month(t, "2025-11"), two, 0)
	require.NoError(t, err)
}

// TestPlanDaysAreBilledOnce: whatever the changes, a month's lines cover each
// of the tenant's days once.
func TestPlanDaysAreBilledOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMonth(2024, 1) + Month(rapid.Int32Range(0, 23).Draw(t, "month"))
		var spans []PlanSpan
		for d := m.First() - 40 + Day(rapid.Int32Range(0, 80).Draw(t, "begun")); len(spans) < 8; d += Day(rapid.Int32Range(1, 20).Draw(t, "later")) {
			spans = append(spans, PlanSpan{From: d, Plan: rapid.SampledFrom([]cl.Plan{cl.PlanFree, cl.PlanStartup, cl.PlanProfessional}).Draw(t, "plan")})
		}
		got, err := PlanFees("t", m, spans, 0)
		require.NoError(t, err)
		next := max(spans[0].From, m.First())
		for _, l := range got.Lines {
			require.Equal(t, next, l.Days.Start)
			next = l.Days.End + 1
		}
		require.Equal(t, max(spans[0].From, m.Last()+1), next)
	})
}

func TestTenantCosts(t *testing.T) {
	m := mercedes(t)
	m.Cycle = CycleYearly
	canoe := mercedes(t)
	canoe.License, canoe.Product, canoe.ProductName, canoe.SuspendedOn = "lic-vector-mercedes-2025-002", "canoe", "CANoe", day(t, "2025-11-20")
	canoe.Prices = append(canoe.Prices, Price{From: day(t, "2025-11-16"), CommitFeeMonthly: 7000_00, CommitQty: 7})
	multi := mercedes(t)
	multi.License, multi.Vendor, multi.VendorName, multi.Currency = "lic-ghs-mercedes-2025-001", "greenhills", "Green Hills", "JPY"
	over := mercedes(t)
	over.License, over.End = "lic-vector-mercedes-2024-009", day(t, "2025-10-31")
	back := OverageSum{License: m.License, Month: month(t, "2025-11"), Currency: "EUR", Uses: -4, Minor: -2000_00, Adjustment: true}
	got, err := TenantCosts("mercedes", month(t, "2025-11"), []ContractLine{*m, *over, *canoe, *multi}, []OverageSum{back, uses(t, m, "2025-11", 48)})
	require.NoError(t, err)
	body, err := got.AppendJSON(nil)
	require.NoError(t, err)
	require.Equal(t, golden(t, "costs.json"), pretty(t, body)+"\n")

	none, err := TenantCosts("mercedes", month(t, "2025-11"), nil, nil)
	require.NoError(t, err)
	body, err = none.AppendJSON(nil)
	require.NoError(t, err)
	require.Equal(t, `{"period":"2025-11","vendors":[],"totals":[]}`, string(body))
}

func TestTenantCostsRefused(t *testing.T) {
	m := *mercedes(t)
	good := uses(t, &m, "2025-11", 1)
	large, wrong, stray := good, good, good
	large.UnitPrice, large.Minor = math.MaxInt64, math.MaxInt64
	wrong.Minor++
	stray.License = "lic-other"
	for name, c := range map[string]struct {
		tenant    cl.TenantID
		contracts []ContractLine
		sums      []OverageSum
		err       error
	}{
		"another tenant's": {"bmw", []ContractLine{m}, nil, ErrContract},
		"twice":            {"mercedes", []ContractLine{m, m}, nil, ErrDuplicate},
		"no contract":      {"mercedes", []ContractLine{m}, []OverageSum{stray}, ErrContract},
		"another month":    {"mercedes", []ContractLine{m}, []OverageSum{uses(t, &m, "2025-10", 1)}, ErrPeriod},
		"not added up":     {"mercedes", []ContractLine{m}, []OverageSum{wrong}, ErrRecord},
		"past the limit":   {"mercedes", []ContractLine{m}, []OverageSum{large}, ErrOverflow},
		"cost past it":     {"mercedes", []ContractLine{m}, []OverageSum{large, good}, ErrOverflow},
	} {
		_, err := TenantCosts(c.tenant, month(t, "2025-11"), c.contracts, c.sums)
		require.ErrorIs(t, err, c.err, name)
	}
}
