package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/portal"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

var asBrowser = header{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

// newPortal serves an edge and an admin address with a small application, on
// the cluster of all tests.
func newPortal(t *testing.T, change func(*Config)) (edge, admin string) {
	t.Helper()
	app, err := portal.New(fstest.MapFS{
		"index.html":         {Data: []byte(`<html lang="en" data-site="" data-tenant="" data-domain="">the portal</html>`)},
		"assets/main-1a2.js": {Data: []byte(strings.Repeat("export {};\n", 100))},
		"favicon.svg":        {Data: []byte("<svg/>")},
	})
	require.NoError(t, err)
	s, edge := newEdge(t, func(cfg *Config) {
		cfg.Shard, cfg.Node, cfg.Portal, cfg.Metrics = live.shard, live.node, app, prometheus.NewRegistry()
		if change != nil {
			change(cfg)
		}
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = s.ServeAdmin(ln) }() // newEdge shuts it down
	return edge, ln.Addr().String()
}

func TestPortalSites(t *testing.T) {
	p := newPool(t, 1, 0)
	edge, _ := newPortal(t, nil)
	tenantHost := string(p.tenant) + ".localhost"
	for _, c := range []struct {
		host, path, want string
		status           int
	}{
		{"localhost", "/", `data-site="apex" data-tenant=""`, 200},
		{"LOCALHOST.:8080", "/signup", `data-site="apex" data-tenant=""`, 200},
		{vendorsHost, "/", `data-site="vendors" data-tenant=""`, 200},
		{vendorsHost, "/licenses/x", `data-site="vendors" data-tenant=""`, 200},
		{tenantHost, "/", `data-site="tenant" data-tenant="` + string(p.tenant) + `"`, 200},
		{tenantHost, "/welcome?token=x", `data-site="tenant" data-tenant="` + string(p.tenant) + `"`, 200},
		{tenantHost, "/problems/not_found", `data-site="tenant"`, 200},
		{"nobody-here.localhost", "/", `data-site="unknown" data-tenant=""`, 404},
		{"nobody-here.localhost", "/users", `data-site="unknown" data-tenant=""`, 404},
		{"-x.localhost", "/", `data-site="unknown"`, 404},
		{"example.com", "/", `data-site="unknown" data-tenant=""`, 404},
		{"example.com", "/users", `data-site="unknown"`, 404},
		{"127.0.0.1", "/", `data-site="unknown"`, 404},
	} {
		r := send(t, edge, c.host, "GET", c.path, "", asBrowser).wants(t, c.status, "")
		require.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"), c.host+c.path)
		require.Contains(t, string(r.raw), c.want, c.host+c.path)
		require.Contains(t, string(r.raw), `data-domain="localhost"`)
		require.Contains(t, r.Header.Get("Content-Security-Policy"), "script-src 'self';")
		head := send(t, edge, c.host, "HEAD", c.path, "", asBrowser).wants(t, c.status, "")
		require.Equal(t, r.Header.Get("Etag"), head.Header.Get("Etag"))
		require.Empty(t, head.raw)
	}
	page := send(t, edge, tenantHost, "GET", "/", "", asBrowser)
	require.Equal(t, "no-cache", page.Header.Get("Cache-Control"))
	require.Empty(t, page.Header.Get("Strict-Transport-Security"))
	again := send(t, edge, tenantHost, "GET", "/users", "", asBrowser, header{"If-None-Match", page.Header.Get("Etag")}).wants(t, 304, "")
	require.Empty(t, again.raw)
	packed := send(t, edge, tenantHost, "GET", "/", "", asBrowser, header{"Accept-Encoding", "gzip"}).wants(t, 200, "")
	require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"))
	unpacked, err := gzip.NewReader(bytes.NewReader(packed.raw))
	require.NoError(t, err)
	plain, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	require.Equal(t, page.raw, plain)
}

// TestPortalIsForBrowsers: who does not ask for a page gets what the API says.
func TestPortalIsForBrowsers(t *testing.T) {
	p := newPool(t, 1, 0)
	edge, admin := newPortal(t, nil)
	tenantHost := string(p.tenant) + ".localhost"
	for _, host := range []string{"localhost", vendorsHost, tenantHost, "example.com"} {
		r := send(t, edge, host, "GET", "/", "", header{"Accept", "*/*"}).wants(t, 200, "")
		require.Equal(t, "cloudlicenses", r.text("service"))
		require.Equal(t, "Accept", r.Header.Get("Vary"), "a cache keeps page and JSON apart")
		send(t, edge, host, "GET", "/openapi.yaml", "", asBrowser).wants(t, 200, "")
	}
	for _, path := range []string{"/api/v1/none", "/.well-known/none", "/packages/none/none", "/assets/none.js", "/v1/none"} {
		send(t, edge, tenantHost, "GET", path, "", asBrowser).wants(t, 404, "not_found")
		send(t, edge, "example.com", "GET", path, "", asBrowser).wants(t, 404, "tenant_not_found")
	}
	send(t, edge, tenantHost, "GET", "/users", "").wants(t, 404, "not_found")
	send(t, edge, tenantHost, "POST", "/users", "", asBrowser).wants(t, 404, "not_found")
	send(t, edge, "example.com", "GET", "/users", "").wants(t, 404, "tenant_not_found")
	send(t, edge, tenantHost, "GET", "/api/v1/users", "", asBrowser).wants(t, 401, "unauthenticated")

	for _, host := range []string{tenantHost, "example.com"} { // a page that says "unknown" needs its files as well
		r := send(t, edge, host, "GET", "/assets/main-1a2.js", "").wants(t, 200, "")
		require.Equal(t, "public, max-age=31536000, immutable", r.Header.Get("Cache-Control"))
		require.Equal(t, "text/javascript; charset=utf-8", r.Header.Get("Content-Type"))
		send(t, edge, host, "GET", "/favicon.svg", "", header{"If-None-Match", "*"}).wants(t, 304, "")
	}
	counted := send(t, admin, "", "GET", "/metrics", "")
	require.Contains(t, string(counted.raw), `cloudlicenses_http_requests_total{code="ok",route="portal"} 4`+"\n")
}

// TestPortalOfWhiteLabelHost: it stands for the vendors' host.
func TestPortalOfWhiteLabelHost(t *testing.T) {
	v, id := newVendor(t)
	host := v.verifyHost(id)
	edge, _ := newPortal(t, nil)
	r := send(t, edge, host, "GET", "/licenses", "", asBrowser).wants(t, 200, "")
	require.Contains(t, string(r.raw), `data-site="vendors" data-tenant=""`)
}

func TestPortalOfOperators(t *testing.T) {
	_, admin := newPortal(t, nil)
	for _, path := range []string{"/", "/tenants/x", "/problems/no_leader"} {
		r := send(t, admin, "", "GET", path, "", asBrowser).wants(t, 200, "")
		require.Contains(t, string(r.raw), `data-site="admin" data-tenant="" data-domain="localhost"`)
		require.Equal(t, "DENY", r.Header.Get("X-Frame-Options"))
		send(t, admin, "", "GET", path, "", asBrowser, header{"If-None-Match", r.Header.Get("Etag")}).wants(t, 304, "")
	}
	send(t, admin, "", "GET", "/assets/main-1a2.js", "").wants(t, 200, "")
	r := send(t, admin, "", "GET", "/", "").wants(t, 200, "")
	require.Contains(t, string(r.raw), "/healthz")
	send(t, admin, "", "GET", "/tenants/x", "").wants(t, 404, "not_found")
	send(t, admin, "", "GET", "/v1/none", "", asBrowser).wants(t, 404, "not_found")
	send(t, admin, "", "POST", "/tenants/x", "", asBrowser).wants(t, 404, "not_found")
	send(t, admin, "", "GET", "/v1/tenants", "", asBrowser).wants(t, 401, "unauthenticated")
}

// TestPortalIsNotBuilt: a server that was built without npm says so, and its
// API is whole.
func TestPortalIsNotBuilt(t *testing.T) {
	empty, err := portal.New(fstest.MapFS{})
	require.NoError(t, err)
	edge, admin := newPortal(t, func(cfg *Config) { cfg.Portal = empty })
	for _, address := range []string{edge, admin} {
		r := send(t, address, "localhost", "GET", "/", "", asBrowser)
		require.Equal(t, http.StatusServiceUnavailable, r.StatusCode)
		require.Contains(t, string(r.raw), "make build")
		require.Contains(t, r.Header.Get("Content-Type"), "text/plain")
	}
	send(t, edge, "localhost", "GET", "/", "").wants(t, 200, "")
}

// TestPortalOverHTTPS: browsers are told to stay there.
func TestPortalOverHTTPS(t *testing.T) {
	edge, _ := newPortal(t, func(cfg *Config) { cfg.Scheme = "https" })
	r := send(t, edge, "localhost", "GET", "/", "", asBrowser).wants(t, 200, "")
	require.Equal(t, "max-age=31536000", r.Header.Get("Strict-Transport-Security"))
}

// TestPortalBeforeTheCluster: a node that can't say yet whether there is such a
// tenant does not call it unknown.
func TestPortalBeforeTheCluster(t *testing.T) {
	edge, _ := newPortal(t, func(cfg *Config) { cfg.Shard = shard.New(shard.Config{Domain: "localhost"}) })
	r := send(t, edge, "acme.localhost", "GET", "/", "", asBrowser).wants(t, 200, "")
	require.Contains(t, string(r.raw), `data-site="tenant" data-tenant="acme"`)
}
