package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	expiryPools = 6
	expiryTTL   = 60 // seconds, the least the contract allows
	// expiryGrace is a heartbeat's time: what every live lease gets after a
	// time without a leader.
	expiryGrace = expiryTTL * time.Second / 3
	// expirySlack is the contract's second plus the watcher's own polling.
	expirySlack = 2500 * time.Millisecond
	expiryPoll  = 200 * time.Millisecond
)

// expiryWatch lets leases of one seat run out and watches when the seat is
// free again: never before expires_at, and soon after.
type expiryWatch struct {
	rig    *rig
	found  *findings
	work   *workload
	calm   func() time.Time // since when no fault is in force
	tenant *tenant
	seen   atomic.Int64
}

// seatWatch watches one pool of one seat.
type seatWatch struct {
	*expiryWatch
	pool *pool
	rng  *rand.Rand
	// contend: take the seat to see that it is free, instead of reading.
	contend bool
	// haunted is when a checkout was last left in doubt: it may hold the seat,
	// unknown to us, until it expires.
	haunted time.Time
}

func newExpiryWatch(ctx context.Context, r *rig, found *findings, work *workload, calm func() time.Time) (*expiryWatch, error) {
	t, err := r.createTenant(ctx, tenantSpec{"tenant-expiry", entitlement{Commit: 1}, expiryPools})
	return &expiryWatch{rig: r, found: found, work: work, calm: calm, tenant: t}, err
}

// start watches every pool, cycle after cycle, until ctx ends; the cycle begun
// last is watched to its end, which falls into calm.
func (e *expiryWatch) start(ctx, hard context.Context) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i, p := range e.tenant.pools {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := &seatWatch{expiryWatch: e, pool: p, rng: rand.New(rand.NewPCG(7, uint64(i))), contend: i%2 == 0}
			for ctx.Err() == nil && s.cycle(hard) {
			}
		}()
	}
	return &wg
}

// take checks the pool's seat out; nil: refused, or no answer in time.
func (s *seatWatch) take(ctx context.Context) *checkoutReply {
	user := s.work.newUser()
	op := &operation{client: -1, pool: s.pool, req: request{Kind: opCheckout, User: user, Count: 1}, key: "key-" + user}
	a := op.attempt()
	a.body["ttl_seconds"] = expiryTTL
	for began := time.Now(); time.Since(began) < settleTimeout && ctx.Err() == nil; sleep(ctx, 50*time.Millisecond) {
		ans := s.work.call(op, s.rng.IntN(len(s.rig.nodes)), a)
		if ans.fate != definite {
			continue
		}
		if ans.status == http.StatusCreated {
			return s.taken(user, ans)
		}
		if !seatRefusals[ans.code] {
			s.found.add(flawReply, "checkout of %s: %d %.300s", user, ans.status, ans.body)
		}
		if op.tries > 1 {
			s.doubt(op)
		}
		return nil
	}
	s.doubt(op)
	return nil
}

func (s *seatWatch) taken(user string, ans answer) *checkoutReply {
	var r checkoutReply
	if err := json.Unmarshal(ans.body, &r); err != nil {
		s.found.add(flawReply, "checkout: %v in %.300s", err, ans.body)
		return nil
	}
	s.work.acknowledged(grant{s.tenant.id, s.pool.license, user, r.LeaseID, r.Count, r.OverageCount})
	return &r
}

func (s *seatWatch) doubt(op *operation) {
	s.haunted = time.Now()
	s.work.suspect(op)
}

// cycle watches one lease from its grant to after its expiry; false ends the
// watch of this pool.
func (s *seatWatch) cycle(ctx context.Context) bool {
	lease := s.take(ctx)
	if lease == nil {
		if time.Now().Before(s.bound(time.Time{})) {
			sleep(ctx, time.Second)
			return ctx.Err() == nil
		}
		s.found.add(flawExpiry, "%s: its one seat should be free", s.pool.license)
		return false
	}
	expires := lease.ExpiresAt
	if s.rng.IntN(2) == 0 {
		sleep(ctx, time.Duration(5+s.rng.IntN(10))*time.Second)
		expires = s.beat(ctx, lease.LeaseID, expires)
	}
	sleep(ctx, time.Until(expires)-3*time.Second)
	for ctx.Err() == nil {
		asked := time.Now()
		free, at := s.free(ctx)
		switch {
		case free && at.Before(expires):
			s.found.add(flawExpiry, "%s of %s was to live until %s and its seat was free at %s", lease.LeaseID, s.pool.license, expires, at)
			return false
		case free:
			s.seen.Add(1)
			s.ended(ctx, lease.LeaseID)
			return true
		case asked.After(s.bound(expires)) && asked.After(s.rig.lastTerm().Add(expiryGrace+expirySlack)):
			s.found.add(flawExpiry, "%s of %s expired at %s and still holds its seat at %s; calm since %s", lease.LeaseID, s.pool.license, expires, asked, s.calm())
			return false
		}
		sleep(ctx, expiryPoll)
	}
	return false
}

// bound is by when a lease must be gone, and one that nobody knows of as well.
// A term that began since, as where the machine itself did not run for a while,
// gives it time anew: see lastTerm.
func (s *seatWatch) bound(expires time.Time) time.Time {
	late := s.calm().Add(expiryGrace)
	if late.Before(expires) {
		late = expires
	}
	if ghost := s.haunted.Add(expiryTTL*time.Second + expiryGrace); late.Before(ghost) {
		late = ghost
	}
	return late.Add(expirySlack)
}

// beat sends a heartbeat and returns when the lease now expires.
func (s *seatWatch) beat(ctx context.Context, lease string, was time.Time) time.Time {
	op := &operation{client: -1, pool: s.pool, req: request{Kind: opHeartbeat, Lease: lease}}
	ans := s.work.settle(ctx, op, s.rng)
	var r struct {
		ExpiresAt time.Time `json:"expires_at"`
	}
	if ans.fate != definite || ans.status != http.StatusOK || json.Unmarshal(ans.body, &r) != nil || r.ExpiresAt.Before(was) {
		s.found.add(flawExpiry, "heartbeat of %s: %d %.300s %v", lease, ans.status, ans.body, ans.err)
		return was
	}
	return r.ExpiresAt
}

// free asks whether the pool's seat is free, and when that was so by the
// server's clock: by taking the seat, or by a linearizable read.
func (s *seatWatch) free(ctx context.Context) (bool, time.Time) {
	if s.contend {
		lease := s.take(ctx)
		if lease == nil {
			return false, time.Time{}
		}
		s.giveBack(ctx, lease.LeaseID)
		return true, lease.IssuedAt
	}
	op := &operation{client: -1, pool: s.pool, req: request{Kind: opRead}}
	ans := s.rig.gate.do(s.rng.IntN(len(s.rig.nodes)), op.attempt(), attemptTimeout)
	at := time.Now() // no earlier than the state that was read
	var row licenseRow
	if ans.fate != definite || ans.status != http.StatusOK || json.Unmarshal(ans.body, &row) != nil {
		return false, at
	}
	return row.InUse == 0, at
}

func (s *seatWatch) giveBack(ctx context.Context, lease string) {
	op := &operation{client: -1, pool: s.pool, req: request{Kind: opReturn, Lease: lease}}
	if ans := s.work.settle(ctx, op, s.rng); ans.fate != definite || ans.status != http.StatusOK {
		s.found.add(flawLost, "return of %s at %s: %d %.300s %v", lease, s.tenant.id, ans.status, ans.body, ans.err)
	}
}

// ended checks what the holder of an expired lease is told.
func (s *seatWatch) ended(ctx context.Context, lease string) {
	op := &operation{client: -1, pool: s.pool, req: request{Kind: opHeartbeat, Lease: lease}}
	if ans := s.work.settle(ctx, op, s.rng); ans.fate == definite && ans.code != "lease_expired" {
		s.found.add(flawReply, "heartbeat of the expired %s: %d %.300s", lease, ans.status, ans.body)
	}
}
