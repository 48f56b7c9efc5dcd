package licenseclient

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestBatch(t *testing.T) {
	s := newTestServer(t, 1)
	s.setFault(nth(2, true, cutReply))
	c := s.client()
	old := mustCheckout(t, c, ask("alice"))
	withToken := ask("bob")
	withToken.Token = true
	results, err := c.Batch(t.Context(), []Operation{
		CheckoutOp(withToken), HeartbeatOp(old.ID, true), ReturnOp(old.ID), ReturnOp("lease-99"),
		CheckoutOp(CheckoutRequest{ProductID: testProduct, User: "carol", Count: 9}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 5 {
		t.Fatalf("%d results", len(results))
	}
	if r := results[0]; r.Err != nil || r.Status != 201 || r.Lease.User != "bob" || !r.Lease.Replayed || r.Lease.Token() == "" {
		t.Errorf("checkout %+v", r)
	}
	// The batch was carried out twice: by then the lease had been returned.
	if r := results[1]; !errors.Is(r.Err, ErrLeaseReleased) {
		t.Errorf("heartbeat %+v", r)
	}
	if r := results[2]; r.Err != nil || r.Receipt.LeaseID != old.ID {
		t.Errorf("return %+v", r)
	}
	if !errors.Is(results[3].Err, ErrLeaseNotFound) || !errors.Is(results[4].Err, ErrOverageMaxExceeded) {
		t.Errorf("refusals %v, %v", results[3].Err, results[4].Err)
	}
	if seats, _ := s.live(); seats != 1 {
		t.Errorf("%d seats", seats)
	}
	if _, err := c.Batch(t.Context(), []Operation{{}}); !errors.Is(err, ErrConfig) {
		t.Errorf("an empty operation: %v", err)
	}
	beats, err := c.Batch(t.Context(), []Operation{HeartbeatOp(results[0].Lease.ID, true)})
	if err != nil || beats[0].Err != nil || beats[0].Beat.Token == "" {
		t.Errorf("%+v, %v", beats, err)
	}
	if err := results[0].Lease.Return(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLists(t *testing.T) {
	s := newTestServer(t, 1)
	s.total = 10
	c := s.client()
	for range 5 {
		mustCheckout(t, c, ask("alice"))
	}
	mustCheckout(t, c, ask("bob"))
	count := func(filter LeaseFilter) (n int) {
		for lease, err := range c.Leases(t.Context(), filter) {
			if err != nil {
				t.Fatal(err)
			}
			if lease.LeaseID == "" {
				t.Error("a lease without an id")
			}
			n++
		}
		return n
	}
	if all, alices := count(LeaseFilter{}), count(LeaseFilter{User: "alice"}); all != 6 || alices != 5 {
		t.Errorf("%d leases, %d of alice", all, alices)
	}
	for license, err := range c.Licenses(t.Context()) {
		if err != nil || license.TotalLicenses != 10 {
			t.Errorf("%+v, %v", license, err)
		}
	}
	if license, err := c.License(t.Context(), testLicense); err != nil || license.CommitQty != 2 {
		t.Errorf("%+v, %v", license, err)
	}
	if _, err := c.License(t.Context(), "a/b"); err == nil {
		t.Error("no error for a license that is not there")
	}
	for _, err := range c.Leases(t.Context(), LeaseFilter{}) {
		if err != nil {
			t.Error(err)
		}
		break // a caller may stop early
	}
}

// What a client reads is never older than what it has seen or written, or than
// a refusal it was given. A replica that does not catch up is not asked for ever: the leader is.
func TestReadsDoNotGoBack(t *testing.T) {
	s := newTestServer(t, 1)
	var mu sync.Mutex
	var asked []string
	lagging, leaderless := false, false
	s.nodes[0].Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		how := r.URL.Query().Get("consistency") + r.Header.Get("X-Min-Index")
		asked = append(asked, how)
		code := ErrNotCaughtUp
		if how == "linearizable" {
			code = ErrNoLeader
		}
		if (lagging && r.Header.Get("X-Min-Index") != "") || (leaderless && how == "linearizable") {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, `{"code":%q,"status":503,"retryable":true}`, code)
			return
		}
		s.serve(0, w, r)
	})
	read := func(c *Client, want ...string) {
		t.Helper()
		mu.Lock()
		asked = nil
		mu.Unlock()
		for _, err := range c.Licenses(t.Context()) {
			if err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
	}
	c := s.client()
	read(c, "linearizable") // request 1 of the server: index g1:1
	read(c, "g1:1")
	mustCheckout(t, c, ask("alice"))
	read(c, "g1:3")
	if _, err := c.Checkout(t.Context(), CheckoutRequest{ProductID: "unknown", User: "alice"}); !errors.Is(err, ErrProductNotFound) {
		t.Error(err)
	}
	read(c, "g1:5") // that of the refusal
	lagging = true
	read(c, "g1:6", "linearizable")
	leaderless = true
	read(s.client(), "linearizable", "")
}

// Of two writes that overlap, the answer that comes last may be the older one:
// the next read asks the leader, which knows both.
func TestReadsAfterWritesThatOverlap(t *testing.T) {
	s := newTestServer(t, 1)
	decided, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var asked []string
	s.nodes[0].Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			asked = append(asked, r.URL.Query().Get("consistency")+r.Header.Get("X-Min-Index"))
		}
		slow := false
		once.Do(func() { slow = true })
		if !slow {
			s.serve(0, w, r)
			return
		}
		reply := httptest.NewRecorder()
		s.serve(0, reply, r)
		close(decided)
		<-release
		maps.Copy(w.Header(), reply.Header())
		w.WriteHeader(reply.Code)
		_, _ = w.Write(reply.Body.Bytes())
	})
	c := s.client()
	var wait sync.WaitGroup
	wait.Go(func() { mustCheckout(t, c, ask("alice")) })
	<-decided
	mustCheckout(t, c, ask("bob"))
	close(release)
	wait.Wait()
	for range 2 {
		for _, err := range c.Licenses(t.Context()) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	if want := []string{"linearizable", "g1:3"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestIdempotencyKey(t *testing.T) {
	before := time.Now().UnixMilli()
	seen := map[string]bool{}
	for range 1000 {
		key := NewIdempotencyKey()
		if len(key) != 36 || key[14] != '7' || seen[key] || (key[19] != '8' && key[19] != '9' && key[19] != 'a' && key[19] != 'b') {
			t.Fatalf("%q", key)
		}
		seen[key] = true
	}
	var millis int64
	key := NewIdempotencyKey()
	for _, c := range key[:8] + key[9:13] {
		digit := int64(c - '0')
		if c >= 'a' {
			digit = int64(c-'a') + 10
		}
		millis = millis<<4 | digit
	}
	if millis < before || millis > time.Now().UnixMilli() {
		t.Errorf("time %d, now %d", millis, before)
	}
}
