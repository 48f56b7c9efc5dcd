package billing

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
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
	// Failed are the vendors whose sums do not add up, or do not fit: they have no
	// line, and are in no total.
	Failed []cloudlicenses.VendorID
}

// RevenueShare makes the statement of the sums: a line for each vendor, month
// and currency, rounded once. Adjustments lower it as they lower the revenue;
// a month whose adjustments outweigh its charges has a negative share. What is
// wrong with one vendor's sums does not keep the others from theirs. Error:
// ErrShare.
func RevenueShare(rates map[cloudlicenses.VendorID]BasisPoints, sums []VendorSum) (ShareStatement, error) {
	byVendor := make(map[cloudlicenses.VendorID][]OverageSum)
	for i := range sums {
		v := &sums[i]
		if rate := rates[v.Vendor]; rate < MinShare || rate > MaxShare {
			return ShareStatement{}, fmt.Errorf("%w: %s has %d", ErrShare, v.Vendor, rate)
		}
		byVendor[v.Vendor] = append(byVendor[v.Vendor], v.Sum)
	}
	var s ShareStatement
	var totals tally
	for _, vendor := range slices.Sorted(maps.Keys(byVendor)) {
		lines, err := shareLines(vendor, rates[vendor], byVendor[vendor])
		with := slices.Clone(totals)
		for i := range lines {
			if err == nil {
				err = with.add(lines[i].Currency, lines[i].Share)
			}
		}
		if err != nil {
			s.Failed = append(s.Failed, vendor)
			continue
		}
		s.Lines, totals = append(s.Lines, lines...), with
	}
	s.Totals = totals
	return s, nil
}

// shareLines are the lines of one vendor. Errors: ErrRecord, ErrOverflow,
// cloudlicenses.ErrCurrency.
func shareLines(vendor cloudlicenses.VendorID, rate BasisPoints, sums []OverageSum) (lines []ShareLine, err error) {
	type key struct {
		month    Month
		currency cloudlicenses.Currency
	}
	places := make(map[key]int)
	for i := range sums {
		sum := &sums[i]
		if err := sum.Validate(); err != nil {
			return nil, err
		}
		k := key{sum.Month, sum.Currency}
		place, found := places[k]
		if !found {
			place = len(lines)
			places[k] = place
			lines = append(lines, ShareLine{Vendor: vendor, Month: k.month, Currency: k.currency, Rate: rate})
		}
		if lines[place].Revenue, err = add(lines[place].Revenue, sum.Minor); err != nil {
			return nil, err
		}
	}
	for i := range lines {
		if lines[i].Share, err = portion(lines[i].Revenue, uint64(rate), 100*100); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(lines, func(a, b ShareLine) int {
		return cmp.Or(cmp.Compare(a.Month, b.Month), strings.Compare(string(a.Currency), string(b.Currency)))
	})
	return lines, nil
}
