package license_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// sample is one command or query with every field set, so that a change of its
// bytes shows.
type sample struct {
	name     string // of the constant
	op       fsm.Op
	ofTenant bool
	body     interface {
		msgp.Marshaler
		msgp.Unmarshaler
	}
}

func sampleCaller() license.Caller {
	return license.Caller{KeyHash: keyHash("k1"), Hostname: "ws-1", Address: "10.0.0.1", Fingerprint: "fp", LibVersion: "go/1.2.3", CertName: "cn"}
}

func sampleLicense() license.License {
	return license.License{
		ID: "lic-vector-acme-2025-001", VendorID: "vector", ProductID: "cad", ProductName: "CAD", Constraint: ">=8.0.0", Total: 20, CommitQty: 5,
		MaxOverage: 15, CommitFeeMinor: 500_000, OverageFeeMinor: 50_000, Currency: "EUR", StartMillis: epochStart, EndMillis: epochStart + hour, Status: cl.LicenseProvisioned,
	}
}

func sampleRestrictions() license.Restrictions {
	return license.Restrictions{
		Hostnames: []string{"ws-1.acme.com"}, Networks: []string{"10.0.0.0/8", "2001:db8::/32"}, CertRequired: true, CertName: "ws-1",
		CheckoutsPerMinute: 100, RequestsPerHour: 1000,
	}
}

// samples has one row per command of the machine. Append only.
func samples() []sample {
	return append([]sample{
		{"OpLead", license.OpLead, false, &license.Lead{Node: "n1"}},
		{"OpExpire", license.OpExpire, false, &license.Expire{Limit: 1024}},
		{"OpTenant", license.OpTenant, true, &license.PutTenant{
			Epoch: 1, URL: "https://acme.localhost", CheckoutsPerMinute: 6000, Plan: cl.PlanEnterprise, DataKey: []byte("wrapped"),
		}},
		{"OpLicenses", license.OpLicenses, true, &license.PutLicenses{Licenses: []license.License{sampleLicense()}}},
		{"OpAmend", license.OpAmend, true, &license.AmendLicense{License: sampleLicense()}},
		{"OpStatus", license.OpStatus, true, &license.SetLicenseStatus{ID: "lic-1", Status: cl.LicenseSuspended}},
		{"OpKey", license.OpKey, true, &license.PutKey{By: platform, Key: license.Key{
			ID: "key-1", Hash: keyHash("k1"), AppName: "app", AppType: "desktop", Scopes: cl.ScopeCheckout | cl.ScopeReturn,
			CreatedMillis: epochStart, ExpiresMillis: epochStart + hour, RevokedMillis: 0, Metadata: []byte(`{"a":1}`),
			Restrictions: sampleRestrictions(), RotatedMillis: epochStart, Earlier: []license.Secret{{Hash: keyHash("k0"), UntilMillis: epochStart, RotatedMillis: epochStart}}, Origin: keyHash("k0"),
		}}},
		{"OpRevokeKey", license.OpRevokeKey, true, &license.RevokeKey{By: platform, ID: "key-1", ReleaseLeases: true}},
		{"OpCheckout", license.OpCheckout, true, &license.Checkout{
			Caller: sampleCaller(), Intent: intentOf("a"), IntentByClient: true, BodyHash: 0x0102030405060708, VendorID: "vector", ProductID: "cad",
			User: "alice", Count: 2, AppVersion: "8.1.0", TTLMillis: 300_000, AllowOverage: true, Metadata: []byte(`{"b":2}`),
			Request: intentOf("request"), Try: 2,
		}},
		{"OpHeartbeat", license.OpHeartbeat, true, &license.Heartbeat{Caller: sampleCaller(), LeaseID: 7}},
		{"OpReturn", license.OpReturn, true, &license.Return{Caller: sampleCaller(), LeaseID: 7}},
		{"OpRelease", license.OpRelease, true, &license.Release{Actor: "admin@acme", LeaseID: 7}},
		{"OpRules", license.OpRules, true, &license.SetRules{By: license.By{Platform: true, Session: sum("s"), Address: "10.0.0.1"}, Rules: license.Rules{
			DenyOverage: true, Caps: []license.Cap{{LicenseID: "lic-1", MaxUses: 3, MaxMinor: -1}, {KeyID: "key-1", MaxUses: -1, MaxMinor: 500, Currency: "EUR"}},
		}}},
		{"OpRestrictKey", license.OpRestrictKey, true, &license.RestrictKey{
			By: platform, ID: "key-1", Set: license.RestrictHostnames | license.RestrictHour, Restrictions: sampleRestrictions(),
		}},
		{"OpRotateKey", license.OpRotateKey, true, &license.RotateKey{By: platform, ID: "key-1", Hash: keyHash("k2"), OverlapMillis: 86_400_000}},
		{"OpLimitTenant", license.OpLimitTenant, true, &license.LimitTenant{By: platform, CheckoutsPerMinute: 6000}},
		{"OpPutSignUp", license.OpPutSignUp, true, &license.PutSignUp{
			TokenHash: keyHash("token"), Country: "DE", TaxID: "DE123456789", Email: "admin@mercedes.com", Name: "License Administrator", ExpiresMillis: epochStart + hour,
		}},
		{"OpTrySignUp", license.OpTrySignUp, true, &license.TrySignUp{TokenHash: tokenHash("token")}},
		{"OpOwnSignUp", license.OpOwnSignUp, true, &license.OwnSignUp{UserID: "user-9", Token: "t", ExpiresMillis: epochStart + hour, Company: "Acme"}},
	}, slices.Concat(userSamples(), lifeSamples(), webhookSamples(), vendorSamples(), provisionSamples(), invoiceSamples(), ssoSamples())...)
}

// querySamples has one row per query. Append only.
func querySamples() []sample {
	access := license.Access{Caller: sampleCaller(), ByKey: true, NowMillis: epochStart, Uncounted: true}
	return append([]sample{
		{"QueryLicenses", license.QueryLicenses, true, &license.ListLicenses{Access: access, ID: "lic-1", Cursor: "lic-0", Limit: 50}},
		{"QueryLeases", license.QueryLeases, true, &license.ListLeases{Access: access, LicenseID: "lic-1", User: "alice", Cursor: "7", Limit: 50}},
		{"QueryKeys", license.QueryKeys, true, &license.ListKeys{Cursor: "key-0", Limit: 50}},
		{"QueryUsage", license.QueryUsage, true, &license.ListUsage{Month: "2026-11", Cursor: "lic-0", Limit: 50}},
		{"QueryOverage", license.QueryOverage, true, &license.ListOverage{Month: "2026-11", Cursor: "7", Limit: 50}},
		{"QueryAudit", license.QueryAudit, true, &license.ListAudit{FromMillis: 1, ToMillis: 2, User: "alice", KeyID: "key-1", Result: "success", Newest: true, Cursor: "7", Limit: 50}},
		{"QueryVerify", license.QueryVerify, true, &license.VerifyAudit{}},
		{"QueryOutbox", license.QueryOutbox, false, &license.ListOutbox{Limit: 50}},
		{"QueryTerms", license.QueryTerms, true, &license.GetTerms{}},
	}, slices.Concat(userQuerySamples(), webhookQuerySamples(), vendorQuerySamples(), provisionQuerySamples(), billingQuerySamples(), ssoQuerySamples())...)
}

// tokenHash is a hash by the token's name.
func tokenHash(token string) []byte {
	hash := keyHash(token)
	return hash[:]
}

// rewriting reports whether golden files are written anew: the flag is
// datadriven's own.
func rewriting() bool { return flag.Lookup("rewrite").Value.String() == "true" }

// TestGoldenEncodings: the bytes of every command and query are what they
// were. A log written by the last release has to be read by the next: a
// difference here wants a new payload version, not a new golden file.
func TestGoldenEncodings(t *testing.T) {
	for _, s := range append(samples(), querySamples()...) {
		t.Run(s.name, func(t *testing.T) {
			tenant, epoch := cl.TenantID("acme"), uint32(1)
			if !s.ofTenant {
				tenant, epoch = "", 0
			}
			b := encode(s.op, tenant, epoch, s.body)
			path := filepath.Join("testdata", "golden", s.name+".hex")
			if rewriting() {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(wrapped(b)), 0o644))
			}
			text, err := os.ReadFile(path)
			require.NoError(t, err, "a new command or query needs its golden file: run with -rewrite")
			want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
			require.NoError(t, err)
			require.Equal(t, want, b)

			h, _, payload, err := fsm.SplitHeader(want)
			require.NoError(t, err)
			require.Equal(t, s.op, h.Op)
			decode(t, payload, s.body)
			again, err := s.body.MarshalMsg(nil)
			require.NoError(t, err)
			require.Equal(t, payload, again)
		})
	}
}

func wrapped(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); i += 32 {
		fmt.Fprintf(&out, "%x\n", b[i:min(len(b), i+32)])
	}
	return out.String()
}

// TestOperationNumbers reads the constants themselves: every command and query
// has a number of its own, never 0, and a row above.
func TestOperationNumbers(t *testing.T) {
	rows := map[string]fsm.Op{}
	for _, s := range append(samples(), querySamples()...) {
		rows[s.name] = s.op
	}
	rows["QueryHash"], rows["QueryOutboxState"] = license.QueryHash, license.QueryOutboxState // have no payload
	found := map[string]map[string]string{"Op": {}, "Query": {}}
	for _, c := range []struct{ file, prefix string }{
		{"command.go", "Op"}, {"users_command.go", "Op"}, {"query.go", "Query"}, {"users_query.go", "Query"},
		{"signup_command.go", "Op"}, {"keys_command.go", "Op"}, {"webhooks_command.go", "Op"}, {"webhooks_query.go", "Query"},
		{"vendor_command.go", "Op"}, {"vendor_command.go", "Query"}, {"key_query.go", "Query"},
		{"provision_command.go", "Op"}, {"provision_command.go", "Query"},
		{"billing_query.go", "Query"}, {"series_query.go", "Query"}, {"invoice_command.go", "Op"}, {"invoice_command.go", "Query"},
		{"sso_command.go", "Op"}, {"sso_command.go", "Query"},
		{"life_command.go", "Op"}, {"note_command.go", "Op"}, {"life_command.go", "Query"},
		{"kept_command.go", "Op"}, {"kept_command.go", "Query"}, {"tell_command.go", "Op"},
		{"billed_command.go", "Op"}, {"billed_command.go", "Query"},
	} {
		numbers := found[c.prefix]
		parsed, err := parser.ParseFile(token.NewFileSet(), c.file, nil, 0)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				value, ok := spec.(*ast.ValueSpec)
				if !ok || !strings.HasPrefix(value.Names[0].Name, c.prefix) {
					continue
				}
				name, number := value.Names[0].Name, value.Values[0].(*ast.BasicLit).Value
				require.NotEqual(t, "0", number, name)
				require.Empty(t, numbers[number], "%s and %s share number %s", name, numbers[number], number)
				numbers[number] = name
				require.Contains(t, rows, name, "%s has no row in the samples", name)
				require.Equal(t, number, fmt.Sprint(rows[name]), name)
			}
		}
	}
	require.Len(t, found["Op"], len(samples()))
	require.Len(t, found["Query"], len(querySamples())+2)
}

// TestEveryCommandApplies: the machine knows every command there is, and
// refuses what is malformed with an error that names entry and command.
func TestEveryCommandApplies(t *testing.T) {
	r := newRig(t, fastStore())
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}))
	for _, s := range samples() {
		if s.ofTenant {
			r.apply(encode(s.op, "acme", 1, s.body))
		} else {
			r.apply(encode(s.op, "", 0, s.body))
		}
	}
	for _, s := range samples() {
		tenant := cl.TenantID("acme")
		if !s.ofTenant {
			tenant = ""
		}
		whole := encode(s.op, tenant, 1, s.body)
		for name, bad := range map[string][]byte{
			"trailing byte": append(encode(s.op, tenant, 1, s.body), 0xc0),
			"cut":           whole[:len(whole)-1],
			"no payload":    encode(s.op, tenant, 1, nil),
			"other version": append([]byte{byte(s.op), 2}, whole[2:]...),
			"more fields":   moreFields(t, s, tenant),
		} {
			m := openMachine(t, vfs.NewMem(), "data", smallStore())
			_, err := m.Apply(1, epochStart, [][]byte{encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}), bad}, true)
			require.Error(t, err, "%s: %s", s.name, name)
			require.ErrorContains(t, err, "entry 1", "%s: %s", s.name, name)
			_ = m.Close()
		}
	}
}

// moreFields adds a field to the payload's outer tuple.
func moreFields(t *testing.T, s sample, tenant cl.TenantID) []byte {
	t.Helper()
	b := encode(s.op, tenant, 1, nil)
	at := len(b)
	b, err := s.body.MarshalMsg(b)
	require.NoError(t, err)
	require.Equal(t, byte(0x90), b[at]&0xf0, "a short array")
	b[at]++
	return append(b, 0xc0)
}
