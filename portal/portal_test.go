package portal_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/portal"
)

const index = `<!doctype html><html lang="en" data-site="" data-tenant="" data-domain=""><head></head><body>app</body></html>`

var script = strings.Repeat("export const a = 1;\n", 100)

func newApp(t *testing.T) *portal.App {
	t.Helper()
	app, err := portal.New(fstest.MapFS{
		".keep":               {},
		".vite/manifest.json": {Data: []byte("{}")},
		"index.html":          {Data: []byte(index)},
		"assets/main-1a2.js":  {Data: []byte(script)},
		"assets/dot-3b4.png":  {Data: []byte("\x89PNG")},
		"favicon.svg":         {Data: []byte("<svg/>")},
	})
	require.NoError(t, err)
	require.True(t, app.Built())
	return app
}

func get(path string) *portal.Request {
	return &portal.Request{Method: http.MethodGet, Path: path, Accept: "text/html,application/xhtml+xml,*/*;q=0.8"}
}

func headers(t *testing.T, a *portal.Answer) map[string]string {
	t.Helper()
	m := make(map[string]string)
	for _, h := range a.Headers {
		require.NotContains(t, m, h.Name)
		m[h.Name] = h.Value
	}
	return m
}

func unpack(t *testing.T, b []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(plain)
}

func TestPage(t *testing.T) {
	app := newApp(t)
	at := &portal.Place{Site: portal.Tenant, Tenant: "mercedes", Domain: `a"><script>b`}
	a := app.Page(at, get("/licenses/x"))
	require.Equal(t, http.StatusOK, a.Status)
	require.Equal(t, strings.Replace(index, `data-site="" data-tenant="" data-domain=""`,
		`data-site="tenant" data-tenant="mercedes" data-domain="a&#34;&gt;&lt;script&gt;b"`, 1), string(a.Body))
	h := headers(t, a)
	require.Equal(t, "text/html; charset=utf-8", h["Content-Type"])
	require.Equal(t, "no-cache", h["Cache-Control"])
	require.Equal(t, "Accept, Accept-Encoding", h["Vary"])
	require.Equal(t, "nosniff", h["X-Content-Type-Options"])
	require.Equal(t, "same-origin", h["Referrer-Policy"])
	require.Equal(t, "DENY", h["X-Frame-Options"])
	require.NotContains(t, h, "Strict-Transport-Security")
	require.NotContains(t, h, "Content-Encoding")
	csp := h["Content-Security-Policy"]
	for _, part := range []string{"default-src 'self'", "script-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"} {
		require.Contains(t, strings.Split(csp, "; "), part)
	}

	at.Secure = true
	require.Equal(t, "max-age=31536000", headers(t, app.Page(at, get("/")))["Strict-Transport-Security"])

	again := get("/")
	again.IfNoneMatch = `"x", ` + h["ETag"]
	a = app.Page(at, again)
	require.Equal(t, http.StatusNotModified, a.Status)
	require.Empty(t, a.Body)
	require.Equal(t, csp, headers(t, a)["Content-Security-Policy"])
	other := *at
	other.Tenant = "audi"
	require.Equal(t, http.StatusOK, app.Page(&other, again).Status, "the page of another tenant is another one")

	packed := get("/")
	packed.AcceptEncoding = "br, gzip;q=0.8"
	a = app.Page(at, packed)
	require.Equal(t, "gzip", headers(t, a)["Content-Encoding"])
	require.Contains(t, unpack(t, a.Body), `data-tenant="mercedes"`)
	require.Equal(t, h["ETag"], headers(t, a)["ETag"])
}

func TestUnknownHost(t *testing.T) {
	app, nobodys := newApp(t), &portal.Place{Site: portal.Unknown, Domain: "localhost"}
	a := app.Page(nobodys, get("/"))
	require.Equal(t, http.StatusNotFound, a.Status)
	require.Contains(t, string(a.Body), `data-site="unknown" data-tenant="" data-domain="localhost"`)
	again := get("/")
	again.IfNoneMatch = headers(t, a)["ETag"]
	require.Equal(t, http.StatusNotFound, app.Page(nobodys, again).Status)
}

func TestFile(t *testing.T) {
	app := newApp(t)
	asked := get("/assets/main-1a2.js")
	a := app.File(asked)
	require.Equal(t, http.StatusOK, a.Status)
	require.Equal(t, script, string(a.Body))
	h := headers(t, a)
	require.Equal(t, "public, max-age=31536000, immutable", h["Cache-Control"])
	require.Equal(t, "text/javascript; charset=utf-8", h["Content-Type"])
	require.Equal(t, "nosniff", h["X-Content-Type-Options"])
	require.Equal(t, "Accept-Encoding", h["Vary"])

	asked.AcceptEncoding = "GZIP"
	a = app.File(asked)
	require.Equal(t, "gzip", headers(t, a)["Content-Encoding"])
	require.Less(t, len(a.Body), len(script)/4)
	require.Equal(t, script, unpack(t, a.Body))
	for _, refused := range []string{"", "br", "gzip;q=0", "gzip; q=0.000", "identity"} {
		asked.AcceptEncoding = refused
		require.NotContains(t, headers(t, app.File(asked)), "Content-Encoding", refused)
	}
	asked.IfNoneMatch = "*"
	require.Equal(t, http.StatusNotModified, app.File(asked).Status)

	picture := get("/assets/dot-3b4.png")
	picture.AcceptEncoding = "gzip"
	require.NotContains(t, headers(t, app.File(picture)), "Content-Encoding", "it would grow")
	require.Equal(t, "no-cache", headers(t, app.File(get("/favicon.svg")))["Cache-Control"])

	for _, none := range []string{"/", "/index.html", "/.keep", "/.vite/manifest.json", "/assets/", "/assets/none.js", "favicon.svg"} {
		require.Nil(t, app.File(get(none)), none)
	}
	written := get("/favicon.svg")
	written.Method = http.MethodPost
	require.Nil(t, app.File(written))
}

func TestNavigates(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/welcome": true, "/licenses/x": true, "/problems/not_found": true, "/apis": true,
		"/api/v1/x": false, "/v1/cluster": false, "/.well-known/x": false, "/packages/x": false, "/assets/x.js": false, "/debug/x": false,
	} {
		require.Equal(t, want, get(path).Navigates(), path)
	}
	for _, change := range []func(*portal.Request){
		func(r *portal.Request) { r.Method = http.MethodPost },
		func(r *portal.Request) { r.Accept = "*/*" },
		func(r *portal.Request) { r.Accept = "" },
		func(r *portal.Request) { r.Accept = "application/json" },
	} {
		r := get("/")
		change(r)
		require.False(t, r.Navigates())
	}
	head := get("/")
	head.Method = http.MethodHead
	require.True(t, head.Navigates())
}

// TestNotBuilt: a binary of Go alone says what is missing.
func TestNotBuilt(t *testing.T) {
	app, err := portal.New(fstest.MapFS{".keep": {}})
	require.NoError(t, err)
	require.False(t, app.Built())
	a := app.Page(&portal.Place{Site: portal.Apex}, get("/"))
	require.Equal(t, http.StatusServiceUnavailable, a.Status)
	require.Contains(t, string(a.Body), "make build")
	require.Equal(t, "no-store", headers(t, a)["Cache-Control"])
	require.Nil(t, app.File(get("/favicon.svg")))
}

func TestIndexWithoutBlanks(t *testing.T) {
	for _, broken := range []string{"<html>", index + index} {
		_, err := portal.New(fstest.MapFS{"index.html": {Data: []byte(broken)}})
		require.ErrorContains(t, err, `data-site=""`)
	}
}

// TestEmbedded: what this very tree was built to can be served.
func TestEmbedded(t *testing.T) {
	app := portal.Embedded()
	a := app.Page(&portal.Place{Site: portal.Apex, Domain: "localhost"}, get("/"))
	if !app.Built() {
		require.Equal(t, http.StatusServiceUnavailable, a.Status)
		return
	}
	require.Equal(t, http.StatusOK, a.Status)
	require.Contains(t, string(a.Body), `data-site="apex" data-tenant="" data-domain="localhost"`)
}
