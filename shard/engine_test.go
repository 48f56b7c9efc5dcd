package shard

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// script is an engine that answers as a test says. Tenants is the directory
// at its leader, lagging what the local replica has of it.
type script struct {
	t *testing.T

	mu       sync.Mutex
	index    uint64
	tenants  map[cloudlicenses.TenantID]directory.Tenant
	lagging  map[cloudlicenses.TenantID]directory.Tenant
	barriers int  // linearizable reads of the directory
	asked    int  // all reads of the directory
	away     bool // the directory can't be read
	// propose answers the n-th command, from 0.
	propose  func(n int, group cluster.GroupID, h fsm.Header, tenant string) (cluster.Reply, error)
	proposed int
	// commands, where set, is shown the n-th command.
	commands func(n int, h fsm.Header, payload []byte)
	// query answers the n-th read of a license group.
	query   func(n int, opt cluster.ReadOptions) (cluster.Reply, error)
	queried int
}

func newScript(t *testing.T) (*script, *Shard) {
	s := &script{t: t, index: 7, tenants: map[cloudlicenses.TenantID]directory.Tenant{}, lagging: map[cloudlicenses.TenantID]directory.Tenant{}}
	return s, newShard(s, Config{Domain: "example.test"})
}

// active puts a tenant into the directory, and into its local replica.
func (s *script) active(id cloudlicenses.TenantID, group, epoch uint32) directory.Tenant {
	t := directory.Tenant{ID: id, Status: cloudlicenses.TenantActive, Group: group, Epoch: epoch}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenants[id], s.lagging[id] = t, t
	return t
}

func (s *script) Propose(_ context.Context, group cluster.GroupID, command []byte) (cluster.Reply, error) {
	h, tenant, payload, err := fsm.SplitHeader(command)
	require.NoError(s.t, err)
	s.mu.Lock()
	n := s.proposed
	s.proposed++
	s.mu.Unlock()
	if s.commands != nil {
		s.commands(n, h, payload)
	}
	return s.propose(n, group, h, string(tenant))
}

func (s *script) ProposeAll(ctx context.Context, group cluster.GroupID, commands [][]byte) ([]cluster.Reply, error) {
	replies := make([]cluster.Reply, len(commands))
	for i, c := range commands {
		var err error
		if replies[i], err = s.Propose(ctx, group, c); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

func (s *script) Query(_ context.Context, group cluster.GroupID, query []byte, opt cluster.ReadOptions) (cluster.Reply, error) {
	h, _, payload, err := fsm.SplitHeader(query)
	require.NoError(s.t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if group != directoryGroup {
		s.queried++
		return s.query(s.queried-1, opt)
	}
	s.asked++
	if s.away {
		return cluster.Reply{}, cluster.ErrClosed
	}
	tenants := s.tenants
	if opt.Linearizable {
		s.barriers++
	} else if opt.MinIndex == 0 {
		tenants = s.lagging
	}
	if h.Op == directory.QueryCluster {
		return reply(s.t, s.index, &directory.ClusterResult{}), nil
	}
	var q directory.GetTenant
	require.NoError(s.t, decode(payload, &q))
	t, ok := tenants[q.ID]
	if !ok {
		return reply(s.t, s.index, &directory.TenantResult{Code: cloudlicenses.TenantNotFound}), nil
	}
	return reply(s.t, s.index, &directory.TenantResult{Tenant: t}), nil
}

func reply(t testing.TB, index uint64, result msgp.Marshaler) cluster.Reply {
	b, err := result.MarshalMsg(nil)
	require.NoError(t, err)
	return cluster.Reply{Value: b, Index: index}
}

func ackReply(t testing.TB, index uint64, code cloudlicenses.Code) cluster.Reply {
	return reply(t, index, &license.Ack{Code: code})
}
