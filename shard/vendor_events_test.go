package shard

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestVendorsAreTold: a vendor's endpoint hears of its licenses and customers,
// of each event once, wherever the node that tells it dies; of a suspended
// vendor the events wait.
func TestVendorsAreTold(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	ctx := t.Context()
	s := c.shards[0]
	_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	_, err = s.CreateTenant(ctx, CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	account := cloudlicenses.VendorID("vector-de").Account()
	var made license.EndpointResult
	_, err = s.Do(ctx, account, Command{Op: license.OpPutEndpoint, Result: &made, Payload: &license.PutEndpoint{
		By: license.By{Platform: true}, ID: "wh-1", URL: "https://vector.example/hook", Secret: "whsec_x",
	}})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, made.Code, made.Detail)
	told := func() (kinds []cloudlicenses.EventKind) {
		var page license.DeliveryPage
		_, err := s.Read(ctx, account, Command{Op: license.QueryDeliveries, Payload: &license.ListDeliveries{Limit: 100}, Result: &page}, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		for i := len(page.Items) - 1; i >= 0; i-- {
			kinds = append(kinds, cloudlicenses.EventKind(page.Items[i].Kind))
		}
		return kinds
	}
	waiting := func() int {
		var page directory.VendorEvents
		_, err := s.ReadDirectory(ctx, Command{Op: directory.QueryVendorEvents, Payload: &directory.ListVendorEvents{Limit: 100}, Result: &page}, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		return len(page.Items)
	}

	g, contact := wish("mercedes", "cad")
	done, _, err := s.Generate(ctx, g, contact)
	require.NoError(t, err)
	require.Equal(t, 2, waiting())
	for left := 0; waiting() > 0; left++ {
		require.Less(t, left, 10)
		for _, late := range []bool{false, true} {
			_ = c.mortal(left, late).tellVendors(ctx) // it may die, or come through
		}
	}
	require.Equal(t, []cloudlicenses.EventKind{cloudlicenses.EventCustomerLinked, cloudlicenses.EventLicenseProvisioned}, told())

	_, _, err = s.SetVendor(ctx, "vector-de", "", cloudlicenses.TenantSuspended)
	require.NoError(t, err)
	_, _, err = s.BlockVendor(ctx, directory.BlockVendor{TenantID: "mercedes", VendorID: "vector-de", Blocked: true})
	require.NoError(t, err)
	require.NoError(t, s.tellVendors(ctx), "nobody is to be warned of a suspension")
	require.Zero(t, waiting(), "it is not gone through at each pass")
	_, _, err = s.SetVendor(ctx, "vector-de", "", cloudlicenses.TenantActive)
	require.NoError(t, err)
	require.Equal(t, 1, waiting())
	_, _, err = s.SetLicenseStatus(ctx, directory.SetLicenseStatus{VendorID: "vector-de", ID: done.License.ID, Status: cloudlicenses.LicenseRevoked})
	require.NoError(t, err)
	require.NoError(t, s.tellVendors(ctx))
	require.Zero(t, waiting())
	require.Equal(t, []cloudlicenses.EventKind{
		cloudlicenses.EventCustomerLinked, cloudlicenses.EventLicenseProvisioned, cloudlicenses.EventCustomerBlocked, cloudlicenses.EventLicenseRevoked,
	}, told())
}
