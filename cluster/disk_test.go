package cluster_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/cluster"
)

// diskFault makes a node's log writes fail once armed.
type diskFault struct {
	mu    sync.Mutex
	armed bool
}

func (d *diskFault) set(armed bool) {
	d.mu.Lock()
	d.armed = armed
	d.mu.Unlock()
}

// MaybeError implements errorfs.Injector.
func (d *diskFault) MaybeError(op errorfs.Op) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.armed && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		return errorfs.ErrInjected
	}
	return nil
}

// String implements errorfs.Injector.
func (d *diskFault) String() string { return "armed disk" }

// A log write that fails or hangs ends the node: hashicorp/raft would go on
// as if it had been written, or keep a stuck leader in office.
func TestNodeWhoseLogCannotBeWrittenEnds(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	for name, injector := range map[string]func(d *diskFault) errorfs.Injector{
		"error": func(d *diskFault) errorfs.Injector { return d },
		"hang":  func(d *diskFault) errorfs.Injector { return hangingDisk{d, stuck} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1)
			disk := &diskFault{}
			r.change = func(c *cluster.Config) { c.Tuning.FS = errorfs.Wrap(vfs.Default, injector(disk)) }
			r.start("n1")
			r.ready("n1")
			r.propose("n1", 1, add("a", 1))
			n := r.nodes["n1"]
			disk.set(true)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := n.Propose(ctx, 1, add("b", 1))
			require.ErrorIs(t, err, cluster.ErrOutcomeUnknown)
			require.Eventually(t, func() bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return r.fatal["n1"] != nil
			}, 20*time.Second, 10*time.Millisecond)
			// The process would have exited; here the node is left behind.
			delete(r.nodes, "n1")
		})
	}
}

// A leader that hangs before its write has even begun, as where the file that
// is to take it is made, ends too.
func TestNodeWhoseLogCannotBeRotatedEnds(t *testing.T) {
	stuck := make(chan struct{}) // for good: the process would have exited
	r := newRig(t, 1)
	var armed atomic.Bool
	r.change = func(c *cluster.Config) {
		c.Tuning.FS = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if armed.Load() && (op.Kind == errorfs.OpRename || op.Kind == errorfs.OpOpen) {
				<-stuck
			}
			return nil
		}))
	}
	r.start("n1")
	r.ready("n1")
	r.propose("n1", 1, add("a", 1))
	n := r.nodes["n1"]
	armed.Store(true)
	ended := func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.fatal["n1"] != nil
	}
	large := make([]byte, 1<<20)
	for i := 0; !ended() && i < 1000; i++ { // until the segment is full
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, err := n.Propose(ctx, 1, append(add(fmt.Sprint("b", i), 1), large...))
		cancel()
		if err != nil {
			break
		}
	}
	require.Eventually(t, ended, 20*time.Second, 10*time.Millisecond)
	delete(r.nodes, "n1")
}

// hangingDisk holds a write up instead of failing it.
type hangingDisk struct {
	*diskFault
	stuck chan struct{}
}

// MaybeError implements errorfs.Injector.
func (d hangingDisk) MaybeError(op errorfs.Op) error {
	if d.diskFault.MaybeError(op) != nil {
		<-d.stuck
	}
	return nil
}
