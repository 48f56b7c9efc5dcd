package license

import (
	"encoding/binary"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// What a license was used for is counted by hour, by day and by month, in UTC.
// A period's record is written once, when the period is over; the running ones
// are in memory, and in the record of prefixLatest.

// grain is the length of a series' periods.
type grain uint8

const (
	grainHour  grain = iota // Unix hours
	grainDay                // Unix days
	grainMonth              // year × 12 + month, January = 0
	grains
)

const millisPerDay = 24 * millisPerHour

// hoursKept is for how long the series by hour is kept, at the least.
const hoursKept = int64(cloudlicenses.HourSeriesKept / time.Hour)

// number returns the period that a time in Unix milliseconds is in.
func (g grain) number(millis int64) uint32 {
	switch g {
	case grainHour:
		return uint32(millis / millisPerHour)
	case grainDay:
		return uint32(millis / millisPerDay)
	default:
		return monthOf(millis)
	}
}

// bounds returns the first moment of a period and of the one after it.
func (g grain) bounds(number uint32) (start, end int64) {
	switch g {
	case grainHour:
		return int64(number) * millisPerHour, (int64(number) + 1) * millisPerHour
	case grainDay:
		return int64(number) * millisPerDay, (int64(number) + 1) * millisPerDay
	default:
		return monthBounds(number)
	}
}

// period is the running period of a grain.
type period struct {
	number     uint32
	start, end int64 // Unix ms
}

// turn moves the running periods on to the clock.
func (s *state) turn() {
	for g := range grains {
		n := g.number(s.clock)
		start, end := g.bounds(n)
		s.now[g] = period{n, start, end}
	}
}

// recent is what a license was used for in the hour and in the day of its
// latest use, and who used it.
type recent struct {
	hour, day usageRecord
	users     [grains]userSet
	// Of who is new in the hour the store has additions, one of each cut: a set as
	// a whole would be written anew with every one of its users. Those of the day
	// and the month are written whole when the hour is over.
	fresh     []uint32 // hashes that no addition has yet
	additions uint32   // of the hour, in the store
	whole     bool     // day and month are to be written
}

// recentOf returns the running counters of a license that is brought up to the
// clock; a license that was never used has none.
func (s *state) recentOf(l *license) *recent {
	if l.recent == nil {
		l.recent = &recent{
			hour: usageRecord{Period: s.now[grainHour].number, ChangedMillis: s.clock},
			day:  usageRecord{Period: s.now[grainDay].number, ChangedMillis: s.clock},
		}
	}
	return l.recent
}

// counters returns the running record of a grain; nil: never used.
func (l *license) counters(g grain) *usageRecord {
	switch {
	case g == grainMonth:
		return &l.usage
	case l.recent == nil:
		return nil
	case g == grainDay:
		return &l.recent.day
	default:
		return &l.recent.hour
	}
}

// countGrant counts a checkout that was granted, in every grain.
func (s *state) countGrant(l *license, user string, overage bool) {
	inUse, r := l.pool.InUse(), s.recentOf(l)
	l.usage.granted(overage, inUse)
	r.day.granted(overage, inUse)
	r.hour.granted(overage, inUse)
	r.day.OveragePeak = max(r.day.OveragePeak, l.pool.Overage)
	r.hour.OveragePeak = max(r.hour.OveragePeak, l.pool.Overage)
	if h := hashUser(user); r.see(h) {
		r.fresh = append(r.fresh, h)
	}
}

// see notes a user, and reports whether the hour had not. Who was seen in an hour
// was seen in its day and its month.
func (r *recent) see(h uint32) bool {
	fresh := r.users[grainHour].add(h)
	if fresh && r.users[grainDay].add(h) {
		r.users[grainMonth].add(h)
	}
	return fresh
}

// countUsers returns how many users the running period of a grain has seen.
func (l *license) countUsers(g grain) int64 {
	if l.recent == nil {
		return 0
	}
	return l.recent.users[g].count()
}

// closeUsers is countUsers, and begins a new period. store's additions go with
// their hour.
func (l *license) closeUsers(store *fsm.Store, g grain, number uint32) int64 {
	n, r := l.countUsers(g), l.recent
	if r == nil {
		return n
	}
	r.users[g].clear()
	if g == grainHour {
		for i := range r.additions {
			store.Delete(additionKey(l, number, i))
		}
		r.fresh, r.additions, r.whole = r.fresh[:0], 0, true
	}
	return n
}

// additionKey is the key of some users that an hour has seen.
func additionKey(l *license, hour, number uint32) []byte {
	key := append(key44(nil, prefixUsers, l.tenant.number, l.number), byte(grains))
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(key, hour), number)
}

// writeUsers writes what the store has not of who used a license.
func (l *license) writeUsers(set func(key []byte, r reply)) {
	r := l.recent
	if len(r.fresh) > 0 {
		set(additionKey(l, r.hour.Period, r.additions), &usersRecord{Sparse: r.fresh})
		r.fresh = r.fresh[:0]
		r.additions++
	}
	if !r.whole {
		return
	}
	r.whole = false
	for g := grainDay; g < grains; g++ {
		if u := &r.users[g]; u.dirty {
			u.dirty = false
			set(append(key44(nil, prefixUsers, l.tenant.number, l.number), byte(g)), u.record())
		}
	}
}

// seriesKey is the key of a closed period's record. Months are in the order that
// bills are made in, hours and days in that of a license's history.
func seriesKey(g grain, l *license, number uint32) []byte {
	switch g {
	case grainHour:
		return key444(nil, prefixHour, l.tenant.number, l.number, number)
	case grainDay:
		return key444(nil, prefixDay, l.tenant.number, l.number, number)
	default:
		return key444(nil, prefixUsage, l.tenant.number, number, l.number)
	}
}

// forgetHours drops the hours that become older than hoursKept as [from, to) pass.
// Every hour passes once, and a range would cost the more the more is pending.
func forgetHours(store *fsm.Store, l *license, from, to uint32) {
	for old := max(int64(from)-hoursKept, l.StartMillis/millisPerHour); old < int64(to)-hoursKept; old++ {
		store.Delete(seriesKey(grainHour, l, uint32(old)))
	}
}

// latest fills r with what the store keeps of the running periods.
func (l *license) latest(r *latestRecord) *latestRecord {
	*r = latestRecord{Month: l.usage, Taken: l.taken}
	if l.recent != nil {
		r.Day, r.Hour = l.recent.day, l.recent.hour
	}
	return r
}

func (u *userSet) record() *usersRecord { return &usersRecord{Sparse: u.sparse, Dense: u.dense} }
