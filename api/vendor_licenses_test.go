package api

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// generation is a request to generate a license for a tenant, with members set
// by pointer ("/contract/end_date"): a JSON text each, empty to leave it out.
func generation(tenant cloudlicenses.TenantID, product string, set ...string) string {
	year := time.Now().UTC().Year()
	body := map[string]any{
		"crm_opportunity_id": "SF-" + product,
		"customer":           map[string]any{"crm_account_id": "ACC-" + string(tenant), "name": "Customer AG", "tenant_id": tenant, "contact_email": "licenses@customer.com"},
		"product":            map[string]any{"id": product, "name": "Product " + product, "version": ">=8.0.0"},
		"entitlement": map[string]any{
			"total_licenses": 20, "commit_qty": 5, "max_overage": 15,
			"pricing": map[string]any{"commit_fee_monthly": json.RawMessage("5000.0"), "overage_per_use": json.RawMessage("500.00"), "currency": "EUR"},
		},
		"contract":       map[string]any{"start_date": fmt.Sprintf("%d-01-01", year), "end_date": fmt.Sprintf("%d-12-31", year), "auto_renew": true, "billing_cycle": "monthly"},
		"auto_provision": true,
	}
	for i := 0; i < len(set); i += 2 {
		names := strings.Split(strings.TrimPrefix(set[i], "/"), "/")
		at := body
		for _, name := range names[:len(names)-1] {
			at = at[name].(map[string]any)
		}
		if last := names[len(names)-1]; set[i+1] == "" {
			delete(at, last)
		} else {
			at[last] = json.RawMessage(set[i+1])
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// newLicense posts a generation with the vendor's key.
func (p *pool) newLicense(body string) *reply {
	p.t.Helper()
	return vendorDo(p.t, p.key, "POST", "/api/v1/licenses/generate", body)
}

// licensed is a tenant with a license of a vendor of its own.
func licensed(t testing.TB, set ...string) (vendor, tenant *pool, id string) {
	t.Helper()
	vendor, _ = newVendor(t)
	tenant = newPool(t, 1, 0)
	id = vendor.newLicense(generation(tenant.tenant, "davinci", set...)).wants(t, 201, "").text("license_id")
	return vendor, tenant, id
}

// vendorLicenseRows are the rows of vendorRows for licenses and customers.
func vendorLicenseRows(v *pool) map[string]userRow {
	tenant := newPool(v.t, 1, 0)
	n := 0
	next := func() string { n++; return fmt.Sprint("product-", n) }
	fresh := func(set ...string) string {
		return v.newLicense(generation(tenant.tenant, next(), set...)).wants(v.t, 201, "").text("license_id")
	}
	kept := fresh()
	path := func(s string) func() string { return func() string { return s } }
	of := func(verb string) userRow {
		return userRow{func() string { return "/api/v1/licenses/" + fresh() + verb }, path(""), 200}
	}
	charged := "" // the license that was charged last
	charge := func() string {
		product := next()
		charged = v.newLicense(generation(tenant.tenant, product)).wants(v.t, 201, "").text("license_id")
		tenant.post(pathCheckout, fmt.Sprintf(`{"product_id":%q,"user":"u","count":6}`, product)).wants(v.t, 201, "")
		list := vendorDo(v.t, v.key, "GET", "/api/v1/billing/overage/records?license_id="+charged, "").wants(v.t, 200, "")
		return "/api/v1/billing/overage/records/" + list.body["items"].([]any)[0].(map[string]any)["record_id"].(string) + "/adjust"
	}
	return map[string]userRow{
		"GET /api/v1/billing/overage/records": {path("/api/v1/billing/overage/records?license_id=" + kept), path(""), 200},
		"POST /api/v1/billing/overage/records/{id}/adjust": {charge, func() string {
			return fmt.Sprintf(`{"license_id":%q,"uses":1,"reason":"a mistake"}`, charged)
		}, 201},
		"POST /api/v1/licenses/generate": {path("/api/v1/licenses/generate"), func() string { return generation(tenant.tenant, next()) }, 201},
		"POST /api/v1/licenses/provision": {path("/api/v1/licenses/provision"), func() string {
			return fmt.Sprintf(`{"license_id":%q,"customer":{"crm_account_id":"ACC-%s"}}`, fresh("/auto_provision", "false"), tenant.tenant)
		}, 200},
		"GET /api/v1/licenses":               {path("/api/v1/licenses"), path(""), 200},
		"GET /api/v1/licenses/{id}":          {path("/api/v1/licenses/" + kept), path(""), 200},
		"PATCH /api/v1/licenses/{id}":        {path("/api/v1/licenses/" + kept), path(`{"entitlement":{"total_licenses":19}}`), 200},
		"POST /api/v1/licenses/{id}/suspend": of("/suspend"),
		"POST /api/v1/licenses/{id}/resume":  of("/resume"),
		"POST /api/v1/licenses/{id}/revoke":  of("/revoke"),
		"GET /packages/{id}":                 {path("/packages/" + kept), path(""), 200},
		"GET /api/v1/customers":              {path("/api/v1/customers"), path(""), 200},
		"GET /api/v1/customers/search":       {path("/api/v1/customers/search?name=customer"), path(""), 200},
		"PATCH /api/v1/customers/{id}":       {path("/api/v1/customers/ACC-" + string(tenant.tenant)), path(`{"auto_provision":null}`), 200},
	}
}

// linkedVendorRows are the rows of userRows for a tenant's vendors.
func linkedVendorRows(p *pool) map[string]userRow {
	if _, isVendor := p.tenant.Vendor(); isVendor {
		return nil
	}
	v, id := newVendor(p.t)
	v.newLicense(generation(p.tenant, "linked")).wants(p.t, 201, "")
	path := func(s string) func() string { return func() string { return s } }
	return map[string]userRow{
		"GET /api/v1/vendors":               {path("/api/v1/vendors"), path(""), 200},
		"POST /api/v1/vendors/{id}/block":   {path("/api/v1/vendors/" + string(id) + "/block"), path(""), 200},
		"POST /api/v1/vendors/{id}/unblock": {path("/api/v1/vendors/" + string(id) + "/unblock"), path(""), 200},
	}
}

// TestGeneratedLicense: from the request to seats at the tenant, and what the
// vendor sees of it.
func TestGeneratedLicense(t *testing.T) {
	vendor, tenant, id := licensed(t)
	tenant.product = "davinci"
	for range 6 {
		tenant.checkout("alice").wants(t, 201, "")
	}
	l := vendorDo(t, vendor.key, "GET", "/api/v1/licenses/"+id+"?consistency=linearizable", "").wants(t, 200, "")
	require.Equal(t, "provisioned", l.text("status"))
	require.Equal(t, map[string]any{
		"in_use": json.Number("6"), "commit_in_use": json.Number("5"), "overage_in_use": json.Number("1"), "available": json.Number("14"),
	}, l.body["pool"])
	pricing := l.body["entitlement"].(map[string]any)["pricing"].(map[string]any)
	require.Equal(t, json.Number("5000.00"), pricing["commit_fee_monthly"])
	require.Equal(t, json.Number("500.00"), pricing["overage_per_use"])
	require.Regexp(t, `^d:\d+,g\d+:\d+$`, l.Header.Get(headerApplied))
	require.NotEmpty(t, l.Header.Get(headerStaleness))

	// Overlapping it is not possible, following it is.
	year := time.Now().UTC().Year()
	overlapping := vendor.newLicense(generation(tenant.tenant, "davinci", "/crm_opportunity_id", `"SF-2"`)).wants(t, 409, "already_exists")
	require.Equal(t, id, overlapping.text("license_id"))
	next := vendor.newLicense(generation(tenant.tenant, "davinci", "/crm_opportunity_id", `"SF-2"`,
		"/contract/start_date", fmt.Sprintf(`"%d-01-01"`, year+1), "/contract/end_date", fmt.Sprintf(`"%d-12-31"`, year+1))).wants(t, 201, "")
	require.Equal(t, fmt.Sprintf("%d-001", year+1), next.text("license_id")[len(next.text("license_id"))-8:])

	// The same key on another vendor's license, and one that is not there.
	other, _ := newVendor(t)
	for _, at := range []struct{ method, path, body string }{
		{"GET", "/api/v1/licenses/%s", ""}, {"PATCH", "/api/v1/licenses/%s", `{"contract":{"auto_renew":false}}`}, {"GET", "/packages/%s", ""},
		{"POST", "/api/v1/licenses/%s/suspend", ""}, {"POST", "/api/v1/licenses/%s/resume", ""}, {"POST", "/api/v1/licenses/%s/revoke", ""},
	} {
		theirs := vendorDo(t, other.key, at.method, fmt.Sprintf(at.path, id), at.body).wants(t, 404, "not_found")
		nobodys := vendorDo(t, other.key, at.method, fmt.Sprintf(at.path, "lic-none"), at.body).wants(t, 404, "not_found")
		delete(theirs.body, "request_id")
		delete(nobodys.body, "request_id")
		require.Equal(t, theirs.body, nobodys.body)
	}
	provision := `{"license_id":%q,"customer":{"crm_account_id":"ACC"}}`
	vendorDo(t, other.key, "POST", "/api/v1/licenses/provision", fmt.Sprintf(provision, id)).wants(t, 404, "not_found")
	require.Empty(t, vendorDo(t, other.key, "GET", "/api/v1/licenses", "").wants(t, 200, "").body["items"])
}

// TestAmendedLicense: an amendment holds from the next checkout on, overage
// that was charged keeps its price.
func TestAmendedLicense(t *testing.T) {
	vendor, tenant, id := licensed(t)
	tenant.product = "davinci"
	at := "/api/v1/licenses/" + id
	for range 6 {
		tenant.checkout("alice").wants(t, 201, "")
	}
	changed := vendorDo(t, vendor.key, "PATCH", at, `{"entitlement":{"total_licenses":7,"max_overage":2,"pricing":{"overage_per_use":600.5}}}`).wants(t, 200, "")
	require.Equal(t, json.Number("600.50"), changed.body["entitlement"].(map[string]any)["pricing"].(map[string]any)["overage_per_use"])
	require.NotEmpty(t, changed.Header.Get(headerApplied))
	tenant.checkout("alice").wants(t, 201, "")
	tenant.checkout("alice").wants(t, 409, "overage_max_exceeded")
	overage := adminDo(t, "GET", "/v1/tenants/"+string(tenant.tenant)+"/overage?consistency=linearizable&period="+time.Now().UTC().Format("2006-01"), "")
	require.Equal(t, 1, strings.Count(string(overage.raw), "500.00"), string(overage.raw))
	require.Equal(t, 1, strings.Count(string(overage.raw), "600.50"), string(overage.raw))

	for body, pointer := range map[string]string{
		`{"entitlement":{"total_licenses":100}}`:                       "/entitlement",
		`{"entitlement":{"pricing":{"commit_fee_monthly":1.234}}}`:     "/entitlement/pricing/commit_fee_monthly",
		`{"entitlement":{"pricing":{"currency":"USD"}}}`:               "/entitlement/pricing/currency",
		`{"contract":{"end_date":"2001-01-01"}}`:                       "/contract/end_date",
		`{"contract":{"end_date":"2025-02-29"}}`:                       "/contract/end_date",
		`{"contract":{"billing_cycle":"weekly"}}`:                      "/contract/billing_cycle",
		`{"product":{"version":">>"}}`:                                 "/product/version",
		`{"entitlement":{"commit_qty":-1}}`:                            "/entitlement/commit_qty",
		`{"entitlement":{"pricing":{"overage_per_use":"500.00"}}}`:     "/entitlement/pricing/overage_per_use",
		`{"entitlement":{"pricing":{"overage_per_use":5e2}}}`:          "/entitlement/pricing/overage_per_use",
		`{"entitlement":{"pricing":{"overage_per_use":-1}}}`:           "/entitlement/pricing/overage_per_use",
		`{"entitlement":{"total_licenses":100000001}}`:                 "/entitlement/total_licenses",
		`{"contract":{"start_date":"1969-12-31"}}`:                     "/contract/start_date",
		`{"entitlement":{"total_licenses":"20"}}`:                      "/entitlement/total_licenses",
		`{"entitlement":{"pricing":{"commit_fee_monthly":"a"}}}`:       "/entitlement/pricing/commit_fee_monthly",
		`{"entitlement":{"pricing":{"commit_fee_monthly":1e16}}}`:      "/entitlement/pricing/commit_fee_monthly",
		`{"entitlement":{"pricing":{"commit_fee_monthly":[1]}}}`:       "/entitlement/pricing/commit_fee_monthly",
		`{"entitlement":{"pricing":{"commit_fee_monthly":0.0000001}}}`: "/entitlement/pricing/commit_fee_monthly",
	} {
		r := vendorDo(t, vendor.key, "PATCH", at, body)
		require.Equal(t, 422, r.StatusCode, "%s: %s", body, r.raw)
		require.Equal(t, pointer, r.body["errors"].([]any)[0].(map[string]any)["pointer"], body)
	}
	vendorDo(t, vendor.key, "PATCH", at, `{"status":"revoked"}`).wants(t, 400, "malformed_request")
	vendorDo(t, vendor.key, "PATCH", at, `{"entitlement":{"total_licenses":5,"total_licenses":6}}`).wants(t, 400, "malformed_request")

	vendorDo(t, vendor.key, "POST", at+"/suspend", "").wants(t, 200, "")
	tenant.post("/api/v1/licenses/return", `{"lease_id":"lease-1"}`).wants(t, 200, "")
	tenant.checkout("alice").wants(t, 409, "license_not_active")
	require.Equal(t, "suspended", vendorDo(t, vendor.key, "POST", at+"/suspend", "").wants(t, 200, "").text("status"))
	resumed := vendorDo(t, vendor.key, "POST", at+"/resume", "").wants(t, 200, "")
	require.Nil(t, resumed.body["suspended_at"])
	tenant.checkout("alice").wants(t, 201, "")
	require.NotNil(t, vendorDo(t, vendor.key, "POST", at+"/revoke", "").wants(t, 200, "").body["revoked_at"])
	tenant.checkout("alice").wants(t, 409, "license_not_active")
	for _, method := range []string{"/resume", "/suspend"} {
		vendorDo(t, vendor.key, "POST", at+method, "").wants(t, 409, "license_not_active")
	}
	vendorDo(t, vendor.key, "PATCH", at, `{"contract":{"auto_renew":false}}`).wants(t, 409, "license_not_active")
	vendorDo(t, vendor.key, "GET", "/packages/"+id, "").wants(t, 409, "license_not_active")
}

// TestGenerationSaysWhichFieldIsWrong: every field has its limit and its error.
func TestGenerationSaysWhichFieldIsWrong(t *testing.T) {
	vendor, tenant, _ := licensed(t)
	long := `"` + strings.Repeat("x", 301) + `"`
	for _, wrong := range [][]string{
		{"/crm_opportunity_id", `""`}, {"/crm_opportunity_id", long}, {"/crm_opportunity_id", `"a/b"`}, {"/crm_opportunity_id", ""},
		{"/customer/crm_account_id", `""`}, {"/customer/crm_account_id", `" a"`}, {"/customer/crm_account_id", `"ü"`}, {"/customer/crm_account_id", long},
		{"/customer/name", ""}, {"/customer/name", long}, {"/customer/name", `"a\u0000b"`}, {"/customer/name", `" a"`},
		{"/customer/tenant_id", `"www"`}, {"/customer/tenant_id", `"Mercedes"`}, {"/customer/tenant_id", `"@vector-de"`},
		{"/customer/contact_email", `"nobody"`}, {"/customer/contact_email", `"A <a@b.com>"`},
		{"/product/id", ""}, {"/product/id", `"a b"`}, {"/product/name", long}, {"/product/version", long}, {"/product/version", `">>1"`},
		{"/entitlement/total_licenses", ""}, {"/entitlement/total_licenses", "-1"}, {"/entitlement/total_licenses", "100000001"}, {"/entitlement/total_licenses", "1.5"},
		{"/entitlement/commit_qty", ""}, {"/entitlement/commit_qty", "-1"}, {"/entitlement/max_overage", ""}, {"/entitlement/max_overage", "-1"},
		{"/entitlement/pricing/currency", ""}, {"/entitlement/pricing/currency", `"eur"`}, {"/entitlement/pricing/currency", `"XXX"`},
		{"/entitlement/pricing/commit_fee_monthly", ""}, {"/entitlement/pricing/commit_fee_monthly", "5000.001"}, {"/entitlement/pricing/commit_fee_monthly", `"5000"`},
		{"/entitlement/pricing/overage_per_use", "null"}, {"/entitlement/pricing/overage_per_use", "-0.01"}, {"/entitlement/pricing/overage_per_use", "1e3"},
		{"/contract/start_date", ""}, {"/contract/start_date", `"2025-02-29"`}, {"/contract/start_date", `"2025-1-1"`}, {"/contract/start_date", `"2025-01-01T00:00:00Z"`},
		{"/contract/end_date", ""}, {"/contract/end_date", `"2000-12-31"`}, {"/contract/end_date", `"2026-04-31"`}, {"/contract/end_date", `"10000-01-01"`},
		{"/contract/billing_cycle", `"weekly"`},
	} {
		r := vendor.newLicense(generation(tenant.tenant, "wrong", wrong...))
		require.Equal(t, 422, r.StatusCode, "%v: %s", wrong, r.raw)
		require.Equal(t, "invalid_field", r.text("code"))
		require.Equal(t, wrong[0], r.body["errors"].([]any)[0].(map[string]any)["pointer"], "%v", wrong)
	}
	for _, wrong := range [][]string{{"/entitlement/total_licenses", "21"}, {"/entitlement/commit_qty", "21"}, {"/entitlement/max_overage", "14"}} {
		r := vendor.newLicense(generation(tenant.tenant, "wrong", wrong...)).wants(t, 422, "invalid_entitlement")
		require.Equal(t, "/entitlement", r.body["errors"].([]any)[0].(map[string]any)["pointer"])
	}
	taken := vendor.newLicense(generation("other-tenant", "wrong", "/customer/crm_account_id", `"ACC-`+string(tenant.tenant)+`"`)).wants(t, 409, "already_exists")
	require.Equal(t, "/customer/crm_account_id", taken.body["errors"].([]any)[0].(map[string]any)["pointer"])
	unlinked := vendor.newLicense(generation("", "wrong", "/customer/tenant_id", "")).wants(t, 422, "invalid_field")
	require.Equal(t, "/customer/tenant_id", unlinked.body["errors"].([]any)[0].(map[string]any)["pointer"])
	vendor.newLicense(generation(tenant.tenant, "wrong", "/customer/phone", `"1"`)).wants(t, 400, "malformed_request")
	vendor.newLicense(strings.Replace(generation(tenant.tenant, "wrong"), "Customer AG", "Customer \xff", 1)).wants(t, 400, "malformed_request")
	require.Len(t, vendor.newLicense(`{}`).wants(t, 422, "invalid_field").body["errors"], 12)
	// Month ends and leap days are days.
	vendor.newLicense(generation(tenant.tenant, "leap", "/contract/start_date", `"2024-02-29"`, "/contract/end_date", `"2024-12-31"`, "/contract/auto_renew", "false")).wants(t, 201, "")
	// None of it left anything behind.
	require.Len(t, vendorDo(t, vendor.key, "GET", "/api/v1/licenses?product_id=wrong&consistency=linearizable", "").body["items"], 0)
}

// TestWaitingForTheTenant: a license is generated before its customer is there.
func TestWaitingForTheTenant(t *testing.T) {
	vendor, _ := newVendor(t)
	id := cloudlicenses.TenantID(freshID())
	waiting := vendor.newLicense(generation(id, "davinci")).wants(t, 201, "")
	require.Equal(t, "waiting_for_tenant", waiting.text("status"))
	require.Nil(t, waiting.body["provisioned_at"])
	require.Equal(t, false, vendorDo(t, vendor.key, "GET", "/api/v1/customers/search?tenant_id="+string(id), "").wants(t, 200, "").body["found"])
	provision := fmt.Sprintf(`{"license_id":%q,"customer":{"crm_account_id":"ACC-%s"}}`, waiting.text("license_id"), id)
	require.Equal(t, "waiting_for_tenant", vendorDo(t, vendor.key, "POST", "/api/v1/licenses/provision", provision).wants(t, 200, "").text("status"))

	_, err := live.shard.CreateTenant(t.Context(), shard.CreateTenantRequest{ID: id, Company: "Later AG"})
	require.NoError(t, err)
	// The request again takes it to its end, as the directory's leader would.
	done := vendor.newLicense(generation(id, "davinci")).wants(t, 200, "")
	require.Equal(t, "provisioned", done.text("status"))
	require.Equal(t, waiting.text("license_id"), done.text("license_id"))
	found := vendorDo(t, vendor.key, "GET", "/api/v1/customers/search?name=later", "").wants(t, 200, "")
	require.Equal(t, "Later AG", found.body["customer"].(map[string]any)["company_name"])
	require.Len(t, found.body["customers"], 1)
	vendorDo(t, vendor.key, "GET", "/api/v1/customers/search", "").wants(t, 422, "invalid_field")
}

// TestBlockedVendor: the tenant sees who may provision to it, and may say no.
func TestBlockedVendor(t *testing.T) {
	vendor, tenant, id := licensed(t)
	vendorID, _ := vendor.tenant.Vendor()
	admin := tenant.newSession(tenant.newUser("admin", cloudlicenses.RoleAdmin))
	listed := tenant.as(admin, "GET", "/api/v1/vendors?consistency=linearizable", "").wants(t, 200, "").body["items"].([]any)
	require.Len(t, listed, 1)
	require.Equal(t, string(vendorID), listed[0].(map[string]any)["vendor_id"])
	require.Equal(t, json.Number("1"), listed[0].(map[string]any)["licenses"])
	require.Equal(t, true, tenant.as(admin, "POST", "/api/v1/vendors/"+string(vendorID)+"/block", "").wants(t, 200, "").body["blocked"])
	require.Contains(t, vendor.newLicense(generation(tenant.tenant, "more")).wants(t, 409, "license_not_active").text("detail"), "blocked")
	vendorDo(t, vendor.key, "PATCH", "/api/v1/licenses/"+id, `{"entitlement":{"total_licenses":19}}`).wants(t, 409, "license_not_active")
	customer := vendorDo(t, vendor.key, "GET", "/api/v1/customers?consistency=linearizable", "").wants(t, 200, "").body["items"].([]any)[0].(map[string]any)
	require.Equal(t, true, customer["blocked"])
	tenant.as(admin, "POST", "/api/v1/vendors/"+string(vendorID)+"/unblock", "").wants(t, 200, "")
	vendor.newLicense(generation(tenant.tenant, "more")).wants(t, 201, "")
	for _, path := range []string{"/api/v1/vendors/nobody/block", "/api/v1/vendors/operator/block"} {
		tenant.as(admin, "POST", path, "").wants(t, 404, "not_found")
	}
}

// TestCustomerSetting: auto-provisioning by customer, against the request's own.
func TestCustomerSetting(t *testing.T) {
	vendor, tenant, _ := licensed(t)
	at := "/api/v1/customers/ACC-" + string(tenant.tenant)
	require.Equal(t, false, vendorDo(t, vendor.key, "PATCH", at, `{"auto_provision":false}`).wants(t, 200, "").body["auto_provision"])
	require.Equal(t, "generated", vendor.newLicense(generation(tenant.tenant, "off")).wants(t, 201, "").text("status"))
	require.Nil(t, vendorDo(t, vendor.key, "PATCH", at, `{"auto_provision":null}`).wants(t, 200, "").body["auto_provision"])
	require.Equal(t, "provisioned", vendor.newLicense(generation(tenant.tenant, "on")).wants(t, 201, "").text("status"))
	require.Equal(t, "generated", vendor.newLicense(generation(tenant.tenant, "by-hand", "/auto_provision", "false")).wants(t, 201, "").text("status"))
	for _, body := range []string{`{}`, `{"auto_provision":1}`, `{"auto_provision":"true"}`} {
		vendorDo(t, vendor.key, "PATCH", at, body).wants(t, 422, "invalid_field")
	}
	vendorDo(t, vendor.key, "PATCH", "/api/v1/customers/ACC-nobody", `{"auto_provision":true}`).wants(t, 404, "not_found")
	page := vendorDo(t, vendor.key, "GET", "/api/v1/licenses?limit=2&consistency=linearizable", "").wants(t, 200, "")
	require.Len(t, page.body["items"], 2)
	rest := vendorDo(t, vendor.key, "GET", "/api/v1/licenses?status=generated&cursor="+page.text("next_cursor"), "").wants(t, 200, "")
	require.NotEmpty(t, rest.body["items"])
	require.Nil(t, rest.body["next_cursor"])
	require.Len(t, vendorDo(t, vendor.key, "GET", "/api/v1/licenses?status=generated", "").body["items"], 2)
	require.Len(t, vendorDo(t, vendor.key, "GET", "/api/v1/licenses?crm_account_id=ACC-"+string(tenant.tenant)+"&product_id=on", "").body["items"], 1)
	require.Empty(t, vendorDo(t, vendor.key, "GET", "/api/v1/licenses?tenant_id=nobody", "").body["items"])
	vendorDo(t, vendor.key, "GET", "/api/v1/licenses?status=nonsense", "").wants(t, 422, "invalid_field")
	vendorDo(t, vendor.key, "GET", "/api/v1/licenses?status=", "").wants(t, 422, "invalid_field")
}

// TestNotifiedOnce: the contact's mail leaves once, by the tenant's outbox.
func TestNotifiedOnce(t *testing.T) {
	vendor, _ := newVendor(t)
	tenant := newPool(t, 1, 0)
	id := vendor.newLicense(generation(tenant.tenant, "davinci", "/auto_provision", "false")).wants(t, 201, "").text("license_id")
	provision := func(notification string) *reply {
		return vendorDo(t, vendor.key, "POST", "/api/v1/licenses/provision",
			fmt.Sprintf(`{"license_id":%q,"customer":{"crm_account_id":"ACC-%s"}%s}`, id, tenant.tenant, notification))
	}
	vendorDo(t, vendor.key, "POST", "/api/v1/licenses/provision", fmt.Sprintf(`{"license_id":%q,"customer":{"crm_account_id":"ACC-other"}}`, id)).wants(t, 422, "invalid_field")
	provision(`,"notification":{"message":"x"}`).wants(t, 422, "invalid_field")
	provision(`,"notification":{"email":"a@b.com","message":"`+strings.Repeat("x", 2001)+`"}`).wants(t, 422, "invalid_field")
	first := provision(`,"notification":{"email":"Other@customer.com","message":"Ready!"}`).wants(t, 200, "")
	require.Equal(t, true, first.body["customer_notified"])
	require.Equal(t, string(first.raw), string(provision(`,"notification":{"email":"third@customer.com"}`).wants(t, 200, "").raw))
	mails := map[string]int{}
	for _, o := range outgoing(t) {
		if o.TenantID == tenant.tenant && o.Kind == "mail.provisioned" && bytes.Contains(o.Payload, []byte(id)) {
			mails[string(o.Payload)]++
		}
	}
	require.Len(t, mails, 1)
	for mail := range mails {
		require.Contains(t, mail, `"email":"other@customer.com"`)
		require.Contains(t, mail, `"message":"Ready!"`)
	}
}

// outgoing lists what the groups are about to send.
func outgoing(t *testing.T) (all []license.Outgoing) {
	t.Helper()
	for group := range live.node.Placement() {
		if group == 0 {
			continue
		}
		var page license.OutboxPage
		_, err := live.shard.ReadGroup(t.Context(), group, shard.Command{
			Op: license.QueryOutbox, Payload: &license.ListOutbox{Limit: 10_000}, Result: &page,
		}, shard.ReadOptions{Linearizable: true})
		require.NoError(t, err)
		all = append(all, page.Items...)
	}
	return all
}

// TestPackage: a license package is what the cluster's key says it is, and is
// no lease token.
func TestPackage(t *testing.T) {
	vendor, tenant, id := licensed(t, "/contract/auto_renew", "false")
	r := vendorDo(t, vendor.key, "GET", "/packages/"+id, "").wants(t, 200, "")
	require.Equal(t, typePackage, r.Header.Get("Content-Type"))
	parts := strings.Split(string(r.raw), ".")
	require.Len(t, parts, 3)
	decoded := make([][]byte, 3)
	for i, part := range parts {
		var err error
		decoded[i], err = base64.RawURLEncoding.DecodeString(part)
		require.NoError(t, err)
	}
	var head struct{ Alg, Typ, Kid string }
	require.NoError(t, json.Unmarshal(decoded[0], &head))
	require.Equal(t, "EdDSA", head.Alg)
	require.Equal(t, "license-package+jwt", head.Typ)
	jwks := send(t, live.edge, vendorsHost, "GET", "/.well-known/jwks.json", "").wants(t, 200, "")
	key := jwks.body["keys"].([]any)[0].(map[string]any)
	require.Equal(t, head.Kid, key["kid"])
	public, err := base64.RawURLEncoding.DecodeString(key["x"].(string))
	require.NoError(t, err)
	require.True(t, ed25519.Verify(public, []byte(parts[0]+"."+parts[1]), decoded[2]))
	var claims packageClaims
	require.NoError(t, json.Unmarshal(decoded[1], &claims))
	require.Equal(t, cloudlicenses.LicenseID(id), claims.ID)
	require.Equal(t, tenant.tenant, claims.Subject)
	require.Equal(t, live.server.VendorsURL(), claims.Issuer)
	require.EqualValues(t, 20, claims.Entitlement.Total)
	year := time.Now().UTC().Year()
	require.Equal(t, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), claims.NotBefore)
	require.Equal(t, time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), claims.Expires)
	require.NotContains(t, string(decoded[1]), "5000", "the price is nobody else's business")
	require.NotContains(t, string(decoded[1]), "licenses@customer.com")
}

// TestContactMailsAreLimited: a vendor has its own words mailed to whomever it names.
func TestContactMailsAreLimited(t *testing.T) {
	vendor, id := newVendor(t)
	tenant := newPool(t, 1, 0)
	for range cloudlicenses.MaxContactMails - 1 {
		require.Zero(t, live.server.contactMails.take(id, time.Now()))
	}
	r := vendor.newLicense(generation(tenant.tenant, "a", "/auto_provision", "false")).wants(t, 201, "")
	limited := vendor.newLicense(generation(tenant.tenant, "b")).wants(t, 429, "rate_limited")
	require.NotEmpty(t, limited.Header.Get("Retry-After"))
	provision := fmt.Sprintf(`{"license_id":%q,"customer":{"crm_account_id":"ACC-%s"}`, r.text("license_id"), tenant.tenant)
	ask := func(rest string) *reply {
		return vendorDo(t, vendor.key, "POST", "/api/v1/licenses/provision", provision+rest)
	}
	ask(`,"notification":{"email":"victim@elsewhere.example","message":"Buy"}}`).wants(t, 429, "rate_limited")
	ask(`}`).wants(t, 200, "")
	vendor.newLicense(generation(tenant.tenant, "b", "/customer/contact_email", "")).wants(t, 201, "")
	other, _ := newVendor(t)
	other.newLicense(generation(tenant.tenant, "a")).wants(t, 201, "")
}
