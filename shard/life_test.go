package shard

import (
	"context"
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
	going := []cloudlicenses.TenantID{"asked", "told", "begun", "ended", "emptied"}
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
		if steps >= 3 {
			require.NoError(t, s.endTenant(ctx, &r.Tenant))
		}
		if steps >= 4 {
			var ack license.Ack
			_, err := s.doPlaced(ctx, &r.Tenant, Command{Op: license.OpRemoveTenant, Payload: &license.RemoveTenant{Epoch: r.Tenant.Epoch}, Result: &ack})
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

// TestPlanLimits: what does not fit is refused with what it would have come to,
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
	require.Equal(t, license.PlanUse{Plan: "free", Vendors: 1, MaxVendors: 1, Seats: 11, MaxSeats: 10}, refusal.Use)

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
		if v.TenantID != "mercedes" {
			continue
		}
		require.Len(t, v.Lines, 2)
		require.Equal(t, "cad - Overage (2 checkouts)", v.Lines[1].Description)
		_, _, _, err := s.VoidInvoice(ctx, "vector-de", v.ID, platform)
		require.NoError(t, err)
	}
	again, err := s.RunInvoices(ctx, "vector-de", month, platform, true)
	require.NoError(t, err)
	require.Empty(t, again.Issued, "an invoice without its overage would be wrong")
}
