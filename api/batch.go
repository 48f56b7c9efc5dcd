package api

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// batch is the working space of POST /api/v1/licenses/batch. The slices grow
// to their full length before anything points into them.
type batch struct {
	keyed      bool // the whole request has an Idempotency-Key
	ops        []body.Operation
	checkouts  []license.Checkout
	heartbeats []license.Heartbeat
	returns    []license.Return
	results    []license.LeaseResult
	commands   []shard.Command
}

// maxPooledBatch keeps one large batch from holding memory for good.
const maxPooledBatch = 128

// release forgets what a batch held and keeps the room for another.
func (b *batch) release() {
	if len(b.ops) > maxPooledBatch { // not its room, which appending rounds up
		*b = batch{}
		return
	}
	b.keyed, b.ops = false, emptied(b.ops)
	b.checkouts, b.heartbeats, b.returns = emptied(b.checkouts), emptied(b.heartbeats), emptied(b.returns)
	b.results, b.commands = emptied(b.results), emptied(b.commands)
}

// emptied is a list without what it held, with its room.
func emptied[T any](list []T) []T {
	clear(list)
	return list[:0]
}

// serveBatch is POST /api/v1/licenses/batch. The operations go to the group
// together and apply in order, each with its own outcome; one that is invalid
// by itself stays behind with a 422 in its place.
func (c *call) serveBatch() {
	b := &c.batch
	b.ops = c.dec.DecodeBatch(c.ctx.Request.Body(), b.ops)
	if !c.decoded() {
		return
	}
	header := c.ctx.Request.Header.Peek(headerIdempotency)
	if !validIdempotencyKey(header) {
		c.refuse(problemIdempotencyKey)
		return
	}
	if !c.mayBatch() {
		return
	}
	c.fillBatch(header)
	if len(b.commands) > 0 {
		w, err := c.server.shard.DoAll(c.context(), c.tenant, b.commands)
		if err != nil {
			c.fail(err)
			return
		}
		c.written(w)
	}
	c.appendOutcomes()
	c.reply(fasthttp.StatusOK)
}

// mayBatch asks whether the key may use batches at all (license:checkout):
// the operations alone would not tell, since a return asks for another scope.
// Each is asked for its own scope again when it is applied.
func (c *call) mayBatch() bool {
	access := c.access()
	access.Uncounted = true // its checkouts count, each by itself
	var page license.LicensePage
	_, err := c.server.shard.Read(c.context(), c.tenant, shard.Command{
		Op:      license.QueryLicenses,
		Payload: &license.ListLicenses{Access: access, Limit: 1},
		Result:  &page,
	}, shard.ReadOptions{})
	switch {
	case err != nil:
		c.fail(err)
		return false
	case page.Code != cloudlicenses.OK:
		c.refuse(decided(page.Code, page.Layer, page.Detail, inQuery))
		return false
	}
	return true
}

// fillBatch makes a command of each valid operation. The i-th result belongs
// to the i-th operation.
func (c *call) fillBatch(header []byte) {
	b := &c.batch
	b.keyed = len(header) > 0
	n := len(b.ops)
	b.checkouts = slices.Grow(b.checkouts, n)
	b.heartbeats = slices.Grow(b.heartbeats, n)
	b.returns = slices.Grow(b.returns, n)
	b.results = slices.Grow(b.results, n)[:n]
	b.commands = slices.Grow(b.commands, n)
	now := time.Now()
	for i := range b.ops {
		o := &b.ops[i]
		if len(o.Invalid) > 0 {
			continue
		}
		command := shard.Command{Result: &b.results[i]}
		switch o.Kind {
		case body.Checkout:
			b.checkouts = append(b.checkouts, license.Checkout{})
			checkout := &b.checkouts[len(b.checkouts)-1]
			c.fillCheckout(checkout, o)
			checkout.Intent, checkout.IntentByClient = batchIntent(o.Key, header, i, now)
			if checkout.IntentByClient {
				checkout.BodyHash = o.Hash()
			}
			checkout.Request = c.operationID(i)
			command.Op, command.Payload = license.OpCheckout, checkout
		case body.Heartbeat:
			b.heartbeats = append(b.heartbeats, license.Heartbeat{Caller: c.caller, LeaseID: o.Lease})
			command.Op, command.Payload = license.OpHeartbeat, &b.heartbeats[len(b.heartbeats)-1]
		case body.Return:
			b.returns = append(b.returns, license.Return{Caller: c.caller, LeaseID: o.Lease})
			command.Op, command.Payload = license.OpReturn, &b.returns[len(b.returns)-1]
		case body.None: // has its error
			continue
		}
		b.commands = append(b.commands, command)
	}
}

// operationID names the i-th operation of this request.
func (c *call) operationID(i int) (id [16]byte) {
	id = c.id.raw
	binary.BigEndian.PutUint32(id[12:], binary.BigEndian.Uint32(id[12:])^uint32(i))
	return id
}

// batchIntent is the intent of the i-th operation: by its own
// idempotency_key, else by the whole request's, else a fresh one.
func batchIntent(key, header []byte, i int, now time.Time) (intent [16]byte, byClient bool) {
	switch {
	case len(key) > 0:
		return intentOf(key), true
	case len(header) > 0:
		b := make([]byte, 0, cloudlicenses.MaxIdempotencyKeyLength+16)
		b = append(append(b, "batch\x00"...), header...)
		sum := sha256.Sum256(binary.BigEndian.AppendUint32(append(b, 0), uint32(i)))
		return [16]byte(sum[:16]), true
	}
	return newUUID(now), false
}

// appendOutcomes builds the reply.
func (c *call) appendOutcomes() {
	c.out = append(c.out[:0], `{"results":[`...)
	for i := range c.batch.ops {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		o, result := &c.batch.ops[i], &c.batch.results[i]
		switch {
		case len(o.Invalid) > 0:
			c.appendRefused(&problem{code: cloudlicenses.InvalidField, detail: "the operation has invalid fields", invalid: o.Invalid})
		case result.Code != cloudlicenses.OK:
			c.appendRefused(decided(result.Code, result.Layer, result.Detail, "/operations/"+strconv.Itoa(i)).after(&result.Rate))
		default:
			c.appendOutcome(o, result)
		}
	}
	c.out = append(c.out, `]}`...)
}

// appendOutcome appends what one operation came to, with the members of its
// own reply.
func (c *call) appendOutcome(o *body.Operation, result *license.LeaseResult) {
	lease := &result.Lease
	switch o.Kind {
	case body.Checkout:
		c.out = appendGrant(append(c.out, `{"status":201,`...), lease)
		if result.Replayed && (len(o.Key) > 0 || c.batch.keyed) {
			c.out = append(c.out, `,"replayed":true`...)
		}
	case body.Heartbeat:
		c.out = appendBeat(append(c.out, `{"status":200,`...), lease)
	case body.Return, body.None:
		c.out = appendReturned(append(c.out, `{"status":200,`...), lease)
	}
	if o.Token {
		c.out = c.appendToken(append(c.out, `,"token":"`...), lease)
		c.out = append(c.out, '"')
	}
	c.out = append(c.out, '}')
}

// appendRefused appends a refusal in an operation's place.
func (c *call) appendRefused(p *problem) {
	m := &meanings[meaningOf(p.code)]
	b := append(c.out, `{"status":`...)
	b = strconv.AppendInt(b, int64(m.status), 10)
	b = appendMember(b, `,"code":`, string(m.code))
	b = appendMember(b, `,"title":`, m.title)
	if p.detail != "" {
		b = appendMember(b, `,"detail":`, p.detail)
	}
	b = append(b, `,"retryable":`...)
	b = strconv.AppendBool(b, m.retryable)
	if p.layer != cloudlicenses.LayerNone {
		b = appendMember(b, `,"layer":`, string(p.layer))
		c.countRefusal(p)
	}
	if p.retryIn > 0 {
		b = append(b, `,"retry_after_seconds":`...)
		b = strconv.AppendInt(b, int64(p.retryIn), 10)
	}
	c.out = append(appendFieldErrors(b, p.invalid), '}')
}
