package license_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// TestAdjustmentFreesCaps: what is taken back of the running month counts against
// its caps no more, by uses and by money, of the license and of the key; what is
// taken back of an earlier month frees nothing.
func TestAdjustmentFreesCaps(t *testing.T) {
	for name, cap := range map[string]license.Cap{
		"uses of the license":  {LicenseID: "lic-1", MaxUses: 6, MaxMinor: -1},
		"money of the license": {LicenseID: "lic-1", MaxUses: -1, MaxMinor: 300_000},
		"uses of the key":      {KeyID: "key-1", MaxUses: 6, MaxMinor: -1},
		"money of the key":     {KeyID: "key-1", MaxUses: -1, MaxMinor: 300_000, Currency: "EUR"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, fastStore())
			chargedOnce(r)
			r.apply(encode(license.OpReturn, "acme", 1, &license.Return{Caller: license.Caller{KeyHash: keyHash("k")}, LeaseID: 1}))
			rules := &license.SetRules{By: license.By{Platform: true}, Rules: license.Rules{Caps: []license.Cap{cap}}}
			require.Equal(t, cl.OK, decodeAck(t, r.apply(encode(license.OpRules, "acme", 1, rules))[0]).Code)
			serials := uint64(100)
			charge := func(uses int64) cl.Code {
				serials++
				result := decodeLease(t, r.apply(encode(license.OpCheckout, "acme", 1, &license.Checkout{
					Caller: license.Caller{KeyHash: keyHash("k")}, ProductID: "cad", User: "u", Count: uses, TTLMillis: 60_000, AllowOverage: true, Intent: serial(serials),
				}))[0])
				if result.Code == cl.OK {
					r.apply(encode(license.OpReturn, "acme", 1, &license.Return{Caller: license.Caller{KeyHash: keyHash("k")}, LeaseID: result.Lease.ID}))
				}
				return result.Code
			}
			adjust := func(month uint32, sequence uint64, uses int64) {
				serials++
				var result license.AdjustResult
				decode(t, r.apply(encode(license.OpAdjust, "acme", 1, &license.Adjust{
					ID: serial(serials), VendorID: "vector", LicenseID: "lic-1", Month: month, Sequence: sequence, Uses: uses, Reason: "by mistake",
				}))[0], &result)
				require.Equal(t, cl.OK, result.Code, result.Detail)
			}
			month := license.PeriodOf(license.ByMonth, time.UnixMilli(r.now))
			require.Equal(t, cl.OverageCapReached, charge(2))
			adjust(month, 1, 3)
			r.reopen()
			require.Equal(t, cl.OK, charge(4))
			require.Equal(t, cl.OverageCapReached, charge(1))

			r.now += 40 * 24 * hour
			adjust(month, 1, 2)
			require.Equal(t, cl.OverageCapReached, charge(7))
			require.Equal(t, cl.OK, charge(6))
			require.Equal(t, cl.OverageCapReached, charge(1))
		})
	}
}

// TestAdjustmentsTakeBackWhatThereIs: whatever is asked for in whatever order, and
// however often, of each record as much is taken back as was accepted, once, and
// never more than it has.
func TestAdjustmentsTakeBackWhatThereIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, fastStore())
		r.t = rt
		defer func() { require.NoError(rt, r.m.Close()) }()
		chargedOnce(r)
		month := license.PeriodOf(license.ByMonth, time.UnixMilli(r.now))
		accepted := map[[16]byte]license.AdjustResult{}
		taken := int64(0)
		for range rapid.IntRange(1, 30).Draw(rt, "adjustments") {
			p := &license.Adjust{
				ID: serial(rapid.Uint64Range(1, 8).Draw(rt, "id")), VendorID: "vector", LicenseID: "lic-1", Month: month, Sequence: 1,
				Uses: rapid.Int64Range(-1, 6).Draw(rt, "uses"), Reason: "by mistake",
			}
			r.now += rapid.Int64Range(0, 20*24*hour).Draw(rt, "later")
			var result license.AdjustResult
			decode(rt, r.apply(encode(license.OpAdjust, "acme", 1, p))[0], &result)
			first, known := accepted[p.ID]
			switch {
			case known && first.Record.Uses == -p.Uses:
				require.True(rt, result.Replayed)
				require.Equal(rt, first.Record, result.Record)
			case known:
				require.Equal(rt, cl.IdempotencyKeyReused, result.Code)
			case p.Uses < 1 || taken+p.Uses > 5:
				require.Equal(rt, cl.InvalidField, result.Code)
				require.Equal(rt, 5-taken, result.Left)
			default:
				require.Equal(rt, cl.OK, result.Code, result.Detail)
				accepted[p.ID] = result
				taken += p.Uses
			}
			if rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
				r.reopen()
			}
			var sums license.OverageSums
			ask(rt, r.m, "acme", license.QueryOverageSums, &license.SumOverage{FromMillis: epochStart - hour, ToMillis: r.now + hour}, &sums)
			left, money := int64(0), int64(0)
			for _, s := range sums.Items {
				left, money = left+s.Uses, money+s.Minor
			}
			require.Equal(rt, 5-taken, left)
			require.Equal(rt, (5-taken)*50_000, money)
		}
	})
}
