package bench

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// machine is what cmd makes of both machines.
type machine interface {
	Apply(index uint64, stampMillis int64, commands [][]byte, wantResults bool) ([][]byte, error)
	AppliedIndex() uint64
	Admit(nowMillis int64, command []byte) []byte
	Small(command []byte) bool
	Lead(node string) []byte
	Due(nowMillis int64) []byte
	Query(query []byte) ([]byte, error)
	Snapshot() (fsm.Snapshot, error)
	Restore(dir string) error
	Close() error
}

type hosted struct{ machine }

func (h hosted) Apply(e cluster.Entry) ([][]byte, error) {
	return h.machine.Apply(e.Index, e.StampMillis, e.Commands, e.WantResults)
}

func (h hosted) Snapshot() (cluster.Snapshot, error) { return h.machine.Snapshot() }

func openMachine(group cluster.GroupID, dir string) (cluster.Machine, error) {
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	if group == 0 {
		m, err := directory.Open(directory.Config{Dir: dir, Logger: logger})
		return hosted{m}, err
	}
	m, err := license.Open(license.Config{Dir: dir, Logger: logger, Group: uint32(group)})
	return hosted{m}, err
}

// TestEngine loads the engine with two numbers of groups, and its baseline.
func TestEngine(t *testing.T) {
	cfg := quickConfig(t)
	cfg.Mode, cfg.Groups, cfg.Tenants, cfg.EngineBaseline, cfg.OpenMachine = ModeEngine, []int{1, 2}, 2, true, openMachine
	cfg.Scenarios, cfg.Profile, cfg.Out = []string{Spread}, "cpu", t.TempDir()
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Len(t, report.Results, 3)
	for i := range report.Results {
		r := &report.Results[i]
		require.Positive(t, r.Operations, r.Name())
		require.Zero(t, r.Failed, "%s: %v", r.Name(), r.Errors)
		requireAccount(t, r)
		require.Positive(t, r.ClientCPU, r.Name())
	}
	require.Equal(t, "1 group, 2 tenants", report.Results[0].Scheme)
	require.Equal(t, schemePlain, report.Results[2].Scheme)
	profiles, err := filepath.Glob(filepath.Join(cfg.Out, "*.cpu.pprof"))
	require.NoError(t, err)
	require.Len(t, profiles, 3)
	for _, p := range profiles {
		info, err := os.Stat(p)
		require.NoError(t, err)
		require.Positive(t, info.Size())
	}
}

// Seats of the engine that are held are seen by counters and leases.
func TestEngineVerifies(t *testing.T) {
	e, err := startEngine(t.Context(), engineConfig{dir: t.TempDir(), nodes: 1, groups: 1, open: openMachine})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.stop()) })
	target, err := e.target(t.Context(), 1, 3)
	require.NoError(t, err)
	caller, err := target.Caller(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, caller.Checkout(2))
	account, err := target.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, load.Account{Counted: 1, Leases: 1}, account)
	require.NoError(t, caller.Close())
	account, err = target.Verify(t.Context())
	require.NoError(t, err)
	require.Zero(t, account)
}

// TestStudies makes the studies small and looks at what they report.
func TestStudies(t *testing.T) {
	cfg := quickConfig(t)
	cfg.Scenarios = []string{"million", "billing", "dashboards", "idle", "kills", "elections"}
	cfg.Sizes = Sizes{Leases: 5000, BilledTenants: 3, BilledRecords: 60, Dashboards: 6, Kills: 2, Idle: time.Second, Elections: time.Second, SnapshotEntries: 50}
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	figures := map[string]map[string]float64{}
	for _, r := range report.Results {
		figures[r.Scenario] = r.Figures
		require.Equal(t, report.Go, r.Go, r.Name())
		require.False(t, r.Started.Before(report.Started), r.Name())
	}
	million := figures["million"]
	require.InDelta(t, 5000, million["leases"], 0)
	for _, name := range []string{
		"fill_leases_per_second", "memory_per_node_mib", "snapshots", "probes", "longest_with_snapshot_ms",
		"restart_after_kill_seconds", "restart_after_drain_seconds", "data_folder_mib",
	} {
		require.Positive(t, million[name], name)
	}
	require.InDelta(t, 60, figures["billing"]["records"], 0)
	for _, name := range []string{"export_csv_seconds", "export_json_seconds", "p99_us", "p99_beside_exports_us", "exports_beside"} {
		require.Positive(t, figures["billing"][name], name)
	}
	for _, name := range []string{"p50_us", "p50_us_with_dashboards", "server_cpu_seconds_per_100k_with_dashboards", "told_bytes_per_second"} {
		require.Positive(t, figures["dashboards"][name], name)
	}
	require.Contains(t, figures["idle"], "cpu_percent_of_one_core")
	require.InDelta(t, 2, figures["kills"]["kills"], 0)
	require.Positive(t, figures["kills"]["operations"])
	require.Positive(t, figures["kills"]["without_service_median_ms"])
	require.GreaterOrEqual(t, figures["kills"]["without_service_worst_ms"], figures["kills"]["without_service_median_ms"])
	require.Zero(t, figures["kills"]["lost"]+figures["kills"]["doubled"])
	require.Contains(t, figures["elections"], "elections")
}

// A lease that the cluster lost, and one that nobody was given, are found.
func TestKillsAccountFindsFaults(t *testing.T) {
	c, err := startRig(t.Context(), rigConfig{binary: serverBinary, dir: t.TempDir(), nodes: 1, groups: 1})
	require.NoError(t, err)
	t.Cleanup(c.stop)
	tenant, err := c.createTenant(t.Context(), benchTenant, benchProduct, 2)
	require.NoError(t, err)
	k := &killing{rig: c, target: c.target([]Tenant{tenant}, 2)}
	conns := []*conn{newConn(k.target.addrs[0], nil)}
	t.Cleanup(conns[0].close)
	lease, err := k.insist(conns, 0, "checkout", "once", `{"product_id":"p-0000","user":"u"}`, 201)
	require.NoError(t, err)
	again, err := k.insist(conns, 0, "checkout", "once", `{"product_id":"p-0000","user":"u"}`, 201)
	require.NoError(t, err)
	require.Equal(t, lease, again, "the same key gets the same lease")
	k.held = []map[string]bool{{lease: true}}
	lost, doubled, err := k.account(t.Context())
	require.NoError(t, err)
	require.Zero(t, lost+doubled)
	k.held = []map[string]bool{{"lease-4711": true}}
	lost, doubled, err = k.account(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, lost)
	require.Equal(t, 1, doubled)
}
