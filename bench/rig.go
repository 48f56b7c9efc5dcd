package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	domain    = "localhost"
	joinToken = "bench-join-token"
	// readyWithin bounds a start.
	readyWithin = time.Minute
	// lastWords are the lines of a node's log that an error shows.
	lastWords = 8
	// adminTimeout bounds a call to an admin address; making a million licenses
	// is the longest.
	adminTimeout = 15 * time.Minute
)

// rigConfig says what cluster to start.
type rigConfig struct {
	binary string // cloudlicenses
	dir    string // of everything, logs included
	nodes  int
	groups int
	// secured nodes have certificates, else --insecure.
	secured bool
	// snapshotEntries bounds the log between two snapshots; 0: as usual.
	snapshotEntries int
}

// server is a node of a cluster.
type server struct {
	process
	id          string
	http, admin string // host:port
	dir         string
	mails       string // folder of the mails it sends
	ready       string // path of its ready file
}

// rig is a cluster of server processes on loopback.
type rig struct {
	cfg     rigConfig
	servers []*server
	token   string
	tls     *tls.Config // of clients; nil: plain
	client  *http.Client
}

// startRig starts a cluster and waits until it serves. What was started is
// stopped again where that fails.
func startRig(ctx context.Context, cfg rigConfig) (*rig, error) {
	c := &rig{cfg: cfg}
	if err := os.MkdirAll(cfg.dir, 0o700); err != nil {
		return nil, err
	}
	if cfg.secured {
		if err := c.makeCertificates(); err != nil {
			return nil, err
		}
	}
	c.client = &http.Client{Transport: &http.Transport{TLSClientConfig: c.tls}}
	if err := c.layOut(); err != nil {
		return nil, err
	}
	for _, s := range c.servers {
		if err := s.start(); err != nil {
			c.stop()
			return nil, err
		}
	}
	if err := await(ctx, "cluster that serves", readyWithin, c.readToken); err != nil {
		err = fmt.Errorf("%w\n%s", err, c.servers[0].lastLines(lastWords))
		c.stop()
		return nil, err
	}
	return c, nil
}

// layOut chooses addresses and command lines.
func (c *rig) layOut() error {
	const perNode = 4
	addrs, err := addresses(perNode * c.cfg.nodes)
	if err != nil {
		return err
	}
	var gossip []string
	for i := range c.cfg.nodes {
		gossip = append(gossip, addrs[perNode*i+3])
	}
	for i := range c.cfg.nodes {
		a := addrs[perNode*i : perNode*(i+1)]
		id := "n" + strconv.Itoa(i+1)
		s := &server{id: id, http: a[0], admin: a[1], dir: filepath.Join(c.cfg.dir, id), ready: filepath.Join(c.cfg.dir, id+".ready.json"), mails: filepath.Join(c.cfg.dir, id+".mails")}
		s.logPath = filepath.Join(c.cfg.dir, id+".log")
		s.argv = []string{
			c.cfg.binary, "server", "--node-id", id, "--data-dir", s.dir,
			"--http", a[0], "--admin", a[1], "--raft", a[2], "--gossip", a[3], "--join", strings.Join(gossip, ","),
			"--bootstrap-expect", strconv.Itoa(c.cfg.nodes), "--join-token", joinToken, "--groups", strconv.Itoa(c.cfg.groups),
			"--replicas", strconv.Itoa(c.cfg.nodes), "--domain", domain, "--ready-file", s.ready, "--log-level", "warn", "--mail-dir", s.mails,
			"--snapshot-entries", strconv.Itoa(c.cfg.snapshotEntries),
		}
		if c.cfg.secured {
			s.argv = append(s.argv, "--cert-dir", filepath.Join(c.certDir(), id), "--kek-file", filepath.Join(c.certDir(), "kek.key"))
		} else {
			s.argv = append(s.argv, "--insecure")
		}
		c.servers = append(c.servers, s)
	}
	return nil
}

func (c *rig) certDir() string { return filepath.Join(c.cfg.dir, "certs") }

// makeCertificates makes a CA and each node's certificate.
func (c *rig) makeCertificates() error {
	commands := [][]string{{"cert", "create-ca", "--cert-dir", c.certDir()}}
	for i := range c.cfg.nodes {
		commands = append(commands, []string{
			"cert", "create-node", "--cert-dir", c.certDir(), "--node-id", "n" + strconv.Itoa(i+1), "--domain", domain, "--host", "127.0.0.1",
		})
	}
	for _, args := range commands {
		if out, err := exec.Command(c.cfg.binary, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(args[:2], " "), err, out)
		}
	}
	pool, err := caPool(filepath.Join(c.certDir(), "ca.crt"))
	if err != nil {
		return err
	}
	c.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}
	return nil
}

// readToken takes the admin token once every node has written its ready file.
func (c *rig) readToken() error {
	for _, s := range c.servers {
		if !s.running() {
			return fmt.Errorf("%s has ended", s.id)
		}
		b, err := os.ReadFile(s.ready)
		if err != nil {
			return err
		}
		var ready struct {
			AdminToken string `json:"admin_token"`
		}
		if err := json.Unmarshal(b, &ready); err != nil {
			return err
		}
		c.token = ready.AdminToken
	}
	return nil
}

// stop ends all processes.
func (c *rig) stop() {
	for _, s := range c.servers {
		_ = s.stop(syscall.SIGKILL) // the data is thrown away
	}
	c.client.CloseIdleConnections()
}

// deaths tells of nodes that do not run any more what they said last; nil: all
// run.
func (c *rig) deaths() error {
	var errs []error
	for _, s := range c.servers {
		if !s.running() {
			errs = append(errs, fmt.Errorf("%s has ended: %s", s.id, s.lastLines(lastWords)))
		}
	}
	return errors.Join(errs...)
}

// pids are those of the running nodes.
func (c *rig) pids() []int {
	var pids []int
	for _, s := range c.servers {
		if s.running() {
			pids = append(pids, s.pid())
		}
	}
	return pids
}

// call asks a node's admin address. in is sent as JSON (nil: none), the reply
// decoded into out (nil: dropped).
func (c *rig) call(ctx context.Context, s *server, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	reply, err := c.fetch(ctx, s, method, path, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(reply, out)
}

// fetch asks a node's admin address for whatever it answers.
func (c *rig) fetch(ctx context.Context, s *server, method, path string, body []byte) ([]byte, error) {
	return c.ask(ctx, s.admin, "", c.token, method, path, body)
}

// ask asks an address, as host where that is not empty, with a bearer token where
// there is one.
func (c *rig) ask(ctx context.Context, addr, host, token, method, path string, body []byte) ([]byte, error) {
	scheme := "http://"
	if c.cfg.secured {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, method, scheme+addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Host = host
	req.Header.Set("Sec-Fetch-Site", "same-origin") // as a page of that host: to log in
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: %d: %.300s", method, path, resp.StatusCode, reply)
	}
	return reply, nil
}

// seats is how many a pool has: never too few.
const seats = 1_000_000

// createTenant makes a tenant with pools of products product-0000 and so on,
// as `tenant create` does.
func (c *rig) createTenant(ctx context.Context, id, product string, pools int) (Tenant, error) {
	return c.createTenantFor(ctx, id, product, pools, "")
}

// createTenantFor is createTenant with an owner, who gets a mail.
func (c *rig) createTenantFor(ctx context.Context, id, product string, pools int, owner string) (Tenant, error) {
	type licenses struct {
		Product    string `json:"product"`
		Commit     int64  `json:"commit"`
		MaxOverage int64  `json:"max_overage"`
		Count      int    `json:"count"`
	}
	request := struct {
		ID       string   `json:"id"`
		Plan     string   `json:"plan"`
		Owner    string   `json:"owner_email,omitempty"`
		Licenses licenses `json:"licenses"`
	}{id, "enterprise", owner, licenses{product, seats, 0, pools}}
	var created struct {
		APIKey string `json:"api_key"`
	}
	if err := c.call(ctx, c.servers[0], http.MethodPost, "/v1/tenants", request, &created); err != nil {
		return Tenant{}, fmt.Errorf("tenant %s: %w", id, err)
	}
	if created.APIKey == "" {
		return Tenant{}, errors.New("a tenant was made without an API key")
	}
	return Tenant{ID: id, Key: created.APIKey}, nil
}

// creators is how many tenants are made at once.
const creators = 8

// populate makes the tenants of a plan, and returns what is to be loaded.
func (c *rig) populate(ctx context.Context, p plan) (*httpTarget, error) {
	tenants := make([]Tenant, p.tenants)
	var group errgroup.Group
	group.SetLimit(creators)
	for i := range tenants {
		group.Go(func() (err error) {
			id := benchTenant
			if p.tenants > 1 {
				id += strconv.Itoa(i)
			}
			tenants[i], err = c.createTenant(ctx, id, benchProduct, p.pools)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	t := c.target(tenants, p.pools)
	t.batch = p.batch
	if p.route == RouteLeader {
		return t, t.findLeaders()
	}
	return t, nil
}

// at finds the node with a public address; nil: none.
func (c *rig) at(addr string) *server {
	for _, s := range c.servers {
		if s.http == addr {
			return s
		}
	}
	return nil
}
