package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// applier brings Raft's log to the machine: the raft.BatchingFSM of a group.
// Raft calls it from one goroutine.
type applier struct {
	group   GroupID
	machine Machine
	origin  uint64
	dir     string // for a snapshot on its way into the machine
	// durable returns once this node's own disk holds the log up to an index.
	durable func(index uint64) error
	// answer is told what an entry of this node came to.
	answer func(data []byte, results [][]byte, index uint64)
	fail   func(error)

	applied atomic.Uint64 // the machine's applied index
	seen    uint64        // highest index raft brought, applied or skipped

	early sync.Mutex // only for plant.AckBeforeCommit

	mu      sync.Mutex
	waiters []indexWaiter
	waiting atomic.Int32
	failed  atomic.Bool
}

type indexWaiter struct {
	index uint64
	done  chan struct{}
}

var _ raft.BatchingFSM = (*applier)(nil)

func newApplier(group GroupID, m Machine, origin uint64, dir string, fail func(error)) *applier {
	a := &applier{group: group, machine: m, origin: origin, dir: dir, fail: fail, durable: func(uint64) error { return nil }, answer: func([]byte, [][]byte, uint64) {}}
	a.applied.Store(m.AppliedIndex())
	return a
}

// Apply implements raft.FSM.
func (a *applier) Apply(l *raft.Log) any { return a.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM: one answer per log, nil for those
// that are no commands or that the machine has on disk already.
func (a *applier) ApplyBatch(logs []*raft.Log) []any {
	if plant.On(plant.AckBeforeCommit) {
		a.early.Lock() // applyEarly comes from another goroutine
		defer a.early.Unlock()
	}
	answers := make([]any, len(logs))
	for i, l := range logs {
		a.seen = l.Index
		if l.Type != raft.LogCommand || l.Index <= a.applied.Load() {
			continue
		}
		results, err := a.apply(l)
		if err != nil {
			// The state is no longer to be trusted: nothing more is applied,
			// nobody is answered.
			a.failed.Store(true)
			a.fail(fmt.Errorf("group %d, log entry %d: %w", a.group, l.Index, err))
		}
		if a.failed.Load() {
			answers[i] = errMachineFailed
			continue
		}
		answers[i] = results
		a.applied.Store(l.Index)
		if results != nil {
			a.answer(l.Data, results, l.Index)
		}
	}
	a.wake()
	return answers
}

var errMachineFailed = errors.New("machine has failed")

func (a *applier) apply(l *raft.Log) ([][]byte, error) {
	if a.failed.Load() {
		return nil, nil
	}
	if err := a.durable(l.Index); err != nil {
		return nil, err
	}
	origin, e, err := splitEntry(l.Data)
	if err != nil {
		return nil, err
	}
	e.Index = l.Index
	e.WantResults = origin == a.origin
	results, err := a.machine.Apply(e)
	if err == nil && e.WantResults && len(results) != len(e.Commands) {
		err = fmt.Errorf("machine gave %d results for %d commands", len(results), len(e.Commands))
	}
	return results, err
}

// wake releases the reads that waited for an index.
func (a *applier) wake() {
	if a.waiting.Load() == 0 {
		return
	}
	applied := a.applied.Load()
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.waiters[:0]
	for _, w := range a.waiters {
		if w.index <= applied {
			close(w.done)
			a.waiting.Add(-1)
		} else {
			kept = append(kept, w)
		}
	}
	a.waiters = kept
}

// wait returns once index is applied, or ErrNotCaughtUp after MinIndexWait.
func (a *applier) wait(ctx context.Context, index uint64) error {
	if a.applied.Load() >= index {
		return nil
	}
	w := indexWaiter{index: index, done: make(chan struct{})}
	a.mu.Lock()
	a.waiters = append(a.waiters, w)
	a.waiting.Add(1)
	a.mu.Unlock()
	a.wake() // it may have come between the look and the registration

	timer := time.NewTimer(cloudlicenses.MinIndexWait)
	defer timer.Stop()
	select {
	case <-w.done:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.waiters {
		if a.waiters[i].done == w.done {
			a.waiters = append(a.waiters[:i], a.waiters[i+1:]...)
			a.waiting.Add(-1)
			break
		}
	}
	return ErrNotCaughtUp
}

// Snapshot implements raft.FSM. The machine may be ahead of what raft has
// brought since the start; until raft has caught up there is nothing to gain.
func (a *applier) Snapshot() (raft.FSMSnapshot, error) {
	if a.seen < a.machine.AppliedIndex() {
		return nil, errors.New("still reading the log after the start")
	}
	s, err := a.machine.Snapshot()
	if err != nil {
		return nil, err
	}
	return &machineSnapshot{snapshot: s, index: a.machine.AppliedIndex()}, nil
}

type machineSnapshot struct {
	snapshot Snapshot
	index    uint64 // of the last command in it
}

// Persist implements raft.FSMSnapshot. Only this package's own store is used.
func (s *machineSnapshot) Persist(sink raft.SnapshotSink) error {
	k, ok := sink.(*snapshotSink)
	if !ok {
		return fmt.Errorf("unknown snapshot sink %T", sink)
	}
	k.meta.MachineIndex = s.index
	return s.snapshot.Persist(k.dataDir())
}

// Release implements raft.FSMSnapshot.
func (s *machineSnapshot) Release() { s.snapshot.Release() }

// Restore implements raft.FSM: the state of a snapshot replaces the machine's.
func (a *applier) Restore(r io.ReadCloser) error {
	defer r.Close()
	if err := a.restore(r); err != nil {
		a.failed.Store(true)
		err = fmt.Errorf("group %d: restore snapshot: %w", a.group, err)
		a.fail(err)
		return err
	}
	return nil
}

func (a *applier) restore(r io.Reader) error {
	dir := filepath.Join(a.dir, fmt.Sprintf("restore-%d", a.group))
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := readStream(r, dir); err != nil {
		return err
	}
	if plant.On(plant.HalfSnapshot) {
		// The planted bug: the old state is served under the new index.
		a.applied.Store(a.machine.AppliedIndex())
		return nil
	}
	if err := a.machine.Restore(dir); err != nil {
		return err
	}
	a.applied.Store(a.machine.AppliedIndex())
	a.wake()
	return nil
}
