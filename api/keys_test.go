package api

import (
	"context"
	"crypto/tls"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// admin opens a session of the tenant's owner.
func (p *pool) admin() string {
	p.t.Helper()
	return p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
}

// with checks a seat out by another key.
func (p *pool) with(key string, headers ...header) *reply {
	p.t.Helper()
	return p.checkout("u", append([]header{{"Authorization", "Bearer " + key}}, headers...)...)
}

// TestGenerateKey is seed B5, to the letter.
func TestGenerateKey(t *testing.T) {
	p := newPool(t, 5, 0)
	session := p.admin()
	r := p.as(session, "POST", "/api/v1/keys/generate", `{
		"app_name": "DaVinci Configurator Workstation 042", "app_type": "desktop",
		"scopes": ["license:checkout", "license:return"], "expires_in_days": 365,
		"metadata": {"hostname": "dev-ws-042.mercedes.com", "department": "Powertrain Engineering", "contact": "alice@mercedes.com"}
	}`).wants(t, 201, "")
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	url, key := live.server.TenantURL(p.tenant), r.text("api_key")
	require.True(t, strings.HasPrefix(key, "clsk_"+string(p.tenant)+"_"), key)
	require.True(t, strings.HasPrefix(r.text("key_id"), "key-"))
	created, err := time.Parse(time.RFC3339, r.text("created_at"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), created, time.Minute)
	require.Equal(t, created.Add(365*24*time.Hour).Format(time.RFC3339), r.text("expires_at"))
	require.Equal(t, map[string]any{
		"key_id": r.text("key_id"), "api_key": key, "tenant_url": url, "scopes": []any{"license:checkout", "license:return"},
		"expires_at": r.text("expires_at"), "created_at": r.text("created_at"),
		"integration_snippet": map[string]any{
			"environment_variables": map[string]any{"LICENSE_SERVER_URL": url, "LICENSE_API_KEY": key},
			"config_file":           map[string]any{"license_server": map[string]any{"url": url, "api_key": key}},
		},
	}, r.body)
	p.with(key).wants(t, 201, "")

	list := p.as(session, "GET", "/api/v1/keys?consistency=linearizable", "").wants(t, 200, "")
	require.NotContains(t, string(list.raw), key[len(key)-28:], "a list shows no secret")
	require.NotContains(t, string(list.raw), "hash")
	shown := find(list, r.text("key_id"))
	require.Equal(t, "active", shown["status"])
	require.Equal(t, "Powertrain Engineering", shown["metadata"].(map[string]any)["department"])
	require.EqualValues(t, "100", shown["checkouts_per_minute"])
	require.EqualValues(t, "1000", shown["requests_per_hour"])
	require.NotNil(t, shown["last_used_at"])
	operators := list.body["items"].([]any)[0].(map[string]any)
	require.Nil(t, operators["checkouts_per_minute"], "the operator's first key has no limit")
	require.Nil(t, operators["requests_per_hour"])

	first := p.as(session, "GET", "/api/v1/keys?limit=1&consistency=linearizable", "").wants(t, 200, "")
	require.Len(t, first.body["items"], 1)
	rest := p.as(session, "GET", "/api/v1/keys?limit=1&consistency=linearizable&cursor="+first.text("next_cursor"), "").wants(t, 200, "")
	require.Nil(t, rest.body["next_cursor"])
	require.NotEqual(t, first.body["items"], rest.body["items"])
}

func find(list *reply, id string) map[string]any {
	for _, item := range list.body["items"].([]any) {
		if key := item.(map[string]any); key["key_id"] == id {
			return key
		}
	}
	return nil
}

// generate makes a key with these members besides its name.
func (p *pool) generate(session, members string) (key, id string) {
	p.t.Helper()
	r := p.as(session, "POST", "/api/v1/keys/generate", `{"app_name":"app"`+members+`}`).wants(p.t, 201, "")
	return r.text("api_key"), r.text("key_id")
}

func TestGenerateKeyBodies(t *testing.T) {
	p := newPool(t, 5, 0)
	session := p.admin()
	many := strings.Repeat(`"h",`, 100) + `"h"`
	for body, pointer := range map[string]string{
		`{}`:              "/app_name",
		`{"app_name":""}`: "/app_name",
		`{"app_name":"` + strings.Repeat("x", 101) + `"}`:                                         "/app_name",
		`{"app_name":"a\u0007b"}`:                                                                 "/app_name",
		`{"app_name":"a","app_type":"mainframe"}`:                                                 "/app_type",
		`{"app_name":"a","scopes":[]}`:                                                            "/scopes",
		`{"app_name":"a","scopes":["license:return","license:all"]}`:                              "/scopes/1",
		`{"app_name":"a","scopes":"license:return"}`:                                              "/scopes",
		`{"app_name":"a","expires_in_days":0}`:                                                    "/expires_in_days",
		`{"app_name":"a","expires_in_days":3651}`:                                                 "/expires_in_days",
		`{"app_name":"a","expires_in_days":1.5}`:                                                  "/expires_in_days",
		`{"app_name":"a","metadata":[1]}`:                                                         "/metadata",
		`{"app_name":"a","metadata":{"a":"` + strings.Repeat("x", 4096) + `"}}`:                   "/metadata",
		`{"app_name":"a","allowed_hostnames":["ws-1","ws 2"]}`:                                    "/allowed_hostnames/1",
		`{"app_name":"a","allowed_hostnames":[""]}`:                                               "/allowed_hostnames/0",
		`{"app_name":"a","allowed_hostnames":[` + many + `]}`:                                     "/allowed_hostnames",
		`{"app_name":"a","allowed_ip_ranges":["10.0.0.0/33"]}`:                                    "/allowed_ip_ranges/0",
		`{"app_name":"a","allowed_ip_ranges":["10.0.0.0/8","mercedes.com"]}`:                      "/allowed_ip_ranges/1",
		`{"app_name":"a","allowed_ip_ranges":["::ffff:0.0.0.0/90"]}`:                              "/allowed_ip_ranges/0",
		`{"app_name":"a","allowed_ip_ranges":["fe80::1%eth0"]}`:                                   "/allowed_ip_ranges/0",
		`{"app_name":"a","client_cert_cn":"ws"}`:                                                  "/client_cert_cn",
		`{"app_name":"a","require_mtls":true,"client_cert_cn":"` + strings.Repeat("x", 65) + `"}`: "/client_cert_cn",
		`{"app_name":"a","checkouts_per_minute":0}`:                                               "/checkouts_per_minute",
		`{"app_name":"a","requests_per_hour":1000001}`:                                            "/requests_per_hour",
	} {
		r := p.as(session, "POST", "/api/v1/keys/generate", body).wants(t, 422, "invalid_field")
		require.Equal(t, pointer, r.body["errors"].([]any)[0].(map[string]any)["pointer"], body)
	}
	for _, body := range []string{``, `{`, `{"app_name":"a","x":1}`, `{"app_name":"a","app_name":"b"}`, `{"app_name":"a","metadata":{"b":1,"b":2}}`} {
		p.as(session, "POST", "/api/v1/keys/generate", body).wants(t, 400, "malformed_request")
	}
}

// TestOneKeyForOneIntent: an Idempotency-Key makes one key, whose secret is
// shown once; another user's is another intent.
func TestOneKeyForOneIntent(t *testing.T) {
	p := newPool(t, 5, 0)
	session := p.admin()
	other := p.newSession(p.newUser("bob", cloudlicenses.RoleAdmin))
	again := header{headerIdempotency, "make it"}
	ask := func(session string) *reply {
		return p.as(session, "POST", "/api/v1/keys/generate", `{"app_name":"app"}`, again)
	}
	made := ask(session).wants(t, 201, "")
	require.Contains(t, ask(session).wants(t, 409, "already_exists").text("detail"), made.text("key_id"))
	require.NotEqual(t, made.text("key_id"), ask(other).wants(t, 201, "").text("key_id"))
	list := p.as(session, "GET", "/api/v1/keys?consistency=linearizable", "").wants(t, 200, "")
	require.Len(t, list.body["items"], 3)
	p.with(made.text("api_key")).wants(t, 201, "")
}

func TestHostnameBinding(t *testing.T) {
	p := newPool(t, 5, 0)
	session := p.admin()
	key, id := p.generate(session, `,"allowed_hostnames":["Dev-WS-042.mercedes.com"]`)
	require.Equal(t, "hostname", p.with(key).wants(t, 403, "hostname_not_allowed").text("layer"))
	p.with(key, header{headerHostname, "dev-ws-043.mercedes.com"}).wants(t, 403, "hostname_not_allowed")
	p.with(key, header{headerHostname, "dev-ws-042.MERCEDES.com"}).wants(t, 201, "")
	restrict := "/api/v1/keys/" + id + "/restrictions"
	p.as(session, "POST", restrict, `{"allowed_hostnames":["ws-2"]}`).wants(t, 200, "")
	p.with(key, header{headerHostname, "dev-ws-042.mercedes.com"}).wants(t, 403, "hostname_not_allowed")
	lifted := p.as(session, "POST", restrict, `{"allowed_hostnames":[]}`).wants(t, 200, "")
	require.Empty(t, lifted.body["allowed_hostnames"])
	p.with(key).wants(t, 201, "")
}

// TestAddressBinding also through a trusted proxy, which alone may say for whom
// it asks.
func TestAddressBinding(t *testing.T) {
	p := newPool(t, 5, 0)
	session := p.admin()
	key, id := p.generate(session, `,"allowed_ip_ranges":["10.0.0.0/8","203.0.113.0/24","2001:db8::/32","::ffff:192.168.7.0/120","198.51.100.7"]`)
	shown := find(p.as(session, "GET", "/api/v1/keys?consistency=linearizable", ""), id)
	require.Equal(t, []any{"10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32", "192.168.7.0/24", "198.51.100.7/32"}, shown["allowed_ip_ranges"])
	require.Equal(t, "address", p.with(key, header{"X-Forwarded-For", "10.0.1.42"}).wants(t, 403, "ip_not_allowed").text("layer"))

	proxied := serveAlso(t, Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil)
	for from, status := range map[string]int{
		"10.0.1.42": 201, "10.0.1.42:5000": 201, "::ffff:10.0.1.42": 201, "192.168.7.9": 201, "2001:db8:7::1": 201, "198.51.100.7": 201,
		"11.0.0.1": 403, "192.168.8.1": 403, "2001:db9::1": 403, "10.0.1.42, 8.8.8.8": 403, "198.51.100.8": 403, "unknown": 403,
	} {
		r := send(t, proxied, string(p.tenant)+".localhost", "POST", pathBatch, `{"operations":[{"op":"checkout","product_id":"cad","user":"u"}]}`,
			header{"Authorization", "Bearer " + key}, header{"X-Forwarded-For", from})
		if status == 403 {
			r.wants(t, 403, "ip_not_allowed")
			continue
		}
		r.wants(t, 200, "")
	}
	p.as(session, "POST", "/api/v1/keys/"+id+"/restrictions", `{"allowed_ip_ranges":["127.0.0.1"]}`).wants(t, 200, "")
	p.with(key).wants(t, 409, "license_unavailable") // the five seats are taken
}

// serveAlso opens another edge of the live node and returns its address.
func serveAlso(t *testing.T, cfg Config, secured *tls.Config) string {
	t.Helper()
	cfg.Shard, cfg.Node, cfg.NodeID, cfg.Domain = live.shard, live.node, "n1", "localhost"
	s := New(cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := ln.Addr().String()
	if secured != nil {
		ln = tls.NewListener(ln, secured)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.NoError(t, <-served)
	})
	return address
}

// TestCertificateBinding: what TLS has verified, over HTTP/1.1 and HTTP/2.
func TestCertificateBinding(t *testing.T) {
	p := newPool(t, 50, 0)
	session := p.admin()
	host := string(p.tenant) + ".localhost"
	certificate, roots := selfSigned(t, host) // of common name ws-042
	stranger, _ := selfSigned(t, host)        // of the same name, by another authority
	address := serveAlso(t, Config{}, &tls.Config{
		Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13,
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: roots, NextProtos: []string{"h2", "http/1.1"},
	})
	any, _ := p.generate(session, `,"require_mtls":true`)
	mine, id := p.generate(session, `,"require_mtls":true,"client_cert_cn":"ws-042"`)
	others, _ := p.generate(session, `,"require_mtls":true,"client_cert_cn":"ws-043"`)
	ask := func(h2 bool, key string, shown ...tls.Certificate) (int, string, error) {
		transport := &http.Transport{ForceAttemptHTTP2: h2, DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS13,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // whoever asks
				return &append(shown, tls.Certificate{})[0], nil
			},
		}}
		if !h2 {
			transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequest("POST", "https://"+address+pathCheckout, strings.NewReader(`{"product_id":"cad","user":"u"}`))
		require.NoError(t, err)
		request.Host = host
		request.Header.Set("Authorization", "Bearer "+key)
		response, err := transport.RoundTrip(request)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close()
		require.Equal(t, h2, response.ProtoMajor == 2)
		var body struct{ Code, Layer string }
		require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
		return response.StatusCode, body.Code + " " + body.Layer, nil
	}
	for _, h2 := range []bool{false, true} {
		for _, c := range []struct {
			key   string
			shown []tls.Certificate
			want  int
			code  string
		}{
			{mine, nil, 403, "client_certificate_required certificate"},
			{any, nil, 403, "client_certificate_required certificate"},
			{mine, []tls.Certificate{certificate}, 201, " "},
			{any, []tls.Certificate{certificate}, 201, " "},
			{others, []tls.Certificate{certificate}, 403, "client_certificate_mismatch certificate"},
		} {
			status, code, err := ask(h2, c.key, c.shown...)
			require.NoError(t, err)
			require.Equal(t, c.want, status, code)
			require.Equal(t, c.code, code)
		}
		_, _, err := ask(h2, mine, stranger)
		require.Error(t, err, "a certificate of another authority ends the handshake")
	}
	p.with(mine).wants(t, 403, "client_certificate_required") // no TLS at all
	p.as(session, "POST", "/api/v1/keys/"+id+"/restrictions", `{"require_mtls":false}`).wants(t, 200, "")
	p.with(mine).wants(t, 201, "")
}

// TestRates: the limits in replies and batches, and what does not count.
func TestRates(t *testing.T) {
	p := newPool(t, 50, 0)
	session := p.admin()
	key, id := p.generate(session, `,"checkouts_per_minute":3`)
	first := p.with(key, header{headerIdempotency, "a"}).wants(t, 201, "")
	require.Equal(t, `"key-minute";q=3;w=60`, first.Header.Get("RateLimit-Policy"))
	require.Regexp(t, `^"key-minute";r=2;t=6[01]$`, first.Header.Get("RateLimit"))
	authorization := header{"Authorization", "Bearer " + key}
	lease := fmt.Sprintf(`"lease_id":%q`, first.text("lease_id"))
	for range 5 {
		p.post(pathHeartbeat, "{"+lease+"}", authorization).wants(t, 200, "")
	}
	p.with(key).wants(t, 201, "")
	batch := p.post(pathBatch, `{"operations":[{"op":"heartbeat",`+lease+`},{"op":"checkout","product_id":"cad","user":"u"},
		{"op":"checkout","product_id":"cad","user":"u"},{"op":"return",`+lease+`}]}`, authorization).wants(t, 200, "")
	var statuses []string
	for _, result := range batch.body["results"].([]any) {
		statuses = append(statuses, fmt.Sprint(result.(map[string]any)["status"]))
	}
	require.Equal(t, []string{"200", "201", "429", "200"}, statuses)
	limited := batch.body["results"].([]any)[2].(map[string]any)
	require.Equal(t, "rate", limited["layer"])
	require.Equal(t, true, limited["retryable"])

	over := p.with(key).wants(t, 429, "rate_limited")
	require.Equal(t, "rate", over.text("layer"))
	require.Regexp(t, `^"key-minute";r=0;t=\d+$`, over.Header.Get("RateLimit"))
	seconds, err := strconv.Atoi(over.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.InDelta(t, 60, seconds, 2)
	p.with(key, header{headerIdempotency, "a"}).wants(t, 201, "") // a replay
	p.do("GET", "/api/v1/leases", "", authorization).wants(t, 200, "")
	unlimited := p.checkout("u").wants(t, 201, "")
	require.Empty(t, unlimited.Header.Get("RateLimit"))

	rows := adminDo(t, "GET", "/v1/refusals", "").wants(t, 200, "").body["items"].([]any)
	counted := 0
	for _, row := range rows {
		if row := row.(map[string]any); row["layer"] == "rate" && row["ip_address"] == "127.0.0.1" {
			n, err := row["count"].(json.Number).Int64()
			require.NoError(t, err)
			counted += int(n)
		}
	}
	require.GreaterOrEqual(t, counted, 2)
	audit := p.as(session, "GET", "/api/v1/audit?result=rate_limited&consistency=linearizable", "").wants(t, 200, "")
	require.Empty(t, audit.body["items"], "what came too soon does not fill the log")

	p.as(session, "POST", "/api/v1/keys/"+id+"/restrictions", `{"checkouts_per_minute":5}`).wants(t, 200, "")
	p.with(key).wants(t, 201, "")

	hourly, _ := p.generate(session, `,"requests_per_hour":3`)
	authorization = header{"Authorization", "Bearer " + hourly}
	p.with(hourly).wants(t, 201, "")
	p.do("GET", "/api/v1/leases", "", authorization).wants(t, 200, "")
	heartbeats := `{"operations":[{"op":"heartbeat","lease_id":"lease-1"}]}`
	for range 4 {
		p.post(pathBatch, heartbeats, authorization).wants(t, 200, "")
	}
	p.do("GET", "/api/v1/licenses", "", authorization).wants(t, 200, "")
	over = p.do("GET", "/api/v1/licenses", "", authorization).wants(t, 429, "rate_limited")
	require.Equal(t, `"key-hour";q=3;w=3600`, over.Header.Get("RateLimit-Policy"))
	require.NotEmpty(t, over.Header.Get("Retry-After"))
}

// TestRotation: the secret before works for the overlap, the leases stay with
// the key, and a revoked key is over for good.
func TestRotation(t *testing.T) {
	p := newPool(t, 9, 0)
	session := p.admin()
	old, id := p.generate(session, "")
	at := "/api/v1/keys/" + id
	lease := fmt.Sprintf(`{"lease_id":%q}`, p.with(old).wants(t, 201, "").text("lease_id"))
	rotated := p.as(session, "POST", at+"/rotate", `{"overlap_seconds":3600}`).wants(t, 200, "")
	require.Equal(t, "no-store", rotated.Header.Get("Cache-Control"))
	fresh := rotated.text("api_key")
	require.NotEqual(t, old, fresh)
	require.Equal(t, id, rotated.text("key_id"))
	until, err := time.Parse(time.RFC3339, rotated.text("previous_valid_until"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), until, time.Minute)
	p.with(old).wants(t, 201, "")
	p.post(pathHeartbeat, lease, header{"Authorization", "Bearer " + fresh}).wants(t, 200, "")
	p.post(pathHeartbeat, lease, header{"Authorization", "Bearer " + old}).wants(t, 200, "")

	byDefault := p.as(session, "POST", at+"/rotate", "").wants(t, 200, "")
	until, err = time.Parse(time.RFC3339, byDefault.text("previous_valid_until"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(cloudlicenses.DefaultKeyOverlap), until, time.Minute)
	require.Contains(t, p.as(fresh, "GET", "/api/v1/users", "").wants(t, 401, "unauthenticated").text("detail"), "needs a user's session, and an API key was sent")
	require.Contains(t, p.with(session).wants(t, 401, "unauthenticated").text("detail"), "needs an API key of the tenant")
	atOnce := p.as(session, "POST", at+"/rotate", `{"overlap_seconds":0}`).wants(t, 200, "")
	require.NotContains(t, atOnce.body, "previous_valid_until")
	for _, key := range []string{old, fresh, byDefault.text("api_key")} {
		refused := p.with(key).wants(t, 401, "key_expired")
		listed := p.do("GET", "/api/v1/leases", "", header{"Authorization", "Bearer " + key}).wants(t, 401, "key_expired")
		for _, r := range []*reply{refused, listed, p.post(pathHeartbeat, lease, header{"Authorization", "Bearer " + key})} {
			require.Regexp(t, "^this secret of the API key "+id+" was rotated at 20.*Z and ended at 20.*Z; the key is in force: use its newer secret$", r.text("detail"))
		}
	}
	p.post("/api/v1/licenses/return", lease, header{"Authorization", "Bearer " + atOnce.text("api_key")}).wants(t, 200, "")
	for _, bad := range []string{`{"overlap_seconds":-1}`, `{"overlap_seconds":2592001}`, `{"overlap_seconds":"1"}`} {
		p.as(session, "POST", at+"/rotate", bad).wants(t, 422, "invalid_field")
	}

	held := p.with(atOnce.text("api_key")).wants(t, 201, "")
	revoked := p.as(session, "POST", at+"/revoke", "").wants(t, 200, "")
	require.Equal(t, "revoked", revoked.text("status"))
	p.with(atOnce.text("api_key")).wants(t, 401, "key_revoked")
	p.as(session, "POST", at+"/rotate", "").wants(t, 422, "invalid_field")
	leases := p.as(session, "GET", "/api/v1/leases?consistency=linearizable", "").wants(t, 200, "")
	require.Contains(t, string(leases.raw), held.text("lease_id"), "a revocation leaves the key's leases")
	require.Equal(t, id, leases.body["items"].([]any)[0].(map[string]any)["api_key_id"])
	p.as(session, "POST", at+"/revoke", `{"release_leases":true}`).wants(t, 200, "")
	leases = p.as(session, "GET", "/api/v1/leases?consistency=linearizable", "").wants(t, 200, "")
	require.NotContains(t, string(leases.raw), held.text("lease_id"))
}

// TestAuditLog: search, CSV and proof.
func TestAuditLog(t *testing.T) {
	p := newPool(t, 1, 0)
	session := p.admin()
	key, id := p.generate(session, "")
	formula := `=cmd|' /C calc'!A0`
	p.post(pathCheckout, fmt.Sprintf(`{"product_id":"cad","user":%q}`, formula), header{"Authorization", "Bearer " + key},
		header{headerHostname, "dev-ws-042.mercedes.com"}, header{headerFingerprint, "sha256:abc123"}).wants(t, 201, "")
	p.with(key).wants(t, 409, "license_unavailable")
	fresh := "&consistency=linearizable"
	audit := p.as(session, "GET", "/api/v1/audit?key_id="+id+fresh, "").wants(t, 200, "")
	require.NotEmpty(t, audit.Header.Get(headerApplied))
	require.NotEmpty(t, audit.Header.Get(headerStaleness))
	items := audit.body["items"].([]any)
	require.Len(t, items, 3)
	require.Equal(t, "key.generate", items[0].(map[string]any)["action"])
	require.Equal(t, "ann@acme.example", items[0].(map[string]any)["actor"])
	record := items[1].(map[string]any)
	for member, want := range map[string]any{ // seed D7
		"tenant_id": string(p.tenant), "api_key_id": id, "product": "cad", "user": formula, "hostname": "dev-ws-042.mercedes.com",
		"ip_address": "127.0.0.1", "fingerprint": "sha256:abc123", "result": "success",
	} {
		require.Equal(t, want, record[member], member)
	}
	denied := p.as(session, "GET", "/api/v1/audit?result=license_unavailable"+fresh, "").wants(t, 200, "")
	require.Len(t, denied.body["items"], 1)
	require.Len(t, p.as(session, "GET", "/api/v1/audit?user=u"+fresh, "").wants(t, 200, "").body["items"], 1)
	logins := p.as(session, "GET", "/api/v1/audit?user=ann@acme.example"+fresh, "").wants(t, 200, "")
	require.Contains(t, string(logins.raw), `"action":"login"`)
	past := "2020-01-01T00:00:00Z"
	require.Empty(t, p.as(session, "GET", "/api/v1/audit?to="+past+fresh, "").wants(t, 200, "").body["items"])
	require.Len(t, p.as(session, "GET", "/api/v1/audit?key_id="+id+"&from="+past+fresh, "").wants(t, 200, "").body["items"], 3)

	var sequences []string
	for cursor, pages := "", 0; ; pages++ {
		page := p.as(session, "GET", "/api/v1/audit?limit=2&cursor="+cursor+fresh, "").wants(t, 200, "")
		for _, item := range page.body["items"].([]any) {
			sequences = append(sequences, item.(map[string]any)["sequence"].(json.Number).String())
		}
		if cursor = page.text("next_cursor"); cursor == "" {
			break
		}
		require.Less(t, pages, 10)
	}
	var all []string
	for i := range sequences {
		all = append(all, strconv.Itoa(i+1))
	}
	require.Equal(t, all, sequences)
	for _, query := range []string{"from=x", "to=2020-13-01T00:00:00Z", "from=" + past + "&to=2019-01-01T00:00:00Z", "user=" + strings.Repeat("x", 257), "cursor=x", "limit=0"} {
		p.as(session, "GET", "/api/v1/audit?"+query, "").wants(t, 422, "invalid_field")
	}

	table := p.as(session, "GET", "/api/v1/audit?key_id="+id+fresh, "", header{"Accept", "text/csv"}).wants(t, 200, "")
	require.Equal(t, "text/csv; charset=utf-8", table.Header.Get("Content-Type"))
	require.Equal(t, "Accept", table.Header.Get("Vary"))
	rows, err := csv.NewReader(strings.NewReader(string(table.raw))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Equal(t, []string{"timestamp", "tenant_id", "api_key_id", "product", "user", "hostname", "ip_address", "fingerprint", "result"}, rows[0][:9])
	require.Equal(t, "'"+formula, rows[2][4], "a spreadsheet must not run it")
	require.Equal(t, "license_unavailable", rows[3][8])
	cut := p.as(session, "GET", "/api/v1/audit?limit=1&key_id="+id+fresh, "", header{"Accept", "text/csv"}).wants(t, 200, "")
	next, found := strings.CutPrefix(cut.Header.Get("Link"), "<")
	require.True(t, found)
	next, _, _ = strings.Cut(next, ">")
	require.Contains(t, string(p.as(session, "GET", next, "", header{"Accept", "text/csv"}).wants(t, 200, "").raw), formula)
	p.as(session, "GET", "/api/v1/audit?from=x", "", header{"Accept", "text/csv"}).wants(t, 422, "invalid_field")
	for accept, csv := range map[string]bool{"application/json, text/csv": false, "*/*": false, "text/html, TEXT/CSV;q=0.9": true} {
		r := p.as(session, "GET", "/api/v1/audit", "", header{"Accept", accept}).wants(t, 200, "")
		require.Equal(t, csv, strings.HasPrefix(r.Header.Get("Content-Type"), "text/csv"), accept)
	}

	proof := p.as(session, "GET", "/api/v1/audit/verify?consistency=linearizable", "").wants(t, 200, "")
	require.Equal(t, true, proof.body["valid"])
	require.Len(t, proof.text("head"), 64)
	require.NotContains(t, proof.body, "detail")
	last, err := proof.body["records"].(json.Number).Int64()
	require.NoError(t, err)
	require.GreaterOrEqual(t, last, int64(len(sequences)))
}

// TestRefusalsAreBounded: strangers fill a table of fixed size, by minute.
func TestRefusalsAreBounded(t *testing.T) {
	var r refusals
	at := time.Unix(1_800_000_000, 0)
	for i := range 2 * cloudlicenses.RefusalRows {
		r.count(cloudlicenses.LayerKey, fmt.Sprint("10.0.", i/256, ".", i%256), at)
	}
	r.count(cloudlicenses.LayerKey, "10.0.0.7", at)
	rows := r.rows(at)
	require.Len(t, rows, cloudlicenses.RefusalRows+1)
	require.Equal(t, otherAddresses, rows[0].Address)
	require.EqualValues(t, cloudlicenses.RefusalRows, rows[0].Count)
	require.Equal(t, "10.0.0.7", rows[1].Address)
	require.EqualValues(t, 2, rows[1].Count)
	r.count(cloudlicenses.LayerHost, "10.9.9.9", at.Add(time.Minute))
	require.Equal(t, "10.9.9.9", r.rows(at.Add(time.Minute))[0].Address)
	require.Len(t, r.rows(at.Add((cloudlicenses.RefusalMinutes-1)*time.Minute)), cloudlicenses.RefusalRows+2)
	require.Len(t, r.rows(at.Add(cloudlicenses.RefusalMinutes*time.Minute)), 1)
}

// TestStrangersAreCounted: what is refused before a key is known shows by its
// layer, and leaves no trace in the tenant's log.
func TestStrangersAreCounted(t *testing.T) {
	p, other := newPool(t, 1, 0), newPool(t, 1, 0)
	count := func(layer string) (sum int64) {
		for _, row := range adminDo(t, "GET", "/v1/refusals", "").wants(t, 200, "").body["items"].([]any) {
			if row := row.(map[string]any); row["layer"] == layer {
				n, err := row["count"].(json.Number).Int64()
				require.NoError(t, err)
				sum += n
			}
		}
		return sum
	}
	host, key := count("host"), count("key")
	p.with(other.key).wants(t, 403, "wrong_tenant")
	p.with(shard.NewAPIKey(p.tenant)).wants(t, 401, "unauthenticated")
	p.with("x").wants(t, 401, "unauthenticated")
	revoked, id := p.newKey(cloudlicenses.ScopeCheckout, time.Time{})
	p.revoke(id)
	p.with(revoked).wants(t, 401, "key_revoked") // known: in the log
	require.Equal(t, host+1, count("host"))
	require.Equal(t, key+2, count("key"))
	audit := adminDo(t, http.MethodGet, "/v1/tenants/"+string(p.tenant)+"/audit?consistency=linearizable", "").wants(t, 200, "")
	var results []string
	for _, item := range audit.body["items"].([]any) {
		results = append(results, item.(map[string]any)["action"].(string)+" "+item.(map[string]any)["result"].(string))
	}
	require.Equal(t, []string{"license.provisioned success", "key.generate success", "key.generate success", "key.revoke success", "checkout key_revoked"}, results)
}

// TestTenantLimit: an operator limits all keys of a tenant together.
func TestTenantLimit(t *testing.T) {
	p := newPool(t, 50, 0)
	at := "/v1/tenants/" + string(p.tenant) + "/limits"
	adminDo(t, http.MethodPut, at, `{"checkouts_per_minute":2}`).wants(t, 200, "")
	second, _ := p.newKey(cloudlicenses.ScopeCheckout, time.Time{})
	p.checkout("u").wants(t, 201, "")
	p.with(second).wants(t, 201, "")
	for _, key := range []string{p.key, second} {
		require.Equal(t, `"tenant-minute";q=2;w=60`, p.with(key).wants(t, 429, "rate_limited").Header.Get("RateLimit-Policy"))
	}
	adminDo(t, http.MethodPut, at, `{"checkouts_per_minute":0}`).wants(t, 200, "")
	p.with(second).wants(t, 201, "")
	for _, body := range []string{`{}`, `{"checkouts_per_minute":-1}`, `{"checkouts_per_minute":1000001}`} {
		adminDo(t, http.MethodPut, at, body).wants(t, 422, "invalid_field")
	}
	adminDo(t, http.MethodPut, "/v1/tenants/no-such-tenant/limits", `{"checkouts_per_minute":2}`).wants(t, 404, "tenant_not_found")
}
