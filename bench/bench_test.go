package bench

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// serverBinary is the server, built once for all tests.
var serverBinary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "cloudlicenses-bench-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	serverBinary = filepath.Join(folder, "cloudlicenses")
	build := exec.Command("go", "build", "-o", serverBinary, "github.com/cloudlicenses/cloudlicenses/cmd/cloudlicenses")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	code := 1
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the server:", err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func quickConfig(t *testing.T) Config {
	return Config{
		Binary: serverBinary, Dir: t.TempDir(), Commit: "test",
		Scenarios: []string{Hot, Spread}, Callers: []int{8}, Pools: 20, Duration: time.Second, Warmup: 200 * time.Millisecond,
		Mode: ModeHTTP, Nodes: 3, Groups: []int{1}, Tenants: 1, Route: RouteLeader, Seed: 1,
	}
}

func requireSound(t *testing.T, r *load.Result) {
	t.Helper()
	require.Positive(t, r.Operations, r.Name())
	require.Zero(t, r.Failed, "%s: %v", r.Name(), r.Errors)
	require.Zero(t, r.Refused, r.Name())
	requireAccount(t, r)
	require.Positive(t, r.ServerCPU, r.Name())
	require.Less(t, r.Latency.P50, 1e6, r.Name())
}

// requireAccount demands that a system has the leases that its callers hold, and
// counts them. The echo keeps no account.
func requireAccount(t *testing.T, r *load.Result) {
	t.Helper()
	if r.System != systemEcho {
		require.Equal(t, load.Account{Counted: r.Account.Held, Leases: r.Account.Held, Held: r.Account.Held}, r.Account, r.Name())
	}
}

// TestCluster loads three server processes and the echo.
func TestCluster(t *testing.T) {
	cfg := quickConfig(t)
	cfg.Echo, cfg.HalfRate = true, true
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Len(t, report.Results, 5)
	for i := range report.Results {
		requireSound(t, &report.Results[i])
	}
	hot, half := report.Results[1], report.Results[2]
	require.Equal(t, Hot, hot.Scenario)
	require.Greater(t, hot.FsyncMicros, 1.0)
	require.NotContains(t, hot.Figures, "forwarded_requests")
	require.InEpsilon(t, hot.OpsPerSecond/2, half.RateAsked, 0.001)
	left, err := filepath.Glob(filepath.Join(cfg.Dir, "*"))
	require.NoError(t, err)
	require.Empty(t, left, "data folders are removed")
}

// TestSecuredCluster asks any node of a cluster with TLS, in batches.
func TestSecuredCluster(t *testing.T) {
	cfg := quickConfig(t)
	cfg.TLS, cfg.Route, cfg.Batch, cfg.Scenarios = true, RouteAny, 10, []string{Spread}
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	r := report.Results[0]
	requireSound(t, &r)
	require.Positive(t, r.Figures["forwarded_requests"])
	require.Equal(t, 10, r.Batch)
	require.Zero(t, r.Operations%10)
}

// Seats that are held while the accounts are read are seen by both sides.
func TestVerifyReadsWhatIsHeld(t *testing.T) {
	c, err := startRig(t.Context(), rigConfig{binary: serverBinary, dir: t.TempDir(), nodes: 1, groups: 1})
	require.NoError(t, err)
	t.Cleanup(c.stop)
	tenant, err := c.createTenant(t.Context(), benchTenant, benchProduct, 150)
	require.NoError(t, err)
	target := c.target([]Tenant{tenant}, 150)
	target.batch = 120
	caller, err := target.Caller(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, caller.Checkout(100))
	account, err := target.Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, load.Account{Counted: 120, Leases: 120}, account)
	require.NoError(t, caller.Close())
	account, err = target.Verify(t.Context())
	require.NoError(t, err)
	require.Zero(t, account)
}

// TestRunningCluster loads a cluster that this run has not started, whose tenant
// has another lease already.
func TestRunningCluster(t *testing.T) {
	c, err := startRig(t.Context(), rigConfig{binary: serverBinary, dir: t.TempDir(), nodes: 1, groups: 1})
	require.NoError(t, err)
	t.Cleanup(c.stop)
	tenant, err := c.createTenant(t.Context(), benchTenant, "cad", 5)
	require.NoError(t, err)
	target := c.target([]Tenant{tenant}, 5)
	target.product = "cad"
	target.prepare()
	other, err := target.Caller(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, other.Checkout(3))
	cfg := quickConfig(t)
	cfg.URL, cfg.Host, cfg.APIKey, cfg.Product, cfg.Pools = "http://"+c.servers[0].http, tenant.ID+"."+domain, tenant.Key, "cad", 5
	cfg.Groups, cfg.Batch = []int{usualGroups}, 2
	report, err := Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Len(t, report.Results, 2)
	for _, r := range report.Results {
		require.Positive(t, r.Operations, r.Name())
		require.Zero(t, r.Failed, "%s: %v", r.Name(), r.Errors)
		require.Equal(t, r.Account.Held+1, r.Account.Leases, r.Name())
		require.Zero(t, r.FsyncMicros, "its disk is not here")
		require.Equal(t, "running cluster, batch of 2", r.Scheme)
	}
	for want, spoil := range map[string]func(*Config){
		"401 unauthenticated: ":           func(c *Config) { c.APIKey = "clsk_bench_wrong" },
		"add --host TENANT.DOMAIN":        func(c *Config) { c.Host = "" },
		"paint-0000, of --product and":    func(c *Config) { c.Product = "paint" },
		"cad-0005, of --product and":      func(c *Config) { c.Pools = 6 },
		"connect: connection refused":     func(c *Config) { c.URL = "http://127.0.0.1:1" },
		"want one such as http://127.0.0": func(c *Config) { c.URL = "127.0.0.1:8080" },
	} {
		spoiled := cfg
		spoil(&spoiled)
		_, err := Run(t.Context(), spoiled)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, other.Close())
}

func TestRefusalAndUnknownPool(t *testing.T) {
	c, err := startRig(t.Context(), rigConfig{binary: serverBinary, dir: t.TempDir(), nodes: 1, groups: 1})
	require.NoError(t, err)
	t.Cleanup(c.stop)
	tenant, err := c.createTenant(t.Context(), benchTenant, benchProduct, 1)
	require.NoError(t, err)
	target := c.target([]Tenant{tenant}, 2)
	caller, err := target.Caller(t.Context(), 0)
	require.NoError(t, err)
	require.ErrorContains(t, caller.Checkout(1), "product_not_found")
	require.NoError(t, caller.Checkout(0))
	require.NoError(t, caller.Close())
}

func TestConfigErrors(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"no scenario \"warm\"": func(c *Config) { c.Scenarios = []string{"warm"} },
		"0 callers":            func(c *Config) { c.Callers = []int{0} },
		"no route":             func(c *Config) { c.Route = "detour" },
		"a batch of 1001":      func(c *Config) { c.Batch = 1001 },
		"a rate of +Inf":       func(c *Config) { c.Rate = math.Inf(1) },
		"a rate of NaN":        func(c *Config) { c.Rate = math.NaN() },
		"0 kills":              func(c *Config) { c.Scenarios = []string{"kills"} },
		"1500 leases":          func(c *Config) { c.Scenarios, c.Sizes.Leases = []string{"million"}, 1500 },
		"one of each":          func(c *Config) { c.Scenarios, c.Tenants = []string{Spread}, 21 },
		"one pool of one":      func(c *Config) { c.Tenants = 2 },
		"peers are measured":   func(c *Config) { c.Peers, c.Rate = []string{"redis"}, 5 },
		"0 pools":              func(c *Config) { c.Pools = 0 },
		"with --out":           func(c *Config) { c.Profile = "cpu" },
		"(/debug/pprof)":       func(c *Config) { c.Profile, c.Out, c.URL = "cpu", "out", "http://a.localhost:1" },
		"scenario idle wants": func(c *Config) {
			c.Scenarios, c.Sizes.Idle, c.URL = []string{Hot, "idle"}, time.Second, "http://a.localhost:1"
		},
		"name one of them":  func(c *Config) { c.Scenarios, c.Batch = []string{"tls"}, 10 },
		"a rate of its own": func(c *Config) { c.Scenarios, c.HalfRate, c.Sizes.Idle = []string{"idle"}, true, time.Second },
		"no such file":      func(c *Config) { c.Dir = filepath.Join(c.Dir, "none") },
	} {
		cfg := quickConfig(t)
		spoil(&cfg)
		_, err := Run(t.Context(), cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestFolderInMemoryIsRefused(t *testing.T) {
	_, err := newFolder("/dev/shm")
	require.ErrorContains(t, err, "in memory")
}

func TestParseHead(t *testing.T) {
	r, n, err := parseHead([]byte("HTTP/1.1 201 Created\r\nX-LEADER: http://a:1\r\ncontent-length:  12\r\n"))
	require.NoError(t, err)
	require.Equal(t, 201, r.status)
	require.Equal(t, "http://a:1", string(r.leader))
	require.Equal(t, 12, n)
	for _, head := range []string{"", "HTTP/1.1 2", "HTTP/1.1 abc\r\nContent-Length: 1\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n"} {
		_, _, err := parseHead([]byte(head))
		require.Error(t, err, head)
	}
	require.False(t, isHeader([]byte(strings.Repeat("c", 14)), "content-length"))
}
