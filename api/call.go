package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// slowRequest is from when on a request is worth a log line.
const slowRequest = time.Second

// Headers of the contract, in the form fasthttp keeps them in.
const (
	headerRequestID   = "X-Request-Id"
	headerApplied     = "X-Applied-Index"
	headerStaleness   = "X-Staleness-Ms"
	headerMinIndex    = "X-Min-Index"
	headerLeader      = "X-Leader"
	headerReplayed    = "Idempotency-Replayed"
	headerIdempotency = "Idempotency-Key"
	headerHostname    = "X-Hostname"
	headerFingerprint = "X-App-Fingerprint"
	headerLibVersion  = "X-Lib-Version"

	typeJSON    = "application/json"
	typeProblem = "application/problem+json"
)

// requestID is a UUIDv7 (RFC 9562). It names a request in replies and logs,
// and is the intent of a checkout that came without an Idempotency-Key.
type requestID struct {
	raw  [16]byte
	text [36]byte
}

// next makes up a fresh id.
func (id *requestID) next() {
	id.raw = newUUID(time.Now())
	hex.Encode(id.text[0:8], id.raw[0:4])
	hex.Encode(id.text[9:13], id.raw[4:6])
	hex.Encode(id.text[14:18], id.raw[6:8])
	hex.Encode(id.text[19:23], id.raw[8:10])
	hex.Encode(id.text[24:36], id.raw[10:16])
	id.text[8], id.text[13], id.text[18], id.text[23] = '-', '-', '-', '-'
}

// newUUID returns a UUIDv7 of 74 random bits. The generator is ChaCha8 per
// thread, so that ids cost no lock; nothing secret rests on them.
func newUUID(now time.Time) (id [16]byte) {
	ms, r := uint64(now.UnixMilli()), rand.Uint64()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = 0x70 | byte(r>>8)&0x0f
	id[7] = byte(r)
	r = rand.Uint64()
	for i := range 8 {
		id[8+i] = byte(r >> (8 * i))
	}
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// call is one request being answered. Calls are pooled: nothing of one may
// be kept past release.
type call struct {
	server *Server
	ctx    *fasthttp.RequestCtx
	route  *route
	id     requestID
	pathID []byte
	site   site
	tenant cloudlicenses.TenantID // whose request it is; of a vendor's: its account; empty: none
	vendor cloudlicenses.VendorID // on the vendors' host: whose request it is; empty: not known
	code   cloudlicenses.Code     // of the reply
	err    error                  // behind a 5xx

	dec body.Decoder
	out []byte

	key     *license.Key          // a vendor's key that asks; nil: something else
	user    *license.SessionFacts // who asks by a session; nil: a key, or nobody
	session [32]byte              // of user; of a vendor's key, its hash

	intended bool // the account knows what is about to be done, see audit.go

	caller    license.Caller
	op        body.Operation
	checkout  license.Checkout
	heartbeat license.Heartbeat
	giveBack  license.Return
	lease     license.LeaseResult
	batch     batch
}

func (s *Server) acquire(ctx *fasthttp.RequestCtx) *call {
	c := s.calls.Get().(*call)
	c.ctx = ctx
	c.id.next()
	return c
}

// maxPooledReply keeps one long list from holding memory for good.
const maxPooledReply = 64 << 10

func (s *Server) release(c *call) {
	c.ctx, c.route, c.pathID, c.tenant, c.code, c.err, c.user = nil, nil, nil, "", "", nil, nil
	c.site, c.vendor, c.key, c.intended = site{}, "", nil, false
	c.dec.Reset(nil)
	c.op = body.Operation{}
	c.caller, c.session = license.Caller{}, [32]byte{}
	if cap(c.out) > maxPooledReply {
		c.out = nil
	}
	c.batch.release()
	s.calls.Put(c)
}

// handle answers one request of the public address.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	start := time.Now()
	s.metrics.inFlight.Add(1)
	c := s.acquire(ctx)
	c.serve()
	took := time.Since(start)
	s.metrics.observe(c.routeIndex(), meaningIndexOrOK(c.code), took)
	s.metrics.inFlight.Add(-1)
	if c.code != cloudlicenses.OK || took > slowRequest {
		c.log(took)
	}
	s.release(c)
}

// serve routes, checks host and key, and calls the handler.
func (c *call) serve() {
	at, p := c.host()
	if p == problemNoTenant && c.servePortal(site{stranger: true}) {
		return
	}
	if p != nil {
		c.refuse(p)
		return
	}
	if !validQuery(c.ctx.URI().QueryString()) {
		c.refuse(&problem{code: cloudlicenses.MalformedRequest, detail: "the query string is not percent-encoded UTF-8"})
		return
	}
	router := c.server.router
	if at.vendors {
		router = c.server.vendors
	}
	rows, id := router.find(c.ctx.URI().Path())
	if rows == nil || (rows[0].on.ofTenant() && at.tenant == "") || (rows[0].on == onApex && !c.onApex()) {
		if c.servePortal(at) {
			return
		}
		c.refuse(&problem{code: cloudlicenses.NotFound, detail: "nothing is served at this path of this host"})
		return
	}
	if c.route = choose(rows, c.ctx.Method()); c.route == nil {
		methods := allowed(rows)
		c.ctx.Response.Header.Set("Allow", methods)
		c.refuse(&problem{code: cloudlicenses.MethodNotAllowed, detail: "this path takes " + methods})
		return
	}
	c.pathID, c.site, c.tenant = id, at, at.tenant
	switch c.route.on {
	case onTenant:
		if p = c.authenticate(); p != nil && c.route.action != 0 && c.hasSession() {
			p = c.authenticateUser()
		}
	case forUsers:
		p = c.authenticateUser()
	case onVendors, forVendorUsers:
		p = c.authenticateVendor()
	case onTenantOpen, onVendorsOpen:
		// What a GET may do is safe to be led to by another site: an OpenID
		// provider sends the browser back by one.
		if !c.ctx.IsGet() {
			p = c.sameSite()
		}
	case onApex, onAnywhere, everywhere:
	}
	if p != nil {
		c.refuse(p)
		return
	}
	c.route.handle(c)
}

// validQuery reports whether a query string decodes, and to UTF-8.
func validQuery(query []byte) bool {
	plain := true
	for _, b := range query {
		plain = plain && b != '%' && b < utf8.RuneSelf
	}
	if plain {
		return true
	}
	decoded, err := url.QueryUnescape(string(query))
	return err == nil && utf8.ValidString(decoded)
}

func (c *call) routeIndex() int {
	if c.route == nil {
		return c.server.metrics.unrouted
	}
	return c.route.index
}

// context is what a call into the cluster runs under.
func (c *call) context() context.Context { return c.server.ctx }

// reply sends c.out as the answer.
func (c *call) reply(status int) {
	h := &c.ctx.Response.Header
	h.SetContentType(typeJSON)
	h.SetBytesV(headerRequestID, c.id.text[:])
	c.ctx.SetStatusCode(status)
	c.ctx.Response.SetBody(c.out)
}

// refuse sends a problem.
func (c *call) refuse(p *problem) {
	m := &meanings[meaningOf(p.code)]
	c.code = m.code
	status := p.status
	if status == 0 {
		status = m.status
	}
	c.out = appendProblem(c.out[:0], c.server.problemType, p, c.id.text[:])
	h := &c.ctx.Response.Header
	h.SetContentType(typeProblem)
	h.SetBytesV(headerRequestID, c.id.text[:])
	h.Set("Cache-Control", "no-store") // a 404 would be kept by caches (RFC 9110, 15.1)
	if retry := cmp.Or(p.retryIn, m.retryAfter); retry > 0 {
		h.Set("Retry-After", strconv.Itoa(retry))
	}
	switch {
	case status == fasthttp.StatusUnauthorized && c.ctx.Request.Header.Peek("Authorization") == nil:
		h.Set("WWW-Authenticate", `Bearer realm="`+c.server.domain+`"`)
	case status == fasthttp.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="`+c.server.domain+`", error="invalid_token"`)
	case m.code == cloudlicenses.MissingScope && c.route != nil:
		h.Set("WWW-Authenticate", `Bearer realm="`+c.server.domain+`", error="insufficient_scope"`)
	}
	if p.layer != cloudlicenses.LayerNone {
		c.countRefusal(p)
	}
	c.ctx.SetStatusCode(status)
	c.ctx.Response.SetBody(c.out)
}

// fail sends the problem that an error of the machinery amounts to.
func (c *call) fail(err error) {
	code := codeOf(err)
	c.err = err
	p := &problem{code: code, detail: detailOf(code)}
	if code == cloudlicenses.TenantNotFound && c.vendor != "" {
		c.refuse(problemBadVendorKey)
		return
	}
	switch code {
	case cloudlicenses.TenantNotFound:
		p.layer = cloudlicenses.LayerHost
	case cloudlicenses.InvalidField:
		p.invalid = []body.FieldError{{Header: headerMinIndex, Detail: shard.ErrAppliedIndex.Error()}}
	}
	c.refuse(p)
}

// decoded refuses a body that did not decode; true means it did.
func (c *call) decoded() bool {
	switch {
	case c.dec.Failed():
		c.refuse(&problem{code: cloudlicenses.MalformedRequest, detail: c.dec.Problem})
	case len(c.dec.Invalid) > 0:
		c.refuse(&problem{code: cloudlicenses.InvalidField, detail: "the body has invalid fields", invalid: c.dec.Invalid})
	default:
		return true
	}
	return false
}

// written sets the headers of a write's reply.
func (c *call) written(w shard.Written) {
	c.ctx.Response.Header.Set(headerApplied, w.Applied)
	if w.LeaderURL != "" {
		c.ctx.Response.Header.Set(headerLeader, w.LeaderURL)
	}
}

// log writes the line of a failed or slow request. Refusals of clients are
// counted, not logged: strangers must not fill the log.
func (c *call) log(took time.Duration) {
	status := c.ctx.Response.StatusCode()
	if status < fasthttp.StatusInternalServerError && took <= slowRequest {
		return
	}
	name := "none"
	if c.route != nil {
		name = c.route.name
	}
	attrs := []any{
		slog.String("tenant", string(c.tenant)),
		slog.String("request_id", string(c.id.text[:])),
		slog.String("route", name),
		slog.Int("status", status),
		slog.String("code", string(c.code)),
		slog.Int64("took_ms", took.Milliseconds()),
	}
	if c.err != nil {
		attrs = append(attrs, slog.String("error", c.err.Error()))
	}
	c.server.logger.Warn("request failed or slow", attrs...)
}
