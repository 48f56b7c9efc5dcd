package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gomodule/redigo/redis"

	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
	"github.com/cloudlicenses/cloudlicenses/internal/freeport"
)

// nodes: the first is the master.
const nodes = 3

// Redis is the peer.
type Redis struct{}

// Name of the peer.
func (Redis) Name() string { return "redis" }

// Guarantee of an acknowledged write.
func (Redis) Guarantee() string {
	return "on the disks of the master and of one of two replicas. WAIT is no consensus: a failover may choose the other replica and lose the write, " +
		"a write whose WAIT failed may stay, and a master that was cut off goes on granting seats"
}

// binary is the server, whether Debian's redis-server is installed or only
// redis-tools, which holds the same program under the name of a tool it can be:
// it goes by the name it is called by. Installing the latter starts no service.
func binary() (path string, ok bool) {
	if path, err := exec.LookPath("redis-server"); err == nil {
		return path, true
	}
	path, err := exec.LookPath("redis-check-rdb")
	return path, err == nil
}

// Install takes Redis from Debian.
func (Redis) Install(ctx context.Context) error {
	if _, ok := binary(); ok {
		return nil
	}
	if err := peer.InstallPackages(ctx, "redis", "get install --no-install-recommends redis-tools"); err != nil {
		return err
	}
	if _, ok := binary(); !ok {
		return fmt.Errorf("redis %w: package redis-tools has no server", peer.ErrNotInstalled)
	}
	return nil
}

// cluster is a master and its replicas.
type cluster struct {
	address   string // of the master
	processes peer.Processes
	settings  map[string]string
}

// Start runs the master, then its replicas, until both follow.
func (Redis) Start(ctx context.Context, dir string) (peer.Cluster, error) {
	port, err := freeport.Ports(nodes)
	if err != nil {
		return nil, err
	}
	c := &cluster{address: freeport.Loopback(port)}
	if err := c.start(ctx, dir, port); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// start runs the nodes on ports in a row, the master on the first.
func (c *cluster) start(ctx context.Context, dir string, first int) error {
	for i := range nodes {
		address := freeport.Loopback(first + i)
		p, err := startNode(filepath.Join(dir, fmt.Sprintf("r%d", i+1)), first+i, first)
		if err != nil {
			return err
		}
		c.processes = append(c.processes, p)
		if err := p.Await(ctx, func(ctx context.Context) error { return ping(ctx, address) }); err != nil {
			return err
		}
	}
	if err := c.processes[0].Await(ctx, c.followed); err != nil {
		return err
	}
	for i := range nodes {
		if err := c.readSettings(ctx, freeport.Loopback(first+i)); err != nil {
			return err
		}
	}
	return nil
}

// startNode runs one server; the one on masterPort is the master.
func startNode(dir string, port, masterPort int) (*peer.Process, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lines := []string{
		"bind 127.0.0.1",
		"port " + strconv.Itoa(port),
		"dir " + dir,
		"appendonly yes",
		"appendfsync always",
		// The append-only file is what keeps the data; a snapshot beside it would
		// only cost.
		`save ""`,
		// A rewrite forks; keep it for files that are worth it.
		"auto-aof-rewrite-min-size 1gb",
		"repl-diskless-sync-delay 0",
		"repl-backlog-size 64mb",
	}
	if port != masterPort {
		lines = append(lines, fmt.Sprintf("replicaof 127.0.0.1 %d", masterPort))
	}
	config := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	path, _ := binary()
	cmd := exec.Command(path, config)
	cmd.Args[0] = "redis-server"
	return peer.StartProcess(filepath.Base(dir), filepath.Join(dir, "log"), cmd)
}

func ping(ctx context.Context, address string) error {
	conn, err := redis.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = redis.DoContext(conn, ctx, "PING")
	return err
}

// followed fails until every replica has the master's data.
func (c *cluster) followed(ctx context.Context) error {
	conn, err := redis.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	info, err := redis.String(redis.DoContext(conn, ctx, "INFO", "replication"))
	if err != nil {
		return err
	}
	if online := strings.Count(info, "state=online"); online < nodes-1 {
		return fmt.Errorf("%d of %d replicas follow", online, nodes-1)
	}
	return nil
}

// readSettings asks a running server, and fails where it is less durable than
// it was told to be.
func (c *cluster) readSettings(ctx context.Context, address string) error {
	conn, err := redis.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	settings, err := redis.StringMap(redis.DoContext(conn, ctx, "CONFIG", "GET", "appendonly", "appendfsync", "auto-aof-rewrite-min-size", "io-threads"))
	if err != nil {
		return err
	}
	if settings["appendonly"] != "yes" || settings["appendfsync"] != "always" {
		return fmt.Errorf("redis on %s does not sync each write: %v", address, settings)
	}
	info, err := redis.String(redis.DoContext(conn, ctx, "INFO", "server"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); ok {
			settings["version"] = version
		}
	}
	settings["nodes"] = fmt.Sprintf("a master and %d replicas", nodes-1)
	settings["client"] = "a connection per caller, FCALL and WAIT in one packet"
	settings["wait"] = fmt.Sprintf("%d replica", waitReplicas)
	c.settings = settings
	return nil
}

// Settings as the servers report them.
func (c *cluster) Settings() map[string]string { return c.settings }

// Processes are the ids of the servers.
func (c *cluster) Processes() []int { return c.processes.IDs() }

// Stop ends the servers.
func (c *cluster) Stop() error { return c.processes.Stop(syscall.SIGTERM) }
