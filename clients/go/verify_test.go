package licenseclient

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestVerify(t *testing.T) {
	s := newTestServer(t, 2)
	c := s.client()
	request := ask("alice")
	request.Token = true
	lease := mustCheckout(t, c, request)
	v := c.Verifier(VerifierOptions{})
	claims, err := v.Verify(t.Context(), lease.Token())
	if err != nil {
		t.Fatal(err)
	}
	if claims.LeaseID != lease.ID || claims.User != "alice" || claims.LicenseID != testLicense || claims.Count != 1 ||
		claims.ProductID != testProduct || claims.Type != Commit || claims.Issuer != s.url(0) ||
		claims.Fingerprint != "sha256:abc" || claims.ExpiresAt.Sub(claims.IssuedAt).Round(time.Second) != s.ttl+time.Second {
		t.Errorf("%+v", claims)
	}
	// The server is not needed any more.
	s.nodes[0].Close()
	s.nodes[1].Close()
	if _, err := v.Verify(t.Context(), lease.Token()); err != nil {
		t.Errorf("offline: %v", err)
	}
	if s.jwks != 1 {
		t.Errorf("keys fetched %d times", s.jwks)
	}
}

func TestVerifyRefuses(t *testing.T) {
	s := newTestServer(t, 1)
	c := s.client()
	now := time.Now()
	header := func(change ...any) map[string]any {
		h := map[string]any{"alg": "EdDSA", "kid": s.keyID}
		for i := 0; i+1 < len(change); i += 2 {
			h[fmt.Sprint(change[i])] = change[i+1]
		}
		return h
	}
	claims := func(change ...any) map[string]any {
		p := map[string]any{"jti": "lease-1", "sub": "alice", "iss": s.url(0), "iat": now.Unix(), "exp": now.Unix() + 300}
		for i := 0; i+1 < len(change); i += 2 {
			p[fmt.Sprint(change[i])] = change[i+1]
		}
		return p
	}
	good := s.sign(header(), claims())
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k1"}`))
	last := parts[2][:len(parts[2])-1] + string(parts[2][len(parts[2])-1]^1) // bits that a lax decoder drops
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"good":                      {good, nil},
		"another port":              {s.sign(header(), claims("iss", "http://"+testHost+":1")), nil},
		"skewed within the leeway":  {s.sign(header(), claims("iat", now.Unix()+20, "exp", now.Unix()-20)), nil},
		"fractional times":          {s.sign(header(), claims("iat", float64(now.UnixMilli())/1000)), nil},
		"empty":                     {"", ErrToken},
		"two parts":                 {parts[0] + "." + parts[1], ErrToken},
		"no base64":                 {"!." + parts[1] + "." + parts[2], ErrToken},
		"no JSON":                   {"YQ." + parts[1] + "." + parts[2], ErrToken},
		"unsigned":                  {none + "." + parts[1] + ".", ErrToken},
		"unsigned with a signature": {none + "." + parts[1] + "." + parts[2], ErrToken},
		"another algorithm":         {s.sign(header("alg", "HS256"), claims()), ErrToken},
		"critical extension":        {s.sign(header("crit", []string{"b64"}), claims()), ErrToken},
		"unknown key":               {s.sign(header("kid", "k2"), claims()), ErrToken},
		"no key id":                 {s.sign(header("kid", ""), claims()), ErrToken},
		"changed claims":            {parts[0] + "." + strings.Split(s.sign(header(), claims("cnt", 9)), ".")[1] + "." + parts[2], ErrToken},
		"changed signature":         {parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), ErrToken},
		"loose base64":              {parts[0] + "." + parts[1] + "." + last, ErrToken},
		"too long":                  {good + strings.Repeat("A", maxTokenBytes), ErrToken},
		"no expiry":                 {s.sign(header(), claims("exp", nil)), ErrToken},
		"no lease":                  {s.sign(header(), claims("jti", "")), ErrToken},
		"expired":                   {s.sign(header(), claims("exp", now.Unix()-31)), ErrTokenExpired},
		"from the future":           {s.sign(header(), claims("iat", now.Unix()+40)), ErrTokenNotYet},
		"of another tenant":         {s.sign(header(), claims("iss", "http://bmw.localhost")), ErrTokenIssuer},
		"of a longer host":          {s.sign(header(), claims("iss", "http://"+testHost+".evil.com")), ErrTokenIssuer},
		"of another scheme":         {s.sign(header(), claims("iss", "https://"+testHost)), ErrTokenIssuer},
		"expired long ago":          {s.sign(header(), claims("exp", -1e300)), ErrTokenExpired},
	} {
		t.Run(name, func(t *testing.T) {
			v := c.Verifier(VerifierOptions{})
			claims, err := v.Verify(t.Context(), test.token)
			if !errors.Is(err, test.want) || (err == nil) != (claims != nil) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
	exact := c.Verifier(VerifierOptions{Issuer: "https://other", Leeway: -1})
	if _, err := exact.Verify(t.Context(), good); !errors.Is(err, ErrTokenIssuer) {
		t.Errorf("another issuer than the one named: %v", err)
	}
}

func TestVerifyByPinnedKeys(t *testing.T) {
	s := newTestServer(t, 1)
	token := s.token(&grant{LeaseID: "lease-1", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Minute)})
	public := s.private.Public().(ed25519.PublicKey)
	pinned := NewVerifier(VerifierOptions{Issuer: s.url(0), Keys: map[string]ed25519.PublicKey{"k1": public}})
	if _, err := pinned.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	stranger, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]map[string]ed25519.PublicKey{
		"another key": {"k1": stranger}, "another id": {"k2": public}, "a short key": {"k1": public[:5]}, "none": {},
	} {
		v := s.client().Verifier(VerifierOptions{Keys: keys})
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewVerifier(VerifierOptions{}).Verify(t.Context(), token); !errors.Is(err, ErrToken) {
		t.Errorf("neither keys nor issuer: %v", err)
	}
	if s.jwks != 0 {
		t.Error("keys were fetched beside the pinned ones")
	}
}

func TestKeysAreFetchedAnew(t *testing.T) {
	s := newTestServer(t, 1)
	s.ttl = 3 * time.Hour
	now := time.Now()
	v := s.client(func(o *Options) { o.Timeout = 100 * time.Millisecond }).Verifier(VerifierOptions{
		Now: func() time.Time { return now },
	})
	lease := &grant{LeaseID: "lease-1", IssuedAt: now, ExpiresAt: now.Add(s.ttl)}
	check := func(what, token string, want error, fetched int) {
		t.Helper()
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, want) || (want == nil && err != nil) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if s.jwks != fetched {
			t.Errorf("%s: fetched %d times, want %d", what, s.jwks, fetched)
		}
	}
	old := s.token(lease)
	check("first", old, nil, 1)
	// The server turns to another key.
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.private, s.keyID = private, "k2"
	renewed := s.token(lease)
	check("too soon after the last fetch", renewed, ErrToken, 1)
	check("the old key serves", old, nil, 1)
	now = now.Add(keysPause + time.Second)
	check("a new key", renewed, nil, 2)
	check("the old key is withdrawn", old, ErrToken, 2)
	now = now.Add(keysFresh + time.Second)
	check("fetched again after its time", renewed, nil, 3)
	// While the server is away, the keys at hand serve.
	s.nodes[0].Close()
	now = now.Add(keysFresh + time.Second)
	check("the server is away", renewed, nil, 3)

	fresh := s.client(func(o *Options) { o.Timeout = 100 * time.Millisecond }).Verifier(VerifierOptions{})
	var unfinished *UnfinishedError
	if _, err := fresh.Verify(t.Context(), renewed); !errors.As(err, &unfinished) || errors.Is(err, ErrToken) {
		t.Errorf("no keys to be had: %v", err)
	}
}
