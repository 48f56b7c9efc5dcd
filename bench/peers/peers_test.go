package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/etcd"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
)

func TestMain(m *testing.M) {
	etcd.BecomeNode()
	os.Exit(m.Run())
}

// TestPeers runs every scheme of every peer for real. A peer that is not on the
// machine is installed.
func TestPeers(t *testing.T) {
	for _, p := range peers {
		t.Run(p.Name(), func(t *testing.T) {
			require.NoError(t, p.Install(t.Context()))
			dir, err := workspace(os.TempDir(), p.Name())
			require.NoError(t, err, "set TMPDIR to a folder on a disk that every user can reach")
			t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
			c, err := p.Start(t.Context(), dir)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, c.Stop()) })
			require.NotEmpty(t, c.Settings()["version"])
			for _, s := range p.Schemes() {
				t.Run(s.Name, func(t *testing.T) {
					t.Run("one seat", func(t *testing.T) { oneSeat(t, c, s.Name) })
					t.Run("last seats", func(t *testing.T) { lastSeats(t, c, s.Name) })
					t.Run("load", func(t *testing.T) { underLoad(t, p, c, s.Name) })
					t.Run("no quorum", func(t *testing.T) { noQuorum(t, c, s.Name) })
				})
			}
		})
	}
}

func prepare(t *testing.T, c peer.Cluster, job peer.Job) load.Target {
	t.Helper()
	target, err := c.Prepare(t.Context(), job)
	require.NoError(t, err)
	return target
}

func callers(t *testing.T, target load.Target, n int) []load.Caller {
	t.Helper()
	all := make([]load.Caller, n)
	for i := range all {
		var err error
		all[i], err = target.Caller(t.Context(), i)
		require.NoError(t, err)
	}
	return all
}

func requireInUse(t *testing.T, target load.Target, n int64) {
	t.Helper()
	account, err := target.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, load.Account{Counted: n, Leases: n}, account)
}

// oneSeat: the second checkout is refused until the first is returned, and a
// caller that goes away returns what it holds.
func oneSeat(t *testing.T, c peer.Cluster, scheme string) {
	target := prepare(t, c, peer.Job{Scheme: scheme, Pools: 2, Seats: 1})
	both := callers(t, target, 2)
	require.NoError(t, both[0].Checkout(1))
	require.ErrorIs(t, both[1].Checkout(1), load.ErrRefused)
	requireInUse(t, target, 1)
	require.NoError(t, both[1].Checkout(0), "another pool has a seat of its own")
	requireInUse(t, target, 2)
	require.NoError(t, both[1].Return())
	require.NoError(t, both[0].Return())
	require.NoError(t, both[1].Checkout(1))
	requireInUse(t, target, 1)
	for _, caller := range both {
		require.NoError(t, caller.Close())
	}
	requireInUse(t, target, 0)
}

// lastSeats: of many who ask at once, as many get one as there are seats.
func lastSeats(t *testing.T, c peer.Cluster, scheme string) {
	const seats = 5
	target := prepare(t, c, peer.Job{Scheme: scheme, Pools: 1, Seats: seats})
	all := callers(t, target, 4*seats)
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, caller := range all {
		wg.Go(func() { errs[i] = caller.Checkout(0) })
	}
	wg.Wait()
	granted := int64(0)
	for _, err := range errs {
		if err == nil {
			granted++
		} else {
			require.ErrorIs(t, err, load.ErrRefused)
		}
	}
	require.EqualValues(t, seats, granted)
	requireInUse(t, target, seats)
	for _, caller := range all {
		require.NoError(t, caller.Close())
	}
	requireInUse(t, target, 0)
}

// underLoad: a short run ends with equal books and no failure.
func underLoad(t *testing.T, p peer.Peer, c peer.Cluster, scheme string) {
	const pools = 4
	target := prepare(t, c, peer.Job{Scheme: scheme, Pools: pools, Seats: fewestSeats})
	r, err := load.Run(t.Context(), target, load.Options{
		System: p.Name(), Scheme: scheme, Scenario: scenarioSpread,
		Callers: 8, Pools: pools, Duration: time.Second, Servers: c.Processes(),
	})
	require.NoError(t, err)
	require.Positive(t, r.Operations)
	require.Positive(t, r.ServerCPU, "the servers' processes are those that work")
	require.Zero(t, r.Failed, "%q", r.Errors)
	require.Zero(t, r.Refused)
	require.Equal(t, load.Account{Counted: r.Account.Held, Leases: r.Account.Held, Held: r.Account.Held}, r.Account)
}

// noQuorum: while two of three servers stand still nothing is acknowledged, and
// afterwards the call ends well.
func noQuorum(t *testing.T, c peer.Cluster, scheme string) {
	target := prepare(t, c, peer.Job{Scheme: scheme, Pools: 1, Seats: 1})
	caller := callers(t, target, 1)[0]
	followers := c.Processes()[1:]
	signalAll(t, followers, syscall.SIGSTOP)
	answered := make(chan error, 1)
	go func() { answered <- caller.Checkout(0) }()
	select {
	case err := <-answered:
		signalAll(t, followers, syscall.SIGCONT)
		t.Fatalf("answered without a quorum: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	signalAll(t, followers, syscall.SIGCONT)
	require.NoError(t, <-answered)
	requireInUse(t, target, 1)
	require.NoError(t, caller.Close())
	requireInUse(t, target, 0)
}

// signalAll signals processes and their descendants.
func signalAll(t *testing.T, ids []int, sig syscall.Signal) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, syscall.Kill(id, sig))
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", id, id))
		require.NoError(t, err)
		for _, field := range strings.Fields(string(children)) {
			child, err := strconv.Atoi(field)
			require.NoError(t, err)
			signalAll(t, []int{child}, sig)
		}
	}
}
