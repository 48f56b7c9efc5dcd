package api

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// newKey gives the pool's tenant another key.
func (p *pool) newKey(scopes cloudlicenses.Scope, expires time.Time) (key string, id cloudlicenses.KeyID) {
	p.t.Helper()
	key = shard.NewAPIKey(p.tenant)
	id = cloudlicenses.KeyID("key-" + key[len(key)-12:])
	stored := license.Key{
		ID: id, Hash: shard.HashAPIKey(live.shard.Secrets().KeyHMAC, key), AppName: "test",
		Scopes: scopes, CreatedMillis: time.Now().UnixMilli(),
	}
	if !expires.IsZero() {
		stored.ExpiresMillis = expires.UnixMilli()
	}
	p.keyDo(license.OpKey, &license.PutKey{By: license.By{Platform: true}, Key: stored})
	return key, id
}

// keyDo commits a command about keys.
func (p *pool) keyDo(op fsm.Op, payload msgp.Marshaler) {
	p.t.Helper()
	result, _, err := live.shard.DoKey(context.Background(), p.tenant, op, payload)
	require.NoError(p.t, err)
	require.Equal(p.t, cloudlicenses.OK, result.Code, result.Detail)
}

// command commits one of the tenant's commands that answers with an Ack.
func (p *pool) command(op fsm.Op, payload msgp.Marshaler) {
	p.t.Helper()
	var ack license.Ack
	_, err := live.shard.Do(context.Background(), p.tenant, shard.Command{Op: op, Payload: payload, Result: &ack})
	require.NoError(p.t, err)
	require.Equal(p.t, cloudlicenses.OK, ack.Code, ack.Detail)
}

// revoke ends a key.
func (p *pool) revoke(id cloudlicenses.KeyID) {
	p.t.Helper()
	p.keyDo(license.OpRevokeKey, &license.RevokeKey{By: license.By{Platform: true}, ID: id})
}

// accessRow is what a route needs in the access test.
type accessRow struct {
	path    string // with an {id} of the tenant's own filled in
	missing string // with an id that is not there
	body    func(lease string) string
	ok      int
}

// accessRows has a row for every route; one without fails the test.
func accessRows(p *pool) map[string]accessRow {
	lease := func(id string) string { return fmt.Sprintf(`{"lease_id":%q}`, id) }
	none := func(string) string { return "" }
	return map[string]accessRow{
		"POST /api/v1/licenses/checkout":  {ok: 201, body: func(string) string { return `{"product_id":"cad","user":"u"}` }},
		"POST /api/v1/licenses/heartbeat": {ok: 200, body: lease},
		"POST /api/v1/licenses/return":    {ok: 200, body: lease},
		"POST /api/v1/licenses/batch": {ok: 200, body: func(id string) string {
			return fmt.Sprintf(`{"operations":[{"op":"heartbeat","lease_id":%q}]}`, id)
		}},
		"GET /api/v1/licenses":          {ok: 200, body: none},
		"GET /api/v1/licenses/{id}":     {ok: 200, body: none, path: "/api/v1/licenses/" + string(p.license), missing: "/api/v1/licenses/lic-none"},
		"GET /api/v1/leases":            {ok: 200, body: none},
		"POST /api/v1/tenants/register": {ok: 422, body: none},
		"POST /api/v1/tenants/verify":   {ok: 422, body: none},
		"POST /api/v1/vendors/register": {ok: 422, body: none},
		"POST /api/v1/vendors/verify":   {ok: 422, body: none},
		"GET /.well-known/jwks.json":    {ok: 200, body: none},
		"GET /openapi.yaml":             {ok: 200, body: none},
		"GET /api/v1/plans":             {ok: 200, body: none},
		"GET /problems/{id}":            {ok: 200, body: none, path: "/problems/overage_cap_reached", missing: "/problems/none"},
		"GET /":                         {ok: 200, body: none},
	}
}

// TestAccess asks every route with every kind of key.
func TestAccess(t *testing.T) {
	p, other := newPool(t, 50, 0), newPool(t, 1, 0)
	rows := accessRows(p)
	all := cloudlicenses.ScopeCheckout | cloudlicenses.ScopeReturn
	expired, _ := p.newKey(all, time.Now().Add(-time.Hour))
	revoked, revokedID := p.newKey(all, time.Time{})
	p.revoke(revokedID)
	returnOnly, _ := p.newKey(cloudlicenses.ScopeReturn, time.Time{})
	checkoutOnly, _ := p.newKey(cloudlicenses.ScopeCheckout, time.Time{})
	unknown := shard.NewAPIKey(p.tenant)
	stranger := shard.NewAPIKey("no-such-tenant")

	for _, route := range routeTable() {
		if route.on == forUsers || route.on == onTenantOpen || route.on.ofVendors() {
			continue // TestUserAccess, TestVendorAccess
		}
		name := route.method + " " + route.path
		row, ok := rows[name]
		require.True(t, ok, "route %s has no row in accessRows", name)
		path := row.path
		if path == "" {
			path = route.path
		}
		held := p.checkout("holder").wants(t, 201, "").text("lease_id")
		ask := func(tenant cloudlicenses.TenantID, path, authorization string) *reply {
			return send(t, live.edge, string(tenant)+".localhost", route.method, path, row.body(held), header{"Authorization", authorization})
		}
		if route.on == onApex {
			for _, authorization := range []string{"", "Bearer " + p.key, "Bearer x"} { // a key makes no difference
				send(t, live.edge, "localhost", route.method, path, "{}", header{"Authorization", authorization}).wants(t, row.ok, "invalid_field")
			}
			hosts := []string{string(p.tenant) + ".localhost", "nobody.localhost"}
			if strings.HasPrefix(path, "/api/v1/vendors/") {
				send(t, live.edge, vendorsHost, route.method, path, "{}").wants(t, row.ok, "invalid_field")
			} else {
				hosts = append(hosts, vendorsHost)
			}
			for _, host := range hosts {
				send(t, live.edge, host, route.method, path, "{}").wants(t, 404, "not_found")
			}
			send(t, live.edge, "example.com", route.method, path, "{}").wants(t, 404, "tenant_not_found")
			continue
		}
		if route.on != onTenant {
			for _, host := range []string{"localhost", "vendors.localhost", string(p.tenant) + ".localhost", "nobody.localhost"} {
				send(t, live.edge, host, route.method, path, "").wants(t, row.ok, "")
			}
			if route.on == everywhere {
				for _, host := range []string{"example.com", "127.0.0.1", "[::1]:8080", "a.b.localhost"} {
					send(t, live.edge, host, route.method, path, "").wants(t, row.ok, "")
					send(t, live.edge, host, "POST", path, "").wants(t, 404, "tenant_not_found")
				}
				continue
			}
			if row.missing != "" {
				send(t, live.edge, "localhost", route.method, row.missing, "").wants(t, 404, "not_found")
			}
			r := send(t, live.edge, "example.com", route.method, path, "").wants(t, 404, "tenant_not_found")
			require.Equal(t, "no tenant of this host: use "+live.server.TenantURL("{tenant}"), r.text("detail"))
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, refused := range []struct {
				authorization string
				status        int
				code, layer   string
			}{
				{"", 401, "unauthenticated", "key"},
				{"Basic dTpw", 401, "unauthenticated", "key"},
				{"Bearer", 401, "unauthenticated", "key"},
				{"Bearer x", 401, "unauthenticated", "key"},
				{"Bearer " + p.key[:len(p.key)-1] + "!", 401, "unauthenticated", "key"},
				{"Bearer " + unknown, 401, "unauthenticated", "key"},
				{"Bearer " + expired, 401, "key_expired", "key"},
				{"Bearer " + revoked, 401, "key_revoked", "key"},
				{"Bearer " + shard.NewAPIKey("@vector-de"), 401, "unauthenticated", "key"},
				{"Bearer " + other.key, 403, "wrong_tenant", "host"},
				{"Bearer " + stranger, 403, "wrong_tenant", "host"},
			} {
				r := ask(p.tenant, path, refused.authorization).wants(t, refused.status, refused.code)
				require.Equal(t, refused.layer, r.text("layer"))
				if refused.status == 401 {
					require.True(t, strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer "))
				}
			}
			lacking, having := returnOnly, checkoutOnly
			if route.scope == cloudlicenses.ScopeReturn {
				lacking, having = checkoutOnly, returnOnly
			}
			r := ask(p.tenant, path, "Bearer "+lacking).wants(t, 403, "missing_scope")
			require.Equal(t, "scope", r.text("layer"))
			if r := ask(p.tenant, path, "Bearer "+having); r.StatusCode != row.ok {
				r.wants(t, 404, "lease_not_found") // another key's lease is nobody's
			}
			// A foreign tenant and one that does not exist answer alike.
			theirs := ask(other.tenant, path, "Bearer "+p.key).wants(t, 403, "wrong_tenant")
			nobodys := ask("nobody-here", path, "Bearer "+p.key).wants(t, 403, "wrong_tenant")
			for _, r := range []*reply{theirs, nobodys} {
				delete(r.body, "request_id")
			}
			require.Equal(t, theirs.body, nobodys.body)
			ask("no-such-tenant", path, "Bearer "+stranger).wants(t, 404, "tenant_not_found")
			send(t, live.edge, "localhost", route.method, path, row.body(held), header{"Authorization", "Bearer " + p.key}).wants(t, 404, "not_found")
			r = send(t, live.edge, "vendors.localhost", route.method, path, row.body(held), header{"Authorization", "Bearer " + p.key})
			require.Contains(t, []int{401, 404, 405}, r.StatusCode, "a tenant's key opens nothing on the vendors' host: %s", r.raw)
			for _, host := range []string{"example.com", "a.b.localhost", "notlocalhost", "-x.localhost", "www.localhost"} {
				send(t, live.edge, host, route.method, path, row.body(held), header{"Authorization", "Bearer " + p.key}).wants(t, 404, "tenant_not_found")
			}
			if row.missing != "" {
				ask(p.tenant, row.missing, "Bearer "+p.key).wants(t, 404, "not_found")
				ask(p.tenant, row.missing, "Bearer "+unknown).wants(t, 401, "unauthenticated")
			}
			ask(p.tenant, path, "bearer  "+p.key+" ").wants(t, row.ok, "")
			for _, method := range []string{"PUT", "DELETE", "PATCH", "OPTIONS"} {
				r := send(t, live.edge, string(p.tenant)+".localhost", method, path, "", header{"Authorization", "Bearer " + p.key})
				require.NotEmpty(t, r.wants(t, 405, "method_not_allowed").Header.Get("Allow"))
			}
		})
	}
}

// TestBatchScopes: a batch needs license:checkout even for returns alone, and
// each return license:return.
func TestBatchScopes(t *testing.T) {
	p := newPool(t, 5, 0)
	returnOnly, _ := p.newKey(cloudlicenses.ScopeReturn, time.Time{})
	checkoutOnly, _ := p.newKey(cloudlicenses.ScopeCheckout, time.Time{})
	returns := `{"operations":[{"op":"return","lease_id":"lease-1"}]}`
	p.post(pathBatch, returns, header{"Authorization", "Bearer " + returnOnly}).wants(t, 403, "missing_scope")
	p.post(pathBatch, `{"operations":[{"op":"fly"}]}`, header{"Authorization", "Bearer " + returnOnly}).wants(t, 403, "missing_scope")
	r := p.post(pathBatch, `{"operations":[{"op":"checkout","product_id":"cad","user":"u"},{"op":"return","lease_id":"lease-1"}]}`,
		header{"Authorization", "Bearer " + checkoutOnly}).wants(t, 200, "")
	results := r.body["results"].([]any)
	require.EqualValues(t, "201", results[0].(map[string]any)["status"])
	require.Equal(t, "missing_scope", results[1].(map[string]any)["code"])
	require.Equal(t, "scope", results[1].(map[string]any)["layer"])
}

func TestFactsAreChecked(t *testing.T) {
	p := newPool(t, 5, 0)
	for _, name := range []string{headerHostname, headerFingerprint, headerLibVersion} {
		r := p.checkout("u", header{name, strings.Repeat("h", 257)}).wants(t, 422, "invalid_field")
		require.Equal(t, name, r.body["errors"].([]any)[0].(map[string]any)["header"])
		p.checkout("u", header{name, "bad\xff"}).wants(t, 422, "invalid_field")
	}
	p.checkout("u", header{headerHostname, "ws"}, header{headerFingerprint, "sha256:00"}, header{headerLibVersion, "1.2.3"}).wants(t, 201, "")
	audit := adminDo(t, http.MethodGet, "/v1/tenants/"+string(p.tenant)+"/audit?consistency=linearizable", "").wants(t, 200, "")
	last := audit.body["items"].([]any)[2].(map[string]any) // after the making of license and key
	require.Equal(t, "ws", last["hostname"])
	require.Equal(t, "sha256:00", last["fingerprint"])
	require.Equal(t, "1.2.3", last["lib_version"])
	require.Equal(t, "127.0.0.1", last["ip_address"])
}

func TestForwardedFor(t *testing.T) {
	trusted := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range []struct {
		name    string
		proxies proxies
		hops    []string
		want    string
	}{
		{"no proxies", nil, []string{"1.2.3.4"}, "127.0.0.1"},
		{"proxy of others", proxies{netip.MustParsePrefix("10.0.0.0/8")}, []string{"1.2.3.4"}, "127.0.0.1"},
		{"no header", trusted, nil, "127.0.0.1"},
		{"one hop", trusted, []string{"1.2.3.4"}, "1.2.3.4"},
		{"client lies", trusted, []string{"6.6.6.6, 1.2.3.4"}, "1.2.3.4"},
		{"chain of proxies", trusted, []string{"6.6.6.6, 1.2.3.4, 10.1.1.1 , 10.2.2.2"}, "1.2.3.4"},
		{"several headers", trusted, []string{"6.6.6.6", "1.2.3.4", "10.1.1.1"}, "1.2.3.4"},
		{"all trusted", trusted, []string{"10.3.3.3, 10.1.1.1"}, "10.3.3.3"},
		{"with port", trusted, []string{"1.2.3.4:5678"}, "1.2.3.4"},
		{"IPv6", trusted, []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv4 in IPv6", trusted, []string{"::ffff:1.2.3.4"}, "1.2.3.4"},
		{"nonsense", trusted, []string{"1.2.3.4, unknown, 10.1.1.1"}, "10.1.1.1"},
		{"empty", trusted, []string{""}, "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, c.proxies.client("127.0.0.1", func() [][]byte {
				var hops [][]byte
				for _, h := range c.hops {
					hops = append(hops, []byte(h))
				}
				return hops
			}))
		})
	}
}

// TestTLS: the server name must be the Host, and a verified client
// certificate's name is known.
func TestTLS(t *testing.T) {
	certificate, roots := selfSigned(t, "acme.localhost", "other.localhost")
	s, plain := newEdge(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secured := tls.NewListener(ln, &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13,
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: roots, NextProtos: []string{"http/1.1"},
	})
	go func() { _ = s.Serve(secured) }()
	get := func(server, host string) int {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			ServerName: server, RootCAs: roots, Certificates: []tls.Certificate{certificate},
		}, DisableKeepAlives: true}}
		request, err := http.NewRequest(http.MethodGet, "https://"+ln.Addr().String()+"/openapi.yaml", nil)
		require.NoError(t, err)
		request.Host = host
		response, err := client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		return response.StatusCode
	}
	require.Equal(t, 200, get("acme.localhost", "acme.localhost"))
	require.Equal(t, 200, get("acme.localhost", "ACME.localhost.:443"))
	require.Equal(t, 421, get("other.localhost", "acme.localhost"))
	require.Equal(t, 200, send(t, plain, "acme.localhost", "GET", "/openapi.yaml", "").StatusCode)
}

// TestH2: the same answers over HTTP/2, on the same port.
func TestH2(t *testing.T) {
	addr, roots, stop := serveH2(t)
	p := newPool(t, 1, 0)
	host := string(p.tenant) + ".localhost"
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{ServerName: host, RootCAs: roots}}
	ask := func(method, host, path, body string, headers ...string) (int, string, http.Header) {
		request, err := http.NewRequest(method, "https://"+addr+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Host = host
		request.Header.Set("Authorization", "Bearer "+p.key)
		for i := 0; i < len(headers); i += 2 {
			request.Header.Add(headers[i], headers[i+1])
		}
		response, err := transport.RoundTrip(request)
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, 2, response.ProtoMajor)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Len(t, response.Header.Get(headerRequestID), 36)
		return response.StatusCode, string(text), response.Header
	}
	status, body, headers := ask("POST", host, pathCheckout, `{"product_id":"cad","user":"u"}`)
	require.Equal(t, 201, status, body)
	require.Contains(t, body, `"lease_id":"lease-1"`)
	require.Equal(t, typeJSON, headers.Get("Content-Type"))
	require.NotEmpty(t, headers.Get(headerApplied))
	status, body, _ = ask("POST", host, pathCheckout, `{"product_id":"cad","user":"u"}`)
	require.Equal(t, 409, status)
	require.Contains(t, body, "license_unavailable")
	status, _, _ = ask("GET", host, "/api/v1/leases", "")
	require.Equal(t, 200, status)
	status, _, _ = ask("GET", "acme.localhost", "/openapi.yaml", "")
	require.Equal(t, 421, status)
	for path, want := range map[string]int{"/api//v1/leases": 400, "/api%2fv1/leases": 400, "/nope": 404} {
		status, _, _ = ask("GET", host, path, "")
		require.Equal(t, want, status, path)
	}
	status, _, _ = ask("POST", host, pathCheckout, strings.Repeat(" ", 1<<20+1))
	require.Equal(t, 413, status)
	status, _, _ = ask("GET", host, "/api/v1/leases", "", "Authorization", "Bearer x")
	require.Equal(t, 400, status)

	stop() // with an idle connection
}

// selfSigned returns a certificate for server and client, and a pool that
// trusts it.
func selfSigned(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ws-042"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// TestOneConnectionManyAskers: what one request of a connection leaves to the
// next changes no answer, whoever asks through it, as behind a proxy.
func TestOneConnectionManyAskers(t *testing.T) {
	p, other := newPool(t, 50, 0), newPool(t, 1, 0)
	all := cloudlicenses.ScopeCheckout | cloudlicenses.ScopeReturn
	revoked, id := p.newKey(all, time.Time{})
	p.revoke(id)
	second, _ := p.newKey(all, time.Time{})
	asks := []struct {
		tenant        cloudlicenses.TenantID
		authorization string
		status        int
	}{
		{p.tenant, "Bearer " + p.key, 200},
		{other.tenant, "Bearer " + p.key, 403},
		{p.tenant, "Bearer " + other.key, 403},
		{other.tenant, "Bearer " + other.key, 200},
		{p.tenant, "Bearer " + revoked, 401},
		{p.tenant, "Bearer " + second, 200},
		{p.tenant, "Bearer " + p.key + "x", 401},
		{p.tenant, "Bearer", 401},
		{p.tenant, "", 401},
		{"nobody-here", "Bearer " + p.key, 403},
	}
	conn, err := net.Dial("tcp", live.edge)
	require.NoError(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	ask := func(at int) {
		a := asks[at]
		head := "GET /api/v1/leases HTTP/1.1\r\nHost: " + string(a.tenant) + ".localhost\r\n"
		if a.authorization != "" {
			head += "Authorization: " + a.authorization + "\r\n"
		}
		_, err := io.WriteString(conn, head+"\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, a.status, response.StatusCode, "%d: %+v", at, a)
	}
	for i := range asks { // every one after every other
		for j := range asks {
			ask(i)
			ask(j)
		}
	}
}
