package cluster_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/internal/freeport"
)

// rig is a cluster of real nodes in this process, on real sockets and disks.
type rig struct {
	t      *testing.T
	dir    string
	names  []string
	raft   map[string]string
	gossip map[string]string
	tuning cluster.Tuning
	change func(*cluster.Config)

	mu    sync.Mutex
	nodes map[string]*cluster.Node
	toys  map[string]map[cluster.GroupID]*toy
	fatal map[string]error
}

func newRig(t *testing.T, size int) *rig {
	r := &rig{
		t: t, dir: t.TempDir(), raft: map[string]string{}, gossip: map[string]string{},
		nodes: map[string]*cluster.Node{}, toys: map[string]map[cluster.GroupID]*toy{}, fatal: map[string]error{},
		tuning: cluster.Tuning{SnapshotEntries: 50, SegmentBytes: 64 << 10},
	}
	for i := range size {
		name := fmt.Sprintf("n%d", i+1)
		r.names = append(r.names, name)
		r.raft[name], r.gossip[name] = freeAddr(t), freeAddr(t)
	}
	t.Cleanup(func() {
		for _, name := range r.names {
			r.stop(name)
		}
	})
	return r
}

func freeAddr(t *testing.T) string {
	addr, err := freeport.Addr()
	require.NoError(t, err)
	return addr
}

func (r *rig) config(name string) cluster.Config {
	var join []string
	for _, other := range r.names {
		join = append(join, r.gossip[other])
	}
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	cfg := cluster.Config{
		NodeID: name, DataDir: filepath.Join(r.dir, name), RaftAddr: r.raft[name], GossipAddr: r.gossip[name],
		Join: join, BootstrapExpect: len(r.names), Groups: 2, Replicas: 3, Region: "eu-central", HTTPURL: "http://" + name,
		NewMachine: func(id cluster.GroupID, dir string) (cluster.Machine, error) {
			m, err := openToy(dir)
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.toys[name] == nil {
				r.toys[name] = map[cluster.GroupID]*toy{}
			}
			r.toys[name][id] = m
			return m, err
		},
		Fatal: func(err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.fatal[name] = err
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
		Tuning: r.tuning,
	}
	if r.change != nil {
		r.change(&cfg)
	}
	return cfg
}

func (r *rig) start(names ...string) {
	for _, name := range names {
		n, err := cluster.Start(r.config(name))
		require.NoError(r.t, err)
		r.mu.Lock()
		r.nodes[name] = n
		r.mu.Unlock()
	}
}

func (r *rig) stop(name string) {
	r.mu.Lock()
	n := r.nodes[name]
	delete(r.nodes, name)
	r.mu.Unlock()
	if n == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(r.t, n.Shutdown(ctx))
}

func (r *rig) ready(names ...string) {
	for _, name := range names {
		select {
		case <-r.nodes[name].Ready():
		case <-time.After(30 * time.Second):
			r.t.Fatalf("node %s is not ready", name)
		}
	}
}

// leader waits for a group's leader.
func (r *rig) leader(id cluster.GroupID) string {
	var leader string
	require.Eventually(r.t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for name, n := range r.nodes {
			if n.Leads(id) {
				leader = name
				return true
			}
		}
		return false
	}, 20*time.Second, 5*time.Millisecond)
	return leader
}

// propose repeats until the outcome is known.
func (r *rig) propose(name string, id cluster.GroupID, command []byte) int64 {
	var sum int64
	require.Eventually(r.t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		reply, err := r.nodes[name].Propose(ctx, id, command)
		if err != nil {
			return false
		}
		sum = int64(binary.BigEndian.Uint64(reply.Value))
		return true
	}, 20*time.Second, 5*time.Millisecond)
	return sum
}

func TestThreeNodesFormAndCommit(t *testing.T) {
	r := newRig(t, 3)
	r.start(r.names...)
	r.ready(r.names...)

	var want int64
	for i := range 30 {
		want++
		name := r.names[i%3]
		require.Equal(t, want, r.propose(name, 1, add(fmt.Sprint("a", i), 1)))
	}
	// The same id again changes nothing.
	require.Equal(t, int64(5), r.propose("n2", 1, add("a4", 1)))

	ctx := context.Background()
	for _, name := range r.names {
		reply, err := r.nodes[name].Query(ctx, 1, nil, cluster.ReadOptions{Linearizable: true})
		require.NoError(t, err)
		require.Equal(t, want, int64(binary.BigEndian.Uint64(reply.Value)), "linearizable read at %s", name)

		local, err := r.nodes[name].Query(ctx, 1, nil, cluster.ReadOptions{MinIndex: reply.Index})
		require.NoError(t, err)
		require.Equal(t, want, int64(binary.BigEndian.Uint64(local.Value)))
		require.GreaterOrEqual(t, local.StalenessMillis, int64(0))
	}
	require.Equal(t, map[cluster.GroupID][]string{1: r.names, 2: r.names}, r.nodes["n1"].Placement())
}

// The pulse is what idle followers hear: of Raft's own timers they would hear some four
// times a second here, every 200–400 ms the commit index and every 1–2 s a heartbeat.
func TestPulseIsHeard(t *testing.T) {
	r := newRig(t, 3)
	r.tuning.ElectionTimeout = 2 * time.Second
	r.start(r.names...)
	r.ready(r.names...)
	leader := r.leader(1)
	follower := r.nodes[r.names[0]]
	if leader == r.names[0] {
		follower = r.nodes[r.names[1]]
	}
	require.Eventually(t, func() bool {
		heard := map[time.Time]bool{}
		look := time.NewTicker(2 * time.Millisecond)
		defer look.Stop()
		for began := time.Now(); time.Since(began) < time.Second; <-look.C {
			heard[follower.LastContact(1)] = true
		}
		return len(heard) >= 9
	}, 20*time.Second, time.Millisecond, "ten pulses a second")
}
