package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
	"github.com/cloudlicenses/cloudlicenses/internal/freeport"
)

const (
	// binaries is where Debian keeps those of the version.
	binaries = "/usr/lib/postgresql/15/bin"
	// serverUser runs the servers where this program is root: they refuse to.
	serverUser = "postgres"
	// role owns everything in the database.
	role     = "bench"
	database = "postgres"
	loopback = "127.0.0.1"
)

// names of the servers; the first is the primary.
var names = []string{"p1", "s1", "s2"}

// Postgres is the peer.
type Postgres struct{}

// Name of the peer.
func (Postgres) Name() string { return "postgres" }

// Guarantee of an acknowledged commit.
func (Postgres) Guarantee() string {
	return "on the disks of the primary and of one of two standbys. Nothing fails over by itself; who does it has to find out which standby has the commit, " +
		"and to keep the old primary from serving"
}

// installSteps keep Debian from making a database of its own, which it would
// start with the machine.
const installSteps = `
get install --no-install-recommends postgresql-common
conf=/etc/postgresql-common/createcluster.d/bench-peers.conf
mkdir -p "${conf%/*}"
trap 'rm -f "$conf"' EXIT
echo 'create_main_cluster = false' >"$conf"
get install --no-install-recommends postgresql-15
`

// Install takes PostgreSQL from Debian.
func (Postgres) Install(ctx context.Context) error {
	if installed() {
		return nil
	}
	if err := peer.InstallPackages(ctx, "postgres", installSteps); err != nil {
		return err
	}
	if !installed() {
		return fmt.Errorf("postgres %w: no server in %s", peer.ErrNotInstalled, binaries)
	}
	return nil
}

func installed() bool {
	_, err := os.Stat(filepath.Join(binaries, "postgres"))
	return err == nil
}

// cluster is a primary and its standbys.
type cluster struct {
	dir       string
	port      int // of the primary; the standbys have the next ones
	as        *syscall.Credential
	processes peer.Processes
	settings  map[string]string
}

// Start runs the primary, then copies of it as standbys, until both stream.
func (Postgres) Start(ctx context.Context, dir string) (peer.Cluster, error) {
	port, err := freeport.Ports(len(names))
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, port: port}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *cluster) start(ctx context.Context) error {
	if err := c.becomeServerUser(); err != nil {
		return err
	}
	primary := filepath.Join(c.dir, names[0])
	if err := c.run(ctx, "initdb", "-D", primary, "-U", role, "--auth=trust", "--no-locale", "--encoding=UTF8"); err != nil {
		return err
	}
	if err := configure(primary); err != nil {
		return err
	}
	if err := c.startServer(ctx, names[0], c.port); err != nil {
		return err
	}
	for i, name := range names[1:] {
		if err := c.run(ctx, "pg_basebackup", "-h", loopback, "-p", strconv.Itoa(c.port), "-U", role, "-D", filepath.Join(c.dir, name),
			"--write-recovery-conf", "--checkpoint=fast", "--create-slot", "--slot="+name); err != nil {
			return err
		}
		if err := c.startServer(ctx, name, c.port+1+i); err != nil {
			return err
		}
	}
	if err := c.processes[0].Await(ctx, c.followed); err != nil {
		return err
	}
	for i := range names {
		if err := c.readSettings(ctx, c.port+i); err != nil {
			return err
		}
	}
	return nil
}

// becomeServerUser gives the folder to the user that runs the servers.
func (c *cluster) becomeServerUser() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(serverUser)
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := peer.OpenToOthers(c.dir); err != nil {
		return err
	}
	return os.Chown(c.dir, int(uid), int(gid))
}

// command runs one of PostgreSQL's programs as the server's user.
func (c *cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, program), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

func (c *cluster) run(ctx context.Context, program string, args ...string) error {
	if out, err := c.command(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// startServer runs the server of a data folder that is there.
func (c *cluster) startServer(ctx context.Context, name string, port int) error {
	// The server outlives ctx: it is stopped in order.
	cmd := c.command(context.WithoutCancel(ctx), "postgres", "-D", filepath.Join(c.dir, name), "-p", strconv.Itoa(port), "-c", "cluster_name="+name)
	p, err := peer.StartProcess(name, filepath.Join(c.dir, name+".log"), cmd)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, p)
	return p.Await(ctx, func(ctx context.Context) error {
		conn, err := connect(ctx, port)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

func connect(ctx context.Context, port int) (*pgx.Conn, error) {
	return pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=disable application_name=bench", loopback, port, role, database))
}

// followed fails until every standby streams, counts for commits and has
// applied all that was written.
func (c *cluster) followed(ctx context.Context) error {
	conn, err := connect(ctx, c.port)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var level int
	err = conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_replication
		WHERE state = 'streaming' AND sync_state = 'quorum' AND replay_lsn >= pg_current_wal_lsn()`).Scan(&level)
	if err != nil {
		return err
	}
	if level < len(names)-1 {
		return fmt.Errorf("%d of %d standbys are level", level, len(names)-1)
	}
	return nil
}

// Settings as the servers report them.
func (c *cluster) Settings() map[string]string { return c.settings }

// Processes are the ids of the servers.
func (c *cluster) Processes() []int { return c.processes.IDs() }

// Stop ends the servers at once: their data are of no more use.
func (c *cluster) Stop() error { return c.processes.Stop(syscall.SIGQUIT) }
