package directory

import "time"

// A contract's own length is what it is renewed by: whole months where its
// days of the month agree, else days. Renewals count from the contract's
// start, so that one from 31 January does not wander to the 28th for good.

const millisPerDay = 24 * 60 * 60 * 1000

// maxTermMonths bounds the search for a length in months: the years that
// dates have.
const maxTermMonths = 12 * 9999

// addMonths returns the same day of the month n months later, or that month's
// last day where it is shorter.
func addMonths(millis, n int64) int64 {
	t := time.UnixMilli(millis).UTC()
	year, month, day := t.Date()
	first := time.Date(year, month+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(day, last)-1).UnixMilli()
}

// term returns the length of a contract from start to end, which is the first
// moment after it; both are midnights. An open end has none.
func term(start, end int64) (months, days int64) {
	if end <= start {
		return 0, 0
	}
	from, to := time.UnixMilli(start).UTC(), time.UnixMilli(end).UTC()
	months = int64(to.Year()-from.Year())*12 + int64(to.Month()) - int64(from.Month())
	if months > 0 && months <= maxTermMonths && addMonths(start, months) == end {
		return months, 0
	}
	return 0, (end - start) / millisPerDay
}

// renewed returns the first end after now of a contract that began at start,
// ended at end and goes on for its own length, again and again.
func renewed(start, end, months, days, now int64) int64 {
	switch {
	case months > 0:
		done := months
		for addMonths(start, done) < end {
			done += months
		}
		for end <= now {
			done += months
			end = addMonths(start, done)
		}
	case days > 0:
		length := days * millisPerDay
		if end <= now {
			end += ((now-end)/length + 1) * length
		}
	}
	return end
}
