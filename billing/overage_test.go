package billing

import (
	"errors"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

func records(list ...OverageRecord) iter.Seq2[OverageRecord, error] {
	return func(yield func(OverageRecord, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestSumOverage(t *testing.T) {
	at := func(text string) int64 {
		moment, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return moment.UnixMilli()
	}
	const a, b = cl.LicenseID("lic-a"), cl.LicenseID("lic-b")
	list := []OverageRecord{
		{License: b, Sequence: 1, AtMillis: at("2025-11-01T00:00:00Z"), Currency: "EUR", UnitPrice: 500_00, Uses: 1, Minor: 500_00},
		{License: a, Sequence: 2, AtMillis: at("2025-10-31T23:59:59.999Z"), Currency: "EUR", UnitPrice: 500_00, Uses: 7, Minor: 3500_00},
		{License: a, Sequence: 3, AtMillis: at("2025-11-30T23:59:59.999Z"), Currency: "EUR", UnitPrice: 500_00, Uses: 2, Minor: 1000_00},
		{License: a, Sequence: 4, AtMillis: at("2025-11-30T12:00:00Z"), Currency: "EUR", UnitPrice: 400_00, Uses: 3, Minor: 1200_00},
		{License: a, Sequence: 5, AtMillis: at("2025-11-15T12:00:00Z"), Currency: "EUR", UnitPrice: 500_00, Uses: 1, Minor: 500_00},
		{License: a, Sequence: 6, Adjusts: 3, AtMillis: at("2025-11-16T12:00:00Z"), Currency: "EUR", UnitPrice: 500_00, Uses: -1, Minor: -500_00},
		{License: a, Sequence: 7, Adjusts: 4, AtMillis: at("2025-11-16T12:00:00Z"), Currency: "EUR", UnitPrice: 500_00, Uses: 0, Minor: -17},
		{License: a, Sequence: 8, AtMillis: at("2025-12-01T00:00:00Z"), Currency: "EUR", UnitPrice: 500_00, Uses: 9, Minor: 4500_00},
		{License: a, Sequence: 9, AtMillis: at("2025-11-16T12:00:00Z"), Currency: "JPY", UnitPrice: 10, Uses: 1, Minor: 10},
	}
	sums, err := SumOverage(records(list...), month(t, "2025-11").Days())
	require.NoError(t, err)
	m := month(t, "2025-11")
	require.Equal(t, []OverageSum{
		{License: a, Month: m, Currency: "EUR", UnitPrice: 400_00, Uses: 3, Minor: 1200_00},
		{License: a, Month: m, Currency: "EUR", UnitPrice: 500_00, Uses: 3, Minor: 1500_00},
		{License: a, Month: m, Currency: "EUR", UnitPrice: 500_00, Uses: -1, Minor: -500_17, Adjustment: true},
		{License: a, Month: m, Currency: "JPY", UnitPrice: 10, Uses: 1, Minor: 10},
		{License: b, Month: m, Currency: "EUR", UnitPrice: 500_00, Uses: 1, Minor: 500_00},
	}, sums)
}

func TestRecordsRefused(t *testing.T) {
	good := OverageRecord{License: "l", Sequence: 2, AtMillis: NewDay(2025, 11, 5).date().UnixMilli(), Currency: "EUR", UnitPrice: 5, Uses: 2, Minor: 10}
	for name, c := range map[string]struct {
		change func(*OverageRecord)
		err    error
	}{
		"does not add up":     {func(r *OverageRecord) { r.Minor++ }, ErrRecord},
		"negative uses":       {func(r *OverageRecord) { r.Uses, r.Minor = -2, -10 }, ErrRecord},
		"no license":          {func(r *OverageRecord) { r.License = "" }, ErrRecord},
		"no day":              {func(r *OverageRecord) { r.AtMillis = math.MaxInt64 }, ErrRecord},
		"adjusts itself":      {func(r *OverageRecord) { r.Adjusts = 2 }, ErrRecord},
		"unknown currency":    {func(r *OverageRecord) { r.Currency = "XXX" }, cl.ErrCurrency},
		"price × uses is big": {func(r *OverageRecord) { r.UnitPrice, r.Uses, r.Minor = math.MaxInt64, 2, math.MaxInt64 }, ErrOverflow},
	} {
		r := good
		c.change(&r)
		_, err := SumOverage(records(good, r), month(t, "2025-11").Days())
		require.ErrorIs(t, err, c.err, name)
	}
	big := good
	big.UnitPrice, big.Uses, big.Minor = math.MaxInt64, 1, math.MaxInt64
	_, err := SumOverage(records(big, big), month(t, "2025-11").Days())
	require.ErrorIs(t, err, ErrOverflow, "the sum never wraps")
	_, err = SumOverage(records(), Range{})
	require.ErrorIs(t, err, ErrRange)
	broken := errors.New("disk")
	_, err = SumOverage(func(yield func(OverageRecord, error) bool) { yield(OverageRecord{}, broken) }, month(t, "2025-11").Days())
	require.ErrorIs(t, err, broken)
}

// anyRecords draws records of a few licenses over three months of 2025.
func anyRecords(t *rapid.T) []OverageRecord {
	start := NewDay(2025, 9, 1).date().UnixMilli()
	end := NewDay(2025, 12, 1).date().UnixMilli() - 1
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) OverageRecord {
		r := OverageRecord{
			License:   rapid.SampledFrom([]cl.LicenseID{"lic-a", "lic-b", "lic-c"}).Draw(t, "license"),
			Sequence:  10,
			AtMillis:  rapid.Int64Range(start, end).Draw(t, "at"),
			Currency:  rapid.SampledFrom([]cl.Currency{"EUR", "JPY", "BHD"}).Draw(t, "currency"),
			UnitPrice: rapid.Int64Range(0, 1e9).Draw(t, "price"),
			Uses:      rapid.Int64Range(0, 1000).Draw(t, "uses"),
		}
		r.Minor = r.Uses * r.UnitPrice
		if rapid.IntRange(0, 4).Draw(t, "adjusts") == 0 {
			r.Adjusts, r.Uses, r.Minor = 1, rapid.Int64Range(-5, 5).Draw(t, "uses"), rapid.Int64Range(-1e9, 1e9).Draw(t, "minor")
		}
		return r
	}), 0, 40).Draw(t, "records")
}

// TestSplittingPeriodKeepsOverage: the sums of two adjoining ranges are those
// of both, and all of them are those of the records, to the minor unit.
func TestSplittingPeriodKeepsOverage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := anyRecords(t)
		whole := Range{NewDay(2025, 9, 1), NewDay(2025, 11, 30)}
		cut := Day(rapid.Int32Range(int32(whole.Start), int32(whole.End)-1).Draw(t, "cut"))
		count := func(within Range) (uses int64, totals tally) {
			sums, err := SumOverage(records(list...), within)
			require.NoError(t, err)
			for _, s := range sums {
				uses += s.Uses
				require.NoError(t, totals.add(s.Currency, s.Minor))
			}
			return uses, totals
		}
		allUses, all := count(whole)
		leftUses, parts := count(Range{whole.Start, cut})
		rightUses, right := count(Range{cut + 1, whole.End})
		for _, sum := range right {
			require.NoError(t, parts.add(sum.Currency, sum.Minor))
		}
		require.Equal(t, allUses, leftUses+rightUses)
		require.Equal(t, all, parts)

		var exact tally
		for _, r := range list {
			require.NoError(t, exact.add(r.Currency, r.Minor))
		}
		require.Equal(t, exact, all)
	})
}
