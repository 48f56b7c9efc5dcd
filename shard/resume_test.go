package shard

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
)

// leaderless is an engine of which one group has no leader until it is let go on.
type leaderless struct {
	engine
	group cluster.GroupID
	goOn  chan struct{}
}

func (l *leaderless) Propose(ctx context.Context, group cluster.GroupID, command []byte) (cluster.Reply, error) {
	if group == l.group {
		select {
		case <-l.goOn:
		case <-ctx.Done():
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
	without := &leaderless{engine: c.nodes[leader], group: dead, goOn: make(chan struct{})}
	door.engine = without
	done := make(chan error, 1)
	go func() { done <- door.resumeLicenses(ctx) }()
	require.Eventually(t, func() bool { return synced(groups[alive]) }, 5*time.Second, 10*time.Millisecond)
	require.False(t, synced(groups[dead]))
	close(without.goOn)
	require.NoError(t, <-done)
	require.True(t, synced(groups[dead]))
}
