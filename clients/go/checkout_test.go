package licenseclient

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func ask(user string) CheckoutRequest {
	return CheckoutRequest{ProductID: testProduct, User: user}
}

// nth makes a fault of the nth request alone.
func nth(number int, done bool, fault testFault) func(testRequest, bool) testFault {
	return func(n testRequest, d bool) testFault {
		if n.Number == number && d == done {
			return fault
		}
		return pass
	}
}

func TestCheckoutAndReturn(t *testing.T) {
	s := newTestServer(t, 1)
	c := s.client(func(o *Options) { o.Fingerprint = "sha256:abc" })
	lease, err := c.Checkout(t.Context(), CheckoutRequest{
		ProductID: testProduct, User: "alice", Count: 2, Version: "8.1.0", TTL: 90*time.Second + 1,
		VendorID: "vector-de", NoOverage: true, Metadata: map[string]any{"ticket": 7},
	})
	if err != nil {
		t.Fatal(err)
	}
	if lease.ID != "lease-1" || lease.LicenseID != testLicense || lease.Type != Commit || lease.Count != 2 ||
		lease.HeartbeatInterval != 100*time.Second || lease.Replayed || lease.Token() != "" ||
		!lease.ExpiresAt().Equal(lease.IssuedAt.Add(s.ttl)) {
		t.Errorf("lease %+v", lease)
	}
	r := s.seen()[0]
	const body = `{"product_id":"davinci-configurator-se","user":"alice","vendor_id":"vector-de","count":2,` +
		`"version":"8.1.0","ttl_seconds":91,"allow_overage":false,"metadata":{"ticket":7}}`
	if r.Body != body {
		t.Errorf("body %s", r.Body)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer " + testKey, "X-Hostname": "dev-ws-042", "X-App-Fingerprint": "sha256:abc",
		"X-Lib-Version": Version, "Content-Type": "application/json", "X-Min-Index": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if err := lease.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := lease.Return(t.Context()); err != nil {
		t.Errorf("second return: %v", err)
	}
	if seats, _ := s.live(); seats != 0 {
		t.Errorf("%d seats taken after the return", seats)
	}
	if _, err := c.Return(t.Context(), lease.ID); err != nil {
		t.Errorf("return by id, repeated: %v", err)
	}
	if _, err := c.Heartbeat(t.Context(), lease.ID, false); !errors.Is(err, ErrLeaseReleased) {
		t.Errorf("heartbeat of a returned lease: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	s := newTestServer(t, 1)
	c := s.client()
	for range s.total {
		if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.Checkout(t.Context(), ask("alice"))
	if !errors.Is(err, ErrOverageMaxExceeded) || errors.Is(err, ErrLicenseUnavailable) {
		t.Errorf("one too many: %v", err)
	}
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Status != 409 || refusal.Retryable || refusal.RequestID == "" {
		t.Errorf("%+v", refusal)
	}
	if want := "license server: because of overage_max_exceeded (overage_max_exceeded, HTTP 409, request req)"; err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	if _, err = c.Checkout(t.Context(), ask("")); !errors.Is(err, ErrInvalidField) || !strings.Contains(err.Error(), "/user: is required") {
		t.Errorf("no user: %v", err)
	}
	if _, err = c.Checkout(t.Context(), CheckoutRequest{ProductID: "cad", User: "bob"}); !errors.Is(err, ErrProductNotFound) {
		t.Errorf("no such product: %v", err)
	}
	if got := len(s.seen()); got != s.total+3 {
		t.Errorf("%d requests: a refusal was asked again", got)
	}
	_, err = s.client(func(o *Options) { o.APIKey = "clsk_mercedes_wrong" }).Checkout(t.Context(), ask("eve"))
	if !errors.Is(err, ErrUnauthenticated) || strings.Contains(err.Error(), "clsk_") {
		t.Errorf("wrong key: %v", err)
	}
	if seats, charges := s.live(); seats != 4 || charges != 2 {
		t.Errorf("%d seats, %d charges", seats, charges)
	}
}

// One intent takes one seat and is charged once, wherever its connection
// breaks and whatever is said about it.
func TestOneIntentOneLease(t *testing.T) {
	for _, test := range []struct {
		name  string
		done  bool
		fault testFault
	}{
		{"cut before", false, cut}, {"cut after", true, cut}, {"reply cut short", true, cutReply},
		{"no leader", false, refuse}, {"done, but unknown", true, unknown}, {"not done, but unknown", false, unknown},
		{"gateway before", false, gateway}, {"gateway after", true, gateway}, {"a page instead", true, html},
		{"hangs before", false, hang}, {"hangs after", true, hang},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newTestServer(t, 1)
			s.commit = 0
			s.setFault(nth(1, test.done, test.fault))
			c := s.client(func(o *Options) { o.AttemptTimeout = 100 * time.Millisecond })
			lease, err := c.Checkout(t.Context(), ask("alice"))
			if err != nil {
				t.Fatal(err)
			}
			if seats, charges := s.live(); seats != 1 || charges != 1 {
				t.Errorf("%d seats, %d charges", seats, charges)
			}
			requests := s.seen()
			first := requests[0].Header.Get("Idempotency-Key")
			for _, r := range requests {
				if key := r.Header.Get("Idempotency-Key"); key == "" || key != first {
					t.Errorf("keys %q and %q for one intent", first, key)
				}
			}
			if lease.Replayed != test.done {
				t.Errorf("replayed: %v", lease.Replayed)
			}
			if again, err := c.Checkout(t.Context(), ask("alice")); err != nil || again.ID == lease.ID {
				t.Errorf("a second intent: %v", err)
			}
		})
	}
}

func TestUnknownOutcomeIsLearnedByItsKey(t *testing.T) {
	s := newTestServer(t, 1)
	s.setFault(func(_ testRequest, done bool) testFault {
		if done {
			return cutReply
		}
		return pass
	})
	c := s.client(func(o *Options) { o.Timeout = 300 * time.Millisecond })
	_, err := c.Checkout(t.Context(), ask("alice"))
	var unfinished *UnfinishedError
	if !errors.As(err, &unfinished) || !unfinished.Unknown || !errors.Is(err, ErrOutcomeUnknown) ||
		!errors.Is(err, context.DeadlineExceeded) || unfinished.Attempts < 2 {
		t.Fatalf("%v", err)
	}
	s.setFault(nil)
	again := ask("alice")
	again.IdempotencyKey = unfinished.IdempotencyKey
	lease, err := c.Checkout(t.Context(), again)
	if err != nil || !lease.Replayed || lease.ID != "lease-1" {
		t.Fatalf("%+v, %v", lease, err)
	}
	again.User = "bob"
	if _, err := c.Checkout(t.Context(), again); !errors.Is(err, ErrIdempotencyKeyReused) {
		t.Errorf("another body: %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	s := newTestServer(t, 1)
	s.setFault(nth(1, false, busy))
	c := s.client()
	began := time.Now()
	if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("asked again after %v, not after the second it was told", took)
	}
	// Where the wait is longer than the caller has, the refusal comes at once.
	s.setFault(nth(3, false, busy))
	ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
	defer cancel()
	began = time.Now()
	_, err := c.Checkout(ctx, ask("alice"))
	var refusal *Error
	if !errors.As(err, &refusal) || !errors.Is(err, ErrOverloaded) || errors.Is(err, ErrOutcomeUnknown) ||
		refusal.RetryAfter != time.Second {
		t.Errorf("%v", err)
	}
	if ctx.Err() != nil {
		t.Errorf("waited %v for nothing", time.Since(began))
	}
}

func TestNothingSentIsNotUnknown(t *testing.T) {
	s := newTestServer(t, 1)
	c := s.client(func(o *Options) { o.Timeout = 200 * time.Millisecond })
	s.nodes[0].Close()
	_, err := c.Checkout(t.Context(), ask("alice"))
	var unfinished *UnfinishedError
	if !errors.As(err, &unfinished) || unfinished.Unknown || errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("%v", err)
	}
	if unfinished != nil && unfinished.Attempts < 2 {
		t.Errorf("%d attempts", unfinished.Attempts)
	}
}

func TestHopelessFailuresEndAtOnce(t *testing.T) {
	s := newTestServer(t, 1)
	c := s.client(func(o *Options) {
		o.ServerURL = strings.Replace(s.url(0), "http:", "https:", 1)
		o.Timeout = time.Minute
	})
	_, err := c.Checkout(t.Context(), ask("alice"))
	var unfinished *UnfinishedError
	if !errors.As(err, &unfinished) || unfinished.Attempts != 1 || unfinished.Unknown {
		t.Errorf("no TLS over there: %v", err)
	}
}

func TestCancellation(t *testing.T) {
	s := newTestServer(t, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user closed the window")
	s.setFault(func(testRequest, bool) testFault {
		cancel(why)
		return hang
	})
	_, err := s.client().Checkout(ctx, ask("alice"))
	if !errors.Is(err, why) || !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("%v", err)
	}
	if _, err := s.client().Checkout(ctx, ask("alice")); !errors.Is(err, why) || errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("begun after the end: %v", err)
	}
}

func TestManyAtOnceUnderFaults(t *testing.T) {
	s := newTestServer(t, 3)
	s.total, s.commit, s.leader = 40, 10, 1
	faults := []testFault{pass, cut, pass, cutReply, pass, refuse, pass, pass, unknown, pass, gateway, pass}
	s.setFault(func(n testRequest, done bool) testFault {
		f := faults[n.Number%len(faults)]
		if (f == refuse) == done {
			return pass // "no leader" is said before anything is done
		}
		return f
	})
	c := s.client(func(o *Options) { o.Endpoints = []string{s.url(1), s.url(2)}; o.Timeout = 20 * time.Second })
	var granted, refused sync.Map
	var wait sync.WaitGroup
	for i := range 60 {
		wait.Go(func() {
			lease, err := c.Checkout(t.Context(), ask("alice"))
			switch {
			case err == nil:
				granted.Store(lease.ID, true)
			case errors.Is(err, ErrOverageMaxExceeded):
				refused.Store(i, true)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	count := func(m *sync.Map) (n int) {
		m.Range(func(any, any) bool { n++; return true })
		return n
	}
	if g, r := count(&granted), count(&refused); g != 40 || r != 20 {
		t.Errorf("%d granted, %d refused", g, r)
	}
	if seats, charges := s.live(); seats != 40 || charges != 30 {
		t.Errorf("%d seats, %d charges", seats, charges)
	}
}
