package billing

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

func day(t testing.TB, text string) Day {
	t.Helper()
	d, err := ParseDay(text)
	require.NoError(t, err)
	return d
}

func month(t testing.TB, text string) Month {
	t.Helper()
	m, err := ParseMonth(text)
	require.NoError(t, err)
	return m
}

func period(t testing.TB, start, end string) Range {
	t.Helper()
	r, err := ParseRange(start, end)
	require.NoError(t, err)
	return r
}

// mercedes is the seed's license: 5 committed seats at EUR 5000.00 a month,
// EUR 500.00 a use.
func mercedes(t testing.TB) *ContractLine {
	return &ContractLine{
		License: "lic-vector-mercedes-2025-001", Vendor: "vector-de", VendorName: "Vector Informatik GmbH",
		Tenant: "mercedes", CRMAccount: "ACC-98765", CustomerName: "Mercedes-Benz AG",
		Product: "davinci-configurator-se", ProductName: "DaVinci Configurator SE", Currency: "EUR",
		Prices: []Price{{From: day(t, "2025-01-01"), CommitFeeMonthly: 5000_00, OveragePerUse: 500_00, CommitQty: 5}},
		Start:  day(t, "2025-01-01"), End: day(t, "2025-12-31"), Cycle: CycleMonthly,
	}
}

func bmw(t testing.TB) *ContractLine {
	c := mercedes(t)
	c.License, c.Tenant, c.CRMAccount, c.CustomerName = "lic-vector-bmw-2025-001", "bmw", "ACC-54321", "BMW AG"
	return c
}

// uses is a sum of so many uses at the contract's last price.
func uses(t testing.TB, c *ContractLine, monthText string, n int64) OverageSum {
	price := c.Prices[len(c.Prices)-1].OveragePerUse
	return OverageSum{License: c.License, Month: month(t, monthText), Currency: c.Currency, UnitPrice: price, Uses: n, Minor: n * price}
}

// roundedHalfAway is the rule in exact rational arithmetic.
func roundedHalfAway(amount int64, numerator, denominator uint64) *big.Int {
	a, d := big.NewInt(amount), new(big.Int).SetUint64(denominator)
	a.Mul(a, new(big.Int).SetUint64(numerator))
	negative := a.Sign() < 0
	a.Abs(a).Lsh(a, 1).Add(a, d).Quo(a, d.Lsh(d, 1))
	if negative {
		a.Neg(a)
	}
	return a
}

// anyContract draws a valid contract of one tenant in the years 2023 to 2026.
func anyContract(t *rapid.T) *ContractLine {
	from, to := NewDay(2023, 1, 1), NewDay(2026, 12, 31)
	start := Day(rapid.Int32Range(int32(from), int32(to)).Draw(t, "start"))
	c := &ContractLine{
		License: "lic-1", Vendor: "v", Tenant: "t", Product: "p", Currency: rapid.SampledFrom([]cl.Currency{"EUR", "JPY", "BHD"}).Draw(t, "currency"),
		Start: start, End: Day(rapid.Int32Range(int32(start), int32(to)).Draw(t, "end")),
		Cycle: rapid.SampledFrom([]Cycle{CycleMonthly, CycleQuarterly, CycleYearly}).Draw(t, "cycle"),
	}
	if rapid.Bool().Draw(t, "revoked") {
		c.RevokedOn = Day(rapid.Int32Range(int32(start), int32(to)).Draw(t, "revokedOn"))
	}
	for at := start; at <= c.End && len(c.Prices) < 6; at += Day(rapid.Int32Range(1, 120).Draw(t, "later")) {
		c.Prices = append(c.Prices, Price{
			From: at, CommitFeeMonthly: rapid.Int64Range(0, 1e12).Draw(t, "fee"), CommitQty: rapid.Int64Range(0, 3).Draw(t, "qty"),
		})
	}
	return c
}
