package shard

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// A wrapped data key is
//
//	0         1         2..2+n    2+n..2+n+12   ..
//	+---------+---------+---------+-------------+--------------------------+
//	| format  | n       | tenant  | nonce       | AES-256-GCM of the key,  |
//	| 1       | (uint8) | id      | 12 bytes    | its 16-byte tag          |
//	+---------+---------+---------+-------------+--------------------------+
//
// under a key derived from that of --kek-file, bound to the tenant's id: one
// tenant's record is nothing in another one's place.
const (
	dataKeyFormat  = 1
	dataKeyBytes   = 32
	dataKeyContext = "cloudlicenses data key 1:"

	wrappingInfo = "cloudlicenses wrapping of data keys 1"
	groupKeyInfo = "cloudlicenses key of group 1:"
	kekIDInfo    = "cloudlicenses name of a key-encryption key 1"

	// logKeyFile of the data folder is the wrapped key of the node's log.
	logKeyFile    = "log.key"
	logKeyContext = "cloudlicenses log key 1"

	// kekIDFile of the data folder names the key that it was written under.
	kekIDFile = "kek.id"
)

// Keys opens data keys by the key of --kek-file, and makes new ones. It is
// safe for concurrent use.
type Keys struct {
	kek      []byte
	wrapping cipher.AEAD
}

var _ fsm.Sealer = (*Keys)(nil)

// NewKeys returns the keys of a node that has this key-encryption key.
func NewKeys(kek []byte) (*Keys, error) {
	if len(kek) != KEKBytes {
		return nil, fmt.Errorf("the key in --kek-file has %d bytes, want %d", len(kek), KEKBytes)
	}
	k := &Keys{kek: append([]byte(nil), kek...)}
	var err error
	k.wrapping, err = k.derived(wrappingInfo)
	return k, err
}

// derived is the key of one use.
func (k *Keys) derived(info string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.kek, nil, info, dataKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return newGCM(key)
}

// newGCM is AES-256-GCM that puts a random nonce in front of what it seals.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of %d bytes: %w", len(key), err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// id names the key-encryption key and tells nothing of it.
func (k *Keys) id() (string, error) {
	name, err := hkdf.Key(sha256.New, k.kek, nil, kekIDInfo, 16)
	if err != nil {
		return "", fmt.Errorf("derive a key's name: %w", err)
	}
	return hex.EncodeToString(name) + "\n", nil
}

// Fit checks, before anything in it is opened, that a data folder was written
// under this key: ErrKEK where it was another one. A new folder fits.
func (k *Keys) Fit(dataDir string) error {
	id, err := k.id()
	if err != nil {
		return err
	}
	known, err := os.ReadFile(filepath.Join(dataDir, kekIDFile))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("read which key the data folder was written under: %w", err)
	case string(known) != id:
		return ErrKEK
	}
	return nil
}

// LogKey returns the key of a node's own log, and makes it where the folder has
// none. The folder keeps it wrapped; ErrKEK where it was wrapped by another key.
// It is not replicated: a node's log is its own.
func (k *Keys) LogKey(dataDir string) (cipher.AEAD, error) {
	path, context := filepath.Join(dataDir, logKeyFile), []byte(logKeyContext)
	wrapped, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key := make([]byte, dataKeyBytes)
		_, _ = rand.Read(key) // never fails
		wrapped = k.wrapping.Seal(nil, nil, key, context)
		if err = os.MkdirAll(dataDir, 0o750); err == nil {
			err = writeFile(path, string(wrapped), 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("key of the node's log: %w", err)
	}
	key, err := k.wrapping.Open(nil, nil, wrapped, context)
	if err != nil {
		return nil, ErrKEK
	}
	return chacha20poly1305.NewX(key)
}

// GroupKey implements fsm.Sealer.
func (k *Keys) GroupKey(group uint32) (cipher.AEAD, error) {
	return k.derived(fmt.Sprintf("%s%d", groupKeyInfo, group))
}

// NewDataKey makes a tenant's data key up and returns it wrapped: nobody sees
// it otherwise.
func (k *Keys) NewDataKey(tenant cloudlicenses.TenantID) []byte {
	key := make([]byte, dataKeyBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process first
	wrapped := append([]byte{dataKeyFormat, byte(len(tenant))}, tenant...)
	return k.wrapping.Seal(wrapped, nil, key, []byte(dataKeyContext+string(tenant)))
}

// DataKey implements fsm.Sealer; ErrKEK where the key was wrapped by another
// one.
func (k *Keys) DataKey(wrapped []byte) (cipher.AEAD, error) {
	if len(wrapped) < 2 || wrapped[0] != dataKeyFormat || len(wrapped) < 2+int(wrapped[1]) {
		return nil, errors.New("a wrapped data key is in a format that this release does not know")
	}
	tenant, sealed := wrapped[2:2+int(wrapped[1])], wrapped[2+int(wrapped[1]):]
	key, err := k.wrapping.Open(nil, nil, sealed, append([]byte(dataKeyContext), tenant...))
	if err != nil {
		return nil, ErrKEK
	}
	return newGCM(key)
}
