package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudlicenses/cloudlicenses/internal/freeport"
)

const (
	// readyWithin bounds a start, and a recovery once every fault is healed.
	readyWithin = 45 * time.Second
	rigDomain   = "localhost"
	joinToken   = "fault-harness-join-token"
)

// rigConfig says what cluster to build.
type rigConfig struct {
	dir    string // everything of this rig, logs included
	binary string
	nodes  int
	groups int
	env    []string // of the servers
	flags  []string // more server flags
	// network puts each node into a network namespace of its own and secures
	// the cluster; nil: plain, on loopback.
	network *network
	found   *findings
}

// rig is a cluster of real processes.
type rig struct {
	cfg   rigConfig
	nodes []*process
	op    *operator
	gate  *gateway
	ca    string // path of the CA's certificate; empty: plain
	// stuckDisk counts processes that gave up a disk which stood still.
	stuckDisk atomic.Int64
}

// newRig prepares the nodes; nothing runs yet.
func newRig(cfg rigConfig) (*rig, error) {
	r := &rig{cfg: cfg, op: &operator{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}}
	var tlsConfig *tls.Config
	if cfg.network != nil {
		pool, err := r.makeCertificates()
		if err != nil {
			return nil, err
		}
		tlsConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		r.op.client.Transport = &http.Transport{MaxIdleConnsPerHost: 8, TLSClientConfig: tlsConfig}
	}
	if err := r.layOut(); err != nil {
		return nil, err
	}
	r.gate = newGateway(rigDomain, r.nodes, tlsConfig)
	return r, nil
}

// layOut chooses addresses and command lines.
func (r *rig) layOut() error {
	var gossip []string
	type addresses struct{ http, admin, raft, gossip string }
	addrs := make([]addresses, r.cfg.nodes)
	for i := range addrs {
		client, peer := "127.0.0.1", "127.0.0.1"
		if r.cfg.network != nil {
			client, peer = r.cfg.network.clientIP(i), r.cfg.network.peerIP(i)
		}
		var err error
		ports := [4]string{"8080", "8081", "7000", "7001"}
		if r.cfg.network == nil {
			if ports, err = freePorts(); err != nil {
				return err
			}
		}
		addrs[i] = addresses{net.JoinHostPort(client, ports[0]), net.JoinHostPort(client, ports[1]), net.JoinHostPort(peer, ports[2]), net.JoinHostPort(peer, ports[3])}
		gossip = append(gossip, addrs[i].gossip)
	}
	for i, a := range addrs {
		id := "n" + strconv.Itoa(i+1)
		dir := filepath.Join(r.cfg.dir, id)
		argv := []string{
			r.cfg.binary, "server", "--node-id", id, "--data-dir", dir, "--http", a.http, "--admin", a.admin,
			"--raft", a.raft, "--gossip", a.gossip, "--bootstrap-expect", strconv.Itoa(r.cfg.nodes),
			"--join", strings.Join(gossip, ","), "--join-token", joinToken,
			"--groups", strconv.Itoa(r.cfg.groups), "--replicas", "3", "--domain", rigDomain, "--ready-file", r.readyFile(id),
		}
		scheme := "http://"
		if r.cfg.network == nil {
			argv = append(argv, "--insecure")
		} else {
			scheme = "https://"
			argv = append(argv, "--cert-dir", filepath.Join(r.certDir(), id), "--kek-file", filepath.Join(r.certDir(), "kek.key"))
			argv = append(r.cfg.network.within(i), argv...)
		}
		r.nodes = append(r.nodes, &process{
			id: id, argv: append(argv, r.cfg.flags...), env: r.cfg.env, dir: dir, logPath: filepath.Join(r.cfg.dir, id+".log"),
			http: scheme + a.http, admin: scheme + a.admin, peer: a.raft, surprise: r.surprised,
		})
	}
	return nil
}

func (r *rig) readyFile(id string) string { return filepath.Join(r.cfg.dir, id+".ready.json") }
func (r *rig) certDir() string            { return filepath.Join(r.cfg.dir, "certs") }

const (
	// stuckDisk is the complaint of a node whose disk does not finish a write:
	// ending is right, and being started again is what it may expect.
	stuckDisk = "the disk is stuck"
	// stuckDisksForgiven bounds how often a busy machine is an excuse.
	stuckDisksForgiven = 5
)

// surprised records a process that ended by itself.
func (r *rig) surprised(n *process, err error) {
	if n.complained(stuckDisk) && r.stuckDisk.Add(1) <= stuckDisksForgiven && n.start() == nil {
		return
	}
	r.cfg.found.add(flawExit, "%s ended by itself: %v\n%s", n.id, err, n.logTail(12))
}

// makeCertificates makes a CA and a certificate for each node, and returns the
// pool that trusts it.
func (r *rig) makeCertificates() (*x509.CertPool, error) {
	r.ca = filepath.Join(r.certDir(), "ca.crt")
	if _, err := r.run("cert", "create-ca", "--cert-dir", r.certDir()); err != nil {
		return nil, err
	}
	for i := range r.cfg.nodes {
		_, err := r.run("cert", "create-node", "--cert-dir", r.certDir(), "--node-id", "n"+strconv.Itoa(i+1), "--domain", rigDomain,
			"--host", r.cfg.network.clientIP(i), "--host", r.cfg.network.peerIP(i))
		if err != nil {
			return nil, err
		}
	}
	pem, err := os.ReadFile(r.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	return pool, nil
}

// run runs the binary's operator commands and returns its standard output.
func (r *rig) run(args ...string) ([]byte, error) {
	cmd := exec.Command(r.cfg.binary, args...)
	cmd.Env = append(os.Environ(), "CLOUDLICENSES_ADMIN_TOKEN="+r.op.token)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %.500s", strings.Join(args, " "), err, complaint.String())
	}
	return out.Bytes(), nil
}

// start starts every node and waits until the cluster serves.
func (r *rig) start(ctx context.Context) error {
	for _, n := range r.nodes {
		if err := os.MkdirAll(filepath.Dir(n.dir), 0o700); err != nil {
			return err
		}
		if err := n.start(); err != nil {
			return err
		}
	}
	if err := await(ctx, "ready files", readyWithin, r.readToken); err != nil {
		return fmt.Errorf("%w\n%s", err, r.nodes[0].logTail(15))
	}
	return r.awaitHealthy(ctx)
}

// readToken takes the admin token from the ready files, which all must agree.
func (r *rig) readToken() error {
	var token string
	for _, n := range r.nodes {
		b, err := os.ReadFile(r.readyFile(n.id))
		if err != nil {
			return err
		}
		var ready struct {
			AdminToken string `json:"admin_token"`
		}
		if err := json.Unmarshal(b, &ready); err != nil {
			return err
		}
		if token != "" && token != ready.AdminToken {
			return errors.New("nodes differ in their admin token")
		}
		token = ready.AdminToken
	}
	r.op.token = token
	return nil
}

// awaitHealthy waits until every node is ready and sees a leader of each group
// that all nodes agree on.
func (r *rig) awaitHealthy(ctx context.Context) error {
	return await(ctx, "a healthy cluster", readyWithin, func() error {
		for _, n := range r.nodes {
			if !n.serving() {
				return fmt.Errorf("%s does not run", n.id)
			}
			if err := r.op.get(ctx, n.admin, "/readyz", nil); err != nil {
				return err
			}
		}
		_, err := r.leaders(ctx)
		return err
	})
}

// leaders returns the leader of each group; an error where one has none or a
// replica does not answer.
func (r *rig) leaders(ctx context.Context) (map[string]*process, error) {
	view, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	byGroup := map[string]*process{}
	for _, g := range view.Groups {
		n := r.node(g.leader())
		if n == nil {
			return nil, fmt.Errorf("group %s has no leader", g.ID)
		}
		byGroup[g.ID.String()] = n
	}
	if len(byGroup) < r.cfg.groups+1 {
		return nil, fmt.Errorf("%d groups are known, want %d", len(byGroup), r.cfg.groups+1)
	}
	return byGroup, nil
}

// view asks the first node that answers for the state of the cluster.
func (r *rig) view(ctx context.Context) (clusterView, error) {
	err := errors.New("no node runs")
	for _, n := range r.nodes {
		if !n.serving() {
			continue
		}
		var v clusterView
		if v, err = r.op.cluster(ctx, n.admin); err == nil {
			return v, nil
		}
	}
	return clusterView{}, err
}

// node finds a node by id; nil: none.
func (r *rig) node(id string) *process {
	for _, n := range r.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// terms sums the terms of all groups: their growth counts elections.
func (r *rig) terms(ctx context.Context) (uint64, error) {
	view, err := r.view(ctx)
	var sum uint64
	for _, g := range view.Groups {
		sum += g.Term
	}
	return sum, err
}

// close ends every process of the rig.
func (r *rig) close() {
	var wg sync.WaitGroup
	for _, n := range r.nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n.end()
		}()
	}
	wg.Wait()
}

// freePorts finds four ports.
func freePorts() (ports [4]string, err error) {
	base, err := freeport.Ports(len(ports))
	for i := range ports {
		ports[i] = strconv.Itoa(base + i)
	}
	return ports, err
}
