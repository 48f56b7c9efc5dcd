package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func newServerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run one node of a cluster",
		Long: `Runs one node. Every flag is also a key of the YAML file named by --config (with
underscores: node_id) and an environment variable (CLOUDLICENSES_NODE_ID); a flag
beats the environment, which beats the file.

A cluster is secured: nodes prove to each other who they are (TLS 1.3), gossip is
encrypted and the API speaks HTTPS. 'cloudlicenses cert' makes what that needs.
--insecure leaves all of it out, and is accepted on loopback addresses only; it
wraps the cluster's secrets with a development key that is derived from
--join-token, written into the data folder, and protects nothing.

SIGTERM or Ctrl-C drains: no new request is taken, those in flight are answered,
leadership is handed over, exit code 0. A second signal exits at once.`,
		Example: `  # One secured node of three:
  cloudlicenses server --node-id n1 --data-dir /var/lib/cloudlicenses \
    --cert-dir /etc/cloudlicenses/certs --kek-file /etc/cloudlicenses/kek.key \
    --http 0.0.0.0:443 --admin 10.0.0.1:8081 --raft 10.0.0.1:7000 --gossip 10.0.0.1:7001 \
    --bootstrap-expect 3 --join 10.0.0.1:7001,10.0.0.2:7001,10.0.0.3:7001 --domain example.com

  # A single node on this machine, without certificates:
  cloudlicenses server --node-id n1 --data-dir data/n1 --bootstrap-expect 1 --insecure

  # From a file:
  cloudlicenses server --config n1.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadServerConfig(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			if err := cfg.validate(); err != nil {
				return err
			}
			return runServer(cmd.Context(), &cfg, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().SortFlags = false
	addServerFlags(cmd.Flags())
	return cmd
}

// runServer runs a node until a signal drains it or it can't go on.
func runServer(ctx context.Context, cfg *serverConfig, stderr io.Writer) error {
	level, err := parseLogLevel(cfg.LogLevel)
	if err != nil {
		return err
	}
	logger := newLogger(stderr, level)
	prepareProcess(logger)
	for _, remark := range cfg.remarks {
		logger.Warn(remark)
	}
	ctx, stop := drainContext(ctx)
	defer stop()

	wiring, err := cfg.wire(time.Now())
	if err != nil {
		return err
	}
	wiring.logger = logger
	var remark string
	if wiring.kek, remark, err = loadKEK(cfg); err != nil {
		wiring.closeListeners()
		return err
	}
	if remark != "" {
		logger.Warn(remark)
	}
	n, err := startNode(wiring)
	if err != nil {
		return err
	}
	// Only now the folder is known to be this process's own: a second start by
	// mistake must leave alone what the node that runs has written.
	if err := removeReadyFile(cfg.ReadyFile); err != nil {
		return errors.Join(err, n.drain())
	}
	ready := func() error {
		file := readyFile{
			Domain:     cfg.Domain,
			Nodes:      []readyNode{{cfg.NodeID, wiring.edgeURL, wiring.adminURL}},
			AdminToken: n.door.Secrets().AdminToken,
		}
		logger.Info("node is ready", "http", wiring.edgeURL, "admin", wiring.adminURL)
		return file.write(cfg.ReadyFile)
	}
	err = runNodes(ctx, []*node{n}, lifecycle{
		ready:    ready,
		draining: func() { logger.Info("draining") },
		drain:    n.drain,
	})
	if err != nil {
		return err
	}
	logger.Info("stopped")
	return removeReadyFile(cfg.ReadyFile)
}

// wire opens listeners and reads certificates: all that can fail without the
// data folder.
func (c *serverConfig) wire(now time.Time) (nodeConfig, error) {
	var w nodeConfig
	var err error
	scheme := "http"
	if !c.Insecure {
		scheme = "https"
		if w.security, err = loadSecurity(c, now); err != nil {
			return w, err
		}
	}
	w.deletionGrace = c.DeletionGrace
	w.resolver = resolverOf(c.DNSResolver, "/etc/resolv.conf")
	if err := c.wireMail(&w); err != nil {
		return w, err
	}
	if w.trustedProxies, err = c.proxies(); err != nil {
		return w, err
	}
	if err := errors.Join(checkFree("--raft", c.Raft), checkFree("--gossip", c.Gossip)); err != nil {
		return w, err
	}
	if w.edge, err = listen("--http", c.HTTP); err != nil {
		return w, err
	}
	if w.admin, err = listen("--admin", c.Admin); err != nil {
		_ = w.edge.Close()
		return w, err
	}
	w.id, w.dataDir, w.certDir = c.NodeID, c.DataDir, c.CertDir
	w.edgeURL = orElse(c.AdvertiseHTTP, baseURL(scheme, w.edge, c.Raft))
	w.adminURL = orElse(c.AdvertiseAdmin, baseURL(scheme, w.admin, c.Raft))
	w.raftAddr, w.gossipAddr = c.Raft, c.Gossip
	w.join, w.bootstrapExpect = c.Join, c.BootstrapExpect
	w.groups, w.replicas = c.Groups, c.Replicas
	w.region, w.zone, w.domain = c.Region, c.Zone, c.Domain
	w.joinToken, w.adminTokenFile = c.JoinToken, c.AdminTokenFile
	w.clockOffset = c.ClockOffset
	w.tuning.SnapshotEntries = c.SnapshotEntries
	w.minFreeDisk = c.MinFreeDisk
	return w, nil
}

func (c *nodeConfig) closeListeners() {
	for _, ln := range []net.Listener{c.edge, c.admin} {
		_ = ln.Close()
	}
}

// lifecycle is what a command does when its nodes serve, and when they end.
type lifecycle struct {
	ready    func() error
	draining func() // says that the drain begins
	drain    func() error
}

// runNodes opens nodes that were started, waits until ctx is done and drains
// them.
func runNodes(ctx context.Context, nodes []*node, life lifecycle) error {
	opened := make(chan error, 1)
	openCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { opened <- openAll(openCtx, nodes) }()

	var err error
	select {
	case err = <-opened:
		if err == nil {
			err = life.ready()
		}
		if err == nil {
			<-ctx.Done()
		}
	case <-ctx.Done(): // stopped before the cluster had formed
		cancel()
		if e := <-opened; !errors.Is(e, context.Canceled) {
			err = e
		}
	}
	life.draining()
	return errors.Join(err, life.drain())
}

// openAll opens nodes side by side: they form their cluster together.
func openAll(ctx context.Context, nodes []*node) error {
	errs := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { errs <- n.open(ctx) }()
	}
	var err error
	for range nodes {
		err = errors.Join(err, <-errs)
	}
	return err
}

// drainContext is done at the first SIGTERM or SIGINT; the second one exits at
// once.
func drainContext(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			select {
			case <-signals:
				if !first {
					os.Exit(exitFailed)
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
