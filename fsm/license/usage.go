package license

import (
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// accrue brings a license's counters up to the clock, before anything of it
// changes: seat time is counted, and where a month has turned its record is
// closed exactly at the boundary.
func (s *state) accrue(store *fsm.Store, l *license) {
	u := &l.usage
	if u.Month == s.month && u.ChangedMillis == s.clock {
		return
	}
	s.touchLicense(l)
	if u.Month == s.month {
		u.SeatMillis += l.pool.InUse() * (s.clock - u.ChangedMillis)
		u.ChangedMillis = s.clock
		return
	}
	for u.Month < s.month {
		_, end := monthBounds(u.Month)
		closed := u.upTo(l.pool.InUse(), end)
		if closed.used() {
			key := key444(nil, prefixUsage, l.tenant.number, u.Month, l.number)
			store.Set(key, appendRecord(nil, &closed))
		}
		if l.pool.InUse() == 0 {
			*u = usageRecord{Month: s.month, ChangedMillis: s.monthStart}
			break
		}
		*u = usageRecord{Month: u.Month + 1, ChangedMillis: end, PeakInUse: l.pool.InUse()}
	}
	s.accrue(store, l)
}

// upTo returns the record with the seat time up to a moment of its month.
func (u *usageRecord) upTo(inUse, millis int64) usageRecord {
	r := *u
	r.SeatMillis += inUse * (millis - u.ChangedMillis)
	r.ChangedMillis = millis
	return r
}

// used reports whether anything happened in the month.
func (u *usageRecord) used() bool {
	return u.CommitCheckouts+u.OverageCheckouts+u.PeakInUse+u.SeatMillis > 0 || len(u.Refusals) > 0
}

// countRefusal counts a refusal of a known key; lic is nil where it concerned
// no license.
func (m *Machine) countRefusal(lic *license, code cloudlicenses.Code) {
	if lic == nil {
		return
	}
	m.state.accrue(m.store, lic)
	u := &lic.usage
	i, found := slices.BinarySearchFunc(u.Refusals, code, func(r Refusals, code cloudlicenses.Code) int {
		return strings.Compare(string(r.Code), string(code))
	})
	if !found {
		u.Refusals = slices.Insert(u.Refusals, i, Refusals{Code: code})
	}
	u.Refusals[i].Count++
	m.state.touchLicense(lic)
}

// public is a month's record as the outside sees it.
func (u *usageRecord) public(id cloudlicenses.LicenseID) Usage {
	return Usage{
		LicenseID: id, Month: monthText(u.Month),
		CommitCheckouts: u.CommitCheckouts, OverageCheckouts: u.OverageCheckouts, OverageUses: u.OverageUses,
		Refusals: slices.Clone(u.Refusals), PeakInUse: u.PeakInUse, SeatMillis: u.SeatMillis,
	}
}

// usageIn returns what l was used for in a month, without changing it: an
// untouched license's counters are brought up to the clock for the answer.
// inMemory is false where only the disk knows.
func (s *state) usageIn(l *license, month uint32) (u usageRecord, inMemory bool) {
	switch {
	case month < l.usage.Month:
		return usageRecord{}, false
	case month > s.month:
		return usageRecord{Month: month}, true
	}
	start, end := monthBounds(month)
	from := l.usage
	if month > l.usage.Month {
		from = usageRecord{Month: month, ChangedMillis: start, PeakInUse: l.pool.InUse()}
	}
	return from.upTo(l.pool.InUse(), min(s.clock, end)), true
}
