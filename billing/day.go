package billing

import (
	"errors"
	"fmt"
	"time"
)

// Day is a whole UTC day (contract: "Contract dates are whole UTC days"),
// counted in the Gregorian calendar from 0001-01-01 = 1. Zero is no day.
type Day int32

// Month is a calendar month in UTC, year × 12 + month − 1, as usage records
// count them. Zero is no month.
type Month int32

const (
	unixEpoch    Day   = 719163  // 1970-01-01
	lastDay      Day   = 3652059 // 9999-12-31
	firstMonth   Month = 12      // 0001-01
	lastMonth    Month = 9999*12 + 11
	millisPerDay       = 24 * 60 * 60 * 1000
)

// Errors of reading days and ranges.
var (
	// ErrDay: not a day of the years 1 to 9999 as YYYY-MM-DD.
	ErrDay = errors.New("not a day: want YYYY-MM-DD")
	// ErrMonth: not a month of the years 1 to 9999 as YYYY-MM.
	ErrMonth = errors.New("not a month: want YYYY-MM")
	// ErrRange: the first day is after the last one, or one is missing.
	ErrRange = errors.New("not a range of days: it ends before it begins")
)

// NewDay returns the day of a date of the years 1 to 9999. A day of month past
// the month's end counts on into the next one, as in time.Date.
func NewDay(year int, month time.Month, day int) Day {
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()/(24*60*60)) + unixEpoch
}

// DayAt returns the UTC day of a Unix time in milliseconds, or no day outside
// the years 1 to 9999.
func DayAt(unixMillis int64) Day {
	days := unixMillis / millisPerDay
	if unixMillis%millisPerDay < 0 {
		days--
	}
	if days <= -int64(unixEpoch) || days > int64(lastDay-unixEpoch) {
		return 0
	}
	return Day(days) + unixEpoch
}

// ParseDay reads YYYY-MM-DD; ErrDay for anything else.
func ParseDay(text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return 0, ErrDay
	}
	return NewDay(t.Date()), nil
}

func (d Day) date() time.Time { return time.Unix(int64(d-unixEpoch)*24*60*60, 0).UTC() }

// UnixMillis returns the first moment of d.
func (d Day) UnixMillis() int64 { return int64(d-unixEpoch) * millisPerDay }

// LastDay is the last day there is, 9999-12-31: the end of what has none.
const LastDay = lastDay

// String returns YYYY-MM-DD, and nothing for no day.
func (d Day) String() string {
	if d == 0 {
		return ""
	}
	return d.date().Format(time.DateOnly)
}

// Month returns the month that holds d; no month for no day.
func (d Day) Month() Month {
	if d == 0 {
		return 0
	}
	year, month, _ := d.date().Date()
	return NewMonth(year, month)
}

// NewMonth returns a month of the years 1 to 9999.
func NewMonth(year int, month time.Month) Month {
	return Month(year*12 + int(month) - 1)
}

// ParseMonth reads YYYY-MM; ErrMonth for anything else.
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse("2006-01", text)
	if err != nil || t.Year() < 1 {
		return 0, ErrMonth
	}
	return NewMonth(t.Year(), t.Month()), nil
}

func (m Month) split() (year int, month time.Month) { return int(m / 12), time.Month(m%12 + 1) }

// First returns the month's first day.
func (m Month) First() Day {
	year, month := m.split()
	return NewDay(year, month, 1)
}

// Last returns the month's last day.
func (m Month) Last() Day { return (m + 1).First() - 1 }

// Days returns the whole month as a range.
func (m Month) Days() Range { return Range{m.First(), m.Last()} }

// String returns YYYY-MM.
func (m Month) String() string { return string(m.append(nil)) }

func (m Month) append(b []byte) []byte {
	year, month := m.split()
	return append(b, byte('0'+year/1000%10), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10),
		'-', byte('0'+month/10), byte('0'+month%10))
}

// Range is whole UTC days, both ends included. A range that ends before it
// begins holds no day.
type Range struct {
	Start, End Day
}

// ParseRange reads the start_date and end_date of a request; ErrDay or
// ErrRange.
func ParseRange(start, end string) (Range, error) {
	first, err := ParseDay(start)
	if err != nil {
		return Range{}, fmt.Errorf("start: %w", err)
	}
	last, err := ParseDay(end)
	if err != nil {
		return Range{}, fmt.Errorf("end: %w", err)
	}
	r := Range{first, last}
	return r, r.Validate()
}

// Validate returns ErrRange where r holds no day.
func (r Range) Validate() error {
	if r.Start <= 0 || r.End < r.Start || r.End > lastDay {
		return ErrRange
	}
	return nil
}

// Count returns how many days r holds.
func (r Range) Count() int64 { return max(0, int64(r.End)-int64(r.Start)+1) }

// Holds reports whether d is in r.
func (r Range) Holds(d Day) bool { return r.Start <= d && d <= r.End }

func (r Range) intersect(o Range) Range {
	return Range{max(r.Start, o.Start), min(r.End, o.End)}
}

// touches reports whether a day of m is in r.
func (r Range) touches(m Month) bool { return r.intersect(m.Days()).Count() > 0 }

// whole reports whether r holds every day of its month.
func (r Range) whole() bool { return r == r.Start.Month().Days() }

// String returns the one day, or both.
func (r Range) String() string {
	if r.Start == r.End {
		return r.Start.String()
	}
	return r.Start.String() + " to " + r.End.String()
}
