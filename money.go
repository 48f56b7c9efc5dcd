package cloudlicenses

import (
	"errors"
	"fmt"
	"strings"
)

// Currency is an ISO 4217 code in capitals, such as "EUR".
type Currency string

// Money is an amount in the minor units of its currency: 2200000 EUR is
// 22000.00 euros, 1200 JPY is 1200 yen. It is never a float.
type Money struct {
	Minor    int64
	Currency Currency
}

// currencyDecimals are the minor-unit exponents of ISO 4217 for the currencies
// that are not 2; every other known one is.
var currencyDecimals = map[Currency]int{
	"BHD": 3, "BIF": 0, "CLF": 4, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0,
	"JOD": 3, "JPY": 0, "KMF": 0, "KRW": 0, "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0,
	"RWF": 0, "TND": 3, "UGX": 0, "UYI": 0, "UYW": 4, "VND": 0, "VUV": 0, "XAF": 0,
	"XOF": 0, "XPF": 0,
}

var twoDecimalCurrencies = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW "

// Errors of ParseMoney.
var (
	// ErrCurrency: not an ISO 4217 code in capitals.
	ErrCurrency = errors.New("unknown currency: want an ISO 4217 code such as EUR")
	// ErrAmount: not a decimal number, negative, or out of range.
	ErrAmount = errors.New("not an amount: want a non-negative decimal number below 10^15")
	// ErrDecimals: more decimals than the currency has.
	ErrDecimals = errors.New("more decimals than the currency has")
)

// Decimals returns how many decimals c has.
func (c Currency) Decimals() (int, error) {
	if d, ok := currencyDecimals[c]; ok {
		return d, nil
	}
	if len(c) == 3 && strings.Contains(twoDecimalCurrencies, " "+string(c)+" ") {
		return 2, nil
	}
	return 0, ErrCurrency
}

// ParseMoney reads a JSON number's own text, never through a float. Trailing
// zeros past the currency's decimals are accepted (500.000 EUR is 500 EUR).
func ParseMoney(text string, c Currency) (Money, error) {
	decimals, err := c.Decimals()
	if err != nil {
		return Money{}, err
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if whole == "" || len(whole) > 15 || (len(whole) > 1 && whole[0] == '0') || strings.HasSuffix(text, ".") {
		return Money{}, ErrAmount
	}
	if trimmed := strings.TrimRight(fraction, "0"); len(trimmed) <= decimals {
		fraction = trimmed + strings.Repeat("0", decimals-len(trimmed))
	} else {
		for _, d := range fraction {
			if d < '0' || d > '9' {
				return Money{}, ErrAmount
			}
		}
		return Money{}, ErrDecimals
	}
	var minor int64
	for _, d := range whole + fraction {
		if d < '0' || d > '9' {
			return Money{}, ErrAmount
		}
		if minor >= 1e17 { // before it is multiplied: 19 digits overflow
			return Money{}, ErrAmount
		}
		minor = minor*10 + int64(d-'0')
	}
	return Money{Minor: minor, Currency: c}, nil
}

// String returns the amount as a JSON number with the currency's own
// decimals, without the currency.
func (m Money) String() string {
	decimals, err := m.Currency.Decimals()
	if err != nil {
		decimals = 2
	}
	sign, minor := "", m.Minor
	if minor < 0 {
		sign, minor = "-", -minor
	}
	digits := fmt.Sprintf("%0*d", decimals+1, minor)
	if decimals == 0 {
		return sign + digits
	}
	cut := len(digits) - decimals
	return sign + digits[:cut] + "." + digits[cut:]
}
