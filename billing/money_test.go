package billing

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

var limits = rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, math.MaxInt32}))

// TestExactArithmetic: every operation is the integers' own, or ErrOverflow.
func TestExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := limits.Draw(t, "a"), limits.Draw(t, "b")
		numerator := rapid.OneOf(rapid.Uint64Range(0, 31), rapid.Uint64()).Draw(t, "numerator")
		denominator := rapid.OneOf(rapid.Uint64Range(1, 31), rapid.Uint64Min(1)).Draw(t, "denominator")
		demand := func(exact *big.Int, got int64, err error) {
			if !exact.IsInt64() {
				require.ErrorIs(t, err, ErrOverflow)
				return
			}
			require.NoError(t, err)
			require.Equal(t, exact.Int64(), got)
		}
		sum, err := add(a, b)
		demand(new(big.Int).Add(big.NewInt(a), big.NewInt(b)), sum, err)
		product, err := multiply(a, b)
		demand(new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), product, err)
		negative, err := negate(a)
		demand(new(big.Int).Neg(big.NewInt(a)), negative, err)
		part, err := portion(a, numerator, denominator)
		demand(roundedHalfAway(a, numerator, denominator), part, err)
	})
}

func TestPortionRoundsHalfAwayFromZero(t *testing.T) {
	for _, c := range []struct {
		amount                 int64
		numerator, denominator uint64
		want                   int64
	}{
		{5000_00, 30, 30, 5000_00},
		{5000_00, 21, 30, 3500_00},
		{1, 1, 2, 1}, {-1, 1, 2, -1}, {3, 1, 2, 2}, {-3, 1, 2, -2},
		{1, 14, 29, 0}, {1, 15, 29, 1}, {100, 1, 31, 3}, {100, 1, 28, 4},
		{math.MaxInt64, 31, 31, math.MaxInt64}, {math.MinInt64, 31, 31, math.MinInt64},
		{math.MaxInt64, 1, 2, 1 << 62}, {0, 31, 31, 0},
	} {
		got, err := portion(c.amount, c.numerator, c.denominator)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%+v", c)
	}
	_, err := portion(math.MaxInt64, 32, 31)
	require.ErrorIs(t, err, ErrOverflow)
}

func TestAppendMoney(t *testing.T) {
	require.Equal(t, "-92233720368547758.08", string(appendMoney(nil, math.MinInt64, 2)))
	require.Equal(t, "-9223372036854775.808", string(appendMoney(nil, math.MinInt64, 3)))
	require.Equal(t, "-9223372036854775808", string(appendMoney(nil, math.MinInt64, 0)))
	require.Equal(t, "0.0001", string(appendMoney(nil, 1, 4)))
	rapid.Check(t, func(t *rapid.T) {
		m := cl.Money{Minor: rapid.Int64Min(math.MinInt64+1).Draw(t, "minor"), Currency: rapid.SampledFrom([]cl.Currency{"EUR", "JPY", "BHD", "CLF"}).Draw(t, "currency")}
		count, err := m.Currency.Decimals()
		require.NoError(t, err)
		require.Equal(t, m.String(), string(appendMoney(nil, m.Minor, count)))
	})
}
