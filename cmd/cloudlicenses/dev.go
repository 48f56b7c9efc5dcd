package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/portal"
)

// What `dev` keeps in its folder, beside a folder per node.
const (
	devLogFile  = "dev.log"
	devInfoFile = "dev.json"
	devMailDir  = "mail"
)

const (
	devDomain   = "localhost"
	devRegion   = "eu-central"
	devGroups   = 3
	devMaxNodes = 9
)

// devConfig is the configuration of `dev`.
type devConfig struct {
	dataDir   string
	http      string
	nodes     int
	demo      bool
	readyFile string
	logLevel  string
}

// devInfo is what a data folder of `dev` was made with.
type devInfo struct {
	Nodes int `json:"nodes"`
}

func newDevCommand() *cobra.Command {
	var cfg devConfig
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole three-node cluster on this machine, with demo data",
		Long: `Runs a whole cluster in one process on loopback: real Raft, real disks, real HTTP,
no certificates. Node i (from 0) serves on the port of --http plus i; every other
port is the system's choice. The demo is a tenant with a license of 5 committed
and 15 overage seats and an API key; it prints a checkout to paste. Sign-ups are
verified by a DNS server of its own, whose records PUT /v1/dev/dns sets on the
admin address, and every mail is an .eml file in the folder "mail" of the data
folder. Webhooks may go to http and to this machine (http://127.0.0.1:9000/hook),
which a server takes with --webhook-allow-private alone.

The data folder keeps everything, the demo's key included: starting again with
the same folder goes on where it stopped. The key that wraps the cluster's
secrets is made in that folder (kek.key), so it protects nothing.`,
		Example: `  cloudlicenses dev
  cloudlicenses dev --http 127.0.0.1:9000 --data-dir /tmp/cluster --ready-file /tmp/ready.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.validate(); err != nil {
				return err
			}
			return runDev(cmd.Context(), &cfg, cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&cfg.dataDir, "data-dir", "./data/dev", "folder of the cluster's data, made when missing")
	fs.StringVar(&cfg.http, "http", "127.0.0.1:8080", "address of the first node's public API; the next ones follow")
	fs.IntVar(&cfg.nodes, "nodes", 3, "number of nodes")
	fs.BoolVar(&cfg.demo, "demo", true, "make the demo's vendor, tenant, license and key")
	fs.StringVar(&cfg.readyFile, "ready-file", "", "JSON file to write once the cluster serves")
	fs.StringVar(&cfg.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func (c *devConfig) validate() error {
	host, port, err := splitAddress(c.http)
	switch {
	case err != nil:
		return usagef("--http %q: %w", c.http, err)
	case !isLoopback(c.http):
		return usagef("--http %s is no loopback address: dev has no certificates and stays on this machine (127.0.0.1:%d); for other machines use 'cloudlicenses server'", c.http, port)
	case c.nodes < 1 || c.nodes > devMaxNodes:
		return usagef("--nodes %d: want 1–%d", c.nodes, devMaxNodes)
	case port != 0 && port+c.nodes-1 > 65535:
		return usagef("--http %s: node %d would need port %d", net.JoinHostPort(host, strconv.Itoa(port)), c.nodes-1, port+c.nodes-1)
	case c.dataDir == "":
		return usagef("--data-dir is empty")
	}
	_, err = parseLogLevel(c.logLevel)
	return err
}

// devLogWriteLimit is a server's of 2 s stretched: three nodes share the disk
// of a workstation that also builds software.
const devLogWriteLimit = 15 * time.Second

// devCluster is a running cluster of `dev`.
type devCluster struct {
	cfg   *devConfig
	kek   []byte
	nodes []*node
	dns   *dnstxt.Server
	mail  *notify.Folder
	log   *slog.Logger
}

// runDev runs the cluster until ctx is done or a signal comes.
func runDev(ctx context.Context, cfg *devConfig, stdout io.Writer) error {
	ctx, stop := drainContext(ctx)
	defer stop()
	if err := os.MkdirAll(cfg.dataDir, modeFolder); err != nil {
		return fmt.Errorf("--data-dir: %w", err)
	}
	logFile, err := os.OpenFile(filepath.Join(cfg.dataDir, devLogFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, modeSecret)
	if err != nil {
		return fmt.Errorf("--data-dir: %w", err)
	}
	defer func() { _ = logFile.Close() }()
	level, err := parseLogLevel(cfg.logLevel)
	if err != nil {
		return err
	}
	d := &devCluster{cfg: cfg, log: newLogger(logFile, level)}
	prepareProcess(d.log)
	if err := d.prepare(); err != nil {
		return err
	}
	began := time.Now()
	if err := d.start(); err != nil {
		return errors.Join(err, d.stop())
	}
	// Not before the folder is known to be this process's own.
	if err := removeReadyFile(cfg.readyFile); err != nil {
		return errors.Join(err, d.stop())
	}
	p := &printer{w: stdout}
	err = runNodes(ctx, d.nodes, lifecycle{
		ready:    func() error { return d.ready(ctx, stdout, began) },
		draining: func() { p.printf("\ncloudlicenses: draining\n") },
		drain:    d.stop,
	})
	if err != nil {
		return err
	}
	p.printf("cloudlicenses: stopped; the data stays in %s\n", cfg.dataDir)
	return errors.Join(p.err, removeReadyFile(cfg.readyFile))
}

// prepare checks that the folder fits and makes its key.
func (d *devCluster) prepare() error {
	path := filepath.Join(d.cfg.dataDir, devInfoFile)
	var info devInfo
	if err := readJSONFile(path, &info); err == nil {
		if info.Nodes != d.cfg.nodes {
			return fmt.Errorf("data folder %s is that of a cluster of %d nodes: start with --nodes %d, or name another --data-dir", d.cfg.dataDir, info.Nodes, info.Nodes)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data folder %s is damaged: %w; remove it to begin anew", d.cfg.dataDir, err)
	} else if err := writeJSONFile(path, devInfo{d.cfg.nodes}, modePublic); err != nil {
		return err
	}
	keyPath := filepath.Join(d.cfg.dataDir, kekFile)
	if !exists(keyPath) {
		if err := writeSecret(keyPath, newSecret()); err != nil {
			return err
		}
	}
	var err error
	d.kek, err = readSecret(keyPath, "")
	return err
}

// start opens every listener first, so that a port in use is found before
// anything runs, then the nodes: each joins the first one.
func (d *devCluster) start() error {
	var err error
	if d.dns, err = dnstxt.Listen("127.0.0.1:0"); err != nil {
		return err
	}
	if d.mail, err = notify.NewFolder(d.mailDir()); err != nil {
		return err
	}
	wirings := make([]nodeConfig, d.cfg.nodes)
	for i := range wirings {
		if err := d.wire(&wirings[i], i); err != nil {
			for _, w := range wirings[:i] {
				w.closeListeners()
			}
			return err
		}
	}
	for i := range wirings {
		wirings[i].replyURL = wirings[0].edgeURL // one tenant has one URL
		if i > 0 {
			wirings[i].join = []string{d.nodes[0].engine.GossipAddr()}
		}
		n, err := startNode(wirings[i])
		if err != nil {
			for _, w := range wirings[i:] {
				w.closeListeners()
			}
			return fmt.Errorf("node %s: %w", wirings[i].id, err)
		}
		d.nodes = append(d.nodes, n)
	}
	return nil
}

// wire configures node i and opens its listeners.
func (d *devCluster) wire(w *nodeConfig, i int) error {
	host, port, err := splitAddress(d.cfg.http)
	if err != nil {
		return err
	}
	if port != 0 {
		port += i
	}
	w.id = fmt.Sprintf("n%d", i+1)
	w.dataDir = filepath.Join(d.cfg.dataDir, w.id)
	if w.edge, err = listen("--http", net.JoinHostPort(host, strconv.Itoa(port))); err != nil {
		return err
	}
	if w.admin, err = listen("admin address", net.JoinHostPort(host, "0")); err != nil {
		_ = w.edge.Close()
		return err
	}
	w.edgeURL = baseURL("http", w.edge, "")
	w.adminURL = baseURL("http", w.admin, "")
	w.raftAddr, w.gossipAddr = net.JoinHostPort("127.0.0.1", "0"), net.JoinHostPort("127.0.0.1", "0")
	w.bootstrapExpect = d.cfg.nodes
	w.groups, w.replicas = devGroups, min(3, d.cfg.nodes)
	w.region, w.domain = devRegion, devDomain
	w.kek = d.kek
	w.resolver, w.dns = d.dns.Addr(), d.dns
	w.mailer, w.mailFrom = d.mail, notify.Address{Name: "cloudlicenses", Email: "no-reply@" + devDomain}
	w.webhooks = privateWebhooks() // receivers under development are on this machine
	w.logger = d.log
	w.tuning.LogWriteLimit, w.minFreeDisk = devLogWriteLimit, cloudlicenses.MinFreeDisk
	return nil
}

// mailDir is where every mail is written, as an absolute path.
func (d *devCluster) mailDir() string {
	dir := filepath.Join(d.cfg.dataDir, devMailDir)
	if absolute, err := filepath.Abs(dir); err == nil {
		return absolute
	}
	return dir
}

// stop drains the nodes. Together they have nobody to hand leadership to, so
// they stop side by side.
func (d *devCluster) stop() error {
	errs := make(chan error, len(d.nodes))
	for _, n := range d.nodes {
		go func() { errs <- n.drain() }()
	}
	var err error
	for range d.nodes {
		err = errors.Join(err, <-errs)
	}
	if d.dns != nil {
		err = errors.Join(err, d.dns.Close())
	}
	return err
}

// ready makes the demo, prints what there is and writes the ready file.
func (d *devCluster) ready(ctx context.Context, stdout io.Writer, began time.Time) error {
	file := &readyFile{Domain: devDomain, AdminToken: d.nodes[0].door.Secrets().AdminToken, DNSAddr: d.dns.Addr(), MailDir: d.mailDir()}
	for _, n := range d.nodes {
		file.Nodes = append(file.Nodes, readyNode{n.cfg.id, n.cfg.edgeURL, n.cfg.adminURL})
	}
	if d.cfg.demo {
		demo, err := makeDemo(ctx, d.nodes[0].door, d.cfg.dataDir)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		demo.TenantURL = d.nodes[0].edge.TenantURL(demoTenant)
		demo.VendorURL = d.nodes[0].edge.VendorsURL()
		file.Demo = demo
	}
	if err := writeFile(filepath.Join(d.cfg.dataDir, "admin.token"), []byte(file.AdminToken+"\n"), modeSecret); err != nil {
		return err
	}
	if err := d.welcome(stdout, file, time.Since(began)); err != nil {
		return err
	}
	if err := file.write(d.cfg.readyFile); err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	return nil
}

// welcome prints where everything is and what to do next.
func (d *devCluster) welcome(w io.Writer, file *readyFile, took time.Duration) error {
	p := &printer{w: w}
	p.printf("cloudlicenses: a cluster of %d nodes is up after %.1f s, in %s (log: %s)\n\n",
		len(file.Nodes), took.Seconds(), d.cfg.dataDir, filepath.Join(d.cfg.dataDir, devLogFile))
	for _, n := range file.Nodes {
		p.printf("  %s  %s  admin %s\n", n.ID, n.HTTP, n.Admin)
	}
	if portal.Embedded().Built() {
		d.portals(p, file)
	} else {
		p.printf("\n  The portals are not built in: run `make build`.\n")
	}
	p.printf("\n  admin token  %s\n  mails        %s (one .eml file each)\n", file.AdminToken, file.MailDir)
	p.printf("  DNS          %s; a record for the verification of a domain:\n", file.DNSAddr)
	p.printf("               curl -X PUT %s/v1/dev/dns -H 'Authorization: Bearer %s' -d '{\"name\":\"_cloudlicenses.acme.example\",\"type\":\"TXT\",\"value\":\"…\"}'\n", file.Nodes[0].Admin, file.AdminToken)
	p.printf("  The key that wraps the cluster's secrets lies in %s and protects nothing.\n", filepath.Join(d.cfg.dataDir, kekFile))
	if demo := file.Demo; demo != nil {
		p.printf("\n  tenant       %s\n  API key      %s\n  license      %s: 5 committed seats, 15 more as overage\n", demo.TenantURL, demo.APIKey, demo.LicenseID)
		p.printf("  owner        %s, password %s\n", demo.AdminEmail, demo.AdminPassword)
		p.printf("\n  vendor       %s at %s\n  vendor key   %s\n", demo.VendorID, demo.VendorURL, demo.VendorAPIKey)
		p.printf("  owner        %s, password %s\n", demo.VendorEmail, demo.VendorPassword)
		p.printf("\nCheck a seat out (the 21st is refused):\n\n%s\n", demo.curl())
		p.printf("\nOr by hand:\n\n  export LICENSE_SERVER_URL=%s LICENSE_API_KEY=%s\n", demo.TenantURL, demo.APIKey)
		p.printf("  %s run --product %s -- sleep 10\n  %s leases\n", os.Args[0], demo.ProductID, os.Args[0])
	}
	p.printf("\nLook at the cluster:\n\n  %s cluster status --admin %s --admin-token-file %s\n",
		os.Args[0], file.Nodes[0].Admin, filepath.Join(d.cfg.dataDir, "admin.token"))
	p.printf("\nCtrl-C stops it; the data stays.\n")
	return p.err
}

// portals prints where a browser goes, and whose log-in opens what. Those of
// tenant and vendor are printed with them, below.
func (d *devCluster) portals(p *printer, file *readyFile) {
	edge := d.nodes[0].edge
	p.printf("\nPortals, for a browser on this machine:\n\n")
	if demo := file.Demo; demo != nil {
		p.printf("  customer     %s  (log in as the tenant's owner)\n", demo.TenantURL)
		p.printf("  vendors      %s  (vendor %s, log in as its owner)\n", demo.VendorURL, demo.VendorID)
	} else {
		p.printf("  vendors      %s\n", edge.VendorsURL())
	}
	p.printf("  sign-up      %s\n  operators    %s  (the admin token)\n", edge.BaseURL(), file.Nodes[0].Admin)
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
