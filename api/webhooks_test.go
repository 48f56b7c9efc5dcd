package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// endpointDo commits a command about endpoints.
func (p *pool) endpointDo(cmd shard.Command) license.Endpoint {
	p.t.Helper()
	var r license.EndpointResult
	cmd.Result = &r
	_, err := live.shard.Do(context.Background(), p.tenant, cmd)
	require.NoError(p.t, err)
	require.Equal(p.t, cloudlicenses.OK, r.Code, r.Detail)
	return r.Endpoint
}

func (p *pool) endpoints() []license.Endpoint {
	p.t.Helper()
	var page license.EndpointPage
	_, err := live.shard.Read(context.Background(), p.tenant, shard.Command{
		Op: license.QueryEndpoints, Payload: &license.ListEndpoints{}, Result: &page,
	}, shard.ReadOptions{Linearizable: true})
	require.NoError(p.t, err)
	return page.Items
}

func (p *pool) pruneEndpoints() {
	p.t.Helper()
	for _, e := range p.endpoints() {
		p.endpointDo(shard.Command{Op: license.OpRemoveEndpoint, Payload: &license.RemoveEndpoint{By: license.By{Platform: true}, ID: e.ID}})
	}
}

// newEndpoint makes the tenant's only endpoint.
func (p *pool) newEndpoint() cloudlicenses.EndpointID {
	p.t.Helper()
	p.pruneEndpoints()
	id, err := shard.NewUserID() // as good as any
	require.NoError(p.t, err)
	return p.endpointDo(shard.Command{Op: license.OpPutEndpoint, Payload: &license.PutEndpoint{
		By: license.By{Platform: true}, ID: cloudlicenses.EndpointID(strings.Replace(string(id), "user-", "wh-", 1)),
		URL: "https://acme.example/hook", Secret: "whsec_canary",
	}}).ID
}

var events atomic.Int64

// event makes something that endpoints are told of.
func (p *pool) event() {
	p.t.Helper()
	if p.license == "" { // a vendor's account
		for range 2 {
			p.newUser("new-"+strconv.Itoa(int(events.Add(1))), cloudlicenses.RoleViewer)
		}
		return
	}
	for _, status := range []cloudlicenses.LicenseStatus{cloudlicenses.LicenseSuspended, cloudlicenses.LicenseProvisioned} {
		p.command(license.OpStatus, &license.SetLicenseStatus{ID: p.license, Status: status})
	}
}

// newDelivery makes an endpoint with two deliveries, and returns the first.
func (p *pool) newDelivery() string {
	p.t.Helper()
	id := p.newEndpoint()
	p.event()
	return cloudlicenses.FormatDeliveryID(id, 1)
}

// tried settles the oldest delivery that is pending to an endpoint.
func (p *pool) tried(endpoint string, result uint8, status int64) {
	p.t.Helper()
	for group := cluster.GroupID(1); group <= 2; group++ {
		var page license.OutboxPage
		_, err := live.shard.ReadGroup(context.Background(), group, shard.Command{
			Op: license.QueryOutbox, Payload: &license.ListOutbox{Limit: 10_000}, Result: &page,
		}, shard.ReadOptions{Linearizable: true})
		require.NoError(p.t, err)
		for _, o := range page.Items {
			if string(o.EndpointID) != endpoint {
				continue
			}
			var ack license.Ack
			require.NoError(p.t, live.shard.DoGroup(context.Background(), group, shard.Command{Op: license.OpOutboxTried, Result: &ack, Payload: &license.OutboxTried{
				Sequence: o.Sequence, Attempt: o.Attempts + 1, Result: result, Status: status, NextMillis: o.AtMillis + 3_600_000, Error: "as it was told",
			}}))
			return
		}
	}
	p.t.Fatal("nothing is pending")
}

// testWebhooks asks a DNS server that knows of no address.
func testWebhooks(dns string) notify.WebhookConfig {
	return notify.WebhookConfig{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, dns)
	}}}
}

// TestWebhookAddresses: an endpoint that no delivery would reach is refused when
// it is set, by what deliveries are checked by.
func TestWebhookAddresses(t *testing.T) {
	p := newPool(t, 1, 0)
	session := p.newSession(p.newUser("ann", cloudlicenses.RoleAdmin))
	refused := func(r *reply, pointer, address string) {
		t.Helper()
		wrong := r.wants(t, 422, "invalid_field").body["errors"].([]any)[0].(map[string]any)
		require.Equal(t, pointer, wrong["pointer"])
		require.Contains(t, wrong["detail"], address)
	}
	made := p.as(session, "POST", "/api/v1/webhooks", `{"url":"https://not-there-yet.acme.example/hook"}`).wants(t, 201, "")
	for url, address := range map[string]string{
		"https://10.1.2.3/hook":        "10.1.2.3",
		"https://169.254.169.254/meta": "169.254.169.254",
		"https://[fd00:ec2::254]/meta": "fd00:ec2::254",
		"https://localhost/hook":       "has a private address",
		"https://localhost./hook":      "has a private address",
		"https://127.1/hook":           "neither a name nor an address",
	} {
		body := fmt.Sprintf(`{"url":%q}`, url)
		refused(p.as(session, "POST", "/api/v1/webhooks", body), "/url", address)
		refused(p.as(session, "PATCH", "/api/v1/webhooks/"+made.text("id"), body), "/url", address)
	}
	p.as(session, "PATCH", "/api/v1/webhooks/"+made.text("id"), `{"url":"https://8.8.8.8/hook"}`).wants(t, 200, "")

	v, _ := newVendor(t)
	owner := v.newSession(v.newUser("ann", cloudlicenses.RoleOwner))
	refused(vendorDo(t, owner, "PATCH", "/api/v1/settings", `{"invoice_webhook":{"url":"https://10.1.2.3/invoices","bearer_token":"abcdefghijklmnopqrstuvwxyz"}}`),
		"/invoice_webhook/url", "10.1.2.3")
	refused(vendorDo(t, owner, "PATCH", "/api/v1/settings", `{"invoice_webhook":{"url":"https://2130706433/invoices","bearer_token":"abcdefghijklmnopqrstuvwxyz"}}`),
		"/invoice_webhook/url", "has a private address")
}

// TestWebhookStory: an administrator makes an endpoint, sees what became of its
// deliveries, replays one, follows the secret by another, and removes it.
func TestWebhookStory(t *testing.T) {
	p := newPool(t, 5, 0)
	session := p.newSession(p.newUser("ann", cloudlicenses.RoleAdmin))
	made := p.as(session, "POST", "/api/v1/webhooks", `{"url":"https://acme.example/hook?token=x","events":["license.suspended","license.resumed"]}`).wants(t, 201, "")
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, made.text("secret"))
	require.Equal(t, true, made.body["enabled"])
	require.Nil(t, made.body["disabled_reason"])
	require.Equal(t, "no-store", made.Header.Get("Cache-Control"))
	at := "/api/v1/webhooks/" + made.text("id")
	const now = "?consistency=linearizable"
	for _, path := range []string{"/api/v1/webhooks" + now, at + now} {
		shown := p.as(session, "GET", path, "").wants(t, 200, "")
		require.Contains(t, string(shown.raw), made.text("id"))
		require.NotContains(t, string(shown.raw), "whsec_", "a secret is shown once")
	}
	p.event()
	list := func(query string) []map[string]any {
		t.Helper()
		r := p.as(session, "GET", "/api/v1/webhooks/deliveries"+now+query, "").wants(t, 200, "")
		var page struct{ Items []map[string]any }
		require.NoError(t, json.Unmarshal(r.raw, &page))
		return page.Items
	}
	items := list("")
	require.Len(t, items, 2)
	require.Equal(t, "license.resumed", items[0]["event"], "the newest first")
	require.Equal(t, made.text("id")+"-1", items[1]["id"])
	require.Equal(t, "pending", items[1]["state"])
	require.Equal(t, "suspended", items[1]["data"].(map[string]any)["status"])
	require.Len(t, list("&endpoint_id=wh-none"), 0)
	require.Len(t, list("&limit=1"), 1)
	require.Len(t, list("&state=pending"), 2)
	require.Empty(t, list("&state=delivered"))
	require.Equal(t, items[1:], list("&event=license.suspended&state=pending&endpoint_id="+made.text("id")))
	for _, wrong := range []string{"state=lost", "event=license.lost", "state=", "event="} {
		refused := p.as(session, "GET", "/api/v1/webhooks/deliveries?"+wrong, "").wants(t, 422, "invalid_field")
		require.Contains(t, string(refused.raw), `"parameter":"`+strings.Split(wrong, "=")[0]+`"`)
	}

	p.tried(made.text("id"), license.TriedRetry, 503)
	items = list("&endpoint_id=" + made.text("id"))
	require.EqualValues(t, 503, items[1]["status_code"])
	require.EqualValues(t, 1, items[1]["attempts"])
	require.NotNil(t, items[1]["next_attempt_at"])
	p.tried(made.text("id"), license.TriedDisabled, 410)
	r := p.as(session, "GET", at+now, "").wants(t, 200, "")
	require.Equal(t, "gone", r.text("disabled_reason"))
	require.Equal(t, json.Number("2"), r.body["consecutive_failures"])
	replay := func(number int) *reply {
		return p.as(session, "POST", fmt.Sprintf("/api/v1/webhooks/deliveries/%s-%d/replay", made.text("id"), number), "")
	}
	replay(1).wants(t, 422, "invalid_field")
	r = p.as(session, "PATCH", at, `{"enabled":true,"url":"https://acme.example/new","events":[]}`).wants(t, 200, "")
	require.Equal(t, "https://acme.example/new", r.text("url"))
	require.Empty(t, r.body["events"])
	require.Nil(t, r.body["disabled_reason"])
	again := replay(1).wants(t, 202, "")
	require.Equal(t, made.text("id")+"-1", again.text("id"), "the receiver knows it again")
	require.Equal(t, "pending", again.text("state"))
	require.Equal(t, json.Number("0"), again.body["attempts"])
	replay(2).wants(t, 202, "") // was pending: at once
	replay(3).wants(t, 404, "not_found")

	rotated := p.as(session, "POST", at+"/rotate", "").wants(t, 200, "")
	require.NotEqual(t, made.text("secret"), rotated.text("secret"))
	p.as(session, "PATCH", at, `{"enabled":false}`).wants(t, 200, "")
	p.as(session, "DELETE", at, "").wants(t, 204, "")
	p.as(session, "GET", at+now, "").wants(t, 404, "not_found")
	require.Empty(t, list(""))
	audit := adminDo(t, http.MethodGet, "/v1/tenants/"+string(p.tenant)+"/audit"+now+"&limit=100", "").wants(t, 200, "")
	for _, action := range []string{"webhook.create", "webhook.update", "webhook.rotate", "webhook.replay", "webhook.remove"} {
		require.Contains(t, string(audit.raw), action)
	}
	require.NotContains(t, string(audit.raw), "whsec_")
	require.NotContains(t, live.log.String(), "whsec_")
}

func TestWebhookBodies(t *testing.T) {
	p := newPool(t, 1, 0)
	session := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	for body, status := range map[string]int{
		``: 400, `{}`: 422, `{"url":1}`: 422, `{"url":"https://a.example","x":1}`: 400, `{"url":""}`: 422, `{"url":"a.example"}`: 422,
		`{"url":"http://a.example/"}`: 422, `{"url":"https://u:p@a.example/"}`: 422, `{"url":"https://a.example/#x"}`: 422,
		`{"url":"https://a.example","events":["lease.granted"]}`: 422, `{"url":"https://a.example","events":"all"}`: 422,
		`{"url":"https://a.example","enabled":false}`: 422, `{"url":"https://` + strings.Repeat("a", 2048) + `"}`: 422,
	} {
		r := p.as(session, "POST", "/api/v1/webhooks", body)
		require.Equal(t, status, r.StatusCode, "%s → %s", body, r.raw)
	}
	r := p.as(session, "POST", "/api/v1/webhooks", `{"url":"http://a.example/","events":["license.amended","x"]}`).wants(t, 422, "invalid_field")
	require.Contains(t, string(r.raw), `{"pointer":"/url","detail":"can't be used: the scheme must be https"}`)
	require.Contains(t, string(r.raw), `{"pointer":"/events/1","detail":"is no kind of event: must be one of license.provisioned, license.amended, `)
	for range cloudlicenses.MaxWebhookEndpoints {
		p.as(session, "POST", "/api/v1/webhooks", `{"url":"https://a.example/"}`).wants(t, 201, "")
	}
	p.as(session, "POST", "/api/v1/webhooks", `{"url":"https://a.example/"}`).wants(t, 402, "plan_limit_exceeded")
}

// TestOutboxOfOperators: what waits, and what failed, by group.
func TestOutboxOfOperators(t *testing.T) {
	p := newPool(t, 1, 0)
	p.newDelivery()
	session := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	p.as(session, "POST", "/api/v1/users", `{"email":"bob@acme.example","name":"Bob","role":"viewer"}`).wants(t, 201, "")
	view := adminDo(t, http.MethodGet, "/v1/outbox?consistency=linearizable", "").wants(t, 200, "")
	groups := view.body["groups"].([]any)
	require.Len(t, groups, 2)
	group := -1
	for i := range groups {
		g := groups[i].(map[string]any)
		if pending := g["pending"].(map[string]any); pending["webhooks"] != json.Number("0") && pending["mails"] != json.Number("0") {
			require.NotNil(t, g["oldest_at"])
			group = i + 1
		}
	}
	require.Positive(t, group)
	at := -1
	for g := cluster.GroupID(1); g <= 2; g++ {
		var page license.OutboxPage
		_, err := live.shard.ReadGroup(context.Background(), g, shard.Command{
			Op: license.QueryOutbox, Payload: &license.ListOutbox{Limit: 10_000}, Result: &page,
		}, shard.ReadOptions{Linearizable: true})
		require.NoError(t, err)
		for _, o := range page.Items {
			if o.TenantID == p.tenant && o.Kind == "mail.invite" {
				at = int(g)
				var ack license.Ack
				require.NoError(t, live.shard.DoGroup(context.Background(), g, shard.Command{Op: license.OpOutboxTried, Result: &ack, Payload: &license.OutboxTried{
					Sequence: o.Sequence, Attempt: 1, Result: license.TriedFailed, Status: 550, Error: "no such mailbox",
				}}))
			}
		}
	}
	dead := adminDo(t, http.MethodGet, fmt.Sprintf("/v1/groups/%d/dead-mails?consistency=linearizable", at), "").wants(t, 200, "")
	require.Contains(t, string(dead.raw), `"email":"bob@acme.example","attempts":1,"status_code":550,"error":"no such mailbox"`)
	require.NotContains(t, string(dead.raw), `token`)
	for _, none := range []string{"0", "99", "x"} {
		adminDo(t, http.MethodGet, "/v1/groups/"+none+"/dead-mails", "").wants(t, 404, "not_found")
	}
}

// TestVendorWebhooks: a vendor has endpoints of its own, by key and by session,
// and is told there of its invoices.
func TestVendorWebhooks(t *testing.T) {
	v, _ := newVendor(t)
	other, _ := newVendor(t)
	made := vendorDo(t, v.key, "POST", "/api/v1/webhooks", `{"url":"https://vector.example/hook","events":["invoice.issued","invoice.voided"]}`).wants(t, 201, "")
	require.Regexp(t, `^whsec_`, made.text("secret"))
	id := v.newInvoice()
	vendorDo(t, v.key, "POST", "/api/v1/billing/invoices/"+id+"/void", `{"reason":"canceled"}`).wants(t, 200, "")
	list := string(vendorDo(t, v.key, "GET", "/api/v1/webhooks/deliveries?endpoint_id="+made.text("id"), "").wants(t, 200, "").raw)
	require.Equal(t, 2, strings.Count(list, `"endpoint_id":"`+made.text("id")+`"`))
	require.Contains(t, list, `"data":{"invoice_id":"`+id+`","voids":null,"void_reason":null,`)
	require.Contains(t, list, `"data":{"invoice_id":"void-`+id+`","voids":"`+id+`","void_reason":"canceled",`)
	require.Contains(t, list, `"event":"invoice.voided"`)
	vendorDo(t, other.key, "GET", "/api/v1/webhooks/"+made.text("id"), "").wants(t, 404, "not_found")
	vendorDo(t, other.key, "POST", "/api/v1/webhooks/deliveries/"+made.text("id")+"-1/replay", "").wants(t, 404, "not_found")
	vendorDo(t, v.key, "POST", "/api/v1/webhooks/deliveries/"+made.text("id")+"-1/replay", "").wants(t, 202, "")
}
