package billing

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

func TestCommitFees(t *testing.T) {
	type line struct {
		days  string
		minor int64
	}
	amended := func(c *ContractLine, from string, fee, perUse, qty int64) {
		c.Prices = append(c.Prices, Price{From: day(t, from), CommitFeeMonthly: fee, OveragePerUse: perUse, CommitQty: qty})
	}
	for name, c := range map[string]struct {
		change func(*ContractLine)
		month  string
		want   []line
	}{
		"a whole month":        {func(*ContractLine) {}, "2025-11", []line{{"2025-11-01 to 2025-11-30", 5000_00}}},
		"before the contract":  {func(*ContractLine) {}, "2024-12", nil},
		"after the contract":   {func(*ContractLine) {}, "2026-01", nil},
		"begins in the month":  {func(c *ContractLine) { c.Start = day(t, "2025-11-10") }, "2025-11", []line{{"2025-11-10 to 2025-11-30", 3500_00}}},
		"ends in the month":    {func(c *ContractLine) { c.End = day(t, "2025-12-01") }, "2025-12", []line{{"2025-12-01", 161_29}}},
		"leap day alone":       {func(c *ContractLine) { c.Start, c.End = day(t, "2024-02-29"), day(t, "2024-02-29") }, "2024-02", []line{{"2024-02-29", 172_41}}},
		"last of February":     {func(c *ContractLine) { c.Start = day(t, "2025-02-28") }, "2025-02", []line{{"2025-02-28", 178_57}}},
		"leap February whole":  {func(c *ContractLine) { c.Start = day(t, "2024-01-15") }, "2024-02", []line{{"2024-02-01 to 2024-02-29", 5000_00}}},
		"revoked":              {func(c *ContractLine) { c.RevokedOn = day(t, "2025-11-15") }, "2025-11", []line{{"2025-11-01 to 2025-11-15", 2500_00}}},
		"after a revocation":   {func(c *ContractLine) { c.RevokedOn = day(t, "2025-11-15") }, "2025-12", nil},
		"revoked past the end": {func(c *ContractLine) { c.RevokedOn = day(t, "2026-03-15") }, "2026-01", nil},
		"revoked before":       {func(c *ContractLine) { c.RevokedOn = day(t, "2024-11-15") }, "2025-01", nil},
		"suspended all month":  {func(c *ContractLine) { c.SuspendedOn = day(t, "2025-10-15") }, "2025-11", []line{{"2025-11-01 to 2025-11-30", 5000_00}}},
		"amended within": {func(c *ContractLine) { amended(c, "2025-11-16", 6000_00, 500_00, 6) }, "2025-11", []line{
			{"2025-11-01 to 2025-11-15", 2500_00}, {"2025-11-16 to 2025-11-30", 3000_00},
		}},
		"amended on the first":   {func(c *ContractLine) { amended(c, "2025-11-01", 6000_00, 500_00, 5) }, "2025-11", []line{{"2025-11-01 to 2025-11-30", 6000_00}}},
		"amended, overage alone": {func(c *ContractLine) { amended(c, "2025-11-16", 5000_00, 400_00, 5) }, "2025-11", []line{{"2025-11-01 to 2025-11-30", 5000_00}}},
		"amended past the end":   {func(c *ContractLine) { amended(c, "2026-11-16", 1, 1, 1) }, "2025-11", []line{{"2025-11-01 to 2025-11-30", 5000_00}}},
		"yen have no decimals": {func(c *ContractLine) {
			c.Currency, c.Prices[0].CommitFeeMonthly, c.Start = "JPY", 100, day(t, "2025-11-27")
		}, "2025-11", []line{{"2025-11-27 to 2025-11-30", 13}}},
		"half a yen, away from 0": {func(c *ContractLine) {
			c.Currency, c.Prices[0].CommitFeeMonthly, c.Start = "JPY", 15, day(t, "2025-11-30")
		}, "2025-11", []line{{"2025-11-30", 1}}},
		"dinars have three": {func(c *ContractLine) {
			c.Currency, c.Prices[0].CommitFeeMonthly, c.Start = "BHD", 1_000, day(t, "2025-12-31")
		}, "2025-12", []line{{"2025-12-31", 32}}},
		"the largest fee":          {func(c *ContractLine) { c.Prices[0].CommitFeeMonthly = math.MaxInt64 }, "2025-11", []line{{"2025-11-01 to 2025-11-30", math.MaxInt64}}},
		"the largest fee's thirds": {func(c *ContractLine) { c.Prices[0].CommitFeeMonthly, c.End = math.MaxInt64, day(t, "2025-11-10") }, "2025-11", []line{{"2025-11-01 to 2025-11-10", 3074457345618258602}}},
	} {
		t.Run(name, func(t *testing.T) {
			contract := mercedes(t)
			c.change(contract)
			if contract.Prices[0].From > contract.Start {
				contract.Prices[0].From = contract.Start
			}
			fees, err := CommitFees(contract, month(t, c.month))
			require.NoError(t, err)
			var got []line
			for _, f := range fees {
				require.Equal(t, c.month, f.Month.String())
				got = append(got, line{f.Days.String(), f.Minor})
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestContractRefused(t *testing.T) {
	for name, change := range map[string]func(*ContractLine){
		"no license":       func(c *ContractLine) { c.License = "" },
		"no tenant":        func(c *ContractLine) { c.Tenant = "" },
		"ends first":       func(c *ContractLine) { c.End = c.Start - 1 },
		"no days":          func(c *ContractLine) { c.Start = 0 },
		"no cycle":         func(c *ContractLine) { c.Cycle = "weekly" },
		"no price":         func(c *ContractLine) { c.Prices = nil },
		"price too late":   func(c *ContractLine) { c.Prices[0].From++ },
		"negative fee":     func(c *ContractLine) { c.Prices[0].CommitFeeMonthly = -1 },
		"negative price":   func(c *ContractLine) { c.Prices[0].OveragePerUse = -1 },
		"prices unordered": func(c *ContractLine) { c.Prices = append(c.Prices, c.Prices[0]) },
	} {
		c := mercedes(t)
		change(c)
		_, err := CommitFees(c, month(t, "2025-11"))
		require.ErrorIs(t, err, ErrContract, name)
	}
	c := mercedes(t)
	c.Currency = "XXX"
	_, err := CommitFeeTotal(c, month(t, "2025-11").Days())
	require.ErrorIs(t, err, cl.ErrCurrency)

	c = mercedes(t)
	c.Prices[0].CommitFeeMonthly = math.MaxInt64
	_, err = CommitFeeTotal(c, period(t, "2025-10-01", "2025-11-30"))
	require.ErrorIs(t, err, ErrOverflow)
}

// TestProRataPartsAddUp: however a month is cut into prices of one fee, the
// lines differ from the whole by no more than half a minor unit each.
func TestProRataPartsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fee := rapid.Int64Range(0, math.MaxInt64/2).Draw(t, "fee")
		m := NewMonth(rapid.IntRange(2023, 2028).Draw(t, "year"), 1) + Month(rapid.Int32Range(0, 11).Draw(t, "month"))
		c := &ContractLine{License: "l", Vendor: "v", Tenant: "t", Product: "p", Currency: "EUR", Start: m.First(), End: m.Last(), Cycle: CycleMonthly}
		qty := int64(0)
		for d := m.First(); d <= m.Last(); d += Day(rapid.Int32Range(1, 31).Draw(t, "days")) {
			c.Prices = append(c.Prices, Price{From: d, CommitFeeMonthly: fee, CommitQty: qty})
			qty++ // another quantity is another line
		}
		fees, err := CommitFees(c, m)
		require.NoError(t, err)
		require.Len(t, fees, len(c.Prices))
		sum, days := int64(0), int64(0)
		for _, f := range fees {
			sum += f.Minor
			days += f.Days.Count()
		}
		require.Equal(t, m.Days().Count(), days)
		require.LessOrEqual(t, 2*max(sum-fee, fee-sum), int64(len(fees)))
	})
}

// TestSplittingPeriodKeepsCommitFee: the fees of two adjoining ranges are those
// of both together, and the invoices' due months hold every month once.
func TestSplittingPeriodKeepsCommitFee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyContract(t)
		whole := Range{NewDay(2022, 12, 1), NewDay(2027, 1, 31)}
		cut := Day(rapid.Int32Range(int32(whole.Start), int32(whole.End)-1).Draw(t, "cut"))
		all, err := CommitFeeTotal(c, whole)
		require.NoError(t, err)
		left, err := CommitFeeTotal(c, Range{whole.Start, cut})
		require.NoError(t, err)
		right, err := CommitFeeTotal(c, Range{cut + 1, whole.End})
		require.NoError(t, err)
		require.Equal(t, all, left+right)

		var billed int64
		next := c.Start.Month()
		for m := whole.Start.Month(); m <= whole.End.Month(); m++ {
			months := Due(c, m, &Books{From: m})
			if len(months) == 0 {
				continue
			}
			require.Equal(t, next, months[0], "no month twice, none left out")
			require.Equal(t, m, months[len(months)-1])
			next = m + 1
			fee, err := CommitFeeTotal(c, Range{months[0].First(), m.Last()})
			require.NoError(t, err)
			billed += fee
		}
		require.Equal(t, all, billed)
	})
}

// TestMonthBelongsToItsLastDay: a range holds the fees of the months that end
// in it.
func TestMonthBelongsToItsLastDay(t *testing.T) {
	c := mercedes(t)
	c.Prices = append(c.Prices, Price{From: day(t, "2025-11-01"), CommitFeeMonthly: 7000_00})
	for within, want := range map[Range]int64{
		period(t, "2025-10-16", "2025-11-15"): 5000_00,
		period(t, "2025-11-01", "2025-11-29"): 0,
		period(t, "2025-11-30", "2025-11-30"): 7000_00,
		period(t, "2025-01-01", "2026-12-31"): 10*5000_00 + 2*7000_00,
		period(t, "2026-01-01", "2026-12-31"): 0,
	} {
		got, err := CommitFeeTotal(c, within)
		require.NoError(t, err)
		require.Equal(t, want, got, "%s", within)
	}
}

func TestDue(t *testing.T) {
	c := mercedes(t)
	c.Start, c.Prices[0].From = day(t, "2025-02-15"), day(t, "2025-02-15")
	c.End = day(t, "2026-05-14")
	due := func(cycle Cycle) (months []string) {
		c.Cycle = cycle
		for m := month(t, "2025-01"); m <= month(t, "2026-07"); m++ {
			if due := Due(c, m, &Books{From: m}); len(due) > 0 {
				months = append(months, due[0].String()+".."+m.String()[5:])
			}
		}
		return months
	}
	require.Equal(t, []string{"2025-02..04", "2025-05..07", "2025-08..10", "2025-11..01", "2026-02..04", "2026-05..05"}, due(CycleQuarterly))
	require.Equal(t, []string{"2025-02..01", "2026-02..05"}, due(CycleYearly))
	require.Len(t, due(CycleMonthly), 16)
	c.RevokedOn = day(t, "2025-06-01")
	require.Equal(t, []string{"2025-02..04", "2025-05..06"}, due(CycleQuarterly))
	c.RevokedOn = day(t, "2025-01-01")
	require.Empty(t, due(CycleYearly))
}
