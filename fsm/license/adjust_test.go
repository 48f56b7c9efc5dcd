package license_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// chargedOnce makes a tenant that was charged five uses by one record.
func chargedOnce(r *rig) {
	key := license.Key{ID: "key-1", Hash: keyHash("k"), Scopes: cl.ScopeCheckout | cl.ScopeReturn}
	r.apply(
		encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpLicenses, "acme", 1, &license.PutLicenses{Licenses: []license.License{{
			ID: "lic-1", VendorID: "vector", ProductID: "cad", Total: 10, MaxOverage: 10, OverageFeeMinor: 50_000, Currency: "EUR", Status: cl.LicenseProvisioned,
		}}}),
		encode(license.OpKey, "acme", 1, &license.PutKey{By: platform, Key: key}),
		encode(license.OpCheckout, "acme", 1, &license.Checkout{
			Caller: license.Caller{KeyHash: key.Hash}, ProductID: "cad", User: "u", Count: 5, TTLMillis: 60_000, AllowOverage: true, Intent: serial(1),
		}))
}

// TestAdjust: uses of a record are taken back once, never more than it has, by
// records of the running month; what was charged stays as it is.
func TestAdjust(t *testing.T) {
	r := newRig(t, fastStore())
	chargedOnce(r)
	month := license.PeriodOf(license.ByMonth, time.UnixMilli(r.now))
	adjust := func(id uint64, uses int64, set func(*license.Adjust)) (result license.AdjustResult) {
		p := &license.Adjust{ID: serial(id), VendorID: "vector", LicenseID: "lic-1", Month: month, Sequence: 1, Uses: uses, Reason: "by mistake"}
		if set != nil {
			set(p)
		}
		decode(t, r.apply(encode(license.OpAdjust, "acme", 1, p))[0], &result)
		return result
	}
	for _, set := range []func(*license.Adjust){
		func(p *license.Adjust) { p.VendorID = "other" }, func(p *license.Adjust) { p.LicenseID = "lic-2" },
		func(p *license.Adjust) { p.Sequence = 2 }, func(p *license.Adjust) { p.Month-- },
	} {
		require.Equal(t, cl.NotFound, adjust(9, 1, set).Code)
	}
	require.Equal(t, cl.InvalidField, adjust(9, 0, nil).Code)
	require.Equal(t, cl.InvalidField, adjust(9, 6, nil).Code)

	r.now += 40 * 24 * hour // another month
	first := adjust(1, 2, nil)
	require.Equal(t, cl.OK, first.Code, first.Detail)
	require.Equal(t, int64(3), first.Left)
	require.Equal(t, license.Overage{
		Sequence: 2, LicenseID: "lic-1", LeaseID: 1, KeyID: "key-1", Uses: -2, PriceMinor: 50_000, Currency: "EUR", AtMillis: r.now, Adjusts: 1, AdjustsMonth: month,
	}, first.Record)
	r.reopen()
	again := adjust(1, 2, nil)
	require.True(t, again.Replayed)
	require.Equal(t, first.Record, again.Record)
	require.Equal(t, cl.IdempotencyKeyReused, adjust(1, 1, nil).Code)
	require.Equal(t, cl.InvalidField, adjust(2, 4, nil).Code, "three are left")
	require.Equal(t, int64(0), adjust(3, 3, nil).Left)
	require.Equal(t, cl.InvalidField, adjust(4, 1, nil).Code)
	next := license.PeriodOf(license.ByMonth, time.UnixMilli(r.now))
	require.Equal(t, cl.NotFound, adjust(5, 1, func(p *license.Adjust) { p.Month, p.Sequence = next, 2 }).Code, "an adjustment is not adjusted")

	var sums license.OverageSums
	ask(t, r.m, "acme", license.QueryOverageSums, &license.SumOverage{FromMillis: epochStart - hour, ToMillis: r.now + hour}, &sums)
	require.Equal(t, []license.OverageSum{
		{LicenseID: "lic-1", Month: month, Currency: "EUR", PriceMinor: 50_000, Uses: 5, Minor: 250_000},
		{LicenseID: "lic-1", Month: next, Currency: "EUR", PriceMinor: 50_000, Uses: -5, Minor: -250_000, Adjustment: true},
	}, sums.Items)
	var proof license.AuditProof
	ask(t, r.m, "acme", license.QueryVerify, &license.VerifyAudit{}, &proof)
	require.True(t, proof.Valid)
}
