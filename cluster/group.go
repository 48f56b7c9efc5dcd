package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// group is this node's replica of one Raft group.
type group struct {
	id      GroupID
	node    *Node
	machine Machine
	raft    *raft.Raft
	log     *groupLog
	snaps   *snapshotStore
	trans   cappedTransport
	apply   *applier
	batch   *batcher
	verify  verifier
	told    announced // by the announcing goroutine alone
	tuning  sync.Mutex
	fresh   freshness
	metrics *groupMetrics

	// leads is the term in which this node, as leader, has applied its own
	// first command, and so all that its predecessors acknowledged; 0: none.
	leads atomic.Uint64
	mu    sync.Mutex
	led   chan struct{} // closed when leads is set; replaced when it ends

	everLed atomic.Bool // only for plant.StaleRead

	tick    chan struct{} // of the pulse, while this node leads
	grown   chan struct{} // the log is long enough for a snapshot
	stop    chan struct{}
	stopped sync.WaitGroup
}

// openGroup opens a replica. Its Raft starts with what is on disk, or with
// the servers of form where there is nothing yet and form is not empty.
func (n *Node) openGroup(id GroupID, form []raft.Server) (*group, error) {
	name := strconv.FormatUint(uint64(id), 10)
	dir := filepath.Join(n.cfg.DataDir, "groups", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	g := &group{id: id, node: n, led: make(chan struct{}), stop: make(chan struct{}),
		tick: make(chan struct{}, 1), grown: make(chan struct{}, 1), metrics: n.metrics.group(id)}
	var err error
	if g.machine, err = n.cfg.NewMachine(id, dir); err != nil {
		return nil, fmt.Errorf("open group %d: %w", id, err)
	}
	g.log = n.logs.group(id)
	if g.snaps, err = openSnapshotStore(filepath.Join(n.cfg.DataDir, "snapshots", name)); err != nil {
		return nil, err
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:])
	origin := binary.BigEndian.Uint64(seed[:])
	g.apply = newApplier(id, g.machine, origin, n.cfg.DataDir, n.fail)
	if err := g.recover(); err != nil {
		return nil, err
	}
	g.batch = newBatcher(origin, n.cfg.Now, g.admit, g.applyEntry)
	g.batch.observe = g.metrics.batch
	g.apply.answer = g.batch.applied
	if err := g.startRaft(form); err != nil {
		return nil, err
	}
	g.batch.start()
	g.stopped.Add(2)
	go g.follow()
	go g.compact()
	return g, nil
}

// recover makes the machine hold at least what the newest snapshot does, as
// Raft will not bring entries below it again, and checks that the log reaches
// as far as the machine.
func (g *group) recover() error {
	metas, err := g.snaps.List()
	if err != nil {
		return err
	}
	covered, _ := g.log.LastIndex()
	if len(metas) > 0 {
		if err := trimLog(g.log, metas[0]); err != nil { // a crash came in between
			return err
		}
		covered = max(covered, metas[0].Index)
		if g.machine.AppliedIndex() < g.snaps.machineIndex(metas[0]) {
			_, r, err := g.snaps.Open(metas[0].ID)
			if err != nil {
				return fmt.Errorf("group %d: open its newest snapshot: %w", g.id, err)
			}
			if err := g.apply.restore(r); err != nil {
				return errors.Join(fmt.Errorf("group %d: restore its newest snapshot: %w", g.id, err), r.Close())
			}
			if err := r.Close(); err != nil {
				return err
			}
		}
	}
	if applied := g.machine.AppliedIndex(); applied > covered {
		return fmt.Errorf("group %d: its log ends at %d but its state is from %d: the data folder %s lost a part of its log; "+
			"remove the folder and start the node again, it is rebuilt from the others", g.id, covered, applied, g.node.cfg.DataDir)
	}
	return nil
}

func (g *group) startRaft(form []raft.Server) error {
	n := g.node
	cfg := n.raftConfig(g.id)
	stream := n.port.stream(g.id)
	network := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: n,
		Logger:                cfg.Logger,
		Stream:                stream,
		MaxPool:               3,
		MaxRPCsInFlight:       maxCallsInFlight,
		Timeout:               raftTimeout,
	})
	network.TimeoutScale = snapshotScale
	// Until Raft has started it is told of nobody's heartbeats.
	var started atomic.Pointer[raft.Raft]
	state := func(s raft.RaftState) func() bool {
		return func() bool { r := started.Load(); return r != nil && r.State() == s }
	}
	g.trans = cappedTransport{network, g.log, state(raft.Follower), g.stop, &stream.doubts}
	leading := state(raft.Leader)
	g.log.leading.Store(&leading)
	cache, err := raft.NewLogCache(logCacheEntries, g.log)
	if err != nil {
		return err
	}
	log := ownLog{cache, g.log}
	if !plant.On(plant.AnswerAhead) {
		g.apply.durable = g.log.await
	}
	g.snaps.installed = func(m *raft.SnapshotMeta) error { return trimLog(log, m) }
	stable := n.stable.group(g.id)
	if len(form) > 0 {
		has, err := raft.HasExistingState(log, stable, g.snaps)
		if err != nil {
			return err
		}
		if !has {
			if err := raft.BootstrapCluster(cfg, log, stable, g.snaps, g.trans, raft.Configuration{Servers: form}); err != nil {
				return fmt.Errorf("form group %d: %w", g.id, err)
			}
		}
	}
	if g.raft, err = raft.NewRaft(cfg, g.apply, log, stable, g.snaps, g.trans); err != nil {
		return fmt.Errorf("start group %d: %w", g.id, err)
	}
	started.Store(g.raft)
	g.verify.ask = func() error {
		if err := g.raft.VerifyLeader().Error(); err != nil {
			return err
		}
		return g.awake()
	}
	return nil
}

// electionTimeout of a group. The directory's is longer: its tenants'
// placements are cached, so that nobody waits for its leader at each request.
func (n *Node) electionTimeout(id GroupID) time.Duration {
	if id == 0 {
		return directoryPatience * n.cfg.Tuning.ElectionTimeout
	}
	return n.cfg.Tuning.ElectionTimeout
}

func (n *Node) raftConfig(id GroupID) *raft.Config {
	timeout := n.electionTimeout(id)
	cfg := raft.DefaultConfig()
	cfg.LocalID = raft.ServerID(n.cfg.NodeID)
	cfg.HeartbeatTimeout = timeout
	cfg.ElectionTimeout = timeout
	cfg.LeaderLeaseTimeout = timeout
	cfg.CommitTimeout = commitTimeout
	cfg.MaxAppendEntries = maxAppendEntries
	cfg.BatchApplyCh = true
	cfg.NoSnapshotRestoreOnStart = true
	cfg.NoLegacyTelemetry = true
	// Snapshots are taken by bytes, by compact.
	cfg.SnapshotInterval = 24 * time.Hour
	cfg.SnapshotThreshold = 1 << 62
	cfg.TrailingLogs = 1 << 10
	cfg.Logger = n.raftLogger
	return cfg
}

// admit says whether this node may put an entry into the log.
func (g *group) admit() error {
	if g.raft.State() != raft.Leader || !g.node.clock.ok(g.node.cfg.Now()) {
		return ErrNoLeader
	}
	return nil
}

func (g *group) applyEntry(data []byte) raft.ApplyFuture {
	if plant.On(plant.AckBeforeCommit) && g.leads.Load() > 0 {
		return g.applyEarly(data)
	}
	return g.raft.Apply(data, 0)
}

// follow watches leadership: a new leader opens its term with the machine's
// own command and then asks it, every tick, what has become due.
func (g *group) follow() {
	defer g.stopped.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	opening := make(chan error, 1)
	busy := false       // a command of ours is on its way
	var moved time.Time // when it was last tried for the disk's sake
	for turn := uint64(0); ; {
		select {
		case <-g.stop:
			g.resign()
			return
		case leader := <-g.raft.LeaderCh():
			g.resign()
			g.pace(leader)
			g.metrics.leader(leader)
			if !leader {
				continue
			}
			g.metrics.elected()
		case <-opening:
			busy = false
		case <-g.tick:
		}
		if busy || g.raft.State() != raft.Leader {
			continue
		}
		switch {
		case !g.node.clock.ok(g.node.cfg.Now()):
			g.resign()
			g.node.log.Warn("clock is off: handing leadership over", "group", g.id, "offset", g.node.clock.offset())
			busy = true
			go func() { opening <- g.raft.LeadershipTransfer().Error() }()
		case !g.isLeader():
			busy = true
			go func() { opening <- g.openTerm(ctx) }()
		case g.node.space.low.Load() && time.Since(moved) > roomPause:
			moved = time.Now()
			if to := g.roomier(turn); to != nil {
				turn++
				busy = true
				go func() { opening <- g.makeRoom(to) }()
			}
		default:
			if cmd := g.machine.Due(g.node.cfg.Now().UnixMilli()); cmd != nil {
				busy = true
				go func() { opening <- g.batch.propose(ctx, [][]byte{cmd}, make([]Reply, 1)) }()
			}
		}
	}
}

// pace sets Raft's time-outs for a leader or a follower.
func (g *group) pace(leader bool) {
	timeout := g.node.electionTimeout(g.id)
	if leader {
		timeout *= leaderPatience
	}
	g.tune(func(rc *raft.ReloadableConfig) { rc.HeartbeatTimeout, rc.ElectionTimeout = timeout, timeout })
}

// openTerm proposes the machine's first command of this node's term. Only
// when it is applied does the machine hold all that was acknowledged before.
func (g *group) openTerm(ctx context.Context) error {
	term := g.raft.CurrentTerm()
	err := g.batch.propose(ctx, [][]byte{g.machine.Lead(g.node.cfg.NodeID)}, make([]Reply, 1))
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.raft.State() == raft.Leader && g.raft.CurrentTerm() == term && g.leads.Load() != term {
		if g.leads.Swap(term) == 0 {
			close(g.led)
		}
		g.everLed.Store(true)
		g.node.log.Info("leads group", "group", g.id, "term", term, "applied", g.apply.applied.Load())
	}
	return nil
}

func (g *group) resign() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leads.Swap(0) > 0 {
		g.led = make(chan struct{})
	}
}

// awake reports whether this process has run without a long pause. A reply
// that lay in a socket while it was stopped would pass for a fresh one, and
// verify a leader that has long been succeeded: it must commit again first.
func (g *group) awake() error {
	// Voters follow a transfer of leadership at once, leader or not: until it is
	// done, a late reply proves nothing.
	if g.node.ending.Load() {
		return ErrNoLeader
	}
	if g.node.pausedFor(time.Now()) > g.node.cfg.Tuning.ElectionTimeout {
		g.resign()
		return ErrNoLeader
	}
	return nil
}

// isLeader reports whether this replica may answer as leader now.
func (g *group) isLeader() bool {
	return g.raft.State() == raft.Leader && g.leads.Load() == g.raft.CurrentTerm()
}

// awaitLead waits until a leader that has just been elected may answer.
func (g *group) awaitLead(ctx context.Context) error {
	for g.raft.State() == raft.Leader {
		if g.isLeader() {
			return nil
		}
		g.mu.Lock()
		led := g.led
		g.mu.Unlock()
		timer := time.NewTimer(TickInterval)
		select {
		case <-led:
			timer.Stop()
		case <-timer.C: // it may have lost its office meanwhile
		case <-ctx.Done():
			timer.Stop()
			return ErrNoLeader
		}
	}
	return ErrNoLeader
}

// propose commits commands as the leader, after the machine has looked at
// them. What it refuses at once is answered from a verified leader's state.
func (g *group) propose(ctx context.Context, commands [][]byte) ([]Reply, error) {
	if err := g.awaitLead(ctx); err != nil {
		return nil, err
	}
	replies := make([]Reply, len(commands))
	refusals, low, grows := 0, g.node.space.low.Load(), false
	nowMillis := g.node.cfg.Now().UnixMilli()
	for i, c := range commands {
		if len(c) > cloudlicenses.MaxCommandBytes {
			return nil, fmt.Errorf("command of %d bytes: at most %d", len(c), cloudlicenses.MaxCommandBytes)
		}
		if r := g.machine.Admit(nowMillis, c); r != nil {
			replies[i].Value = r
			refusals++
			continue
		}
		grows = grows || low && !g.machine.Small(c)
	}
	if refusals < len(commands) && !g.node.space.takes(grows) {
		return nil, ErrStorageFull
	}
	if refusals == 0 {
		return replies, g.batch.propose(ctx, commands, replies)
	}
	// A refusal is a read: it counts only if this is still the leader.
	index := g.apply.applied.Load()
	if err := g.verify.check(ctx); err != nil || !g.isLeader() {
		return nil, ErrNoLeader
	}
	if refusals < len(commands) {
		if err := g.proposeSome(ctx, commands, replies); err != nil {
			return nil, err
		}
	}
	for i := range replies {
		if replies[i].Index == 0 {
			replies[i].Index = index
		}
	}
	return replies, nil
}

// proposeSome proposes the commands that have no answer yet.
func (g *group) proposeSome(ctx context.Context, commands [][]byte, replies []Reply) error {
	var open []int
	var rest [][]byte
	for i := range commands {
		if replies[i].Value == nil {
			open = append(open, i)
			rest = append(rest, commands[i])
		}
	}
	answers := make([]Reply, len(rest))
	if err := g.batch.propose(ctx, rest, answers); err != nil {
		return err
	}
	for i, at := range open {
		replies[at] = answers[i]
	}
	return nil
}

// beat passes the node's pulse on to what has to look up, and to followers.
func (g *group) beat(number uint64) {
	if g.raft.State() == raft.Leader {
		poke(g.tick)
		if g.id != 0 || number%directoryPatience == 0 {
			go g.raft.VerifyLeader() // asks every follower at once: a heartbeat
		}
	}
	if g.log.appended.Load() >= g.node.cfg.Tuning.SnapshotBytes || g.log.entries.Load() >= g.node.cfg.Tuning.SnapshotEntries {
		poke(g.grown)
	}
}

// poke wakes whoever waits on a channel of one element.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it will look anyway
	}
}

// compact takes a snapshot whenever the log has grown by snapshotBytes, and
// keeps about a quarter of that behind.
func (g *group) compact() {
	defer g.stopped.Done()
	for {
		select {
		case <-g.stop:
			return
		case <-g.grown:
		}
		size, entries := g.log.appended.Load(), g.log.entries.Load()
		trailing := uint64(entries)
		if keep := g.node.cfg.Tuning.SnapshotBytes / trailingShare; size > keep {
			trailing = uint64(float64(entries) * float64(keep) / float64(size))
		}
		trailing = min(max(trailing, 16), uint64(g.node.cfg.Tuning.SnapshotEntries))
		g.tune(func(rc *raft.ReloadableConfig) { rc.TrailingLogs = trailing })
		start := time.Now()
		if err := g.raft.Snapshot().Error(); err != nil {
			if !errors.Is(err, raft.ErrNothingNewToSnapshot) && !errors.Is(err, raft.ErrRaftShutdown) {
				g.node.log.Warn("snapshot", "group", g.id, "err", err)
			}
			continue
		}
		g.log.appended.Add(-size)
		g.log.entries.Add(-entries)
		g.metrics.snapshot(time.Since(start))
	}
}

// tune changes Raft's settings; a change at a time.
func (g *group) tune(change func(*raft.ReloadableConfig)) {
	g.tuning.Lock()
	defer g.tuning.Unlock()
	rc := g.raft.ReloadableConfig()
	change(&rc)
	if err := g.raft.ReloadConfig(rc); err != nil {
		g.node.log.Error("change Raft's settings", "group", g.id, "err", err)
	}
}

// close ends the replica. Leadership has been handed over before.
func (g *group) close() error {
	close(g.stop)
	g.batch.close()
	g.stopped.Wait()
	// The transport first: Raft waits for its calls to end.
	err := g.trans.Close()
	g.trans.CloseStreams()
	return errors.Join(err, g.raft.Shutdown().Error(), g.log.await(^uint64(0)), g.machine.Close())
}
