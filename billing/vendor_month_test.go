package billing

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVendorTotals: a month's commit fee counts once, however many prices its
// overage had, corrections are taken off, and currencies stay apart.
func TestVendorTotals(t *testing.T) {
	m, b, yen := mercedes(t), bmw(t), mercedes(t)
	yen.License, yen.Currency, yen.Prices[0].CommitFeeMonthly = "lic-vector-toyota-2025-001", "JPY", 120_000
	november := month(t, "2025-11")
	back := OverageSum{License: m.License, Month: november, Currency: "EUR", Uses: -4, Minor: -2000_00, Adjustment: true}
	later := uses(t, m, "2025-11", 2)
	later.UnitPrice, later.Minor = 600_00, 1200_00
	got, err := VendorTotals(november, []Charge{{m, uses(t, m, "2025-11", 44)}, {m, later}, {m, back}, {b, OverageSum{License: b.License, Month: november, Currency: b.Currency}}, {yen, uses(t, yen, "2025-11", 1)}})
	require.NoError(t, err)
	fees, err := CommitFeeTotal(m, november.Days())
	require.NoError(t, err)
	others, err := CommitFeeTotal(b, november.Days())
	require.NoError(t, err)
	const overage = 44*500_00 + 1200_00 - 2000_00
	require.Equal(t, []CostTotal{
		{Currency: "EUR", CommitFee: fees + others, OverageCost: overage, Total: fees + others + overage},
		{Currency: "JPY", CommitFee: 120_000, OverageCost: uses(t, yen, "2025-11", 1).Minor, Total: 120_000 + uses(t, yen, "2025-11", 1).Minor},
	}, got)

	none, err := VendorTotals(november, nil)
	require.NoError(t, err)
	require.Empty(t, none)

	large := uses(t, m, "2025-11", 1)
	large.Minor = math.MaxInt64
	_, err = VendorTotals(november, []Charge{{m, large}})
	require.ErrorIs(t, err, ErrOverflow)
}
