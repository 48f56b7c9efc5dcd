package shard

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
)

// Costs are added up from records, some 0.3 µs each and at a report's pace, and every
// open page of a tenant asks for the same ones: whoever asks while they are read, or
// within costsKept, has the answer of the first.
const costsKept = time.Second

// manyReads is from how many readings on those that answer nobody any more are dropped.
const manyReads = 100

// errUnread: a reading ended without an answer.
var errUnread = errors.New("the reading of costs was broken off")

// costsRead is one reading. All but done and began is set before done is closed, and
// not written after.
type costsRead struct {
	done  chan struct{}
	began time.Time
	costs billing.Costs
	fresh Freshness
	err   error
}

// answers tells whether a reading is on its way, or has succeeded just now.
func (r *costsRead) answers(now time.Time) bool {
	select {
	case <-r.done:
		return r.err == nil && now.Sub(r.began) < costsKept
	default:
		return true
	}
}

type costsOf struct {
	tenant cloudlicenses.TenantID
	period billing.Month
}

// recentCosts are the readings of a node that are shared.
type recentCosts struct {
	mu    sync.Mutex
	reads map[costsOf]*costsRead
}

// join returns the reading that answers, and whether it is the caller's to make.
func (r *recentCosts) join(of costsOf, now time.Time) (read *costsRead, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if read = r.reads[of]; read != nil && read.answers(now) {
		return read, false
	}
	if len(r.reads) >= manyReads {
		maps.DeleteFunc(r.reads, func(_ costsOf, old *costsRead) bool { return !old.answers(now) })
	}
	read = &costsRead{done: make(chan struct{}), began: now}
	if r.reads == nil {
		r.reads = make(map[costsOf]*costsRead)
	}
	r.reads[of] = read
	return read, true
}

// TenantCosts returns what a tenant's month costs so far. The slices of the result
// are shared: they are read only.
func (s *Shard) TenantCosts(ctx context.Context, id cloudlicenses.TenantID, period billing.Month, opt ReadOptions) (billing.Costs, Freshness, error) {
	if opt != (ReadOptions{}) {
		return s.readCosts(ctx, id, period, opt)
	}
	read, mine := s.costs.join(costsOf{id, period}, time.Now())
	if mine {
		// It goes on for the others where its own caller leaves.
		whole, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadlineOf(ctx))
		defer cancel()
		defer close(read.done)
		read.err = errUnread // also where this panics
		read.costs, read.fresh, read.err = s.readCosts(whole, id, period, opt)
		return read.costs, read.fresh, read.err
	}
	select {
	case <-read.done:
	case <-ctx.Done():
		return billing.Costs{}, Freshness{}, ctx.Err()
	}
	if read.err != nil { // perhaps of a caller who had less time
		return s.readCosts(ctx, id, period, opt)
	}
	fresh := read.fresh
	if fresh.StalenessMillis >= 0 {
		fresh.StalenessMillis += time.Since(read.began).Milliseconds()
	}
	return read.costs, fresh, nil
}
