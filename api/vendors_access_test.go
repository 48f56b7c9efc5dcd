package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

const vendorsHost = "vendors.localhost"

// newVendor makes a vendor for one test. Its account is a pool without a
// license, whose key is one of the vendor's.
func newVendor(t testing.TB) (*pool, cloudlicenses.VendorID) {
	t.Helper()
	unique := newUUID(time.Now())
	prefix := fmt.Sprintf("v%x", unique[8:])
	id := cloudlicenses.VendorID(prefix + "-de")
	_, _, err := live.shard.CreateVendor(context.Background(), shard.CreateVendorRequest{ID: id, Name: prefix, LicensePrefix: prefix})
	require.NoError(t, err)
	p := &pool{t: t, tenant: id.Account()}
	p.key, _ = p.newKey(0, time.Time{})
	return p, id
}

// vendorName is what newVendor calls a vendor.
func vendorName(id cloudlicenses.VendorID) string { return strings.TrimSuffix(string(id), "-de") }

// verifyHost gives a vendor a white-label host.
func (p *pool) verifyHost(id cloudlicenses.VendorID) string {
	p.t.Helper()
	host := "licenses." + string(id) + ".example.com"
	set := vendorDo(p.t, p.key, "PATCH", "/api/v1/settings", fmt.Sprintf(`{"white_label":{"host":%q}}`, host)).wants(p.t, 200, "")
	record := set.body["white_label"].(map[string]any)["dns_record"].(map[string]any)
	require.NoError(p.t, live.dns.Set(record["name"].(string), record["value"].(string)))
	vendorDo(p.t, p.key, "POST", "/api/v1/settings/white-label/verify", "").wants(p.t, 200, "")
	return host
}

// vendorDo sends a request to the vendors' host.
func vendorDo(t testing.TB, token, method, path, body string, headers ...header) *reply {
	t.Helper()
	if token != "" {
		headers = append([]header{{"Authorization", "Bearer " + token}}, headers...)
	}
	return send(t, live.edge, vendorsHost, method, path, body, headers...)
}

// vendorRows has a row for every route of the vendors' host that needs a key or
// a session; one without fails the test.
func vendorRows(v *pool, fresh func() license.User) map[string]userRow {
	path := func(s string) func() string { return func() string { return s } }
	rows := userRows(v, fresh)
	n := 0
	other := func() cloudlicenses.KeyID { _, id := v.newKey(0, time.Time{}); return id }
	vendorDo(v.t, v.key, "POST", "/api/v1/products", `{"product_id":"cad","name":"CAD"}`).wants(v.t, 201, "")
	maps.Copy(rows, map[string]userRow{
		"POST /api/v1/keys":                        {path("/api/v1/keys"), path(`{"app_name":"CRM"}`), 201},
		"POST /api/v1/keys/rotate":                 {path("/api/v1/keys/rotate"), func() string { return fmt.Sprintf(`{"key_id":%q}`, other()) }, 200},
		"POST /api/v1/keys/{id}/restrictions":      {func() string { return "/api/v1/keys/" + string(other()) + "/restrictions" }, path(`{"allowed_hostnames":["crm-1"]}`), 200},
		"GET /api/v1/me":                           {path("/api/v1/me"), path(""), 200},
		"GET /api/v1/settings":                     {path("/api/v1/settings"), path(""), 200},
		"GET /api/v1/billing/invoices":             {path("/api/v1/billing/invoices"), path(""), 200},
		"GET /api/v1/billing/invoices/{id}":        {func() string { return "/api/v1/billing/invoices/" + v.newInvoice() }, path(""), 200},
		"POST /api/v1/billing/invoices/{id}/void":  {func() string { return "/api/v1/billing/invoices/" + v.newInvoice() + "/void" }, path(""), 200},
		"POST /api/v1/billing/invoices/run":        {path("/api/v1/billing/invoices/run?period=2026-09"), path(""), 200},
		"GET /api/v1/billing/overage":              {path("/api/v1/billing/overage?start_date=2026-11-01&end_date=2026-11-30"), path(""), 200},
		"GET /api/v1/billing/overview":             {path("/api/v1/billing/overview"), path(""), 200},
		"GET /api/v1/analytics/usage":              {path("/api/v1/analytics/usage?start_date=2026-11-01&end_date=2026-11-30"), path(""), 200},
		"GET /api/v1/analytics/heatmap":            {path("/api/v1/analytics/heatmap?start_date=2026-11-01&end_date=2026-11-30"), path(""), 200},
		"PATCH /api/v1/settings":                   {path("/api/v1/settings"), path(`{"display_name":"Another name"}`), 200},
		"POST /api/v1/settings/white-label/verify": {path("/api/v1/settings/white-label/verify"), path(""), 404},
		"GET /api/v1/products":                     {path("/api/v1/products"), path(""), 200},
		"POST /api/v1/products":                    {path("/api/v1/products"), func() string { n++; return fmt.Sprintf(`{"product_id":"p%d","name":"P"}`, n) }, 201},
		"GET /api/v1/products/{id}":                {path("/api/v1/products/cad"), path(""), 200},
		"PATCH /api/v1/products/{id}":              {path("/api/v1/products/cad"), path(`{"name":"CAD"}`), 200},
	})
	maps.Copy(rows, vendorLicenseRows(v))
	return rows
}

// TestVendorAccess asks every route of the vendors' host with every kind of key
// and session.
func TestVendorAccess(t *testing.T) {
	v, id := newVendor(t)
	other, otherID := newVendor(t)
	tenant := newPool(t, 1, 0)
	n := 0
	rows := vendorRows(v, func() license.User {
		n++
		return v.newUser(fmt.Sprint("fresh", n), cloudlicenses.RoleViewer)
	})
	expired, _ := v.newKey(0, time.Now().Add(-time.Hour))
	revoked, revokedID := v.newKey(0, time.Time{})
	v.revoke(revokedID)
	unknown, stranger := shard.NewAPIKey(v.tenant), shard.NewAPIKey("@no-such-vendor")
	people := map[cloudlicenses.Role]license.User{}
	for _, role := range cloudlicenses.Roles {
		people[role] = v.newUser(string(role), role)
	}
	ended := v.newSession(people[cloudlicenses.RoleOwner])
	v.userDo(license.OpLogout, &license.Logout{Session: shard.HashToken(ended)})
	theirs := tenant.newSession(tenant.newUser("owner", cloudlicenses.RoleOwner))
	forged := shard.NewSessionToken(otherID.Account())[:len("clvs_")+len(otherID)+1] + v.newSession(people[cloudlicenses.RoleOwner])[len("clvs_")+len(id)+1:]

	for _, route := range routeTable() {
		if route.on != onVendors && route.on != forVendorUsers {
			continue
		}
		name := route.method + " " + route.path
		row, ok := rows[name]
		require.True(t, ok, "route %s has no row in vendorRows", name)
		t.Run(name, func(t *testing.T) {
			path, keyed := row.path(), route.on == onVendors
			code := map[int]string{404: "not_found", 422: "invalid_field"}[row.ok]
			for token, refusal := range map[string]string{
				"": "unauthenticated", "x": "unauthenticated", v.key[:len(v.key)-1] + "!": "unauthenticated",
				unknown: "unauthenticated", stranger: "unauthenticated", tenant.key: "unauthenticated",
				expired: "key_expired", revoked: "key_revoked",
				"clvs_": "unauthenticated", shard.NewSessionToken(v.tenant): "unauthenticated",
				shard.NewSessionToken("@no-such-vendor"): "unauthenticated",
				shard.NewSessionToken(tenant.tenant):     "unauthenticated",
				ended:                                    "unauthenticated", theirs: "unauthenticated", forged: "unauthenticated",
			} {
				if !keyed {
					refusal = "unauthenticated"
				}
				r := vendorDo(t, token, route.method, path, row.body()).wants(t, 401, refusal)
				require.Equal(t, "key", r.text("layer"), token)
			}
			if keyed {
				for _, named := range []string{string(otherID), "no-such-vendor", string(tenant.tenant)} {
					r := vendorDo(t, v.key, route.method, path, row.body(), header{headerVendorID, named}).wants(t, 403, "vendor_mismatch")
					require.Equal(t, "host", r.text("layer"))
				}
				vendorDo(t, other.key, route.method, path, row.body(), header{headerVendorID, string(id)}).wants(t, 403, "vendor_mismatch")
				vendorDo(t, v.key, route.method, row.path(), row.body()).wants(t, row.ok, code)
				vendorDo(t, v.key, route.method, row.path(), row.body(), header{headerVendorID, string(id)}).wants(t, row.ok, code)
			}
			for _, role := range cloudlicenses.Roles {
				session := v.newSession(people[role])
				vendorDo(t, session, route.method, path, row.body(), header{headerVendorID, string(otherID)}).wants(t, 403, "vendor_mismatch")
				if !role.May(route.action) {
					vendorDo(t, session, route.method, path, row.body()).wants(t, 403, "forbidden_role")
					continue
				}
				vendorDo(t, session, route.method, row.path(), row.body()).wants(t, row.ok, code)
				byCookie := header{"Cookie", cookiePlain + "=" + v.newSession(people[role])}
				if route.method != http.MethodGet {
					for _, foreign := range []header{{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {}} {
						headers := []header{byCookie}
						if foreign.name != "" {
							headers = append(headers, foreign)
						}
						vendorDo(t, "", route.method, path, row.body(), headers...).wants(t, 401, "unauthenticated")
					}
				}
				vendorDo(t, "", route.method, row.path(), row.body(), byCookie, header{"Origin", "http://" + vendorsHost}).wants(t, row.ok, code)
			}
			for _, host := range []string{"localhost", string(tenant.tenant) + ".localhost"} {
				r := send(t, live.edge, host, route.method, path, row.body(), header{"Authorization", "Bearer " + v.key})
				require.Contains(t, []int{401, 404, 405}, r.StatusCode, "a vendor's key opens nothing on %s", host)
			}
			send(t, live.edge, "example.com", route.method, path, row.body(), header{"Authorization", "Bearer " + v.key}).wants(t, 404, "tenant_not_found")
		})
	}
}

// TestVendorHostsAreApart: what is served on tenants' hosts alone is not on the
// vendors', and an account's name is no host.
func TestVendorHostsAreApart(t *testing.T) {
	v, id := newVendor(t)
	tenant := newPool(t, 1, 0)
	for _, path := range []string{pathCheckout, "/api/v1/leases"} {
		method := http.MethodPost
		if path == "/api/v1/leases" {
			method = http.MethodGet
		}
		for _, key := range []string{v.key, tenant.key} {
			r := vendorDo(t, key, method, path, "{}")
			require.Contains(t, []int{404, 405}, r.StatusCode, "%s", r.raw)
		}
		send(t, live.edge, string(tenant.tenant)+".localhost", method, path, "{}", header{"Authorization", "Bearer " + v.key}).wants(t, 401, "unauthenticated")
		send(t, live.edge, string(v.tenant)+".localhost", method, path, "{}", header{"Authorization", "Bearer " + tenant.key}).wants(t, 400, "malformed_request")
	}
	adminDo(t, "GET", "/v1/tenants/"+string(v.tenant), "").wants(t, 404, "tenant_not_found")
	me := vendorDo(t, v.key, "GET", "/api/v1/me", "").wants(t, 200, "")
	require.Equal(t, string(id), me.text("vendor_id"))
	require.Equal(t, "test", me.text("app_name"))
}

// TestRevokedVendorKey: once a revocation is acknowledged, the key opens nothing.
func TestRevokedVendorKey(t *testing.T) {
	v, _ := newVendor(t)
	key, id := v.newKey(0, time.Time{})
	vendorDo(t, key, "GET", "/api/v1/me", "").wants(t, 200, "")
	v.revoke(id)
	vendorDo(t, key, "GET", "/api/v1/me", "").wants(t, 401, "key_revoked")
}
