package billing

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// OverageRecord is one immutable charge, or an adjustment that points to one
// (contract: "corrections are adjustments that point to it").
type OverageRecord struct {
	License   cloudlicenses.LicenseID
	Sequence  uint64 // the record's number in its tenant, from 1
	Adjusts   uint64 // the number of the record this one corrects; 0: a charge
	AtMillis  int64  // Unix ms; when it was charged, or the adjustment booked
	Currency  cloudlicenses.Currency
	UnitPrice int64 // minor units a use, as charged
	Uses      int64 // of an adjustment: of any sign, 0 where money alone is adjusted
	Minor     int64 // minor units; of a charge Uses × UnitPrice, of an adjustment of any sign
}

// OverageSum is the sum of a license's records of one month, currency and
// unit price. Adjustments are summed apart: they need not follow from a price.
// An adjustment belongs to the month it was booked in, so a month that is over
// never changes.
type OverageSum struct {
	License    cloudlicenses.LicenseID
	Month      Month
	Currency   cloudlicenses.Currency
	UnitPrice  int64 // minor units a use
	Uses       int64
	Minor      int64 // minor units
	Adjustment bool
}

// ErrRecord: a record or sum that contradicts itself; the text says how.
var ErrRecord = errors.New("overage record contradicts itself")

// Validate returns ErrRecord, cloudlicenses.ErrCurrency, ErrOverflow or nil.
// Of charges it demands Uses × UnitPrice = Minor: no statement is made of
// records that do not add up.
func (s *OverageSum) Validate() error {
	if _, err := s.Currency.Decimals(); err != nil {
		return fmt.Errorf("license %s: %w", s.License, err)
	}
	return s.addsUp()
}

func (s *OverageSum) addsUp() error {
	if s.Month < firstMonth || s.Month > lastMonth || s.License == "" {
		return fmt.Errorf("%w: license %s: license and month are required", ErrRecord, s.License)
	}
	if s.Adjustment {
		return nil
	}
	if s.Uses < 0 || s.UnitPrice < 0 {
		return fmt.Errorf("%w: license %s: a charge is not negative", ErrRecord, s.License)
	}
	want, err := multiply(s.Uses, s.UnitPrice)
	if err != nil {
		return fmt.Errorf("license %s: %w", s.License, err)
	}
	if want != s.Minor {
		return fmt.Errorf("%w: license %s: %d uses at %d are not %d", ErrRecord, s.License, s.Uses, s.UnitPrice, s.Minor)
	}
	return nil
}

// sum returns the record as a sum of one.
func (r *OverageRecord) sum() (OverageSum, error) {
	s := OverageSum{
		License: r.License, Month: DayAt(r.AtMillis).Month(), Currency: r.Currency, UnitPrice: r.UnitPrice,
		Uses: r.Uses, Minor: r.Minor, Adjustment: r.Adjusts != 0,
	}
	if s.Adjustment && r.Adjusts == r.Sequence {
		return s, fmt.Errorf("%w: license %s: record %d adjusts itself", ErrRecord, r.License, r.Sequence)
	}
	return s, s.Validate()
}

// SumOverage adds up the records that fall on the days of a range, in order of
// license, month, currency and unit price, charges before adjustments. Memory
// is bounded by the sums, not by the records. Errors: those of the records'
// iterator, ErrRange, ErrRecord, ErrOverflow, cloudlicenses.ErrCurrency.
func SumOverage(records iter.Seq2[OverageRecord, error], within Range) ([]OverageSum, error) {
	if err := within.Validate(); err != nil {
		return nil, err
	}
	type key struct {
		license   cloudlicenses.LicenseID
		month     Month
		currency  cloudlicenses.Currency
		unitPrice int64
		adjusts   bool
	}
	places := make(map[key]int)
	var sums []OverageSum
	for r, err := range records {
		if err != nil {
			return nil, err
		}
		s, err := r.sum()
		if err != nil {
			return nil, err
		}
		if !within.Holds(DayAt(r.AtMillis)) {
			continue
		}
		k := key{s.License, s.Month, s.Currency, s.UnitPrice, s.Adjustment}
		i, found := places[k]
		if !found {
			places[k] = len(sums)
			sums = append(sums, s)
			continue
		}
		if err := sums[i].merge(s.Uses, s.Minor); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(sums, compareSums)
	return sums, nil
}

func (s *OverageSum) merge(uses, minor int64) (err error) {
	if s.Uses, err = add(s.Uses, uses); err != nil {
		return err
	}
	s.Minor, err = add(s.Minor, minor)
	return err
}

func compareSums(a, b OverageSum) int {
	adjusts := func(s OverageSum) int {
		if s.Adjustment {
			return 1
		}
		return 0
	}
	return cmp.Or(
		strings.Compare(string(a.License), string(b.License)),
		cmp.Compare(a.Month, b.Month),
		strings.Compare(string(a.Currency), string(b.Currency)),
		cmp.Compare(adjusts(a), adjusts(b)),
		cmp.Compare(a.UnitPrice, b.UnitPrice),
	)
}

// Charge is an overage sum with the contract it was charged under.
type Charge struct {
	Contract *ContractLine
	Sum      OverageSum
}
