package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// attemptTimeout is a client's patience with one attempt; shorter than the
	// server's own deadline, so that outcomes do stay open.
	attemptTimeout = 2 * time.Second
	// settleTimeout bounds how long a client repeats an intent.
	settleTimeout = 60 * time.Second
	// windowPools is how many pools are worked on at a time: few, so that
	// clients meet in them.
	windowPools = 10
	// leaseTTLSeconds of the main part outlives any run: nothing expires.
	leaseTTLSeconds = 86400
)

// tally counts what clients did.
type tally struct {
	granted, overage, refused, returned, heartbeats, reads, replays, freshReads atomic.Int64
	// settled operations had an attempt with an open outcome before they got
	// a definite one; doubtful ones never did, or were refused after it.
	settled, doubtful, attempts atomic.Int64
}

// workload is the clients' shared state.
type workload struct {
	gate   *gateway
	found  *findings
	clock  clock
	pools  []*pool // in the order in which they are worked on
	limit  int     // operations per pool
	tokens chan struct{}

	cursor atomic.Int64 // first pool not yet spent
	users  atomic.Int64
	run    string // makes users and keys unique to this run
	tally  tally

	mu     sync.Mutex
	grants []grant
}

// start runs the clients until ctx ends and they have settled what they began;
// hard bounds that as well.
func (w *workload) start(ctx, hard context.Context, clients, rate int, seed uint64) *sync.WaitGroup {
	w.tokens = make(chan struct{})
	go w.pace(ctx, rate)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := &client{w: w, id: i, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
			for ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-w.tokens:
					c.act(hard)
				}
			}
		}()
	}
	return &wg
}

// pace hands out rate operations a second; those nobody is free for are lost.
func (w *workload) pace(ctx context.Context, rate int) {
	t := time.NewTicker(time.Second / time.Duration(rate))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		select {
		case w.tokens <- struct{}{}:
		default:
		}
	}
}

// pick returns a pool of the window, or nil when all are spent.
func (w *workload) pick(rng *rand.Rand) *pool {
	for range 4 * windowPools {
		first := w.cursor.Load()
		if first >= int64(len(w.pools)) {
			return nil
		}
		if w.pools[first].spent(w.limit) {
			w.cursor.CompareAndSwap(first, first+1)
			continue
		}
		last := min(first+windowPools, int64(len(w.pools)))
		if p := w.pools[first+rng.Int64N(last-first)]; !p.spent(w.limit) {
			return p
		}
	}
	return nil
}

// newUser names one checkout for good: the audit log tells by it which took
// effect.
func (w *workload) newUser() string { return fmt.Sprintf("%s-%d", w.run, w.users.Add(1)) }

func (w *workload) acknowledged(g grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.grants = append(w.grants, g)
}

// suspect keeps a checkout whose effect only the audit log can tell.
func (w *workload) suspect(op *operation) {
	if op.open {
		w.tally.doubtful.Add(1)
	}
	op.pool.suspect(doubt{op.client, op.req, op.first, !op.open, op.trail})
}

// operation is one intent of a client on its way to a definite outcome.
type operation struct {
	client int
	pool   *pool
	req    request
	key    string // Idempotency-Key; empty: one attempt only
	first  int64  // call of the first attempt; 0: none yet
	last   int64  // call of the latest attempt
	tries  int
	open   bool     // an attempt's outcome is open
	trail  []string // what became of the attempts, for messages
}

func (op *operation) attempt() attempt {
	a := attempt{tenant: op.pool.tenant, method: "POST", key: op.key}
	switch op.req.Kind {
	case opCheckout:
		a.path = "/api/v1/licenses/checkout"
		a.body = op.checkoutBody()
	case opReturn:
		a.path = "/api/v1/licenses/return"
		a.body = map[string]any{"lease_id": op.req.Lease}
	case opHeartbeat:
		a.path = "/api/v1/licenses/heartbeat"
		a.body = map[string]any{"lease_id": op.req.Lease}
	case opRead:
		a.method, a.path = "GET", "/api/v1/licenses/"+op.pool.license+"?consistency=linearizable"
	}
	return a
}

// checkoutBody is a checkout as sent.
func (op *operation) checkoutBody() map[string]any {
	return map[string]any{
		"product_id": op.pool.product, "user": op.req.User, "count": op.req.Count,
		"allow_overage": op.req.AllowOverage, "ttl_seconds": leaseTTLSeconds,
	}
}

// remember notes what became of an attempt, of the first few.
func (op *operation) remember(node string, ans answer) {
	const few = 12
	if len(op.trail) < few {
		op.trail = append(op.trail, fmt.Sprintf("%s: %d %s %v", node, ans.status, ans.code, ans.err))
	}
}

// repeatable reports whether a second attempt has no second effect.
func (op *operation) repeatable() bool { return op.req.Kind != opCheckout || op.key != "" }

// call makes one attempt and keeps the book of times.
func (w *workload) call(op *operation, node int, a attempt) answer {
	op.last = w.clock.now()
	if op.tries == 0 {
		op.first = op.last
	}
	op.tries++
	w.tally.attempts.Add(1)
	ans := w.gate.do(node, a, attemptTimeout)
	op.open = op.open || ans.fate == unknown
	op.remember(w.gate.nodes[node].id, ans)
	if ans.code == "internal" || ans.code == "no problem body" {
		w.found.add(flawReply, "%s %s: %d %.200s", a.method, a.path, ans.status, ans.body)
	}
	return ans
}

// settle repeats an operation at random nodes until its outcome is definite
// or time is up.
func (w *workload) settle(ctx context.Context, op *operation, rng *rand.Rand) answer {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		ans := w.call(op, rng.IntN(len(w.gate.nodes)), op.attempt())
		if ans.fate == definite {
			if op.open {
				w.tally.settled.Add(1)
			}
			return ans
		}
		if ctx.Err() != nil || (ans.fate == unknown && !op.repeatable()) {
			return ans
		}
		sleep(ctx, time.Duration(20+rng.IntN(130))*time.Millisecond)
	}
}

// spent reports whether the pool's history has reached its bound.
func (p *pool) spent(limit int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun >= limit
}
