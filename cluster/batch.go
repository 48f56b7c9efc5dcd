package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// batcher packs the commands that wait for a group into log entries. There is
// no timer: a batch is what gathered while the one before was on its way, or
// secondEntryCommands. A caller that finds none on its way sends its entry
// itself, and is answered by the goroutine that applied it: of a lone command's way through the node, two
// hand-overs between goroutines less.
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
	// sent takes entries to the workers, which see whether they failed.
	sent    chan sentEntry
	workers sync.WaitGroup

	mu      sync.Mutex
	idle    sync.Cond   // of close: nothing waits, nothing is on its way
	queue   []*batch    // oldest first; the last one is open
	onWay   []sentEntry // taken and not settled, oldest first
	waiting int         // commands in queue
	bytes   int         // and their size
	closed  bool
}

// batch is one entry to be. results, index and err are set before done is
// closed and not written after.
type batch struct {
	commands [][]byte
	bytes    int
	done     chan struct{}
	finished bool // done is, or is about to be, closed; guarded by the batcher's mu
	results  [][]byte
	index    uint64
	err      error
}

// sentEntry is a batch on its way.
type sentEntry struct {
	batch  *batch
	data   []byte // the entry; it is the same array when it comes to be applied
	future raft.ApplyFuture
}

func newBatcher(origin uint64, now func() time.Time, admit func() error, apply func([]byte) raft.ApplyFuture) *batcher {
	b := &batcher{origin: origin, now: now, admit: admit, apply: apply, observe: func(int) {}}
	b.idle.L = &b.mu
	b.sent = make(chan sentEntry, entriesInFlight)
	return b
}

func (b *batcher) start() {
	for range entriesInFlight {
		b.workers.Add(1)
		go b.work()
	}
}

// close refuses what comes now and returns when nothing is on its way.
func (b *batcher) close() {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if closed {
		b.workers.Wait()
		return
	}
	b.dispatch()
	b.mu.Lock()
	for len(b.queue) > 0 || len(b.onWay) > 0 {
		b.idle.Wait()
	}
	b.mu.Unlock()
	close(b.sent)
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
	return nil
}

// ready reports whether an entry may go: none is on its way, or the one that
// waits is large or full, and no more than entriesInFlight at a time. An entry
// costs much the same whatever it holds, so a small one waits for more. mu held.
func (b *batcher) ready() bool {
	if len(b.onWay) == entriesInFlight {
		return false
	}
	return len(b.queue) > 1 || (len(b.queue) == 1 &&
		(len(b.onWay) == 0 || b.closed || len(b.queue[0].commands) >= secondEntryCommands))
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
	b.dispatch()
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

// dispatch sends what is ready. Of several callers one does it for all: the
// others may leave, since it looks again when it is done.
func (b *batcher) dispatch() {
	for b.order.TryLock() {
		next := b.take()
		if next != nil {
			b.send(next)
		}
		b.order.Unlock()
		if next == nil {
			b.mu.Lock()
			again := b.ready()
			b.mu.Unlock()
			if !again {
				return
			}
		}
	}
}

// take takes the oldest batch if it is ready, else nil.
func (b *batcher) take() *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready() {
		return nil
	}
	next := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	if len(b.queue) == 0 {
		b.queue = nil
	}
	b.waiting -= len(next.commands)
	b.bytes -= next.bytes
	b.onWay = append(b.onWay, sentEntry{batch: next})
	return next
}

// send gives a batch to Raft. order held.
func (b *batcher) send(next *batch) {
	if err := b.admit(); err != nil {
		b.finish(next, nil, 0, err)
		b.settled(next)
		return
	}
	b.observe(len(next.commands))
	data := appendEntry(make([]byte, 0, entryHeader+next.bytes), b.origin, b.now().UnixMilli(), next.commands)
	b.mu.Lock()
	for i := range b.onWay {
		if b.onWay[i].batch == next {
			b.onWay[i].data = data
		}
	}
	b.mu.Unlock()
	b.sent <- sentEntry{batch: next, future: b.apply(data)} // there is room for all on their way
}

// work waits for entries to be settled.
func (b *batcher) work() {
	defer b.workers.Done()
	for s := range b.sent {
		if err := s.future.Error(); err != nil {
			b.finish(s.batch, nil, 0, proposeError(err))
		} else if results, ok := s.future.Response().([][]byte); ok && len(results) == len(s.batch.commands) {
			b.finish(s.batch, results, s.future.Index(), nil) // applied as a rule has
		} else {
			b.finish(s.batch, nil, 0, ErrOutcomeUnknown) // the machine has failed; the node is ending
		}
		b.settled(s.batch)
		b.dispatch()
	}
}

// applied is told what an entry of this node came to, as soon as it is applied.
func (b *batcher) applied(data []byte, results [][]byte, index uint64) {
	var found *batch
	b.mu.Lock()
	for _, s := range b.onWay {
		if len(s.data) > 0 && &s.data[0] == &data[0] && len(results) == len(s.batch.commands) {
			found = s.batch
		}
	}
	b.mu.Unlock()
	if found != nil {
		b.finish(found, results, index, nil)
	}
}

// finish answers whoever waits for a batch, once.
func (b *batcher) finish(done *batch, results [][]byte, index uint64, err error) {
	b.mu.Lock()
	first := !done.finished
	done.finished = true
	b.mu.Unlock()
	if first {
		done.results, done.index, done.err = results, index, err
		close(done.done)
	}
}

// settled makes room for the next entry.
func (b *batcher) settled(done *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.onWay {
		if b.onWay[i].batch == done {
			b.onWay = append(b.onWay[:i], b.onWay[i+1:]...)
			break
		}
	}
	b.idle.Signal()
}

// proposeError maps Raft's errors. Only those that are given before an entry
// reaches the log say that nothing happened; all others leave it unknown.
func proposeError(err error) error {
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		return ErrNoLeader
	}
	return ErrOutcomeUnknown
}
