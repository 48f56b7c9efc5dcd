package billing

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMonthEnds(t *testing.T) {
	for text, last := range map[string]string{
		"2025-01": "2025-01-31", "2025-02": "2025-02-28", "2024-02": "2024-02-29", "2000-02": "2000-02-29",
		"2100-02": "2100-02-28", "1900-02": "1900-02-28", "2025-04": "2025-04-30", "2025-11": "2025-11-30",
		"2025-12": "2025-12-31", "0001-01": "0001-01-31", "9999-12": "9999-12-31",
	} {
		m := month(t, text)
		require.Equal(t, last, m.Last().String())
		require.Equal(t, text+"-01", m.First().String())
		require.Equal(t, text, m.String())
		require.Equal(t, m, m.Last().Month())
	}
	require.Equal(t, Day(1), day(t, "0001-01-01"))
	require.Equal(t, lastDay, day(t, "9999-12-31"))
	require.Equal(t, unixEpoch, day(t, "1970-01-01"))
}

func TestDaysRefused(t *testing.T) {
	for _, text := range []string{"", "2025-02-29", "2025-13-01", "2025-00-01", "2025-1-1", "25-01-01", "0000-01-01", "2025-11-31", "2025-11-01T00:00:00Z", " 2025-11-01", "10000-01-01"} {
		_, err := ParseDay(text)
		require.ErrorIs(t, err, ErrDay, text)
	}
	for _, text := range []string{"", "2025-13", "2025-1", "0000-01", "2025-11-01", "2025"} {
		_, err := ParseMonth(text)
		require.ErrorIs(t, err, ErrMonth, text)
	}
	_, err := ParseRange("2025-11-02", "2025-11-01")
	require.ErrorIs(t, err, ErrRange)
	_, err = ParseRange("2025-11-02", "")
	require.ErrorIs(t, err, ErrDay)
	require.ErrorIs(t, Range{}.Validate(), ErrRange)
}

func TestDayAt(t *testing.T) {
	midnight := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	require.Equal(t, "2024-03-01", DayAt(midnight).String())
	require.Equal(t, "2024-02-29", DayAt(midnight-1).String())
	require.Equal(t, "1969-12-31", DayAt(-1).String())
	for _, outside := range []int64{math.MinInt64, math.MaxInt64, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC).UnixMilli()} {
		require.Zero(t, DayAt(outside))
	}
	require.Empty(t, Day(0).String())
	require.Zero(t, Day(0).Month())
}

func TestDayRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Day(rapid.Int32Range(1, int32(lastDay)).Draw(t, "day"))
		again, err := ParseDay(d.String())
		require.NoError(t, err)
		require.Equal(t, d, again)
		require.True(t, d.Month().Days().Holds(d))
		require.Equal(t, d, DayAt(d.date().UnixMilli()+rapid.Int64Range(0, millisPerDay-1).Draw(t, "millis")))
	})
}
