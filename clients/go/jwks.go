package licenseclient

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// keysFresh is how long published keys serve before they are asked for
	// again: a key that was withdrawn is believed no longer than that while
	// the server can be reached.
	keysFresh = time.Hour
	// keysPause is the least time between two fetches, so that tokens with
	// made-up key ids cause no more than this.
	keysPause = 30 * time.Second
	// keysRefresh bounds a fetch while an older key is there to serve.
	keysRefresh = 2 * time.Second
)

// keySet is the keys a Verifier believes.
type keySet struct {
	fetch func(context.Context) (map[string]ed25519.PublicKey, error) // nil: pinned keys alone
	now   func() time.Time

	mu      sync.Mutex // held while fetching: callers that need the keys wait for one fetch
	keys    map[string]ed25519.PublicKey
	fetched time.Time // the last success
	tried   time.Time // the last attempt
}

// find returns the key named id. An error of fetching is returned where no
// key is there to serve.
func (s *keySet) find(ctx context.Context, id string) (ed25519.PublicKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, known := s.keys[id]
	now := s.now()
	stale := !known || now.Sub(s.fetched) > keysFresh
	mayTry := s.keys == nil || now.Sub(s.tried) > keysPause
	if s.fetch != nil && stale && mayTry {
		fetching, cancel := ctx, context.CancelFunc(func() {})
		if known {
			fetching, cancel = context.WithTimeout(ctx, keysRefresh)
		}
		keys, err := s.fetch(fetching)
		cancel()
		if ctx.Err() == nil {
			s.tried = now
		}
		switch {
		case err == nil:
			s.keys, s.fetched = keys, now
			key, known = keys[id]
		case !known:
			return nil, fmt.Errorf("fetching the keys of lease tokens: %w", err)
		}
	}
	if !known || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: no key %q is published", ErrToken, id)
	}
	return key, nil
}

// jwkSet is the wire form of the published keys (RFC 7517, RFC 8037).
type jwkSet struct {
	Keys []struct {
		Type  string `json:"kty"`
		Curve string `json:"crv"`
		ID    string `json:"kid"`
		Use   string `json:"use"`
		X     string `json:"x"`
	} `json:"keys"`
}

func (s *jwkSet) complete() bool { return s.Keys != nil }

// fetchKeys asks the server for the keys of its tokens. Kinds of keys that
// this package does not know are left out.
func (c *Client) fetchKeys(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	var set jwkSet
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/.well-known/jwks.json", from: anytime}, &set)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]ed25519.PublicKey, len(set.Keys))
	for _, k := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || k.Type != "OKP" || k.Curve != "Ed25519" || len(x) != ed25519.PublicKeySize ||
			(k.Use != "" && k.Use != "sig") {
			continue
		}
		keys[k.ID] = x
	}
	return keys, nil
}
