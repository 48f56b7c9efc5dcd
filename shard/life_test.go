package shard

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// beginChange is the first step of ChangeTenant alone.
func beginChange(t *testing.T, s *Shard, c directory.ChangeTenant) directory.LifeResult {
	t.Helper()
	var r directory.LifeResult
	_, err := s.DoDirectory(t.Context(), Command{Op: directory.OpChangeTenant, Payload: &c, Result: &r})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	return r
}

// TestLivesSurviveTheLossOfANode: the node that changes or removes a tenant
// dies after any step; the directory's next leader takes it to its end.
func TestLivesSurviveTheLossOfANode(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	lost := c.leader(directoryGroup)
	s, ctx := c.shards[lost], t.Context()

	changing := []cloudlicenses.TenantID{"noted", "taken"}
	for steps, id := range changing {
		_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: id, Plan: "free"})
		require.NoError(t, err)
		r := beginChange(t, s, directory.ChangeTenant{ID: id, Plan: cloudlicenses.PlanStartup, Actor: "operator"})
		if steps >= 1 {
			_, _, err := s.sendTerms(ctx, &r)
			require.NoError(t, err)
		}
	}
	going := []cloudlicenses.TenantID{"asked", "told", "begun", "ended", "kept", "emptied"}
	keys := map[cloudlicenses.TenantID]CreatedTenant{}
	for steps, id := range going {
		created, err := s.CreateTenant(ctx, CreateTenantRequest{ID: id, Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 5}}})
		require.NoError(t, err)
		keys[id] = created
		lease, _ := c.checkout(lost, created, "cad", 1)
		require.Equal(t, cloudlicenses.OK, lease.Code)
		r := beginChange(t, s, directory.ChangeTenant{ID: id, Status: cloudlicenses.TenantDeleting, Actor: "operator"})
		if steps >= 1 {
			_, _, err := s.settleTenant(ctx, &r)
			require.NoError(t, err)
		}
		if steps >= 2 {
			var begun directory.LifeResult
			_, err := s.DoDirectory(ctx, Command{Op: directory.OpBeginRemoval, Payload: &directory.BeginRemoval{ID: id}, Result: &begun})
			require.NoError(t, err)
			require.Equal(t, cloudlicenses.OK, begun.Code, begun.Detail)
		}
		var charged uint64
		if steps >= 3 {
			var err error
			charged, err = s.endTenant(ctx, &r.Tenant)
			require.NoError(t, err)
		}
		if steps >= 4 {
			require.NoError(t, s.keepOverage(ctx, &r))
		}
		if steps >= 5 {
			var ack license.Ack
			_, err := s.doPlaced(ctx, &r.Tenant, Command{Op: license.OpRemoveTenant, Payload: &license.RemoveTenant{Epoch: r.Tenant.Epoch, Charged: charged}, Result: &ack})
			require.NoError(t, err)
			require.Equal(t, cloudlicenses.OK, ack.Code, ack.Detail)
		}
	}
	c.stop(lost)

	resume, cancel := context.WithCancel(ctx)
	defer cancel()
	var other int
	for i := range c.nodes {
		if i != lost {
			other = i
			go c.shards[i].ResumeLives(resume)
		}
	}
	s = c.shards[other]
	for _, id := range changing {
		require.Eventually(t, func() bool {
			life, _, err := s.Life(ctx, id)
			return err == nil && life.Tenant.Plan == "startup" && life.Life.Settled == 1
		}, 20*time.Second, 20*time.Millisecond, "%s", id)
		terms, _, err := s.Terms(ctx, id, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.PlanStartup, terms.Use.Plan)
	}
	for _, id := range going {
		require.Eventually(t, func() bool {
			life, _, err := s.Life(ctx, id)
			return err == nil && life.Code == cloudlicenses.TenantNotFound
		}, 20*time.Second, 20*time.Millisecond, "%s", id)
		_, err := s.Do(ctx, id, Command{Op: license.OpRules, Payload: &license.SetRules{}, Result: &license.Ack{}})
		require.ErrorIs(t, err, ErrTenantNotFound)
		_, err = s.CreateTenant(ctx, CreateTenantRequest{ID: id})
		require.ErrorContains(t, err, "is not given again")
	}
	c.start(lost)
	for group := range cluster.GroupID(3) {
		c.sameState(group)
	}
}

// TestPlanLimits: what does not fit is refused with what there is and would have been,
// and a deletion can be taken back within its time.
func TestPlanLimits(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	s, ctx := c.shards[0], t.Context()
	seats := func(product cloudlicenses.ProductID, n int64) error {
		tenant := c.tenantOf("acme")
		_, err := s.provision(ctx, &tenant, operatorVendor.ID, []LicenseSpec{{ProductID: product, CommitQty: n}})
		return err
	}
	_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "acme", Plan: "free", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 10}}})
	require.NoError(t, err)
	var refusal *Refusal
	require.ErrorAs(t, seats("cam", 1), &refusal)
	require.Equal(t, cloudlicenses.PlanLimitExceeded, refusal.Code)
	require.Equal(t, license.PlanUse{Plan: "free", Vendors: 1, MaxVendors: 1, Seats: 10, MaxSeats: 10}, refusal.Use, "without what was refused")
	require.Equal(t, "the plan free of acme allows 10 seats in all, and these would be 11: the customer has to choose a larger plan", refusal.Detail)

	changed, w, err := s.ChangeTenant(ctx, "acme", TenantChange{Plan: cloudlicenses.PlanStartup, Actor: "operator"})
	require.NoError(t, err)
	require.Equal(t, "startup", changed.Tenant.Plan)
	require.Contains(t, w.Applied, ",d:")
	require.NoError(t, seats("cam", 90))
	changed, _, err = s.ChangeTenant(ctx, "acme", TenantChange{Plan: cloudlicenses.PlanFree, Actor: "operator"})
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, license.PlanUse{Plan: "free", Vendors: 1, MaxVendors: 1, Seats: 100, MaxSeats: 10}, refusal.Use)
	require.Equal(t, "startup", changed.Tenant.Plan)
	require.Len(t, changed.Life.Plans, 2)

	changed, _, err = s.ChangeTenant(ctx, "acme", TenantChange{Status: cloudlicenses.TenantDeleting, Grace: time.Hour, Actor: "operator"})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.TenantDeleting, changed.Tenant.Status)
	require.ErrorAs(t, s.removeTenant(ctx, &changed.Tenant), &refusal, "its time has not come")
	changed, _, err = s.ChangeTenant(ctx, "acme", TenantChange{Cancel: true, Actor: "operator"})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.TenantActive, changed.Tenant.Status)
	_, _, err = s.ChangeTenant(ctx, "nobody", TenantChange{Plan: cloudlicenses.PlanFree})
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, cloudlicenses.TenantNotFound, refusal.Code)
}

// TestLicenseWaitsForItsPlan: what does not fit the plan of a tenant that appears is
// provisioned when a larger plan is in force.
func TestLicenseWaitsForItsPlan(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	s, ctx := c.shards[c.leader(directoryGroup)], t.Context()
	_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	g, contact := wish("mercedes", "cad") // 20 seats; a free plan has 10
	_, _, err = s.Generate(ctx, g, contact)
	require.NoError(t, err)
	_, err = s.CreateTenant(ctx, CreateTenantRequest{ID: "mercedes", Plan: "free"})
	require.NoError(t, err)
	var refusal *Refusal
	require.ErrorAs(t, c.resume(s), &refusal)
	require.Equal(t, cloudlicenses.PlanLimitExceeded, refusal.Code)
	require.NoError(t, c.resume(s), "it is not tried again and again")
	require.Zero(t, c.of("cad")[0].Revision)

	_, _, err = s.ChangeTenant(ctx, "mercedes", TenantChange{Plan: cloudlicenses.PlanStartup, Actor: "operator"})
	require.NoError(t, err)
	require.NoError(t, c.resume(s))
	l := c.of("cad")[0]
	c.provisionedOnce(&l)
}

// TestNoChargeGoesWithItsTenant: a tenant is removed once its overage is invoiced,
// and the invoice stays.
func TestNoChargeGoesWithItsTenant(t *testing.T) {
	c := newTrio(t)
	var ahead atomic.Int64
	c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c.start(0, 1, 2)
	s, ctx := c.shards[c.leader(directoryGroup)], t.Context()
	_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector GmbH", LicensePrefix: "vector"})
	require.NoError(t, err)
	made := map[cloudlicenses.TenantID]CreatedTenant{}
	for _, id := range []cloudlicenses.TenantID{"mercedes", "bmw"} {
		made[id], err = s.CreateTenant(ctx, CreateTenantRequest{ID: id})
		require.NoError(t, err)
		g, contact := wish(id, "cad")
		g.OpportunityID += "-" + string(id)
		_, _, err = s.Generate(ctx, g, contact)
		require.NoError(t, err)
	}
	for intent := range byte(7) { // two past the five committed seats
		lease, _ := c.checkout(0, made["mercedes"], "cad", intent+1)
		require.Equal(t, cloudlicenses.OK, lease.Code, lease.Detail)
	}
	month := billing.DayAt(c.now().UnixMilli()).Month()
	for id := range made {
		r := beginChange(t, s, directory.ChangeTenant{ID: id, Status: cloudlicenses.TenantDeleting, Actor: "operator"})
		_, _, err := s.settleTenant(ctx, &r)
		require.NoError(t, err)
	}
	for range 3 {
		require.NoError(t, s.resumeLives(ctx))
	}
	life, _, err := s.Life(ctx, "bmw")
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.TenantNotFound, life.Code, "nothing was charged")
	life, _, err = s.Life(ctx, "mercedes")
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, life.Code, "it is kept")

	ahead.Store(((month+1).First().UnixMillis()-time.Now().UnixMilli())*int64(time.Millisecond) + int64(time.Hour))
	require.NoError(t, s.resumeLives(ctx))
	life, _, err = s.Life(ctx, "mercedes")
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, life.Code, "its month is over, and not invoiced yet")
	platform := license.By{Platform: true}
	run, err := s.RunInvoices(ctx, "vector-de", month, platform, false)
	require.NoError(t, err)
	require.Len(t, run.Issued, 2)
	ahead.Add(int64(heldLook))
	require.NoError(t, s.resumeLives(ctx))
	life, _, err = s.Life(ctx, "mercedes")
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.TenantNotFound, life.Code)

	for i := range run.Issued {
		v := &run.Issued[i]
		if v.CRMAccount != "ACC-mercedes" {
			continue
		}
		require.Len(t, v.Lines, 2)
		require.Equal(t, "cad - Overage (2 checkouts)", v.Lines[1].Description)
		_, _, _, err := s.VoidInvoice(ctx, "vector-de", v.ID, platform, "")
		require.NoError(t, err)
	}
	again, err := s.RunInvoices(ctx, "vector-de", month, platform, true)
	require.NoError(t, err)
	require.Len(t, again.Issued, 1)
	require.Equal(t, "cad - Overage (2 checkouts)", again.Issued[0].Lines[1].Description, "it is made anew with all that it had")
}

// TestOverageOutlivesItsTenant: exports and the platform's share of the months that
// a tenant was charged in are the same to the cent once it is gone, wherever the
// removal was interrupted, and whatever the status of its vendor; licenses that the
// directory does not know are among them.
func TestOverageOutlivesItsTenant(t *testing.T) {
	c := newTrio(t)
	var ahead atomic.Int64
	c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c.start(0, 1, 2)
	s, ctx := c.shards[c.leader(directoryGroup)], t.Context()
	for id, prefix := range map[cloudlicenses.VendorID]string{"vector-de": "vector", "other": "other"} {
		_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: id, Name: prefix, LicensePrefix: prefix})
		require.NoError(t, err)
	}
	created, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "mercedes", Licenses: []LicenseSpec{{ProductID: "own", MaxOverage: 9, OverageFeeMinor: 333}}})
	require.NoError(t, err)
	for product, vendor := range map[string]cloudlicenses.VendorID{"cad": "vector-de", "ide": "vector-de", "sim": "other"} {
		g, contact := wish("mercedes", product)
		g.VendorID = vendor
		_, _, err = s.Generate(ctx, g, contact)
		require.NoError(t, err)
	}
	intent := byte(0)
	for product, uses := range map[string]int{"cad": 8, "ide": 5, "sim": 6, "own": 4} { // past the commitment: 3, 0, 1, 4
		for range uses {
			intent++
			lease, _ := c.checkout(0, created, cloudlicenses.ProductID(product), intent)
			require.Equal(t, cloudlicenses.OK, lease.Code, lease.Detail)
		}
	}
	month := billing.DayAt(c.now().UnixMilli()).Month()
	var page license.OveragePage
	_, err = s.Read(ctx, "mercedes", Command{Op: license.QueryOverage, Payload: &license.ListOverage{Month: month.String(), Limit: 100}, Result: &page}, ReadOptions{Linearizable: true})
	require.NoError(t, err)
	require.Len(t, page.Items, 8)
	adjust := func(id byte) (r license.AdjustResult) {
		at := slices.IndexFunc(page.Items, func(o license.Overage) bool { return strings.HasPrefix(string(o.LicenseID), "lic-vector-") })
		o := &page.Items[at]
		_, err := s.Do(ctx, "mercedes", Command{Op: license.OpAdjust, Result: &r, Payload: &license.Adjust{
			ID: [16]byte{id}, VendorID: "vector-de", LicenseID: o.LicenseID, Month: uint32(month), Sequence: o.Sequence, Uses: 1, Reason: "by mistake",
		}})
		require.NoError(t, err)
		return r
	}
	require.Equal(t, cloudlicenses.OK, adjust(1).Code)

	r := beginChange(t, s, directory.ChangeTenant{ID: "mercedes", Status: cloudlicenses.TenantDeleting, Actor: "operator"})
	_, _, err = s.settleTenant(ctx, &r)
	require.NoError(t, err)
	ahead.Store(((month+1).First().UnixMillis()-time.Now().UnixMilli())*int64(time.Millisecond) + int64(time.Hour))
	platform := license.By{Platform: true}
	type report struct {
		exports map[cloudlicenses.VendorID]map[cloudlicenses.LicenseID][2]int64
		share   billing.ShareStatement
	}
	look := func() (found report) {
		found.exports = make(map[cloudlicenses.VendorID]map[cloudlicenses.LicenseID][2]int64)
		for _, vendor := range []cloudlicenses.VendorID{"vector-de", "other", operatorVendor.ID} {
			sums := make(map[cloudlicenses.LicenseID][2]int64)
			charges, _, err := s.VendorCharges(ctx, vendor, "", month.Days(), ReadOptions{Linearizable: true})
			require.NoError(t, err)
			for _, charge := range charges.Charges {
				sum := sums[charge.Contract.License]
				sums[charge.Contract.License] = [2]int64{sum[0] + charge.Sum.Uses, sum[1] + charge.Sum.Minor}
			}
			found.exports[vendor] = sums
		}
		var err error
		found.share, _, err = s.RevenueShare(ctx, month, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		return found
	}
	before := look()
	require.Len(t, before.exports["vector-de"], 2)
	require.Len(t, before.share.Lines, 3)
	for _, vendor := range []cloudlicenses.VendorID{"vector-de", "other", operatorVendor.ID} {
		_, err := s.RunInvoices(ctx, vendor, month, platform, false)
		require.NoError(t, err)
	}
	_, _, err = s.SetVendor(ctx, "other", "", cloudlicenses.TenantSuspended)
	require.NoError(t, err)
	for left := 0; ; left++ {
		dying := c.mortal(left, left%2 == 1)
		dying.now = c.now
		if err := dying.removeTenant(ctx, &r.Tenant); err == nil {
			break
		}
		require.Less(t, left, 10)
		if left < 5 { // then its group has nothing of it any more
			require.Equal(t, before, look(), "died after %d commands", left)
		}
	}
	life, _, err := s.Life(ctx, "mercedes")
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.TenantNotFound, life.Code)
	require.Equal(t, before, look())
}

// TestHeldRemovalRestsAfterAnError: what can't be seen is looked at once a minute,
// as what waits is.
func TestHeldRemovalRestsAfterAnError(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	s := c.mortal(-1, false)
	now := time.Now()
	s.now = func() time.Time { return now }
	due := &directory.LifeResult{Tenant: directory.Tenant{ID: "mercedes"}}
	require.ErrorIs(t, s.resumeLife(t.Context(), due), errDied)
	require.NoError(t, s.resumeLife(t.Context(), due), "it was looked at just now")
	now = now.Add(heldLook)
	require.ErrorIs(t, s.resumeLife(t.Context(), due), errDied)
}
