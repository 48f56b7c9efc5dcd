package api

import (
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

// newInvoice puts an invoice into a vendor's account and returns its id.
func (p *pool) newInvoice() string {
	p.t.Helper()
	unique := newUUID(time.Now())
	v := license.Invoice{
		ID: fmt.Sprintf("inv-2026-09-%x", unique[6:]), Revision: 1, CRMAccount: "ACC-1", CustomerName: "C", Month: 2026*12 + 8, Currency: "EUR",
		Lines: []license.InvoiceLine{{LicenseID: "lic-1", Description: "P - Commit (1 license)", Amount: 100, Quantity: 1}}, Total: 100,
	}
	var result license.InvoiceResult
	_, err := live.shard.Do(p.t.Context(), p.tenant, shard.Command{
		Op: license.OpIssueInvoice, Payload: &license.IssueInvoice{By: license.By{Platform: true}, Invoice: v}, Result: &result,
	})
	require.NoError(p.t, err)
	require.Equal(p.t, cloudlicenses.OK, result.Code, result.Detail)
	return v.ID
}

// TestInvoiceStory: a month is run, twice; what is voided is made anew by hand;
// everything leaves for the vendor's billing system once.
func TestInvoiceStory(t *testing.T) {
	vendor, _, _ := licensed(t, "/customer/crm_account_id", `"ACC-98765"`, "/customer/name", `"Mercedes-Benz AG"`,
		"/product/name", `"DaVinci Configurator SE"`, "/contract/start_date", `"2025-11-16"`, "/contract/end_date", `"2027-12-31"`)
	run := func(period string) *reply {
		return vendorDo(t, vendor.key, "POST", "/api/v1/billing/invoices/run?period="+period, "")
	}
	vendorDo(t, vendor.key, "PATCH", "/api/v1/settings", `{"invoice_webhook":{"url":"https://vector.example/api/billing/invoices","bearer_token":"secret-token"}}`).wants(t, 200, "")

	first := run("2025-11").wants(t, 200, "")
	issued := first.body["issued"].([]any)
	require.Len(t, issued, 1)
	invoice := issued[0].(map[string]any)
	id := invoice["invoice_id"].(string)
	require.Regexp(t, `^inv-2025-11-[0-9a-f]{20}$`, id)
	require.Equal(t, "2500.00", fmt.Sprint(invoice["total"]), "half of November")
	require.Equal(t, "pending", invoice["delivery"].(map[string]any)["state"])
	again := run("2025-11").wants(t, 200, "")
	require.Empty(t, again.body["issued"])
	require.Equal(t, "1", fmt.Sprint(again.body["known"]))
	require.Empty(t, run("2025-10").wants(t, 200, "").body["issued"], "before the contract")

	bodies := sentInvoices(t, vendor.tenant)
	require.Equal(t, []string{`{"source":"localhost","period":"2025-11","crm_account_id":"ACC-98765","line_items":[` +
		`{"description":"DaVinci Configurator SE - Commit (5 licenses), 2025-11-16 to 2025-11-30","amount":2500.00,"quantity":1}],"total":2500.00,"currency":"EUR"}`}, bodies)

	got := vendorDo(t, vendor.key, "GET", "/api/v1/billing/invoices/"+id, "").wants(t, 200, "")
	require.Equal(t, "issued", got.text("state"))
	for _, bad := range []string{`{"reason":"` + strings.Repeat("ü", cloudlicenses.MaxVoidReason+1) + `"}`, `{"reason":1}`} {
		vendorDo(t, vendor.key, "POST", "/api/v1/billing/invoices/"+id+"/void", bad).wants(t, 422, "invalid_field")
	}
	reason := strings.Repeat("ü", cloudlicenses.MaxVoidReason)
	void := vendorDo(t, vendor.key, "POST", "/api/v1/billing/invoices/"+id+"/void", `{"reason":"`+reason+`"}`).wants(t, 200, "")
	require.Equal(t, "-2500.00", fmt.Sprint(void.body["credit_note"].(map[string]any)["total"]))
	require.Equal(t, "void", void.body["invoice"].(map[string]any)["state"])
	for _, again := range []string{"", `{"reason":"another"}`} {
		void = vendorDo(t, vendor.key, "POST", "/api/v1/billing/invoices/"+id+"/void", again).wants(t, 200, "")
		for _, part := range []string{"invoice", "credit_note"} {
			require.Equal(t, reason, void.body[part].(map[string]any)["void_reason"])
		}
	}
	require.Equal(t, reason, vendorDo(t, vendor.key, "GET", "/api/v1/billing/invoices/void-"+id, "").wants(t, 200, "").text("void_reason"))
	require.Contains(t, sentInvoices(t, vendor.tenant)[1], `"voids":"`+id+`","void_reason":"`+reason+`",`)
	require.Len(t, sentInvoices(t, vendor.tenant), 2)
	mirror := void.body["credit_note"].(map[string]any)["invoice_id"].(string)
	vendorDo(t, vendor.key, "POST", "/api/v1/billing/invoices/"+mirror+"/void", "").wants(t, 422, "invalid_field")
	anew := run("2025-11").wants(t, 200, "").body["issued"].([]any)
	require.Equal(t, id+"-r2", anew[0].(map[string]any)["invoice_id"])
	require.Len(t, sentInvoices(t, vendor.tenant), 3)

	var ids []string
	for cursor, more := "", true; more; {
		page := vendorDo(t, vendor.key, "GET", "/api/v1/billing/invoices?period=2025-11&limit=2&cursor="+cursor, "").wants(t, 200, "")
		for _, item := range page.body["items"].([]any) {
			ids = append(ids, item.(map[string]any)["invoice_id"].(string))
		}
		cursor, more = page.body["next_cursor"].(string)
	}
	require.Equal(t, []string{id, id + "-r2", mirror}, ids)
	require.Empty(t, vendorDo(t, vendor.key, "GET", "/api/v1/billing/invoices?period=2025-12", "").wants(t, 200, "").body["items"])
	vendorDo(t, vendor.key, "GET", "/api/v1/billing/invoices?cursor=x", "").wants(t, 422, "invalid_field")
	for _, missing := range []string{"inv-2025-11-none", "x", "void-x"} {
		vendorDo(t, vendor.key, "GET", "/api/v1/billing/invoices/"+missing, "").wants(t, 404, "not_found")
		vendorDo(t, vendor.key, "POST", "/api/v1/billing/invoices/"+missing+"/void", "").wants(t, 404, "not_found")
	}
	other, _ := newVendor(t)
	vendorDo(t, other.key, "GET", "/api/v1/billing/invoices/"+id, "").wants(t, 404, "not_found")
	for _, period := range []string{"", "2025", thisMonth().String(), (thisMonth() + 5).String()} {
		run(period).wants(t, 422, "invalid_field")
	}
	vendorDo(t, vendor.key, "POST", "/api/v1/billing/invoices/run", "").wants(t, 422, "invalid_field")
	audit := sessionAudit(t, vendor.tenant)
	require.Contains(t, audit, "invoice.issue")
	require.Contains(t, audit, "invoice.void")
	require.Contains(t, audit, "void-"+id+": "+reason)
}

// sentInvoices are the bodies that leave for an account's billing system.
func sentInvoices(t *testing.T, account cloudlicenses.TenantID) (bodies []string) {
	for _, o := range outgoing(t) {
		if o.TenantID == account && o.EndpointID == license.InvoiceEndpoint {
			var m license.InvoiceMessage
			require.NoError(t, json.Unmarshal(o.Payload, &m))
			bodies = append(bodies, string(m.Body))
		}
	}
	return bodies
}

// sessionAudit is the account's audit log as text.
func sessionAudit(t *testing.T, account cloudlicenses.TenantID) string {
	var page license.AuditPage
	_, err := live.shard.Read(t.Context(), account, shard.Command{Op: license.QueryAudit, Payload: &license.ListAudit{Limit: 1000}, Result: &page}, shard.ReadOptions{})
	require.NoError(t, err)
	return fmt.Sprint(page.Items)
}
