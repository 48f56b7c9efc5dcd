package api

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// What the tests' tenant is at its provider.
const (
	testClientID     = "cloudlicenses"
	testClientSecret = "canary:client secret/+"
)

// testRoots trusts every TLS server of net/http/httptest.
func testRoots() *http.Transport {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return server.Client().Transport.(*http.Transport)
}

// testProviders lets OpenID providers be on loopback.
func testProviders() notify.WebhookConfig {
	return notify.WebhookConfig{
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: testRoots().TLSClientConfig.RootCAs,
	}
}

// issuer is a real OpenID provider: discovery, authorization endpoint, token
// endpoint with client authentication and PKCE, and keys.
type issuer struct {
	t   testing.TB
	url string
	key *rsa.PrivateKey

	mu       sync.Mutex
	granted  map[string]url.Values // authorization requests by their code
	claims   jwt.MapClaims         // of who logs in now
	change   func(*issued)         // of the next ID tokens; nil: none
	config   map[string]any        // what discovery says besides
	forgives bool                  // takes a code again and again
	down     bool                  // answers 502
	asked    map[string]int        // requests by path
}

// issued is an ID token in the making.
type issued struct {
	claims jwt.MapClaims
	method jwt.SigningMethod
	key    any
	text   string // sent instead, where set
	none   bool   // none is sent
}

// issuerKey is of every issuer: making one takes time.
var issuerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{t: t, key: issuerKey(), granted: map[string]url.Values{}, asked: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /keys", i.keys)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.asked[r.URL.Path]++; i.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// set changes the issuer while it serves.
func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

// is makes somebody the one who logs in.
func (i *issuer) is(email, name string) {
	i.set(func(i *issuer) {
		i.claims = jwt.MapClaims{"sub": strings.ToLower(email), "email": email, "email_verified": true, "name": name}
	})
}

func (i *issuer) settings(more string) string {
	b, _ := json.Marshal(map[string]any{
		"issuer": i.url, "client_id": testClientID, "client_secret": testClientSecret, "email_domains": []string{"Acme.example"},
	})
	return strings.TrimSuffix(string(b), "}") + more + "}"
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (i *issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	says := map[string]any{
		"issuer": i.url, "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token", "jwks_uri": i.url + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}
	for name, value := range i.config {
		says[name] = value
	}
	writeJSON(w, http.StatusOK, says)
}

func (i *issuer) keys(w http.ResponseWriter, _ *http.Request) {
	text := base64.RawURLEncoding.EncodeToString
	writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]any{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "n": text(i.key.N.Bytes()), "e": text(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}

// authorize has the one who logs in agree to everything.
func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	ask := r.URL.Query()
	if ask.Get("response_type") != "code" || ask.Get("client_id") != testClientID || ask.Get("code_challenge_method") != "S256" ||
		len(ask.Get("code_challenge")) != 43 || ask.Get("nonce") == "" || ask.Get("state") == "" || ask.Get("scope") != "openid email profile" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	code := shard.NewOneTimeToken()
	i.granted[code] = ask
	back := url.Values{"code": {code}, "state": {ask.Get("state")}, "iss": {i.url}}
	http.Redirect(w, r, ask.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token is the token endpoint (RFC 6749, 4.1.3; RFC 7636, 4.6).
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) { writeJSON(w, status, map[string]string{"error": code}) }
	id, secret, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	}
	posts := i.config["token_endpoint_auth_methods_supported"] != nil
	if posts {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	asked, known := i.granted[r.PostFormValue("code")]
	if !i.forgives {
		delete(i.granted, r.PostFormValue("code"))
	}
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	switch {
	case posts == basic || id != testClientID || secret != testClientSecret:
		refuse(http.StatusUnauthorized, "invalid_client")
	case r.PostFormValue("grant_type") != "authorization_code" || !known || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") ||
		base64.RawURLEncoding.EncodeToString(challenge[:]) != asked.Get("code_challenge"):
		refuse(http.StatusBadRequest, "invalid_grant")
	default:
		reply := map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 60}
		if text, ok := i.issue(asked.Get("nonce")); ok {
			reply["id_token"] = text
		}
		writeJSON(w, http.StatusOK, reply)
	}
}

func (i *issuer) issue(nonce string) (string, bool) {
	out := issued{
		claims: jwt.MapClaims{
			"iss": i.url, "aud": testClientID, "nonce": nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		},
		method: jwt.SigningMethodRS256, key: i.key,
	}
	for name, value := range i.claims {
		out.claims[name] = value
	}
	if i.change != nil {
		i.change(&out)
	}
	if out.text != "" || out.none {
		return out.text, !out.none
	}
	token := jwt.NewWithClaims(out.method, out.claims)
	token.Header["kid"] = "k1"
	text, err := token.SignedString(out.key)
	require.NoError(i.t, err)
	return text, true
}

// browser is one that logs in at a tenant, at one node.
type browser struct {
	p       *pool
	node    string
	cookies map[string]string
}

func (p *pool) browser() *browser {
	return &browser{p: p, node: live.edge, cookies: map[string]string{}}
}

// get asks the tenant's host, and keeps the cookies it gets.
func (b *browser) get(path string) *reply {
	b.p.t.Helper()
	var cookies []string
	for name, value := range b.cookies {
		cookies = append(cookies, name+"="+value)
	}
	// As a browser says it of a redirection by the provider.
	headers := []header{{"Sec-Fetch-Site", "cross-site"}}
	if len(cookies) > 0 {
		headers = append(headers, header{"Cookie", strings.Join(cookies, "; ")})
	}
	r := send(b.p.t, b.node, string(b.p.tenant)+".localhost", "GET", path, "", headers...)
	for _, c := range r.Cookies() {
		if b.cookies[c.Name] = c.Value; c.Value == "" {
			delete(b.cookies, c.Name)
		}
	}
	return r
}

// begin goes to the provider and back, up to the callback's path and query.
func (b *browser) begin() string {
	b.p.t.Helper()
	return b.authorize(b.get(pathSSOLogin).wants(b.p.t, 302, "").Header.Get("Location"))
}

// authorize follows a redirection to the provider.
func (b *browser) authorize(to string) string {
	b.p.t.Helper()
	transport := testRoots()
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect, Timeout: client.Timeout}).Get(to)
	require.NoError(b.p.t, err)
	require.NoError(b.p.t, response.Body.Close())
	require.Equal(b.p.t, http.StatusFound, response.StatusCode)
	back, err := response.Location()
	require.NoError(b.p.t, err)
	require.Equal(b.p.t, live.server.TenantURL(b.p.tenant), back.Scheme+"://"+back.Host)
	require.Equal(b.p.t, pathSSOCallback, back.Path)
	return back.RequestURI()
}

// login logs in as who the issuer says.
func (b *browser) login() *reply {
	b.p.t.Helper()
	return b.get(b.begin())
}

// me is who the browser is to the tenant.
func (b *browser) me() *reply {
	b.p.t.Helper()
	return b.get("/api/v1/me")
}

// setSSO sets single sign-on up as an owner would; without an issuer, with one
// that nobody logs in by.
func (p *pool) setSSO(i *issuer) {
	p.t.Helper()
	put := &license.PutSSO{
		By: license.By{Platform: true}, Issuer: "https://id.acme.example", ClientID: testClientID, ClientSecret: testClientSecret,
		EmailDomains: []string{"acme.example"}, DefaultRole: cloudlicenses.RoleViewer,
	}
	if i != nil {
		put.Issuer = i.url
	}
	var r license.SSOResult
	_, err := live.shard.Do(context.Background(), p.tenant, shard.Command{Op: license.OpPutSSO, Payload: put, Result: &r})
	require.NoError(p.t, err)
	require.Equal(p.t, cloudlicenses.OK, r.Code, r.Detail)
}
