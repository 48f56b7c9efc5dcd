package billing

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// ErrOverflow: an amount or a count does not fit int64 minor units.
var ErrOverflow = errors.New("amount out of range: it does not fit 64 bits of minor units")

func add(a, b int64) (int64, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return sum, nil
}

func negate(a int64) (int64, error) {
	if a == math.MinInt64 {
		return 0, ErrOverflow
	}
	return -a, nil
}

// magnitude returns |a|, also of the smallest int64.
func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

func signed(magnitude uint64, negative bool) (int64, error) {
	switch {
	case !negative && magnitude <= math.MaxInt64:
		return int64(magnitude), nil
	case negative && magnitude <= 1<<63:
		return -int64(magnitude), nil
	}
	return 0, ErrOverflow
}

func multiply(a, b int64) (int64, error) {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 {
		return 0, ErrOverflow
	}
	return signed(lo, (a < 0) != (b < 0))
}

// portion returns amount × numerator / denominator with a product of 128
// bits, rounded half away from zero: the one rounding of a line (contract,
// "States and rules"). The denominator is at least 1.
func portion(amount int64, numerator, denominator uint64) (int64, error) {
	hi, lo := bits.Mul64(magnitude(amount), numerator)
	if hi >= denominator {
		return 0, ErrOverflow
	}
	quotient, rest := bits.Div64(hi, lo, denominator)
	if rest >= denominator-rest { // rest × 2 ≥ denominator, where that could wrap
		if quotient++; quotient == 0 {
			return 0, ErrOverflow
		}
	}
	return signed(quotient, amount < 0)
}

// appendMoney appends minor as a JSON number with so many decimals. Unlike
// Money.String it allocates nothing and knows the smallest int64.
func appendMoney(b []byte, minor int64, decimals int) []byte {
	if minor < 0 {
		b = append(b, '-')
	}
	var buffer [24]byte
	digits := strconv.AppendUint(buffer[:0], magnitude(minor), 10)
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = append(buffer[:0], "00000000"[:missing]...)
		digits = strconv.AppendUint(digits, magnitude(minor), 10)
	}
	cut := len(digits) - decimals
	b = append(b, digits[:cut]...)
	if decimals == 0 {
		return b
	}
	return append(append(b, '.'), digits[cut:]...)
}

// CurrencyTotal is a sum in one currency.
type CurrencyTotal struct {
	Currency cloudlicenses.Currency
	Minor    int64 // minor units of Currency
}

// tally sums by currency. Currencies are few: a slice in order of the code.
type tally []CurrencyTotal

func (t *tally) add(c cloudlicenses.Currency, minor int64) error {
	i, found := slices.BinarySearchFunc(*t, c, func(e CurrencyTotal, c cloudlicenses.Currency) int {
		return strings.Compare(string(e.Currency), string(c))
	})
	if !found {
		*t = slices.Insert(*t, i, CurrencyTotal{Currency: c})
	}
	sum, err := add((*t)[i].Minor, minor)
	if err != nil {
		return err
	}
	(*t)[i].Minor = sum
	return nil
}

// decimals remembers the last currency asked for: neighbours share one.
type decimals struct {
	currency cloudlicenses.Currency
	count    int
}

func (d *decimals) of(c cloudlicenses.Currency) (int, error) {
	if c == d.currency && c != "" {
		return d.count, nil
	}
	count, err := c.Decimals()
	if err != nil {
		return 0, err
	}
	d.currency, d.count = c, count
	return count, nil
}
