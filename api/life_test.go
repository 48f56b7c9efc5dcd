package api

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// number is a number within a reply, by the names on the way to it.
func number(t *testing.T, body map[string]any, names ...string) any {
	t.Helper()
	for _, name := range names[:len(names)-1] {
		inner, ok := body[name].(map[string]any)
		require.True(t, ok, name)
		body = inner
	}
	return body[names[len(names)-1]]
}

// TestPlanStory: a tenant's administrator goes up and down between plans, and
// an operator does.
func TestPlanStory(t *testing.T) {
	p := newPool(t, 15, 0)
	admin := p.newSession(p.newUser("ann", cloudlicenses.RoleAdmin))
	plan := p.as(admin, "GET", "/api/v1/plan", "").wants(t, 200, "")
	require.Equal(t, "enterprise", plan.text("plan"))
	require.Nil(t, plan.body["price_monthly"])
	require.Nil(t, number(t, plan.body, "seats", "limit"))
	require.Equal(t, json.Number("15"), number(t, plan.body, "seats", "in_use"))
	require.NotEmpty(t, plan.Header.Get(headerStaleness))

	down := p.as(admin, "PATCH", "/api/v1/plan", `{"plan":"startup"}`).wants(t, 200, "")
	require.Equal(t, json.Number("49.00"), down.body["price_monthly"])
	require.Equal(t, json.Number("100"), number(t, down.body, "seats", "limit"))
	require.Equal(t, "startup", p.as(admin, "GET", "/api/v1/plan", "", header{headerMinIndex, down.Header.Get(headerApplied)}).text("plan"))

	refused := p.as(admin, "PATCH", "/api/v1/plan", `{"plan":"free"}`).wants(t, 402, "plan_limit_exceeded")
	require.Equal(t, json.Number("10"), number(t, refused.body, "limits", "seats", "limit"))
	require.Equal(t, json.Number("15"), number(t, refused.body, "limits", "seats", "in_use"))
	require.Equal(t, "startup", p.as(admin, "GET", "/api/v1/plan", "").text("plan"))
	for _, bad := range []string{`{}`, `{"plan":"gold"}`, `{"plan":""}`} {
		p.as(admin, "PATCH", "/api/v1/plan", bad).wants(t, 422, "invalid_field")
	}

	at := "/v1/tenants/" + string(p.tenant)
	adminDo(t, "PATCH", at, `{"plan":"free"}`).wants(t, 402, "plan_limit_exceeded")
	require.Equal(t, "professional", adminDo(t, "PATCH", at, `{"plan":"professional"}`).wants(t, 200, "").text("plan"))
	adminDo(t, "PATCH", at, `{"plan":"gold"}`).wants(t, 422, "invalid_field")
	adminDo(t, "PATCH", "/v1/tenants/nobody-here", `{"plan":"free"}`).wants(t, 404, "tenant_not_found")
	require.Len(t, adminDo(t, "GET", "/v1/plans", "").wants(t, 200, "").body["items"], 4)
}

// TestVendorsLicensesFitThePlan: what a vendor generates, provisions or amends
// past the tenant's plan is refused with the plan's limits, leaves no
// license behind, and goes through by the same request once the plan has grown.
func TestVendorsLicensesFitThePlan(t *testing.T) {
	vendor, _ := newVendor(t)
	p := newPool(t, 1, 0)
	at := "/v1/tenants/" + string(p.tenant)
	adminDo(t, "PATCH", at, `{"plan":"startup"}`).wants(t, 200, "")
	over := func(r *reply, seats, with string) {
		t.Helper()
		r.wants(t, 402, "plan_limit_exceeded")
		require.Equal(t, "startup", number(t, r.body, "limits", "plan"))
		require.Equal(t, json.Number("100"), number(t, r.body, "limits", "seats", "limit"))
		require.Equal(t, json.Number(seats), number(t, r.body, "limits", "seats", "in_use"))
		require.Contains(t, r.text("detail"), fmt.Sprintf("the plan startup of %s allows 100 seats in all, and these would be %s: the customer has to", p.tenant, with))
	}
	large := []string{"/entitlement/total_licenses", "100", "/entitlement/commit_qty", "100", "/entitlement/max_overage", "0"}
	generate := generation(p.tenant, "davinci", large...)
	over(vendor.newLicense(generate), "1", "101")
	require.Empty(t, vendorDo(t, vendor.key, "GET", "/api/v1/licenses", "").wants(t, 200, "").body["items"])

	manual := vendor.newLicense(generation(p.tenant, "canoe", append(large, "/auto_provision", "false")...)).wants(t, 201, "").text("license_id")
	provision := fmt.Sprintf(`{"license_id":%q,"customer":{"crm_account_id":"ACC-%s"}}`, manual, p.tenant)
	over(vendorDo(t, vendor.key, "POST", "/api/v1/licenses/provision", provision), "1", "101")
	require.Equal(t, "generated", vendorDo(t, vendor.key, "GET", "/api/v1/licenses/"+manual, "").wants(t, 200, "").text("status"))

	small := vendor.newLicense(generation(p.tenant, "canape")).wants(t, 201, "").text("license_id")
	amend := `{"entitlement":{"total_licenses":100,"commit_qty":100,"max_overage":0}}`
	over(vendorDo(t, vendor.key, "PATCH", "/api/v1/licenses/"+small, amend), "21", "101")
	require.Equal(t, json.Number("20"), number(t, vendorDo(t, vendor.key, "GET", "/api/v1/licenses/"+small, "").wants(t, 200, "").body, "entitlement", "total_licenses"))

	adminDo(t, "PATCH", at, `{"plan":"professional"}`).wants(t, 200, "")
	vendor.newLicense(generate).wants(t, 201, "")
	require.Equal(t, "provisioned", vendorDo(t, vendor.key, "POST", "/api/v1/licenses/provision", provision).wants(t, 200, "").text("status"))
	vendorDo(t, vendor.key, "PATCH", "/api/v1/licenses/"+small, amend).wants(t, 200, "")
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	require.Equal(t, json.Number("301"), number(t, p.as(owner, "GET", "/api/v1/plan", "").wants(t, 200, "").body, "seats", "in_use"))
}

// TestSuspension: nothing is checked out, what is out is returned, and people
// may log in.
func TestSuspension(t *testing.T) {
	p := newPool(t, 5, 0)
	lease := p.checkout("alice").wants(t, 201, "").text("lease_id")
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	at := "/v1/tenants/" + string(p.tenant)
	require.Equal(t, "suspended", adminDo(t, "PATCH", at, `{"status":"suspended"}`).wants(t, 200, "").text("status"))
	require.Contains(t, p.checkout("bob").wants(t, 409, "license_not_active").text("detail"), "suspended")
	p.post("/api/v1/licenses/heartbeat", fmt.Sprintf(`{"lease_id":%q}`, lease)).wants(t, 200, "")
	p.post("/api/v1/licenses/return", fmt.Sprintf(`{"lease_id":%q}`, lease)).wants(t, 200, "")
	require.Equal(t, "suspended", p.as(owner, "GET", "/api/v1/plan", "").wants(t, 200, "").text("status"))
	p.login("ann@acme.example", testPassword, "").wants(t, 200, "")
	p.as(owner, "DELETE", "/api/v1/deletion", "").wants(t, 200, "")
	p.checkout("bob").wants(t, 409, "license_not_active") // taking back what is not under way resumes nothing
	adminDo(t, "PATCH", at, `{"status":"active"}`).wants(t, 200, "")
	p.checkout("bob").wants(t, 201, "")
	adminDo(t, "PATCH", at, `{"status":"deleting"}`).wants(t, 422, "invalid_field")
}

// TestDeletionStory: an owner deletes the tenant by its id, takes that back,
// and in the end it is gone for good, and its domain free.
func TestDeletionStory(t *testing.T) {
	id := freshID()
	r := askApex(t, "register", signUp(id)).wants(t, 201, "")
	name, token := recordOf(t, r)
	require.NoError(t, live.dns.Set(name, "cloudlicenses-verify="+token))
	askApex(t, "verify", verification(id, token)).wants(t, 200, "")
	p := &pool{t: t, tenant: cloudlicenses.TenantID(id)}
	owner := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))

	p.as(owner, "POST", "/api/v1/deletion", `{}`).wants(t, 422, "invalid_field")
	p.as(owner, "POST", "/api/v1/deletion", `{"tenant_id":"another"}`).wants(t, 422, "invalid_field")
	begun := p.as(owner, "POST", "/api/v1/deletion", fmt.Sprintf(`{"tenant_id":%q}`, id)).wants(t, 202, "")
	require.Equal(t, "deleting", begun.text("status"))
	deletesAt, err := time.Parse(time.RFC3339, begun.text("deletes_at"))
	require.NoError(t, err)
	require.InDelta(t, float64(30*24), time.Until(deletesAt).Hours(), 1)
	require.Equal(t, begun.text("deletes_at"), p.as(owner, "POST", "/api/v1/deletion", fmt.Sprintf(`{"tenant_id":%q}`, id)).wants(t, 202, "").text("deletes_at"), "the same again")
	require.Equal(t, begun.raw, p.as(owner, "GET", "/api/v1/deletion", "").wants(t, 200, "").raw)
	kept := p.as(owner, "DELETE", "/api/v1/deletion", "").wants(t, 200, "")
	require.Equal(t, "active", kept.text("status"))
	require.Nil(t, kept.body["deletes_at"])

	at := "/v1/tenants/" + id
	adminDo(t, "POST", at+"/deletion", `{"grace_seconds":-1}`).wants(t, 422, "invalid_field")
	require.NotEmpty(t, adminDo(t, "POST", at+"/deletion", "").wants(t, 202, "").text("deletes_at"))
	require.Equal(t, "active", adminDo(t, "DELETE", at+"/deletion", "").wants(t, 200, "").text("status"))
	adminDo(t, "POST", at+"/deletion", `{"grace_seconds":0}`).wants(t, 202, "")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go live.shard.ResumeLives(ctx)
	require.Eventually(t, func() bool {
		life, _, err := live.shard.Life(ctx, p.tenant)
		return err == nil && life.Code == cloudlicenses.TenantNotFound
	}, 20*time.Second, 20*time.Millisecond)
	adminDo(t, "GET", at, "").wants(t, 404, "tenant_not_found")
	adminDo(t, "DELETE", at+"/deletion", "").wants(t, 404, "tenant_not_found")
	p.as(owner, "GET", "/api/v1/plan", "").wants(t, 404, "tenant_not_found")
	_, err = live.shard.CreateTenant(ctx, shard.CreateTenantRequest{ID: p.tenant})
	require.ErrorContains(t, err, "not given again")
	askApex(t, "register", signUp(id, "company.domain", freshID()+".com")).wants(t, 409, "already_exists")
	askApex(t, "register", signUp(freshID(), "company.domain", id+".com")).wants(t, 201, "")
}

// TestRegistrationsAreLimited asks with addresses that nobody else in these
// tests has.
func TestRegistrationsAreLimited(t *testing.T) {
	for range cloudlicenses.MaxRegistrations {
		require.Zero(t, live.server.registrations.take("198.51.100.7", time.Now()))
	}
	wait := live.server.registrations.take("198.51.100.7", time.Now())
	require.Greater(t, wait, cloudlicenses.RegistrationWindow-time.Minute)
	for range cloudlicenses.MaxRegistrations { // and whatever other tests have taken
		live.server.registrations.take("127.0.0.1", time.Now())
	}
	t.Cleanup(func() { live.server.registrations = registrations{} })
	limited := askApex(t, "register", signUp(freshID())).wants(t, 429, "rate_limited")
	require.NotEmpty(t, limited.Header.Get("Retry-After"))
	vendorDo(t, "", "POST", "/api/v1/vendors/register", vendorSignUp(freshID())).wants(t, 429, "rate_limited")
	askApex(t, "register", `{}`).wants(t, 422, "invalid_field") // what is wrong is told, and costs nothing
}
