package license

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// sumStretch is how many records one page of sums reads: some 20 ms. It also
// bounds the page, since each record makes one sum at most.
const sumStretch = 50_000

// overageSums answers QueryOverageSums. A cursor is "<month>-<sequence>" of the
// last record read.
func (q *question) overageSums() (reply, error) {
	var ask SumOverage
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	month, after, ok := parseSumCursor(ask.Cursor)
	if !ok || ask.FromMillis < 0 || ask.ToMillis <= ask.FromMillis || ask.ToMillis > maxStamp {
		return &OverageSums{Code: cloudlicenses.InvalidField}, nil
	}
	first, last := monthOf(ask.FromMillis), monthOf(ask.ToMillis-1)
	sums := &summing{ask: &ask, page: &OverageSums{}, places: make(map[OverageSum]int)}
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		number := v.tenant.number
		lo := key44(nil, prefixOverage, number, first)
		if ask.Cursor != "" {
			lo = key448(nil, prefixOverage, number, month, after+1)
		}
		sums.page.ClockMillis = v.state.clock
		if ask.VendorID != "" {
			sums.licenses = v.tenant.licensesOf(ask.VendorID)
		}
		scan, err = v.store.Scan(lo, key44(nil, prefixOverage, number, last+1))
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &OverageSums{Code: code}, err
	}
	err = sums.add(scan)
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return sums.page, err
}

// maxStamp is the first moment of the year 10000.
var maxStamp = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// licensesOf returns the ids of the tenant's licenses of a vendor.
func (t *tenant) licensesOf(vendor cloudlicenses.VendorID) map[cloudlicenses.LicenseID]bool {
	ids := make(map[cloudlicenses.LicenseID]bool)
	for _, l := range t.licenseByNumber {
		if l.VendorID == vendor {
			ids[l.ID] = true
		}
	}
	return ids
}

// summing is a page of sums being made.
type summing struct {
	ask      *SumOverage
	licenses map[cloudlicenses.LicenseID]bool // nil: every one
	page     *OverageSums
	places   map[OverageSum]int // of a sum, by all that tells it from others
}

// add reads a stretch of records.
func (s *summing) add(scan *fsm.Scan) error {
	var o Overage
	month, monthEnd := uint32(0), int64(0)
	limit := sumStretch
	if s.ask.Limit > 0 {
		limit = int(min(s.ask.Limit, sumStretch))
	}
	for read := 0; scan.Next(); read++ {
		if read == limit {
			s.page.Next = strconv.FormatUint(uint64(month), 10) + "-" + strconv.FormatUint(o.Sequence, 10)
			return nil
		}
		if err := decode(&o, scan.Value()); err != nil {
			return err
		}
		if o.AtMillis >= monthEnd { // records come in order of time
			month = monthOf(o.AtMillis)
			_, monthEnd = monthBounds(month)
		}
		if o.AtMillis < s.ask.FromMillis || o.AtMillis >= s.ask.ToMillis || s.licenses != nil && !s.licenses[o.LicenseID] {
			continue
		}
		of := OverageSum{LicenseID: o.LicenseID, Month: month, Currency: o.Currency, PriceMinor: o.PriceMinor, Adjustment: o.Adjusts != 0}
		at, known := s.places[of]
		if !known {
			at = len(s.page.Items)
			s.places[of] = at
			s.page.Items = append(s.page.Items, of)
		}
		sum := &s.page.Items[at]
		sum.Uses += o.Uses
		sum.Minor = addUp(sum.Minor, o.Cost())
	}
	return nil
}

func parseSumCursor(text string) (month uint32, sequence uint64, ok bool) {
	if text == "" {
		return 0, 0, true
	}
	left, right, _ := strings.Cut(text, "-")
	m, err := strconv.ParseUint(left, 10, 32)
	if err != nil {
		return 0, 0, false
	}
	sequence, err = strconv.ParseUint(right, 10, 64)
	return uint32(m), sequence, err == nil
}

// rules answers QueryRules.
func (q *question) rules() (reply, error) {
	var ask GetRules
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	result := &RulesResult{}
	code, err := q.read(func(v view) error {
		result.Rules = v.tenant.rules
		result.Rules.Caps = slices.Clone(result.Rules.Caps)
		for i := range result.Rules.Caps {
			c := &result.Rules.Caps[i]
			if l := v.tenant.licenses[c.LicenseID]; l != nil && c.Currency == "" {
				c.Currency = l.Currency
			}
		}
		return nil
	})
	result.Code = code
	return result, err
}
