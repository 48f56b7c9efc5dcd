package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
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

	invited := vendorDo(t, session, "POST", "/api/v1/users", `{"email":"bob@acme.example","name":"Bob","role":"viewer"}`).wants(t, 201, "")
	v.ageInvitation(invited.text("id"))
	vendorDo(t, session, "POST", "/api/v1/users", `{"email":"bob@acme.example","name":"Bob","role":"viewer"}`).wants(t, 200, "")
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

// TestVendorKeys: a vendor's key makes, rotates with an overlap, restricts and
// revokes keys of its own vendor.
func TestVendorKeys(t *testing.T) {
	v, id := newVendor(t)
	other, _ := newVendor(t)
	ask := func(key, method, path, body string, headers ...header) *reply {
		return vendorDo(t, key, method, path, body, headers...)
	}
	works := func(key string, status int, code string) {
		t.Helper()
		ask(key, "GET", "/api/v1/me", "").wants(t, status, code)
	}
	made := ask(v.key, "POST", "/api/v1/keys", `{"app_name":"Salesforce","app_type":"cloud_service","expires_in_days":90}`, header{headerIdempotency, "once"}).wants(t, 201, "")
	crm, crmID := made.text("api_key"), made.text("key_id")
	require.Equal(t, string(id), made.text("vendor_id"))
	require.Equal(t, "no-store", made.Header.Get("Cache-Control"))
	vendor, err := shard.ParseVendorKey(crm)
	require.NoError(t, err)
	require.Equal(t, id, vendor)
	ask(v.key, "POST", "/api/v1/keys", `{"app_name":"Salesforce"}`, header{headerIdempotency, "once"}).wants(t, 409, "already_exists")
	works(crm, 200, "")

	// It rotates itself: both texts work, then the new one alone.
	rotated := ask(crm, "POST", "/api/v1/keys/rotate", "").wants(t, 200, "")
	require.Equal(t, crmID, rotated.text("key_id"))
	works(crm, 200, "")
	works(rotated.text("api_key"), 200, "")
	require.Contains(t, ask(crm, "GET", "/api/v1/users", "").wants(t, 401, "unauthenticated").text("detail"), "an API key was sent")
	ask(crm, "PATCH", "/api/v1/settings", `{"auto_provision":false}`).wants(t, 200, "")
	last := ask(rotated.text("api_key"), "POST", "/api/v1/keys/"+crmID+"/rotate", `{"overlap_seconds":0}`).wants(t, 200, "")
	works(crm, 401, "key_expired")
	works(rotated.text("api_key"), 401, "key_expired")
	refused := ask(crm, "PATCH", "/api/v1/settings", `{"auto_provision":true}`).wants(t, 401, "key_expired")
	require.Contains(t, refused.text("detail"), "was rotated at 20")
	works(last.text("api_key"), 200, "")

	ask(v.key, "POST", "/api/v1/keys/"+crmID+"/restrictions", `{"allowed_ip_ranges":["10.0.0.0/8"]}`).wants(t, 200, "")
	works(last.text("api_key"), 403, "ip_not_allowed")
	ask(v.key, "POST", "/api/v1/keys/"+crmID+"/restrictions", `{"allowed_ip_ranges":[]}`).wants(t, 200, "")
	works(last.text("api_key"), 200, "")
	ask(other.key, "POST", "/api/v1/keys/"+crmID+"/revoke", "").wants(t, 404, "not_found")
	ask(other.key, "POST", "/api/v1/keys/rotate", fmt.Sprintf(`{"key_id":%q}`, crmID)).wants(t, 404, "not_found")
	list := ask(v.key, "GET", "/api/v1/keys?consistency=linearizable", "").wants(t, 200, "")
	require.Len(t, list.body["items"], 2)
	require.NotContains(t, string(list.raw), "clvk_")
	for _, item := range list.body["items"].([]any) {
		require.NotNil(t, item.(map[string]any)["last_used_at"], "both have changed something")
	}
	ask(v.key, "POST", "/api/v1/keys/"+crmID+"/revoke", "").wants(t, 200, "")
	works(last.text("api_key"), 401, "key_revoked")

	session := v.newSession(v.newUser("ann", cloudlicenses.RoleAdmin))
	ask(session, "POST", "/api/v1/keys/rotate", "").wants(t, 422, "invalid_field")
	byUser := ask(session, "POST", "/api/v1/keys/generate", `{"app_name":"SAP"}`).wants(t, 201, "")
	works(byUser.text("api_key"), 200, "")
	for _, body := range []string{`{"app_name":"A","scopes":["license:checkout"]}`, `{"app_name":"A","checkouts_per_minute":5}`, `{"app_name":"A","requests_per_hour":5}`, `{}`} {
		require.Len(t, errorPointers(ask(v.key, "POST", "/api/v1/keys", body).wants(t, 422, "invalid_field")), 1)
	}
	ask(v.key, "POST", "/api/v1/keys/"+byUser.text("key_id")+"/restrictions", `{"requests_per_hour":5}`).wants(t, 422, "invalid_field")
	ask(v.key, "POST", "/api/v1/keys/rotate", `{"overlap_seconds":99999999}`).wants(t, 422, "invalid_field")

	audit := ask(v.key, "GET", "/api/v1/audit?consistency=linearizable&limit=100", "").wants(t, 200, "")
	for _, action := range []string{"key.generate", "key.rotate", "key.restrict", "key.revoke"} {
		require.Contains(t, string(audit.raw), action)
	}
	require.Equal(t, true, ask(v.key, "GET", "/api/v1/audit/verify?consistency=linearizable", "").wants(t, 200, "").body["valid"])
}

// TestVendorKeyRevokedMeanwhile: a key that was let in and is revoked before its
// command is applied changes nothing.
func TestVendorKeyRevokedMeanwhile(t *testing.T) {
	v, id := newVendor(t)
	key, keyID := v.newKey(0, time.Time{})
	v.revoke(keyID)
	by := license.By{Session: shard.HashAPIKey(live.shard.Secrets().KeyHMAC, key)}
	_, err := live.shard.ChangeVendor(t.Context(), id, shard.VendorChange{Account: license.VendorSettings{By: by}})
	require.ErrorContains(t, err, "key_revoked")
	result, _, err := live.shard.GenerateKey(t.Context(), v.tenant, by, shard.NewAPIKey(v.tenant), license.Key{AppName: "x"})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.KeyRevoked, result.Code)
}

// TestVendorKeyKeepsItsLimits: a limited key makes, widens and takes over none
// that is wider than itself.
func TestVendorKeyKeepsItsLimits(t *testing.T) {
	v, _ := newVendor(t)
	made := vendorDo(t, v.key, "POST", "/api/v1/keys", `{"app_name":"ci","expires_in_days":1,"allowed_ip_ranges":["127.0.0.0/8"]}`).wants(t, 201, "")
	key, id := made.text("api_key"), made.text("key_id")
	mine := vendorDo(t, key, "POST", "/api/v1/keys", `{"app_name":"mine"}`).wants(t, 201, "")
	require.Equal(t, made.text("expires_at"), mine.text("expires_at"))
	for body, pointer := range map[string]string{
		`{"app_name":"x","expires_in_days":2}`:                 "/expires_in_days",
		`{"app_name":"x","allowed_ip_ranges":["0.0.0.0/0"]}`:   "/allowed_ip_ranges",
		`{"app_name":"x","allowed_ip_ranges":["10.0.0.0/24"]}`: "/allowed_ip_ranges",
	} {
		require.Equal(t, []string{pointer}, errorPointers(vendorDo(t, key, "POST", "/api/v1/keys", body).wants(t, 422, "invalid_field")), body)
	}
	vendorDo(t, key, "POST", "/api/v1/keys", `{"app_name":"x","allowed_ip_ranges":["127.0.0.1/32"]}`).wants(t, 201, "")
	vendorDo(t, key, "POST", "/api/v1/keys/"+id+"/restrictions", `{"allowed_ip_ranges":[]}`).wants(t, 422, "invalid_field")
	_, free := v.newKey(0, time.Time{})
	vendorDo(t, key, "POST", "/api/v1/keys/"+string(free)+"/rotate", "").wants(t, 403, "missing_scope")
	vendorDo(t, key, "POST", "/api/v1/keys/rotate", "").wants(t, 200, "")
	vendorDo(t, v.key, "POST", "/api/v1/keys/"+id+"/restrictions", `{"allowed_ip_ranges":[]}`).wants(t, 200, "")
}

// TestVendorsAuditLog names the vendor, and not its account.
func TestVendorsAuditLog(t *testing.T) {
	v, id := newVendor(t)
	const path = "/api/v1/audit?consistency=linearizable"
	log := vendorDo(t, v.key, "GET", path, "").wants(t, 200, "")
	record := log.body["items"].([]any)[0].(map[string]any)
	require.Equal(t, string(id), record["vendor_id"])
	require.NotContains(t, record, "tenant_id")
	csv := vendorDo(t, v.key, "GET", path, "", header{"Accept", "text/csv"})
	require.Equal(t, 200, csv.StatusCode)
	require.Regexp(t, `^timestamp,vendor_id,`, string(csv.raw))
	require.Equal(t, `attachment; filename="audit-`+string(id)+`.csv"`, csv.Header.Get("Content-Disposition"))
	require.NotContains(t, string(log.raw)+string(csv.raw), string(v.tenant))
}
