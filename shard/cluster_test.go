package shard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/internal/freeport"
)

// machine is what both machines are.
type machine interface {
	Apply(index uint64, stampMillis int64, commands [][]byte, wantResults bool) ([][]byte, error)
	AppliedIndex() uint64
	Admit(nowMillis int64, command []byte) []byte
	Small(command []byte) bool
	Lead(node string) []byte
	Due(nowMillis int64) []byte
	Query(query []byte) ([]byte, error)
	Snapshot() (fsm.Snapshot, error)
	Restore(dir string) error
	Close() error
}

// hosted is a machine as package cluster wants it.
type hosted struct {
	machine
	asked *atomic.Int64 // queries so far
}

func (h hosted) Query(query []byte) ([]byte, error) {
	h.asked.Add(1)
	return h.machine.Query(query)
}

func (h hosted) Apply(e cluster.Entry) ([][]byte, error) {
	return h.machine.Apply(e.Index, e.StampMillis, e.Commands, e.WantResults)
}

func (h hosted) Snapshot() (cluster.Snapshot, error) { return h.machine.Snapshot() }

// trio is three real nodes in this process, on real sockets and disks.
type trio struct {
	t      *testing.T
	dir    string
	raft   [3]string
	gossip [3]string
	kek    [3][]byte

	resolver string
	now      func() time.Time   // of all nodes; nil: the system's
	asked    [3][3]atomic.Int64 // queries by node and group

	mu     sync.Mutex
	nodes  [3]*cluster.Node
	shards [3]*Shard
}

func newTrio(t *testing.T) *trio {
	c := &trio{t: t, dir: t.TempDir()}
	for i := range c.nodes {
		c.raft[i], c.gossip[i], c.kek[i] = freeAddr(t), freeAddr(t), bytes.Repeat([]byte{7}, KEKBytes)
	}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.stop(i)
		}
	})
	return c
}

func freeAddr(t *testing.T) string {
	addr, err := freeport.Addr()
	require.NoError(t, err)
	return addr
}

func (c *trio) folder(i int) string { return filepath.Join(c.dir, fmt.Sprintf("n%d", i)) }

// start starts nodes and returns once each has its door open.
func (c *trio) start(which ...int) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	for _, i := range which {
		keys, err := NewKeys(c.kek[i])
		require.NoError(c.t, err)
		logKey, err := keys.LogKey(c.folder(i))
		require.NoError(c.t, err)
		node, err := cluster.Start(cluster.Config{
			LogKey: logKey,
			NodeID: fmt.Sprintf("n%d", i), DataDir: c.folder(i), RaftAddr: c.raft[i], GossipAddr: c.gossip[i], Join: c.gossip[:],
			BootstrapExpect: 3, Groups: 2, Replicas: 3, Region: "eu-central", HTTPURL: fmt.Sprintf("http://n%d.test", i), Logger: logger,
			Fatal: func(err error) { c.t.Errorf("node n%d: %v", i, err) },
			NewMachine: func(id cluster.GroupID, dir string) (cluster.Machine, error) {
				if id == directoryGroup {
					m, err := directory.Open(directory.Config{Dir: dir, Logger: logger})
					return hosted{m, &c.asked[i][id]}, err
				}
				m, err := license.Open(license.Config{Dir: dir, Logger: logger, Group: uint32(id), Sealer: keys})
				return hosted{m, &c.asked[i][id]}, err
			},
			Tuning: cluster.Tuning{SnapshotEntries: 50}, Now: c.now,
		})
		require.NoError(c.t, err)
		c.mu.Lock()
		c.nodes[i] = node
		c.shards[i] = New(Config{Node: node, Domain: "example.test", Logger: logger, Resolver: c.resolver, Now: c.now})
		c.mu.Unlock()
	}
	var booting sync.WaitGroup
	errs := make([]error, 3)
	for _, i := range which {
		booting.Add(1)
		go func() {
			defer booting.Done()
			ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
			defer cancel()
			errs[i] = c.shards[i].Boot(ctx, c.boot(i))
		}()
	}
	booting.Wait()
	for _, i := range which {
		require.NoError(c.t, errs[i], "node n%d", i)
	}
}

func (c *trio) boot(i int) BootConfig {
	return BootConfig{KEK: c.kek[i], Region: "eu-central", Domain: "example.test", JoinToken: "join", DataDir: c.folder(i)}
}

func (c *trio) stop(i int) {
	c.mu.Lock()
	node := c.nodes[i]
	c.nodes[i] = nil
	c.mu.Unlock()
	if node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoError(c.t, node.Shutdown(ctx))
}

// leader returns which node leads a group.
func (c *trio) leader(group cluster.GroupID) int {
	leader := -1
	require.Eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, node := range c.nodes {
			if node != nil && node.Leads(group) {
				leader = i
			}
		}
		return leader >= 0
	}, 10*time.Second, 5*time.Millisecond)
	return leader
}

// tenantOf reads a tenant from the directory.
func (c *trio) tenantOf(id cloudlicenses.TenantID) directory.Tenant {
	var r directory.TenantResult
	_, err := c.shards[0].ReadDirectory(c.t.Context(), Command{
		Op: directory.QueryTenant, Payload: &directory.GetTenant{ID: id}, Result: &r,
	}, ReadOptions{Linearizable: true})
	require.NoError(c.t, err)
	require.Equal(c.t, cloudlicenses.OK, r.Code)
	return r.Tenant
}

// checkout takes one seat through node i.
func (c *trio) checkout(i int, tenant CreatedTenant, product cloudlicenses.ProductID, intent byte) (license.LeaseResult, Written) {
	var r license.LeaseResult
	w, err := c.shards[i].Do(c.t.Context(), tenant.TenantID, Command{
		Op: license.OpCheckout,
		Payload: &license.Checkout{
			Caller:    license.Caller{KeyHash: HashAPIKey(c.shards[i].Secrets().KeyHMAC, tenant.APIKey)},
			Intent:    [16]byte{1, intent},
			ProductID: product, User: "alice", Count: 1, TTLMillis: 300_000, AllowOverage: true,
		},
		Result: &r,
	})
	require.NoError(c.t, err)
	return r, w
}

// sameState waits until all replicas of a group have the same hash.
func (c *trio) sameState(group cluster.GroupID) {
	op := license.QueryHash
	if group == directoryGroup {
		op = directory.QueryHash
	}
	require.Eventually(c.t, func() bool {
		var hashes [3]license.StateHash
		for i := range hashes {
			_, err := c.shards[i].ReadGroup(c.t.Context(), group, Command{Op: op, Result: &hashes[i]}, ReadOptions{})
			require.NoError(c.t, err)
		}
		return hashes[0] == hashes[1] && hashes[1] == hashes[2]
	}, 10*time.Second, 20*time.Millisecond, "group %d", group)
}

func TestClusterServesThroughEveryNode(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	for i := range c.nodes {
		require.Equal(t, *c.shards[0].Secrets(), *c.shards[i].Secrets())
		for _, name := range []string{clusterIDFile, adminTokenFile} {
			first, err := os.ReadFile(filepath.Join(c.folder(0), name))
			require.NoError(t, err)
			other, err := os.ReadFile(filepath.Join(c.folder(i), name))
			require.NoError(t, err)
			require.Equal(t, string(first), string(other), name)
		}
	}
	request := CreateTenantRequest{ID: "mercedes", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 5, MaxOverage: 15}}}
	tenant, err := c.shards[1].CreateTenant(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.LicenseID(fmt.Sprintf("lic-operator-mercedes-%d-001", time.Now().UTC().Year())), tenant.LicenseID)
	var refusal *Refusal
	_, err = c.shards[2].CreateTenant(t.Context(), request)
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, cloudlicenses.AlreadyExists, refusal.Code)

	// 20 seats: five committed, then overage, whichever node is asked.
	var last Written
	for n := range byte(21) {
		var r license.LeaseResult
		r, last = c.checkout(int(n)%3, tenant, "cad", n)
		switch {
		case n < 5:
			require.Equal(t, cloudlicenses.LeaseCommit, r.Lease.Type())
		case n < 20:
			require.Equal(t, cloudlicenses.OK, r.Code)
			require.Equal(t, cloudlicenses.LeaseOverage, r.Lease.Type())
		default:
			require.Equal(t, cloudlicenses.OverageMaxExceeded, r.Code)
		}
	}
	group := cluster.GroupID(c.tenantOf("mercedes").Group)
	for i := range c.nodes {
		_, w := c.checkout(i, tenant, "cad", 0)
		require.Equal(t, i == c.leader(group), w.LeaderURL == "", "node n%d", i)
		var page license.LicensePage
		f, err := c.shards[i].Read(t.Context(), "mercedes", Command{
			Op: license.QueryLicenses, Payload: &license.ListLicenses{Limit: 10}, Result: &page,
		}, ReadOptions{MinIndex: last.Applied})
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.Equal(t, int64(5), page.Items[0].CommitInUse)
		require.Equal(t, int64(15), page.Items[0].OverageInUse)
		require.GreaterOrEqual(t, f.StalenessMillis, int64(0))
	}
	_, err = c.shards[0].Do(t.Context(), "nobody", Command{Op: license.OpRules, Payload: &license.SetRules{By: license.By{Platform: true}}, Result: &license.Ack{}})
	require.ErrorIs(t, err, ErrTenantNotFound)
	for group := range cluster.GroupID(3) {
		c.sameState(group)
	}
}

// TestClusterSurvivesItsLeader: commands go on through the nodes that are
// left, each granted once, and the node that comes back has them too.
func TestClusterSurvivesItsLeader(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	tenant, err := c.shards[0].CreateTenant(t.Context(), CreateTenantRequest{ID: "mercedes", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 200}}})
	require.NoError(t, err)
	group := cluster.GroupID(c.tenantOf("mercedes").Group)
	gone := c.leader(group)
	askers := []int{(gone + 1) % 3, (gone + 2) % 3}
	leases := map[cloudlicenses.LeaseID]bool{}
	stopped := make(chan struct{})
	for n := range byte(100) {
		if n == 20 {
			go func() { c.stop(gone); close(stopped) }()
		}
		r, _ := c.checkout(askers[n%2], tenant, "cad", n)
		require.Equal(t, cloudlicenses.OK, r.Code)
		require.False(t, leases[r.Lease.ID], "lease %s granted twice", r.Lease.ID)
		leases[r.Lease.ID] = true
	}
	<-stopped
	require.NotEqual(t, gone, c.leader(group))
	c.start(gone)
	r, w := c.checkout(gone, tenant, "cad", 100)
	require.Equal(t, cloudlicenses.OK, r.Code)
	var page license.LicensePage
	_, err = c.shards[gone].Read(t.Context(), "mercedes", Command{
		Op: license.QueryLicenses, Payload: &license.ListLicenses{Limit: 10}, Result: &page,
	}, ReadOptions{MinIndex: w.Applied})
	require.NoError(t, err)
	require.Equal(t, int64(101), page.Items[0].CommitInUse)
	for group := range cluster.GroupID(3) {
		c.sameState(group)
	}
}

// TestClusterProvisions covers many licenses, a saga that is taken up again,
// the demo over restarts, suspension and a placement that is stale.
func TestClusterProvisions(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	s, ctx := c.shards[0], t.Context()

	t.Run("many licenses", func(t *testing.T) {
		tenant, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "many", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 1, Count: 1203}}})
		require.NoError(t, err)
		for n, product := range []cloudlicenses.ProductID{"cad-0000", "cad-0500", "cad-1202"} {
			r, _ := c.checkout(1, tenant, product, byte(n))
			require.Equal(t, cloudlicenses.OK, r.Code, product)
			require.Equal(t, product == "cad-0000", r.Lease.LicenseID == tenant.LicenseID)
		}
		r, _ := c.checkout(1, tenant, "cad-1203", 9)
		require.Equal(t, cloudlicenses.ProductNotFound, r.Code)
	})
	t.Run("taken up again", func(t *testing.T) {
		request := CreateTenantRequest{ID: "half", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 1}, {ProductID: "cam", CommitQty: 1, Count: 2}}}
		half, err := s.openTenant(ctx, request)
		require.NoError(t, err)
		_, _, err = s.CreateVendor(ctx, operatorVendor)
		require.NoError(t, err)
		firsts, err := s.provision(ctx, half, operatorVendor.ID, request.Licenses[:1])
		require.NoError(t, err)
		_, err = s.Do(ctx, "half", Command{Op: license.OpRules, Payload: &license.SetRules{By: license.By{Platform: true}}, Result: &license.Ack{}})
		require.ErrorIs(t, err, ErrTenantNotFound, "it is not active yet")
		tenant, err := c.shards[1].CreateTenant(ctx, request)
		require.NoError(t, err)
		require.Equal(t, firsts[0], tenant.LicenseID)
		for n, product := range []cloudlicenses.ProductID{"cad", "cam-0000", "cam-0001"} {
			r, _ := c.checkout(2, tenant, product, byte(n))
			require.Equal(t, cloudlicenses.OK, r.Code, product)
		}
	})
	t.Run("refusals make nothing", func(t *testing.T) {
		for _, request := range []CreateTenantRequest{
			{ID: "Bad"},
			{ID: "bad", Region: "nowhere"},
			{ID: "bad", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 2, Total: 1}}},
			{ID: "bad", Licenses: []LicenseSpec{{ProductID: ""}}},
			{ID: "bad", Licenses: []LicenseSpec{{ProductID: "cad", Count: cloudlicenses.MaxProvisionedLicenses + 1}}},
		} {
			var refusal *Refusal
			_, err := s.CreateTenant(ctx, request)
			require.ErrorAs(t, err, &refusal)
		}
		var r directory.TenantResult
		_, err := s.ReadDirectory(ctx, Command{Op: directory.QueryTenant, Payload: &directory.GetTenant{ID: "bad"}, Result: &r}, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.TenantNotFound, r.Code)
	})
	t.Run("demo", func(t *testing.T) {
		first, err := s.Demo(ctx, "", "")
		require.NoError(t, err)
		again, err := c.shards[2].Demo(ctx, first.APIKey, first.VendorKey)
		require.NoError(t, err)
		require.Equal(t, first, again)
		other, err := s.Demo(ctx, NewAPIKey(DemoTenant), NewAPIKey(DemoVendor.Account()))
		require.NoError(t, err)
		require.Equal(t, first.LicenseIDs, other.LicenseIDs)
		require.NotEqual(t, first.APIKey, other.APIKey)
		require.Equal(t, cloudlicenses.LicenseID(fmt.Sprintf("lic-vector-mercedes-%d-001", time.Now().UTC().Year())), first.LicenseIDs[0])
		r, _ := c.checkout(1, CreatedTenant{TenantID: first.TenantID, APIKey: first.APIKey}, DemoProduct, 0)
		require.Equal(t, cloudlicenses.OK, r.Code)
	})
	t.Run("suspended", func(t *testing.T) {
		tenant, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "late-payer", Licenses: []LicenseSpec{{ProductID: "cad", CommitQty: 5}}})
		require.NoError(t, err)
		r, _ := c.checkout(1, tenant, "cad", 0)
		require.Equal(t, cloudlicenses.OK, r.Code)
		changed, _, err := s.ChangeTenant(ctx, "late-payer", TenantChange{Status: cloudlicenses.TenantSuspended, Actor: "operator"})
		require.NoError(t, err)
		require.Equal(t, changed.Life.Revision, changed.Life.Settled)
		for i := range c.shards {
			r, _ = c.checkout(i, tenant, "cad", byte(10+i))
			require.Equal(t, cloudlicenses.LicenseNotActive, r.Code, "at every node, once it is acknowledged")
		}
		_, _, err = s.ChangeTenant(ctx, "late-payer", TenantChange{Status: cloudlicenses.TenantActive, Actor: "operator"})
		require.NoError(t, err)
		r, _ = c.checkout(2, tenant, "cad", 20)
		require.Equal(t, cloudlicenses.OK, r.Code)
	})
	t.Run("stale placement", func(t *testing.T) {
		_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "mover"})
		require.NoError(t, err)
		placed := c.tenantOf("mover")
		rules := Command{Op: license.OpRules, Payload: &license.SetRules{By: license.By{Platform: true}}, Result: &license.Ack{}}
		_, err = s.Do(ctx, "mover", rules)
		require.NoError(t, err)
		// The group is ahead of the directory, as in the middle of a move.
		var ack license.Ack
		_, err = s.doPlaced(ctx, &placed, Command{Op: license.OpTenant, Payload: &license.PutTenant{Epoch: placed.Epoch + 1}, Result: &ack})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, ack.Code)
		_, err = s.Do(ctx, "mover", rules)
		require.ErrorIs(t, err, ErrTenantMoving)
		var page license.LicensePage
		_, err = s.Read(ctx, "mover", Command{Op: license.QueryLicenses, Payload: &license.ListLicenses{Limit: 1}, Result: &page}, ReadOptions{})
		require.ErrorIs(t, err, ErrTenantMoving)
	})
}

// TestBootRefusals: a node with another key, or with another cluster's folder,
// is told so and writes nothing.
func TestBootRefusals(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	cfg := c.boot(0)
	cfg.KEK = make([]byte, KEKBytes)
	require.ErrorIs(t, c.shards[0].Boot(t.Context(), cfg), ErrKEK)
	cfg = c.boot(0)
	cfg.DataDir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, clusterIDFile), []byte("another\n"), 0o600))
	require.ErrorIs(t, c.shards[0].Boot(t.Context(), cfg), ErrOtherCluster)
	require.NoFileExists(t, filepath.Join(cfg.DataDir, adminTokenFile))
}
