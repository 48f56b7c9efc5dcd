package notify

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	secretPrefix = "whsec_"
	// A secret has 24 to 64 bytes (Standard Webhooks, "Symmetric"); ours have 32.
	minSecret, newSecret, maxSecret = 24, 32, 64
)

// ErrSecret: not the text of a secret.
var ErrSecret = errors.New("not a webhook secret: " + secretPrefix + " and 24 to 64 bytes in base64")

// Secret signs webhooks. It shows itself to nobody who prints it: see [Secret.Reveal].
type Secret struct{ key []byte }

// NewSecret makes one of 32 random bytes.
func NewSecret() Secret {
	key := make([]byte, newSecret)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process first
	return Secret{key: key}
}

// ParseSecret reads "whsec_<base64>". Error: [ErrSecret].
func ParseSecret(text string) (Secret, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(text, secretPrefix))
	s := Secret{key: key}
	// The decoder passes over line breaks: compare.
	if err != nil || len(key) < minSecret || len(key) > maxSecret || s.Reveal() != text {
		return Secret{}, ErrSecret
	}
	return s, nil
}

// Reveal returns the secret's text, "whsec_<base64>".
func (s Secret) Reveal() string { return secretPrefix + base64.StdEncoding.EncodeToString(s.key) }

// Format prints the secret with every verb as what it is, not what it holds.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secretPrefix + "…")) }

// MarshalText is how the secret gets into logs and JSON: not at all.
func (s Secret) MarshalText() ([]byte, error) { return []byte(secretPrefix + "…"), nil }

// Sign returns the signature of a webhook, as one entry of its webhook-signature
// header: "v1," and the base64 of HMAC-SHA256(secret, "<id>.<seconds>.<body>").
// A receiver may sign by it to compare, in constant time.
func (s Secret) Sign(id ID, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(string(id) + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
