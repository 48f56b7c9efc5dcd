package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// signUp is the seed's registration with members set by path ("tenant.id").
func signUp(id string, set ...string) string {
	members := map[string]string{
		"company.name": "Mercedes-Benz AG", "company.domain": id + ".com", "company.country": "DE", "company.tax_id": "DE123456789",
		"tenant.id": id, "tenant.region": "eu-central", "tenant.plan": "enterprise",
		"admin.email": "admin@" + id + ".com", "admin.name": "License Administrator",
	}
	for i := 0; i < len(set); i += 2 {
		members[set[i]] = set[i+1]
	}
	var parts []string
	for _, part := range []string{"company name domain country tax_id", "tenant id region plan", "admin email name"} {
		names := strings.Fields(part)
		var inner []string
		for _, name := range names[1:] {
			value, err := json.Marshal(members[names[0]+"."+name])
			if err != nil {
				panic(err)
			}
			inner = append(inner, fmt.Sprintf("%q:%s", name, value))
		}
		parts = append(parts, fmt.Sprintf("%q:{%s}", names[0], strings.Join(inner, ",")))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func askApex(t *testing.T, path, body string) *reply {
	t.Helper()
	return send(t, live.edge, "localhost", "POST", "/api/v1/tenants/"+path, body)
}

// freshID is an id that no other test has, nor one that looks like it.
func freshID() string {
	unique := newUUID(time.Now())
	return "s" + strings.NewReplacer("0", "g", "1", "h").Replace(fmt.Sprintf("%x", unique[8:]))
}

func verification(id, token string) string {
	return fmt.Sprintf(`{"tenant_id":%q,"verification_token":%q}`, id, token)
}

// recordOf is the TXT record that a registration asks for.
func recordOf(t *testing.T, r *reply) (name, token string) {
	t.Helper()
	record := r.body["verification"].(map[string]any)["dns_record"].(map[string]any)
	token, ok := strings.CutPrefix(record["value"].(string), "cloudlicenses-verify=")
	require.True(t, ok)
	return record["name"].(string), token
}

func TestSignUp(t *testing.T) {
	id := freshID()
	r := askApex(t, "register", signUp(id)).wants(t, 201, "")
	require.Equal(t, live.server.TenantURL(cloudlicenses.TenantID(id)), r.text("tenant_url"))
	name, token := recordOf(t, r)
	require.Equal(t, "_cloudlicenses."+id+".com", name)

	askApex(t, "register", signUp(id)).wants(t, 409, "already_exists")
	taken := askApex(t, "register", signUp(freshID(), "company.domain", strings.ToUpper(id)+".COM.")).wants(t, 409, "already_exists")
	require.Equal(t, "/company/domain", taken.body["errors"].([]any)[0].(map[string]any)["pointer"])

	askApex(t, "verify", verification(id, token)).wants(t, 409, "verification_pending")
	require.NoError(t, live.dns.Set(name, "something else"))
	askApex(t, "verify", verification(id, token)).wants(t, 409, "verification_pending")
	require.NoError(t, live.dns.Set(name, "something else", "cloudlicenses-verify="+token))
	askApex(t, "verify", verification(id, token[1:]+"-")).wants(t, 403, "verification_failed")
	askApex(t, "verify", verification("nobody-at-all", token)).wants(t, 404, "tenant_not_found")

	verified := askApex(t, "verify", verification(id, token)).wants(t, 200, "")
	require.Equal(t, "verified", verified.text("status"))
	require.Equal(t, r.text("tenant_url")+"/login", verified.text("admin_login"))
	require.Equal(t, string(verified.raw), string(askApex(t, "verify", verification(id, token)).wants(t, 200, "").raw), "the same again")
	require.NoError(t, live.dns.Set(name))
	askApex(t, "verify", verification(id, token)).wants(t, 200, "")
	askApex(t, "verify", verification(id, "-"+token[1:])).wants(t, 403, "verification_failed")

	shown := adminDo(t, "GET", "/v1/tenants/"+id, "").wants(t, 200, "")
	require.Equal(t, "active", shown.text("status"))
	require.Equal(t, verified.text("crm_id"), shown.text("customer_id"))
	send(t, live.edge, id+".localhost", "GET", "/api/v1/licenses", "", header{"Authorization", "Bearer " + shard.NewAPIKey(cloudlicenses.TenantID(id))}).
		wants(t, 401, "unauthenticated") // the tenant is there, and has no key
	var users license.UserPage
	_, err := live.shard.Read(t.Context(), cloudlicenses.TenantID(id), shard.Command{
		Op: license.QueryUsers, Payload: &license.ListUsers{Limit: 10}, Result: &users,
	}, shard.ReadOptions{Linearizable: true})
	require.NoError(t, err)
	require.Len(t, users.Items, 1)
	require.Equal(t, cloudlicenses.RoleOwner, users.Items[0].Role)
	require.Equal(t, "admin@"+id+".com", users.Items[0].Email)
	_, err = live.shard.CreateTenant(context.Background(), shard.CreateTenantRequest{ID: cloudlicenses.TenantID(id)})
	require.ErrorContains(t, err, "already_exists")
}

func TestSignUpSaysWhichFieldIsWrong(t *testing.T) {
	for _, wrong := range [][3]string{
		{"company.name", ""}, {"company.name", strings.Repeat("x", 301)}, {"company.name", "a\u0000b"},
		{"company.domain", ""}, {"company.domain", "co.uk"}, {"company.domain", "com"}, {"company.domain", "192.0.2.1"},
		{"company.domain", "a b.com"}, {"company.domain", "localhost"}, {"company.domain", strings.Repeat("a.", 130) + "com"},
		{"company.country", "de"}, {"company.country", "XX"}, {"company.tax_id", strings.Repeat("1", 51)},
		{"tenant.id", ""}, {"tenant.id", "www"}, {"tenant.id", "vendors"}, {"tenant.id", "rnail"}, {"tenant.id", "adm1n"}, {"tenant.id", "A"},
		{"tenant.region", ""}, {"tenant.plan", "gold"},
		{"admin.email", "nobody"}, {"admin.email", "A <a@b.com>"}, {"admin.email", strings.Repeat("a", 250) + "@b.com"},
		{"admin.email", "jörg@mercedes.com"}, {"admin.email", "a@münchen.de"}, {"admin.name", ""},
	} {
		r := askApex(t, "register", signUp(freshID(), wrong[0], wrong[1])).wants(t, 422, "invalid_field")
		require.Len(t, r.body["errors"], 1, wrong)
		require.Equal(t, "/"+strings.ReplaceAll(wrong[0], ".", "/"), r.body["errors"].([]any)[0].(map[string]any)["pointer"])
	}
	pasted := askApex(t, "register", signUp(freshID(), "company.domain", "https://www.mercedes.com")).wants(t, 422, "invalid_field")
	require.Contains(t, pasted.body["errors"].([]any)[0].(map[string]any)["detail"], "without https:// and www.")
	askApex(t, "register", `{"company":{"nam":"x"}}`).wants(t, 400, "malformed_request")
	require.Len(t, askApex(t, "register", `{}`).wants(t, 422, "invalid_field").body["errors"], 8)
	require.Len(t, askApex(t, "verify", `{}`).wants(t, 422, "invalid_field").body["errors"], 2)
	askApex(t, "register", signUp(freshID(), "tenant.region", "us-east")).wants(t, 409, "region_unavailable")

	id := freshID()
	askApex(t, "register", signUp(id+"rn", "company.domain", "bücher-"+id+".de")).wants(t, 201, "")
	askApex(t, "register", signUp(id+"m")).wants(t, 409, "already_exists")
}

func TestVerifyIsLimited(t *testing.T) {
	id := freshID()
	name, token := recordOf(t, askApex(t, "register", signUp(id)).wants(t, 201, ""))
	for range 20 {
		askApex(t, "verify", verification(id, "wrong")).wants(t, 403, "verification_failed")
	}
	limited := askApex(t, "verify", verification(id, "wrong")).wants(t, 429, "rate_limited")
	require.Equal(t, "3600", limited.Header.Get("Retry-After"))
	require.NoError(t, live.dns.Set(name, "cloudlicenses-verify="+token))

	askApex(t, "verify", verification(id, token)).wants(t, 200, "") // whatever strangers tried

	var result directory.RegistrationResult
	_, err := live.shard.ReadDirectory(t.Context(), shard.Command{
		Op: directory.QueryRegistration, Payload: &directory.GetTenant{ID: cloudlicenses.TenantID(id)}, Result: &result,
	}, shard.ReadOptions{})
	require.NoError(t, err)
	require.Equal(t, directory.RegistrationDone, result.Registration.Status)
}
