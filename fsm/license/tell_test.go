package license_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestVendorIsToldOnce: an event leaves once for each endpoint that asked for it,
// however often the account is told, and over a restart; a tenant has none.
func TestVendorIsToldOnce(t *testing.T) {
	r := newRig(t, fastStore())
	account := cl.VendorID("vector-de").Account()
	by := license.By{Platform: true}
	r.apply(
		encode(license.OpTenant, account, 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpPutEndpoint, account, 1, &license.PutEndpoint{By: by, ID: "wh-1", URL: "https://vector.example/hook", Secret: "whsec_x"}),
		encode(license.OpPutEndpoint, account, 1, &license.PutEndpoint{
			By: by, ID: "wh-2", URL: "https://vector.example/expired", Secret: "whsec_y", Kinds: []cl.EventKind{cl.EventLicenseExpired},
		}),
	)
	event := func(sequence uint64, kind cl.EventKind) license.VendorEvent {
		return license.VendorEvent{Sequence: sequence, AtMillis: epochStart, Kind: kind, TenantID: "acme", CRMAccount: "ACC-1", LicenseID: "lic-1", ProductID: "cad"}
	}
	tell := func(tenant cl.TenantID, events ...license.VendorEvent) cl.Code {
		return decodeAck(t, r.apply(encode(license.OpTellVendor, tenant, 1, &license.TellVendor{Events: events}))[0]).Code
	}
	told := func() (kinds []string) {
		var page license.DeliveryPage
		ask(t, r.m, account, license.QueryDeliveries, &license.ListDeliveries{Limit: 100}, &page)
		for _, o := range page.Items {
			kinds = append(kinds, string(o.EndpointID)+" "+o.Kind)
		}
		return kinds
	}
	require.Equal(t, cl.InvalidField, tell("acme", event(1, cl.EventLicenseExpired)))
	require.Equal(t, cl.OK, tell(account, event(3, cl.EventLicenseProvisioned), event(5, cl.EventLicenseExpired)))
	want := []string{"wh-2 license.expired", "wh-1 license.expired", "wh-1 license.provisioned"}
	require.Equal(t, want, told())
	require.Equal(t, cl.OK, tell(account, event(3, cl.EventLicenseProvisioned), event(5, cl.EventLicenseExpired)))
	r.reopen()
	require.Equal(t, cl.OK, tell(account, event(4, cl.EventLicenseAmended), event(5, cl.EventLicenseExpired)))
	require.Equal(t, want, told())
	require.Equal(t, cl.OK, tell(account, event(5, cl.EventLicenseExpired), event(6, cl.EventCustomerBlocked)))
	require.Equal(t, append([]string{"wh-1 customer.blocked"}, want...), told())

	var page license.DeliveryPage
	ask(t, r.m, account, license.QueryDeliveries, &license.ListDeliveries{Limit: 1}, &page)
	var data map[string]any
	require.NoError(t, json.Unmarshal(page.Items[0].Payload, &data))
	require.Equal(t, map[string]any{
		"vendor_id": "vector-de", "tenant_id": "acme", "crm_account_id": "ACC-1", "license_id": "lic-1", "product_id": "cad", "occurred_at": data["occurred_at"],
	}, data, "ids, and no person")
}
