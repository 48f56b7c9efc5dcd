package shard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
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

// maxPooledBuffer keeps one huge command from holding memory for good.
const maxPooledBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

func noCancel() {}

// withDeadline bounds ctx by RequestTimeout where it has no deadline.
func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, noCancel
	}
	return context.WithTimeout(ctx, cloudlicenses.RequestTimeout)
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
	pooled := buffers.Get().(*[]byte)
	command, err := encode((*pooled)[:0], header, payload)
	if err != nil {
		return cluster.Reply{}, err
	}
	reply, err := s.engine.Propose(ctx, group, command)
	if err == nil {
		// Only a command that was answered is out of the engine's hands.
		if cap(command) <= maxPooledBuffer {
			*pooled = command
			buffers.Put(pooled)
		}
		return reply, nil
	}
	err = settle(ctx, err, func() (err error) {
		reply, err = s.engine.Propose(ctx, group, command)
		return err
	})
	return reply, err
}

// proposeAll is propose for several commands of a tenant.
func (s *Shard) proposeAll(ctx context.Context, at placement, tenant cloudlicenses.TenantID, cmds []Command) ([]cluster.Reply, error) {
	encoded := make([]byte, 0, 256*len(cmds))
	ends := make([]int, len(cmds))
	var err error
	for i, cmd := range cmds {
		header := fsm.Header{Op: cmd.Op, Version: license.Version, Epoch: at.epoch, Tenant: tenant}
		if encoded, err = encode(encoded, header, cmd.Payload); err != nil {
			return nil, err
		}
		ends[i] = len(encoded)
	}
	commands := make([][]byte, len(cmds))
	for i, from := 0, 0; i < len(ends); from, i = ends[i], i+1 {
		commands[i] = encoded[from:ends[i]:ends[i]]
	}
	replies, err := s.engine.ProposeAll(ctx, at.group, commands)
	if err != nil {
		err = settle(ctx, err, func() (err error) {
			replies, err = s.engine.ProposeAll(ctx, at.group, commands)
			return err
		})
	}
	if err == nil && len(replies) != len(cmds) {
		err = fmt.Errorf("%d results for %d commands", len(replies), len(cmds))
	}
	return replies, err
}

// settle repeats attempt, whose first try failed with err, until it succeeds,
// fails for good or ctx ends. What it returns then is ErrOutcomeUnknown if any
// try may have taken effect, else why the last one did not.
func settle(ctx context.Context, err error, attempt func() error) error {
	unknown := false
	for wait := firstRetryWait; ; wait = min(2*wait, maxRetryWait) {
		switch {
		case errors.Is(err, cluster.ErrOutcomeUnknown), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			unknown = true
		case errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrNoGroup):
		default:
			return unsettled(err, unknown)
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return unsettled(err, unknown)
		case <-timer.C:
		}
		if err = attempt(); err == nil {
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
func settleRead(ctx context.Context, err error, attempt func() error) error {
	if err = settle(ctx, err, attempt); errors.Is(err, cluster.ErrOutcomeUnknown) {
		return fmt.Errorf("%w: no answer (%v)", cluster.ErrNoLeader, err) //nolint:errorlint // a read has no unknown outcome to tell of
	}
	return err
}
