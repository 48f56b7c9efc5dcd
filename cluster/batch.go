package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// batcher packs the commands that wait for a group into log entries. There is
// no timer: a batch is what gathered while the one before was on its way.
type batcher struct {
	apply func(data []byte) raft.ApplyFuture
	// admit says whether this node may propose now; asked right before an
	// entry is stamped.
	admit  func() error
	origin uint64
	now    func() time.Time
	// observe is told the number of commands of every entry.
	observe func(commands int)

	// order keeps entries in the order of their batches.
	order sync.Mutex

	mu      sync.Mutex
	cond    sync.Cond
	queue   []*batch // oldest first; the last one is open
	onWay   int      // entries taken and not settled
	waiting int      // commands in queue
	bytes   int      // and their size
	closed  bool
	workers sync.WaitGroup
}

// batch is one entry to be. results, index and err are set before done is
// closed and not written after.
type batch struct {
	commands [][]byte
	bytes    int
	done     chan struct{}
	results  [][]byte
	index    uint64
	err      error
}

func newBatcher(origin uint64, now func() time.Time, admit func() error, apply func([]byte) raft.ApplyFuture) *batcher {
	b := &batcher{origin: origin, now: now, admit: admit, apply: apply, observe: func(int) {}}
	b.cond.L = &b.mu
	return b
}

func (b *batcher) start() {
	for range entriesInFlight {
		b.workers.Add(1)
		go b.work()
	}
}

// close refuses what still waits and returns when nothing is on its way.
func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cond.Broadcast()
	b.workers.Wait()
}

// slot is a place in a batch.
type slot struct {
	batch *batch
	at    int
}

// enqueue gives each command a place, in order.
func (b *batcher) enqueue(commands [][]byte, slots []slot) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if b.waiting+len(commands) > maxWaiting || b.bytes > maxWaitingBytes {
		return ErrOverloaded
	}
	for i, c := range commands {
		var last *batch
		if len(b.queue) > 0 {
			last = b.queue[len(b.queue)-1]
		}
		if last == nil || len(last.commands) >= maxEntryCommands || last.bytes+len(c) > maxEntryBytes {
			last = &batch{done: make(chan struct{})}
			b.queue = append(b.queue, last)
		}
		slots[i] = slot{last, len(last.commands)}
		last.commands = append(last.commands, c)
		last.bytes += len(c) + 4
		b.bytes += len(c) + 4
	}
	b.waiting += len(commands)
	if b.ready() {
		b.cond.Signal()
	}
	return nil
}

// ready reports whether an entry may go: none is on its way, or one waits that
// is full. An entry costs much the same whatever it holds, so one that could
// still fill up waits. mu held.
func (b *batcher) ready() bool {
	return len(b.queue) > 1 || (len(b.queue) == 1 &&
		(b.onWay == 0 || b.closed || len(b.queue[0].commands) >= maxEntryCommands))
}

// propose returns the commands' results. After an error of ctx the outcome is
// unknown, since the commands may be on their way.
func (b *batcher) propose(ctx context.Context, commands [][]byte, replies []Reply) error {
	var one [1]slot
	slots := one[:]
	if len(commands) != 1 {
		slots = make([]slot, len(commands))
	}
	if err := b.enqueue(commands, slots); err != nil {
		return err
	}
	// Slots come in order of their batches: waiting for each batch once.
	var refused error
	reached := false
	for i, s := range slots {
		if i == 0 || s.batch != slots[i-1].batch {
			select {
			case <-s.batch.done:
			case <-ctx.Done():
				return ErrOutcomeUnknown
			}
		}
		switch {
		case s.batch.err == nil:
			reached = true
			replies[i] = Reply{Value: s.batch.results[s.at], Index: s.batch.index}
		case errors.Is(s.batch.err, ErrOutcomeUnknown):
			return s.batch.err
		default:
			refused = s.batch.err
		}
	}
	if refused != nil && reached {
		return ErrOutcomeUnknown // some of them took effect
	}
	return refused
}

func (b *batcher) work() {
	defer b.workers.Done()
	for {
		b.order.Lock()
		next := b.take()
		if next == nil {
			b.order.Unlock()
			return
		}
		err := b.admit()
		var future raft.ApplyFuture
		if err == nil {
			b.observe(len(next.commands))
			size := entryHeader + next.bytes
			future = b.apply(appendEntry(make([]byte, 0, size), b.origin, b.now().UnixMilli(), next.commands))
		}
		b.order.Unlock()
		if future != nil {
			err = b.settle(next, future)
		}
		b.mu.Lock()
		b.onWay--
		b.mu.Unlock()
		b.cond.Signal() // what waited for a full entry may go now
		next.err = err
		close(next.done)
	}
}

// take waits for a batch; nil: the batcher is closed and empty.
func (b *batcher) take() *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.ready() {
		if b.closed {
			return nil
		}
		b.cond.Wait()
	}
	b.onWay++
	next := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	if len(b.queue) == 0 {
		b.queue = nil
	}
	b.waiting -= len(next.commands)
	b.bytes -= next.bytes
	return next
}

func (b *batcher) settle(next *batch, future raft.ApplyFuture) error {
	if err := future.Error(); err != nil {
		return proposeError(err)
	}
	results, ok := future.Response().([][]byte)
	if !ok || len(results) != len(next.commands) {
		return ErrOutcomeUnknown // the machine has failed; the node is ending
	}
	next.results, next.index = results, future.Index()
	return nil
}

// proposeError maps Raft's errors. Only those that are given before an entry
// reaches the log say that nothing happened; all others leave it unknown.
func proposeError(err error) error {
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		return ErrNoLeader
	}
	return ErrOutcomeUnknown
}
