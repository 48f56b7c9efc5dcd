package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// desk is a system in memory whose calls all wait for stalled to be unlocked.
type desk struct {
	stalled sync.RWMutex
	inUse   atomic.Int64
	calls   atomic.Int64
	highest atomic.Int64 // pool asked for
	full    bool
	broken  error
	drift   int64 // added to the counter that Verify tells
	lost    int64 // taken from the leases and their counter
	batch   int64 // seats that a call moves; 0: one
	silent  bool
}

func (d *desk) Caller(context.Context, int) (Caller, error) { return &visitor{desk: d}, nil }

func (d *desk) Verify(context.Context) (Account, error) {
	if d.silent {
		return Account{}, ErrNoAccount
	}
	live := d.inUse.Load() - d.lost
	a := Account{Counted: live + d.drift, Leases: live}
	if a.Counted != a.Leases {
		return a, errors.New("counters and leases differ")
	}
	return a, nil
}

type visitor struct {
	desk  *desk
	holds bool
}

func (v *visitor) Checkout(pool int) error {
	if v.holds {
		return errors.New("a second seat")
	}
	v.desk.call(pool)
	switch {
	case v.desk.full:
		return ErrRefused
	case v.desk.broken != nil:
		return v.desk.broken
	}
	v.desk.inUse.Add(max(v.desk.batch, 1))
	v.holds = true
	return nil
}

func (d *desk) call(pool int) {
	d.stalled.RLock()
	defer d.stalled.RUnlock()
	d.calls.Add(1)
	d.highest.Store(max(d.highest.Load(), int64(pool)))
	time.Sleep(50 * time.Microsecond)
}

func (v *visitor) Return() error {
	if !v.holds {
		return errors.New("nothing to return")
	}
	v.desk.call(0)
	v.desk.inUse.Add(-max(v.desk.batch, 1))
	v.holds = false
	return nil
}

func (v *visitor) Close() error {
	if v.holds {
		return v.Return()
	}
	return nil
}

func TestClosedLoop(t *testing.T) {
	d := &desk{}
	var progress Progress
	var measuring atomic.Bool
	r, err := Run(t.Context(), d, Options{
		System: "desk", Scenario: "spread", Callers: 4, Pools: 10, Seed: 1, Dir: t.TempDir(),
		Duration: 1100 * time.Millisecond, Warmup: 100 * time.Millisecond,
		Progress: func(p Progress) { progress = p }, Measuring: func() { measuring.Store(true) },
	})
	require.NoError(t, err)
	require.Empty(t, r.Errors)
	require.Zero(t, r.Failed)
	require.Zero(t, r.Refused)
	require.Equal(t, d.inUse.Load()+r.Account.Held, r.Account.Leases, "what was held is given back")
	require.Zero(t, d.inUse.Load())
	require.Greater(t, r.Operations, int64(100))
	require.Less(t, r.Operations, d.calls.Load(), "the warm-up does not count")
	require.Len(t, r.PerSecond, 1)
	require.InDelta(t, float64(r.Operations)/1.1, r.OpsPerSecond, 1)
	require.Greater(t, r.Latency.P50, 50.0, "microseconds")
	require.Less(t, r.Latency.P50, 50_000.0, "microseconds")
	require.Equal(t, int64(9), d.highest.Load())
	require.Equal(t, progress.Total, progress.Elapsed)
	require.Greater(t, r.FsyncMicros, 1.0)
	require.NotEmpty(t, r.Machine.CPU)
	require.True(t, measuring.Load())
}

// In an open loop, what becomes due during a stall has waited since it was due.
// A closed loop sees the stall once per caller and calls it an outlier.
func TestStallShowsInOpenLoopOnly(t *testing.T) {
	measure := func(rate float64) Result {
		d := &desk{}
		stall := sync.OnceFunc(func() {
			d.stalled.Lock()
			time.AfterFunc(300*time.Millisecond, d.stalled.Unlock)
		})
		r, err := Run(t.Context(), d, Options{
			Scenario: "hot", Callers: 8, Rate: rate, Duration: time.Second, Measuring: stall,
		})
		require.NoError(t, err)
		require.Empty(t, r.Errors)
		return r
	}
	open := measure(1000)
	require.Greater(t, open.Latency.P90, 100_000.0, "30 % of the operations were due during the stall")
	require.Greater(t, open.Latency.P99, 200_000.0)
	require.InDelta(t, 1000, open.Operations, 10, "none is skipped")
	closed := measure(0)
	require.Less(t, closed.Latency.P99, 100_000.0)
	require.Greater(t, closed.Latency.Max, 200_000.0)
}

// A rate beyond what the system takes shows as waiting time, not as a lower rate.
func TestOverload(t *testing.T) {
	r, err := Run(t.Context(), &desk{}, Options{Scenario: "hot", Callers: 1, Rate: 20_000, Duration: 20 * time.Millisecond, Warmup: 10 * time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, int64(400), r.Operations+r.Failed)
	require.Greater(t, r.Latency.P50, 1000.0)
	require.Greater(t, r.Seconds, 0.03)
}

func TestRefusalsAreNoOperations(t *testing.T) {
	r, err := Run(t.Context(), &desk{full: true}, Options{Scenario: "hot", Callers: 2, Duration: 50 * time.Millisecond})
	require.NoError(t, err)
	require.Zero(t, r.Operations)
	require.Zero(t, r.Failed)
	require.Positive(t, r.Refused)
}

func TestFailuresAreTold(t *testing.T) {
	r, err := Run(t.Context(), &desk{broken: errors.New("out of order")}, Options{Scenario: "hot", Callers: 2, Duration: 50 * time.Millisecond})
	require.NoError(t, err)
	require.Zero(t, r.Operations)
	require.Positive(t, r.Failed)
	require.Equal(t, []string{"out of order"}, r.Errors)
}

func TestAccountsThatDisagreeAreAnError(t *testing.T) {
	r, err := Run(t.Context(), &desk{drift: 1}, Options{Scenario: "hot", Callers: 2, Duration: 50 * time.Millisecond})
	require.ErrorContains(t, err, "counters and leases differ")
	require.Positive(t, r.Operations)
	require.Equal(t, r.Account.Leases+1, r.Account.Counted)
}

// A system that counts rightly and has lost a lease, or has one too many, is found
// by what the callers hold.
func TestLeasesThatNobodyHoldsAreAnError(t *testing.T) {
	o := Options{Scenario: "hot", Callers: 2, Duration: 50 * time.Millisecond}
	for _, lost := range []int64{-1, 1} {
		r, err := Run(t.Context(), &desk{lost: lost}, o)
		require.ErrorContains(t, err, "leases are live where the callers hold")
		require.Equal(t, r.Account.Leases, r.Account.Held-lost)
	}
	o.Shared = true
	_, err := Run(t.Context(), &desk{lost: -1}, o)
	require.NoError(t, err, "another one's")
	_, err = Run(t.Context(), &desk{lost: 1}, o)
	require.Error(t, err)
	o.Shared = false
	_, err = Run(t.Context(), &desk{lost: 1, silent: true}, o)
	require.NoError(t, err)
}

// Operations are counted one by one, whatever a request holds.
func TestBatches(t *testing.T) {
	var last Progress
	r, err := Run(t.Context(), &desk{batch: 10}, Options{
		Scenario: "hot", Callers: 2, Batch: 10, Rate: 1000, Duration: 500 * time.Millisecond, Progress: func(p Progress) { last = p },
	})
	require.NoError(t, err)
	require.Zero(t, r.Operations%10)
	require.Equal(t, int64(500), r.Operations+r.Failed, "a rate of operations, not of requests")
	require.Zero(t, last.Operations%10)
	require.Positive(t, last.Operations)
}

func TestLatencyUnits(t *testing.T) {
	h := newHistogram()
	for i := 1; i <= 1000; i++ {
		record(h, time.Duration(i)*time.Microsecond)
	}
	record(h, 24*time.Hour)
	l := latencyOf(h)
	require.InEpsilon(t, 500, l.P50, 0.01)
	require.InEpsilon(t, 900, l.P90, 0.01)
	require.InEpsilon(t, 990, l.P99, 0.01)
	require.InEpsilon(t, longestWait/1000, l.Max, 0.01)
}

func TestParseStat(t *testing.T) {
	p, ok := parseStat("42 (a (b) c) S 7 42 42 0 -1 4194304 1 2 3 4 11 22 33 44 20 0 1 0 5 6 7\n")
	require.True(t, ok)
	require.Equal(t, process{parent: 7, ticks: 110}, p)
	_, ok = parseStat("42 (short) S 7")
	require.False(t, ok)
}

func TestParseBusy(t *testing.T) {
	require.InDelta(t, 3.1, parseBusy("cpu  100 10 50 9999 999 20 30 100 7 7"), 1e-9)
	require.Zero(t, parseBusy("cpu  a"))
	require.Positive(t, machineBusy())
}

// A server's CPU time includes that of its children.
func TestCPUTimeOfThisProcess(t *testing.T) {
	for begin := time.Now(); cpuUsed(nil).client < 0.1 && time.Since(begin) < 10*time.Second; {
	}
	used := cpuUsed([]int{1})
	require.Greater(t, used.client, 0.09)
	require.GreaterOrEqual(t, used.servers, 0.0)
}
