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

// overageSums answers QueryOverageSums.
func (q *question) overageSums() (reply, error) {
	sums, err := q.sumOverage(false)
	if err != nil {
		return nil, err
	}
	page := &OverageSums{Code: sums.code, Next: sums.next, ClockMillis: sums.clock}
	for i, of := range sums.order {
		page.Items = append(page.Items, OverageSum{
			LicenseID: of.license, Month: of.month, Currency: of.currency, PriceMinor: of.price, Adjustment: of.adjusts,
			Uses: sums.sums[i].uses, Minor: sums.sums[i].minor,
		})
	}
	return page, nil
}

// overageDays answers QueryOverageDays.
func (q *question) overageDays() (reply, error) {
	sums, err := q.sumOverage(true)
	if err != nil {
		return nil, err
	}
	page := &OverageDays{Code: sums.code, Next: sums.next, ClockMillis: sums.clock}
	for i, of := range sums.order {
		page.Items = append(page.Items, OverageDay{LicenseID: of.license, Sum: DaySum{
			Day: of.day, Currency: of.currency, PriceMinor: of.price, Adjustment: of.adjusts, Uses: sums.sums[i].uses, Minor: sums.sums[i].minor,
		}})
	}
	return page, nil
}

// sumOverage adds up a stretch of records, by month or by day. A cursor is
// "<month>-<sequence>" of the last record read.
func (q *question) sumOverage(daily bool) (*summing, error) {
	sums := &summing{daily: daily, places: make(map[sumOf]int)}
	ask := &sums.ask
	if err := q.decode(ask); err != nil {
		return nil, err
	}
	month, after, ok := parseSumCursor(ask.Cursor)
	if !ok || ask.FromMillis < 0 || ask.ToMillis <= ask.FromMillis || ask.ToMillis > maxStamp {
		sums.code = cloudlicenses.InvalidField
		return sums, nil
	}
	first, last := monthOf(ask.FromMillis), monthOf(ask.ToMillis-1)
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		number := v.tenant.number
		lo := key44(nil, prefixOverage, number, first)
		if ask.Cursor != "" {
			lo = key448(nil, prefixOverage, number, month, after+1)
		}
		sums.clock = v.state.clock
		if ask.VendorID != "" {
			sums.licenses = v.tenant.licensesOf(ask.VendorID)
		}
		scan, err = v.store.Scan(lo, key44(nil, prefixOverage, number, last+1))
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		sums.code = code
		return sums, err
	}
	err = sums.add(scan)
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return sums, err
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
	ask      SumOverage
	daily    bool
	licenses map[cloudlicenses.LicenseID]bool // nil: every one

	code   cloudlicenses.Code
	places map[sumOf]int // in order and sums
	order  []sumOf
	sums   []struct{ uses, minor int64 }
	next   string
	clock  int64
}

// sumOf is all that tells a sum from others.
type sumOf struct {
	license  cloudlicenses.LicenseID
	month    uint32
	day      uint32 // Unix days; 0 where sums are by month
	currency cloudlicenses.Currency
	price    int64
	adjusts  bool
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
			s.next = strconv.FormatUint(uint64(month), 10) + "-" + strconv.FormatUint(o.Sequence, 10)
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
		of := sumOf{license: o.LicenseID, month: month, currency: o.Currency, price: o.PriceMinor, adjusts: o.Adjusts != 0}
		if s.daily {
			of.day = uint32(o.AtMillis / millisPerDay)
		}
		at, known := s.places[of]
		if !known {
			at = len(s.order)
			s.places[of] = at
			s.order = append(s.order, of)
			s.sums = append(s.sums, struct{ uses, minor int64 }{})
		}
		sum := &s.sums[at]
		sum.uses += o.Uses
		sum.minor = addUp(sum.minor, o.Cost())
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
