package license

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// requireDue demands that every pool with live leases has its place, and that no
// bound exceeds what it bounds.
func requireDue(t require.TestingT, s *state, pools []*license) {
	for i, p := range s.due {
		require.Equal(t, i, int(p.heapPos))
		if i > 0 {
			require.False(t, poolBefore(p, s.due[(i-1)/2]), "a heap")
		}
	}
	idle := 0
	for _, p := range pools {
		if len(p.leases) == 0 {
			if p.heapPos >= 0 {
				idle++
			}
			continue
		}
		require.GreaterOrEqual(t, int(p.heapPos), 0)
		require.Same(t, p, s.due[p.heapPos])
		require.LessOrEqual(t, p.bound, p.leases[0].bound)
		for _, l := range p.leases {
			require.LessOrEqual(t, p.leases[0].bound, l.bound)
			require.LessOrEqual(t, l.bound, s.expiry(l))
		}
	}
	require.Equal(t, idle, s.idle)
}

// Whatever was corrected when, leases expire in the order of their expiry, then of
// their pools, then of their ids.
func TestLeasesExpireInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, owner := &state{clock: 1000}, &tenant{number: 1}
		pools := make([]*license, rapid.IntRange(1, 5).Draw(rt, "pools"))
		for i := range pools {
			pools[i] = &license{number: uint32(i + 1), tenant: owner, heapPos: -1}
		}
		live := map[uint64]*lease{}
		pick := func() *lease {
			ids := []uint64{}
			for id := range live {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			return live[rapid.SampledFrom(ids).Draw(rt, "lease")]
		}
		var next uint64
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) { requireDue(rt, s, pools) },
			"grant": func(rt *rapid.T) {
				next++
				l := &lease{id: next, license: rapid.SampledFrom(pools).Draw(rt, "pool"), ttl: int32(rapid.IntRange(1, 30).Draw(rt, "ttl"))}
				l.expires = s.clock + int64(l.ttl)
				s.schedule(l)
				live[l.id] = l
			},
			"end": func(rt *rapid.T) {
				if len(live) == 0 {
					rt.Skip()
				}
				l := pick()
				s.unschedule(l)
				delete(live, l.id)
			},
			"heartbeat": func(rt *rapid.T) {
				if len(live) == 0 {
					rt.Skip()
				}
				l := pick()
				l.expires = max(l.expires, s.clock+int64(l.ttl))
			},
			"lead":   func(*rapid.T) { s.leadSince = s.clock },
			"keepUp": func(rt *rapid.T) { s.keepUp(rapid.IntRange(1, 4).Draw(rt, "most")) },
			"pass": func(rt *rapid.T) {
				s.clock += int64(rapid.IntRange(0, 20).Draw(rt, "ms"))
				var want, got []uint64
				for id, l := range live {
					if s.expiry(l) <= s.clock {
						want = append(want, id)
					}
				}
				slices.SortFunc(want, func(a, b uint64) int {
					x, y := live[a], live[b]
					if d := s.expiry(x) - s.expiry(y); d != 0 {
						return int(d)
					}
					if d := int(x.license.number) - int(y.license.number); d != 0 {
						return d
					}
					return int(a) - int(b)
				})
				for s.due.bound() <= s.clock {
					if pool := s.due[0]; !s.raise(pool) {
						l := pool.leases[0]
						s.unschedule(l)
						got = append(got, l.id)
						delete(live, l.id)
					}
				}
				require.Equal(rt, want, got)
			},
		})
	})
}

// A pool whose leases have ended leaves its place once the clock has reached its
// bound, or where there are too many of its kind.
func TestEmptyPoolsLeave(t *testing.T) {
	s, owner := &state{clock: 1000}, &tenant{number: 1}
	for i := range 100 {
		l := &lease{id: uint64(i + 1), license: &license{number: uint32(i + 1), tenant: owner, heapPos: -1}, ttl: 10, expires: 1010}
		s.schedule(l)
		s.unschedule(l)
	}
	s.keepUp(1000)
	require.Len(t, s.due, 100, "none is due")
	s.clock = 1010
	s.keepUp(40)
	require.Len(t, s.due, 60)
	s.keepUp(1000)
	require.Empty(t, s.due)
	require.Equal(t, never, s.bound())
	require.Zero(t, s.idle)
	for i := range 2 * mostIdle {
		l := &lease{id: uint64(i + 1), license: &license{number: uint32(i + 1), tenant: owner, heapPos: -1}, ttl: 10, expires: 1020}
		s.schedule(l)
		s.unschedule(l)
	}
	require.Len(t, s.due, mostIdle)
}
