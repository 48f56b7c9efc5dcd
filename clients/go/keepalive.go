package licenseclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// longestBeatPause bounds the pause after a heartbeat that failed for a
// reason that waiting may not mend, such as a key's changed restrictions.
const longestBeatPause = 15 * time.Second

// ExpiresAt returns when the lease ends without a further heartbeat, by the
// server's clock.
func (l *Lease) ExpiresAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.expiresAt
}

// Token returns the newest signed statement of the lease; empty unless the
// checkout asked for one.
func (l *Lease) Token() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}

// Lost is closed when the lease is gone without having been returned: the
// server said so, or no heartbeat of KeepAlive came through before its time
// was up, counted from before the last one that did. Stop working with the
// product then. A machine that slept notices when it wakes. Return never
// closes it.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Err returns why the lease was lost: it wraps ErrLeaseLapsed, or answers to
// ErrLeaseExpired, ErrLeaseReleased or ErrLeaseNotFound. It is nil until Lost
// is closed.
func (l *Lease) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// Heartbeat extends the lease once. KeepAlive does it in the background.
func (l *Lease) Heartbeat(ctx context.Context) error {
	beat, sentAt, err := l.client.heartbeat(ctx, l.ID, l.withToken)
	if err != nil {
		if gone(err) {
			l.lose(err)
		}
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if beat.ExpiresAt.After(l.expiresAt) {
		l.expiresAt = beat.ExpiresAt
	}
	// The server extended the lease by its TTL, later than sentAt.
	if lapsesAt := sentAt.Add(l.ttl); lapsesAt.After(l.lapsesAt) {
		l.lapsesAt = lapsesAt
	}
	if beat.Token != "" {
		l.token = beat.Token
	}
	return nil
}

// KeepAlive sends heartbeats in the background until the lease is returned,
// lost, or ctx ends; ctx ending stops the heartbeats and nothing else. While
// it runs, calling it again does nothing. What fails is tried again for as
// long as the lease lives.
func (l *Lease) KeepAlive(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop != nil || l.returned || l.cause != nil {
		return
	}
	ctx, l.stop = context.WithCancel(ctx)
	l.stopped = make(chan struct{})
	go l.beat(ctx, l.stop, l.stopped)
}

// beat is KeepAlive's goroutine.
func (l *Lease) beat(ctx context.Context, cancel context.CancelFunc, stopped chan struct{}) {
	defer func() {
		cancel()
		l.mu.Lock()
		l.stop = nil
		l.mu.Unlock()
		close(stopped)
	}()
	wait := l.untilFirstBeat()
	for sleep(ctx, wait) {
		lapsesAt := l.lapses()
		limit := time.Now().Add(l.client.options.Timeout)
		if lapsesAt.Before(limit) {
			limit = lapsesAt
		}
		beating, cancelBeat := context.WithDeadline(ctx, limit)
		err := l.Heartbeat(beating)
		cancelBeat()
		left := time.Until(l.lapses())
		switch {
		case err == nil:
			wait = spread(l.HeartbeatInterval)
		case ctx.Err() != nil, gone(err):
			return
		case left <= 0:
			l.lose(fmt.Errorf("%w: %w", ErrLeaseLapsed, err))
			return
		default:
			// Half of what is left leaves room for more tries, ever closer.
			wait = min(jitter(min(l.HeartbeatInterval/2, longestBeatPause)), left/2+time.Millisecond)
		}
	}
}

// untilFirstBeat is the pause before KeepAlive's first heartbeat. It does not
// wait where it cannot know how old the lease is.
func (l *Lease) untilFirstBeat() time.Duration {
	if l.Replayed {
		return 0
	}
	age := l.ttl - time.Until(l.lapses())
	return max(0, spread(l.HeartbeatInterval)-age)
}

func (l *Lease) lapses() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lapsesAt
}

// spread returns a random time a little below interval, so that leases taken
// together do not beat together.
func spread(interval time.Duration) time.Duration {
	return interval - rand.N(interval/5+1)
}

// gone reports whether the server says that the lease lives no more.
func gone(err error) bool {
	return errors.Is(err, ErrLeaseExpired) || errors.Is(err, ErrLeaseReleased) ||
		errors.Is(err, ErrLeaseNotFound)
}

// lose closes Lost, once, unless the lease has been returned.
func (l *Lease) lose(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.returned || l.cause != nil {
		return
	}
	l.cause = cause
	close(l.lost)
}

// Return stops the heartbeats and gives the lease back; once it has
// succeeded, further calls do nothing. A lease that had ended before is
// ErrLeaseExpired or ErrLeaseReleased. The context that ended the work is
// often done by now: context.WithoutCancel gives one that is not.
func (l *Lease) Return(ctx context.Context) error {
	l.mu.Lock()
	returned, stop, stopped := l.returned, l.stop, l.stopped
	l.mu.Unlock()
	if returned {
		return nil
	}
	if stop != nil {
		stop()
		<-stopped
	}
	_, err := l.client.Return(ctx, l.ID)
	if gone(err) {
		l.lose(err)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.returned = true
	l.mu.Unlock()
	return nil
}
