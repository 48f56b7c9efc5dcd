package license_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// bench is a rig with one tenant, one license and one key.
func oneLicense(t *testing.T, o fsm.Options, total, commit int64) *rig {
	t.Helper()
	r := newRig(t, o)
	l := sampleLicense()
	l.ID, l.Constraint, l.Total, l.CommitQty, l.MaxOverage, l.EndMillis = "lic-1", "", total, commit, total-commit, 0
	r.apply(
		encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpLicenses, "acme", 1, &license.PutLicenses{Licenses: []license.License{l}}),
		encode(license.OpKey, "acme", 1, &license.PutKey{By: platform, Key: license.Key{ID: "k1", Hash: keyHash("k1"), Scopes: cl.ScopeCheckout | cl.ScopeReturn}}),
	)
	return r
}

func checkoutOf(n uint64, ttl int64) []byte {
	c := &license.Checkout{
		Caller: license.Caller{KeyHash: keyHash("k1"), Hostname: "ws-1"}, Intent: serial(n), ProductID: "cad", User: fmt.Sprint("user-", n),
		Count: 1, TTLMillis: ttl, AllowOverage: true,
	}
	c.BodyHash = bodyHash(c)
	return encode(license.OpCheckout, "acme", 1, c)
}

// TestExpiryInSteps: thousands of leases that are due at once end in bounded
// entries, the earliest first, and Due asks again until none is left.
func TestExpiryInSteps(t *testing.T) {
	const n = 5000
	r := oneLicense(t, fastStore(), n, n)
	var commands [][]byte
	for i := range uint64(n) {
		commands = append(commands, checkoutOf(i, minute+int64(i%7)*second))
	}
	for chunk := range slices.Chunk(commands, 500) {
		r.apply(chunk...)
	}
	require.Nil(t, r.m.Due(r.now+minute-1), "never before expires_at")
	r.now += minute
	first := r.m.Due(r.now)
	require.NotNil(t, first)
	r.tick()
	var page license.LicensePage
	ask(t, r.m, "acme", license.QueryLicenses, &license.ListLicenses{Limit: 10}, &page)
	due := int64((n + 6) / 7)
	require.Equal(t, n-due, page.Items[0].CommitInUse, "exactly those of a minute's TTL")
	r.now += hour
	require.Greater(t, r.tick(), 1, "in more than one entry")
	ask(t, r.m, "acme", license.QueryLicenses, &license.ListLicenses{Limit: 10}, &page)
	require.Zero(t, page.Items[0].CommitInUse)
	require.Nil(t, r.m.Due(r.now))
}

// TestDueLooksPastHeartbeats: leases kept alive by heartbeats are not due,
// however stale what the machine had noted about them.
func TestDueLooksPastHeartbeats(t *testing.T) {
	const n = 300
	r := oneLicense(t, fastStore(), n, n)
	for i := range uint64(n) {
		r.apply(checkoutOf(i, minute))
	}
	for range 5 {
		r.now += 50 * second
		var beats [][]byte
		for id := range cl.LeaseID(n - 1) { // all but the last
			beats = append(beats, encode(license.OpHeartbeat, "acme", 1, &license.Heartbeat{Caller: license.Caller{KeyHash: keyHash("k1")}, LeaseID: id + 1}))
		}
		r.apply(beats...)
		r.tick()
	}
	var page license.LicensePage
	ask(t, r.m, "acme", license.QueryLicenses, &license.ListLicenses{Limit: 10}, &page)
	require.Equal(t, int64(n-1), page.Items[0].CommitInUse)
}

// TestExpiryNeverByOwnClock: where the group's clock is behind the replica's
// own, by an hour here, a lease lives on until the group's clock ends it.
func TestExpiryNeverByOwnClock(t *testing.T) {
	r := newRig(t, fastStore())
	r.now = time.Now().Add(-time.Hour).UnixMilli()
	l := sampleLicense()
	l.Constraint, l.Total, l.CommitQty, l.MaxOverage, l.StartMillis, l.EndMillis = "", 2, 1, 1, 0, 0
	r.apply(
		encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpLicenses, "acme", 1, &license.PutLicenses{Licenses: []license.License{l}}),
		encode(license.OpKey, "acme", 1, &license.PutKey{By: platform, Key: license.Key{ID: "k1", Hash: keyHash("k1"), Scopes: cl.ScopeCheckout}}),
		checkoutOf(1, minute), checkoutOf(2, minute),
	)
	require.Equal(t, cl.OverageMaxExceeded, decodeLease(t, r.apply(checkoutOf(3, minute))[0]).Code, "wants overage_max_exceeded")
	require.Nil(t, r.m.Due(r.now))
	r.now += minute
	require.Equal(t, cl.OK, decodeLease(t, r.apply(checkoutOf(4, minute))[0]).Code)
}

// TestTornCutWouldChargeTwice: a crash right after a write-behind, replayed
// from the disk's index, leaves exactly one charge per overage checkout.
func TestTornCutWouldChargeTwice(t *testing.T) {
	const n = 40
	fs := vfs.NewCrashableMem()
	r := oneLicense(t, fsm.Options{WriteEvery: -1, FlushEvery: -1}, 1000, 0)
	log := r.log
	m := openMachine(t, fs, "data", fsm.Options{WriteEvery: -1, FlushEvery: -1})
	applyEntry(t, m, log[0])
	require.NoError(t, m.Flush())
	for i := range uint64(n) {
		e := entry{index: i + 2, stamp: epochStart, commands: [][]byte{checkoutOf(i, hour)}}
		// Each is asked for by a request id of its own, so that no replay
		// would be answered from the first grant.
		log = append(log, e)
		applyEntry(t, m, e)
		if i%10 == 5 {
			require.NoError(t, m.Flush())
		}
	}
	after := openMachine(t, fs.CrashClone(vfs.CrashCloneCfg{}), "data", fsm.Options{WriteEvery: -1, FlushEvery: -1})
	for _, e := range log {
		if e.index > after.AppliedIndex() {
			e.stamp += 2 * minute // past the memory of request ids: a torn cut shows as a second charge
			applyEntry(t, after, e)
		}
	}
	for _, machine := range []*license.Machine{m, after} {
		var records int64
		q := license.ListOverage{Month: "2026-11", Limit: 100}
		var page license.OveragePage
		ask(t, machine, "acme", license.QueryOverage, &q, &page)
		for _, o := range page.Items {
			records += o.Uses
		}
		require.Equal(t, int64(n), records, "uses charged")
		require.NoError(t, machine.Close())
	}
}

// TestReadersBesideApply: queries, Admit, Due and snapshots run while entries
// are applied; what a reader sees is never half an entry: the seats of the
// pools are always those of the leases. For the race detector besides.
func TestReadersBesideApply(t *testing.T) {
	r := oneLicense(t, fastStore(), 100, 50)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	read := func(f func(i int)) {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	read(func(int) {
		var page license.LicensePage
		ask(t, r.m, "acme", license.QueryLicenses, &license.ListLicenses{Limit: 100}, &page)
		p := page.Items[0]
		require.Zero(t, (p.CommitInUse+p.OverageInUse)%2, "every entry takes or gives back two")
	})
	read(func(int) {
		var page license.LeasePage
		ask(t, r.m, "acme", license.QueryLeases, &license.ListLeases{Limit: 100}, &page)
		require.Zero(t, len(page.Items)%2)
	})
	read(func(int) {
		var proof license.AuditProof
		ask(t, r.m, "acme", license.QueryVerify, &license.VerifyAudit{}, &proof)
		require.True(t, proof.Valid, proof.Detail)
		hashOf(t, r.m)
		time.Sleep(time.Millisecond) // leaves the processor to the others
	})
	read(func(i int) {
		r.m.Admit(epochStart, checkoutOf(uint64(i), minute))
		r.m.Due(epochStart)
		r.m.AppliedIndex()
	})
	read(func(i int) {
		persist(t, r.m, r.fs, fmt.Sprint("snapshot-", i))
		time.Sleep(5 * time.Millisecond) // leaves the processor to the others
	})
	lease := cl.LeaseID(0)
	for i := range uint64(400) {
		r.now++
		got := r.apply(checkoutOf(2*i, hour), checkoutOf(2*i+1, hour))
		require.Equal(t, cl.OK, decodeLease(t, got[0]).Code)
		lease += 2
		if i%40 >= 20 {
			continue
		}
		back := func(id cl.LeaseID) []byte {
			return encode(license.OpReturn, "acme", 1, &license.Return{Caller: license.Caller{KeyHash: keyHash("k1")}, LeaseID: id})
		}
		r.apply(back(lease), back(lease-1))
		if i%40 == 19 && lease > 80 {
			var gone [][]byte
			for id := lease - 80; id < lease; id++ {
				gone = append(gone, back(id))
			}
			r.apply(gone...)
		}
	}
	close(stop)
	readers.Wait()
}
