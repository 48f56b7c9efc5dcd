package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// TestAdminAccess: every route but the open ones asks for the token.
func TestAdminAccess(t *testing.T) {
	for _, row := range adminTable() {
		method, path, _ := strings.Cut(row.pattern, " ")
		path = strings.NewReplacer("{tenant}", "nobody", "{group}", "0", "{id}", "not_found").Replace(path)
		if row.open {
			send(t, live.admin, "", method, path, "").wants(t, 200, "")
			continue
		}
		for _, authorization := range []string{"", "Bearer", "Bearer wrong", "Basic " + live.shard.Secrets().AdminToken, live.shard.Secrets().AdminToken} {
			r := send(t, live.admin, "", method, path, "", header{"Authorization", authorization}).wants(t, 401, "unauthenticated")
			require.NotEmpty(t, r.Header.Get("WWW-Authenticate"))
		}
	}
	require.Equal(t, 401, send(t, live.admin, "", "GET", "/debug/pprof/heap", "").StatusCode)
	require.Equal(t, 200, adminDo(t, "GET", "/debug/pprof/heap", "").StatusCode)
	require.Equal(t, 200, send(t, live.admin, "", "GET", "/", "").StatusCode)
	adminDo(t, "GET", "/v1/nope", "").wants(t, 404, "not_found")
	r := adminDo(t, "POST", "/v1/cluster", "").wants(t, 405, "method_not_allowed")
	require.Equal(t, "GET", r.Header.Get("Allow"))
	require.Equal(t, "this path takes GET", r.text("detail"))
}

func TestAdminCluster(t *testing.T) {
	send(t, live.admin, "", "GET", "/healthz", "").wants(t, 200, "")
	require.Equal(t, "ready", send(t, live.admin, "", "GET", "/readyz", "").wants(t, 200, "").text("status"))
	r := adminDo(t, "GET", "/v1/cluster", "").wants(t, 200, "")
	node := r.body["nodes"].([]any)[0].(map[string]any)
	for name, want := range map[string]string{"id": "n1", "state": "alive", "http": "http://127.0.0.1:1", "region": "eu-central", "zone": "a", "version": "test"} {
		require.Equal(t, want, node[name], name)
	}
	groups := r.body["groups"].([]any)
	require.Len(t, groups, 3)
	for i, kind := range []string{"directory", "license", "license"} {
		group := groups[i].(map[string]any)
		require.EqualValues(t, fmt.Sprint(i), group["id"])
		require.Equal(t, kind, group["kind"])
		require.Equal(t, "n1", group["leader"])
		require.NotZero(t, group["term"])
		replica := group["replicas"].([]any)[0].(map[string]any)
		require.Equal(t, "n1", replica["node"])
		require.Equal(t, "leader", replica["role"])
		hash := adminDo(t, "GET", fmt.Sprintf("/v1/groups/%d/hash", i), "").wants(t, 200, "")
		require.Len(t, hash.text("hash"), 64)
		require.NotZero(t, hash.body["applied_index"])
	}
	adminDo(t, "POST", "/v1/cluster/join", `{"addresses":[]}`).wants(t, 422, "invalid_field")
	r = adminDo(t, "POST", "/v1/cluster/join", `{"addresses":["127.0.0.1:1","127.0.0.1:2"]}`).wants(t, 422, "invalid_field")
	require.Regexp(t, `^none of the addresses answered: failed to join 127.0.0.1:1: [^;\n]+; failed to join 127.0.0.1:2: [^;\n]+$`, r.text("detail"))
	adminDo(t, "POST", "/v1/cluster/join", `{"addresses":["x"],"more":1}`).wants(t, 400, "malformed_request")
	adminDo(t, "POST", "/v1/cluster/join", `{"addresses":["x"],"addresses":["y"]}`).wants(t, 400, "malformed_request")
	adminDo(t, "POST", "/v1/cluster/join", `{"addresses":"x"}`).wants(t, 422, "invalid_field")
	adminDo(t, "GET", "/v1/groups/x/hash", "").wants(t, 404, "not_found")
}

func TestAdminTenantsAndVendors(t *testing.T) {
	unique := newUUID(time.Now())
	id := fmt.Sprintf("adm%x", unique[8:])
	body := fmt.Sprintf(`{"id":%q,"company":"ACME","licenses":{"product":"cad","commit":2,"max_overage":1,"count":3}}`, id)
	created := adminDo(t, "POST", "/v1/tenants", body).wants(t, 201, "")
	require.Equal(t, id, created.text("tenant_id"))
	require.True(t, strings.HasPrefix(created.text("api_key"), "clsk_"+id+"_"))
	require.True(t, strings.HasPrefix(created.text("license_id"), "lic-operator-"+id+"-"))
	require.Equal(t, live.server.TenantURL(cloudlicenses.TenantID(id)), created.text("tenant_url"))
	adminDo(t, "POST", "/v1/tenants", body).wants(t, 409, "already_exists")
	reserved := adminDo(t, "POST", "/v1/tenants", `{"id":"www"}`).wants(t, 422, "invalid_field")
	require.Contains(t, string(reserved.raw), "www is reserved")
	for invalid, code := range map[string]string{
		`{"id":"UPPER"}`: "invalid_field", `{}`: "invalid_field", `{"id":"www"}`: "invalid_field",
		`{"id":"fine-one","licenses":{}}`:                                          "invalid_field",
		`{"id":"fine-one","licenses":{"product":"p","commit":-1}}`:                 "invalid_entitlement",
		`{"id":"fine-one","region":"mars"}`:                                        "region_unavailable",
		`{"id":"fine-one","licenses":{"product":"p","commit":"1"}}`:                "invalid_field",
		`{"id":"fine-one","plan":"gold"}`:                                          "invalid_field",
		`{"id":"fine-one","owner_email":"ann"}`:                                    "invalid_field",
		`{"id":"fine-one","unknown":1}`:                                            "malformed_request",
		`{"id":"fine-one"}x`:                                                       "malformed_request",
		`{"id":"fine-one","licenses":{"product":"p","commit":1,"count":99999999}}`: "invalid_field",
	} {
		r := adminDo(t, "POST", "/v1/tenants", invalid)
		require.Equal(t, code, r.text("code"), "%s → %s", invalid, r.raw)
	}
	shown := adminDo(t, "GET", "/v1/tenants/"+id, "").wants(t, 200, "")
	require.Equal(t, "active", shown.text("status"))
	require.Equal(t, "ACME", shown.text("company"))
	require.Equal(t, "enterprise", shown.text("plan"))
	require.Equal(t, "eu-central", shown.text("region"))
	require.Equal(t, live.server.TenantURL("x")[len("http://x"):], shown.text("url")[len("http://")+len(id):])
	adminDo(t, "GET", "/v1/tenants/nobody-here", "").wants(t, 404, "tenant_not_found")
	adminDo(t, "GET", "/v1/tenants/nobody-here/leases", "").wants(t, 404, "tenant_not_found")
	require.Len(t, adminDo(t, "GET", "/v1/tenants/"+id+"/licenses", "").wants(t, 200, "").body["items"], 3)

	owned := cloudlicenses.TenantID(id + "-owned")
	adminDo(t, "POST", "/v1/tenants", fmt.Sprintf(`{"id":%q,"owner_email":"Ann@Acme.example"}`, owned)).wants(t, 201, "")
	var users license.UserPage
	_, err := live.shard.Read(t.Context(), owned, shard.Command{
		Op: license.QueryUsers, Payload: &license.ListUsers{Limit: 10}, Result: &users,
	}, shard.ReadOptions{Linearizable: true})
	require.NoError(t, err)
	require.Len(t, users.Items, 1)
	require.Equal(t, []any{"ann@acme.example", cloudlicenses.RoleOwner, cloudlicenses.UserInvited},
		[]any{users.Items[0].Email, users.Items[0].Role, users.Items[0].Status})

	require.NotEmpty(t, adminDo(t, "GET", "/v1/tenants?limit=1", "").wants(t, 200, "").text("next_cursor"))

	vendor := fmt.Sprintf(`{"id":"v%x-de","name":"Vector"}`, unique[8:])
	made := adminDo(t, "POST", "/v1/vendors", vendor).wants(t, 201, "")
	require.Equal(t, made.text("id"), made.text("license_prefix")+"-de")
	again := adminDo(t, "POST", "/v1/vendors", vendor).wants(t, 200, "")
	require.Equal(t, made.body, again.body, "what is stored")
	require.NotContains(t, string(again.raw), "api_key")
	withKey := adminDo(t, "POST", "/v1/vendors", strings.Replace(vendor, "{", `{"with_key":true,`, 1)).wants(t, 200, "").text("api_key")
	vendorDo(t, withKey, "GET", "/api/v1/settings", "").wants(t, 200, "")
	adminDo(t, "POST", "/v1/vendors", strings.Replace(vendor, "Vector", "Other", 1)).wants(t, 409, "already_exists")
	adminDo(t, "POST", "/v1/vendors", `{"id":"a b"}`).wants(t, 422, "invalid_field")
	require.NotEmpty(t, adminDo(t, "GET", "/v1/vendors", "").wants(t, 200, "").body["items"])
}

func TestAdminReads(t *testing.T) {
	p := newPool(t, 1, 2)
	p.post(pathCheckout, `{"product_id":"cad","user":"alice","count":3}`).wants(t, 201, "")
	p.checkout("bob").wants(t, 409, "overage_max_exceeded")
	get := func(what string) *reply {
		return adminDo(t, "GET", "/v1/tenants/"+string(p.tenant)+"/"+what, "").wants(t, 200, "")
	}
	items := func(what string) []any { return get(what).body["items"].([]any) }
	lease := items("leases")[0].(map[string]any)
	require.Equal(t, "alice", lease["user"])
	require.Equal(t, "lease-1", lease["lease_id"])
	require.NotEmpty(t, lease["key_id"])
	require.Empty(t, items("leases?user=bob"))
	require.EqualValues(t, "3", items("licenses")[0].(map[string]any)["in_use"])
	usage := items("usage")[0].(map[string]any)
	require.EqualValues(t, "2", usage["overage_uses"])
	require.EqualValues(t, "1", usage["refusals"].(map[string]any)["overage_max_exceeded"])
	overage := items("overage")
	require.Len(t, overage, 1)
	require.EqualValues(t, "2", overage[0].(map[string]any)["uses"])
	require.EqualValues(t, "0.00", overage[0].(map[string]any)["unit_price"])
	require.Equal(t, "EUR", overage[0].(map[string]any)["currency"])
	require.Empty(t, items("overage?month=2001-01"))
	audit := items("audit")
	require.Len(t, audit, 4)
	require.Equal(t, "license.provisioned", audit[0].(map[string]any)["action"])
	require.Equal(t, "key.generate", audit[1].(map[string]any)["action"])
	require.Equal(t, "success", audit[2].(map[string]any)["result"])
	require.Equal(t, "overage_max_exceeded", audit[3].(map[string]any)["result"])
	require.Len(t, items("audit?user=bob&from=2020-01-01T00:00:00Z"), 1)
	require.Equal(t, true, get("audit/verify").body["valid"])
	for _, query := range []string{"usage?month=x", "overage?month=2025-13", "audit?from=x", "leases?limit=0"} {
		adminDo(t, "GET", "/v1/tenants/"+string(p.tenant)+"/"+query, "").wants(t, 422, "invalid_field")
	}
	adminDo(t, "GET", "/v1/tenants/"+string(p.tenant)+"/leases", "", header{headerMinIndex, "x"}).wants(t, 422, "invalid_field")
}

func TestMetrics(t *testing.T) {
	p := newPool(t, 1, 0)
	p.checkout("u").wants(t, 201, "")
	p.checkout("u").wants(t, 409, "license_unavailable")
	text := string(send(t, live.admin, "", http.MethodGet, "/metrics", "").raw)
	for _, want := range []string{
		`cloudlicenses_http_requests_total{code="ok",route="checkout"}`,
		`cloudlicenses_http_requests_total{code="license_unavailable",route="checkout"}`,
		`cloudlicenses_http_request_seconds_count{route="checkout"}`,
		`cloudlicenses_http_in_flight 0`,
	} {
		require.Contains(t, text, want)
	}
}

// TestNotReady: without a cluster, the edge says so, and that a retry helps.
func TestNotReady(t *testing.T) {
	_, address := newEdge(t, nil)
	r := send(t, address, "mercedes.localhost", "POST", pathCheckout, `{"product_id":"cad","user":"u"}`,
		header{"Authorization", "Bearer " + shard.NewAPIKey("mercedes")})
	r.wants(t, 503, "no_leader")
	require.Equal(t, "1", r.Header.Get("Retry-After"))
	require.Equal(t, true, r.body["retryable"])
	send(t, address, "localhost", "GET", "/.well-known/jwks.json", "").wants(t, 503, "no_leader")
}
