package licenseclient

import (
	"context"
	"errors"
	"testing"
	"time"
)

func mustCheckout(t *testing.T, c *Client, request CheckoutRequest) *Lease {
	t.Helper()
	lease, err := c.Checkout(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func (s *testServer) heartbeats() (n int) {
	for _, r := range s.seen() {
		if r.Path == pathHeartbeat {
			n++
		}
	}
	return n
}

func isLost(l *Lease) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

func TestKeepAliveOutlivesTheTTL(t *testing.T) {
	s := newTestServer(t, 1)
	s.ttl = 300 * time.Millisecond
	request := ask("alice")
	request.Token = true
	lease := mustCheckout(t, s.client(), request)
	first, token := lease.ExpiresAt(), lease.Token()
	lease.KeepAlive(t.Context())
	lease.KeepAlive(t.Context()) // does nothing
	waitFor(t, "three times the TTL", func() bool { return time.Since(lease.IssuedAt) > 3*s.ttl })
	if isLost(lease) || !lease.ExpiresAt().After(first) || lease.Err() != nil {
		t.Fatalf("lost: %v", lease.Err())
	}
	if n := s.heartbeats(); n < 6 || n > 20 {
		t.Errorf("%d heartbeats in three times the TTL", n)
	}
	if lease.Token() == "" || token == "" {
		t.Error("no token")
	}
	if err := lease.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := s.heartbeats()
	lease.KeepAlive(t.Context()) // a returned lease is not kept alive
	<-time.After(s.ttl)
	if n := s.heartbeats(); n != after {
		t.Errorf("%d heartbeats after the return", n-after)
	}
	if isLost(lease) {
		t.Error("a returned lease is not lost")
	}
}

func TestKeepAliveSurvivesAnOutage(t *testing.T) {
	s := newTestServer(t, 1)
	s.ttl = time.Second
	lease := mustCheckout(t, s.client(), ask("alice"))
	began := time.Now()
	s.setFault(func(n testRequest, _ bool) testFault {
		if n.Path != pathHeartbeat || time.Since(began) > 600*time.Millisecond {
			return pass
		}
		if n.Number%2 == 0 {
			return refuse
		}
		return cut
	})
	lease.KeepAlive(t.Context())
	waitFor(t, "an extension", func() bool { return lease.ExpiresAt().After(lease.IssuedAt.Add(s.ttl)) })
	if err := lease.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestLostWhenReleased(t *testing.T) {
	s := newTestServer(t, 1)
	s.ttl = 300 * time.Millisecond
	lease := mustCheckout(t, s.client(), ask("alice"))
	s.mu.Lock()
	s.leases[lease.ID].end = string(ErrLeaseReleased)
	s.mu.Unlock()
	lease.KeepAlive(t.Context())
	select {
	case <-lease.Lost():
	case <-time.After(5 * time.Second):
		t.Fatal("not lost")
	}
	if !errors.Is(lease.Err(), ErrLeaseReleased) || time.Now().After(lease.ExpiresAt()) {
		t.Errorf("%v at %v", lease.Err(), time.Since(lease.IssuedAt))
	}
	if err := lease.Return(t.Context()); !errors.Is(err, ErrLeaseReleased) {
		t.Errorf("return: %v", err)
	}
}

// Without an answer the lease counts as lost when its time is up, and not
// before, by whatever the heartbeats failed.
func TestLostWhenItsTimeIsUp(t *testing.T) {
	for name, fault := range map[string]testFault{
		"down": cut, "hanging": hang, "without a leader": refuse, "behind a broken gateway": gateway,
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t, 1)
			s.ttl = 500 * time.Millisecond
			c := s.client()
			asked := time.Now()
			lease := mustCheckout(t, c, ask("alice"))
			s.setFault(func(testRequest, bool) testFault { return fault })
			lease.KeepAlive(t.Context())
			select {
			case <-lease.Lost():
			case <-time.After(5 * time.Second):
				t.Fatal("not lost")
			}
			if after := time.Since(asked); after < s.ttl || after > s.ttl+400*time.Millisecond {
				t.Errorf("lost after %v", after)
			}
			if !errors.Is(lease.Err(), ErrLeaseLapsed) {
				t.Errorf("%v", lease.Err())
			}
		})
	}
}

func TestKeepAliveEndsWithItsContext(t *testing.T) {
	s := newTestServer(t, 1)
	s.ttl = 300 * time.Millisecond
	lease := mustCheckout(t, s.client(), ask("alice"))
	ctx, cancel := context.WithCancel(t.Context())
	lease.KeepAlive(ctx)
	waitFor(t, "a heartbeat", func() bool { return s.heartbeats() > 0 })
	cancel()
	waitFor(t, "its end", func() bool {
		lease.mu.Lock()
		defer lease.mu.Unlock()
		return lease.stop == nil
	})
	if isLost(lease) {
		t.Error("lost by the end of a context")
	}
	lease.KeepAlive(t.Context()) // again
	waitFor(t, "twice the TTL", func() bool { return time.Since(lease.IssuedAt) > 2*s.ttl })
	if isLost(lease) {
		t.Errorf("lost: %v", lease.Err())
	}
	if err := lease.Return(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReturnEndsAHeartbeatThatHangs(t *testing.T) {
	s := newTestServer(t, 1)
	s.ttl = time.Second
	s.setFault(func(n testRequest, _ bool) testFault {
		if n.Path == pathHeartbeat {
			return hang
		}
		return pass
	})
	lease := mustCheckout(t, s.client(), ask("alice"))
	lease.KeepAlive(t.Context())
	waitFor(t, "a heartbeat", func() bool { return s.heartbeats() > 0 })
	if err := lease.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	if isLost(lease) {
		t.Error("lost")
	}
	if seats, _ := s.live(); seats != 0 {
		t.Errorf("%d seats taken", seats)
	}
}

func TestReplayedLeaseBeatsAtOnce(t *testing.T) {
	s := newTestServer(t, 1)
	c := s.client()
	request := ask("alice")
	request.IdempotencyKey = NewIdempotencyKey()
	mustCheckout(t, c, request)
	lease := mustCheckout(t, c, request)
	if !lease.Replayed {
		t.Fatal("not replayed")
	}
	lease.KeepAlive(t.Context())
	waitFor(t, "a heartbeat", func() bool { return s.heartbeats() == 1 })
	if err := lease.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
}
