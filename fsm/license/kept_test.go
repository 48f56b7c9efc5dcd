package license_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestKeptOverage: an account keeps what it is given of tenants that are gone, in
// place of what it was given before, and lists it by month, tenant and license.
func TestKeptOverage(t *testing.T) {
	const account = cl.TenantID("@vector-de")
	const month = 2026*12 + 10
	r := newRig(t, fastStore())
	for _, name := range []cl.TenantID{account, "@other", "acme"} {
		require.NotEmpty(t, r.apply(encode(license.OpTenant, name, 1, &license.PutTenant{Epoch: 1})))
	}
	keep := func(to cl.TenantID, items ...license.Kept) cl.Code {
		var ack license.Ack
		decode(t, r.apply(encode(license.OpKeepOverage, to, 1, &license.KeepOverage{Items: items}))[0], &ack)
		r.reopen()
		return ack.Code
	}
	list := func(of cl.TenantID, from, to uint32, limit int64) (all []license.Kept) {
		ask := license.ListKept{From: from, To: to, Limit: limit}
		for more := true; more; {
			var page license.KeptPage
			askAt(t, r.m, of, 1, license.QueryKept, &ask, &page)
			require.Equal(t, cl.OK, page.Code)
			require.LessOrEqual(t, len(page.Items), int(limit))
			all = append(all, page.Items...)
			ask.Cursor, more = page.Next, page.Next != ""
		}
		return all
	}
	of := func(tenant cl.TenantID, id cl.LicenseID, month uint32, uses int64) license.Kept {
		return license.Kept{TenantID: tenant, LicenseID: id, Month: month, Days: []license.DaySum{
			{Day: 20_400, Currency: "EUR", PriceMinor: 50_000, Uses: uses, Minor: uses * 50_000},
			{Day: 20_401, Currency: "EUR", PriceMinor: 50_000, Uses: -1, Minor: -50_000, Adjustment: true},
		}}
	}
	own := license.Kept{TenantID: "acme", LicenseID: "lic-2", Company: "ACME", Own: sampleLicense(), EndMillis: epochStart}
	word := license.Kept{TenantID: "acme"}
	require.Equal(t, cl.InvalidField, keep("acme", word), "a tenant keeps nothing")
	require.Equal(t, cl.InvalidField, keep(account, word, license.Kept{TenantID: "no tenant"}))
	require.Empty(t, list(account, 0, month+9, 10), "all or nothing")

	first, last, foreign := of("acme", "lic-1", month, 3), of("acme", "lic-1", month+1, 4), of("bmw", "lic-1", month, 5)
	for range 2 { // said again, the same
		require.Equal(t, cl.OK, keep(account, of("acme", "lic-1", month, 2), foreign, last))
		require.Equal(t, cl.OK, keep(account, first, own, word))
		for _, limit := range []int64{1, 2, 100} {
			require.Equal(t, []license.Kept{word, own, first, foreign, last}, list(account, 0, month+1, limit))
			require.Equal(t, []license.Kept{first, foreign}, list(account, month, month, limit))
		}
	}
	require.Empty(t, list("@other", 0, month+1, 10), "each account has its own")
}

// TestRemovalWaitsForWhatIsKept: a tenant stays while it has an overage record that
// is later than what the vendors' accounts keep.
func TestRemovalWaitsForWhatIsKept(t *testing.T) {
	r := newRig(t, fastStore())
	chargedOnce(r)
	var terms license.TermsResult
	decode(t, r.apply(encode(license.OpTerms, "acme", 1, &license.SetTerms{Revision: 1, Plan: cl.PlanEnterprise, Status: cl.TenantDeleting}))[0], &terms)
	require.Equal(t, cl.OK, terms.Code, terms.Detail)
	var ended license.EndedTenant
	decode(t, r.apply(encode(license.OpEndTenant, "acme", 1, &license.EndTenant{Limit: 100}))[0], &ended)
	require.EqualValues(t, 1, ended.Charged)
	remove := func(charged uint64) (ack license.Ack) {
		decode(t, r.apply(encode(license.OpRemoveTenant, "acme", 1, &license.RemoveTenant{Epoch: 1, Charged: charged}))[0], &ack)
		return ack
	}
	require.Equal(t, cl.InvalidField, remove(0).Code)
	require.Equal(t, cl.OK, remove(1).Code)
	require.Equal(t, cl.OK, remove(0).Code, "it is gone")
}
