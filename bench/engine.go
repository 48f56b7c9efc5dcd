package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// OpenMachine opens the machine of a group in its folder; group 0 is the
// directory.
type OpenMachine func(group cluster.GroupID, dir string) (cluster.Machine, error)

// door is what an engine without HTTP is asked through.
type door interface {
	do(ctx context.Context, tenant cloudlicenses.TenantID, cmd shard.Command) error
	read(ctx context.Context, tenant cloudlicenses.TenantID, query shard.Command) error
}

// engineTenant is a tenant, the door that leads to its leader, and its key.
type engineTenant struct {
	id   cloudlicenses.TenantID
	door door
	key  [32]byte // hash of the API key
}

// engineTarget is an engine in this process.
type engineTarget struct {
	tenants   []engineTenant
	perTenant int
	products  []cloudlicenses.ProductID // of each tenant
}

// newEngineTarget is for tenants that are still to be made.
func newEngineTarget(pools int) *engineTarget {
	t := &engineTarget{perTenant: pools}
	for i := range pools {
		t.products = append(t.products, cloudlicenses.ProductID(fmt.Sprintf("%s-%04d", benchProduct, i)))
	}
	return t
}

// Caller implements load.Target.
func (t *engineTarget) Caller(ctx context.Context, i int) (load.Caller, error) {
	c := &engineCaller{target: t, ctx: ctx}
	if _, err := rand.Read(c.intent[12:]); err != nil {
		return nil, err
	}
	c.checkout.User = "bench-" + strconv.Itoa(i)
	c.checkout.Count, c.checkout.TTLMillis = 1, cloudlicenses.DefaultTTL.Milliseconds()
	return c, nil
}

// engineCaller asks as the HTTP edge does for a client.
type engineCaller struct {
	target *engineTarget
	ctx    context.Context
	// intent is the time in Unix ms (6 bytes), as in those of the HTTP edge, a count
	// (6 bytes) and what is this caller's own.
	intent   [16]byte
	count    uint64
	checkout license.Checkout
	giveBack license.Return
	result   license.LeaseResult
	tenant   *engineTenant // of the seat held; nil: none is
}

// Checkout implements load.Caller.
func (c *engineCaller) Checkout(pool int) error {
	t := &c.target.tenants[pool/c.target.perTenant]
	c.count++
	at := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint64(c.intent[:8], at<<16|c.count>>32&0xffff)
	binary.BigEndian.PutUint32(c.intent[8:], uint32(c.count))
	c.checkout.Intent = c.intent
	c.checkout.Caller.KeyHash = t.key
	c.checkout.ProductID = c.target.products[pool%c.target.perTenant]
	if err := c.do(t, license.OpCheckout, &c.checkout); err != nil {
		return err
	}
	c.tenant = t
	return nil
}

// payload is a command of a lease.
type payload interface{ MarshalMsg([]byte) ([]byte, error) }

func (c *engineCaller) do(t *engineTenant, op fsm.Op, p payload) error {
	c.result = license.LeaseResult{}
	if err := t.door.do(c.ctx, t.id, shard.Command{Op: op, Payload: p, Result: &c.result}); err != nil {
		return err
	}
	switch c.result.Code {
	case cloudlicenses.OK:
		return nil
	case cloudlicenses.LicenseUnavailable:
		return load.ErrRefused
	default:
		return fmt.Errorf("%s: %s", c.result.Code, c.result.Detail)
	}
}

// Return implements load.Caller.
func (c *engineCaller) Return() error {
	c.giveBack = license.Return{Caller: c.checkout.Caller, LeaseID: c.result.Lease.ID}
	err := c.do(c.tenant, license.OpReturn, &c.giveBack)
	if err == nil {
		c.tenant = nil
	}
	return err
}

// Close implements load.Caller.
func (c *engineCaller) Close() error {
	if c.tenant == nil {
		return nil
	}
	return c.Return()
}

// Verify implements load.Target.
func (t *engineTarget) Verify(ctx context.Context) (load.Account, error) {
	var sum load.Account
	for i := range t.tenants {
		if err := t.tenants[i].count(ctx, &sum); err != nil {
			return sum, err
		}
	}
	if sum.Counted != sum.Leases {
		return sum, fmt.Errorf("%w: %d seats in use by the counters, %d by the leases", errAccounts, sum.Counted, sum.Leases)
	}
	return sum, nil
}

// engineListLimit is the length of a page.
const engineListLimit = 1000

// count adds a tenant's seats.
func (t *engineTenant) count(ctx context.Context, sum *load.Account) error {
	for cursor := ""; ; {
		var page license.LicensePage
		err := t.door.read(ctx, t.id, shard.Command{Op: license.QueryLicenses, Payload: &license.ListLicenses{Cursor: cursor, Limit: engineListLimit}, Result: &page})
		if err != nil || page.Code != cloudlicenses.OK {
			return fmt.Errorf("list licenses: %s %w", page.Code, err)
		}
		for _, item := range page.Items {
			sum.Counted += item.CommitInUse + item.OverageInUse
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for cursor := ""; ; {
		var page license.LeasePage
		err := t.door.read(ctx, t.id, shard.Command{Op: license.QueryLeases, Payload: &license.ListLeases{Cursor: cursor, Limit: engineListLimit}, Result: &page})
		if err != nil || page.Code != cloudlicenses.OK {
			return fmt.Errorf("list leases: %s %w", page.Code, err)
		}
		for _, item := range page.Items {
			sum.Leases += item.Count
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

// engineConfig says what engine to start in this process.
type engineConfig struct {
	dir    string
	nodes  int
	groups int
	open   OpenMachine
}

// engine is nodes in this process that speak over loopback and write to disk,
// without their HTTP edge.
type engine struct {
	nodes  []*cluster.Node
	doors  []*shard.Shard
	failed chan error // why a node can't go on
}

// engineDoor is the door of the node that leads a tenant's group.
type engineDoor struct{ *shard.Shard }

func (d engineDoor) do(ctx context.Context, tenant cloudlicenses.TenantID, cmd shard.Command) error {
	_, err := d.Do(ctx, tenant, cmd)
	return err
}

func (d engineDoor) read(ctx context.Context, tenant cloudlicenses.TenantID, query shard.Command) error {
	_, err := d.Read(ctx, tenant, query, shard.ReadOptions{Linearizable: true})
	return err
}

// discard drops what nodes log: an error that matters is returned.
var discard = slog.New(slog.NewTextHandler(io.Discard, nil))

// startEngine starts the nodes and waits until they serve.
func startEngine(ctx context.Context, cfg engineConfig) (*engine, error) {
	e := &engine{failed: make(chan error, cfg.nodes)}
	addrs, err := addresses(2 * cfg.nodes)
	if err != nil {
		return nil, err
	}
	raftAddrs, gossip := addrs[:cfg.nodes], addrs[cfg.nodes:]
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	fatal := func(err error) { e.failed <- err; cancel() } // once a node
	for i := range cfg.nodes {
		node, err := cluster.Start(cluster.Config{
			NodeID: "n" + strconv.Itoa(i+1), DataDir: filepath.Join(cfg.dir, strconv.Itoa(i+1)),
			RaftAddr: raftAddrs[i], GossipAddr: gossip[i], Join: gossip, JoinToken: joinToken,
			BootstrapExpect: cfg.nodes, Groups: cfg.groups, Replicas: cfg.nodes, Region: "local",
			HTTPURL: "http://" + strconv.Itoa(i+1), AdminURL: "http://" + strconv.Itoa(i+1),
			NewMachine: cfg.open, Logger: discard, Fatal: fatal,
		})
		if err != nil {
			return nil, errors.Join(err, e.stop())
		}
		e.nodes = append(e.nodes, node)
		e.doors = append(e.doors, shard.New(shard.Config{Node: node, Domain: domain, Logger: discard}))
	}
	// Side by side: the one that leads the directory founds the cluster, and the
	// others wait for it.
	boots, ctx := errgroup.WithContext(ctx)
	for i, door := range e.doors {
		boots.Go(func() error {
			return door.Boot(ctx, shard.BootConfig{
				KEK: make([]byte, 32), Region: "local", Domain: domain, JoinToken: joinToken, DataDir: filepath.Join(cfg.dir, strconv.Itoa(i+1)),
			})
		})
	}
	if err := boots.Wait(); err != nil {
		return nil, errors.Join(err, e.stop())
	}
	return e, nil
}

// stop closes all nodes; it is an error if one could not go on.
func (e *engine) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), exitWithin)
	defer cancel()
	errs := make([]error, len(e.nodes))
	for i, n := range e.nodes {
		errs[i] = n.Shutdown(ctx)
	}
	for len(e.failed) > 0 {
		errs = append(errs, <-e.failed)
	}
	return errors.Join(errs...)
}

// target makes tenants with pools, one after the other, so that the groups get
// equally many.
func (e *engine) target(ctx context.Context, tenants, pools int) (*engineTarget, error) {
	t := newEngineTarget(pools)
	for i := range tenants {
		id := cloudlicenses.TenantID(benchTenant + strconv.Itoa(i))
		created, err := e.doors[0].CreateTenant(ctx, shard.CreateTenantRequest{
			ID:       id,
			Licenses: []shard.LicenseSpec{{ProductID: benchProduct, CommitQty: seats, Count: int64(pools)}},
		})
		if err != nil {
			return nil, err
		}
		leader, err := e.leader(ctx, id)
		if err != nil {
			return nil, err
		}
		key := shard.HashAPIKey(e.doors[0].Secrets().KeyHMAC, created.APIKey)
		t.tenants = append(t.tenants, engineTenant{id: id, door: leader, key: key})
	}
	return t, nil
}

// leader is the door of the node that leads the tenant's group.
func (e *engine) leader(ctx context.Context, tenant cloudlicenses.TenantID) (door, error) {
	var result directory.TenantResult
	query := shard.Command{Op: directory.QueryTenant, Payload: &directory.GetTenant{ID: tenant}, Result: &result}
	if _, err := e.doors[0].ReadDirectory(ctx, query, shard.ReadOptions{Linearizable: true}); err != nil {
		return nil, err
	}
	var found door
	err := await(ctx, "leader", readyWithin, func() error {
		for i, n := range e.nodes {
			if n.Leads(cluster.GroupID(result.Tenant.Group)) {
				found = engineDoor{e.doors[i]}
				return nil
			}
		}
		return fmt.Errorf("group %d has none", result.Tenant.Group)
	})
	return found, err
}
