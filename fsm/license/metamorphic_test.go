package license_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestRepeatedRequestChangesNothing: a granted checkout applied again with its
// request id, at once or later, gives the same lease and leaves the state as
// it was.
func TestRepeatedRequestChangesNothing(t *testing.T) {
	for seed := range uint64(atRace(6)) {
		g := newGenerator(seeded(seed))
		r := newRig(t, fastStore())
		repeated := 0
		var granted []step
		for _, steps := range g.founding() {
			for _, s := range steps {
				r.apply(s.encode())
			}
		}
		for range 500 {
			stamp, steps := g.entry()
			r.now = max(r.now, stamp)
			for _, s := range steps {
				first := r.apply(s.encode())[0]
				if s.op != license.OpCheckout {
					continue
				}
				got := decodeLease(t, first)
				g.saw(s, got)
				if got.Code != cl.OK || got.Replayed {
					continue
				}
				granted = append(granted, s)
				before := hashOf(t, r.m)
				again := decodeLease(t, r.apply(s.encode())[0])
				require.Equal(t, license.LeaseResult{Replayed: true, Lease: got.Lease}, again)
				requireOnlyIndexMoved(t, before, hashOf(t, r.m))
				repeated++
			}
		}
		require.Greater(t, repeated, 20)
		// All of them once more: each is either remembered and changes nothing,
		// or is a checkout of its own.
		for _, s := range granted[max(0, len(granted)-10):] {
			before := hashOf(t, r.m)
			if again := decodeLease(t, r.apply(s.encode())[0]); again.Replayed {
				requireOnlyIndexMoved(t, before, hashOf(t, r.m))
			}
		}
	}
}

// requireOnlyIndexMoved: the logical state is the same, though an entry was
// applied.
func requireOnlyIndexMoved(t *testing.T, before, after license.StateHash) {
	t.Helper()
	require.Greater(t, after.AppliedIndex, before.AppliedIndex)
	require.Equal(t, before.Hash, after.Hash)
}

// pools are all pools of the tenants, and how many leases live.
func pools(t *testing.T, m *license.Machine) (all []cl.Pool) {
	t.Helper()
	for _, tenant := range worldTenants {
		var page license.LicensePage
		ask(t, m, tenant, license.QueryLicenses, &license.ListLicenses{Limit: 100}, &page)
		for _, l := range page.Items {
			all = append(all, cl.Pool{Commit: l.CommitInUse, Overage: l.OverageInUse})
		}
		var leases license.LeasePage
		ask(t, m, tenant, license.QueryLeases, &license.ListLeases{Limit: 100}, &leases)
		all = append(all, cl.Pool{Commit: int64(len(leases.Items))})
	}
	return all
}

// TestCheckoutAndReturnRestore: whatever is checked out and returned at once
// leaves every pool as it was.
func TestCheckoutAndReturnRestore(t *testing.T) {
	g := newGenerator(seeded(5))
	r := newRig(t, fastStore())
	for _, steps := range g.founding() {
		for _, s := range steps {
			r.apply(s.encode())
		}
	}
	restored := 0
	for range 1000 {
		stamp, steps := g.entry()
		r.now = max(r.now, stamp)
		r.tick() // so that no checkout collects what has expired
		before := pools(t, r.m)
		for _, s := range steps {
			checkout, ok := s.body.(*license.Checkout)
			if !ok || s.epoch != 1 {
				continue
			}
			got := decodeLease(t, r.apply(s.encode())[0])
			if got.Code != cl.OK || got.Replayed {
				require.Equal(t, before, pools(t, r.m), "a refusal or a replay changes no pool")
				continue
			}
			require.NotEqual(t, before, pools(t, r.m))
			back := encode(license.OpReturn, s.tenant, 1, &license.Return{Caller: checkout.Caller, LeaseID: got.Lease.ID})
			if ended := decodeLease(t, r.apply(back)[0]); ended.Code == cl.MissingScope {
				r.apply(encode(license.OpRelease, s.tenant, 1, &license.Release{Actor: "admin", LeaseID: got.Lease.ID}))
			} else {
				require.Equal(t, cl.OK, ended.Code)
			}
			require.Equal(t, before, pools(t, r.m))
			restored++
		}
		if g.chance(30) { // leave something out
			for _, s := range steps {
				if s.op == license.OpCheckout {
					g.saw(s, decodeLease(t, r.apply(s.encode())[0]))
				}
			}
		}
	}
	require.Greater(t, restored, 50)
}

// TestBatchedIsOneByOne: the commands of an entry, each applied in an entry of
// its own with the same stamp, give the same results and the same state, save
// for the audit chain, which has one link per entry; its records are the same.
func TestBatchedIsOneByOne(t *testing.T) {
	for seed := range uint64(atRace(3)) {
		log, _ := stream(t, 40+seed, 250)
		batched, single := newRig(t, fastStore()), newRig(t, fsm.Options{WriteEvery: -1, FlushEvery: -1})
		for _, e := range log {
			batched.now, single.now = e.stamp, e.stamp
			results := batched.apply(e.commands...)
			for i, c := range e.commands {
				require.Equal(t, results[i], single.apply(c)[0], "seed %d, index %d, command %d", seed, e.index, i)
			}
			if e.index%10 == 0 {
				require.Equal(t, everything(t, batched.m), everything(t, single.m), "seed %d, index %d", seed, e.index)
			}
		}
	}
}

// everything is all that queries tell of the tenants.
func everything(t *testing.T, m *license.Machine) (all []any) {
	t.Helper()
	for _, tenant := range worldTenants {
		var licenses license.LicensePage
		ask(t, m, tenant, license.QueryLicenses, &license.ListLicenses{Limit: 100}, &licenses)
		var leases license.LeasePage
		ask(t, m, tenant, license.QueryLeases, &license.ListLeases{Limit: 100}, &leases)
		var keys license.KeyPage
		ask(t, m, tenant, license.QueryKeys, &license.ListKeys{Limit: 100}, &keys)
		var usage license.UsagePage
		ask(t, m, tenant, license.QueryUsage, &license.ListUsage{Month: "2026-11", Limit: 100}, &usage)
		var overage license.OveragePage
		ask(t, m, tenant, license.QueryOverage, &license.ListOverage{Month: "2026-11", Limit: 100}, &overage)
		var audit license.AuditPage
		ask(t, m, tenant, license.QueryAudit, &license.ListAudit{Limit: 100, FromMillis: 0}, &audit)
		all = append(all, licenses, leases, keys, usage, overage, audit.Items)
	}
	return all
}

// TestAuditChainCoversEverything: the chain of both ways verifies and counts
// the same records.
func TestAuditChainCoversEverything(t *testing.T) {
	log, _ := stream(t, 3, 300)
	r := newRig(t, fastStore())
	for _, e := range log {
		applyEntry(t, r.m, e)
	}
	for _, tenant := range worldTenants {
		var proof license.AuditProof
		ask(t, r.m, tenant, license.QueryVerify, &license.VerifyAudit{}, &proof)
		require.True(t, proof.Valid, proof.Detail)
		require.NotEqual(t, [32]byte{}, proof.Head)
		q, records := license.ListAudit{Limit: 7}, int64(0)
		last := uint64(0)
		for range 10_000 {
			var page license.AuditPage
			ask(t, r.m, tenant, license.QueryAudit, &q, &page)
			for _, a := range page.Items {
				require.Equal(t, last+1, a.Sequence, "no gap, no doubling")
				last, records = a.Sequence, records+1
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		require.Equal(t, proof.Records, records)
		require.Positive(t, records)
		for q = (license.ListAudit{Limit: 7, Newest: true}); ; {
			var page license.AuditPage
			ask(t, r.m, tenant, license.QueryAudit, &q, &page)
			for _, a := range page.Items {
				require.Equal(t, last, a.Sequence, "the same from behind")
				last--
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		require.Zero(t, last)
	}
}

// TestPagesAreWhole: pages of any size, put together, are the one large page.
func TestPagesAreWhole(t *testing.T) {
	log, _ := stream(t, 21, 250)
	r := newRig(t, fastStore())
	for _, e := range log {
		applyEntry(t, r.m, e)
	}
	for _, tenant := range worldTenants {
		for _, key := range []string{"", "k0"} {
			q := license.ListLeases{Limit: 100}
			if key != "" {
				q.Access = license.Access{ByKey: true, Caller: license.Caller{KeyHash: keyHash(string(tenant) + " " + key)}}
			}
			var whole license.LeasePage
			ask(t, r.m, tenant, license.QueryLeases, &q, &whole)
			for size := int64(1); size < 8; size++ {
				var together []license.Lease
				q.Limit, q.Cursor = size, ""
				for range 1000 {
					var page license.LeasePage
					ask(t, r.m, tenant, license.QueryLeases, &q, &page)
					together = append(together, page.Items...)
					if q.Cursor = page.Next; q.Cursor == "" {
						break
					}
				}
				require.Equal(t, slices.Clip(append([]license.Lease(nil), whole.Items...)), together, "size %d", size)
			}
		}
	}
}
