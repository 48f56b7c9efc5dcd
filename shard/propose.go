package shard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// Waits between two attempts to reach a leader: doubling, each jittered to
// 50–150 %. A failover takes some 400 ms, so the first ones are short.
const (
	firstRetryWait = 4 * time.Millisecond
	maxRetryWait   = 64 * time.Millisecond
)

// attemptTimeout bounds the first attempt, each next one has twice as long. A
// leader that was paused does not answer and breaks no connection, while
// another one may long be in office.
const attemptTimeout = time.Second

// maxPooledBuffer keeps one huge command from holding memory for good.
const maxPooledBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

func noCancel() {}

// deadlineOf returns ctx's deadline, or one RequestTimeout from now.
func deadlineOf(ctx context.Context) time.Time {
	if deadline, has := ctx.Deadline(); has {
		return deadline
	}
	return time.Now().Add(cloudlicenses.RequestTimeout)
}

// withDeadline bounds ctx by RequestTimeout where it has no deadline.
func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, noCancel
	}
	return context.WithTimeout(ctx, cloudlicenses.RequestTimeout)
}

// limited bounds an attempt by its own limit and by deadline.
func limited(ctx context.Context, deadline time.Time, limit time.Duration) (context.Context, context.CancelFunc) {
	if own := time.Now().Add(limit); own.Before(deadline) {
		deadline = own
	}
	return context.WithDeadline(ctx, deadline)
}

// tryShare is how long first attempts share one context: one of their own
// would cost each a timer and five times the door's whole work.
const tryShare = 50 * time.Millisecond

// firstTries hands out the contexts of first attempts, which end between
// attemptTimeout and attemptTimeout + tryShare later. They do not end with the
// caller's: an attempt on its way is waited for that long.
type firstTries struct {
	mu      sync.Mutex // guards the change of current
	current atomic.Pointer[sharedTry]
}

type sharedTry struct {
	ctx    context.Context
	cancel context.CancelFunc // never called: others may be waiting by it
	until  time.Time          // handed out before
	ends   time.Time
}

// context returns a context for a first attempt that must end by deadline.
func (f *firstTries) context(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	now := time.Now()
	try := f.current.Load()
	if try == nil || !now.Before(try.until) {
		try = f.next(now)
	}
	if try.ends.After(deadline) {
		return limited(ctx, deadline, attemptTimeout)
	}
	return try.ctx, noCancel
}

func (f *firstTries) next(now time.Time) *sharedTry {
	f.mu.Lock()
	defer f.mu.Unlock()
	if try := f.current.Load(); try != nil && now.Before(try.until) {
		return try
	}
	try := &sharedTry{until: now.Add(tryShare), ends: now.Add(tryShare + attemptTimeout)}
	try.ctx, try.cancel = context.WithDeadline(context.Background(), try.ends)
	f.current.Store(try)
	return try
}

// encode appends header and payload to b.
func encode(b []byte, header fsm.Header, payload msgp.Marshaler) ([]byte, error) {
	b = header.Append(b)
	if payload == nil {
		return b, nil
	}
	b, err := payload.MarshalMsg(b)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", payload, err)
	}
	return b, nil
}

// propose encodes a command and has it committed, asking again while there is
// no leader or the outcome is unknown.
func (s *Shard) propose(ctx context.Context, group cluster.GroupID, header fsm.Header, payload msgp.Marshaler) (cluster.Reply, error) {
	pooled, _ := buffers.Get().(*[]byte) // the pool holds nothing else
	command, err := encode((*pooled)[:0], header, payload)
	if err != nil {
		return cluster.Reply{}, err
	}
	deadline := deadlineOf(ctx)
	first, cancel := s.tries.context(ctx, deadline)
	reply, err := s.engine.Propose(first, group, command)
	cancel()
	if err == nil {
		// Only a command that was answered is out of the engine's hands.
		if cap(command) <= maxPooledBuffer {
			*pooled = command
		}
		buffers.Put(pooled)
		return reply, nil
	}
	try := 0
	err = settle(ctx, deadline, err, func(ctx context.Context) (err error) {
		try++
		if command, err = encode(nil, header, retried(payload, try)); err != nil {
			return err
		}
		reply, err = s.engine.Propose(ctx, group, command)
		return err
	})
	return reply, reached(group, err)
}

// unreached is the error of a group that has not answered in time.
type unreached struct {
	group cluster.GroupID
	err   error
}

func (u *unreached) Error() string { return u.err.Error() }

func (u *unreached) Unwrap() error { return u.err }

// reached notes in an error that it was the group that has not answered.
func reached(group cluster.GroupID, err error) error {
	if errors.Is(err, cluster.ErrNoLeader) || errors.Is(err, cluster.ErrOutcomeUnknown) {
		return &unreached{group, err}
	}
	return err
}

// retried is a payload as a later try of it: what has not been answered may lie
// in the sockets of a leader that does not run, and must not take effect once
// this one was refused.
func retried(payload msgp.Marshaler, try int) msgp.Marshaler {
	c, ok := payload.(*license.Checkout)
	if !ok {
		return payload
	}
	again := *c
	again.Try = uint8(min(try, math.MaxUint8))
	return &again
}

// proposeAll is propose for several commands of a tenant.
func (s *Shard) proposeAll(ctx context.Context, at placement, tenant cloudlicenses.TenantID, cmds []Command) ([]cluster.Reply, error) {
	pooled, _ := buffers.Get().(*[]byte) // the pool holds nothing else
	commands, encoded, err := encodeAll((*pooled)[:0], at, tenant, cmds, 0)
	if err != nil {
		return nil, err
	}
	deadline := deadlineOf(ctx)
	first, cancel := s.tries.context(ctx, deadline)
	replies, err := s.engine.ProposeAll(first, at.group, commands)
	cancel()
	if err == nil { // as in propose
		if cap(encoded) <= maxPooledBuffer {
			*pooled = encoded
		}
		buffers.Put(pooled)
	} else {
		try := 0
		err = settle(ctx, deadline, err, func(ctx context.Context) (err error) {
			try++
			if commands, _, err = encodeAll(nil, at, tenant, cmds, try); err != nil {
				return err
			}
			replies, err = s.engine.ProposeAll(ctx, at.group, commands)
			return err
		})
	}
	if err == nil && len(replies) != len(cmds) {
		err = fmt.Errorf("%d results for %d commands", len(replies), len(cmds))
	}
	return replies, err
}

// encodeAll encodes the commands of a tenant for their first or a later try, one
// after the other behind b.
func encodeAll(b []byte, at placement, tenant cloudlicenses.TenantID, cmds []Command, try int) (commands [][]byte, encoded []byte, err error) {
	encoded = slices.Grow(b, 256*len(cmds))
	ends := make([]int, len(cmds))
	for i, cmd := range cmds {
		payload := cmd.Payload
		if try > 0 {
			payload = retried(payload, try)
		}
		header := fsm.Header{Op: cmd.Op, Version: license.Version, Epoch: at.epoch, Tenant: tenant}
		if encoded, err = encode(encoded, header, payload); err != nil {
			return nil, nil, err
		}
		ends[i] = len(encoded)
	}
	commands = make([][]byte, len(cmds))
	for i, from := 0, len(b); i < len(ends); from, i = ends[i], i+1 {
		commands[i] = encoded[from:ends[i]:ends[i]]
	}
	return commands, encoded, nil
}

// settle repeats attempt, whose first try failed with err, until it succeeds,
// fails for good, or ctx or the deadline ends. What it returns then is
// ErrOutcomeUnknown if any try may have taken effect, else why the last one
// did not.
func settle(ctx context.Context, deadline time.Time, err error, attempt func(context.Context) error) error {
	unknown := false
	limit := attemptTimeout
	for wait := firstRetryWait; ; wait = min(2*wait, maxRetryWait) {
		switch {
		case errors.Is(err, cluster.ErrOutcomeUnknown), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			unknown = true
		case errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrNoGroup):
		default:
			return unsettled(err, unknown)
		}
		pause := wait/2 + rand.N(wait)
		if time.Until(deadline) <= pause {
			return unsettled(err, unknown)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return unsettled(err, unknown)
		case <-timer.C:
		}
		limit *= 2
		next, cancel := limited(ctx, deadline, limit)
		err = attempt(next)
		cancel()
		if err == nil {
			return nil
		}
	}
}

// unsettled names the error that a caller may act on.
func unsettled(err error, unknown bool) error {
	switch {
	case unknown && !errors.Is(err, cluster.ErrOutcomeUnknown):
		return fmt.Errorf("%w (last try: %w)", cluster.ErrOutcomeUnknown, err)
	case errors.Is(err, cluster.ErrNoGroup):
		return fmt.Errorf("%w: %w", cluster.ErrNoLeader, err)
	default:
		return err
	}
}

// settleRead is settle for a read, of which nothing can have taken effect.
func settleRead(ctx context.Context, deadline time.Time, err error, attempt func(context.Context) error) error {
	if err = settle(ctx, deadline, err, attempt); errors.Is(err, cluster.ErrOutcomeUnknown) {
		return fmt.Errorf("%w: no answer (%v)", cluster.ErrNoLeader, err) //nolint:errorlint // a read has no unknown outcome to tell of
	}
	return err
}
