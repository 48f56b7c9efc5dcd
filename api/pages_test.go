package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// What pages need of the API besides what their users work with.

// TestLoginWays: a page for logging in learns whose it is and how to.
func TestLoginWays(t *testing.T) {
	p := newPool(t, 1, 0)
	ways := func() map[string]any { return p.as("", "GET", "/api/v1/login", "").wants(t, 200, "").body }
	require.Equal(t, map[string]any{"tenant_id": string(p.tenant), "company_name": string(p.tenant), "password": true, "sso": nil}, ways())
	p.setSSO(nil)
	sso := map[string]any{
		"name": "id.acme.example", "login_url": live.server.TenantURL(p.tenant) + "/api/v1/sso/login", "enforced": false,
	}
	require.Equal(t, sso, ways()["sso"])
	var put license.SSOResult
	_, err := live.shard.Do(t.Context(), p.tenant, shard.Command{Op: license.OpPutSSO, Result: &put, Payload: &license.PutSSO{
		By: license.By{Platform: true}, Issuer: "https://id.acme.example", ClientID: testClientID, ClientSecret: testClientSecret,
		EmailDomains: []string{"acme.example"}, Enforce: true,
	}})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, put.Code, put.Detail)
	sso["enforced"] = true
	require.Equal(t, sso, ways()["sso"])

	_, _, err = live.shard.ChangeTenant(t.Context(), p.tenant, shard.TenantChange{Plan: cloudlicenses.PlanStartup, Actor: "operator"})
	require.NoError(t, err)
	require.Nil(t, ways()["sso"], "the plan has none")

	send(t, live.edge, "nobody-here.localhost", "GET", "/api/v1/login", "").wants(t, 404, "tenant_not_found")
	send(t, live.edge, "localhost", "GET", "/api/v1/login", "").wants(t, 404, "not_found")
}

// TestVendorLoginWays: the vendors' host knows nobody before they say who they
// are, a white-label host knows its vendor.
func TestVendorLoginWays(t *testing.T) {
	v, id := newVendor(t)
	require.Equal(t, map[string]any{"password": true, "sso": nil},
		vendorDo(t, "", "GET", "/api/v1/login", "").wants(t, 200, "").body)
	host := v.verifyHost(id)
	require.Equal(t, map[string]any{"vendor_id": string(id), "company_name": vendorName(id), "password": true, "sso": nil},
		send(t, live.edge, host, "GET", "/api/v1/login", "").wants(t, 200, "").body)
	vendorDo(t, v.key, "PATCH", "/api/v1/settings", `{"branding":{"name":"Vector","color":"#b70032"}}`).wants(t, 200, "")
	branding := map[string]any{"name": "Vector", "color": "#b70032", "logo_url": ""}
	require.Eventually(t, func() bool { // replicas answer
		me := vendorDo(t, v.key, "GET", "/api/v1/me", "").body["branding"]
		ways := send(t, live.edge, host, "GET", "/api/v1/login", "").body["branding"]
		return reflect.DeepEqual(me, any(branding)) && reflect.DeepEqual(ways, any(branding))
	}, 5*time.Second, 20*time.Millisecond)
	require.NotContains(t, vendorDo(t, "", "GET", "/api/v1/login", "").wants(t, 200, "").body, "branding")
}

// TestPermissions: who asks who it is learns what it may do, and that is what
// routes let it do.
func TestPermissions(t *testing.T) {
	p := newPool(t, 1, 0)
	v, id := newVendor(t)
	for _, role := range cloudlicenses.Roles {
		me := p.as(p.newSession(p.newUser(string(role), role)), "GET", "/api/v1/me", "").wants(t, 200, "")
		require.Equal(t, string(p.tenant), me.text("company_name"))
		require.Equal(t, string(role), me.text("role"))
		require.Equal(t, role.May(cloudlicenses.ActManageUsers), permits(me, "manage_users"))
		require.Equal(t, role.May(cloudlicenses.ActViewCosts), permits(me, "view_costs"))
		require.True(t, permits(me, "own_account"))

		me = vendorDo(t, v.newSession(v.newUser(string(role), role)), "GET", "/api/v1/me", "").wants(t, 200, "")
		require.Equal(t, vendorName(id), me.text("company_name"))
		require.Equal(t, string(role), me.text("role"))
		require.Equal(t, role.May(cloudlicenses.ActManageLicenses), permits(me, "manage_licenses"))
	}
	me := vendorDo(t, v.key, "GET", "/api/v1/me", "").wants(t, 200, "")
	require.NotContains(t, me.body, "role", "a key has none")
	require.True(t, permits(me, "manage_licenses"))
	require.False(t, permits(me, "manage_users"))
}

func permits(me *reply, name string) bool {
	list, _ := me.body["permissions"].([]any)
	for _, permitted := range list {
		if permitted == name {
			return true
		}
	}
	return false
}

// TestPlansAreForEverybody: the same table that operators see.
func TestPlansAreForEverybody(t *testing.T) {
	r := send(t, live.edge, "localhost", "GET", "/api/v1/plans", "").wants(t, 200, "")
	require.Equal(t, "public, max-age=300", r.Header.Get("Cache-Control"))
	require.Equal(t, adminDo(t, "GET", "/v1/plans", "").body, r.body)
	plans := r.body["items"].([]any)
	require.Len(t, plans, len(cloudlicenses.Plans()))
	startup := plans[1].(map[string]any)
	require.Equal(t, "startup", startup["plan"])
	require.Equal(t, json.Number("49.00"), startup["price_monthly"])
	require.Equal(t, json.Number("3"), startup["max_vendors"])
}

// TestProblemsAreExplained: every problem's type leads to what it means.
func TestProblemsAreExplained(t *testing.T) {
	require.Len(t, explanations, len(meanings))
	for i := range meanings {
		code := string(meanings[i].code)
		r := send(t, live.edge, "localhost", "GET", "/problems/"+code, "").wants(t, 200, "")
		require.Equal(t, code, r.text("code"))
		require.Equal(t, json.Number(fmt.Sprint(meanings[i].status)), r.body["status"])
		require.Equal(t, meanings[i].retryable, r.body["retryable"])
		require.NotEmpty(t, r.text("meaning"))
		require.NotEmpty(t, r.text("to_do"))
	}
	refused := send(t, live.edge, "localhost", "GET", "/api/v1/none", "").wants(t, 404, "not_found")
	prefix := live.server.BaseURL()
	require.Equal(t, prefix+"/problems/not_found", refused.text("type"))
	send(t, live.edge, "localhost", "GET", "/problems/none", "").wants(t, 404, "not_found")
	require.Equal(t, "no_leader", send(t, live.admin, "", "GET", "/problems/no_leader", "").wants(t, 200, "").text("code"))
	send(t, live.admin, "", "GET", "/problems/none", "").wants(t, 404, "not_found")
}
