package licenseclient

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testHost    = "mercedes.localhost"
	testProduct = "davinci-configurator-se"
	testLicense = "lic-vector-mercedes-2025-001"
	testKey     = "clsk_mercedes_0123456789abcdef"
)

// testServer speaks the contract's hot path over one pool, as several nodes
// that share their state. Leases live for ttl, whatever was asked, so that
// tests need not wait for real ones.
type testServer struct {
	t      *testing.T
	nodes  []*httptest.Server
	ttl    time.Duration
	commit int
	total  int
	leader int // the node that names itself in X-Leader when another is asked

	mu       sync.Mutex
	leases   map[string]*testLease
	intents  map[string]testIntent // by Idempotency-Key
	charges  int
	requests []testRequest
	// fault is asked for every request, once before and once after it is
	// carried out, and may answer in the server's stead.
	fault   func(n testRequest, done bool) testFault
	private ed25519.PrivateKey
	keyID   string
	jwks    int // how often keys were fetched
}

type testLease struct {
	grant
	end     string // a code, or "returned"
	endedAt time.Time
}

type testIntent struct {
	body    string
	leaseID string
}

type testRequest struct {
	Number int // from 1, over all nodes
	Node   int
	Path   string
	Host   string
	Header http.Header
	Body   string
}

// testFault is what becomes of a request, or of its reply.
type testFault int

const (
	pass     testFault = iota
	cut                // the connection is closed without a byte
	cutReply           // the connection is closed in the middle of the reply
	hang               // no answer until the client gives up
	refuse             // 503 no_leader
	busy               // 503 overloaded with Retry-After: 1
	unknown            // 503 outcome_unknown
	gateway            // 502 of a proxy
	html               // 200 of something else
)

func newTestServer(t *testing.T, nodes int) *testServer {
	t.Helper()
	noLeaks(t)
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{
		t: t, ttl: 300 * time.Second, commit: 2, total: 4, leader: -1,
		leases: map[string]*testLease{}, intents: map[string]testIntent{},
		private: private, keyID: "k1",
	}
	for i := range nodes {
		node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(i, w, r) }))
		s.nodes = append(s.nodes, node)
		t.Cleanup(node.Close)
	}
	return s
}

// url is a node's base URL under the tenant's name.
func (s *testServer) url(node int) string {
	u, err := url.Parse(s.nodes[node].URL)
	if err != nil {
		s.t.Fatal(err)
	}
	return "http://" + net.JoinHostPort(testHost, u.Port())
}

func (s *testServer) client(change ...func(*Options)) *Client {
	s.t.Helper()
	o := Options{ServerURL: s.url(0), APIKey: testKey, Hostname: "dev-ws-042", Timeout: 5 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// live returns how many seats are taken, and how often overage was charged.
func (s *testServer) live() (seats, charges int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	for _, l := range s.leases {
		if l.end == "" {
			seats += l.Count
		}
	}
	return seats, s.charges
}

func (s *testServer) seen() []testRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *testServer) setFault(f func(testRequest, bool) testFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *testServer) expire() {
	for _, l := range s.leases {
		if l.end == "" && !time.Now().Before(l.ExpiresAt) {
			l.end, l.endedAt = string(ErrLeaseExpired), l.ExpiresAt
		}
	}
}

func (s *testServer) serve(node int, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	n := testRequest{
		Number: len(s.requests) + 1, Node: node, Path: r.URL.Path, Host: r.Host,
		Header: r.Header.Clone(), Body: string(body),
	}
	s.requests = append(s.requests, n)
	fault := s.fault
	s.mu.Unlock()
	if fault == nil {
		fault = func(testRequest, bool) testFault { return pass }
	}
	if f := fault(n, false); f != pass {
		s.inject(f, w, r, nil)
		return
	}
	status, header, reply := s.answer(r, body)
	header.Set("X-Request-Id", "req-"+strconv.Itoa(n.Number))
	raw, err := json.Marshal(reply)
	if err != nil {
		s.t.Error(err)
	}
	if s.leader >= 0 && s.leader != node {
		header.Set("X-Leader", s.nodes[s.leader].URL)
	}
	if f := fault(n, true); f != pass {
		s.inject(f, w, r, raw)
		return
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	w.Write(raw) //nolint:errcheck // the client may be gone
}

func (s *testServer) inject(f testFault, w http.ResponseWriter, r *http.Request, reply []byte) {
	send := func(status int, header map[string]string, reply any) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(reply) //nolint:errcheck // the client may be gone
	}
	switch f {
	case pass:
	case cut:
		panic(http.ErrAbortHandler)
	case cutReply:
		w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
		w.WriteHeader(http.StatusCreated)
		w.Write(reply[:len(reply)/2]) //nolint:errcheck // cut anyway
		panic(http.ErrAbortHandler)
	case hang:
		<-r.Context().Done()
	case refuse:
		send(503, nil, s.problem(503, ErrNoLeader, true))
	case busy:
		send(503, map[string]string{"Retry-After": "1"}, s.problem(503, ErrOverloaded, true))
	case unknown:
		send(503, nil, s.problem(503, ErrOutcomeUnknown, true))
	case gateway:
		http.Error(w, "<html>bad gateway</html>", http.StatusBadGateway)
	case html:
		fmt.Fprint(w, "<html>please log in</html>")
	}
}

func (s *testServer) problem(status int, code Code, retryable bool) map[string]any {
	return map[string]any{
		"type": "https://localhost/problems/" + string(code), "title": string(code), "status": status,
		"detail": "because of " + string(code), "code": code, "request_id": "req", "retryable": retryable,
	}
}

// answer carries a request out.
func (s *testServer) answer(r *http.Request, body []byte) (int, http.Header, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	header := http.Header{}
	refusal := func(status int, code Code) (int, http.Header, any) {
		header.Set("Content-Type", "application/problem+json")
		return status, header, s.problem(status, code, false)
	}
	host, _, _ := strings.Cut(r.Host, ":")
	if host != testHost {
		return refusal(http.StatusNotFound, ErrTenantNotFound)
	}
	if r.URL.Path == "/.well-known/jwks.json" {
		s.jwks++
		return 200, header, s.keySet()
	}
	if r.Header.Get("Authorization") != "Bearer "+testKey {
		return refusal(http.StatusUnauthorized, ErrUnauthenticated)
	}
	header.Set("X-Applied-Index", "g1:"+strconv.Itoa(len(s.requests)))
	switch r.URL.Path {
	case "/api/v1/licenses/batch":
		return s.batch(header, body)
	case "/api/v1/licenses":
		return 200, header, map[string]any{"items": []any{s.license()}, "next_cursor": nil}
	case "/api/v1/licenses/" + testLicense:
		return 200, header, s.license()
	case "/api/v1/leases":
		return 200, header, s.page(r)
	}
	status, reply, replayed := s.operate(r.URL.Path, r.Header.Get("Idempotency-Key"), body)
	if replayed {
		header.Set("Idempotency-Replayed", "true")
	}
	return status, header, reply
}

func (s *testServer) operate(path, key string, body []byte) (int, any, bool) {
	var in struct {
		checkoutBody
		LeaseID string `json:"lease_id"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return 400, s.problem(400, ErrMalformedRequest, false), false
	}
	if path == pathCheckout {
		return s.checkout(&in.checkoutBody, key, string(body))
	}
	lease := s.leases[in.LeaseID]
	switch {
	case lease == nil:
		return 404, s.problem(404, ErrLeaseNotFound, false), false
	case lease.end == "returned" && path == pathReturn:
	case lease.end == "returned":
		return 410, s.problem(410, ErrLeaseReleased, false), false
	case lease.end != "":
		return 410, s.problem(410, Code(lease.end), false), false
	case path == pathHeartbeat:
		lease.ExpiresAt = time.Now().Add(s.ttl).UTC()
		beat := Beat{LeaseID: lease.LeaseID, ExpiresAt: lease.ExpiresAt}
		if strings.Contains(string(body), `"token":true`) {
			beat.Token = s.token(&lease.grant)
		}
		return 200, beat, false
	default:
		lease.end, lease.endedAt = "returned", time.Now().UTC()
	}
	return 200, Receipt{
		LeaseID: lease.LeaseID, LicenseID: lease.LicenseID, Type: lease.Type,
		ReturnedAt: lease.endedAt, Reason: "returned",
	}, false
}

func (s *testServer) checkout(in *checkoutBody, key, body string) (int, any, bool) {
	if intent, known := s.intents[key]; known && key != "" {
		if intent.body != body {
			return 422, s.problem(422, ErrIdempotencyKeyReused, false), false
		}
		return 201, s.leases[intent.leaseID].grant, true
	}
	if in.ProductID != testProduct {
		return 404, s.problem(404, ErrProductNotFound, false), false
	}
	if in.User == "" {
		p := s.problem(422, ErrInvalidField, false)
		p["errors"] = []FieldError{{Pointer: "/user", Detail: "is required"}}
		return 422, p, false
	}
	count := max(1, in.Count)
	live, commit := 0, 0
	for _, l := range s.leases {
		if l.end == "" {
			live += l.Count
			commit += l.Count - l.OverageCount
		}
	}
	over := max(0, count-(s.commit-commit))
	switch {
	case live+count > s.total:
		return 409, s.problem(409, ErrOverageMaxExceeded, false), false
	case over > 0 && in.AllowOverage != nil && !*in.AllowOverage:
		return 409, s.problem(409, ErrOverageDeclined, false), false
	}
	now := time.Now().UTC()
	lease := &testLease{grant: grant{
		LeaseID: "lease-" + strconv.Itoa(len(s.leases)+1), LicenseID: testLicense, ProductID: in.ProductID,
		User: in.User, Type: Commit, Count: count, OverageCount: over, IssuedAt: now, ExpiresAt: now.Add(s.ttl),
		HeartbeatSeconds: s.ttl.Seconds() / 3,
	}}
	if over > 0 {
		lease.Type = Overage
		s.charges += over
	}
	if in.Token {
		lease.Token = s.token(&lease.grant)
	}
	s.leases[lease.LeaseID] = lease
	if key != "" {
		s.intents[key] = testIntent{body: body, leaseID: lease.LeaseID}
	}
	return 201, lease.grant, false
}

func (s *testServer) batch(header http.Header, body []byte) (int, http.Header, any) {
	var in struct {
		Operations []json.RawMessage `json:"operations"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return 400, header, s.problem(400, ErrMalformedRequest, false)
	}
	results := []map[string]any{}
	for _, raw := range in.Operations {
		var op struct {
			Op  string `json:"op"`
			Key string `json:"idempotency_key"`
		}
		json.Unmarshal(raw, &op) //nolint:errcheck // decoded above
		status, reply, replayed := s.operate("/api/v1/licenses/"+op.Op, op.Key, raw)
		text, _ := json.Marshal(reply)
		result := map[string]any{}
		json.Unmarshal(text, &result) //nolint:errcheck // as above
		result["status"] = status
		if replayed {
			result["replayed"] = true
		}
		results = append(results, result)
	}
	return 200, header, map[string]any{"results": results}
}

func (s *testServer) license() LicenseInfo {
	return LicenseInfo{
		LicenseID: testLicense, ProductID: testProduct, Status: "provisioned",
		TotalLicenses: s.total, CommitQty: s.commit, MaxOverage: s.total - s.commit,
	}
}

// page lists leases two at a time, so that tests need few to see a cursor.
func (s *testServer) page(r *http.Request) any {
	after, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	items := []LeaseInfo{}
	for n := after + 1; n <= len(s.leases); n++ {
		l := s.leases["lease-"+strconv.Itoa(n)]
		if user := r.URL.Query().Get("user"); l.end != "" || (user != "" && user != l.User) {
			continue
		}
		if len(items) == 2 {
			return map[string]any{"items": items, "next_cursor": strconv.Itoa(n - 1)}
		}
		items = append(items, LeaseInfo{LeaseID: l.LeaseID, User: l.User, Type: l.Type, Count: l.Count})
	}
	return map[string]any{"items": items, "next_cursor": nil}
}

func (s *testServer) keySet() any {
	public := s.private.Public().(ed25519.PublicKey)
	return map[string]any{"keys": []map[string]string{{
		"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": s.keyID,
		"x": base64.RawURLEncoding.EncodeToString(public),
	}}}
}

func (s *testServer) token(g *grant) string {
	return s.sign(map[string]any{"alg": "EdDSA", "kid": s.keyID, "typ": "JWT"}, map[string]any{
		"jti": g.LeaseID, "sub": g.User, "iss": s.url(0), "iat": g.IssuedAt.Unix(), "exp": g.ExpiresAt.Unix() + 1,
		"lic": g.LicenseID, "prd": g.ProductID, "typ": g.Type, "cnt": g.Count, "fpr": "sha256:abc",
	})
}

func (s *testServer) sign(header, claims map[string]any) string {
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	signed := part(header) + "." + part(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.private, []byte(signed)))
}

// noLeaks fails the test where goroutines outlive it. Register it first.
func noLeaks(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(5 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(),
					stacks[:runtime.Stack(stacks, true)])
				return
			}
			runtime.Gosched()
			time.Sleep(time.Millisecond)
		}
	})
}

// waitFor waits until condition holds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
