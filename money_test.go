package cloudlicenses_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

func TestParseMoney(t *testing.T) {
	for _, c := range []struct {
		text     string
		currency cl.Currency
		minor    int64
		err      error
		shown    string
	}{
		{"22000.00", "EUR", 2_200_000, nil, "22000.00"},
		{"22000", "EUR", 2_200_000, nil, "22000.00"},
		{"500.5", "EUR", 50_050, nil, "500.50"},
		{"500.000", "EUR", 50_000, nil, "500.00"},
		{"0", "EUR", 0, nil, "0.00"},
		{"0.01", "EUR", 1, nil, "0.01"},
		{"0.29", "EUR", 29, nil, "0.29"}, // 28.999… through a float
		{"1200", "JPY", 1200, nil, "1200"},
		{"1200.0", "JPY", 1200, nil, "1200"},
		{"1.234", "KWD", 1234, nil, "1.234"},
		{"1.2345", "CLF", 12345, nil, "1.2345"},
		{"999999999999999.99", "EUR", 99_999_999_999_999_999, nil, "999999999999999.99"},

		{"500.001", "EUR", 0, cl.ErrDecimals, ""},
		{"0.5", "JPY", 0, cl.ErrDecimals, ""},
		{"1.00a", "EUR", 0, cl.ErrAmount, ""},
		{"1.0a0", "EUR", 0, cl.ErrAmount, ""},
		{"-1", "EUR", 0, cl.ErrAmount, ""},
		{"+1", "EUR", 0, cl.ErrAmount, ""},
		{"", "EUR", 0, cl.ErrAmount, ""},
		{".", "EUR", 0, cl.ErrAmount, ""},
		{".5", "EUR", 0, cl.ErrAmount, ""},
		{"5.", "EUR", 0, cl.ErrAmount, ""},
		{"05", "EUR", 0, cl.ErrAmount, ""},
		{"1e3", "EUR", 0, cl.ErrAmount, ""},
		{"1.5.5", "EUR", 0, cl.ErrAmount, ""},
		{" 1", "EUR", 0, cl.ErrAmount, ""},
		{"NaN", "EUR", 0, cl.ErrAmount, ""},
		{"1000000000000000", "EUR", 0, cl.ErrAmount, ""},
		{"1000000000000000.00", "EUR", 0, cl.ErrAmount, ""},
		{"999999999999999.9999", "CLF", 0, cl.ErrAmount, ""},

		{"1", "eur", 0, cl.ErrCurrency, ""},
		{"1", "EU", 0, cl.ErrCurrency, ""},
		{"1", "", 0, cl.ErrCurrency, ""},
		{"1", "XYZ", 0, cl.ErrCurrency, ""},
		{"1", "D A", 0, cl.ErrCurrency, ""},
	} {
		m, err := cl.ParseMoney(c.text, c.currency)
		require.ErrorIs(t, err, c.err, "%q %s", c.text, c.currency)
		if c.err == nil {
			require.NoError(t, err, "%q %s", c.text, c.currency)
			require.Equal(t, cl.Money{Minor: c.minor, Currency: c.currency}, m, "%q", c.text)
			require.Equal(t, c.shown, m.String())
		}
	}
	require.Equal(t, "-0.05", cl.Money{Minor: -5, Currency: "EUR"}.String())
	require.Equal(t, "-1200", cl.Money{Minor: -1200, Currency: "JPY"}.String())
}

// TestMoneyRoundTrip: what is shown parses to the same amount.
func TestMoneyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]cl.Currency{"EUR", "USD", "JPY", "KWD", "CLF"}).Draw(t, "currency")
		m := cl.Money{Minor: rapid.Int64Range(0, 1e15-1).Draw(t, "minor"), Currency: currency}
		again, err := cl.ParseMoney(m.String(), currency)
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

// FuzzParseMoney checks every accepted text against exact rational arithmetic.
func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"22000.00", "0.29", "1e3", "-1", "00", "1.", "999999999999999.99", "0.000", "1٣"} {
		f.Add(s, "EUR")
	}
	f.Add("1200", "JPY")
	f.Add("1.2345", "CLF")
	f.Fuzz(func(t *testing.T, text, currency string) {
		m, err := cl.ParseMoney(text, cl.Currency(currency))
		if err != nil {
			require.Zero(t, m)
			return
		}
		decimals, err := m.Currency.Decimals()
		require.NoError(t, err)
		require.False(t, strings.ContainsAny(text, "eE+-/ "))
		exact, ok := new(big.Rat).SetString(text)
		require.True(t, ok, "%q accepted", text)
		scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil))
		require.Zero(t, exact.Mul(exact, scale).Cmp(new(big.Rat).SetInt64(m.Minor)), "%q %s → %d", text, currency, m.Minor)
	})
}
