package api

import (
	"crypto/sha256"
	"strconv"

	"github.com/tinylib/msgp/msgp"
	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// serveCheckout is POST /api/v1/licenses/checkout.
func (c *call) serveCheckout() {
	c.dec.DecodeOperation(c.ctx.Request.Body(), body.Checkout, &c.op)
	if !c.decoded() {
		return
	}
	intent, byClient, ok := c.intent()
	if !ok {
		return
	}
	c.fillCheckout(&c.checkout, &c.op)
	if c.checkout.Intent, c.checkout.IntentByClient = intent, byClient; byClient {
		c.checkout.BodyHash = c.op.Hash()
	}
	c.checkout.Request = c.id.raw
	if !c.do(license.OpCheckout, &c.checkout) {
		return
	}
	// Not where the node itself asked again to settle an outcome.
	if c.lease.Replayed && c.checkout.IntentByClient {
		c.ctx.Response.Header.Set(headerReplayed, "true")
	}
	c.out = appendGrant(append(c.out[:0], '{'), &c.lease.Lease)
	c.finishLease(fasthttp.StatusCreated)
}

// serveHeartbeat is POST /api/v1/licenses/heartbeat.
func (c *call) serveHeartbeat() {
	c.dec.DecodeOperation(c.ctx.Request.Body(), body.Heartbeat, &c.op)
	if !c.decoded() {
		return
	}
	c.heartbeat = license.Heartbeat{Caller: c.caller, LeaseID: c.op.Lease}
	if !c.do(license.OpHeartbeat, &c.heartbeat) {
		return
	}
	c.out = appendBeat(append(c.out[:0], '{'), &c.lease.Lease)
	c.finishLease(fasthttp.StatusOK)
}

// serveReturn is POST /api/v1/licenses/return.
func (c *call) serveReturn() {
	c.dec.DecodeOperation(c.ctx.Request.Body(), body.Return, &c.op)
	if !c.decoded() {
		return
	}
	c.giveBack = license.Return{Caller: c.caller, LeaseID: c.op.Lease}
	if !c.do(license.OpReturn, &c.giveBack) {
		return
	}
	c.out = appendReturned(append(c.out[:0], '{'), &c.lease.Lease)
	c.finishLease(fasthttp.StatusOK)
}

// do has the tenant's group decide a command into c.lease. False means that
// the refusal is sent.
func (c *call) do(op fsm.Op, command msgp.Marshaler) bool {
	c.lease = license.LeaseResult{}
	w, err := c.server.shard.Do(c.context(), c.tenant, shard.Command{Op: op, Payload: command, Result: &c.lease})
	if err != nil {
		c.fail(err)
		return false
	}
	c.written(w)
	c.rate(&c.lease.Rate)
	if c.lease.Code != cloudlicenses.OK {
		c.refuse(decided(c.lease.Code, c.lease.Layer, c.lease.Detail, "").after(&c.lease.Rate))
		return false
	}
	return true
}

// finishLease adds the token where asked, closes the object and replies.
func (c *call) finishLease(status int) {
	if c.op.Token {
		c.out = c.appendToken(append(c.out, `,"token":"`...), &c.lease.Lease)
		c.out = append(c.out, '"')
	}
	c.out = append(c.out, '}')
	c.reply(status)
}

// fillCheckout turns a decoded body into a command, without its intent. What
// it takes from the request it copies: the command may outlive the handler in
// a proposal that was given up on.
func (c *call) fillCheckout(to *license.Checkout, o *body.Operation) {
	*to = license.Checkout{
		Caller:       c.caller,
		VendorID:     cloudlicenses.VendorID(o.Vendor),
		ProductID:    cloudlicenses.ProductID(o.Product),
		User:         string(o.User),
		Count:        o.Count,
		AppVersion:   string(o.Version),
		TTLMillis:    o.TTLSeconds * 1000,
		AllowOverage: o.AllowOverage,
	}
	if o.Metadata != nil {
		to.Metadata = append([]byte(nil), o.Metadata...)
	}
}

var problemIdempotencyKey = &problem{
	code: cloudlicenses.InvalidField, detail: "a header is not valid",
	invalid: []body.FieldError{{
		Header: headerIdempotency,
		Detail: "must be 1 to " + strconv.Itoa(cloudlicenses.MaxIdempotencyKeyLength) + " bytes without control characters",
	}},
}

// validIdempotencyKey accepts a header that is missing (nil) or of the right
// length.
func validIdempotencyKey(key []byte) bool {
	return key == nil || (len(key) > 0 && len(key) <= cloudlicenses.MaxIdempotencyKeyLength && printable(key))
}

// intent is what the Idempotency-Key stands for; without one, the request's own id.
// False means that the refusal is sent.
func (c *call) intent() (id [16]byte, byClient, ok bool) {
	key := c.ctx.Request.Header.Peek(headerIdempotency)
	switch {
	case !validIdempotencyKey(key):
		c.refuse(problemIdempotencyKey)
		return id, false, false
	case len(key) > 0:
		return intentOf(key), true, true
	}
	return c.id.raw, false, true
}

// intentOf is the intent that an Idempotency-Key stands for.
func intentOf(key []byte) [16]byte {
	sum := sha256.Sum256(key)
	return [16]byte(sum[:16])
}
