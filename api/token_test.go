package api

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// TestToken verifies a token offline, by the published key set, with a
// library that is not ours.
func TestToken(t *testing.T) {
	p := newPool(t, 1, 1)
	p.checkout("first").wants(t, 201, "")
	keys := send(t, live.edge, "localhost", "GET", "/.well-known/jwks.json", "").wants(t, 200, "")
	require.Contains(t, keys.Header.Get("Cache-Control"), "max-age")
	jwk := keys.body["keys"].([]any)[0].(map[string]any)
	x, err := base64.RawURLEncoding.DecodeString(jwk["x"].(string))
	require.NoError(t, err)
	verify := func(text string) jwt.MapClaims {
		claims := jwt.MapClaims{}
		token, err := jwt.ParseWithClaims(text, claims, func(token *jwt.Token) (any, error) {
			require.Equal(t, jwk["kid"], token.Header["kid"])
			return ed25519.PublicKey(x), nil
		}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithIssuer(live.server.TenantURL(p.tenant)), jwt.WithIssuedAt(), jwt.WithExpirationRequired())
		require.NoError(t, err)
		require.True(t, token.Valid)
		return claims
	}
	r := p.post(pathCheckout, `{"product_id":"cad","user":"al\"ice","token":true,"ttl_seconds":90}`, header{headerFingerprint, "sha256:ab"}).wants(t, 201, "")
	claims := verify(r.text("token"))
	require.Equal(t, r.text("lease_id"), claims["jti"])
	require.Equal(t, `al"ice`, claims["sub"])
	require.Equal(t, string(p.license), claims["lic"])
	require.Equal(t, "cad", claims["prd"])
	require.Equal(t, "overage", claims["typ"])
	require.Equal(t, float64(1), claims["cnt"])
	require.Equal(t, "sha256:ab", claims["fpr"])
	require.Equal(t, float64(90), claims["exp"].(float64)-claims["iat"].(float64))
	expires, err := time.Parse(time.RFC3339Nano, r.text("expires_at"))
	require.NoError(t, err)
	require.Equal(t, float64(expires.Unix()), claims["exp"])

	beat := p.post(pathHeartbeat, fmt.Sprintf(`{"lease_id":%q,"token":true}`, r.text("lease_id"))).wants(t, 200, "")
	extended := verify(beat.text("token"))
	require.Equal(t, claims["jti"], extended["jti"])
	require.Equal(t, claims["lic"], extended["lic"])
	require.Equal(t, claims["fpr"], extended["fpr"])
	require.GreaterOrEqual(t, extended["exp"], claims["exp"])
	require.NotContains(t, p.post(pathHeartbeat, fmt.Sprintf(`{"lease_id":%q}`, r.text("lease_id"))).body, "token")
}

// TestKeyID holds the thumbprint against the example of RFC 8037, appendix A.
func TestKeyID(t *testing.T) {
	seed, err := base64.RawURLEncoding.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	require.NoError(t, err)
	require.Contains(t, string(newSigner(seed).jwks), `"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"`)
}
