package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

// usageReply is a page of analytics.
type usageReply struct {
	Items []shownUsage
	Next  *string `json:"next_cursor"`
}

func (r *reply) usage(t *testing.T) (u usageReply) {
	t.Helper()
	require.NoError(t, json.Unmarshal(r.raw, &u))
	return u
}

// TestUsageAnalytics: what a vendor's customers did, by hour, day and month, is
// what they did, and it is the vendor's own licenses alone.
func TestUsageAnalytics(t *testing.T) {
	vendor, mercedes, id := licensed(t, "/customer/crm_account_id", `"ACC-98765"`, "/product/id", `"ide"`)
	bmw := newPool(t, 1, 0)
	idle := vendor.newLicense(generation(bmw.tenant, "cad", "/customer/crm_account_id", `"ACC-1"`)).wants(t, 201, "").text("license_id")
	mercedes.uses("ide", 3)
	var leases []string
	for i := range 21 {
		r := mercedes.post(pathCheckout, fmt.Sprintf(`{"product_id":"ide","user":"user-%d"}`, i%10))
		if i == 20 {
			r.wants(t, 409, "overage_max_exceeded")
			continue
		}
		leases = append(leases, r.wants(t, 201, "").text("lease_id"))
	}
	other, _ := newVendor(t)
	today := time.Now().UTC().Format(time.DateOnly)
	path := "/api/v1/analytics/usage?start_date=" + today + "&end_date=" + today

	for _, resolution := range []string{"", "&resolution=hour", "&resolution=day", "&resolution=month"} {
		got := vendorDo(t, vendor.key, "GET", path+resolution, "").wants(t, 200, "").usage(t)
		require.Len(t, got.Items, 2)
		require.Nil(t, got.Next)
		for _, u := range got.Items {
			if string(u.LicenseID) == idle {
				require.Empty(t, u.Series)
				require.Equal(t, bmw.tenant, u.TenantID)
				continue
			}
			require.Equal(t, id, string(u.LicenseID))
			require.Equal(t, "ACC-98765", u.CRMAccount)
			require.Equal(t, shownTotals{
				Checkouts: 24, OverageCheckouts: 18, OverageUses: 18, Refusals: 1, PeakInUse: 20, OveragePeak: u.Totals.OveragePeak, SeatHours: u.Totals.SeatHours,
			}, u.Totals)
			require.Equal(t, int64(15), u.Totals.OveragePeak)
			last := u.Series[len(u.Series)-1]
			require.Equal(t, map[cloudlicenses.Code]int64{"overage_max_exceeded": 1}, last.RefusalsByCode)
			require.GreaterOrEqual(t, last.UniqueUsers, int64(10), "and u, where the hour has not turned")
		}
	}
	none := vendorDo(t, vendor.key, "GET", path+"&product_id=none", "").wants(t, 200, "").usage(t)
	require.Empty(t, none.Items)
	require.Empty(t, vendorDo(t, other.key, "GET", path+"&license_id="+id, "").wants(t, 200, "").usage(t).Items, "another vendor's")
	first := vendorDo(t, vendor.key, "GET", path+"&limit=1", "").wants(t, 200, "").usage(t)
	require.Len(t, first.Items, 1)
	second := vendorDo(t, vendor.key, "GET", path+"&limit=1&cursor="+*first.Next, "").wants(t, 200, "").usage(t)
	require.Len(t, second.Items, 1)
	require.Nil(t, second.Next)
	require.NotEqual(t, first.Items[0].LicenseID, second.Items[0].LicenseID)

	csv := vendorDo(t, vendor.key, "GET", path+"&resolution=month&customer_crm_id=ACC-98765", "", header{"Accept", "text/csv"}).wants(t, 200, "")
	lines := strings.Split(strings.TrimSpace(string(csv.raw)), "\n")
	require.Len(t, lines, 2)
	require.Regexp(t, `^ACC-98765,.*,`+id+`,\d{4}-\d{2}-01T00:00:00Z,24,18,18,1,20,15,\d+\.\d{3},11$`, lines[1])

	listed := vendorDo(t, vendor.key, "GET", "/api/v1/licenses?product_id=ide", "").wants(t, 200, "")
	require.Contains(t, string(listed.raw), `"pool":{"in_use":20,"commit_in_use":5,"overage_in_use":15,"available":0},"this_month":{"overage_checkouts":18,"overage_cost":9000.00}`)
	month := vendorDo(t, vendor.key, "GET", "/api/v1/billing/overview", "").wants(t, 200, "")
	require.Contains(t, string(month.raw), `"customers":2,"licenses":2,"checkouts":24,"overage_checkouts":18,"refusals":1,"revenue":[{"currency":"EUR","commit_fee":`)
	require.Contains(t, string(month.raw), `"overage_cost":9000.00,"total":`)
	require.Contains(t, string(vendorDo(t, other.key, "GET", "/api/v1/billing/overview", "").wants(t, 200, "").raw), `"customers":0,"licenses":0,"checkouts":0,"overage_checkouts":0,"refusals":0,"revenue":[]`)
	vendorDo(t, vendor.key, "GET", "/api/v1/billing/overview?period=2026", "").wants(t, 422, "invalid_field")
	for _, lease := range leases {
		mercedes.post("/api/v1/licenses/return", fmt.Sprintf(`{"lease_id":%q}`, lease)).wants(t, 200, "")
	}

	// What is refused for another reason is counted, and is no demand without a seat.
	mercedes.post("/api/v1/licenses/heartbeat", fmt.Sprintf(`{"lease_id":%q}`, leases[0])).wants(t, 410, "lease_released")
	got := vendorDo(t, vendor.key, "GET", path+"&resolution=month&product_id=ide&consistency=linearizable", "").wants(t, 200, "").usage(t)
	require.Equal(t, int64(2), got.Items[0].Totals.Refusals)
	require.Equal(t, map[cloudlicenses.Code]int64{"overage_max_exceeded": 1, "lease_released": 1}, got.Items[0].Series[0].RefusalsByCode)
	month = vendorDo(t, vendor.key, "GET", "/api/v1/billing/overview?consistency=linearizable", "").wants(t, 200, "")
	require.Contains(t, string(month.raw), `"checkouts":24,"overage_checkouts":18,"refusals":1,`)
}

// TestHeatmap: seats in use show in the hour of the week that they were in use.
func TestHeatmap(t *testing.T) {
	vendor, mercedes, _ := licensed(t, "/product/id", `"ide"`)
	mercedes.uses("ide", 2)
	now := time.Now().UTC()
	path := "/api/v1/analytics/heatmap?start_date=" + now.AddDate(0, 0, -1).Format(time.DateOnly) + "&end_date=" + now.Format(time.DateOnly)
	var got struct{ Cells []shownCell }
	r := vendorDo(t, vendor.key, "GET", path, "").wants(t, 200, "")
	require.NoError(t, json.Unmarshal(r.raw, &got))
	require.Len(t, got.Cells, 168)
	var checkouts, overage int64
	for i, cell := range got.Cells {
		require.Equal(t, i, (cell.Weekday-1)*24+cell.Hour)
		if cell.Checkouts > 0 {
			require.Contains(t, []int{int(now.Weekday()+6)%7*24 + now.Hour(), (int(now.Weekday()+6)%7*24 + now.Hour() + 1) % 168}, i)
		}
		checkouts, overage = checkouts+cell.Checkouts, overage+cell.OverageUses
	}
	require.Equal(t, int64(3), checkouts)
	require.Equal(t, int64(2), overage)
}

// TestLicenseUsage: a tenant sees the history of its licenses.
func TestLicenseUsage(t *testing.T) {
	_, mercedes, id := licensed(t, "/product/id", `"ide"`)
	mercedes.uses("ide", 2)
	viewer := mercedes.newSession(mercedes.newUser("viewer", cloudlicenses.RoleViewer))
	today := time.Now().UTC().Format(time.DateOnly)
	r := mercedes.as(viewer, "GET", "/api/v1/licenses/"+id+"/usage?resolution=hour&start_date="+today+"&end_date="+today, "").wants(t, 200, "")
	require.Equal(t, "hour", r.text("resolution"))
	var got struct{ Totals shownTotals }
	require.NoError(t, json.Unmarshal(r.raw, &got))
	require.Equal(t, int64(3), got.Totals.Checkouts)
	mercedes.as(viewer, "GET", "/api/v1/licenses/lic-none/usage?start_date="+today+"&end_date="+today, "").wants(t, 404, "not_found")
}

// TestAnalyticsQueries: every parameter has its limits.
func TestAnalyticsQueries(t *testing.T) {
	vendor, _ := newVendor(t)
	for query, parameter := range map[string]string{
		"":                       "start_date",
		"?start_date=2026-11-01": "end_date",
		"?start_date=2026-02-29&end_date=2026-03-01":                     "start_date",
		"?start_date=2026-03-02&end_date=2026-03-01":                     "end_date",
		"?start_date=1969-12-31&end_date=1970-01-02":                     "start_date",
		"?start_date=2025-01-01&end_date=2026-01-02":                     "end_date",
		"?start_date=2026-10-01&end_date=2026-11-01&resolution=hour":     "end_date",
		"?start_date=2020-01-01&end_date=2025-01-01&resolution=month":    "end_date",
		"?start_date=2026-10-01&end_date=2026-11-01&resolution=minute":   "resolution",
		"?start_date=2026-10-01&end_date=2026-10-01&customer_crm_id=%00": "customer_crm_id",
	} {
		r := vendorDo(t, vendor.key, "GET", "/api/v1/analytics/usage"+query, "").wants(t, 422, "invalid_field")
		require.Contains(t, string(r.raw), `"parameter":"`+parameter+`"`, query)
	}
	vendorDo(t, vendor.key, "GET", "/api/v1/analytics/usage?start_date=2024-02-29&end_date=2024-02-29&resolution=hour", "").wants(t, 200, "")
	vendorDo(t, vendor.key, "GET", "/api/v1/analytics/heatmap?start_date=2026-01-01&end_date=2026-04-03", "").wants(t, 422, "invalid_field")
}
