package shard

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// planWithSSO is the plan that single sign-on is part of.
const planWithSSO = DefaultPlan

// SSO returns a tenant's settings of single sign-on, secret included: it is not
// to be shown. A *Refusal with not_found where there are none, with
// plan_limit_exceeded where the tenant's plan has none.
func (s *Shard) SSO(ctx context.Context, tenant cloudlicenses.TenantID) (license.SSO, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var r license.SSOResult
	err := s.readNow(ctx, tenant, license.QuerySSO, &license.GetSSO{}, &r)
	if err == nil {
		err = refused(r.Code, r.Detail)
	}
	if err == nil {
		err = s.PlanHasSSO(ctx, tenant)
	}
	return r.SSO, err
}

// HasSSO reports whether the plan of a tenant, as it was read, has single sign-on.
func HasSSO(t *directory.Tenant) bool { return t.Plan == planWithSSO }

// PlanHasSSO is nil where a tenant's plan has single sign-on, else a *Refusal
// with plan_limit_exceeded, confirmed at the directory's leader.
func (s *Shard) PlanHasSSO(ctx context.Context, tenant cloudlicenses.TenantID) error {
	for _, now := range []bool{false, true} {
		var r directory.TenantResult
		query := Command{Op: directory.QueryTenant, Payload: &directory.GetTenant{ID: tenant}, Result: &r}
		if _, err := s.ReadDirectory(ctx, query, ReadOptions{Linearizable: now}); err != nil {
			return err
		}
		if r.Code == cloudlicenses.OK && HasSSO(&r.Tenant) {
			return nil
		}
	}
	return &Refusal{Code: cloudlicenses.PlanLimitExceeded, Detail: "single sign-on is part of the plan " + planWithSSO}
}

// PendingSSO is a single sign-on that was begun and not finished. The browser
// keeps it, sealed, so that any node can finish it.
type PendingSSO struct {
	Revision    int64  `json:"r"` // of the settings
	State       string `json:"s"` // that the provider sends back with the browser
	Nonce       string `json:"n"` // that the ID token has to name
	Verifier    string `json:"v"` // of PKCE (RFC 7636)
	UntilMillis int64  `json:"u"`
}

// NewPendingSSO begins a single sign-on under the settings of a revision.
func NewPendingSSO(revision int64) PendingSSO {
	random := func() string { return string(appendRandom62(nil, tokenRandom)) }
	return PendingSSO{
		Revision: revision, State: random(), Nonce: random(), Verifier: random(),
		UntilMillis: time.Now().Add(cloudlicenses.SSOLoginLife).UnixMilli(),
	}
}

// SealSSO seals p for a tenant, as text that a cookie can hold: nonce and
// ciphertext of AES-256-GCM in base64url, bound to the tenant.
func (s *Shard) SealSSO(tenant cloudlicenses.TenantID, p PendingSSO) (string, error) {
	sealer, err := s.ssoSealer()
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("seal a single sign-on: %w", err)
	}
	b := make([]byte, sealer.NonceSize(), 512)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(sealer.Seal(b, b, plain, []byte(tenant))), nil
}

// OpenSSO is the reverse of SealSSO. False: the text is not of this cluster and
// tenant, or too old.
func (s *Shard) OpenSSO(tenant cloudlicenses.TenantID, text string) (p PendingSSO, ok bool, err error) {
	sealer, err := s.ssoSealer()
	if err != nil {
		return PendingSSO{}, false, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) < sealer.NonceSize() {
		return PendingSSO{}, false, nil
	}
	plain, err := sealer.Open(nil, sealed[:sealer.NonceSize()], sealed[sealer.NonceSize():], []byte(tenant))
	if err != nil || json.Unmarshal(plain, &p) != nil || p.UntilMillis <= time.Now().UnixMilli() {
		return PendingSSO{}, false, nil
	}
	return p, true, nil
}

func (s *Shard) ssoSealer() (cipher.AEAD, error) {
	secrets := s.Secrets()
	if secrets == nil {
		return nil, errNoSecrets
	}
	key, err := hkdf.Key(sha256.New, secrets.KeyHMAC, nil, "cloudlicenses single sign-on", 32)
	if err != nil {
		return nil, fmt.Errorf("key of single sign-on: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of single sign-on: %w", err)
	}
	return cipher.NewGCM(block)
}

// Person is whom an OpenID provider has named.
type Person struct {
	Subject string // the provider's own name of the person
	Email   string // normalized; the provider has verified it
	Name    string
	Address string // of the client
}

// FinishSSO opens a session for a person whom the provider has named for p.
func (s *Shard) FinishSSO(ctx context.Context, tenant cloudlicenses.TenantID, p PendingSSO, person Person) (LoggedIn, Written, error) {
	id, err := NewUserID()
	if err != nil {
		return LoggedIn{}, Written{}, err
	}
	token := NewSessionToken(tenant)
	result, w, err := s.DoUser(ctx, tenant, license.OpSSOLogin, &license.SSOLogin{
		Revision: p.Revision, Subject: person.Subject, Email: person.Email, UserID: id, Name: person.Name, State: HashToken(p.State), UntilMillis: p.UntilMillis,
		Session: HashToken(token), Address: person.Address,
	})
	if err != nil || result.Code != cloudlicenses.OK {
		token = ""
	}
	return LoggedIn{result, token}, w, err
}
