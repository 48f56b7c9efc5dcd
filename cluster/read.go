package cluster

import (
	"context"
	"sync"
	"time"
)

// verifier coalesces leadership checks: callers that come while one is under
// way share the next.
type verifier struct {
	ask func() error

	mu      sync.Mutex
	running bool
	next    *verification
}

type verification struct {
	done chan struct{}
	err  error
}

// check returns nil if this node was the leader at some moment after the call
// began.
func (v *verifier) check(ctx context.Context) error {
	v.mu.Lock()
	if v.next == nil {
		v.next = &verification{done: make(chan struct{})}
	}
	mine := v.next
	if !v.running {
		v.running = true
		go v.run()
	}
	v.mu.Unlock()
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *verifier) run() {
	for {
		v.mu.Lock()
		current := v.next
		v.next = nil
		if current == nil {
			v.running = false
			v.mu.Unlock()
			return
		}
		v.mu.Unlock()
		current.err = v.ask()
		close(current.done)
	}
}

// query reads from this replica. A linearizable read needs the verified
// leader: its machine holds every acknowledged command, since an answer
// follows its apply.
func (g *group) query(ctx context.Context, query []byte, opt ReadOptions) (Reply, error) {
	var stale int64
	if opt.Linearizable {
		if err := g.awaitLead(ctx); err != nil {
			return Reply{}, err
		}
		if err := g.verify.check(ctx); err != nil || !g.isLeader() {
			return Reply{}, ErrNoLeader
		}
	} else if !g.isLeader() {
		stale = g.fresh.stalenessMillis(time.Now(), g.apply.applied.Load())
	}
	if opt.MinIndex > 0 {
		if err := g.apply.wait(ctx, opt.MinIndex); err != nil {
			return Reply{}, err
		}
	}
	index := g.apply.applied.Load()
	value, err := g.machine.Query(query)
	if err != nil {
		return Reply{}, err
	}
	return Reply{Value: value, Index: index, StalenessMillis: stale}, nil
}

// freshness remembers what the group's leader has announced: its applied
// index at moments when it had just verified its quorum.
type freshness struct {
	mu    sync.Mutex
	heard []announcement // oldest first, indexes growing
	upTo  announcement   // the newest whose index this replica has applied
}

type announcement struct {
	index uint64
	at    time.Time
}

// maxAnnouncements bounds what a replica that lags remembers.
const maxAnnouncements = 256

func (f *freshness) hear(index uint64, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k := len(f.heard); k > 0 && f.heard[k-1].index >= index {
		// Nothing new was written: the same index is current for longer.
		f.heard[k-1].at = at
		return
	}
	if len(f.heard) == maxAnnouncements {
		f.heard = append(f.heard[:0], f.heard[1:]...)
	}
	f.heard = append(f.heard, announcement{index, at})
}

// stalenessMillis says how long ago a replica at the applied index was known
// to hold all that was committed; -1: never.
func (f *freshness) stalenessMillis(now time.Time, applied uint64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	reached := 0
	for reached < len(f.heard) && f.heard[reached].index <= applied {
		f.upTo = f.heard[reached]
		reached++
	}
	if reached > 1 {
		// The newest reached one stays: a later announcement may renew it.
		f.heard = append(f.heard[:0], f.heard[reached-1:]...)
	}
	if f.upTo.at.IsZero() || f.upTo.index > applied { // an older snapshot took its place
		return -1
	}
	return max(0, now.Sub(f.upTo.at).Milliseconds())
}
