package shard

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
)

// leaderless is an engine of which one group has no leader until it is let go on.
type leaderless struct {
	engine
	group cluster.GroupID
	goOn  chan struct{}

	mu    sync.Mutex
	asked map[cloudlicenses.TenantID]bool // those whose commands did not come through
}

func (l *leaderless) Propose(ctx context.Context, group cluster.GroupID, command []byte) (cluster.Reply, error) {
	if group == l.group {
		select {
		case <-l.goOn:
		case <-ctx.Done():
			if _, tenant, _, err := fsm.SplitHeader(command); err == nil {
				l.mu.Lock()
				l.asked[cloudlicenses.TenantID(tenant)] = true
				l.mu.Unlock()
			}
			return cluster.Reply{}, cluster.ErrNoLeader
		}
	}
	return l.engine.Propose(ctx, group, command)
}

// TestLeaderlessGroupHoldsUpNoOther: licenses of tenants elsewhere are provisioned
// while one group has no leader.
func TestLeaderlessGroupHoldsUpNoOther(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	leader := c.leader(directoryGroup)
	s, ctx := c.shards[leader], t.Context()
	_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	groups := make(map[cluster.GroupID]cloudlicenses.LicenseID)
	for _, id := range []cloudlicenses.TenantID{"aaa", "bbb", "ccc", "ddd"} { // in two groups
		_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: id})
		require.NoError(t, err)
		life, _, err := s.Life(ctx, id)
		require.NoError(t, err)
		g, _ := wish(id, "cad")
		g.OpportunityID += "-" + string(id)
		var r directory.LicenseResult
		_, err = s.DoDirectory(ctx, Command{Op: directory.OpLicenseGenerate, Payload: &g, Result: &r})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		groups[cluster.GroupID(life.Tenant.Group)] = r.License.ID
	}
	require.Len(t, groups, 2)
	synced := func(id cloudlicenses.LicenseID) bool {
		var r directory.LicenseResult
		_, err := s.ReadDirectory(ctx, Command{Op: directory.QueryLicense, Payload: &directory.GetLicense{ID: id}, Result: &r}, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		return r.License.Synced == 1
	}
	const dead, alive = 1, 2
	door := New(Config{Node: c.nodes[leader], Domain: "example.test"})
	without := &leaderless{engine: c.nodes[leader], group: dead, goOn: make(chan struct{}), asked: map[cloudlicenses.TenantID]bool{}}
	door.engine = without
	done := make(chan error, 1)
	go func() { done <- door.resumeLicenses(ctx) }()
	require.Eventually(t, func() bool { return synced(groups[alive]) }, 5*time.Second, 10*time.Millisecond)
	require.False(t, synced(groups[dead]))
	close(without.goOn)
	require.NoError(t, <-done)
	require.True(t, synced(groups[dead]))
}

// TestManyOfALeaderlessGroup: however many wait for a group without leader, a pass
// waits for it once, and goes on with those of all other groups meanwhile.
func TestManyOfALeaderlessGroup(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	leader := c.leader(directoryGroup)
	s, ctx := c.shards[leader], t.Context()
	_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	const dead = 1
	waiting := map[bool][]cloudlicenses.LicenseID{} // by whether the group is dead
	for i := range 3 * resumedAtOnce {
		id := cloudlicenses.TenantID(fmt.Sprintf("tenant-%02d", i))
		_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: id})
		require.NoError(t, err)
		g, _ := wish(id, "cad")
		g.OpportunityID += "-" + string(id)
		var r directory.LicenseResult
		_, err = s.DoDirectory(ctx, Command{Op: directory.OpLicenseGenerate, Payload: &g, Result: &r})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		of := s.groupOf(ctx, id) == dead
		waiting[of] = append(waiting[of], r.License.ID)
	}
	require.Greater(t, len(waiting[true]), resumedAtOnce)
	require.NotEmpty(t, waiting[false])
	left := func(all []cloudlicenses.LicenseID) (n int) {
		for _, id := range all {
			var r directory.LicenseResult
			_, err := s.ReadDirectory(ctx, Command{Op: directory.QueryLicense, Payload: &directory.GetLicense{ID: id}, Result: &r}, ReadOptions{})
			require.NoError(t, err)
			if r.License.Synced == 0 {
				n++
			}
		}
		return n
	}
	door := New(Config{Node: c.nodes[leader], Domain: "example.test"})
	without := &leaderless{engine: c.nodes[leader], group: dead, goOn: make(chan struct{}), asked: map[cloudlicenses.TenantID]bool{}}
	door.engine = without
	done := make(chan error, 1)
	go func() { done <- door.resumeLicenses(ctx) }()
	require.Eventually(t, func() bool { return left(waiting[false]) == 0 }, 4*time.Second, 10*time.Millisecond)
	require.ErrorIs(t, <-done, cluster.ErrNoLeader)
	require.Equal(t, len(waiting[true]), left(waiting[true]))
	require.LessOrEqual(t, len(without.asked), resumedAtOnce, "the others were left")
	close(without.goOn)
	require.NoError(t, door.resumeLicenses(ctx))
	require.Zero(t, left(waiting[true]))
}

// TestVendorsOfALeaderlessGroup: vendors are told of events while the accounts of
// others have no leader.
func TestVendorsOfALeaderlessGroup(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	leader := c.leader(directoryGroup)
	s, ctx := c.shards[leader], t.Context()
	_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	const dead = 1
	vendors := map[bool]int{} // by whether the group is dead
	for i := range 8 {
		id := cloudlicenses.VendorID(fmt.Sprintf("vendor-%d", i))
		_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: id, Name: string(id), LicensePrefix: fmt.Sprintf("v%d", i)})
		require.NoError(t, err)
		g, _ := wish("mercedes", fmt.Sprintf("cad-%d", i))
		g.VendorID = id
		var r directory.LicenseResult
		_, err = s.DoDirectory(ctx, Command{Op: directory.OpLicenseGenerate, Payload: &g, Result: &r})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		vendors[s.groupOf(ctx, id.Account()) == dead]++
	}
	require.NotZero(t, vendors[true])
	require.NotZero(t, vendors[false])
	untold := func() int {
		var page directory.VendorEvents
		_, err := s.ReadDirectory(ctx, Command{Op: directory.QueryVendorEvents, Payload: &directory.ListVendorEvents{Limit: 100}, Result: &page}, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		return len(toldOf(&page))
	}
	require.Equal(t, 8, untold())
	door := New(Config{Node: c.nodes[leader], Domain: "example.test"})
	without := &leaderless{engine: c.nodes[leader], group: dead, goOn: make(chan struct{}), asked: map[cloudlicenses.TenantID]bool{}}
	door.engine = without
	done := make(chan error, 1)
	go func() { done <- door.tellVendors(ctx) }()
	require.Eventually(t, func() bool { return untold() == vendors[true] }, 4*time.Second, 10*time.Millisecond)
	close(without.goOn)
	require.NoError(t, <-done)
	require.Zero(t, untold())
}
