package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTenantSetAndDelete(t *testing.T) {
	const tenant = `{"id":"acme","plan":"startup","status":"deleting","group":1,"deletes_at":"2026-02-01T00:00:00Z"}`
	f := newFakeAdmin(t, map[string]string{
		"PATCH /v1/tenants/acme": tenant, "POST /v1/tenants/acme/deletion": tenant, "DELETE /v1/tenants/acme/deletion": tenant,
	})
	out := mustRun(t, "tenant", "set", "acme", "--admin", f.URL, "--plan", "startup", "--status", "suspended")
	require.Regexp(t, `(?m)^acme .* startup +deleting .*2026-02-01T00:00:00Z`, out)
	mustRun(t, "tenant", "delete", "acme", "--admin", f.URL, "--confirm", "acme")
	mustRun(t, "tenant", "delete", "acme", "--admin", f.URL, "--confirm", "acme", "--grace", "24h")
	mustRun(t, "tenant", "delete", "acme", "--admin", f.URL, "--cancel", "-o", "json")
	require.Equal(t, []string{
		`PATCH /v1/tenants/acme {"plan":"startup","status":"suspended"}`,
		`POST /v1/tenants/acme/deletion {}`,
		`POST /v1/tenants/acme/deletion {"grace_seconds":86400}`,
		`DELETE /v1/tenants/acme/deletion `,
	}, f.requests)
	for _, wrong := range [][]string{
		{"set", "acme"},
		{"set", "acme", "--plan", "gold"},
		{"set", "acme", "--status", "deleting"},
		{"delete", "acme"},
		{"delete", "acme", "--confirm", "other"},
		{"delete", "acme", "--confirm", "acme", "--grace", "-1h"},
	} {
		code, _, _ := runCommand(t, append([]string{"tenant"}, append(wrong, "--admin", f.URL)...)...)
		require.Equal(t, exitUsage, code, wrong)
	}
	require.Len(t, f.requests, 4)
}

func TestPlans(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{"GET /v1/plans": `{"items":[
		{"plan":"startup","max_vendors":3,"max_seats":100,"price_monthly":49.00,"currency":"USD","support":"email support"},
		{"plan":"enterprise","max_vendors":null,"max_seats":null,"price_monthly":null,"currency":"USD","support":"SLA"}],"next_cursor":null}`})
	out := mustRun(t, "plan", "list", "--admin", f.URL)
	require.Regexp(t, `(?m)^startup +3 +100 +49.00 USD +email support$`, out)
	require.Regexp(t, `(?m)^enterprise +unlimited +unlimited +custom +SLA$`, out)
	require.NotContains(t, mustRun(t, "plan", "show", "startup", "--admin", f.URL), "enterprise")
	code, _, errs := runCommand(t, "plan", "show", "gold", "--admin", f.URL)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "is no plan")
}
