package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	licenseclient "github.com/cloudlicenses/cloudlicenses/clients/go"
)

// seat is a checkout of one seat of product for alice.
func seat(product string) licenseclient.CheckoutRequest {
	return licenseclient.CheckoutRequest{ProductID: product, User: "alice@mercedes.com"}
}

// at is the tenant's URL at another node's port.
func at(t *testing.T, tenant, node string) string {
	t.Helper()
	tenantURL, err := url.Parse(tenant)
	if err != nil {
		t.Fatal(err)
	}
	nodeURL, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	tenantURL.Host = net.JoinHostPort(tenantURL.Hostname(), nodeURL.Port())
	return tenantURL.String()
}

// dials remembers which addresses a client connected to.
type dials struct {
	mu    sync.Mutex
	ports map[string]bool
}

func (d *dials) transport() *http.Transport {
	d.ports = map[string]bool{}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d.mu.Lock()
		d.ports[port] = true
		d.mu.Unlock()
		return dialer.DialContext(ctx, network, address)
	}}
}

// resolving makes transport trust the CA in pem, and dial address for name.
func resolving(t *testing.T, transport *http.Transport, pem []byte, name, address string) *http.Transport {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in the CA's file")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == name {
			to = address
		}
		return dial(ctx, network, to)
	}
	return transport
}

func connect(t *testing.T, o licenseclient.Options) *licenseclient.Client {
	t.Helper()
	c, err := licenseclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func checkout(t *testing.T, c *licenseclient.Client, request licenseclient.CheckoutRequest) *licenseclient.Lease {
	t.Helper()
	lease, err := c.Checkout(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func TestDev(t *testing.T) {
	port := freePorts(t, 3)
	dev := start(t, "dev", "--data-dir", filepath.Join(t.TempDir(), "data"), "--http", "127.0.0.1:"+strconv.Itoa(port))
	ready := dev.await()
	demo := ready.Demo
	var clients []*licenseclient.Client
	var dialed []*dials
	for _, node := range ready.Nodes {
		d := &dials{}
		dialed = append(dialed, d)
		clients = append(clients, connect(t, licenseclient.Options{
			ServerURL: at(t, demo.TenantURL, node.HTTP), APIKey: demo.APIKey, HTTPClient: &http.Client{Transport: d.transport()},
			Hostname: "dev-ws-042.mercedes.com",
		}))
	}
	t.Run("seats", func(t *testing.T) { testSeats(t, clients, demo.ProductID) })
	t.Run("leader", func(t *testing.T) { oneLeader(t, dialed) })
	t.Run("token", func(t *testing.T) { testToken(t, clients, demo.ProductID, demo.LicenseID) })
	t.Run("batch", func(t *testing.T) { testBatch(t, clients[1], demo.ProductID) })
	t.Run("refusals", func(t *testing.T) {
		testRefusals(t, clients[2], demo.ProductID, demo.TenantURL, demo.APIKey)
	})
}

// oneLeader checks that clients which began at different nodes were all sent
// to the same one.
func oneLeader(t *testing.T, dialed []*dials) {
	t.Helper()
	clients := map[string]int{} // by port
	for _, d := range dialed {
		d.mu.Lock()
		for port := range d.ports {
			clients[port]++
		}
		d.mu.Unlock()
	}
	leaders := 0
	for _, n := range clients {
		if n == len(dialed) {
			leaders++
		}
	}
	if leaders != 1 {
		t.Errorf("clients by the port they connected to: %v", clients)
	}
}

// testSeats takes all 20 seats of 5 committed and 15 overage, and one more.
func testSeats(t *testing.T, clients []*licenseclient.Client, product string) {
	var leases []*licenseclient.Lease
	for i := range 20 {
		lease := checkout(t, clients[i%len(clients)], seat(product))
		want := licenseclient.Commit
		if i >= 5 {
			want = licenseclient.Overage
		}
		if lease.Type != want || lease.Count != 1 || lease.HeartbeatInterval != 100*time.Second || lease.Replayed {
			t.Errorf("checkout %d: %+v", i+1, lease)
		}
		leases = append(leases, lease)
	}
	for _, c := range clients {
		if _, err := c.Checkout(t.Context(), seat(product)); !errors.Is(err, licenseclient.ErrOverageMaxExceeded) {
			t.Errorf("checkout 21: %v", err)
		}
		for license, err := range c.Licenses(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if license.InUse != 20 || license.CommitInUse != 5 || license.OverageInUse != 15 || license.Available != 0 {
				t.Errorf("%+v", license)
			}
		}
	}
	// A committed seat comes back: the next checkout is committed again.
	if err := leases[0].Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	leases[0] = checkout(t, clients[0], seat(product))
	if leases[0].Type != licenseclient.Commit {
		t.Errorf("after the return of a committed seat: %s", leases[0].Type)
	}
	if err := leases[7].Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	declined := seat(product)
	declined.NoOverage = true
	if _, err := clients[0].Checkout(t.Context(), declined); !errors.Is(err, licenseclient.ErrOverageDeclined) {
		t.Errorf("overage declined: %v", err)
	}
	if err := leases[1].Heartbeat(t.Context()); err != nil {
		t.Error(err)
	}
	if err := leases[7].Heartbeat(t.Context()); !errors.Is(err, licenseclient.ErrLeaseReleased) {
		t.Errorf("heartbeat of a returned lease: %v", err)
	}
	count := 0
	for lease, err := range clients[0].Leases(t.Context(), licenseclient.LeaseFilter{User: "alice@mercedes.com"}) {
		if err != nil {
			t.Fatal(err)
		}
		if lease.Hostname != "dev-ws-042.mercedes.com" {
			t.Errorf("%+v", lease)
		}
		count++
	}
	if count != 19 {
		t.Errorf("%d leases listed, want 19", count)
	}
	for i, lease := range leases {
		if i != 7 {
			if err := lease.Return(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

func testToken(t *testing.T, clients []*licenseclient.Client, product, license string) {
	request := seat(product)
	request.Token = true
	lease := checkout(t, clients[0], request)
	for i, c := range clients {
		claims, err := c.Verifier(licenseclient.VerifierOptions{}).Verify(t.Context(), lease.Token())
		if err != nil {
			t.Errorf("at node %d: %v", i, err)
			continue
		}
		if claims.LeaseID != lease.ID || claims.LicenseID != license || claims.ProductID != product ||
			claims.User != request.User || claims.Count != 1 || claims.Type != licenseclient.Commit ||
			claims.ExpiresAt.Sub(claims.IssuedAt) != 5*time.Minute {
			t.Errorf("%+v", claims)
		}
	}
	token := lease.Token()
	waitFor(t, 5*time.Second, "the next second", func() bool { return time.Since(lease.IssuedAt) > 1100*time.Millisecond })
	if err := lease.Heartbeat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lease.Token() == token || lease.Token() == "" {
		t.Error("a heartbeat brought no newer token")
	}
	if err := lease.Return(t.Context()); err != nil {
		t.Error(err)
	}
}

func testBatch(t *testing.T, c *licenseclient.Client, product string) {
	results, err := c.Batch(t.Context(), []licenseclient.Operation{
		licenseclient.CheckoutOp(seat(product)), licenseclient.CheckoutOp(seat("no-such-product")),
		licenseclient.HeartbeatOp("lease-999999", false), licenseclient.CheckoutOp(licenseclient.CheckoutRequest{ProductID: product}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Err != nil || results[0].Status != http.StatusCreated {
		t.Fatalf("%+v", results[0])
	}
	for i, want := range []error{
		nil, licenseclient.ErrProductNotFound, licenseclient.ErrLeaseNotFound, licenseclient.ErrInvalidField,
	} {
		if !errors.Is(results[i].Err, want) {
			t.Errorf("operation %d: %v, want %v", i, results[i].Err, want)
		}
	}
	again, err := c.Batch(t.Context(), []licenseclient.Operation{
		licenseclient.HeartbeatOp(results[0].Lease.ID, true), licenseclient.ReturnOp(results[0].Lease.ID),
	})
	if err != nil || again[0].Err != nil || again[1].Err != nil {
		t.Fatalf("%+v, %v", again, err)
	}
	if again[0].Beat.Token == "" || again[1].Receipt.Reason != "returned" {
		t.Errorf("%+v, %+v", again[0].Beat, again[1].Receipt)
	}
}

func testRefusals(t *testing.T, c *licenseclient.Client, product, tenantURL, key string) {
	var refusal *licenseclient.Error
	_, err := c.Checkout(t.Context(), licenseclient.CheckoutRequest{ProductID: product, User: "alice", TTL: time.Second, Count: -1})
	if !errors.As(err, &refusal) || refusal.Code != licenseclient.ErrInvalidField || len(refusal.Fields) != 2 || refusal.RequestID == "" {
		t.Errorf("a TTL too short and a count below 1: %v", err)
	}
	for _, field := range []string{"/ttl_seconds", "/count"} {
		if err != nil && !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
	request := seat(product)
	request.IdempotencyKey = licenseclient.NewIdempotencyKey()
	lease := checkout(t, c, request)
	if again := checkout(t, c, request); !again.Replayed || again.ID != lease.ID || !again.ExpiresAt().Equal(lease.ExpiresAt()) {
		t.Errorf("repeated: %+v, first %+v", again, lease)
	}
	request.User = "bob"
	if _, err := c.Checkout(t.Context(), request); !errors.Is(err, licenseclient.ErrIdempotencyKeyReused) {
		t.Errorf("key reused: %v", err)
	}
	if err := lease.Return(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Return(t.Context(), lease.ID); err != nil {
		t.Errorf("returned again: %v", err)
	}
	if _, err := c.License(t.Context(), "no-such-license"); !errors.Is(err, licenseclient.ErrNotFound) {
		t.Errorf("no such license: %v", err)
	}

	stranger := connect(t, licenseclient.Options{
		ServerURL: strings.Replace(tenantURL, "mercedes.", "bmw.", 1), APIKey: key,
	})
	if _, err := stranger.Checkout(t.Context(), seat(product)); !errors.Is(err, licenseclient.ErrWrongTenant) ||
		!errors.As(err, &refusal) || refusal.Layer != "host" {
		t.Errorf("at another tenant's host: %v", err)
	}
	wrong := []byte(key)
	wrong[len(wrong)-1] ^= 1
	nobody := connect(t, licenseclient.Options{ServerURL: tenantURL, APIKey: string(wrong)})
	if _, err := nobody.Checkout(t.Context(), seat(product)); !errors.Is(err, licenseclient.ErrUnauthenticated) {
		t.Errorf("a mistyped key: %v", err)
	}
}
