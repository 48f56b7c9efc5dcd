package shard

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// An account is whatever a license group holds keys of, by its name; the text
// of a key, with the prefix that tells whose it is, is its caller's to make.

// NewKeyID makes up an id.
func NewKeyID() (cloudlicenses.KeyID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a key id: %w", err)
	}
	return cloudlicenses.KeyID("key-" + id.String()), nil
}

// RepeatableKeyID is the id of the key that a user asks for under an
// Idempotency-Key: asked again, it is the same, and no second key is made.
func RepeatableKeyID(account cloudlicenses.TenantID, user cloudlicenses.UserID, idempotencyKey []byte) cloudlicenses.KeyID {
	sum := sha256.Sum256(fmt.Appendf(nil, "key id\x00%s\x00%s\x00%s", account, user, idempotencyKey))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8, of RFC 9562: of our own making
	id[8] = id[8]&0x3f | 0x80
	return cloudlicenses.KeyID("key-" + id.String())
}

// DefaultRestrictions are those of a key for which nobody asked others.
func DefaultRestrictions() license.Restrictions {
	return license.Restrictions{
		CheckoutsPerMinute: cloudlicenses.DefaultCheckoutsPerMinute, RequestsPerHour: cloudlicenses.DefaultRequestsPerHour,
	}
}

// DoKey has the account's group commit a command about keys.
func (s *Shard) DoKey(ctx context.Context, account cloudlicenses.TenantID, op fsm.Op, payload msgp.Marshaler) (license.KeyResult, Written, error) {
	var result license.KeyResult
	w, err := s.Do(ctx, account, Command{Op: op, Payload: payload, Result: &result})
	return result, w, err
}

// GenerateKey makes a key whose text is given; the cluster keeps its hash
// alone. An empty id is made up.
func (s *Shard) GenerateKey(ctx context.Context, account cloudlicenses.TenantID, by license.By, text string, key license.Key) (license.KeyResult, Written, error) {
	put, err := s.putKeyCommand(by, text, key)
	if err != nil {
		return license.KeyResult{}, Written{}, err
	}
	return s.DoKey(ctx, account, license.OpKey, put)
}

func (s *Shard) putKeyCommand(by license.By, text string, key license.Key) (*license.PutKey, error) {
	hash, err := s.hashKey(text)
	if err != nil {
		return nil, err
	}
	if key.ID == "" {
		if key.ID, err = NewKeyID(); err != nil {
			return nil, err
		}
	}
	if key.CreatedMillis == 0 {
		key.CreatedMillis = time.Now().UnixMilli()
	}
	key.Hash = hash
	return &license.PutKey{By: by, Key: key}, nil
}

// RotateKey gives a key a new text; the one before goes on working for overlap.
func (s *Shard) RotateKey(ctx context.Context, account cloudlicenses.TenantID, by license.By, id cloudlicenses.KeyID, text string, overlap time.Duration) (license.KeyResult, Written, error) {
	hash, err := s.hashKey(text)
	if err != nil {
		return license.KeyResult{}, Written{}, err
	}
	return s.DoKey(ctx, account, license.OpRotateKey, &license.RotateKey{By: by, ID: id, Hash: hash, OverlapMillis: overlap.Milliseconds()})
}

func (s *Shard) hashKey(text string) ([32]byte, error) {
	secrets := s.Secrets()
	if secrets == nil {
		return [32]byte{}, errNoSecrets
	}
	return HashAPIKey(secrets.KeyHMAC, text), nil
}
