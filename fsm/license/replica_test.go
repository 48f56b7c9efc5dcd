package license_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestModel compares the machine with the model: every reply, and after every
// entry pools, live leases, usage and overage records. `-rapid.seed` repeats a
// run.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := newGenerator(func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "pick") })
		r, m := newRig(t, fastStore()), newModel()
		r.t = rt
		defer func() { require.NoError(rt, r.m.Close()) }()
		founding := g.founding()
		entries := len(founding) + rapid.IntRange(1, 60).Draw(rt, "entries")
		for i := range entries {
			stamp := r.now
			var steps []step
			if i < len(founding) {
				steps = founding[i]
			} else {
				stamp, steps = g.entry()
			}
			r.now = stamp
			commands := make([][]byte, len(steps))
			for j, s := range steps {
				commands[j] = s.encode()
			}
			results := r.apply(commands...)
			for j, want := range m.apply(stamp, steps) {
				switch want := want.(type) {
				case license.LeaseResult:
					got := decodeLease(rt, results[j])
					g.saw(steps[j], got)
					got.Detail = ""
					if got.Code != cl.OK {
						got.Lease, want.Lease = license.Lease{}, license.Lease{}
					}
					require.Equal(rt, want, got, "entry %d, command %d: %+v", i, j, steps[j].body)
				case license.AdjustResult:
					var got license.AdjustResult
					decode(rt, results[j], &got)
					g.sawAdjustment(steps[j].tenant, got.Code == cl.OK && !got.Replayed)
					got.Detail = ""
					require.Equal(rt, want, got, "entry %d, command %d: %+v", i, j, steps[j].body)
				case license.KeyResult:
					got := decodeKey(rt, results[j])
					got.Detail, got.Key.LastUsedMillis = "", 0
					if got.Code != cl.OK {
						got.Key = license.KeyState{}
					}
					// As text, in which an empty list is like none.
					require.Equal(rt, fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got), "entry %d, command %d: %+v", i, j, steps[j].body)
				case license.Ack:
					if isEndpointOp(steps[j].op) {
						continue // it made one
					}
					got := decodeAck(rt, results[j])
					got.Detail = ""
					require.Equal(rt, want, got, "entry %d, command %d: %+v", i, j, steps[j].body)
				}
			}
			// Under the race detector Pebble keeps a stack trace of every table it reads.
			if !raced || i%5 == 0 || i == entries-1 {
				requireLikeModel(rt, r.m, m)
			}
		}
	})
}

// requireLikeModel compares what can be seen.
func requireLikeModel(t *rapid.T, machine *license.Machine, m *model) {
	t.Helper()
	for _, name := range worldTenants {
		tenant := m.tenants[name]
		if tenant == nil {
			continue
		}
		var licenses license.LicensePage
		ask(t, machine, name, license.QueryLicenses, &license.ListLicenses{Limit: 100}, &licenses)
		require.Len(t, licenses.Items, len(tenant.licenses))
		months := map[string][]license.Usage{}
		for _, got := range licenses.Items {
			want := tenant.license(got.License.ID)
			pool := tenant.pool(want)
			require.Equal(t, pool, cl.Pool{Commit: got.CommitInUse, Overage: got.OverageInUse}, "%s %s", name, want.ID)
			shown := want.License
			if shown.Status != cl.LicenseRevoked && shown.EndMillis != 0 && !shown.AutoRenew && m.clock >= shown.EndMillis {
				shown.Status = cl.LicenseExpired
			}
			require.Equal(t, shown, got.License)
			for _, u := range want.usage() {
				months[u.Month] = append(months[u.Month], u) // the page's order is that of the licenses
			}
		}
		var live []license.Lease
		for _, l := range tenant.leases {
			if l.End == cl.EndNone {
				shown := l.Lease
				shown.ExpiresMillis = m.effective(l)
				live = append(live, shown)
			}
		}
		var leases license.LeasePage
		ask(t, machine, name, license.QueryLeases, &license.ListLeases{Limit: 100}, &leases)
		require.Equal(t, live, leases.Items, "live leases of %s", name)
		requireSums(t, machine, name, tenant, m.clock)
		requireSeries(t, machine, name, tenant, m.clock)
		for month, want := range months {
			var usage license.UsagePage
			ask(t, machine, name, license.QueryUsage, &license.ListUsage{Month: month, Limit: 100}, &usage)
			requireUsage(t, want, usage.Items, fmt.Sprint(name, " ", month))
			var overage license.OveragePage
			ask(t, machine, name, license.QueryOverage, &license.ListOverage{Month: month, Limit: 100}, &overage)
			var records []license.Overage
			for _, o := range tenant.overage {
				if monthOf(o.AtMillis) == month {
					records = append(records, o)
				}
			}
			require.Equal(t, records, append([]license.Overage(nil), overage.Items...), "overage of %s in %s", name, month)
		}
	}
	var outbox license.OutboxPage
	ask(t, machine, "", license.QueryOutbox, &license.ListOutbox{Limit: 10_000}, &outbox)
	pending := map[uint64]int64{}
	for _, o := range outbox.Items {
		pending[o.Sequence] = o.Attempts
	}
	require.Equal(t, m.pending, pending)
	var counts license.OutboxState
	ask(t, machine, "", license.QueryOutboxState, nil, &counts)
	require.EqualValues(t, len(m.pending), counts.Webhooks)
}

// requireUsage compares usage, leaving out records that say nothing.
func requireUsage(t *rapid.T, want, got []license.Usage, of string) {
	t.Helper()
	said := func(all []license.Usage) map[cl.LicenseID]license.Usage {
		kept := map[cl.LicenseID]license.Usage{}
		for _, u := range all {
			if len(u.Refusals) == 0 {
				u.Refusals = nil
			}
			if u.CommitCheckouts+u.OverageCheckouts+u.PeakInUse+u.SeatMillis > 0 || len(u.Refusals) > 0 {
				kept[u.LicenseID] = u
			}
		}
		return kept
	}
	require.Equal(t, said(want), said(got), "usage of %s", of)
}

// TestReplicasAgree: machines that differ in everything about their storage
// (how often they write and flush, memtable, restarts, snapshots) have the
// same hash after each entry, and so has one restored from another.
func TestReplicasAgree(t *testing.T) {
	for seed := range uint64(atRace(2)) {
		log, hashes := stream(t, seed, atRace(500)/2+50)
		for name, o := range map[string]fsm.Options{
			"eager": fastStore(), "tiny memtable": {WriteEvery: 1, FlushBytes: 1 << 10, MemTableBytes: 32 << 10, DirtyBytes: 1}, "default": {},
		} {
			r := newRig(t, o)
			for i, e := range log {
				applyEntry(t, r.m, e)
				r.index = e.index
				require.Equal(t, hashes[e.index], hashOf(t, r.m), "seed %d, %s, index %d", seed, name, e.index)
				switch {
				case i%37 == 36:
					r.reopen()
				case i%61 == 60:
					r.move(fmt.Sprint("moved-", i))
				}
			}
		}
	}
}

// TestSnapshotAtAnyIndex: a snapshot taken at any index and restored goes on
// like the machine it was taken of. What is applied while it is written is not
// in it.
func TestSnapshotAtAnyIndex(t *testing.T) {
	log, hashes := stream(t, 7, 200)
	giver := newRig(t, fastStore())
	taker := openMachine(t, giver.fs, "taker", fastStore())
	defer func() { require.NoError(t, taker.Close()) }()
	for i := 0; i < len(log); i++ {
		applyEntry(t, giver.m, log[i])
		if i%5 != 4 {
			continue
		}
		at := log[i].index
		snapshot, err := giver.m.Snapshot()
		require.NoError(t, err)
		for range 3 {
			if i+1 < len(log) {
				i++
				applyEntry(t, giver.m, log[i])
			}
		}
		dir := fmt.Sprint("snapshot-", at)
		require.NoError(t, giver.fs.MkdirAll(dir, 0o755))
		require.NoError(t, snapshot.Persist(dir))
		snapshot.Release()
		require.Equal(t, hashes[log[i].index], hashOf(t, giver.m))

		require.NoError(t, taker.Restore(dir))
		require.Equal(t, at, taker.AppliedIndex())
		require.Equal(t, hashes[at], hashOf(t, taker), "restored at %d", at)
		for _, e := range log[at:min(len(log), int(at)+20)] {
			applyEntry(t, taker, e)
			require.Equal(t, hashes[e.index], hashOf(t, taker), "restored at %d, replayed to %d", at, e.index)
		}
	}
}
