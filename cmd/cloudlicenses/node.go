package main

import (
	"context"
	"crypto/cipher"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/outbox"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

const (
	// drainTimeout bounds a drain: requests in flight (a request's own
	// deadline) and handing leadership over.
	drainTimeout = 2 * cloudlicenses.RequestTimeout
	// sendingTimeout is how long a drain waits for mails and webhooks under way;
	// what is broken off is delivered by another leader, maybe once more.
	sendingTimeout = 3 * time.Second
	// bootPatience is how long a start goes on through elections, which follow
	// one another on a machine that is busy; patiencePause lies between tries.
	bootPatience  = time.Minute
	patiencePause = 200 * time.Millisecond
)

// nodeConfig is what startNode wires a node from; `dev` and `server` fill it.
type nodeConfig struct {
	id      string
	dataDir string

	// Listeners are opened by the caller, so that a port in use is reported
	// before anything else starts; startNode owns them from then on.
	edge, admin       net.Listener
	edgeURL, adminURL string
	// replyURL is what the URLs in replies and the issuer of tokens are made of,
	// the same on all nodes; empty: edgeURL.
	replyURL             string
	raftAddr, gossipAddr string
	join                 []string
	bootstrapExpect      int
	groups, replicas     int
	region, zone, domain string
	joinToken            string
	adminTokenFile       string
	kek                  []byte
	certDir              string // for messages
	security             nodeSecurity
	trustedProxies       []netip.Prefix
	resolver             string         // host:port of the DNS resolver
	dns                  *dnstxt.Server // of dev; nil: none
	mailer               notify.Mailer  // nil: mails are kept
	mailFrom             notify.Address
	webhooks             notify.WebhookConfig
	deletionGrace        time.Duration // 0: the default
	clockOffset          time.Duration
	tuning               cluster.Tuning
	minFreeDisk          uint64       // bytes; 0: no limit
	logger               *slog.Logger // without the node's id, which startNode adds
	// fatal is told why the node can't go on; nil ends the process.
	fatal func(error)
}

// node is a running node: engine, door, public API and admin address.
type node struct {
	cfg    nodeConfig
	engine *cluster.Node
	door   *shard.Shard
	edge   *api.Server
	outbox *outbox.Drainer

	stopSagas context.CancelFunc

	draining atomic.Bool
}

// startNode starts a node and returns at once: the admin address answers, the
// public API answers 503 until open has returned.
func startNode(cfg nodeConfig) (*node, error) {
	engineLogger := cfg.logger // the engine adds its id itself
	cfg.logger = cfg.logger.With("node", cfg.id)
	n := &node{cfg: cfg}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	v, _ := buildVersion()
	keys, logKey, err := openKeys(cfg)
	if err != nil {
		return nil, err
	}
	n.outbox = outbox.New(outbox.Config{
		Sender: &notify.Sender{Mail: cfg.mailer, Webhooks: notify.NewWebhookClient(cfg.webhooks)}, From: cfg.mailFrom,
		Logger: cfg.logger, Metrics: registry,
	})
	wired := make(chan struct{}) // the engine runs before the door to it is there
	engine, err := cluster.Start(cluster.Config{
		NodeID: cfg.id, DataDir: cfg.dataDir, MinFreeDisk: cfg.minFreeDisk,
		RaftAddr: cfg.raftAddr, GossipAddr: cfg.gossipAddr,
		Join: cfg.join, JoinToken: cfg.joinToken, BootstrapExpect: cfg.bootstrapExpect,
		Groups: cfg.groups, Replicas: cfg.replicas,
		Region: cfg.region, Zone: cfg.zone, Version: v,
		HTTPURL: cfg.edgeURL, AdminURL: cfg.adminURL,
		TLSServer: cfg.security.raftServer, TLSClient: cfg.security.raftClient,
		GossipKey: cfg.security.gossipKey,
		BeforeJoin: func(ctx context.Context) error {
			select {
			case <-wired:
				return n.door.Fits(ctx, cfg.kek)
			case <-ctx.Done():
				return ctx.Err()
			}
		},
		LogKey:     logKey,
		NewMachine: machineOpener(fsm.Options{Fatal: n.fail}, keys, n.outbox, cfg.logger),
		Now:        cfg.clock(), Fatal: n.fail,
		Logger: engineLogger, Metrics: registry, Tuning: cfg.tuning,
	})
	if err != nil {
		return nil, explainStart(cfg.dataDir, err)
	}
	scheme, port := cfg.publicURL()
	n.engine = engine
	n.door = shard.New(shard.Config{
		Node: engine, Domain: cfg.domain, Logger: cfg.logger, Resolver: cfg.resolver, Now: cfg.clock(), DeletionGrace: cfg.deletionGrace,
		TenantURL:  func(id cloudlicenses.TenantID) string { return n.edge.TenantURL(id) },
		VendorsURL: func() string { return n.edge.VendorsURL() },
	})
	n.edge = api.New(api.Config{
		Shard: n.door, Node: engine, NodeID: cfg.id,
		Domain: cfg.domain, Scheme: scheme, Port: port,
		TrustedProxies: cfg.trustedProxies, Logger: cfg.logger, Metrics: registry, DevDNS: cfg.dns,
		Webhooks: cfg.webhooks, Providers: cfg.webhooks,
	})
	n.startSagas()
	n.outbox.Start(n.door)
	close(wired)
	go n.serve("public API", n.edge.Serve, secured(cfg.edge, cfg.security.edge))
	go n.serve("admin address", n.edge.ServeAdmin, secured(cfg.admin, cfg.security.admin))
	return n, nil
}

// openKeys opens what is wrapped by the key of --kek-file: the keys that seal
// records, and the one of the node's log.
func openKeys(cfg nodeConfig) (*shard.Keys, cipher.AEAD, error) {
	keys, err := shard.NewKeys(cfg.kek)
	if err != nil {
		return nil, nil, err
	}
	if err := keys.Fit(cfg.dataDir); err != nil {
		return nil, nil, err
	}
	logKey, err := keys.LogKey(cfg.dataDir)
	return keys, logKey, err
}

// startSagas resumes, while this node leads the directory, what was left
// half-way.
func (n *node) startSagas() {
	sagas, stop := context.WithCancel(context.Background())
	n.stopSagas = stop
	go n.door.ResumeSignUps(sagas)
	go n.door.ResumeLicenses(sagas)
	go n.door.TellVendors(sagas)
	go n.door.RunInvoicesMonthly(sagas)
	go n.door.ResumeLives(sagas)
}

// explainStart says of a data folder that is in use what to do.
func explainStart(dataDir string, err error) error {
	if strings.Contains(err.Error(), "is locked: another process uses this data folder") {
		return fmt.Errorf("a node runs on the data folder %s already; stop it first", dataDir)
	}
	return err
}

// open waits until the cluster has formed and the node may serve. An error is
// final.
func (n *node) open(ctx context.Context) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	go n.watchForming(ctx, giveUp)
	return patiently(ctx, bootPatience, func() error {
		return n.door.Boot(ctx, shard.BootConfig{
			KEK: n.cfg.kek, Region: n.cfg.region, Domain: n.cfg.domain,
			JoinToken: n.cfg.joinToken, DataDir: n.cfg.dataDir, AdminTokenFile: n.cfg.adminTokenFile,
		})
	})
}

// patiently repeats what a leader lost on the way has kept from being done,
// for as long as patience lasts. try must be safe to repeat.
func patiently(ctx context.Context, patience time.Duration, try func() error) error {
	giveUp := time.Now().Add(patience)
	pause := time.NewTicker(patiencePause)
	defer pause.Stop()
	for {
		err := try()
		if !passing(err) || time.Now().After(giveUp) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-pause.C:
		}
	}
}

// passing reports whether an error is one that an election or a busy moment
// explains.
func passing(err error) bool {
	for _, e := range []error{cluster.ErrNoLeader, cluster.ErrOutcomeUnknown, cluster.ErrOverloaded, cluster.ErrNotCaughtUp, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// serve runs a server until a drain closes it.
func (n *node) serve(what string, serve func(net.Listener) error, ln net.Listener) {
	if err := serve(ln); err != nil && !n.draining.Load() {
		n.fail(fmt.Errorf("%s on %s: %w", what, ln.Addr(), err))
	}
}

// drain answers what is in flight, hands leadership over and closes.
func (n *node) drain() error {
	n.draining.Store(true)
	n.stopSagas()
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		deliveries, done := context.WithTimeout(ctx, sendingTimeout)
		defer done()
		n.outbox.Close(deliveries)
	}()
	var err error
	if e := n.edge.Shutdown(ctx); e != nil {
		err = errors.Join(err, fmt.Errorf("drain of the public API: %w", e))
	}
	<-sent
	if e := n.engine.Shutdown(ctx); e != nil {
		err = errors.Join(err, fmt.Errorf("drain of the engine: %w", e))
	}
	return err
}

// fail ends the process: a node that can't go on may neither write nor answer
// any more, and its data is safe only as it lies on the disk.
func (n *node) fail(err error) {
	n.cfg.logger.Error("the node can't go on", "error", err)
	if n.cfg.fatal != nil {
		n.cfg.fatal(err)
		return
	}
	_, _ = fmt.Fprintf(os.Stderr, "cloudlicenses: node %s can't go on: %v\n", n.cfg.id, err)
	os.Exit(exitFailed)
}

// clock is the node's clock; nil is the system's.
func (c *nodeConfig) clock() func() time.Time {
	if c.clockOffset == 0 {
		return nil
	}
	return func() time.Time { return time.Now().Add(c.clockOffset) }
}

// publicURL is the scheme and the port (0: the scheme's own) of the URLs that
// replies name: those under which this node's clients reach it.
func (c *nodeConfig) publicURL() (scheme string, port int) {
	u, err := url.Parse(orElse(c.replyURL, c.edgeURL))
	if err != nil {
		return "https", 0
	}
	port, _ = strconv.Atoi(u.Port()) // no port is 0
	return u.Scheme, port
}

// secured wraps a listener in TLS where there is a configuration.
func secured(ln net.Listener, cfg *tls.Config) net.Listener {
	if cfg == nil {
		return ln
	}
	return tls.NewListener(ln, cfg)
}
