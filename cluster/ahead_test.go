package cluster_test

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/cluster"
)

// slowDisk holds syncs up while it is told to, and counts those that ended.
type slowDisk struct {
	gate  sync.RWMutex
	syncs atomic.Int64
}

// MaybeError implements errorfs.Injector.
func (d *slowDisk) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo {
		d.gate.RLock()
		defer d.gate.RUnlock()
		d.syncs.Add(1)
	}
	return nil
}

// String implements errorfs.Injector.
func (d *slowDisk) String() string { return "slow disk" }

// A leader's own write overlaps with its followers': they have the entry while
// the leader's disk is still at it, and until that has it too nobody is
// answered and nobody applies it.
func TestNothingShowsBeforeTheLeadersOwnDiskHasIt(t *testing.T) {
	r := newRig(t, 3)
	disks := map[string]*slowDisk{}
	for _, name := range r.names {
		disks[name] = &slowDisk{}
	}
	r.change = func(c *cluster.Config) {
		c.Tuning.FS = errorfs.Wrap(vfs.Default, disks[c.NodeID])
		c.Tuning.LogWriteLimit = time.Minute
	}
	r.start(r.names...)
	r.ready(r.names...)
	r.propose("n1", 1, add("a", 1))
	leader := r.leader(1)
	for _, name := range r.names {
		require.Equal(t, int64(1), r.state(name, 1).Sum)
	}

	disks[leader].gate.Lock()
	release := sync.OnceFunc(disks[leader].gate.Unlock)
	defer release()
	before := map[string]int64{}
	for _, name := range r.names {
		before[name] = disks[name].syncs.Load()
	}
	answers := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		reply, err := r.nodes[leader].Propose(ctx, 1, add("b", 10))
		if err == nil && binary.BigEndian.Uint64(reply.Value) != 11 {
			t.Errorf("the answer is %x", reply.Value)
		}
		answers <- err
	}()
	for _, name := range r.names {
		if name != leader {
			require.Eventually(t, func() bool { return disks[name].syncs.Load() > before[name] }, 10*time.Second, time.Millisecond,
				"%s writes while the leader's disk does", name)
		}
	}
	// Long enough for several commit indexes to be told.
	require.Never(t, func() bool {
		for _, name := range r.names {
			reply, err := r.nodes[name].Query(context.Background(), 1, nil, cluster.ReadOptions{})
			if err == nil && binary.BigEndian.Uint64(reply.Value) != 1 {
				return true
			}
		}
		return len(answers) > 0
	}, time.Second, 10*time.Millisecond)

	release()
	require.NoError(t, <-answers)
	for _, name := range r.names {
		require.Equal(t, int64(11), r.state(name, 1).Sum)
	}
}
