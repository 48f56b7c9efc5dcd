package directory

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTerms: a contract's own length, and the ends that follow. Days are as
// contracts have them, both included.
func TestTerms(t *testing.T) {
	for _, c := range []struct {
		name, start, end string
		months, days     int64
		ends             []string
	}{
		{"a year", "2025-01-01", "2025-12-31", 12, 0, []string{"2026-12-31", "2027-12-31"}},
		{"a leap year", "2024-01-01", "2024-12-31", 12, 0, []string{"2025-12-31", "2026-12-31"}},
		{"from a leap day", "2024-02-29", "2025-02-27", 12, 0, []string{"2026-02-27", "2027-02-27", "2028-02-28", "2029-02-27"}},
		{"up to a leap day", "2023-03-01", "2024-02-29", 12, 0, []string{"2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"}},
		{"a month", "2025-02-01", "2025-02-28", 1, 0, []string{"2025-03-31", "2025-04-30"}},
		{"a month from the 31st", "2025-01-31", "2025-02-27", 1, 0, []string{"2025-03-30", "2025-04-29", "2025-05-30"}},
		{"a month from the 30th", "2024-01-30", "2024-02-28", 1, 0, []string{"2024-03-29", "2024-04-29"}},
		{"a quarter", "2025-11-30", "2026-02-27", 3, 0, []string{"2026-05-29", "2026-08-29", "2026-11-29", "2027-02-27"}},
		{"one day", "2025-05-05", "2025-05-05", 0, 1, []string{"2025-05-06", "2025-05-07"}},
		{"thirty days", "2025-01-01", "2025-01-30", 0, 30, []string{"2025-03-01", "2025-03-31"}},
		{"mid-month to mid-month", "2025-01-15", "2025-07-14", 6, 0, []string{"2026-01-14", "2026-07-14"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			start, end := dayMillisOf(c.start), dayMillisOf(c.end)+millisPerDay
			months, days := term(start, end)
			require.Equal(t, c.months, months)
			require.Equal(t, c.days, days)
			for _, want := range c.ends {
				end = renewed(start, end, months, days, end)
				require.Equal(t, want, day(end-1))
			}
		})
	}
	months, days := term(dayMillisOf("2025-01-01"), 0)
	require.Zero(t, months+days, "an open end has no length")
}

// TestRenewalsTile: whatever the contract, each renewal begins where the one
// before ended, and one that comes late ends where several in time would.
func TestRenewalsTile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		start := time.Date(2020+r.IntN(10), time.Month(1+r.IntN(12)), 1+r.IntN(31), 0, 0, 0, 0, time.UTC).UnixMilli()
		end := start + int64(1+r.IntN(800))*millisPerDay
		if r.IntN(2) == 0 {
			end = addMonths(start, 1+r.Int64N(36))
		}
		months, days := term(start, end)
		require.True(t, (months > 0) != (days > 0))
		require.Equal(t, end, renewed(start, end, months, days, end-1), "not before its end")
		step := end
		for range 5 {
			next := renewed(start, step, months, days, step)
			require.Greater(t, next, step)
			require.Less(t, next-step, 2*(end-start)+4*millisPerDay)
			step = next
		}
		require.Equal(t, step, renewed(start, end, months, days, step-1))
	}
}
