package license_test

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// keyCommand builds the body of a command line about keys.
func (s *session) keyCommand(name string, a arguments) (op fsm.Op, body msgp.Marshaler, known bool) {
	id := cl.KeyID(a.text("id", "k1"))
	switch name {
	case "key":
		return license.OpKey, s.key(a), true
	case "revoke-key":
		return license.OpRevokeKey, &license.RevokeKey{By: a.by(), ID: id, ReleaseLeases: a.has("release")}, true
	case "limit-tenant":
		return license.OpLimitTenant, &license.LimitTenant{By: a.by(), CheckoutsPerMinute: a.number("per-minute", 0)}, true
	case "rotate-key":
		return license.OpRotateKey, &license.RotateKey{
			By: a.by(), ID: id, Hash: keyHash(a.text("secret", "")), OverlapMillis: a.duration("overlap", 0),
		}, true
	case "restrict-key":
		restrict := &license.RestrictKey{By: a.by(), ID: id, Restrictions: a.restrictions()}
		for name, member := range map[string]license.Restricted{
			"hosts": license.RestrictHostnames, "networks": license.RestrictNetworks, "cert": license.RestrictCertificate,
			"per-minute": license.RestrictMinute, "per-hour": license.RestrictHour,
		} {
			if a.has(name) {
				restrict.Set |= member
			}
		}
		return license.OpRestrictKey, restrict, true
	}
	return 0, nil, false
}

func (a arguments) restrictions() license.Restrictions {
	r := license.Restrictions{
		CheckoutsPerMinute: a.number("per-minute", 0), RequestsPerHour: a.number("per-hour", 0),
		CertRequired: a.has("cert") && a.text("cert", "") != "no",
	}
	r.Hostnames, r.Networks = a.list("hosts"), a.list("networks")
	if name := a.text("cert", ""); name != "any" && r.CertRequired {
		r.CertName = name
	}
	return r
}

func (s *session) key(a arguments) *license.PutKey {
	id := a.text("id", "k1")
	key := license.Key{
		ID: cl.KeyID(id), Hash: keyHash(a.text("secret", id)), AppName: "app", AppType: "desktop",
		CreatedMillis: s.r.now, ExpiresMillis: a.time("expires", 0), Restrictions: a.restrictions(),
	}
	scopes := a.list("scopes")
	if len(scopes) == 0 {
		scopes = []string{"license:checkout", "license:return"}
	}
	for _, name := range scopes {
		scope, ok := cl.ParseScope(name)
		require.True(s.r.t, ok, name)
		key.Scopes |= scope
	}
	return &license.PutKey{By: a.by(), Key: key}
}

func isKeyOp(op fsm.Op) bool {
	return op == license.OpKey || op == license.OpRevokeKey || op == license.OpRestrictKey || op == license.OpRotateKey
}

func decodeKey(t rapid.TB, b []byte) license.KeyResult {
	t.Helper()
	var k license.KeyResult
	if bytes.Equal(b, mustMarshal(&license.Ack{Code: cl.StalePlacement})) {
		return license.KeyResult{Code: cl.StalePlacement}
	}
	decode(t, b, &k)
	return k
}

func (s *session) showKey(out *strings.Builder, k license.KeyResult) {
	switch {
	case k.Code != cl.OK && k.Detail != "":
		fmt.Fprintf(out, "%s: %s\n", k.Code, k.Detail)
	case k.Code != cl.OK:
		fmt.Fprintln(out, k.Code)
	default:
		fmt.Fprintln(out, keyLine(&k.Key))
	}
}

func keyLine(state *license.KeyState) string {
	k := &state.Key
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s", k.ID, strings.Join(k.Scopes.Names(), ","))
	if k.ExpiresMillis > 0 {
		fmt.Fprintf(&out, " expires %s", clock(k.ExpiresMillis))
	}
	if k.RevokedMillis > 0 {
		fmt.Fprintf(&out, " revoked %s", clock(k.RevokedMillis))
	}
	if k.RotatedMillis > 0 {
		fmt.Fprintf(&out, " rotated %s", clock(k.RotatedMillis))
	}
	for _, secret := range k.Earlier {
		fmt.Fprintf(&out, " earlier until %s", clock(secret.UntilMillis))
	}
	r := &k.Restrictions
	if len(r.Hostnames) > 0 {
		fmt.Fprintf(&out, " hosts %s", strings.Join(r.Hostnames, ","))
	}
	if len(r.Networks) > 0 {
		fmt.Fprintf(&out, " networks %s", strings.Join(r.Networks, ","))
	}
	if r.CertRequired {
		fmt.Fprintf(&out, " cert %q", r.CertName)
	}
	if r.CheckoutsPerMinute > 0 || r.RequestsPerHour > 0 {
		fmt.Fprintf(&out, " %d a minute, %d an hour", r.CheckoutsPerMinute, r.RequestsPerHour)
	}
	if state.LastUsedMillis > 0 {
		fmt.Fprintf(&out, " used %s", clock(state.LastUsedMillis))
	}
	return out.String()
}

func showRate(out *strings.Builder, r license.Rate) {
	if r.Policy != license.RateNone {
		name := map[license.RatePolicy]string{license.RateKeyMinute: "key and minute", license.RateTenantMinute: "tenant and minute", license.RateKeyHour: "key and hour"}[r.Policy]
		fmt.Fprintf(out, "%d of %d by %s, more in %d ms\n", r.Remaining, r.Limit, name, r.AfterMillis)
	}
}

func (s *session) keys(arguments) string {
	var out strings.Builder
	q := license.ListKeys{Limit: 2}
	for range 1000 {
		var page license.KeyPage
		askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryKeys, &q, &page)
		require.Equal(s.r.t, cl.OK, page.Code)
		require.LessOrEqual(s.r.t, len(page.Items), 2)
		for i := range page.Items {
			fmt.Fprintln(&out, keyLine(&page.Items[i]))
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	return out.String()
}
