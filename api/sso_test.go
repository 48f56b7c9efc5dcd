package api

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// TestSSOStory: an owner sets single sign-on up; a colleague appears, is
// disabled, and comes back; passwords are turned off; it is removed.
func TestSSOStory(t *testing.T) {
	p, i := newPool(t, 1, 0), newIssuer(t)
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	p.newUser("vic", cloudlicenses.RoleViewer)
	none := p.as(owner, "GET", "/api/v1/sso", "").wants(t, 404, "not_found")
	require.Contains(t, none.text("detail"), live.server.TenantURL(p.tenant)+pathSSOCallback)
	p.browser().get(pathSSOLogin).wants(t, 404, "not_found")

	set := p.as(owner, "PUT", "/api/v1/sso", i.settings(`,"default_role":"billing"`)).wants(t, 200, "")
	shown := p.as(owner, "GET", "/api/v1/sso?consistency=linearizable", "").wants(t, 200, "")
	require.Equal(t, set.body, shown.body)
	require.Equal(t, []any{"acme.example"}, shown.body["email_domains"])
	require.Equal(t, "billing", shown.text("default_role"))
	require.Equal(t, live.server.TenantURL(p.tenant)+pathSSOCallback, shown.text("redirect_uri"))
	require.Equal(t, "ann@acme.example", shown.text("updated_by"))
	require.Equal(t, true, shown.body["owners"])
	require.NotContains(t, string(set.raw)+string(shown.raw), "canary")

	b := p.browser()
	begun := b.get(pathSSOLogin).wants(t, 302, "")
	for _, part := range []string{cookiePlain + "-sso=", "HttpOnly", "SameSite=Lax", "path=/", "max-age=600"} {
		require.Contains(t, begun.Header.Get("Set-Cookie"), part)
	}
	require.Equal(t, "no-store", begun.Header.Get("Cache-Control"))
	i.is("Bea@Acme.example", "Bea Müller")
	in := b.get(b.authorize(begun.Header.Get("Location"))).wants(t, 302, "")
	require.Equal(t, "/", in.Header.Get("Location"))
	require.Equal(t, "no-store", in.Header.Get("Cache-Control"))
	require.NotEmpty(t, in.Header.Get(headerApplied))
	require.NotContains(t, b.cookies, cookiePlain+"-sso", "the cookie of the log-in is gone")
	require.Contains(t, strings.Join(in.Header["Set-Cookie"], "\n"), cookiePlain+"="+b.cookies[cookiePlain]+
		fmt.Sprintf("; max-age=%d; path=/; HttpOnly; SameSite=Lax", int(cloudlicenses.SessionLife.Seconds())), "as POST /api/v1/login sets it")
	bea := b.me().wants(t, 200, "").body["user"].(map[string]any)
	require.Equal(t, []any{"bea@acme.example", "Bea Müller", "billing", "active"}, []any{bea["email"], bea["name"], bea["role"], bea["status"]})

	again := p.browser()
	again.login().wants(t, 302, "")
	require.Equal(t, bea["id"], again.me().body["user"].(map[string]any)["id"], "the same user")
	i.is("vic@acme.example", "Somebody Else")
	known := p.browser()
	known.login().wants(t, 302, "")
	require.Equal(t, "viewer", known.me().body["user"].(map[string]any)["role"], "a user's role is the tenant's affair")

	p.as(owner, "PATCH", "/api/v1/users/"+bea["id"].(string), `{"status":"disabled"}`).wants(t, 200, "")
	b.me().wants(t, 401, "unauthenticated")
	i.is("bea@acme.example", "Bea")
	require.Contains(t, b.login().wants(t, 401, "unauthenticated").text("detail"), "disabled")
	require.Empty(t, b.cookies[cookiePlain+"-sso"])
	p.as(owner, "PATCH", "/api/v1/users/"+bea["id"].(string), `{"status":"active"}`).wants(t, 200, "")
	b.login().wants(t, 302, "")
	b.me().wants(t, 200, "")

	p.as(owner, "PUT", "/api/v1/sso", strings.Replace(i.settings(`,"enforce":true`), `"client_secret"`, `"default_role":"viewer","client_secret"`, 1)).wants(t, 200, "")
	p.login("ann@acme.example", testPassword, "").wants(t, 200, "")
	require.Contains(t, p.login("vic@acme.example", testPassword, "").wants(t, 401, "unauthenticated").text("detail"), pathSSOLogin)
	require.NotContains(t, p.login("vic@acme.example", "wrong password", "").wants(t, 401, "unauthenticated").text("detail"), pathSSOLogin)
	p.as(owner, "DELETE", "/api/v1/sso", "").wants(t, 204, "")
	p.login("vic@acme.example", testPassword, "").wants(t, 200, "")
	p.browser().get(pathSSOLogin).wants(t, 404, "not_found")
	b.me().wants(t, 200, "")

	var actions []string
	log := p.as(owner, "GET", "/api/v1/audit?limit=100&consistency=linearizable", "").wants(t, 200, "")
	for _, item := range log.body["items"].([]any) {
		record := item.(map[string]any)
		if action := record["action"].(string); strings.Contains(action, "sso") {
			actions = append(actions, fmt.Sprint(action, " ", record["user"], " ", record["result"]))
			require.Equal(t, "127.0.0.1", record["ip_address"])
		}
	}
	require.Equal(t, []string{
		"sso.update " + i.url + " success",
		"user.sso_bind bea@acme.example success", "login.sso bea@acme.example success", "login.sso bea@acme.example success",
		"user.sso_bind vic@acme.example success", "login.sso vic@acme.example success",
		"login.sso bea@acme.example unauthenticated", "login.sso bea@acme.example success",
		"sso.update " + i.url + " success", "sso.remove " + i.url + " success",
	}, actions)
	require.NotContains(t, string(log.raw)+live.log.String(), "canary", "a secret is nowhere to be read")
}

// TestSSOBinds: an address that got another owner at the provider opens nobody's
// account, before an administrator has unbound it.
func TestSSOBinds(t *testing.T) {
	p, i := newPool(t, 1, 0), newIssuer(t)
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	viewer := p.newSession(p.newUser("vic", cloudlicenses.RoleViewer))
	p.setSSO(i)
	i.is("eve@acme.example", "Eve")
	eve := p.browser()
	eve.login().wants(t, 302, "")
	id := eve.me().body["user"].(map[string]any)["id"].(string)
	list := func() map[string]any {
		for _, item := range p.as(owner, "GET", "/api/v1/users?consistency=linearizable", "").wants(t, 200, "").body["items"].([]any) {
			if user := item.(map[string]any); user["id"] == id {
				return user
			}
		}
		return nil
	}
	require.Equal(t, true, list()["sso"])

	is := func(subject, email string) {
		i.is(email, "Eve")
		i.set(func(i *issuer) { i.claims["sub"] = subject })
	}
	is("another", "eve@acme.example")
	other := p.browser()
	require.Contains(t, other.login().wants(t, 401, "unauthenticated").text("detail"), "somebody else")
	is("eve@acme.example", "eva@acme.example")
	moved := p.browser()
	moved.login().wants(t, 302, "")
	require.Equal(t, id, moved.me().body["user"].(map[string]any)["id"], "the same person under a new address")
	for _, subject := range []string{"", strings.Repeat("x", cloudlicenses.MaxSubjectLength+1), "s\u00fcb"} {
		is(subject, "eve@acme.example")
		require.Contains(t, p.browser().login().wants(t, 401, "unauthenticated").text("detail"), "subject")
	}

	change := func(session, body string) *reply { return p.as(session, "PATCH", "/api/v1/users/"+id, body) }
	change(viewer, `{"sso":false}`).wants(t, 403, "forbidden_role")
	require.Contains(t, string(change(owner, `{"sso":true}`).wants(t, 422, "invalid_field").raw), `"/sso"`)
	require.Equal(t, false, change(owner, `{"sso":false}`).wants(t, 200, "").body["sso"])
	eve.me().wants(t, 401, "unauthenticated")
	is("another", "eve@acme.example")
	other.login().wants(t, 302, "")
	require.Equal(t, id, other.me().body["user"].(map[string]any)["id"])

	log := string(p.as(owner, "GET", "/api/v1/audit?limit=100&consistency=linearizable", "").wants(t, 200, "").raw)
	require.Equal(t, 2, strings.Count(log, `"user.sso_bind"`))
	require.Equal(t, 1, strings.Count(log, `"user.sso_unbind"`))
}

// TestSSOIdentity: an ID token that does not hold opens nothing, and makes
// nobody a user.
func TestSSOIdentity(t *testing.T) {
	p, i := newPool(t, 1, 0), newIssuer(t)
	p.setSSO(i)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	claim := func(name string, value any) func(*issued) {
		return func(out *issued) {
			if out.claims[name] = value; value == nil {
				delete(out.claims, name)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*issued)
		says   string
	}{
		"another nonce":            {claim("nonce", "n"), "another log-in"},
		"no nonce":                 {claim("nonce", nil), "another log-in"},
		"another audience":         {claim("aud", "somebody"), "audience"},
		"more audiences":           {claim("aud", []string{testClientID, "somebody"}), "another party"},
		"another party":            {claim("azp", "somebody"), "another party"},
		"another issuer":           {claim("iss", "https://id.evil.example"), "different provider"},
		"expired":                  {claim("exp", time.Now().Add(-time.Second).Unix()), "expired"},
		"no expiry":                {claim("exp", nil), "expired"},
		"not yet":                  {claim("nbf", time.Now().Add(time.Hour).Unix()), "not before"},
		"address not verified":     {claim("email_verified", false), "not verified"},
		"verified by hearsay":      {claim("email_verified", "yes"), "not verified"},
		"not a word on it":         {claim("email_verified", nil), "not verified"},
		"no address":               {claim("email", nil), "no e-mail address"},
		"no proper address":        {claim("email", "eve@acme.example@evil.example"), "no e-mail address"},
		"foreign domain":           {claim("email", "eve@evil.example"), "domain"},
		"a domain below ours":      {claim("email", "eve@x.acme.example"), "domain"},
		"a domain that ends alike": {claim("email", "eve@notacme.example"), "domain"},
		"a foreign key":            {func(out *issued) { out.key = foreign }, "verify"},
		"the secret as a key":      {func(out *issued) { out.method, out.key = jwt.SigningMethodHS256, []byte(testClientSecret) }, "unexpected signature algorithm"},
		"no signature": {func(out *issued) {
			out.method, out.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
		}, "unexpected signature algorithm"},
		"no token":  {func(out *issued) { out.none = true }, "no ID token"},
		"no JWT":    {func(out *issued) { out.text = "x.y.z" }, "does not hold"},
		"no claims": {claim("email", 7), "can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			i.is("eve@acme.example", "Eve")
			i.set(func(i *issuer) { i.change = c.change })
			b := p.browser()
			r := b.login().wants(t, 401, "unauthenticated")
			require.Contains(t, r.text("detail"), c.says)
			require.Empty(t, b.cookies, "neither a session, nor the log-in that failed")
		})
	}
	i.set(func(i *issuer) { i.change = nil })
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	require.Len(t, p.as(owner, "GET", "/api/v1/users?consistency=linearizable", "").wants(t, 200, "").body["items"], 1)

	// What holds in spite of looking odd.
	i.set(func(i *issuer) {
		i.change = func(out *issued) {
			out.claims["email_verified"], out.claims["aud"], out.claims["azp"] = "true", []string{"somebody", testClientID}, testClientID
			delete(out.claims, "name")
		}
		i.config = map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}
	})
	p.as(owner, "PUT", "/api/v1/sso", i.settings(`,"default_role":"viewer"`)).wants(t, 200, "") // reads the configuration anew
	b := p.browser()
	b.login().wants(t, 302, "")
	require.Equal(t, "eve", b.me().body["user"].(map[string]any)["name"])
}

// TestSSOState: a log-in is finished once, by the browser that began it, at the
// tenant that it began at.
func TestSSOState(t *testing.T) {
	p, other, i := newPool(t, 1, 0), newPool(t, 1, 0), newIssuer(t)
	p.setSSO(i)
	other.setSSO(i)
	i.is("eve@acme.example", "Eve")
	i.set(func(i *issuer) { i.forgives = true })
	refused := func(b *browser, path, says string) {
		t.Helper()
		r := b.get(path).wants(t, 401, "unauthenticated")
		require.Contains(t, r.text("detail"), says)
		require.Equal(t, "key", r.text("layer"))
		require.NotContains(t, b.cookies, cookiePlain)
	}
	const unknown = "begun no such log-in"
	b := p.browser()
	back := b.begin()
	pending := b.cookies[cookiePlain+"-sso"]
	with := func(p *pool, sealed string) *browser {
		b := p.browser()
		b.cookies[cookiePlain+"-sso"] = sealed
		return b
	}
	code := back[strings.Index(back, "code="):strings.Index(back, "&")]

	refused(p.browser(), back, unknown)                                  // no cookie at all
	refused(with(p, "x"), back, unknown)                                 // one that says nothing
	refused(with(p, pending[:len(pending)-2]+"zz"), back, unknown)       // one that was tampered with
	refused(with(other, pending), back, unknown)                         // another tenant's
	refused(with(p, pending), pathSSOCallback+"?"+code, unknown)         // no state
	refused(with(p, pending), pathSSOCallback+"?state=x&"+code, unknown) // another state
	elsewhere := p.browser()
	theirs := elsewhere.begin()
	refused(with(p, pending), theirs, unknown) // another browser's
	state := back[strings.Index(back, "state=")+6:]
	refused(with(p, pending), pathSSOCallback+"?state="+state, "no known name")
	refused(with(p, pending), pathSSOCallback+"?state="+state+"&error=access_denied", "answered access_denied")
	refused(with(p, pending), pathSSOCallback+"?state="+state+"&error=%3Cscript%3E", "no known name")
	refused(with(p, pending), strings.Replace(back, "iss=", "iss=x", 1), "another issuer")
	// A code of somebody else's log-in, brought to one's own: PKCE.
	stolen := theirs[strings.Index(theirs, "code="):strings.Index(theirs, "&")]
	refused(with(p, pending), pathSSOCallback+"?state="+state+"&"+stolen, "invalid_grant")
	refused(with(p, pending), pathSSOCallback+"?state="+state+"&code=made-up", "invalid_grant")
	// The right one, once.
	b.get(back).wants(t, 302, "")
	b.me().wants(t, 200, "")
	r := with(p, pending).get(back).wants(t, 401, "unauthenticated") // though the provider takes the code again
	require.Contains(t, r.text("detail"), "finished before")

	// Too old: as sealed long ago.
	old := shard.NewPendingSSO(1)
	old.UntilMillis = time.Now().Add(-time.Second).UnixMilli()
	sealed, err := live.shard.SealSSO(p.tenant, old)
	require.NoError(t, err)
	refused(with(p, sealed), pathSSOCallback+"?code=c&state="+old.State, unknown)

	// Begun before the settings changed.
	late := p.browser()
	back = late.begin()
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	p.as(owner, "PUT", "/api/v1/sso", i.settings("")).wants(t, 200, "")
	refused(late, back, "changed meanwhile")
	// And now people have to be invited.
	i.is("gus@acme.example", "Gus")
	require.Contains(t, p.browser().login().wants(t, 401, "unauthenticated").text("detail"), "invited")
	p.as(owner, "POST", "/api/v1/users", `{"email":"gus@acme.example","name":"Gus","role":"admin"}`).wants(t, 201, "")
	gus := p.browser()
	gus.login().wants(t, 302, "")
	require.Equal(t, "admin", gus.me().body["user"].(map[string]any)["role"])
}

// TestSSOAnotherNode finishes what another node has begun.
func TestSSOAnotherNode(t *testing.T) {
	p, i := newPool(t, 1, 0), newIssuer(t)
	p.setSSO(i)
	i.is("eve@acme.example", "Eve")
	_, second := newEdge(t, func(c *Config) { *c = ssoConfig() })
	b := p.browser()
	back := b.begin()
	b.node = second
	b.get(back).wants(t, 302, "")
	b.me().wants(t, 200, "")
}

// ssoConfig is that of another node of the tests' cluster.
func ssoConfig() Config {
	cfg := live.server.cfg
	cfg.Metrics = nil // which two nodes can't share
	return cfg
}

// TestSSOOwners: an administrator's issuer does not say who is an owner.
func TestSSOOwners(t *testing.T) {
	p, i := newPool(t, 1, 0), newIssuer(t)
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	admin := p.newSession(p.newUser("adm", cloudlicenses.RoleAdmin))
	i.is("ann@acme.example", "Ann")
	require.Equal(t, false, p.as(admin, "PUT", "/api/v1/sso", i.settings("")).wants(t, 200, "").body["owners"])
	require.Contains(t, p.browser().login().wants(t, 401, "unauthenticated").text("detail"), "an owner logs in with a password")
	p.as(owner, "PUT", "/api/v1/sso", i.settings("")).wants(t, 200, "")
	p.browser().login().wants(t, 302, "")
}

// TestSSOSettings: what can't be used is refused, and says where.
func TestSSOSettings(t *testing.T) {
	p, i := newPool(t, 1, 0), newIssuer(t)
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	put := func(body string) *reply { return p.as(owner, "PUT", "/api/v1/sso", body) }
	with := func(member string, value any) string {
		var body map[string]any
		require.NoError(t, json.Unmarshal([]byte(i.settings("")), &body))
		if body[member] = value; value == nil {
			delete(body, member)
		}
		b, err := json.Marshal(body)
		require.NoError(t, err)
		return string(b)
	}
	for _, c := range []struct{ body, pointer string }{
		{with("issuer", nil), "/issuer"},
		{with("issuer", ""), "/issuer"},
		{with("issuer", "id.acme.example"), "/issuer"},
		{with("issuer", "http://id.acme.example"), "/issuer"},
		{with("issuer", "https://u:p@id.acme.example"), "/issuer"},
		{with("issuer", i.url+"?x=1"), "/issuer"},
		{with("issuer", i.url+"#x"), "/issuer"},
		{with("issuer", "https://id.acme.example/"+strings.Repeat("x", 2048)), "/issuer"},
		{with("issuer", i.url+"/"), "/issuer"}, // names itself without the slash
		{with("issuer", i.url+"/nothing"), "/issuer"},
		{with("issuer", "https://10.0.0.1"), "/issuer"},
		{with("issuer", "https://169.254.169.254"), "/issuer"},
		{with("issuer", "https://[::1]"), "/issuer"},
		{with("client_id", nil), "/client_id"},
		{with("client_id", ""), "/client_id"},
		{with("client_id", "é"), "/client_id"},
		{with("client_id", strings.Repeat("x", 513)), "/client_id"},
		{with("client_secret", nil), "/client_secret"},
		{with("client_secret", "a\nb"), "/client_secret"},
		{with("client_secret", strings.Repeat("x", 1025)), "/client_secret"},
		{with("email_domains", nil), "/email_domains"},
		{with("email_domains", []string{}), "/email_domains"},
		{with("email_domains", make([]string, 101)), "/email_domains"},
		{with("email_domains", []string{"acme.example", "@acme.example"}), "/email_domains/1"},
		{with("email_domains", []string{"a b"}), "/email_domains/0"},
		{with("default_role", "owner"), "/default_role"},
		{with("default_role", "king"), "/default_role"},
	} {
		r := put(c.body).wants(t, 422, "invalid_field")
		require.Equal(t, c.pointer, r.body["errors"].([]any)[0].(map[string]any)["pointer"], c.body)
	}
	put(with("password", "x")).wants(t, 400, "malformed_request")
	p.as(owner, "GET", "/api/v1/sso", "").wants(t, 404, "not_found")
	for name, config := range map[string]map[string]any{
		"another issuer":     {"issuer": "https://id.evil.example"},
		"plain HTTP":         {"token_endpoint": "http://127.0.0.1/token"},
		"a script":           {"authorization_endpoint": "javascript:alert(1)"},
		"no keys":            {"jwks_uri": ""},
		"more than is read":  {"padding": strings.Repeat("x", cloudlicenses.MaxSSOReply)},
		"no endpoint at all": {"authorization_endpoint": nil},
	} {
		i.set(func(i *issuer) { i.config = config })
		r := put(i.settings("")).wants(t, 422, "invalid_field")
		require.Contains(t, r.body["errors"].([]any)[0].(map[string]any)["detail"], "OpenID provider", name)
	}
	i.set(func(i *issuer) { i.config = nil })
	put(i.settings("")).wants(t, 200, "")
	put(with("client_secret", nil)).wants(t, 200, "")
	elsewhere := newIssuer(t)
	r := put(strings.Replace(with("client_secret", nil), i.url, elsewhere.url, 1)).wants(t, 422, "invalid_field")
	require.Equal(t, "/client_secret", r.body["errors"].([]any)[0].(map[string]any)["pointer"], "or the secret would go to another server")

	// Without leave, loopback is out of reach, whatever its certificate.
	_, closed := newEdge(t, func(c *Config) {
		*c = ssoConfig()
		c.Providers = notify.WebhookConfig{RootCAs: testProviders().RootCAs}
	})
	r = send(t, closed, string(p.tenant)+".localhost", "PUT", "/api/v1/sso", i.settings(""), header{"Authorization", "Bearer " + owner}).wants(t, 422, "invalid_field")
	require.Equal(t, "is not at a public address", r.body["errors"].([]any)[0].(map[string]any)["detail"])
	send(t, closed, string(p.tenant)+".localhost", "GET", pathSSOLogin, "").wants(t, 503, "overloaded")
}

// TestSSOProviderDown: a provider that gives no answer is 503, is not asked by
// every stranger, and is asked again.
func TestSSOProviderDown(t *testing.T) {
	p, i := newPool(t, 1, 0), newIssuer(t)
	p.setSSO(i)
	i.is("eve@acme.example", "Eve")
	i.set(func(i *issuer) { i.down = true })
	for range 20 {
		p.browser().get(pathSSOLogin).wants(t, 503, "overloaded")
	}
	i.set(func(i *issuer) {
		require.LessOrEqual(t, i.asked["/.well-known/openid-configuration"], 5, "what could not be read is remembered")
		i.down = false
	})
	require.Eventually(t, func() bool { return p.browser().get(pathSSOLogin).StatusCode == 302 }, 30*time.Second, 100*time.Millisecond)
	for range 20 {
		p.browser().begin()
	}
	b := p.browser()
	back := b.begin()
	i.set(func(i *issuer) { i.down = true })
	b.get(back).wants(t, 503, "overloaded")
	i.set(func(i *issuer) { i.down = false })
	p.browser().login().wants(t, 302, "")
	i.set(func(i *issuer) { require.LessOrEqual(t, i.asked["/.well-known/openid-configuration"], 7) })

	// No more than so many ask it at once.
	one := live.server.openID.of(i.url)
	for range cloudlicenses.MaxSSORequests {
		require.NoError(t, one.enter())
	}
	p.browser().get(pathSSOLogin).wants(t, 503, "overloaded")
	for range cloudlicenses.MaxSSORequests {
		one.leave()
	}
	p.browser().get(pathSSOLogin).wants(t, 302, "")
}

// TestSSOPlan: it is part of one plan.
func TestSSOPlan(t *testing.T) {
	i := newIssuer(t)
	id := cloudlicenses.TenantID(fmt.Sprintf("t%x", newUUID(time.Now()))[:17])
	_, err := live.shard.CreateTenant(context.Background(), shard.CreateTenantRequest{ID: id, Plan: "startup"})
	require.NoError(t, err)
	p := &pool{t: t, tenant: id}
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	r := p.as(owner, "PUT", "/api/v1/sso", i.settings("")).wants(t, 402, "plan_limit_exceeded")
	require.Contains(t, r.text("detail"), "enterprise")
	p.setSSO(i) // as before a downgrade
	p.browser().get(pathSSOLogin).wants(t, 402, "plan_limit_exceeded")
	pending := shard.NewPendingSSO(1)
	sealed, err := live.shard.SealSSO(id, pending)
	require.NoError(t, err)
	b := p.browser()
	b.cookies[cookiePlain+"-sso"] = sealed
	b.get(pathSSOCallback+"?code=c&state="+pending.State).wants(t, 402, "plan_limit_exceeded")
	require.Empty(t, i.asked)
	p.as(owner, http.MethodDelete, "/api/v1/sso", "").wants(t, 204, "")
}

// TestProvidersAreBounded: a node remembers so many, and no more.
func TestProvidersAreBounded(t *testing.T) {
	p := newProviders(notify.WebhookConfig{})
	for n := range cloudlicenses.MaxSSOProviders + 10 {
		issuer := fmt.Sprint("https://id", n, ".example")
		require.Same(t, p.of(issuer), p.of(issuer))
	}
	require.Len(t, p.known, cloudlicenses.MaxSSOProviders)
}

// TestProviderErrorsAreShort: anybody may have a provider asked, and what came of it
// is logged.
func TestProviderErrorsAreShort(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, strings.Repeat("x", cloudlicenses.MaxSSOReply/2))
	}))
	defer server.Close()
	cfg := testProviders()
	cfg.RootCAs = x509.NewCertPool()
	cfg.RootCAs.AddCert(server.Certificate())
	_, err := newProviders(cfg).of(server.URL).begin(t.Context(), &license.SSO{}, new(shard.PendingSSO), "https://x/")
	require.ErrorIs(t, err, errProvider)
	require.Contains(t, err.Error(), "500")
	require.Less(t, len(err.Error()), 2*maxErrorText)
}
