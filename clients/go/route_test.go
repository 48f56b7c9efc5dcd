package licenseclient

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestLeaderHint(t *testing.T) {
	s := newTestServer(t, 3)
	s.leader = 2
	c := s.client()
	lease, err := c.Checkout(t.Context(), ask("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	for lease, err := range c.Leases(t.Context(), LeaseFilter{}) {
		t.Errorf("after the return: %+v, %v", lease, err)
	}
	seen := s.seen()
	if seen[0].Node != 0 || seen[1].Node != 2 {
		t.Errorf("asked nodes %d and %d, want 0 and then the leader, 2", seen[0].Node, seen[1].Node)
	}
	if seen[2].Node != 0 || seen[2].Header.Get("X-Min-Index") == "" {
		t.Errorf("a read went to node %d with X-Min-Index %q", seen[2].Node, seen[2].Header.Get("X-Min-Index"))
	}
	for _, r := range seen {
		if host, _, _ := strings.Cut(r.Host, ":"); host != testHost {
			t.Errorf("node %d was asked as %q", r.Node, r.Host)
		}
	}
	// The leadership moves on.
	s.mu.Lock()
	s.leader = 1
	s.mu.Unlock()
	for range 2 {
		if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
			t.Fatal(err)
		}
	}
	if seen = s.seen(); seen[3].Node != 2 || seen[4].Node != 1 {
		t.Errorf("asked nodes %d and %d, want 2 and 1", seen[3].Node, seen[4].Node)
	}
}

func TestLeaderDown(t *testing.T) {
	s := newTestServer(t, 3)
	s.leader = 2
	c := s.client()
	if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
		t.Fatal(err)
	}
	s.nodes[2].Close()
	// Node 0 still names it: it is not believed for a while.
	for range 2 {
		began := time.Now()
		if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %v", took)
		}
	}
	if n := len(s.seen()); n != 3 {
		t.Errorf("%d requests answered", n)
	}
}

func TestLeaderHangs(t *testing.T) {
	s := newTestServer(t, 2)
	s.leader = 1
	c := s.client(func(o *Options) { o.AttemptTimeout = 200 * time.Millisecond })
	if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
		t.Fatal(err)
	}
	s.setFault(func(n testRequest, _ bool) testFault {
		if n.Node == 1 {
			return hang
		}
		return pass
	})
	if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
		t.Fatal(err)
	}
	seen := s.seen()
	if len(seen) != 3 || seen[1].Header.Get("Idempotency-Key") != seen[2].Header.Get("Idempotency-Key") {
		t.Errorf("%d requests", len(seen))
	}
}

// An address that belongs to somebody else by now is no leader.
func TestLeaderIsAStranger(t *testing.T) {
	for name, stranger := range map[string]http.HandlerFunc{
		"a web server": http.NotFound,
		"another cluster": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			w.Write([]byte(`{"code":"tenant_not_found","status":404,"retryable":false}`)) //nolint:errcheck // a test
		},
		"a portal": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{}`)) }, //nolint:errcheck // a test
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestServer(t, 1)
			other := httptest.NewServer(stranger)
			t.Cleanup(other.Close)
			c := s.client()
			c.routes.learn(http.Header{"X-Leader": {other.URL}}, time.Now())
			if !c.routes.pick(true).hinted {
				t.Fatal("the hint was not taken")
			}
			if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
				t.Fatal(err)
			}
			if c.routes.pick(true).hinted {
				t.Error("the stranger is still believed")
			}
		})
	}
}

func TestUnusableHints(t *testing.T) {
	c, err := New(Options{ServerURL: "https://mercedes.example.com", APIKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	for _, hint := range []string{
		"", "http://node2.example.com", "node2.example.com:8080", "https://", "https://user:pw@node2.example.com",
		"https://node2.example.com/other/path", "https://node2.example.com?x=1", "://", "ftp://node2",
		"https://0.0.0.0:8443", "https://[::]",
	} {
		c.routes.learn(http.Header{"X-Leader": {hint}}, time.Now())
		if to := c.routes.pick(true); to.hinted {
			t.Errorf("%q was believed: %v", hint, to.base)
		}
	}
	plain, err := New(Options{ServerURL: "http://mercedes.example.com", APIKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	for _, hint := range []string{"http://127.0.0.1:8080", "http://[::1]:8080", "http://n2.localhost", "http://[::ffff:127.0.0.2]"} {
		plain.routes.learn(http.Header{"X-Leader": {hint}}, time.Now())
		if to := plain.routes.pick(true); to.hinted {
			t.Errorf("%q was believed, from a distant server without TLS", hint)
		}
	}
	c.routes.learn(http.Header{"X-Leader": {"https://10.0.0.2:8443/"}}, time.Now())
	if to := c.routes.pick(true); !to.hinted || to.base.String() != "https://10.0.0.2:8443" {
		t.Errorf("%+v", to)
	}
	if to := c.routes.pick(false); to.hinted {
		t.Error("reads go to the leader")
	}
}

func TestNodeDownWithEndpoints(t *testing.T) {
	s := newTestServer(t, 3)
	c := s.client(func(o *Options) { o.Endpoints = []string{s.nodes[1].URL, s.nodes[2].URL} })
	s.nodes[0].Close()
	s.nodes[1].Close()
	if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
		t.Fatal(err)
	}
	if seen := s.seen(); len(seen) != 1 || seen[0].Node != 2 || !strings.HasPrefix(seen[0].Host, testHost) {
		t.Errorf("%+v", seen)
	}
}

// Under TLS a leader's address is dialed, and the tenant's name is asked for
// and verified.
func TestLeaderHintKeepsServerName(t *testing.T) {
	noLeaks(t)
	var names []string
	var leader *httptest.Server
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names = append(names, r.TLS.ServerName+" "+r.Host)
		w.Header().Set("X-Leader", leader.URL)
		w.WriteHeader(http.StatusCreated)
		//nolint:errcheck // a test
		w.Write([]byte(`{"lease_id":"lease-1","issued_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:05:00Z","heartbeat_seconds":100}`))
	})
	node := httptest.NewTLSServer(handler)
	leader = httptest.NewTLSServer(handler)
	t.Cleanup(node.Close)
	t.Cleanup(leader.Close)
	// httptest's certificate is for example.com, 127.0.0.1 and ::1.
	transport := node.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); host == "example.com" {
			address = node.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	c, err := New(Options{ServerURL: "https://example.com", APIKey: testKey, HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for range 2 {
		if _, err := c.Checkout(t.Context(), ask("alice")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		if name != "example.com example.com" {
			t.Errorf("asked for %q", name)
		}
	}
	if to := c.routes.pick(true); to.base.String() != leader.URL {
		t.Errorf("leader %v", to.base)
	}
}

func TestLoopbackNames(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "mercedes.localhost": true, "Mercedes.LocalHost.": true,
		"localhost.example.com": false, "notlocalhost": false, "127.0.0.1": false, "": false,
	} {
		if got := isLoopbackName(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	through := proxyExceptLoopback(func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy:3128") })
	transport := &http.Transport{Proxy: through}
	for base, want := range map[string]bool{"http://mercedes.localhost:8080": false, "https://mercedes.example.com": true} {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		if got := proxied(transport, u); got != want {
			t.Errorf("%s through the proxy: %v", base, got)
		}
	}
	_, err := New(Options{
		ServerURL: "https://mercedes.example.com", APIKey: testKey, Endpoints: []string{"https://10.0.0.1"},
		HTTPClient: &http.Client{Transport: transport},
	})
	if !errors.Is(err, ErrConfig) {
		t.Errorf("endpoints through a proxy: %v", err)
	}
}
