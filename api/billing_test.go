package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// thisMonth is the running month: the node of the tests lives by the clock.
func thisMonth() billing.Month { return billing.DayAt(time.Now().UnixMilli()).Month() }

// export asks for a month's overage.
func (p *pool) export(query string, headers ...header) *reply {
	p.t.Helper()
	days := thisMonth().Days()
	path := fmt.Sprintf("/api/v1/billing/overage?start_date=%s&end_date=%s%s", days.Start, days.End, query)
	return vendorDo(p.t, p.key, "GET", path, "", headers...)
}

// uses has a tenant use a product past its five committed seats, and returns the
// applied index of the last checkout.
func (p *pool) uses(product string, n int) (applied string) {
	p.t.Helper()
	take := func(count int) *reply {
		return p.post(pathCheckout, fmt.Sprintf(`{"product_id":%q,"user":"u","count":%d}`, product, count)).wants(p.t, 201, "")
	}
	held := take(5).text("lease_id")
	for range n {
		r := take(1)
		require.Equal(p.t, "overage", r.text("type"))
		applied = r.Header.Get(headerApplied)
		p.post("/api/v1/licenses/return", fmt.Sprintf(`{"lease_id":%q}`, r.text("lease_id"))).wants(p.t, 200, "")
	}
	p.post("/api/v1/licenses/return", fmt.Sprintf(`{"lease_id":%q}`, held)).wants(p.t, 200, "")
	return applied
}

// TestOverageExport is the seed's A2: 44 overage checkouts, EUR 22,000.00, and
// EUR 27,000.00 billable, as CSV, JSON and PDF.
func TestOverageExport(t *testing.T) {
	vendor, mercedes, id := licensed(t, "/customer/name", `"Mercedes-Benz AG"`, "/customer/crm_account_id", `"ACC-98765"`,
		"/product/name", `"DaVinci Configurator SE"`, "/product/id", `"davinci-configurator-se"`)
	bmw := newPool(t, 1, 0)
	vendor.newLicense(generation(bmw.tenant, "davinci-configurator-se", "/customer/name", `"BMW AG"`, "/customer/crm_account_id", `"ACC-54321"`,
		"/product/name", `"DaVinci Configurator SE"`, "/crm_opportunity_id", `"SF-2"`)).wants(t, 201, "")
	idle := vendor.newLicense(generation(bmw.tenant, "ide", "/customer/crm_account_id", `"ACC-54321"`)).wants(t, 201, "").text("license_id")
	mercedes.uses("davinci-configurator-se", 44)
	bmw.uses("davinci-configurator-se", 12)
	// Other vendors' overage at the same customer is none of this vendor's.
	other, _ := newVendor(t)
	other.newLicense(generation(mercedes.tenant, "canoe")).wants(t, 201, "")
	mercedes.uses("canoe", 3)

	month := thisMonth()
	csv := vendor.export("&format=csv").wants(t, 200, "")
	require.Equal(t, "text/csv; charset=utf-8", csv.Header.Get("Content-Type"))
	require.Equal(t, "CRM_Account_ID,Customer_Name,Product,Total_Overage_Checkouts,Total_Cost,Currency,Billing_Period\n"+
		"ACC-54321,BMW AG,DaVinci Configurator SE,12,6000.00,EUR,"+month.String()+"\n"+
		"ACC-98765,Mercedes-Benz AG,DaVinci Configurator SE,44,22000.00,EUR,"+month.String()+"\n", string(csv.raw))
	require.NotEmpty(t, csv.Header.Get(headerStaleness))
	require.Regexp(t, `^g[12]:\d+(,g2:\d+)?,d:\d+$`, csv.Header.Get(headerApplied))
	require.Contains(t, csv.Header.Get("Content-Disposition"), month.First().String())

	fee := "5000.00"
	want := func(revenue, customers string) string {
		return fmt.Sprintf(`{"vendor_id":%q,"period":{"start":%q,"end":%q},"total_overage_revenue":%s,"currency":"EUR","customers":[%s]}`,
			vendorOf(vendor), month.First(), month.Last(), revenue, customers) + "\n"
	}
	mercedesText := fmt.Sprintf(`{"crm_account_id":"ACC-98765","tenant_id":%q,"customer_name":"Mercedes-Benz AG","products":[`+
		`{"product_id":"davinci-configurator-se","product_name":"DaVinci Configurator SE","license_id":%q,`+
		`"overage_checkouts":44,"overage_cost":22000.00,"commit_fee":%s,"total_billable":27000.00}]}`, mercedes.tenant, id, fee)
	one := vendor.export("&customer_crm_id=ACC-98765").wants(t, 200, "")
	require.Equal(t, want("22000.00", mercedesText), string(one.raw))
	all := vendor.export("&format=json").wants(t, 200, "")
	require.Equal(t, "28000.00", fmt.Sprint(all.body["total_overage_revenue"]))
	require.Contains(t, string(all.raw), idle)
	require.Contains(t, string(all.raw), mercedesText)

	pdf := vendor.export("&format=pdf").wants(t, 200, "")
	require.Equal(t, "application/pdf", pdf.Header.Get("Content-Type"))
	require.True(t, strings.HasPrefix(string(pdf.raw), "%PDF-"))

	none := vendor.export("&customer_crm_id=ACC-1&format=csv").wants(t, 200, "")
	require.Equal(t, 1, strings.Count(string(none.raw), "\n"))
	yesterday := vendorDo(t, vendor.key, "GET", "/api/v1/billing/overage?start_date=2020-02-28&end_date=2020-02-29", "").wants(t, 200, "")
	require.Equal(t, nil, yesterday.body["total_overage_revenue"])
	require.Empty(t, yesterday.body["customers"])

	// What a tenant pays, of both vendors.
	owner := mercedes.newSession(mercedes.newUser("payer", cloudlicenses.RoleBilling))
	costs := mercedes.as(owner, "GET", "/api/v1/costs?period="+month.String(), "").wants(t, 200, "")
	require.Contains(t, string(costs.raw), `"license_id":"`+id+`","commit_qty":5,"commit_fee":5000.00,"overage_checkouts":44,"overage_cost":22000.00,"total":27000.00,"currency":"EUR"`)
	require.Contains(t, string(costs.raw), `"totals":[{"currency":"EUR","commit_fee":10000.00,"overage_cost":23500.00,"total":33500.00}]`)
	before := mercedes.as(owner, "GET", "/api/v1/costs?period="+(month-1).String(), "").wants(t, 200, "")
	require.Contains(t, string(before.raw), `"overage_cost":0.00`)
}

func vendorOf(p *pool) cloudlicenses.VendorID {
	id, _ := p.tenant.Vendor()
	return id
}

// TestExportOfMixedCurrencies: they are never added up together.
func TestExportOfMixedCurrencies(t *testing.T) {
	vendor, tenant, _ := licensed(t)
	vendor.newLicense(generation(tenant.tenant, "yen", "/entitlement/pricing/currency", `"JPY"`, "/entitlement/pricing/overage_per_use", "1200",
		"/entitlement/pricing/commit_fee_monthly", "0")).wants(t, 201, "")
	tenant.uses("davinci", 2)
	tenant.uses("yen", 3)
	r := vendor.export("").wants(t, 200, "")
	require.Contains(t, string(r.raw), `"total_overage_revenue":null,"currency":null,"totals":[{"currency":"EUR","total_overage_revenue":1000.00},{"currency":"JPY","total_overage_revenue":3600}]`)
	// An amended price counts from then on; what was charged keeps its own.
	id := r.body["customers"].([]any)[0].(map[string]any)["products"].([]any)[0].(map[string]any)["license_id"].(string)
	vendorDo(t, vendor.key, "PATCH", "/api/v1/licenses/"+id, `{"entitlement":{"pricing":{"overage_per_use":700}}}`).wants(t, 200, "")
	tenant.uses("davinci", 1)
	csv := vendor.export("&format=csv").wants(t, 200, "")
	require.Contains(t, string(csv.raw), ",Product davinci,3,1700.00,EUR,")
}

// TestExportSaysWhatIsWrong names the parameter.
func TestExportSaysWhatIsWrong(t *testing.T) {
	vendor, _ := newVendor(t)
	for query, parameter := range map[string]string{
		"":                         "start_date",
		"?start_date=2025-11-01":   "end_date",
		"?end_date=2025-11-01":     "start_date",
		"?start_date=x&end_date=y": "start_date",
		"?start_date=2025-02-29&end_date=2025-03-01":                                             "start_date",
		"?start_date=2025-11-30&end_date=2025-11-01":                                             "end_date",
		"?start_date=2020-01-01&end_date=2025-01-01":                                             "end_date",
		"?start_date=2025-11-01&end_date=2025-11-30&format=xml":                                  "format",
		"?start_date=2025-11-01&end_date=2025-11-30&format=":                                     "format",
		"?start_date=2025-11-01&end_date=2025-11-30&consistency=maybe":                           "consistency",
		"?start_date=2025-11-01&end_date=2025-11-30&customer_crm_id=" + strings.Repeat("x", 300): "customer_crm_id",
	} {
		r := vendorDo(t, vendor.key, "GET", "/api/v1/billing/overage"+query, "").wants(t, 422, "invalid_field")
		require.Equal(t, parameter, r.body["errors"].([]any)[0].(map[string]any)["parameter"], query)
	}
	vendorDo(t, vendor.key, "GET", "/api/v1/billing/overage?start_date=2024-02-29&end_date=2024-02-29", "").wants(t, 200, "")
	p := newPool(t, 1, 0)
	owner := p.newSession(p.newUser("owner", cloudlicenses.RoleOwner))
	for _, period := range []string{"", "2025", "2025-13", "x", "2025-1"} {
		p.as(owner, "GET", "/api/v1/costs?period="+period, "").wants(t, 422, "invalid_field")
	}
	p.as(owner, "GET", "/api/v1/costs", "").wants(t, 200, "")
}

// TestExportSeesOwnWrites: X-Min-Index waits for the replica.
func TestExportSeesOwnWrites(t *testing.T) {
	vendor, tenant, _ := licensed(t)
	applied := tenant.uses("davinci", 1)
	r := vendor.export("&format=csv", header{headerMinIndex, applied}).wants(t, 200, "")
	require.Contains(t, string(r.raw), ",1,500.00,EUR,")
	group, _, _ := strings.Cut(applied, ":")
	vendor.export("", header{headerMinIndex, group + ":999999999"}).wants(t, 503, "not_caught_up")
	vendor.export("", header{headerMinIndex, "nonsense"}).wants(t, 422, "invalid_field")
	vendor.export("&consistency=linearizable").wants(t, 200, "")
}

// TestTenantSettings: the tenant's own rules on overage, and its warnings.
func TestTenantSettings(t *testing.T) {
	_, tenant, id := licensed(t)
	owner := tenant.newSession(tenant.newUser("owner", cloudlicenses.RoleOwner))
	change := func(body string) *reply { return tenant.as(owner, "PATCH", "/api/v1/settings", body) }
	get := func() string {
		return string(tenant.as(owner, "GET", "/api/v1/settings", "").wants(t, 200, "").raw)
	}
	require.JSONEq(t, `{"overage":{"deny":false,"caps":[]}}`, get())
	seats := func(n int) *reply {
		return tenant.post(pathCheckout, fmt.Sprintf(`{"product_id":"davinci","user":"u","count":%d}`, n))
	}
	change(`{"overage":{"deny":true}}`).wants(t, 200, "")
	seats(6).wants(t, 409, "overage_declined")
	_, key := tenant.newKey(cloudlicenses.ScopeCheckout, time.Time{})
	caps := fmt.Sprintf(`{"overage":{"deny":false,"caps":[{"license_id":%q,"max_cost":1000.00},{"key_id":%q,"max_uses":7,"max_cost":30000,"currency":"JPY"}]}}`, id, key)
	change(caps).wants(t, 200, "")
	require.JSONEq(t, fmt.Sprintf(`{"overage":{"deny":false,"caps":[{"license_id":%q,"max_uses":null,"max_cost":1000.00,"currency":"EUR"},`+
		`{"key_id":%q,"max_uses":7,"max_cost":30000,"currency":"JPY"}]}}`, id, key), get())
	change(`{}`).wants(t, 200, "")
	seats(8).wants(t, 409, "overage_cap_reached")
	held := seats(7).wants(t, 201, "").text("lease_id") // 2 × 500.00 are all of it
	seats(1).wants(t, 409, "overage_cap_reached")
	require.Equal(t, []string{"cost 100 1000.00 of 1000.00 EUR"}, warnings(t, tenant.tenant))
	change(`{"overage":{"caps":[]}}`).wants(t, 200, "")
	seats(11).wants(t, 201, "")
	require.Equal(t, []string{"cost 100 1000.00 of 1000.00 EUR", "seats 80 13 of 15 "}, warnings(t, tenant.tenant))
	tenant.post("/api/v1/licenses/return", fmt.Sprintf(`{"lease_id":%q}`, held)).wants(t, 200, "")

	for body, pointer := range map[string]string{
		`{"overage":{"caps":[{"max_uses":1}]}}`:                                                                    "/overage/caps/0",
		`{"overage":{"caps":[{"license_id":"l","key_id":"k","max_uses":1}]}}`:                                      "/overage/caps/0",
		`{"overage":{"caps":[{"license_id":"lic-none","max_uses":1}]}}`:                                            "/overage/caps/0/license_id",
		`{"overage":{"caps":[{"license_id":"lic-none","max_cost":1}]}}`:                                            "/overage/caps/0/license_id",
		`{"overage":{"caps":[{"key_id":"key-none","max_uses":1}]}}`:                                                "/overage/caps/0/key_id",
		`{"overage":{"caps":[{"license_id":"` + id + `","max_uses":-1}]}}`:                                         "/overage/caps/0/max_uses",
		`{"overage":{"caps":[{"license_id":"` + id + `"}]}}`:                                                       "/overage/caps/0",
		`{"overage":{"caps":[{"license_id":"` + id + `","max_cost":1.001}]}}`:                                      "/overage/caps/0/max_cost",
		`{"overage":{"caps":[{"license_id":"` + id + `","max_cost":1,"currency":"USD"}]}}`:                         "/overage/caps/0/currency",
		`{"overage":{"caps":[{"key_id":"` + string(key) + `","max_cost":1}]}}`:                                     "/overage/caps/0/currency",
		`{"overage":{"caps":[{"key_id":"` + string(key) + `","max_cost":1,"currency":"XXX"}]}}`:                    "/overage/caps/0/currency",
		`{"overage":{"caps":[{"license_id":"` + id + `","max_uses":1},{"license_id":"` + id + `","max_uses":2}]}}`: "/overage/caps/1",
	} {
		r := change(body).wants(t, 422, "invalid_field")
		require.Equal(t, pointer, r.body["errors"].([]any)[0].(map[string]any)["pointer"], body)
	}
	change(`{"overage":{"deny":1}}`).wants(t, 422, "invalid_field")
	change(`{"oops":1}`).wants(t, 400, "malformed_request")
	audit := adminDo(t, http.MethodGet, "/v1/tenants/"+string(tenant.tenant)+"/audit?consistency=linearizable&limit=100", "").wants(t, 200, "")
	require.Contains(t, string(audit.raw), `"action":"settings.update"`)
	require.Contains(t, string(audit.raw), `"actor":"owner@acme.example"`)
}

// warnings are the mails that the tenant's owner is to get.
func warnings(t *testing.T, tenant cloudlicenses.TenantID) (all []string) {
	for _, o := range outgoing(t) {
		if o.TenantID != tenant || o.Kind != license.MailOverage {
			continue
		}
		var w struct {
			Meter       string
			Percent     int
			Used, Limit json.Number
			Currency    string
			Email       string
		}
		require.NoError(t, json.Unmarshal(o.Payload, &w))
		require.Equal(t, "owner@acme.example", w.Email)
		all = append(all, fmt.Sprintf("%s %d %s of %s %s", w.Meter, w.Percent, w.Used, w.Limit, w.Currency))
	}
	return all
}

// TestAbsurdPriceIsItsVendorsAlone: charges past what an amount holds are missing
// in the platform's statement, which says so, and nobody else's are.
func TestAbsurdPriceIsItsVendorsAlone(t *testing.T) {
	honest, tenant, _ := licensed(t)
	tenant.uses("davinci", 3)
	absurd, spender, _ := licensed(t, "/entitlement/pricing/overage_per_use", "900000000000000.00",
		"/entitlement/commit_qty", "0", "/entitlement/total_licenses", "200", "/entitlement/max_overage", "200")
	spender.post(pathCheckout, `{"product_id":"davinci","user":"u","count":150}`).wants(t, 201, "")
	r := adminDo(t, "GET", "/v1/billing/revenue-share?period="+thisMonth().String(), "").wants(t, 200, "")
	require.Contains(t, r.body["failed"], string(vendorOf(absurd)))
	require.NotContains(t, string(r.raw), `"vendor_id":"`+string(vendorOf(absurd)))
	require.Contains(t, string(r.raw), `"vendor_id":"`+string(vendorOf(honest))+`","overage_revenue":1500.00`)
}

// TestPlatformStatements: the platform's share of overage by vendor, and its plan
// fees.
func TestPlatformStatements(t *testing.T) {
	vendor, tenant, _ := licensed(t)
	tenant.uses("davinci", 3)
	id, month := vendorOf(vendor), thisMonth().String()
	line := func() string {
		r := adminDo(t, "GET", "/v1/billing/revenue-share?period="+month, "").wants(t, 200, "")
		for _, item := range r.body["vendors"].([]any) {
			if v := item.(map[string]any); v["vendor_id"] == string(id) {
				return fmt.Sprint(v["overage_revenue"], " ", v["basis_points"], " ", v["share"], " ", v["currency"])
			}
		}
		return ""
	}
	require.Equal(t, "1500.00 250 37.50 EUR", line())
	set := func(body string) *reply {
		return adminDo(t, "PUT", "/v1/vendors/"+string(id)+"/revenue-share", body)
	}
	set(`{"basis_points":333}`).wants(t, 200, "")
	require.Equal(t, "1500.00 333 49.95 EUR", line())
	for _, body := range []string{`{"basis_points":199}`, `{"basis_points":501}`, `{}`} {
		set(body).wants(t, 422, "invalid_field")
	}
	adminDo(t, "PUT", "/v1/vendors/no-such-vendor/revenue-share", `{"basis_points":300}`).wants(t, 404, "not_found")
	set(`{"basis_points":0}`).wants(t, 200, "")
	require.Equal(t, "1500.00 250 37.50 EUR", line())
	plans := adminDo(t, "GET", "/v1/billing/plans?limit=1&period="+month, "").wants(t, 200, "")
	require.Equal(t, "USD", plans.body["items"].([]any)[0].(map[string]any)["currency"])
	for _, path := range []string{"/v1/billing/plans?period=x", "/v1/billing/revenue-share?period=2025-13"} {
		adminDo(t, "GET", path, "").wants(t, 422, "invalid_field")
	}
}
