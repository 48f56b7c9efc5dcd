package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// held is a live lease of a client.
type held struct {
	pool  *pool
	lease string
	count int64
}

// maxHeld bounds a client's leases over all pools.
const maxHeld = 5

// clockSlack is how far a lease's date may be off: nodes further than 500 ms
// off most others do not date anything.
const clockSlack = 700 * time.Millisecond

// client is one goroutine's worth of application.
type client struct {
	w    *workload
	id   int
	rng  *rand.Rand
	held []held
}

// act does one thing at random and waits for its definite outcome.
func (c *client) act(ctx context.Context) {
	draw := c.rng.Float64()
	switch {
	case len(c.held) > 0 && (draw < 0.38 || len(c.held) >= maxHeld):
		c.giveBack(ctx)
	case len(c.held) > 0 && draw < 0.48:
		h := c.held[c.rng.IntN(len(c.held))]
		c.heartbeat(ctx, h.pool, h.lease)
	case draw < 0.54:
		c.read()
	case draw < 0.60:
		c.batch(ctx)
	default:
		c.checkout(ctx)
	}
}

// newCheckout prepares a checkout in a pool of the window; nil: all are spent.
func (c *client) newCheckout() *operation {
	p := c.w.pick(c.rng)
	if p == nil || !p.begin(c.w.limit) {
		return nil
	}
	op := &operation{client: c.id, pool: p, req: request{Kind: opCheckout, User: c.w.newUser(), Count: 1, AllowOverage: c.rng.Float64() < 0.85}}
	if draw := c.rng.Float64(); draw > 0.7 {
		op.req.Count = 2 + int64(draw*10)%2
	}
	if c.rng.Float64() < 0.9 {
		op.key = "key-" + op.req.User
	}
	return op
}

func (c *client) checkout(ctx context.Context) {
	op := c.newCheckout()
	if op == nil {
		return
	}
	ans := c.w.settle(ctx, op, c.rng)
	granted := c.finishCheckout(op, ans)
	if granted == nil {
		return
	}
	switch draw := c.rng.Float64(); {
	case draw < 0.08 && op.key != "":
		c.repeat(op, ans)
	case draw < 0.11 && op.key != "":
		c.reuse(op)
	case draw < 0.26:
		c.readOwnWrite(*granted, op.req.User, ans.applied)
	}
}

// seatRefusals are the codes by which a pool may refuse here.
var seatRefusals = map[string]bool{"license_unavailable": true, "overage_max_exceeded": true, "overage_declined": true}

// finishCheckout writes a checkout's outcome into the history and returns the
// lease, if one was granted.
func (c *client) finishCheckout(op *operation, ans answer) *held {
	now := c.w.clock.now()
	switch {
	case ans.fate != definite:
		c.w.suspect(op)
	case ans.status == http.StatusCreated:
		return c.granted(op, ans, now)
	case seatRefusals[ans.code]:
		c.w.tally.refused.Add(1)
		op.pool.record(event{op.client, op.req, op.last, outcome{Code: ans.code}, now})
		if op.tries > 1 {
			c.w.suspect(op)
		}
	default:
		c.w.found.add(flawReply, "checkout of %s at %s: %d %.300s", op.req.User, op.pool.tenant.id, ans.status, ans.body)
		c.w.suspect(op)
	}
	return nil
}

// checkoutReply is the body of a 201.
type checkoutReply struct {
	LeaseID      string    `json:"lease_id"`
	LicenseID    string    `json:"license_id"`
	ProductID    string    `json:"product_id"`
	User         string    `json:"user"`
	Type         string    `json:"type"`
	Count        int64     `json:"count"`
	OverageCount int64     `json:"overage_count"`
	IssuedAt     time.Time `json:"issued_at"`
	ExpiresAt    time.Time `json:"expires_at"`
	Heartbeat    int64     `json:"heartbeat_seconds"`
}

func (c *client) granted(op *operation, ans answer, now int64) *held {
	var r checkoutReply
	err := json.Unmarshal(ans.body, &r)
	kind := map[bool]string{true: "overage", false: "commit"}[r.OverageCount > 0]
	if err != nil || r.User != op.req.User || r.Count != op.req.Count || r.LicenseID != op.pool.license || r.Type != kind ||
		r.ExpiresAt.Sub(r.IssuedAt) != leaseTTLSeconds*time.Second || r.Heartbeat != leaseTTLSeconds/3 {
		c.w.found.add(flawReply, "checkout %+v of %s answered %.400s (%v)", op.req, op.pool.license, ans.body, err)
	}
	if early, late := c.w.clock.at(op.first).Sub(r.IssuedAt), r.IssuedAt.Sub(c.w.clock.at(now)); max(early, late) > clockSlack {
		c.w.found.add(flawClock, "checkout of %s is dated %s, but ran from %s to %s", op.req.User, r.IssuedAt, c.w.clock.at(op.first), c.w.clock.at(now))
	}
	c.w.tally.granted.Add(1)
	c.w.tally.overage.Add(r.OverageCount)
	op.pool.record(event{op.client, op.req, op.first, outcome{Lease: r.LeaseID, Commit: r.Count - r.OverageCount, Overage: r.OverageCount}, now})
	c.w.acknowledged(grant{op.pool.tenant.id, op.pool.license, r.User, r.LeaseID, r.Count, r.OverageCount})
	h := held{op.pool, r.LeaseID, r.Count}
	c.held = append(c.held, h)
	return &h
}

// repeat sends a granted checkout once more: the same lease, nothing new.
func (c *client) repeat(op *operation, first answer) {
	ans := c.w.gate.do(c.rng.IntN(len(c.w.gate.nodes)), op.attempt(), attemptTimeout)
	if ans.fate != definite {
		return
	}
	c.w.tally.replays.Add(1)
	var was, is checkoutReply
	if ans.status != http.StatusCreated || json.Unmarshal(ans.body, &is) != nil || json.Unmarshal(first.body, &was) != nil || was != is {
		c.w.found.add(flawDoubled, "checkout of %s answered %.300s and, repeated with its key, %d %.300s", op.req.User, first.body, ans.status, ans.body)
		return
	}
	if !ans.replayed {
		c.w.found.add(flawReply, "repeated checkout of %s lacks Idempotency-Replayed", op.req.User)
	}
}

// reuse sends another body under a used key: refused, whatever is free.
func (c *client) reuse(op *operation) {
	a := op.attempt()
	body := op.checkoutBody()
	body["user"] = op.req.User + "-other"
	a.body = body
	ans := c.w.gate.do(c.rng.IntN(len(c.w.gate.nodes)), a, attemptTimeout)
	if ans.fate == definite && ans.code != "idempotency_key_reused" {
		c.w.found.add(flawReply, "another body under the key of %s: %d %.300s", op.req.User, ans.status, ans.body)
	}
}

// readOwnWrite asks any replica for a lease just granted, with X-Min-Index.
func (c *client) readOwnWrite(h held, user, applied string) {
	a := attempt{tenant: h.pool.tenant, method: "GET", path: "/api/v1/leases?limit=100&user=" + url.QueryEscape(user), minIndex: applied}
	ans := c.w.gate.do(c.rng.IntN(len(c.w.gate.nodes)), a, 3*time.Second)
	if ans.fate != definite {
		return
	}
	c.w.tally.freshReads.Add(1)
	var page struct{ Items []leaseRow }
	if ans.status != http.StatusOK || json.Unmarshal(ans.body, &page) != nil {
		c.w.found.add(flawReply, "leases of %s: %d %.300s", user, ans.status, ans.body)
		return
	}
	if len(page.Items) != 1 || page.Items[0].LeaseID != h.lease {
		c.w.found.add(flawStale, "%s of %s (min index %q) missing from %.300s", h.lease, h.pool.tenant.id, applied, ans.body)
	}
}

// read records a linearizable read of a pool's counters; an attempt without an
// answer says nothing and is left out.
func (c *client) read() {
	p := c.w.pick(c.rng)
	if p == nil || !p.begin(c.w.limit) {
		return
	}
	c.w.readPool(c.id, p, c.rng.IntN(len(c.w.gate.nodes)), attemptTimeout)
}

// readPool reads a pool's counters through one node and records what it saw.
func (w *workload) readPool(id int, p *pool, node int, within time.Duration) bool {
	op := &operation{client: id, pool: p, req: request{Kind: opRead}}
	call := w.clock.now()
	ans := w.gate.do(node, op.attempt(), within)
	if ans.fate != definite {
		return false
	}
	var row licenseRow
	if ans.status != http.StatusOK || json.Unmarshal(ans.body, &row) != nil {
		w.found.add(flawReply, "license %s: %d %.300s", p.license, ans.status, ans.body)
		return false
	}
	w.tally.reads.Add(1)
	p.record(event{id, op.req, call, outcome{Commit: row.CommitInUse, Overage: row.OverageInUse}, w.clock.now()})
	if row.InUse != row.CommitInUse+row.OverageInUse || row.InUse > row.TotalLicenses {
		w.found.add(flawOver, "license %s: %.400s", p.license, ans.body)
	}
	return true
}

// giveBack returns a lease, and now and then repeats that or beats after it.
func (c *client) giveBack(ctx context.Context) {
	i := c.rng.IntN(len(c.held))
	h := c.held[i]
	c.held = append(c.held[:i], c.held[i+1:]...)
	c.returnLease(ctx, h)
	switch draw := c.rng.Float64(); {
	case draw < 0.05:
		c.returnLease(ctx, h)
	case draw < 0.10:
		c.heartbeat(ctx, h.pool, h.lease)
	}
}

func (c *client) returnLease(ctx context.Context, h held) {
	op := &operation{client: c.id, pool: h.pool, req: request{Kind: opReturn, Lease: h.lease}}
	c.finishReturn(op, c.w.settle(ctx, op, c.rng))
}

func (c *client) finishReturn(op *operation, ans answer) {
	if ans.fate != definite {
		c.w.found.add(flawUnsettled, "return of %s at %s: %v", op.req.Lease, op.pool.tenant.id, ans.err)
		return
	}
	op.pool.record(event{op.client, op.req, op.first, outcome{Code: ans.code}, c.w.clock.now()})
	if ans.status == http.StatusOK {
		c.w.tally.returned.Add(1)
		return
	}
	c.w.found.add(flawLost, "return of %s at %s: %d %.300s", op.req.Lease, op.pool.tenant.id, ans.status, ans.body)
}

func (c *client) heartbeat(ctx context.Context, p *pool, lease string) {
	op := &operation{client: c.id, pool: p, req: request{Kind: opHeartbeat, Lease: lease}}
	ans := c.w.settle(ctx, op, c.rng)
	if ans.fate != definite {
		c.w.found.add(flawUnsettled, "heartbeat of %s at %s: %v", lease, p.tenant.id, ans.err)
		return
	}
	c.w.tally.heartbeats.Add(1)
	p.record(event{c.id, op.req, op.first, outcome{Code: ans.code}, c.w.clock.now()})
	if ans.code != "" && ans.code != "lease_released" {
		c.w.found.add(flawLost, "heartbeat of %s at %s: %d %.300s", lease, p.tenant.id, ans.status, ans.body)
	}
}
