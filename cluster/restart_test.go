package cluster_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/cluster"
)

// sum reads linearizably.
func (r *rig) sum(name string, id cluster.GroupID) int64 {
	var sum int64
	require.Eventually(r.t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		reply, err := r.nodes[name].Query(ctx, id, nil, cluster.ReadOptions{Linearizable: true})
		if err != nil {
			return false
		}
		sum = int64(binary.BigEndian.Uint64(reply.Value))
		return true
	}, 20*time.Second, 5*time.Millisecond)
	return sum
}

// state reads a replica's whole state once it has applied what the leader has.
func (r *rig) state(name string, id cluster.GroupID) toyState {
	leader := r.leader(id)
	at, err := r.nodes[leader].Query(context.Background(), id, nil, cluster.ReadOptions{})
	require.NoError(r.t, err)
	var s toyState
	require.Eventually(r.t, func() bool {
		reply, err := r.nodes[name].Query(context.Background(), id, []byte("state"), cluster.ReadOptions{MinIndex: at.Index})
		return err == nil && json.Unmarshal(reply.Value, &s) == nil
	}, 20*time.Second, 10*time.Millisecond)
	return s
}

func TestFullRestartKeepsWhatWasAcknowledged(t *testing.T) {
	r := newRig(t, 3)
	r.start(r.names...)
	r.ready(r.names...)
	var total int64
	for round := range 3 {
		for i := range 120 { // more than two snapshots' worth
			total++
			require.Equal(t, total, r.propose(r.names[i%3], 1, add(fmt.Sprintf("r%d-%d", round, i), 1)))
		}
		for _, name := range r.names {
			r.stop(name)
		}
		r.start(r.names...)
		r.ready(r.names...)
		for _, name := range r.names {
			require.Equal(t, total, r.sum(name, 1))
			require.Len(t, r.state(name, 1).Seen, int(total))
		}
	}
	require.Empty(t, r.fatal)
}

// startIdle starts all nodes, and returns the leader of group 1 once each of them
// has its one write, a sum of 7.
func (r *rig) startIdle() (leader string) {
	r.start(r.names...)
	r.ready(r.names...)
	r.propose("n1", 1, add("a", 7))
	for _, name := range r.names {
		require.Equal(r.t, int64(7), r.state(name, 1).Sum)
	}
	return r.leader(1)
}

// Of what is committed a follower knows nothing after its start, and nobody writes
// here by which it would hear of it.
func TestFollowerThatComesBackToAnIdleGroupIsTold(t *testing.T) {
	r := newRig(t, 3)
	leader := r.startIdle()
	for _, name := range r.names {
		if name == leader {
			continue
		}
		r.stop(name)
		r.start(name)
		require.Equal(t, int64(7), r.state(name, 1).Sum)
	}
}

// A follower in a later term refuses its leader's heartbeats, and may be too far
// away to be heard before the other follower has confirmed the leader. It follows
// again, although nobody writes.
func TestFollowerInALaterTermOfAnIdleGroupIsFound(t *testing.T) {
	r, net := newRig(t, 3), newNetwork()
	net.between(r)
	leader := r.startIdle()
	others := slices.DeleteFunc(slices.Clone(r.names), func(name string) bool { return name == leader })
	far := others[0]
	net.mu.Lock()
	net.delay[[2]string{leader, far}] = 15 * time.Millisecond
	net.mu.Unlock()
	require.NoError(t, r.nodes[leader].AskForVote(1, far, r.raft[far], others[1]))
	require.Eventually(t, func() bool { return r.nodes[far].LeaderOf(1) == "" }, 5*time.Second, time.Millisecond, "it has left its leader")
	require.Eventually(t, func() bool { return r.nodes[far].LeaderOf(1) != "" }, 20*time.Second, 5*time.Millisecond)
}

func TestNodeThatLostItsFolderLearnsBeforeItVotes(t *testing.T) {
	r := newRig(t, 3)
	r.start(r.names...)
	r.ready(r.names...)
	for i := range 200 {
		r.propose("n1", 1, add(fmt.Sprint("a", i), 1))
	}
	r.stop("n3")
	for i := range 200 {
		r.propose("n1", 1, add(fmt.Sprint("b", i), 1))
	}
	require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "n3")))
	r.start("n3")
	r.ready("n3")
	require.Equal(t, int64(400), r.state("n3", 1).Sum)

	// It becomes a voter again: the group survives the loss of another node.
	require.Eventually(t, func() bool {
		for _, g := range r.nodes["n1"].Groups(context.Background()) {
			for _, replica := range g.Replicas {
				if (replica.Role != "leader" && replica.Role != "follower") || len(g.Replicas) != 3 {
					return false
				}
			}
		}
		return true
	}, 20*time.Second, 50*time.Millisecond)
	r.stop("n1")
	require.Equal(t, int64(401), r.propose("n3", 1, add("last", 1)))
}

func TestLateNodeLearnsTheDirectory(t *testing.T) {
	r := newRig(t, 3)
	r.start(r.names...)
	r.ready(r.names...)
	r.propose("n1", 0, add("x", 7))
	r.propose("n1", 1, add("y", 5))

	r.raft["n4"], r.gossip["n4"] = freeAddr(t), freeAddr(t)
	r.names = append(r.names, "n4")
	r.change = func(c *cluster.Config) { c.BootstrapExpect = 0 }
	r.start("n4")
	r.ready("n4")
	require.Equal(t, int64(7), r.state("n4", 0).Sum)
	// It has no replica of group 1, and is served all the same.
	require.Equal(t, int64(6), r.propose("n4", 1, add("z", 1)))
	require.Equal(t, int64(6), r.sum("n4", 1))
}

func TestNodeOfAnotherClusterIsRefused(t *testing.T) {
	r := newRig(t, 1)
	r.start("n1")
	r.ready("n1")
	require.NoError(t, r.nodes["n1"].AdoptClusterID("one"))
	require.Error(t, r.nodes["n1"].AdoptClusterID("two"))

	for name, change := range map[string]func(*cluster.Config){
		"the join token is not the cluster's": func(c *cluster.Config) { c.JoinToken = "other" },
		"belongs to":                          func(c *cluster.Config) { c.DataDir = foreignFolder(t, r) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := r.config("n1")
			cfg.NodeID, cfg.DataDir = "n2", filepath.Join(t.TempDir(), "n2")
			cfg.RaftAddr, cfg.GossipAddr = freeAddr(t), freeAddr(t)
			cfg.BootstrapExpect = 0
			fatal := make(chan error, 1)
			cfg.Fatal = func(err error) { fatal <- err }
			change(&cfg)
			n, err := cluster.Start(cfg)
			require.NoError(t, err)
			defer func() { require.NoError(t, n.Shutdown(context.Background())) }()
			select {
			case err := <-fatal:
				require.ErrorContains(t, err, name)
			case <-time.After(10 * time.Second):
				t.Fatal("node was not refused")
			}
		})
	}
}

// foreignFolder is the folder of a node n2 of another cluster.
func foreignFolder(t *testing.T, r *rig) string {
	dir := filepath.Join(t.TempDir(), "n2")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "node.json"), []byte(`{"node_id":"n2","cluster_id":"other"}`), 0o600))
	return dir
}

func TestNodeIDTakenIsRefused(t *testing.T) {
	r := newRig(t, 1)
	r.start("n1")
	r.ready("n1")
	cfg := r.config("n1")
	cfg.DataDir = filepath.Join(t.TempDir(), "again")
	cfg.RaftAddr, cfg.GossipAddr = freeAddr(t), freeAddr(t)
	fatal := make(chan error, 1)
	cfg.Fatal = func(err error) { fatal <- err }
	cfg.BootstrapExpect = 0
	n, err := cluster.Start(cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Shutdown(context.Background())) }()
	select {
	case err := <-fatal:
		require.ErrorContains(t, err, "is taken")
	case <-time.After(10 * time.Second):
		t.Fatal("node was not refused")
	}
}

func TestFolderInUseAndFolderOfAnotherNode(t *testing.T) {
	r := newRig(t, 1)
	r.start("n1")
	cfg := r.config("n1")
	cfg.RaftAddr, cfg.GossipAddr = freeAddr(t), freeAddr(t)
	_, err := cluster.Start(cfg)
	require.ErrorContains(t, err, "another process uses this data folder")
	r.stop("n1")
	cfg.NodeID = "n9"
	_, err = cluster.Start(cfg)
	require.ErrorContains(t, err, `belongs to node "n1"`)
}

func TestNodeWithAWrongClockNeitherStampsNorLeads(t *testing.T) {
	r := newRig(t, 3)
	var skew atomic.Int64
	r.change = func(c *cluster.Config) {
		if c.NodeID == "n1" {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
		}
	}
	r.start(r.names...)
	r.ready(r.names...)
	r.propose("n1", 1, add("a", 1))
	skew.Store(int64(10 * time.Second))
	require.Eventually(t, func() bool {
		return !r.nodes["n1"].Leads(0) && !r.nodes["n1"].Leads(1) && !r.nodes["n1"].Leads(2)
	}, 20*time.Second, 20*time.Millisecond)
	for i := range 20 {
		r.propose(r.names[i%3], 1, add(fmt.Sprint("b", i), 1))
	}
	require.Less(t, r.state("n2", 1).Clock, time.Now().Add(time.Second).UnixMilli(), "no entry carries the wrong clock")
	skew.Store(0)
	require.Eventually(t, func() bool {
		require.Equal(t, int64(21), r.sum("n1", 1))
		return true
	}, 10*time.Second, 20*time.Millisecond)
}

// Entries are large, so the log is bounded by bytes: default thresholds, which
// count entries, would let it grow to a gigabyte a group.
func TestLogIsCompactedByBytes(t *testing.T) {
	r := newRig(t, 1)
	r.tuning.SnapshotEntries = 1 << 40
	r.tuning.SnapshotBytes = 256 << 10
	r.start("n1")
	r.ready("n1")
	id := strings.Repeat("x", 60_000) // of which every command carries one
	for i := range 40 {
		r.propose("n1", 1, add(fmt.Sprint(i, id), 1))
	}
	require.Eventually(t, func() bool {
		first, last := r.nodes["n1"].LogRange(1)
		return first > 10 && last > 40
	}, 10*time.Second, 10*time.Millisecond, "2.4 MB of log were written, 256 kB may stay")
	r.stop("n1")
	r.start("n1")
	r.ready("n1")
	require.Equal(t, int64(40), r.sum("n1", 1))
}
