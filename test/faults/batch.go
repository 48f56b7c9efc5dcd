package main

import (
	"context"
	"encoding/json"
	"net/http"
)

// batch sends a few operations of one tenant at once. Whatever it leaves open
// is settled one by one with the same keys.
func (c *client) batch(ctx context.Context) {
	first := c.newCheckout()
	if first == nil {
		return
	}
	if first.key == "" {
		first.key = "key-" + first.req.User
	}
	ops := []*operation{first}
	for _, p := range c.w.pools[c.w.cursor.Load():] {
		if len(ops) == 3 {
			break
		}
		if p.tenant != first.pool.tenant || p == first.pool || !p.begin(c.w.limit) {
			continue
		}
		user := c.w.newUser()
		ops = append(ops, &operation{client: c.id, pool: p, key: "key-" + user, req: request{Kind: opCheckout, User: user, Count: 1, AllowOverage: true}})
	}
	if i := c.heldAt(first.pool.tenant); i >= 0 {
		h := c.held[i]
		c.held = append(c.held[:i], c.held[i+1:]...)
		ops = append(ops, &operation{client: c.id, pool: h.pool, req: request{Kind: opReturn, Lease: h.lease}})
	}
	answers := c.sendBatch(ops)
	for i, op := range ops {
		ans := answers[i]
		if ans.fate != definite {
			ans = c.w.settle(ctx, op, c.rng)
		}
		if op.req.Kind == opReturn {
			c.finishReturn(op, ans)
		} else {
			c.finishCheckout(op, ans)
		}
	}
}

// heldAt finds a lease of this client at the tenant; -1: none.
func (c *client) heldAt(t *tenant) int {
	for i, h := range c.held {
		if h.pool.tenant == t {
			return i
		}
	}
	return -1
}

// sendBatch makes one attempt of all operations and returns an answer each.
func (c *client) sendBatch(ops []*operation) []answer {
	bodies := make([]map[string]any, len(ops))
	for i, op := range ops {
		bodies[i] = op.attempt().body
		bodies[i]["op"] = op.req.Kind.String()
		if op.key != "" {
			bodies[i]["idempotency_key"] = op.key
		}
	}
	call := c.w.clock.now()
	whole := c.w.gate.do(c.rng.IntN(len(c.w.gate.nodes)), attempt{
		tenant: ops[0].pool.tenant, method: "POST", path: "/api/v1/licenses/batch", body: map[string]any{"operations": bodies},
	}, attemptTimeout)
	c.w.tally.attempts.Add(1)
	answers := c.split(ops, whole)
	for i, op := range ops {
		op.first, op.last, op.tries = call, call, 1
		op.open = answers[i].fate == unknown
		op.remember("batch", answers[i])
	}
	return answers
}

// split takes a batch's answer apart; one without a body is that of all.
func (c *client) split(ops []*operation, whole answer) []answer {
	answers := make([]answer, len(ops))
	for i := range answers {
		answers[i] = whole
	}
	if whole.fate != definite {
		return answers
	}
	var body struct{ Results []json.RawMessage }
	if whole.status != http.StatusOK || json.Unmarshal(whole.body, &body) != nil || len(body.Results) != len(ops) {
		c.w.found.add(flawReply, "batch of %d: %d %.400s", len(ops), whole.status, whole.body)
		return answers
	}
	for i, raw := range body.Results {
		var slot struct{ Status int }
		if err := json.Unmarshal(raw, &slot); err != nil {
			c.w.found.add(flawReply, "batch result %.300s: %v", raw, err)
		}
		answers[i] = answer{status: slot.Status, body: raw, applied: whole.applied}
		if slot.Status >= 300 {
			answers[i].code, answers[i].fate = refusal(slot.Status, raw)
		}
	}
	return answers
}
