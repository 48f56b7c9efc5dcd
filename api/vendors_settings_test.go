package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

func errorPointers(r *reply) (pointers []string) {
	list, _ := r.body["errors"].([]any)
	for _, e := range list {
		pointers = append(pointers, e.(map[string]any)["pointer"].(string))
	}
	return pointers
}

// TestVendorSettings: each setting is changed alone, kept, cleared, and the
// token of the invoice webhook never shown.
func TestVendorSettings(t *testing.T) {
	v, id := newVendor(t)
	change := func(body string) *reply { return vendorDo(t, v.key, "PATCH", "/api/v1/settings", body) }
	first := vendorDo(t, v.key, "GET", "/api/v1/settings", "").wants(t, 200, "")
	require.Equal(t, true, first.body["auto_provision"])
	require.Nil(t, first.body["white_label"])
	require.Equal(t, string(id), first.text("vendor_id"))
	require.Regexp(t, `^g\d+:\d+,d:\d+$`, first.Header.Get(headerApplied))

	r := change(`{"display_name":"Vector Informatik GmbH","auto_provision":false,"branding":{"name":"Vector","color":"#b70032"}}`).wants(t, 200, "")
	require.Equal(t, "Vector Informatik GmbH", r.text("display_name"))
	require.Equal(t, false, r.body["auto_provision"])
	require.Equal(t, map[string]any{"name": "Vector", "color": "#b70032", "logo_url": ""}, r.body["branding"])
	r = change(`{"branding":{"color":"","logo_url":"https://vector.com/logo.svg"}}`).wants(t, 200, "")
	require.Equal(t, map[string]any{"name": "Vector", "color": "", "logo_url": "https://vector.com/logo.svg"}, r.body["branding"])
	require.Equal(t, false, r.body["auto_provision"])
	later := vendorDo(t, v.key, "GET", "/api/v1/settings", "", header{headerMinIndex, r.Header.Get(headerApplied)}).wants(t, 200, "")
	require.Equal(t, string(r.raw), string(later.raw), "a reader sees its own writes")

	const secret = "s3cr3t-token-of-the-billing-system"
	hook := func(r *reply) map[string]any { return r.body["invoice_webhook"].(map[string]any) }
	r = change(fmt.Sprintf(`{"invoice_webhook":{"url":"https://vector.com/api/billing/invoices","bearer_token":%q}}`, secret)).wants(t, 200, "")
	require.Equal(t, map[string]any{"url": "https://vector.com/api/billing/invoices", "bearer_token_set": true}, hook(r))
	require.NotContains(t, string(r.raw), secret)
	require.NotContains(t, string(vendorDo(t, v.key, "GET", "/api/v1/settings", "").raw), secret)
	kept, _, err := live.shard.InvoiceHook(t.Context(), id, shard.ReadOptions{Linearizable: true})
	require.NoError(t, err)
	require.Equal(t, license.InvoiceHook{URL: "https://vector.com/api/billing/invoices", Token: secret}, kept)
	r = change(`{"invoice_webhook":{"url":"https://elsewhere.com/invoices"}}`).wants(t, 200, "")
	require.Equal(t, map[string]any{"url": "https://elsewhere.com/invoices", "bearer_token_set": false}, hook(r), "a token is for the URL it came with")
	r = change(`{"invoice_webhook":{"url":""}}`).wants(t, 200, "")
	require.Equal(t, map[string]any{"url": "", "bearer_token_set": false}, hook(r))
	require.Equal(t, []string{"/invoice_webhook/bearer_token"}, errorPointers(change(`{"invoice_webhook":{"bearer_token":"t"}}`).wants(t, 422, "invalid_field")))
	require.NotContains(t, live.log.String(), secret)

	for body, pointer := range map[string]string{
		`{"display_name":""}`:                                      "/display_name",
		`{"display_name":" x"}`:                                    "/display_name",
		`{"branding":{"name":"a\u0000"}}`:                          "/branding/name",
		`{"branding":{"name":"` + strings.Repeat("ä", 101) + `"}}`: "/branding/name",
		`{"branding":{"color":"red"}}`:                             "/branding/color",
		`{"branding":{"color":"#b7003"}}`:                          "/branding/color",
		`{"branding":{"logo_url":"javascript:alert(1)"}}`:          "/branding/logo_url",
		`{"branding":{"logo_url":"http://vector.com/logo.svg"}}`:   "/branding/logo_url",
		`{"invoice_webhook":{"url":"ftp://vector.com"}}`:           "/invoice_webhook/url",
		`{"invoice_webhook":{"url":"https://u:p@vector.com"}}`:     "/invoice_webhook/url",
		`{"invoice_webhook":{"bearer_token":"a b"}}`:               "/invoice_webhook/bearer_token",
		`{"white_label":{"host":"localhost"}}`:                     "/white_label/host",
		`{"white_label":{"host":"acme.localhost"}}`:                "/white_label/host",
		`{"white_label":{"host":"10.0.0.1"}}`:                      "/white_label/host",
		`{"white_label":{"host":"co.uk"}}`:                         "/white_label/host",
		`{"auto_provision":1}`:                                     "/auto_provision",
	} {
		require.Equal(t, []string{pointer}, errorPointers(change(body).wants(t, 422, "invalid_field")), body)
	}
	change(`{"region":"us-east"}`).wants(t, 400, "malformed_request")
	audit := adminDo(t, "GET", "/v1/tenants/"+string(v.tenant)+"/audit?consistency=linearizable&limit=100", "").wants(t, 200, "")
	require.Contains(t, string(audit.raw), "settings.update")
	require.NotContains(t, string(audit.raw), secret)
}

// TestWhiteLabelHost: once its record is there, a host is the vendors' host of
// one vendor alone.
func TestWhiteLabelHost(t *testing.T) {
	v, id := newVendor(t)
	other, otherID := newVendor(t)
	host := "licenses." + string(id) + ".com"
	at := func(token, method, path, body string, headers ...header) *reply {
		return send(t, live.edge, host, method, path, body, append([]header{{"Authorization", "Bearer " + token}}, headers...)...)
	}
	verify := func(token string) *reply {
		return vendorDo(t, token, "POST", "/api/v1/settings/white-label/verify", "")
	}
	at(v.key, "GET", "/api/v1/me", "").wants(t, 404, "tenant_not_found")
	verify(v.key).wants(t, 404, "not_found")

	set := vendorDo(t, v.key, "PATCH", "/api/v1/settings", fmt.Sprintf(`{"white_label":{"host":%q}}`, strings.ToUpper(host))).wants(t, 200, "")
	label := set.body["white_label"].(map[string]any)
	require.Equal(t, host, label["host"])
	require.Equal(t, "pending_verification", label["status"])
	record := label["dns_record"].(map[string]any)
	require.Equal(t, "_cloudlicenses."+host, record["name"])
	verify(v.key).wants(t, 409, "verification_pending")

	// Another vendor's claim has another record, and does not stand in the way.
	theirs := vendorDo(t, other.key, "PATCH", "/api/v1/settings", fmt.Sprintf(`{"white_label":{"host":%q}}`, host)).wants(t, 200, "")
	require.NotEqual(t, record["value"], theirs.body["white_label"].(map[string]any)["dns_record"].(map[string]any)["value"])
	require.NoError(t, live.dns.Set(record["name"].(string), record["value"].(string)))
	verify(other.key).wants(t, 409, "verification_pending")
	at(v.key, "GET", "/api/v1/me", "").wants(t, 404, "tenant_not_found")
	verified := verify(v.key).wants(t, 200, "")
	require.Equal(t, map[string]any{"host": host, "status": "active"}, verified.body["white_label"])
	verify(v.key).wants(t, 200, "")

	me := at(v.key, "GET", "/api/v1/me", "").wants(t, 200, "")
	require.Equal(t, string(id), me.text("vendor_id"))
	at(other.key, "GET", "/api/v1/me", "").wants(t, 403, "vendor_mismatch")
	at(shard.NewAPIKey("@no-such-vendor"), "GET", "/api/v1/me", "").wants(t, 403, "vendor_mismatch")
	at(v.key, "GET", "/api/v1/leases", "").wants(t, 404, "not_found")
	vendorDo(t, other.key, "GET", "/api/v1/me", "").wants(t, 200, "")
	vendorDo(t, other.key, "PATCH", "/api/v1/settings", `{"auto_provision":false}`).wants(t, 200, "") // whatever it once claimed

	// There, a log-in need not say which vendor.
	v.newUser("ann", cloudlicenses.RoleOwner)
	login := func(more string) *reply {
		return at("", "POST", "/api/v1/login", fmt.Sprintf(`{%s"email":"ann@acme.example","password":%q}`, more, testPassword), header{"Authorization", ""})
	}
	session := login("").wants(t, 200, "").text("token")
	login(fmt.Sprintf(`"vendor_id":%q,`, id)).wants(t, 200, "")
	require.Equal(t, []string{"/vendor_id"}, errorPointers(login(fmt.Sprintf(`"vendor_id":%q,`, otherID)).wants(t, 422, "invalid_field")))
	at(session, "GET", "/api/v1/me", "").wants(t, 200, "")
	at("", "POST", "/api/v1/logout", "", header{"Authorization", ""}, header{"Cookie", cookiePlain + "=" + session}, header{"Origin", "http://" + vendorsHost}).wants(t, 401, "unauthenticated")
	at("", "POST", "/api/v1/logout", "", header{"Authorization", ""}, header{"Cookie", cookiePlain + "=" + session}, header{"Origin", "http://" + host}).wants(t, 204, "")

	taken := vendorDo(t, other.key, "PATCH", "/api/v1/settings", `{"white_label":{"host":""}}`).wants(t, 200, "")
	require.Nil(t, taken.body["white_label"])
	vendorDo(t, other.key, "PATCH", "/api/v1/settings", fmt.Sprintf(`{"white_label":{"host":%q}}`, host)).wants(t, 409, "already_exists")
	vendorDo(t, v.key, "PATCH", "/api/v1/settings", `{"white_label":{"host":""}}`).wants(t, 200, "")
	at(v.key, "GET", "/api/v1/me", "").wants(t, 404, "tenant_not_found")
}

// TestProducts: a catalog is its vendor's alone.
func TestProducts(t *testing.T) {
	v, _ := newVendor(t)
	other, _ := newVendor(t)
	const path = "/api/v1/products"
	made := vendorDo(t, v.key, "POST", path, `{"product_id":"davinci-configurator-se","name":"DaVinci Configurator SE","version":">=8.0.0","min_lib_version":"1.2.0"}`).wants(t, 201, "")
	require.Equal(t, ">=8.0.0", made.text("version"))
	again := vendorDo(t, v.key, "POST", path, `{"product_id":"davinci-configurator-se","name":"DaVinci Configurator SE","version":">=8.0.0","min_lib_version":"1.2.0"}`).wants(t, 201, "")
	require.Equal(t, string(made.raw), string(again.raw))
	vendorDo(t, v.key, "POST", path, `{"product_id":"davinci-configurator-se","name":"Other"}`).wants(t, 409, "already_exists")
	vendorDo(t, v.key, "POST", path, `{"product_id":"davinci-ide","name":"DaVinci IDE"}`).wants(t, 201, "")
	at := path + "/davinci-configurator-se"
	changed := vendorDo(t, v.key, "PATCH", at, `{"archived":true,"min_lib_version":""}`).wants(t, 200, "")
	require.Equal(t, true, changed.body["archived"])
	require.Equal(t, "DaVinci Configurator SE", changed.text("name"))
	require.Equal(t, string(changed.raw), string(vendorDo(t, v.key, "GET", at+"?consistency=linearizable", "").wants(t, 200, "").raw))
	page := vendorDo(t, v.key, "GET", path+"?limit=1&consistency=linearizable", "").wants(t, 200, "")
	require.Len(t, page.body["items"], 1)
	page = vendorDo(t, v.key, "GET", path+"?consistency=linearizable&cursor="+page.text("next_cursor"), "").wants(t, 200, "")
	require.Len(t, page.body["items"], 1)
	require.Nil(t, page.body["next_cursor"])
	require.Empty(t, vendorDo(t, other.key, "GET", path+"?consistency=linearizable", "").wants(t, 200, "").body["items"])
	for _, path := range []string{at, path + "/none"} {
		vendorDo(t, other.key, "GET", path, "").wants(t, 404, "product_not_found")
		vendorDo(t, other.key, "PATCH", path, `{"name":"N"}`).wants(t, 404, "product_not_found")
	}
	for body, pointer := range map[string]string{
		`{"name":"N"}`:                                                 "/product_id",
		`{"product_id":"x"}`:                                           "/name",
		`{"product_id":"-x","name":"N"}`:                               "/product_id",
		`{"product_id":"x","name":""}`:                                 "/name",
		`{"product_id":"x","name":"a\u0007"}`:                          "/name",
		`{"product_id":"x","name":"N","version":"eight"}`:              "/version",
		`{"product_id":"x","name":"N","min_lib_version":">=1"}`:        "/min_lib_version",
		`{"product_id":"` + strings.Repeat("x", 101) + `","name":"N"}`: "/product_id",
	} {
		require.Equal(t, []string{pointer}, errorPointers(vendorDo(t, v.key, "POST", path, body).wants(t, 422, "invalid_field")), body)
	}
}

// TestOperatorsVendors: an operator shows, renames and suspends a vendor.
func TestOperatorsVendors(t *testing.T) {
	v, id := newVendor(t)
	at := "/v1/vendors/" + string(id)
	shown := adminDo(t, "GET", at, "").wants(t, 200, "")
	require.Equal(t, "active", shown.text("status"))
	require.Equal(t, "Renamed GmbH", adminDo(t, "PATCH", at, `{"name":"Renamed GmbH"}`).wants(t, 200, "").text("name"))
	session := v.newSession(v.newUser("ann", cloudlicenses.RoleOwner))
	require.Equal(t, "suspended", adminDo(t, "PATCH", at, `{"status":"suspended"}`).wants(t, 200, "").text("status"))
	for _, token := range []string{v.key, session} {
		require.Eventually(t, func() bool { return vendorDo(t, token, "GET", "/api/v1/me", "").StatusCode == 401 }, 5*time.Second, 10*time.Millisecond)
	}
	require.Equal(t, "active", adminDo(t, "PATCH", at, `{"status":"active"}`).wants(t, 200, "").text("status"))
	vendorDo(t, v.key, "GET", "/api/v1/me", "").wants(t, 200, "")
	for _, body := range []string{`{"status":"deleting"}`, `{"status":""}`, `{"name":""}`} {
		adminDo(t, "PATCH", at, body).wants(t, 422, "invalid_field")
	}
	adminDo(t, "GET", "/v1/vendors/none", "").wants(t, 404, "not_found")
	adminDo(t, "PATCH", "/v1/vendors/none", `{"name":"N"}`).wants(t, 404, "not_found")
}

// TestRefusedSettingsChangeNothing: a change that the directory refuses leaves
// the vendor's account as it was, and nothing in its audit log.
func TestRefusedSettingsChangeNothing(t *testing.T) {
	one, id := newVendor(t)
	host := one.verifyHost(id)

	v, _ := newVendor(t)
	vendorDo(t, v.key, "PATCH", "/api/v1/settings", `{"invoice_webhook":{"url":"https://erp.example.com/in","bearer_token":"sesame"}}`).wants(t, 200, "")
	updates := func() int {
		return strings.Count(string(vendorDo(t, v.key, "GET", "/api/v1/audit?consistency=linearizable", "").wants(t, 200, "").raw), "settings.update")
	}
	before := updates()
	require.Positive(t, before)
	vendorDo(t, v.key, "PATCH", "/api/v1/settings", fmt.Sprintf(`{"white_label":{"host":%q},"invoice_webhook":{"url":"https://other.example.com/in"}}`, host)).wants(t, 409, "already_exists")
	now := vendorDo(t, v.key, "GET", "/api/v1/settings?consistency=linearizable", "").wants(t, 200, "")
	require.Equal(t, map[string]any{"url": "https://erp.example.com/in", "bearer_token_set": true}, now.body["invoice_webhook"])
	require.Equal(t, before, updates())
}
