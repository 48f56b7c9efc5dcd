package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

// TestActionsAreAudited: what a vendor does to a license is in its own log, with
// who did it, and in that of the tenant; what a tenant does to a vendor is in the
// tenant's alone.
func TestActionsAreAudited(t *testing.T) {
	vendor, mercedes, id := licensed(t, "/product/id", `"ide"`)
	vendorDo(t, vendor.key, "PATCH", "/api/v1/licenses/"+id, `{"contract":{"auto_renew":false}}`).wants(t, 200, "")
	for _, action := range []string{"suspend", "resume", "revoke"} {
		vendorDo(t, vendor.key, "POST", "/api/v1/licenses/"+id+"/"+action, "").wants(t, 200, "")
	}
	owner := mercedes.newSession(mercedes.newUser("owner", cloudlicenses.RoleOwner))
	mercedes.as(owner, "POST", "/api/v1/vendors/"+string(vendorOf(vendor))+"/block", "").wants(t, 200, "")
	mercedes.as(owner, "POST", "/api/v1/vendors/"+string(vendorOf(vendor))+"/unblock", "").wants(t, 200, "")

	// What was refused, and what was there already, has been done by nobody.
	vendorDo(t, vendor.key, "POST", "/api/v1/licenses/"+id+"/suspend", "").wants(t, 409, "license_not_active")
	vendorDo(t, vendor.key, "POST", "/api/v1/licenses/none/revoke", "").wants(t, 404, "not_found")

	own := string(vendorDo(t, vendor.key, "GET", "/api/v1/audit", "").wants(t, 200, "").raw)
	for _, action := range []string{"license.generate", "license.amend", "license.suspend", "license.resume", "license.revoke"} {
		require.Equal(t, 1, strings.Count(own, `"action":"`+action+`"`), action)
	}
	require.Contains(t, own, `"license_id":"`+id+`"`)
	require.NotContains(t, own, `"actor":""`, "every action has somebody who did it")
	require.NotContains(t, own, "vendor.block")

	theirs := string(mercedes.as(owner, "GET", "/api/v1/audit", "").wants(t, 200, "").raw)
	for _, action := range []string{
		"license.provisioned", "license.suspended", "license.resumed", "license.revoked", "vendor.block", "vendor.unblock",
	} {
		require.Contains(t, theirs, `"action":"`+action+`"`)
	}
	require.Contains(t, theirs, `"actor":"`+string(vendorOf(vendor))+`"`)
	verified := mercedes.as(owner, "GET", "/api/v1/audit/verify", "").wants(t, 200, "")
	require.Equal(t, true, verified.body["valid"])
}
