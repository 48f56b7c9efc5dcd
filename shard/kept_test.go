package shard

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// behindKept answers reads of what an account keeps as a replica does that has
// not applied it yet.
type behindKept struct {
	engine
}

func (l *behindKept) Query(ctx context.Context, group cluster.GroupID, query []byte, opt cluster.ReadOptions) (cluster.Reply, error) {
	reply, err := l.engine.Query(ctx, group, query, opt)
	h, _, _, malformed := fsm.SplitHeader(query)
	if err != nil || malformed != nil || group == directoryGroup || h.Op != license.QueryKept || opt.Linearizable {
		return reply, err
	}
	var none license.KeptPage
	reply.Value, err = none.MarshalMsg(nil)
	return reply, err
}

// TestKeptBatches: what is kept fits into commands, however much it is, and in order.
func TestKeptBatches(t *testing.T) {
	item := func(id, sums int) license.Kept {
		k := license.Kept{TenantID: "mercedes-benz-ag", LicenseID: cloudlicenses.LicenseID(fmt.Sprintf("lic-vector-mercedes-benz-ag-2026-%03d", id)), Month: 24321}
		for d := range sums {
			k.Days = append(k.Days, license.DaySum{Day: uint32(20_700 + d%31), Currency: "EUR", PriceMinor: 50_000 + int64(d), Uses: 12, Minor: 600_000})
		}
		return k
	}
	for _, sums := range []int{0, 31, 375, 2062} {
		var all, again []license.Kept
		for i := range 200 {
			all = append(all, item(i, sums))
		}
		all = append(all, license.Kept{TenantID: "mercedes-benz-ag"})
		for _, batch := range keptBatches(all) {
			b, err := (&license.KeepOverage{Items: batch}).MarshalMsg(nil)
			require.NoError(t, err)
			require.LessOrEqual(t, len(b), keptBytes+16)
			again = append(again, batch...)
		}
		require.Equal(t, all, again)
	}
	require.Len(t, keptBatches([]license.Kept{item(1, 1), item(2, 10_000), item(3, 1)}), 3, "a huge one goes alone")
}

// TestKeptDays: a day's sums of one kind are one, unless it can't hold the amount.
func TestKeptDays(t *testing.T) {
	day := func(day uint32, price, uses, minor int64) license.DaySum {
		return license.DaySum{Day: day, Currency: "EUR", PriceMinor: price, Uses: uses, Minor: minor}
	}
	back := day(1, 5, -1, -5)
	back.Adjustment = true
	var days []license.DaySum
	for _, d := range []license.DaySum{day(1, 5, 1, 5), day(1, 7, 1, 7), back, day(1, 5, 2, 10), back, day(1, 5, 0, 0), day(2, 5, 1, 5), day(2, 5, 1, math.MaxInt64)} {
		days = addDay(days, d)
	}
	back.Uses, back.Minor = -2, -10
	require.Equal(t, []license.DaySum{day(1, 5, 3, 15), day(1, 7, 1, 7), back, day(2, 5, 1, 5), day(2, 5, 1, math.MaxInt64)}, days)
}

// TestKeptIsReadAsOfNow: a node whose replica is behind leaves no removed tenant
// out of a month's charges and invoices.
func TestKeptIsReadAsOfNow(t *testing.T) {
	c := newTrio(t)
	var ahead atomic.Int64
	c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c.start(0, 1, 2)
	s, ctx := c.shards[c.leader(directoryGroup)], t.Context()
	for _, id := range []cloudlicenses.TenantID{"mercedes", "bmw"} {
		_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: id, Licenses: []LicenseSpec{
			{ProductID: "own", MaxOverage: 9, OverageFeeMinor: 333, CommitFeeMinor: 10_000, CommitQty: 1},
		}})
		require.NoError(t, err)
	}
	month := billing.DayAt(c.now().UnixMilli()).Month()
	r := beginChange(t, s, directory.ChangeTenant{ID: "mercedes", Status: cloudlicenses.TenantDeleting, Actor: "operator"})
	_, _, err := s.settleTenant(ctx, &r)
	require.NoError(t, err)
	require.NoError(t, s.removeTenant(ctx, &r.Tenant))
	ahead.Store(((month+1).First().UnixMillis()-time.Now().UnixMilli())*int64(time.Millisecond) + int64(time.Hour))

	behind := New(Config{Node: c.nodes[c.leader(directoryGroup)], Domain: "example.test", Now: c.now})
	behind.engine = &behindKept{behind.engine}
	v, _, err := behind.VendorCharges(ctx, operatorVendor.ID, "", month.Days(), ReadOptions{})
	require.NoError(t, err)
	require.Len(t, v.Contracts, 2)
	require.Len(t, v.Charges, 2)
	run, err := behind.RunInvoices(ctx, operatorVendor.ID, month, license.By{Platform: true}, false)
	require.NoError(t, err)
	var billed []cloudlicenses.TenantID
	for i := range run.Issued {
		billed = append(billed, run.Issued[i].TenantID)
	}
	require.ElementsMatch(t, []cloudlicenses.TenantID{"mercedes", "bmw"}, billed)
}
