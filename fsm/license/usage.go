package license

import (
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// accrue brings a license's counters up to the clock, before anything of it
// changes: seat time is counted, and where a month, a day or an hour has turned
// its record is closed exactly at the boundary.
func (s *state) accrue(store *fsm.Store, l *license) {
	if u := &l.usage; u.Period == s.now[grainMonth].number && u.ChangedMillis == s.clock {
		return
	}
	s.touchLicense(l)
	s.roll(store, l, grainMonth, &l.usage)
	if r := l.recent; r != nil {
		s.roll(store, l, grainDay, &r.day)
		s.roll(store, l, grainHour, &r.hour)
	}
}

// roll brings the counters of one grain up to the clock.
func (s *state) roll(store *fsm.Store, l *license, g grain, u *usageRecord) {
	now, inUse := &s.now[g], l.pool.InUse()
	if g == grainHour {
		forgetHours(store, l, u.Period, now.number)
	}
	for u.Period < now.number {
		_, end := g.bounds(u.Period)
		closed := u.upTo(inUse, end)
		closed.Users = l.closeUsers(store, g, u.Period)
		if closed.used() {
			store.Set(seriesKey(g, l, u.Period), appendRecord(nil, &closed))
		}
		if inUse == 0 {
			*u = usageRecord{Period: now.number, ChangedMillis: now.start}
			break
		}
		*u = l.held(g, u.Period+1, end)
	}
	u.SeatMillis += inUse * (s.clock - u.ChangedMillis)
	u.ChangedMillis = s.clock
}

// held begins the record of a period that l is held into.
func (l *license) held(g grain, number uint32, start int64) usageRecord {
	u := usageRecord{Period: number, ChangedMillis: start, PeakInUse: l.pool.InUse()}
	if g != grainMonth { // there it is the most after a grant of the month, see warning.go
		u.OveragePeak = l.pool.Overage
	}
	return u
}

// upTo returns the record with the seat time up to a moment of its period.
func (u *usageRecord) upTo(inUse, millis int64) usageRecord {
	r := *u
	r.SeatMillis += inUse * (millis - u.ChangedMillis)
	r.ChangedMillis = millis
	return r
}

// used reports whether anything happened in the period.
func (u *usageRecord) used() bool {
	return u.CommitCheckouts+u.OverageCheckouts+u.PeakInUse+u.SeatMillis > 0 || len(u.Refusals) > 0
}

// granted counts a checkout that left a pool in use.
func (u *usageRecord) granted(overage bool, inUse int64) {
	if overage {
		u.OverageCheckouts++
	} else {
		u.CommitCheckouts++
	}
	u.PeakInUse = max(u.PeakInUse, inUse)
}

// charged counts overage uses.
func (u *usageRecord) charged(uses, minor int64) {
	u.OverageUses += uses
	u.OverageMinor = addUp(u.OverageMinor, minor)
}

// refused counts a refusal.
func (u *usageRecord) refused(code cloudlicenses.Code) {
	i, found := slices.BinarySearchFunc(u.Refusals, code, func(r Refusals, code cloudlicenses.Code) int {
		return strings.Compare(string(r.Code), string(code))
	})
	if !found {
		u.Refusals = slices.Insert(u.Refusals, i, Refusals{Code: code})
	}
	u.Refusals[i].Count++
}

// countRefusal counts a refusal of a known key; lic is nil where it concerned
// no license.
func (m *Machine) countRefusal(lic *license, code cloudlicenses.Code) {
	if lic == nil {
		return
	}
	m.state.accrue(m.store, lic)
	r := m.state.recentOf(lic)
	lic.usage.refused(code)
	r.day.refused(code)
	r.hour.refused(code)
	m.state.touchLicense(lic)
}

// public is a month's record as the outside sees it.
func (u *usageRecord) public(id cloudlicenses.LicenseID) Usage {
	return Usage{
		LicenseID: id, Month: monthText(u.Period),
		CommitCheckouts: u.CommitCheckouts, OverageCheckouts: u.OverageCheckouts, OverageUses: u.OverageUses,
		Refusals: slices.Clone(u.Refusals), PeakInUse: u.PeakInUse, SeatMillis: u.SeatMillis,
	}
}

// usageIn returns what l was used for in a period, without changing it: an
// untouched license's counters are brought up to the clock for the answer.
// inMemory is false where only the disk knows.
func (s *state) usageIn(l *license, g grain, number uint32) (u usageRecord, inMemory bool) {
	from := l.counters(g)
	switch {
	case from == nil || number > s.now[g].number:
		return usageRecord{Period: number}, true
	case number < from.Period:
		return usageRecord{}, false
	}
	start, end := g.bounds(number)
	open := *from
	if number > from.Period {
		open = l.held(g, number, start)
	} else {
		open.Users = l.countUsers(g)
	}
	return open.upTo(l.pool.InUse(), min(s.clock, end)), true
}
