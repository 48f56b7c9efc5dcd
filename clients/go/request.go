package licenseclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	// appliedHeader says which state an answer is of, a refusal's included.
	appliedHeader = "X-Applied-Index"
	// maxReplyBytes bounds what is read of a reply: the largest, a batch of
	// 1,000 checkouts with tokens, is about 1 MiB.
	maxReplyBytes = 16 << 20
	// hintedAttemptTimeout bounds an attempt at a leader's own address, which
	// answers within milliseconds: the server's URL can take over, so that a
	// node that hangs need not be waited for. It is what a caller then feels.
	hintedAttemptTimeout = time.Second
	// firstPause and longestPause bound the pause between attempts, which
	// doubles and is jittered. A new leader is there within about a second.
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

// call is one request of the API, sent as often as it takes.
type call struct {
	method string
	path   string // absolute, escaped
	query  url.Values
	body   []byte // nil: none
	// key is the Idempotency-Key of the intent; empty where repeating the
	// request changes nothing anyway.
	key string
	// write: the reply may be unknown, goes to the leader, moves the index
	// that later reads wait for.
	write bool
	// from says from when a read must be.
	from moment
	// seen is what the client had seen when the call began.
	seen *sighting
}

// moment is what a read's answer must not be older than.
type moment uint8

const (
	seenBefore moment = iota // what this client has seen or written
	latest                   // the leader is asked
	anytime                  // any replica will do
)

// checked is a reply that can tell whether it is one of the contract: JSON of
// something else decodes as well.
type checked interface {
	complete() bool
}

// answer is what a success says beside its body.
type answer struct {
	replayed bool      // by Idempotency-Key
	sentAt   time.Time // when the attempt that was answered set out
}

// do sends one call until it has a definite answer, and decodes a success
// into reply. A refusal is an *Error; no definite answer is an
// *UnfinishedError.
func (c *Client) do(ctx context.Context, call call, reply checked) (answer, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
	}
	call.seen = c.seen.Load()
	first := !call.write && call.from == seenBefore && call.seen == nil
	if first || (call.from == seenBefore && call.seen != nil && call.seen.contested) {
		call.from = latest
	}
	unfinished := &UnfinishedError{IdempotencyKey: call.key}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if ctx.Err() != nil {
			return answer{}, unfinished.endedBy(context.Cause(ctx))
		}
		to := c.routes.pick(call.write)
		unfinished.Attempts++
		var sent atomic.Bool
		got, err := c.attempt(ctx, to, call, reply, &sent)
		if err == nil {
			return got, nil
		}
		next := c.judge(ctx, to, err)
		unfinished.met(ctx, err)
		unfinished.Unknown = unfinished.Unknown || (call.write && next.unknown(sent.Load()))
		if next.final {
			return answer{}, unfinished.orRefusal(next)
		}
		switch {
		case next.is(ErrNotCaughtUp) && call.from == seenBefore:
			call.from = latest
		case next.is(ErrNoLeader) && first:
			first, call.from, next.atOnce = false, anytime, true // old news are better than none
		}
		if next.atOnce {
			continue
		}
		left := timeLeft(ctx)
		if next.after >= left && next.after > 0 {
			return answer{}, unfinished.orRefusal(next)
		}
		if wait := next.after + min(jitter(pause), left/2); !sleep(ctx, wait) {
			return answer{}, unfinished.endedBy(context.Cause(ctx))
		}
	}
}

// verdict is what an attempt that failed means for the call.
type verdict struct {
	refusal *Error // nil: nothing spoke HTTP to the end
	final   bool   // asking again is of no use
	atOnce  bool   // ask again without a pause
	after   time.Duration
}

func (v verdict) is(code Code) bool { return v.refusal != nil && v.refusal.Code == code }

// unknown reports whether the attempt may have changed something: it was sent
// and no license server denied it.
func (v verdict) unknown(sent bool) bool {
	if v.refusal != nil && v.refusal.Code != "" {
		return v.refusal.Code == ErrOutcomeUnknown
	}
	return sent
}

// judge decides whether and how to go on after err of an attempt at to, and
// tells the router.
func (c *Client) judge(ctx context.Context, to target, err error) verdict {
	var v verdict
	if errors.As(err, &v.refusal) && v.refusal.Code != "" && !v.refusal.misrouted(to) {
		if v.refusal.Retryable {
			c.routes.unsettled(to)
		}
		v.final = !v.refusal.Retryable
		v.after = v.refusal.RetryAfter
		return v
	}
	// No license server answered: no connection, one cut short, a node that
	// hangs, or something in between that speaks for it.
	if !errors.Is(ctx.Err(), context.Canceled) {
		c.routes.failed(to, time.Now())
	}
	if to.hinted {
		v.atOnce = true // the server's own URL was not at fault
		return v
	}
	if v.refusal != nil {
		v.final = !v.refusal.Retryable
		v.after = v.refusal.RetryAfter
		return v
	}
	v.final = len(c.routes.homes) == 1 && hopeless(err)
	return v
}

// misrouted reports whether a leader's address turned out to belong to
// somebody else.
func (e *Error) misrouted(to target) bool {
	return to.hinted && (e.Code == ErrMisdirectedRequest || e.Code == ErrTenantNotFound)
}

// hopeless reports whether err is of a kind that no waiting mends: a name
// that does not exist, a certificate that does not hold, no TLS over there.
func hopeless(err error) bool {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return (errors.As(err, &name) && name.IsNotFound) ||
		errors.As(err, &certificate) || errors.As(err, &record) ||
		errors.Is(err, http.ErrSchemeMismatch)
}

// met keeps what an attempt met. The end of the call's own time says less than
// what an attempt before it has met.
func (e *UnfinishedError) met(ctx context.Context, err error) {
	if e.Err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", err, e.Err)
	}
	e.Err = err
}

// endedBy is the error of a call whose context ended.
func (e *UnfinishedError) endedBy(cause error) error {
	switch {
	case e.Err == nil:
		e.Err = cause
	case !errors.Is(e.Err, cause):
		e.Err = fmt.Errorf("%w: %w", cause, e.Err)
	}
	return e
}

// orRefusal is the error of a call that ends with next: the refusal itself
// where it is definite and nothing is left unknown.
func (e *UnfinishedError) orRefusal(next verdict) error {
	if next.refusal != nil && (!e.Unknown || (next.final && next.refusal.Code != "")) {
		return next.refusal
	}
	return e
}

// attempt sends call once. sent is set once the request may have left.
func (c *Client) attempt(
	ctx context.Context, to target, call call, reply checked, sent *atomic.Bool,
) (answer, error) {
	limit := c.options.AttemptTimeout
	if to.hinted {
		limit = min(limit, hintedAttemptTimeout)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Headers may be buffered, but from here on nothing rules out that
		// the server saw the request.
		WroteHeaders: func() { sent.Store(true) },
	})
	req, err := c.request(ctx, to, call)
	if err != nil {
		return answer{}, err
	}
	if call.seen != nil && !call.write && call.from == seenBefore {
		req.Header.Set("X-Min-Index", call.seen.index)
	}
	sentAt := time.Now()
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxReplyBytes+1))
	if err != nil {
		return answer{}, fmt.Errorf("reading the reply: %w", err)
	}
	if len(body) > maxReplyBytes {
		return answer{}, fmt.Errorf("%w: longer than %d bytes", ErrReply, maxReplyBytes)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		refusal := parseError(res.StatusCode, res.Header, body)
		if refusal.Code != "" {
			c.routes.learn(res.Header, time.Now())
		}
		if !refusal.Retryable && !refusal.misrouted(to) {
			c.saw(call, res.Header.Get(appliedHeader)) // what was refused says how things stand
		}
		return answer{}, refusal
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrReply, err)
	} else if !reply.complete() {
		return answer{}, fmt.Errorf("%w: fields are missing", ErrReply)
	}
	c.routes.learn(res.Header, time.Now())
	c.saw(call, res.Header.Get(appliedHeader))
	return answer{
		replayed: res.Header.Get("Idempotency-Replayed") == "true",
		sentAt:   sentAt,
	}, nil
}

// saw keeps the index that call's answer came with (empty: none).
func (c *Client) saw(call call, index string) {
	switch {
	case index == "":
	case call.write:
		now := c.seen.Load()
		for !c.seen.CompareAndSwap(now, &sighting{index: index, contested: now != call.seen}) {
			now = c.seen.Load()
		}
	case call.from != anytime:
		// One seen meanwhile may be later.
		c.seen.CompareAndSwap(call.seen, &sighting{index: index})
	}
}

// request builds one attempt's request. Whatever node it goes to, it is for
// the tenant's own host.
func (c *Client) request(ctx context.Context, to target, call call) (*http.Request, error) {
	u := *to.base
	u.RawQuery = call.query.Encode()
	if call.from == latest {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += "consistency=linearizable"
	}
	path, err := url.PathUnescape(call.path)
	if err != nil {
		return nil, fmt.Errorf("%w: path %q: %w", ErrConfig, call.path, err)
	}
	u.Path, u.RawPath = path, call.path
	var body io.Reader
	if call.body != nil {
		body = bytes.NewReader(call.body)
	}
	req, err := http.NewRequestWithContext(ctx, call.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Host = c.home.Host
	header := req.Header
	header.Set("Authorization", "Bearer "+c.options.APIKey)
	header.Set("Accept", "application/json")
	header.Set("User-Agent", c.options.UserAgent)
	header.Set("X-Lib-Version", c.options.LibVersion)
	if c.options.Hostname != "" {
		header.Set("X-Hostname", c.options.Hostname)
	}
	if c.options.Fingerprint != "" {
		header.Set("X-App-Fingerprint", c.options.Fingerprint)
	}
	if call.body != nil {
		header.Set("Content-Type", "application/json")
	}
	if call.key != "" {
		header.Set("Idempotency-Key", call.key)
	}
	return req, nil
}

// jitter returns a random pause between a half and the whole of most, so that
// clients that failed together do not come back together.
func jitter(most time.Duration) time.Duration {
	return most/2 + rand.N(most/2+1)
}

// timeLeft returns how long ctx, which has a deadline, still lasts.
func timeLeft(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}

// sleep waits for d, and reports false where ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
