package licenseclient

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Errors of Verifier.Verify. Each is wrapped with what was found.
var (
	// ErrToken: not a token of a license server, changed, or signed by a key
	// that the server does not publish.
	ErrToken = errors.New("not a valid lease token")
	// ErrTokenExpired: the lease it states has ended by this clock.
	ErrTokenExpired = errors.New("lease token has expired")
	// ErrTokenNotYet: issued in the future of this clock.
	ErrTokenNotYet = errors.New("lease token is from the future")
	// ErrTokenIssuer: of another tenant.
	ErrTokenIssuer = errors.New("lease token is of another issuer")
)

// Claims are what a lease token states.
type Claims struct {
	LeaseID     string // jti
	User        string // sub
	Issuer      string // iss: the tenant's URL
	IssuedAt    time.Time
	ExpiresAt   time.Time
	LicenseID   string    // lic
	ProductID   string    // prd
	Type        LeaseType // typ
	Count       int       // cnt: seats
	Fingerprint string    // fpr: X-App-Fingerprint of the checkout
}

// DefaultLeeway is how far this machine's clock may be off the server's.
const DefaultLeeway = 30 * time.Second

// maxTokenBytes bounds a token: its texts together are a few hundred bytes.
const maxTokenBytes = 8 << 10

// VerifierOptions configure a Verifier.
type VerifierOptions struct {
	// Issuer is the tenant's URL that a token must name in iss, to the
	// letter. Empty means the scheme and host name of the client's
	// ServerURL, whatever the port: nodes differ in theirs.
	Issuer string
	// Keys pins the keys to believe, by kid: none is fetched then, and
	// verification needs no network at all.
	Keys map[string]ed25519.PublicKey
	// Leeway is allowed between the two clocks. 0 means DefaultLeeway;
	// negative means none.
	Leeway time.Duration
	// Now is this machine's clock. nil means time.Now.
	Now func() time.Time
}

// Verifier checks lease tokens without asking the server about the lease: by
// an Ed25519 signature (RFC 8037) under a key that the server publishes at
// /.well-known/jwks.json. It is safe for concurrent use.
type Verifier struct {
	issuer string   // exact; empty: by home
	home   *url.URL // nil: none
	leeway time.Duration
	now    func() time.Time
	keys   *keySet
}

// Verifier returns a verifier of the tokens of this client's tenant. Keys are
// fetched when first needed, kept, and fetched anew from time to time; while
// that fails, the old ones serve.
func (c *Client) Verifier(options VerifierOptions) *Verifier {
	v := NewVerifier(options)
	v.home = c.home
	if options.Keys == nil {
		v.keys.fetch = c.fetchKeys
	}
	return v
}

// NewVerifier returns a verifier that needs no client: by pinned keys, of the
// named issuer. Without Keys or Issuer it accepts nothing.
func NewVerifier(options VerifierOptions) *Verifier {
	v := &Verifier{issuer: options.Issuer, leeway: options.Leeway, now: options.Now}
	if v.now == nil {
		v.now = time.Now
	}
	if v.leeway == 0 {
		v.leeway = DefaultLeeway
	}
	v.leeway = max(0, v.leeway)
	v.keys = &keySet{keys: options.Keys, now: v.now}
	return v
}

// tokenHeader is the protected header of a compact JWS (RFC 7515).
type tokenHeader struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Critical  json.RawMessage `json:"crit"`
}

// tokenClaims is the payload. Times are seconds, possibly with a fraction
// (RFC 7519, 2).
type tokenClaims struct {
	LeaseID     string    `json:"jti"`
	User        string    `json:"sub"`
	Issuer      string    `json:"iss"`
	IssuedAt    *float64  `json:"iat"`
	ExpiresAt   *float64  `json:"exp"`
	LicenseID   string    `json:"lic"`
	ProductID   string    `json:"prd"`
	Type        LeaseType `json:"typ"`
	Count       int       `json:"cnt"`
	Fingerprint string    `json:"fpr"`
}

// Verify returns what token states, once its signature, issuer and times
// hold. ctx bounds the fetching of keys, which is needed at most now and then;
// an error of that is returned as it is. The others wrap ErrToken,
// ErrTokenExpired, ErrTokenNotYet or ErrTokenIssuer.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	if len(token) > maxTokenBytes {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrToken, maxTokenBytes)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%w: %d parts, want 3", ErrToken, len(parts))
	}
	var header tokenHeader
	if err := decodePart(parts[0], &header); err != nil {
		return nil, err
	}
	// One algorithm alone: a token must not choose how it is checked.
	if header.Algorithm != "EdDSA" || header.Critical != nil {
		return nil, fmt.Errorf("%w: algorithm %q, want EdDSA without extensions", ErrToken, header.Algorithm)
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return nil, fmt.Errorf("%w: signature: %w", ErrToken, err)
	}
	key, err := v.keys.find(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, fmt.Errorf("%w: the signature does not hold", ErrToken)
	}
	var claims tokenClaims
	if err := decodePart(parts[1], &claims); err != nil {
		return nil, err
	}
	return v.check(&claims)
}

// check judges claims whose signature holds.
func (v *Verifier) check(t *tokenClaims) (*Claims, error) {
	if t.IssuedAt == nil || t.ExpiresAt == nil || t.LeaseID == "" {
		return nil, fmt.Errorf("%w: iat, exp or jti is missing", ErrToken)
	}
	c := &Claims{
		LeaseID: t.LeaseID, User: t.User, Issuer: t.Issuer,
		IssuedAt: unixTime(*t.IssuedAt), ExpiresAt: unixTime(*t.ExpiresAt),
		LicenseID: t.LicenseID, ProductID: t.ProductID, Type: t.Type, Count: t.Count,
		Fingerprint: t.Fingerprint,
	}
	if !v.trusts(c.Issuer) {
		return nil, fmt.Errorf("%w: %q", ErrTokenIssuer, c.Issuer)
	}
	now := v.now()
	if !now.Before(c.ExpiresAt.Add(v.leeway)) {
		return nil, fmt.Errorf("%w: at %s", ErrTokenExpired, c.ExpiresAt.Format(time.RFC3339))
	}
	if now.Add(v.leeway).Before(c.IssuedAt) {
		return nil, fmt.Errorf("%w: %s", ErrTokenNotYet, c.IssuedAt.Format(time.RFC3339))
	}
	return c, nil
}

func (v *Verifier) trusts(issuer string) bool {
	if v.issuer != "" {
		return issuer == v.issuer
	}
	u, err := url.Parse(issuer)
	return err == nil && v.home != nil && u.User == nil && u.Scheme == v.home.Scheme &&
		strings.EqualFold(u.Hostname(), v.home.Hostname())
}

func unixTime(seconds float64) time.Time {
	const latest = 253402300799 // the end of the year 9999
	return time.UnixMilli(int64(min(max(seconds, 0), latest) * 1000)).UTC()
}

// decodePart decodes one base64url part of a token into out.
func decodePart(part string, out any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrToken, err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%w: %w", ErrToken, err)
	}
	return nil
}
