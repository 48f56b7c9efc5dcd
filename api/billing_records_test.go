package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

// TestAdjustment: a vendor takes a charge back, once however often it asks; the
// month's export and the tenant's costs are lower by it, and the tenant reads why.
func TestAdjustment(t *testing.T) {
	vendor, mercedes, id := licensed(t, "/product/id", `"ide"`, "/customer/crm_account_id", `"ACC-98765"`)
	mercedes.uses("ide", 3)
	path := "/api/v1/billing/overage/records"
	list := vendorDo(t, vendor.key, "GET", path+"?license_id="+id, "").wants(t, 200, "")
	items := list.body["items"].([]any)
	require.Len(t, items, 3)
	record := items[1].(map[string]any)["record_id"].(string)
	require.Equal(t, thisMonth().String()+"-2", record)

	body := fmt.Sprintf(`{"license_id":%q,"uses":1,"reason":"our server was down"}`, id)
	adjust := func(record, body string) *reply {
		return vendorDo(t, vendor.key, "POST", path+"/"+record+"/adjust", body, header{"Idempotency-Key", "ticket-17"})
	}
	made := adjust(record, body).wants(t, 201, "")
	require.Equal(t, record, made.text("adjusts"))
	require.Contains(t, string(made.raw), `"uses":-1,"unit_price":500.00,"amount":-500.00,"currency":"EUR"`)
	again := adjust(record, body).wants(t, 201, "")
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"))
	require.Equal(t, made.text("record_id"), again.text("record_id"))
	adjust(record, strings.Replace(body, `"uses":1`, `"uses":2`, 1)).wants(t, 422, "idempotency_key_reused")
	vendorDo(t, vendor.key, "POST", path+"/"+record+"/adjust", body).wants(t, 422, "invalid_field")
	second, _ := vendor.newKey(0, time.Time{})
	vendorDo(t, second, "POST", path+"/"+record+"/adjust", body, header{"Idempotency-Key", "ticket-17"}).wants(t, 422, "invalid_field") // another key's: not a repetition
	adjust("2001-01-1", body).wants(t, 404, "not_found")
	adjust("none", body).wants(t, 404, "not_found")
	adjust(record, strings.Replace(body, `"uses":1`, `"uses":0`, 1)).wants(t, 422, "invalid_field")
	other, _ := newVendor(t)
	vendorDo(t, other.key, "POST", path+"/"+record+"/adjust", body).wants(t, 404, "not_found")
	vendorDo(t, other.key, "GET", path+"?license_id="+id, "").wants(t, 404, "not_found")

	csv := string(vendor.export("&format=csv").wants(t, 200, "").raw)
	require.Contains(t, csv, ",2,1000.00,EUR,")
	require.Contains(t, string(vendor.export("").wants(t, 200, "").raw), `"overage_checkouts":2,"overage_cost":1000.00`)
	owner := mercedes.newSession(mercedes.newUser("owner", cloudlicenses.RoleOwner))
	require.Contains(t, string(mercedes.as(owner, "GET", "/api/v1/costs", "").wants(t, 200, "").raw), `"overage_checkouts":2,"overage_cost":1000.00`)
	require.Contains(t, string(mercedes.as(owner, "GET", "/api/v1/audit?user=our%20server%20was%20down", "").wants(t, 200, "").raw), `"action":"overage.adjust"`)
}
