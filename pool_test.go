package cloudlicenses_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
)

// grantByTable is the contract's seat table read aloud: it tries every way of
// making n seats up and takes the one with the fewest overage seats.
func grantByTable(e cl.Entitlement, p cl.Pool, n int64, allow bool) (commit, overage int64, code cl.Code) {
	capacity := min(e.MaxOverage, e.Total-e.CommitQty)
	refusedForRoom := cl.OverageMaxExceeded
	if capacity == 0 {
		refusedForRoom = cl.LicenseUnavailable
	}
	// 0. fewer than n of the T seats free
	if p.Commit+p.Overage+n > e.Total {
		return 0, 0, refusedForRoom
	}
	for o := int64(0); o <= n; o++ {
		c := n - o
		fitsCommit := c == 0 || p.Commit+c <= e.CommitQty
		fitsOverage := o == 0 || p.Overage+o <= capacity
		switch {
		case !fitsCommit:
			continue
		case o == 0: // 1. n committed seats free
			return c, 0, cl.OK
		case fitsOverage && allow: // 2. the rest from overage
			return c, o, cl.OK
		}
		// 3. the smallest share of overage that would do is not to be had.
		switch {
		case capacity == 0:
			return 0, 0, cl.LicenseUnavailable
		case !allow && p.Overage < capacity:
			return 0, 0, cl.OverageDeclined
		default:
			return 0, 0, cl.OverageMaxExceeded
		}
	}
	panic("unreachable: n overage seats always fit the committed ones")
}

// TestGrantExhaustively compares Grant with the table for every small
// entitlement that is valid, every pool (also ones past the entitlement, as an
// amendment leaves them) and every count.
func TestGrantExhaustively(t *testing.T) {
	const most = 6
	cases := 0
	for total := range int64(most + 1) {
		for commitQty := range int64(most + 1) {
			for maxOverage := range int64(most + 1) {
				e := cl.Entitlement{Total: total, CommitQty: commitQty, MaxOverage: maxOverage}
				if !e.Valid() {
					continue
				}
				for inCommit := range int64(most + 1) {
					for inOverage := range int64(most + 1) {
						p := cl.Pool{Commit: inCommit, Overage: inOverage}
						for n := int64(1); n <= most+1; n++ {
							for _, allow := range []bool{true, false} {
								cases++
								c, o, code := p.Grant(e, n, allow)
								wc, wo, want := grantByTable(e, p, n, allow)
								if c != wc || o != wo || code != want {
									t.Fatalf("%+v %+v n=%d allow=%v: got %d+%d %q, the table says %d+%d %q",
										e, p, n, allow, c, o, code, wc, wo, want)
								}
							}
						}
					}
				}
			}
		}
	}
	require.Greater(t, cases, 50_000)
}

// TestGrantKeepsWithinTheEntitlement walks a pool by grants and returns: it
// never holds more than it may, and a refusal grants nothing.
func TestGrantKeepsWithinTheEntitlement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		commit := rapid.Int64Range(0, 20).Draw(t, "C")
		total := commit + rapid.Int64Range(0, 20).Draw(t, "T-C")
		e := cl.Entitlement{Total: total, CommitQty: commit, MaxOverage: total - commit + rapid.Int64Range(0, 5).Draw(t, "slack")}
		require.True(t, e.Valid())
		var p cl.Pool
		var live []cl.Pool
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(live) > 0 && rapid.Bool().Draw(t, "return") {
				i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				p.Commit, p.Overage = p.Commit-live[i].Commit, p.Overage-live[i].Overage
				live = append(live[:i], live[i+1:]...)
				continue
			}
			n := rapid.Int64Range(1, 8).Draw(t, "n")
			c, o, code := p.Grant(e, n, rapid.Bool().Draw(t, "allow"))
			if code != cl.OK {
				require.Zero(t, c+o)
				continue
			}
			require.Equal(t, n, c+o)
			p.Commit, p.Overage = p.Commit+c, p.Overage+o
			live = append(live, cl.Pool{Commit: c, Overage: o})
			require.LessOrEqual(t, p.Commit, e.CommitQty)
			require.LessOrEqual(t, p.Overage, e.OverageCapacity())
			require.LessOrEqual(t, p.InUse(), e.Total)
			require.Equal(t, e.Total-p.InUse(), p.Available(e))
		}
	})
}

func TestGrantOfTheSeedsExample(t *testing.T) {
	e := cl.Entitlement{Total: 20, CommitQty: 5, MaxOverage: 15}
	var p cl.Pool
	for i := int64(1); i <= 20; i++ {
		c, o, code := p.Grant(e, 1, true)
		require.Equal(t, cl.OK, code)
		require.Equal(t, i <= 5, c == 1, "checkout %d", i)
		p.Commit, p.Overage = p.Commit+c, p.Overage+o
	}
	_, _, code := p.Grant(e, 1, true)
	require.Equal(t, cl.OverageMaxExceeded, code)
	p.Commit-- // a commit lease comes back while overage ones live
	c, o, code := p.Grant(e, 1, true)
	require.Equal(t, []any{int64(1), int64(0), cl.OK}, []any{c, o, code})
}

func TestAvailableNeverNegative(t *testing.T) {
	p := cl.Pool{Commit: 5, Overage: 4}
	require.Equal(t, int64(0), p.Available(cl.Entitlement{Total: 3, CommitQty: 3}))
	require.Equal(t, int64(1), p.Available(cl.Entitlement{Total: 10, CommitQty: 5, MaxOverage: 5}))
}

func TestEntitlementValid(t *testing.T) {
	for _, c := range []struct {
		total, commit, overage int64
		want                   bool
	}{
		{0, 0, 0, true}, {20, 5, 15, true}, {20, 5, 16, true}, {5, 5, 0, true},
		{20, 5, 14, false}, // T > C + M
		{5, 6, 0, false},   // C > T
		{5, -1, 6, false}, {5, 5, -1, false}, {-1, 0, 0, false},
		{cl.MaxSeats, cl.MaxSeats, 0, true}, {cl.MaxSeats + 1, cl.MaxSeats + 1, 0, false},
		{0, 0, cl.MaxSeats + 1, false},
		{1 << 62, 1 << 62, 1 << 62, false}, // C + M overflows
	} {
		e := cl.Entitlement{Total: c.total, CommitQty: c.commit, MaxOverage: c.overage}
		require.Equal(t, c.want, e.Valid(), "%+v", e)
	}
}
