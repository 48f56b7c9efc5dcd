package shard

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=secrets.go -o=secrets_gen.go -io=false -tests=false
//msgp:limit arrays:1024 maps:0

// KEKBytes is the length of the key of --kek-file.
const KEKBytes = 32

// secretBytes is the length of each secret.
const secretBytes = 32

// ErrKEK means that the key of --kek-file is not the one that the cluster's
// secrets were wrapped with.
var ErrKEK = errors.New("the key in --kek-file does not open the cluster's secrets: give every node the key file that the cluster was started with")

// Secrets are the cluster's own, unwrapped.
//
//msgp:tuple Secrets
type Secrets struct {
	KeyHMAC    []byte // 32 bytes: keys are stored as HMAC-SHA-256 under it
	TokenSeed  []byte // 32 bytes: Ed25519 seed of lease tokens
	AdminToken string // of the admin address
}

// String keeps secrets out of logs.
func (s *Secrets) String() string { return "secrets of the cluster" }

// newSecrets makes up the secrets of a new cluster.
func newSecrets() *Secrets {
	s := &Secrets{KeyHMAC: make([]byte, secretBytes), TokenSeed: make([]byte, secretBytes)}
	_, _ = rand.Read(s.KeyHMAC) // never fails: crypto/rand ends the process first
	_, _ = rand.Read(s.TokenSeed)
	s.AdminToken = string(appendRandom62([]byte("clat_"), 32))
	return s
}

// Wrapped secrets are
//
//	0         1..12      13..
//	+---------+----------+-----------------------------------------+
//	| format  | nonce    | AES-256-GCM of the msgpack tuple and    |
//	| 1       | 12 bytes | its 16-byte tag                         |
//	+---------+----------+-----------------------------------------+
//
// bound to the cluster: its id is the additional data, so that one cluster's
// record is nothing in another one.
const (
	wrapFormat     = 1
	wrapNonceBytes = 12
	wrapContext    = "cloudlicenses cluster secrets 1:"
)

func wrapAEAD(kek []byte) (cipher.AEAD, error) {
	if len(kek) != KEKBytes {
		return nil, fmt.Errorf("the key in --kek-file has %d bytes, want %d", len(kek), KEKBytes)
	}
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("cluster key: %w", err)
	}
	return cipher.NewGCM(block)
}

// wrapSecrets encrypts s under kek for a cluster.
func wrapSecrets(s *Secrets, kek []byte, clusterID string) ([]byte, error) {
	aead, err := wrapAEAD(kek)
	if err != nil {
		return nil, err
	}
	plain, err := s.MarshalMsg(nil)
	if err != nil {
		return nil, fmt.Errorf("encode the cluster's secrets: %w", err)
	}
	wrapped := make([]byte, 1+wrapNonceBytes, 256)
	wrapped[0] = wrapFormat
	_, _ = rand.Read(wrapped[1:]) // never fails
	return aead.Seal(wrapped, wrapped[1:], plain, []byte(wrapContext+clusterID)), nil
}

// unwrapSecrets is the inverse of wrapSecrets; ErrKEK where it can't be.
func unwrapSecrets(wrapped, kek []byte, clusterID string) (*Secrets, error) {
	aead, err := wrapAEAD(kek)
	if err != nil {
		return nil, err
	}
	if len(wrapped) < 1+wrapNonceBytes || wrapped[0] != wrapFormat {
		return nil, errors.New("the cluster's wrapped secrets are in a format that this release does not know")
	}
	plain, err := aead.Open(nil, wrapped[1:1+wrapNonceBytes], wrapped[1+wrapNonceBytes:], []byte(wrapContext+clusterID))
	if err != nil {
		return nil, ErrKEK
	}
	s := &Secrets{}
	if err := decode(plain, s); err != nil {
		return nil, err
	}
	if len(s.KeyHMAC) != secretBytes || len(s.TokenSeed) != secretBytes || s.AdminToken == "" {
		return nil, errors.New("the cluster's secrets are incomplete")
	}
	return s, nil
}
