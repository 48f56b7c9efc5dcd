package billing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// BasisPoints is a rate in hundredths of a percent: 250 is 2.5 %.
type BasisPoints int64

// The platform's share of overage revenue (seed G, "2-5% of overage revenue").
const (
	MinShare BasisPoints = cloudlicenses.MinShareRate
	MaxShare BasisPoints = cloudlicenses.MaxShareRate
)

// ErrShare: a vendor's rate is missing or not 2–5 %.
var ErrShare = errors.New("revenue share: want 200 to 500 basis points for the vendor")

// VendorSum is an overage sum with the vendor it was charged for.
type VendorSum struct {
	Vendor cloudlicenses.VendorID
	Sum    OverageSum
}

// ShareLine is the platform's share of a vendor's overage revenue of one month
// in one currency.
type ShareLine struct {
	Vendor   cloudlicenses.VendorID
	Month    Month
	Currency cloudlicenses.Currency
	Revenue  int64 // minor units, the sum of the records
	Rate     BasisPoints
	Share    int64 // minor units, Revenue × Rate rounded once, half away from zero
}

// ShareStatement is the platform's revenue share.
type ShareStatement struct {
	Lines  []ShareLine     // by vendor, month and currency
	Totals []CurrencyTotal // of Share, by currency
}

// RevenueShare makes the statement of the sums: a line for each vendor, month
// and currency, rounded once. Adjustments lower it as they lower the revenue;
// a month whose adjustments outweigh its charges has a negative share. Errors:
// ErrShare, ErrRecord, ErrOverflow, cloudlicenses.ErrCurrency.
func RevenueShare(rates map[cloudlicenses.VendorID]BasisPoints, sums []VendorSum) (ShareStatement, error) {
	type key struct {
		vendor   cloudlicenses.VendorID
		month    Month
		currency cloudlicenses.Currency
	}
	places := make(map[key]int)
	var s ShareStatement
	for i := range sums {
		v := &sums[i]
		if err := v.Sum.Validate(); err != nil {
			return ShareStatement{}, err
		}
		rate := rates[v.Vendor]
		if rate < MinShare || rate > MaxShare {
			return ShareStatement{}, fmt.Errorf("%w: %s has %d", ErrShare, v.Vendor, rate)
		}
		k := key{v.Vendor, v.Sum.Month, v.Sum.Currency}
		place, found := places[k]
		if !found {
			place = len(s.Lines)
			places[k] = place
			s.Lines = append(s.Lines, ShareLine{Vendor: k.vendor, Month: k.month, Currency: k.currency, Rate: rate})
		}
		var err error
		if s.Lines[place].Revenue, err = add(s.Lines[place].Revenue, v.Sum.Minor); err != nil {
			return ShareStatement{}, err
		}
	}
	slices.SortFunc(s.Lines, func(a, b ShareLine) int {
		return cmp.Or(strings.Compare(string(a.Vendor), string(b.Vendor)), cmp.Compare(a.Month, b.Month),
			strings.Compare(string(a.Currency), string(b.Currency)))
	})
	var totals tally
	for i := range s.Lines {
		line := &s.Lines[i]
		var err error
		if line.Share, err = portion(line.Revenue, uint64(line.Rate), 100*100); err != nil {
			return ShareStatement{}, err
		}
		if err := totals.add(line.Currency, line.Share); err != nil {
			return ShareStatement{}, err
		}
	}
	s.Totals = totals
	return s, nil
}
