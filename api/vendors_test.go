package api

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// TestVendorUserStory: a vendor's owner logs in with the vendor's id, invites
// somebody, who sets a password by the mailed link and logs in.
func TestVendorUserStory(t *testing.T) {
	v, id := newVendor(t)
	_, otherID := newVendor(t)
	v.newUser("ann", cloudlicenses.RoleOwner)
	login := func(vendor, email, password string) *reply {
		return vendorDo(t, "", "POST", "/api/v1/login", fmt.Sprintf(`{"vendor_id":%q,"email":%q,"password":%q}`, vendor, email, password))
	}
	in := login(string(id), "Ann@acme.example", testPassword).wants(t, 200, "")
	session := in.text("token")
	require.Contains(t, session, "clvs_"+string(id)+"_")
	require.Contains(t, in.Header.Get("Set-Cookie"), cookiePlain+"="+session)
	me := vendorDo(t, session, "GET", "/api/v1/me", "").wants(t, 200, "")
	require.Equal(t, string(id), me.text("vendor_id"))
	require.Equal(t, in.body["user"], me.body["user"])

	vendorDo(t, session, "POST", "/api/v1/users", `{"email":"bob@acme.example","name":"Bob","role":"viewer"}`).wants(t, 201, "")
	mail := mailed(t, v.tenant, "mail.invite", "bob@acme.example")
	require.Equal(t, string(id), mail["vendor_id"])
	require.Empty(t, mail["tenant_id"])
	require.Equal(t, "https://vendors.localhost", mail["tenant_url"])
	set := func(vendor string, status int, code string) {
		t.Helper()
		vendorDo(t, "", "POST", "/api/v1/password", fmt.Sprintf(`{"vendor_id":%q,"token":%q,"password":"another good one"}`, vendor, mail["token"])).wants(t, status, code)
	}
	set(string(otherID), 422, "invalid_field")
	set("no-such-vendor", 422, "invalid_field")
	set(string(id), 200, "")
	bob := login(string(id), "bob@acme.example", "another good one").wants(t, 200, "").text("token")
	vendorDo(t, bob, "GET", "/api/v1/users", "").wants(t, 403, "forbidden_role")
	vendorDo(t, bob, "POST", "/api/v1/logout", "").wants(t, 204, "")
	vendorDo(t, bob, "GET", "/api/v1/me", "").wants(t, 401, "unauthenticated")

	// Whether there is such a vendor, user or password reads alike.
	wrong := login(string(id), "ann@acme.example", "not the one it is").wants(t, 401, "unauthenticated")
	for _, r := range []*reply{
		login("no-such-vendor", "ann@acme.example", testPassword), login(string(otherID), "ann@acme.example", testPassword),
		login(string(id), "nobody@acme.example", testPassword),
	} {
		require.Equal(t, wrong.text("detail"), r.wants(t, 401, "unauthenticated").text("detail"))
	}
	for _, vendor := range []string{string(id), "no-such-vendor"} {
		vendorDo(t, "", "POST", "/api/v1/password/reset", fmt.Sprintf(`{"vendor_id":%q,"email":"ann@acme.example"}`, vendor)).wants(t, 202, "")
	}
	require.NotEmpty(t, mailed(t, v.tenant, "mail.reset", "ann@acme.example")["token"])
}

// TestVendorIDOfABody: the vendors' host needs to be told which vendor, a
// tenant's host must not be.
func TestVendorIDOfABody(t *testing.T) {
	v, _ := newVendor(t)
	tenant := newPool(t, 1, 0)
	token := shard.NewOneTimeToken()
	for path, members := range map[string]string{
		"/api/v1/login":          `"email":"ann@acme.example","password":"correct horse battery"`,
		"/api/v1/password":       fmt.Sprintf(`"token":%q,"password":"correct horse battery"`, token),
		"/api/v1/password/reset": `"email":"ann@acme.example"`,
	} {
		for _, r := range []*reply{
			vendorDo(t, "", "POST", path, "{"+members+"}"),
			vendorDo(t, "", "POST", path, `{"vendor_id":"@x",`+members+"}"),
			vendorDo(t, "", "POST", path, `{"vendor_id":"",`+members+"}"),
			tenant.as("", "POST", path, fmt.Sprintf(`{"vendor_id":%q,%s}`, v.tenant[1:], members)),
		} {
			r.wants(t, 422, "invalid_field")
			require.Equal(t, "/vendor_id", r.body["errors"].([]any)[0].(map[string]any)["pointer"])
		}
		vendorDo(t, "", "POST", path, "{"+members+"}", header{"Origin", "http://evil.example"}).wants(t, 401, "unauthenticated")
	}
}
