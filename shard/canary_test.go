package shard

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// filesWith returns the files below dir that hold text.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil // compacted away meanwhile
		}
		if err == nil && bytes.Contains(content, []byte(text)) {
			relative, _ := filepath.Rel(dir, path)
			found = append(found, relative)
		}
		return err
	}))
	return found
}

// plantVendor plants what accounts keep besides: the secret of a webhook, the
// token of a vendor's billing system and a notice that waits for its license.
func plantVendor(t *testing.T, s *Shard) {
	t.Helper()
	ctx, by := t.Context(), license.By{Platform: true}
	_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: "vector", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	account := cloudlicenses.VendorID("vector").Account()
	var hook license.EndpointResult
	_, err = s.Do(ctx, "acme", Command{Op: license.OpPutEndpoint, Result: &hook, Payload: &license.PutEndpoint{
		By: by, ID: "hook-1", URL: "https://acme.example/canary-hook", Secret: "whsec_canary-secret", Kinds: []cloudlicenses.EventKind{cloudlicenses.EventLicenseProvisioned},
	}})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, hook.Code, hook.Detail)
	for _, c := range []Command{
		{Op: license.OpVendorSettings, Payload: &license.VendorSettings{
			By: by, Set: license.ChangedURL | license.ChangedToken, Invoice: license.InvoiceHook{URL: "https://vector.example/canary-bill", Token: "canary-token"},
		}},
		{Op: license.OpPutNotice, Payload: &license.PutNotice{
			Key: [16]byte{1}, Notice: license.Notice{Email: "canary-notice@example.com", Message: "canary-message"}, ExpiresMillis: time.Now().Add(time.Hour).UnixMilli(),
		}},
	} {
		var ack license.Ack
		c.Result = &ack
		_, err = s.Do(ctx, account, c)
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, ack.Code, ack.Detail)
	}
}

// TestNothingPersonalOnDisk plants secrets wherever the platform takes text
// about people, and looks for them in every file of the data folders.
func TestNothingPersonalOnDisk(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	s, ctx := c.shards[0], t.Context()
	created, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "acme", Licenses: []LicenseSpec{{ProductID: "cad", ProductName: "in-the-clear", CommitQty: 5, MaxOverage: 5}}})
	require.NoError(t, err)
	in := sampleSignUp("mercedes")
	in.Email, in.Name, in.TaxID = "canary-signup@example.com", "canary-signup-name", "canary-tax-id"
	_, err = s.Register(ctx, in)
	require.NoError(t, err)
	mail := NewMail(cloudlicenses.TokenInvite)
	user, _, err := s.DoUser(ctx, "acme", license.OpPutUser, &license.PutUser{
		By: license.By{Platform: true, Address: "canary-address"}, ID: "user-1", Email: "canary-email@example.com", Name: "canary-name",
		Role: cloudlicenses.RoleOwner, PasswordHash: []byte("canary-password-hash"), Mail: mail,
	})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, user.Code)
	key := NewAPIKey("acme")
	var made license.KeyResult
	_, err = s.Do(ctx, "acme", Command{Op: license.OpKey, Result: &made, Payload: &license.PutKey{By: license.By{Platform: true}, Key: license.Key{
		ID: "key-2", Hash: HashAPIKey(s.Secrets().KeyHMAC, key), AppName: "canary-app", Scopes: cloudlicenses.ScopeCheckout | cloudlicenses.ScopeReturn,
		Metadata: []byte(`{"of":"canary-key-metadata"}`),
	}}})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, made.Code)
	plantVendor(t, s)
	caller := license.Caller{
		KeyHash: HashAPIKey(s.Secrets().KeyHMAC, key), Hostname: "canary-hostname", Address: "canary-address", Fingerprint: "canary-fingerprint",
		LibVersion: "canary-version",
	}
	for i := range 60 { // a snapshot is taken every 50 entries
		var r license.LeaseResult
		_, err = s.Do(ctx, "acme", Command{Op: license.OpCheckout, Result: &r, Payload: &license.Checkout{
			Caller: caller, Intent: [16]byte{9, byte(i)}, ProductID: "cad", User: "canary-user", Count: 1, TTLMillis: 300_000,
			AllowOverage: true, Metadata: []byte(`{"of":"canary-lease-metadata"}`),
		}})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, r.Code)
		if i%20 == 0 {
			continue // some live on
		}
		_, err = s.Do(ctx, "acme", Command{Op: license.OpReturn, Payload: &license.Return{Caller: caller, LeaseID: r.Lease.ID}, Result: &license.LeaseResult{}})
		require.NoError(t, err)
	}
	for i := range c.nodes {
		snapshots := filepath.Join(c.folder(i), "snapshots")
		require.Eventually(t, func() bool {
			var taken int
			_ = filepath.WalkDir(snapshots, func(path string, _ fs.DirEntry, err error) error {
				if err == nil && strings.HasSuffix(path, ".sst") {
					taken++
				}
				return nil
			})
			return taken > 0
		}, 10*time.Second, 20*time.Millisecond)
		c.stop(i)
	}
	require.GreaterOrEqual(t, len(filesWith(t, c.dir, "in-the-clear")), 3,
		"a product's name is not sealed, and shows that this test would find what is not")
	for _, canary := range []string{"canary-", "canary-user", "canary-email", mail.Token, "user-1", created.APIKey, key} {
		require.Empty(t, filesWith(t, c.dir, canary), canary)
	}

	// What was sealed is read back after a restart.
	c.start(0, 1, 2)
	var page license.UserPage
	_, err = c.shards[1].Read(ctx, "acme", Command{Op: license.QueryUsers, Payload: &license.ListUsers{Limit: 9}, Result: &page}, ReadOptions{Linearizable: true})
	require.NoError(t, err)
	require.Equal(t, "canary-email@example.com", page.Items[0].Email)
	var proof license.AuditProof
	_, err = c.shards[1].Read(ctx, "acme", Command{Op: license.QueryVerify, Payload: &license.VerifyAudit{}, Result: &proof}, ReadOptions{Linearizable: true})
	require.NoError(t, err)
	require.True(t, proof.Valid, proof.Detail)
	require.Positive(t, proof.Records)
	for group := range cluster.GroupID(3) {
		c.sameState(group)
	}
}

// TestDataKeyIsDestroyed: once a tenant is removed, no file of a machine in
// force holds its data key, not even wrapped.
func TestDataKeyIsDestroyed(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	s, ctx := c.shards[0], t.Context()
	_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "ephemeral"})
	require.NoError(t, err)
	wrapped := string(append([]byte{dataKeyFormat, byte(len("ephemeral"))}, "ephemeral"...))
	machines := func() (found []string) {
		for _, path := range filesWith(t, c.dir, wrapped) {
			if strings.Contains(path, "/groups/") {
				found = append(found, path)
			}
		}
		return found
	}
	require.Eventually(t, func() bool { return len(machines()) == 3 }, 20*time.Second, 50*time.Millisecond, "each replica has it")
	_, _, err = s.ChangeTenant(ctx, "ephemeral", TenantChange{Status: cloudlicenses.TenantDeleting})
	require.NoError(t, err)
	for _, door := range c.shards {
		go door.ResumeLives(ctx)
	}
	require.Eventually(t, func() bool { return len(machines()) == 0 }, 20*time.Second, 50*time.Millisecond)
}
