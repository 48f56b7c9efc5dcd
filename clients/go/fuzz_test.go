package licenseclient

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"time"
)

// No text but the one that was signed is a valid token.
func FuzzToken(f *testing.F) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	s := &testServer{t: new(testing.T), private: private}
	at := time.Unix(1_700_000_000, 0)
	header := map[string]any{"alg": "EdDSA", "kid": "k1"}
	claims := map[string]any{"jti": "lease-1", "iss": "https://a.example", "iat": at.Unix(), "exp": at.Unix() + 60}
	good := s.sign(header, claims)
	f.Add(good)
	f.Add(good + "A")
	f.Add(strings.ToUpper(good))
	f.Add("eyJhbGciOiJub25lIn0..")
	f.Add("..")
	v := NewVerifier(VerifierOptions{
		Issuer: "https://a.example", Keys: map[string]ed25519.PublicKey{"k1": public, "": public},
		Now: func() time.Time { return at },
	})
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := v.Verify(t.Context(), token)
		if (err == nil) != (token == good) || (claims == nil) != (err != nil) {
			t.Errorf("%q: %+v, %v", token, claims, err)
		}
	})
}

// Whatever comes with an error status becomes an Error that can be shown.
func FuzzProblem(f *testing.F) {
	f.Add(409, []byte(`{"code":"license_unavailable","status":409,"detail":"no","retryable":false}`), "")
	f.Add(422, []byte(`{"code":"invalid_field","errors":[{"pointer":"/user","detail":"is required"}]}`), "")
	f.Add(502, []byte("<html>\xff\x00</html>"), "3")
	f.Add(503, []byte(`{"code":"overloaded","retryable":true}`), "Wed, 21 Oct 2015 07:28:00 GMT")
	f.Fuzz(func(t *testing.T, status int, body []byte, after string) {
		e := parseError(status, http.Header{"Retry-After": {after}}, body)
		if e.Error() == "" || e.RetryAfter < 0 || e.Status != status {
			t.Errorf("%+v", e)
		}
		if e.Code == "" && strings.ContainsAny(e.Error(), "\n\r\x00\x1b") {
			t.Errorf("control characters of a stranger are shown: %q", e.Error())
		}
	})
}
