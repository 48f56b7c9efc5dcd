package shard

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/cloudlicenses/cloudlicenses"
)

// The second factor is TOTP (RFC 6238) as authenticator apps have it: SHA-1,
// six digits, 30 seconds, one step of tolerance to either side.
const (
	factorPeriod = 30
	factorSkew   = 1
	factorSecret = 20 // bytes
)

var factorOptions = totp.ValidateOpts{Period: factorPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// newFactor makes up a secret, in base32, and the URL that an app scans.
func newFactor(tenant cloudlicenses.TenantID, email string) (secret, url string, err error) {
	name := string(tenant)
	if vendor, ok := tenant.Vendor(); ok {
		name = string(vendor)
	}
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: "cloudlicenses " + name, AccountName: email, SecretSize: factorSecret, Rand: rand.Reader,
		Period: factorPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return "", "", fmt.Errorf("make a second factor: %w", err)
	}
	return key.Secret(), key.URL(), nil
}

// codeStep returns the time step that a code is of, or 0.
func codeStep(secret, code string, now time.Time) int64 {
	found := int64(0)
	for skew := int64(-factorSkew); skew <= factorSkew; skew++ {
		step := now.Unix()/factorPeriod + skew
		want, err := totp.GenerateCodeCustom(secret, time.Unix(step*factorPeriod, 0), factorOptions)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	return found
}

// A second factor's secret is kept sealed under a key that is derived from the
// cluster's secret, bound to its user:
//
//	0         1..12      13..
//	+---------+----------+---------------------------------+
//	| format  | nonce    | AES-256-GCM of the base32 text   |
//	| 1       | 12 bytes | and its 16-byte tag              |
//	+---------+----------+---------------------------------+
const factorFormat = 1

var errSealed = errors.New("a second factor's secret can't be opened")

func (s *Secrets) factorSealer() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.KeyHMAC, nil, "cloudlicenses second factor", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func factorOwner(tenant cloudlicenses.TenantID, user cloudlicenses.UserID) []byte {
	return []byte(string(tenant) + "/" + string(user))
}

func (s *Secrets) sealFactor(tenant cloudlicenses.TenantID, user cloudlicenses.UserID, secret string) ([]byte, error) {
	sealer, err := s.factorSealer()
	if err != nil {
		return nil, fmt.Errorf("seal a second factor: %w", err)
	}
	b := make([]byte, 1+sealer.NonceSize(), 64+len(secret))
	b[0] = factorFormat
	_, _ = rand.Read(b[1:])
	return sealer.Seal(b, b[1:], []byte(secret), factorOwner(tenant, user)), nil
}

func (s *Secrets) openFactor(tenant cloudlicenses.TenantID, user cloudlicenses.UserID, sealed []byte) (string, error) {
	sealer, err := s.factorSealer()
	if err != nil {
		return "", fmt.Errorf("open a second factor: %w", err)
	}
	if len(sealed) < 1+sealer.NonceSize() || sealed[0] != factorFormat {
		return "", errSealed
	}
	secret, err := sealer.Open(nil, sealed[1:1+sealer.NonceSize()], sealed[1+sealer.NonceSize():], factorOwner(tenant, user))
	if err != nil {
		return "", errSealed
	}
	return string(secret), nil
}
