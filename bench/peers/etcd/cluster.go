package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"go.etcd.io/etcd/api/v3/version"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
	"github.com/cloudlicenses/cloudlicenses/internal/freeport"
)

// members of the cluster.
const members = 3

// flags of every member beside its addresses. Nothing here touches durability:
// by default etcd syncs its log before it answers.
var flags = []string{
	"--log-level=error",
	"--quota-backend-bytes=8589934592",
	"--auto-compaction-mode=periodic",
	"--auto-compaction-retention=1m",
}

// Etcd is the peer.
type Etcd struct{}

// Name of the peer.
func (Etcd) Name() string { return "etcd" }

// Guarantee of an acknowledged transaction.
func (Etcd) Guarantee() string {
	return "on the disks of two of three members, agreed on by Raft: it survives the loss of any one, and there is one leader at a time"
}

// Install has nothing to do: the server is a part of this program.
func (Etcd) Install(context.Context) error { return nil }

// cluster is a leader and its followers.
type cluster struct {
	leader    string         // its clients' endpoint
	processes peer.Processes // the leader's is the first
	settings  map[string]string
}

// member is a server's place.
type member struct{ name, client, peer string }

// Start runs all members until they have a leader.
func (Etcd) Start(ctx context.Context, dir string) (peer.Cluster, error) {
	port, err := freeport.Ports(2 * members)
	if err != nil {
		return nil, err
	}
	var all []member
	for i := range members {
		all = append(all, member{name: fmt.Sprintf("e%d", i+1), client: url(port + 2*i), peer: url(port + 2*i + 1)})
	}
	c := &cluster{}
	if err := c.start(ctx, dir, all); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func url(port int) string { return "http://" + freeport.Loopback(port) }

func (c *cluster) start(ctx context.Context, dir string, all []member) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var peers []string
	for _, m := range all {
		peers = append(peers, m.name+"="+m.peer)
	}
	for _, m := range all {
		args := append([]string{
			nodeCommand, "--name=" + m.name, "--data-dir=" + filepath.Join(dir, m.name),
			"--listen-client-urls=" + m.client, "--advertise-client-urls=" + m.client,
			"--listen-peer-urls=" + m.peer, "--initial-advertise-peer-urls=" + m.peer,
			"--initial-cluster=" + strings.Join(peers, ","), "--initial-cluster-state=new",
		}, flags...)
		p, err := peer.StartProcess(m.name, filepath.Join(dir, m.name+".log"), exec.Command(program, args...))
		if err != nil {
			return err
		}
		c.processes = append(c.processes, p)
	}
	for i, m := range all {
		var leads bool
		if err := c.processes[i].Await(ctx, func(ctx context.Context) error {
			var err error
			leads, err = meet(ctx, m)
			return err
		}); err != nil {
			return err
		}
		if leads {
			c.leader = m.client
			c.processes[0], c.processes[i] = c.processes[i], c.processes[0]
		}
	}
	if c.leader == "" {
		return errors.New("etcd: the leader changed while the cluster started")
	}
	c.settings = map[string]string{
		"version":  version.Version + ", as a Go module",
		"nodes":    fmt.Sprintf("%d members", members),
		"flags":    strings.Join(flags, " "),
		"client":   "clientv3, one connection to the leader, shared by all callers",
		"log_sync": "before each answer (the default)",
	}
	return nil
}

// meet fails until m answers, and tells whether it leads.
func meet(ctx context.Context, m member) (leads bool, err error) {
	client, err := connect(ctx, m.client)
	if err != nil {
		return false, err
	}
	defer client.Close()
	// A linearizable read: the cluster works, and this member is a part of it.
	if _, err := client.Get(ctx, "nothing"); err != nil {
		return false, err
	}
	status, err := client.Status(ctx, m.client)
	if err != nil {
		return false, err
	}
	return status.Leader == status.Header.MemberId, nil
}

func connect(ctx context.Context, endpoint string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Context: ctx, Endpoints: []string{endpoint}, Logger: zap.NewNop()})
}

// Settings as the program was built and the members were started.
func (c *cluster) Settings() map[string]string { return c.settings }

// Processes are the ids of the members.
func (c *cluster) Processes() []int { return c.processes.IDs() }

// Stop ends the members at once: asked in order, a leader hands over first, and
// the last two would wait for a quorum.
func (c *cluster) Stop() error { return c.processes.Stop(syscall.SIGKILL) }
