package cluster

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/raft"
)

// Tuning holds what tests make small. Zero values mean the defaults.
type Tuning struct {
	ElectionTimeout time.Duration
	SnapshotBytes   int64
	SegmentBytes    int64
	SnapshotEntries int64
	MaxClockOffset  time.Duration
	// LogWriteLimit ends the process when a log write takes longer.
	LogWriteLimit time.Duration
	// FS is the file system of the log; nil: the system's.
	FS vfs.FS
	// Dial connects to another node's port; nil: plain TCP.
	Dial func(addr string, timeout time.Duration) (net.Conn, error)
}

func (t *Tuning) defaults() {
	if t.ElectionTimeout == 0 {
		t.ElectionTimeout = electionTimeout
	}
	if t.SegmentBytes == 0 {
		t.SegmentBytes = segmentBytes
	}
	if t.SnapshotBytes == 0 {
		t.SnapshotBytes = snapshotBytes
	}
	if t.SnapshotEntries == 0 {
		t.SnapshotEntries = snapshotEntries
	}
	if t.MaxClockOffset == 0 {
		t.MaxClockOffset = 500 * time.Millisecond
	}
	if t.LogWriteLimit == 0 {
		t.LogWriteLimit = logWriteLimit
	}
	if t.FS == nil {
		t.FS = vfs.Default
	}
	if t.Dial == nil {
		t.Dial = func(addr string, timeout time.Duration) (net.Conn, error) {
			return net.DialTimeout("tcp", addr, timeout)
		}
	}
}

// identity is what ties a data folder to one node of one cluster.
type identity struct {
	NodeID    string `json:"node_id"`
	ClusterID string `json:"cluster_id,omitempty"`
}

// Node is one member of the cluster with its replicas.
type Node struct {
	cfg        Config
	log        *slog.Logger
	raftLogger hclog.Logger
	born       int64 // this process's start, Unix milliseconds
	logs       *logStore
	stable     *stableStore
	port       *port
	gossip     *memberlist.Memberlist
	clock      clockGuard
	space      space
	metrics    *metrics

	ctx        context.Context // ends when the node shuts down
	cancel     context.CancelFunc
	background sync.WaitGroup
	ready      chan struct{}
	ticked     atomic.Int64 // when the pulse last ran, nanoseconds since born
	began      time.Time
	ending     atomic.Bool
	failOnce   sync.Once

	mu            sync.Mutex
	identity      identity
	placed        *placement
	promised      string // the formation this node keeps itself free for
	promisedUntil time.Time
	members       map[string]*member
	groups        map[GroupID]*group
	leaders       map[GroupID]heardLeader
	refused       *membershipError
}

// heardLeader is what a leader said of itself.
type heardLeader struct {
	node string
	term uint64
	// succeeded is closed when another term's leader is heard of: calls to
	// this one, which may be stopped or cut off, wait no longer.
	succeeded chan struct{}
}

// Start opens the data folder, joins the others and returns at once; Ready
// tells when it serves.
func Start(cfg Config) (*Node, error) {
	cfg.Tuning.defaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger.With("node", cfg.NodeID), born: time.Now().UnixMilli(),
		ready: make(chan struct{}), members: map[string]*member{}, groups: map[GroupID]*group{},
		leaders: map[GroupID]heardLeader{}, metrics: newMetrics(cfg.Metrics),
		clock: clockGuard{limit: cfg.Tuning.MaxClockOffset}, began: time.Now(),
		space: space{reserve: cfg.MinFreeDisk},
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.raftLogger = newRaftLogger(n.log)
	if err := n.open(); err != nil {
		n.cancel()
		return nil, errors.Join(err, n.closeStores())
	}
	n.lookAtSpace()
	n.background.Add(5)
	go n.watchSpace()
	go n.pulse()
	go n.keepJoining()
	go n.watchClocks()
	go n.run()
	return n, nil
}

// open opens storage, the port and gossip, in that order.
func (n *Node) open() error {
	dir := n.cfg.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	var err error
	// The stable store's lock guards the whole folder.
	if n.stable, err = openStableStore(filepath.Join(dir, "stable.db")); err != nil {
		return err
	}
	if err := n.loadIdentity(); err != nil {
		return err
	}
	if err := n.loadPlacement(); err != nil {
		return err
	}
	logs, err := readLogStore(filepath.Join(dir, "log"), n.cfg.Tuning.FS, n.cfg.Tuning.SegmentBytes, n.fail)
	if err != nil {
		return fmt.Errorf("%w; if the folder is damaged, remove %s and start the node again: it is rebuilt from the others", err, dir)
	}
	logs.latency, logs.sealing = n.metrics.logWrite, logSeal{n.cfg.LogKey}
	logs.run(n.cfg.Tuning.LogWriteLimit)
	n.logs = logs
	if err := n.openPort(); err != nil {
		return err
	}
	longest := n.ownMeta()
	longest.Formed, longest.Low = true, true
	b, err := json.Marshal(longest)
	if err != nil {
		return err
	}
	if size := len(b); size > maxMetaBytes {
		return fmt.Errorf("addresses, region, zone and version take %d bytes together, %d at most: choose shorter ones", size, maxMetaBytes)
	}
	return n.startGossip()
}

func (n *Node) openPort() error {
	listener, err := net.Listen("tcp", n.cfg.RaftAddr)
	if err != nil {
		return fmt.Errorf("cluster port: %w", err)
	}
	n.port = &port{
		listener: listener, tlsServer: n.cfg.TLSServer, tlsClient: clientTLS(n.cfg.TLSClient), proof: joinProof(n.cfg.JoinToken),
		clusterID: n.ClusterID, logger: n.log, forward: n.serveForward, connect: n.cfg.Tuning.Dial,
		groups: map[GroupID]*raftStream{}, conns: map[net.Conn]struct{}{},
	}
	n.port.wg.Add(1)
	go n.port.serve()
	return nil
}

// clientTLS lets connections to one peer resume their session.
func clientTLS(cfg *tls.Config) *tls.Config {
	if cfg == nil || cfg.ClientSessionCache != nil {
		return cfg
	}
	cfg = cfg.Clone()
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	return cfg
}

// run forms or joins the cluster, waits until it serves, and then looks after
// learners.
func (n *Node) run() {
	defer n.background.Done()
	if err := n.form(n.ctx); err != nil {
		if n.ctx.Err() == nil {
			n.fail(err)
		}
		return
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	patience := time.Now().Add(catchUpPatience)
	for !n.reachesAll() || (!n.caughtUp() && time.Now().Before(patience)) {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
	}
	close(n.ready)
	n.log.Info("ready")
	ticker.Reset(time.Second)
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
			n.tend(n.ctx)
		}
	}
}

// reachesAll reports whether every group has a leader this node knows, which
// it is itself or has told so.
func (n *Node) reachesAll() bool {
	n.mu.Lock()
	groups := n.placed.Groups
	n.mu.Unlock()
	for _, g := range groups {
		if n.LeaderOf(g.ID) == "" {
			return false
		}
	}
	return true
}

// caughtUp reports whether each replica here has been known to hold all that
// was committed. After a long absence Raft's leader comes back to it late.
func (n *Node) caughtUp() bool {
	for _, g := range n.localGroups() {
		if !g.isLeader() && g.fresh.stalenessMillis(time.Now(), g.apply.applied.Load()) < 0 {
			return false
		}
	}
	return true
}

// Ready is closed once every group has a leader that this node can reach.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// LeaderOf returns the node that leads a group and may answer as its leader,
// as far as this node knows; empty: none.
func (n *Node) LeaderOf(id GroupID) string {
	if g := n.group(id); g != nil {
		if g.isLeader() {
			return n.cfg.NodeID
		}
		if _, leader := g.raft.LeaderWithID(); leader != raft.ServerID(n.cfg.NodeID) && leader != "" {
			return string(leader)
		}
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	heard := n.leaders[id]
	if m := n.members[heard.node]; m == nil || m.gone {
		return ""
	}
	return heard.node
}

func (n *Node) group(id GroupID) *group {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.groups[id]
}

// Leads reports whether this node is the group's leader and has applied all
// that its predecessors acknowledged.
func (n *Node) Leads(id GroupID) bool {
	g := n.group(id)
	return g != nil && g.isLeader()
}

// ClusterID returns the id this node has adopted; empty: none yet.
func (n *Node) ClusterID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.identity.ClusterID
}

// AdoptClusterID ties the data folder to a cluster for good. From then on
// nodes of another cluster are refused.
func (n *Node) AdoptClusterID(id string) error {
	n.mu.Lock()
	own := n.identity.ClusterID
	if own == "" {
		next := n.identity
		next.ClusterID = id
		if err := n.storeIdentity(next); err != nil {
			n.mu.Unlock()
			return err
		}
		n.identity = next
	}
	n.mu.Unlock()
	if own != "" && own != id {
		return fmt.Errorf("data folder %s belongs to cluster %s, this cluster is %s", n.cfg.DataDir, own, id)
	}
	n.tellMeta()
	return nil
}

func (n *Node) loadIdentity() error {
	path := filepath.Join(n.cfg.DataDir, "node.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		for _, name := range []string{"placement.json", "promise", "log"} {
			if _, err := os.Stat(filepath.Join(n.cfg.DataDir, name)); err == nil {
				return fmt.Errorf("%s is missing, but the folder has been in use: write {\"node_id\": \"<the id of the node it belongs to>\"} into it", path)
			}
		}
		n.identity = identity{NodeID: n.cfg.NodeID}
		return n.storeIdentity(n.identity)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &n.identity); err != nil || n.identity.NodeID == "" {
		return fmt.Errorf("%s is damaged: write {\"node_id\": \"<this node's id>\"} into it", path)
	}
	if n.identity.NodeID != n.cfg.NodeID {
		return fmt.Errorf("data folder %s belongs to node %q: start it with --node-id %s, or give node %q a folder of its own",
			n.cfg.DataDir, n.identity.NodeID, n.identity.NodeID, n.cfg.NodeID)
	}
	return nil
}

func (n *Node) storeIdentity(id identity) error {
	b, err := json.Marshal(id)
	if err != nil {
		return err
	}
	return writeFileSync(filepath.Join(n.cfg.DataDir, "node.json"), b)
}

// ServerAddr implements raft.ServerAddressProvider: a node is reached where
// gossip says it is now.
func (n *Node) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.members[string(id)]; m != nil {
		return raft.ServerAddress(m.meta.Raft), nil
	}
	return "", errors.New("not known by gossip")
}

// RaftAddr returns the bound address of the cluster port.
func (n *Node) RaftAddr() string { return n.port.listener.Addr().String() }

// GossipAddr returns the bound gossip address.
func (n *Node) GossipAddr() string { return n.gossip.LocalNode().Address() }

// setPlaced takes a placement into use. Caller holds n.mu, or is alone.
func (n *Node) setPlaced(p *placement) {
	n.placed = p
	n.clock.alone.Store(len(p.Nodes) == 1)
}

// pulse is the node's one clock: it notices when this process did not run for
// longer than an election takes, since whatever it led may have another leader
// by then, lets each group look up, and sees to it that what it leads is
// announced. One timer instead of several wakes an idle node less often.
func (n *Node) pulse() {
	defer n.background.Done()
	every := min(TickInterval, n.cfg.Tuning.ElectionTimeout/2)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	n.ticked.Store(int64(time.Since(n.began)))
	var announcing atomic.Bool
	for number := uint64(0); ; number++ {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		pause := n.pausedFor(now)
		if pause > n.cfg.Tuning.ElectionTimeout {
			n.log.Warn("this process did not run for a while", "pause", pause)
			for _, g := range n.localGroups() {
				g.resign()
			}
		}
		n.metrics.late(pause - every)
		n.ticked.Store(int64(now.Sub(n.began)))
		for _, g := range n.localGroups() {
			g.beat(number)
		}
		if announcing.Load() {
			continue
		}
		if groups := n.news(now); len(groups) > 0 {
			announcing.Store(true)
			n.background.Go(func() {
				defer announcing.Store(false)
				n.announce(groups)
			})
		}
	}
}

// pausedFor is how long ago the pulse last ran.
func (n *Node) pausedFor(now time.Time) time.Duration {
	return now.Sub(n.began) - time.Duration(n.ticked.Load())
}

// fail ends the node: what it holds can no longer be trusted or kept.
func (n *Node) fail(err error) {
	n.failOnce.Do(func() {
		if n.cfg.Fatal != nil {
			go n.cfg.Fatal(err)
			return
		}
		n.log.Error("node can't go on", "err", err)
		os.Exit(1)
	})
}

// Shutdown hands leadership over, answers what is in flight and closes.
func (n *Node) Shutdown(ctx context.Context) error {
	if n.ending.Swap(true) {
		return nil
	}
	n.mu.Lock()
	groups := make([]*group, 0, len(n.groups))
	for _, g := range n.groups {
		groups = append(groups, g)
	}
	n.mu.Unlock()
	n.handOver(ctx, groups)
	n.sayGoodbye(ctx)
	if err := n.gossip.Leave(leaveTimeout); err != nil {
		n.log.Debug("leave", "err", err)
	}
	n.cancel()
	n.background.Wait()
	// A group that was opened while this began is closed as well.
	n.mu.Lock()
	groups = groups[:0]
	for _, g := range n.groups {
		groups = append(groups, g)
	}
	n.mu.Unlock()
	errs := make([]error, len(groups))
	var closing sync.WaitGroup
	for i, g := range groups {
		closing.Add(1)
		go func() { defer closing.Done(); errs[i] = g.close() }()
	}
	closing.Wait()
	n.mu.Lock()
	for _, m := range n.members {
		if m.peer != nil {
			m.peer.close()
		}
	}
	n.mu.Unlock()
	return errors.Join(errors.Join(errs...), n.closeStores())
}

// sayGoodbye tells the others that this node leaves of its own will: gossip
// alone would call it dead.
func (n *Node) sayGoodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range n.alivePeers() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := p.call(ctx, methodGoodbye, 0, []byte(n.cfg.NodeID)); err != nil {
				n.log.Debug("say goodbye", "err", err)
			}
		}()
	}
	wg.Wait()
}

func (n *Node) handOver(ctx context.Context, groups []*group) {
	var wg sync.WaitGroup
	for _, g := range groups {
		if g.raft.State() != raft.Leader {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := g.raft.LeadershipTransfer().Error(); err != nil {
				n.log.Debug("hand leadership over", "group", g.id, "err", err)
			}
		}()
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (n *Node) closeStores() error {
	var errs []error
	if n.gossip != nil {
		errs = append(errs, n.gossip.Shutdown())
	}
	if n.port != nil {
		n.port.close()
	}
	if n.logs != nil {
		errs = append(errs, n.logs.close())
	}
	if n.stable != nil {
		errs = append(errs, n.stable.close())
	}
	return errors.Join(errs...)
}
