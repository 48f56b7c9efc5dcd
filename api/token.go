package api

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// A lease token is a compact JWS (RFC 7515) signed with Ed25519 (RFC 8037)
// under the cluster's own key. It is made on request only: a signature costs
// as much CPU as a checkout.

// signer is the cluster's token key, ready for use.
type signer struct {
	key    ed25519.PrivateKey
	header []byte // base64url of a token's protected header, with its dot
	// packageHeader is that of a license package: nobody may take one for the
	// other.
	packageHeader []byte
	jwks          []byte // the reply of /.well-known/jwks.json
}

// newSigner derives the signer from the 32-byte seed. The key's id is its
// thumbprint (RFC 7638).
func newSigner(seed []byte) *signer {
	key := ed25519.NewKeyFromSeed(seed)
	x := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	kid := base64.RawURLEncoding.EncodeToString(sum[:])
	header := func(kind string) []byte {
		text := `{"alg":"EdDSA","typ":"` + kind + `","kid":"` + kid + `"}`
		return []byte(base64.RawURLEncoding.EncodeToString([]byte(text)) + ".")
	}
	return &signer{
		key:    key,
		header: header("JWT"), packageHeader: header("license-package+jwt"),
		jwks: []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"` + kid + `","x":"` + x + `"}]}`),
	}
}

// tokens holds the signer once the cluster's secrets are known.
type tokens struct{ made atomic.Pointer[signer] }

// signer returns nil while the node has not joined its cluster.
func (s *Server) signer() *signer {
	if made := s.tokens.made.Load(); made != nil {
		return made
	}
	secrets := s.shard.Secrets()
	if secrets == nil || len(secrets.TokenSeed) != ed25519.SeedSize {
		return nil
	}
	made := newSigner(secrets.TokenSeed)
	s.tokens.made.Store(made)
	return made
}

// appendToken appends the signed statement of a lease. It holds from the
// moment the lease was granted or last extended until it ends.
func (c *call) appendToken(b []byte, l *license.Lease) []byte {
	s := c.server.signer()
	claims := appendLeaseID(append(make([]byte, 0, 512), `{"jti":`...), l.ID)
	claims = appendMember(claims, `,"sub":`, l.User)
	claims = appendMember(claims, `,"iss":`, c.server.TenantURL(c.tenant))
	claims = appendNumber(claims, `,"iat":`, (l.ExpiresMillis-l.TTLMillis)/1000)
	claims = appendNumber(claims, `,"exp":`, l.ExpiresMillis/1000)
	claims = appendMember(claims, `,"lic":`, string(l.LicenseID))
	claims = appendMember(claims, `,"prd":`, string(l.ProductID))
	claims = appendMember(claims, `,"typ":`, string(l.Type()))
	claims = appendNumber(claims, `,"cnt":`, l.Count)
	claims = appendMember(claims, `,"fpr":`, l.Fingerprint)
	claims = append(claims, '}')

	start := len(b)
	b = append(b, s.header...)
	b = base64.RawURLEncoding.AppendEncode(b, claims)
	signature := ed25519.Sign(s.key, b[start:])
	return base64.RawURLEncoding.AppendEncode(append(b, '.'), signature)
}

// serveJWKS is GET /.well-known/jwks.json.
func (c *call) serveJWKS() {
	s := c.server.signer()
	if s == nil {
		c.refuse(problemNotReady)
		return
	}
	c.ctx.Response.Header.Set("Cache-Control", "public, max-age=300")
	c.out = append(c.out[:0], s.jwks...)
	c.reply(fasthttp.StatusOK)
}
