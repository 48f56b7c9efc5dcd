package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// vendorSignUp is a vendor's registration; what follows the id replaces members
// of its vendor.
func vendorSignUp(id string, vendor ...string) string {
	members := fmt.Sprintf(`"id":%q,"region":"eu-central"`, id)
	if len(vendor) > 0 {
		members = strings.Join(vendor, ",")
	}
	return fmt.Sprintf(`{"company":{"name":"Vector Informatik GmbH","domain":"%[1]s.com","country":"DE"},"vendor":{%[2]s},
		"admin":{"email":"admin@%[1]s.com","name":"Vendor Administrator"}}`, id, members)
}

func vendorVerification(id, token string) string {
	return fmt.Sprintf(`{"vendor_id":%q,"verification_token":%q}`, id, token)
}

// TestVendorSignUp: a vendor registers, proves its domain, and its administrator
// sets a password by the mailed link and logs in.
func TestVendorSignUp(t *testing.T) {
	id := freshID()
	ask := func(path, body string) *reply { return vendorDo(t, "", "POST", "/api/v1/vendors/"+path, body) }
	r := ask("register", vendorSignUp(id)).wants(t, 201, "")
	require.Equal(t, live.server.VendorsURL(), r.text("vendor_url"))
	require.Equal(t, id, r.text("license_prefix"))
	name, token := recordOf(t, r)
	require.Equal(t, "_cloudlicenses."+id+".com", name)

	ask("register", vendorSignUp(id)).wants(t, 409, "already_exists")
	pointer := func(r *reply) any { return r.body["errors"].([]any)[0].(map[string]any)["pointer"] }
	other := freshID()
	taken := send(t, live.edge, "localhost", "POST", "/api/v1/vendors/register",
		vendorSignUp(other, fmt.Sprintf(`"id":%q`, other), `"region":"eu-central"`, fmt.Sprintf(`"license_prefix":%q`, id)))
	require.Equal(t, "/vendor/license_prefix", pointer(taken.wants(t, 409, "already_exists")))
	taken = ask("register", strings.Replace(vendorSignUp(other), other+".com", id+".com", 1)).wants(t, 409, "already_exists")
	require.Equal(t, "/company/domain", pointer(taken))
	askApex(t, "register", signUp(id)).wants(t, 201, "") // the same company as a tenant

	ask("verify", vendorVerification(id, token)).wants(t, 409, "verification_pending")
	require.NoError(t, live.dns.Set(name, "cloudlicenses-verify="+token))
	ask("verify", vendorVerification(id, "x"+token[1:]+"-")).wants(t, 403, "verification_failed")
	ask("verify", vendorVerification("nobody-at-all", token)).wants(t, 404, "not_found")
	askApex(t, "verify", verification(id, token)).wants(t, 403, "verification_failed") // the tenant's token is another
	verified := ask("verify", vendorVerification(id, token)).wants(t, 200, "")
	require.Equal(t, "verified", verified.text("status"))
	require.Equal(t, string(verified.raw), string(ask("verify", vendorVerification(id, token)).wants(t, 200, "").raw), "the same again")

	mail := mailed(t, cloudlicenses.VendorID(id).Account(), "mail.welcome", "admin@"+id+".com")
	require.Equal(t, id, mail["vendor_id"])
	vendorDo(t, "", "POST", "/api/v1/password", fmt.Sprintf(`{"vendor_id":%q,"token":%q,"password":%q}`, id, mail["token"], testPassword)).wants(t, 200, "")
	in := vendorDo(t, "", "POST", "/api/v1/login", fmt.Sprintf(`{"vendor_id":%q,"email":%q,"password":%q}`, id, "admin@"+id+".com", testPassword)).wants(t, 200, "")
	require.Equal(t, "owner", in.body["user"].(map[string]any)["role"])

	_, _, err := live.shard.CreateVendor(t.Context(), shard.CreateVendorRequest{ID: cloudlicenses.VendorID(id), Name: "another", LicensePrefix: "another"})
	require.ErrorContains(t, err, "already_exists")
}

func TestVendorSignUpSaysWhichFieldIsWrong(t *testing.T) {
	ask := func(body string) *reply { return vendorDo(t, "", "POST", "/api/v1/vendors/register", body) }
	for _, wrong := range [][2]string{
		{`"id":"operator"`, "id"}, {`"id":"0perator"`, "id"}, {`"id":"Vector"`, "id"}, {`"id":"@x"`, "id"}, {`"id":""`, "id"},
		{`"id":"vector_de"`, "id"}, {`"license_prefix":"a-b"`, "license_prefix"}, {`"license_prefix":"A"`, "license_prefix"},
		{`"license_prefix":"` + strings.Repeat("a", 31) + `"`, "license_prefix"}, {`"region":""`, "region"},
	} {
		id := freshID()
		members := map[string]string{"id": fmt.Sprintf(`"id":%q`, id), "region": `"region":"eu-central"`}
		members[wrong[1]] = wrong[0]
		var all []string
		for _, name := range []string{"id", "region", "license_prefix"} {
			if members[name] != "" {
				all = append(all, members[name])
			}
		}
		r := ask(vendorSignUp(id, all...)).wants(t, 422, "invalid_field")
		require.Equal(t, "/vendor/"+wrong[1], r.body["errors"].([]any)[0].(map[string]any)["pointer"], wrong)
	}
	ask(`{"vendor":{"idd":"x"}}`).wants(t, 400, "malformed_request")
	require.Len(t, ask(`{}`).wants(t, 422, "invalid_field").body["errors"], 7)
	ask(vendorSignUp(freshID(), `"id":"farvendor"`, `"region":"us-east"`)).wants(t, 409, "region_unavailable")
	require.Len(t, vendorDo(t, "", "POST", "/api/v1/vendors/verify", `{}`).wants(t, 422, "invalid_field").body["errors"], 2)
}
