package client

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// bills is step 17, with the figures of the seed's A2. The month ends for the
// processes, whose clocks a test may set.
func (f *flow) bills(t *testing.T) {
	f.restart(f.month.AddDate(0, 1, 0).Add(6 * time.Hour))
	f.session = f.post(t, tenantURL+"/api/v1/login", "", fmt.Sprintf(`{"email":%q,"password":%q}`, adminEmail, adminPassword), 200).text(t, "token")
	t.Run("the export", f.exports)
	t.Run("the invoice", f.invoices)
	t.Run("the customer's costs", f.costs)
}

// exports compares the export as CSV, JSON and PDF.
func (f *flow) exports(t *testing.T) {
	first, last := f.month.Format(time.DateOnly), f.month.AddDate(0, 1, -1).Format(time.DateOnly)
	export := func(query string) *answer {
		return f.get(t, fmt.Sprintf("%s/api/v1/billing/overage?start_date=%s&end_date=%s%s", vendorsURL, first, last, query), f.vendorKey)
	}
	want := strings.ReplaceAll("CRM_Account_ID,Customer_Name,Product,Total_Overage_Checkouts,Total_Cost,Currency,Billing_Period\n"+
		"ACC-54321,BMW AG,DaVinci Configurator SE,12,6000.00,EUR,MONTH\n"+
		"ACC-98765,Mercedes-Benz AG,DaVinci Configurator SE,44,22000.00,EUR,MONTH\n", "MONTH", f.month.Format("2006-01"))
	if csv := export("&format=csv"); string(csv.raw) != want {
		t.Errorf("the CSV is\n%swant\n%s", csv.raw, want)
	}
	one := export("&customer_crm_id=ACC-98765&format=json")
	like(t, fmt.Sprintf(`{"vendor_id": "vector-de", "period": {"start": %q, "end": %q}, "total_overage_revenue": 22000.00, "currency": "EUR",
		"customers": [%s]}`, first, last, mercedesBilled), one.raw)
	like(t, fmt.Sprintf(`{"vendor_id": "vector-de", "period": {"start": %q, "end": %q}, "total_overage_revenue": 28000.00, "currency": "EUR",
		"customers": [{"crm_account_id": "ACC-54321", "tenant_id": "bmw", "customer_name": "BMW AG", "products": [
			{"product_id": "davinci-configurator-se", "product_name": "DaVinci Configurator SE", "license_id": "lic-vector-bmw-%d-001",
			"overage_checkouts": 12, "overage_cost": 6000.00, "commit_fee": 5000.00, "total_billable": 11000.00}]}, %s]}`,
		first, last, f.month.Year(), mercedesBilled), export("").raw)
	if pdf := export("&format=pdf"); !bytes.HasPrefix(pdf.raw, []byte("%PDF-")) {
		t.Errorf("the PDF begins with %q", pdf.raw[:min(20, len(pdf.raw))])
	}
}

// mercedesBilled is the seed's own customer of the export.
const mercedesBilled = `{"crm_account_id": "ACC-98765", "tenant_id": "mercedes", "customer_name": "Mercedes-Benz AG", "products": [
	{"product_id": "davinci-configurator-se", "product_name": "DaVinci Configurator SE", "license_id": "lic-vector-mercedes-2025-001",
	"overage_checkouts": 44, "overage_cost": 22000.00, "commit_fee": 5000.00, "total_billable": 27000.00}]}`

// invoices waits for the month's run, which nobody has to ask for: Vector's billing
// system gets the seed's body, once, with its own bearer token.
func (f *flow) invoices(t *testing.T) {
	period := f.month.Format("2006-01")
	month := fmt.Sprintf(`"period":%q`, period)
	waitFor(t, 60*time.Second, "the invoices", func() bool { return len(f.billing.of(month)) >= 2 })
	// Asked for by hand as well, there is nothing more to issue.
	ran := f.post(t, vendorsURL+"/api/v1/billing/invoices/run?period="+period, f.vendorKey, "", 200)
	like(t, fmt.Sprintf(`{"period": %q, "known": 2, "issued": []}`, period), ran.raw)
	posts := f.billing.of(month, `"crm_account_id":"ACC-98765"`)
	if len(posts) != 1 {
		t.Fatalf("%d invoices arrived: %q", len(posts), posts)
	}
	got := posts[0]
	if got.path != invoicePath || got.authorization != "Bearer "+invoiceToken || got.contentType != "application/json" {
		t.Errorf("posted to %s with %q as %s", got.path, got.authorization, got.contentType)
	}
	like(t, fmt.Sprintf(`{"source": "cloudlicenses.com", "period": %q, "crm_account_id": "ACC-98765",
		"line_items": [
			{"description": "DaVinci Configurator SE - Commit (5 licenses)", "amount": 5000.00, "quantity": 1},
			{"description": "DaVinci Configurator SE - Overage (44 checkouts)", "amount": 22000.00, "unit_price": 500.00, "quantity": 44}],
		"total": 27000.00, "currency": "EUR"}`, period), got.body)
}

// costs is what Mercedes sees: the same.
func (f *flow) costs(t *testing.T) {
	period := f.month.Format("2006-01")
	like(t, fmt.Sprintf(`{"period": %q, "vendors": [{"vendor_id": "vector-de", "vendor_name": "Vector Informatik GmbH", "products": [
		{"product_id": "davinci-configurator-se", "product_name": "DaVinci Configurator SE", "license_id": "lic-vector-mercedes-2025-001",
		"commit_qty": 5, "commit_fee": 5000.00, "overage_checkouts": 44, "overage_cost": 22000.00, "total": 27000.00, "currency": "EUR"}]}],
		"totals": [{"currency": "EUR", "commit_fee": 5000.00, "overage_cost": 22000.00, "total": 27000.00}]}`, period),
		f.get(t, tenantURL+"/api/v1/costs?period="+period, f.session).raw)
}
