package license

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestWindow: no span of sixty slots, wherever it begins, ever holds more than
// the limit; room is back when the window says so, and not later than a slot
// after the oldest event is that old; and a stored window goes on the same.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := int64(rapid.IntRange(1, 5).Draw(t, "limit"))
		slot := rapid.SampledFrom([]int64{slotOfMinute, slotOfHour}).Draw(t, "slot")
		span := 60 * slot
		now := int64(1_700_000_000_000)
		var w *window
		var events []int64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += int64(rapid.IntRange(0, 40).Draw(t, "pause")) * slot * int64(rapid.IntRange(0, 100).Draw(t, "part")) / 100
			r := w.rate(RateKeyMinute, limit, now, slot)
			within := int64(0)
			for _, e := range events {
				if e > now-span {
					within++
				}
			}
			require.LessOrEqual(t, within, limit)
			if r.Remaining == 0 {
				require.Positive(t, r.AfterMillis)
				require.Zero(t, w.rate(RateKeyMinute, limit, now+r.AfterMillis-1, slot).Remaining)
				require.Positive(t, w.rate(RateKeyMinute, limit, now+r.AfterMillis, slot).Remaining)
				require.LessOrEqual(t, now+r.AfterMillis, events[len(events)-int(limit)]+span+slot)
			} else {
				if w == nil {
					w = new(window)
				}
				w.add(now / slot)
				events = append(events, now)
			}
			if w != nil {
				require.Equal(t, *w, *newWindow(w.record()))
			}
		}
	})
}
