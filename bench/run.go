package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// Names of the systems in results.
const (
	systemCluster = "cloudlicenses"
	systemEcho    = "echo"
)

// benchTenant and benchProduct are what an own cluster is loaded with.
const (
	benchTenant  = "bench"
	benchProduct = "p"
)

// Report is what a run has measured.
type Report struct {
	Started time.Time     `json:"started"`
	Commit  string        `json:"commit"`
	Results []load.Result `json:"results"`
	// Missing names what could not be measured, and why.
	Missing []string `json:"missing,omitempty"`
}

// runner measures one thing after the other into a report.
type runner struct {
	cfg    Config
	dir    string // of this run
	report *Report
}

// Run measures what cfg asks for. The report holds what was measured, also
// where an error ended the run.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Progress == nil {
		cfg.Progress = silence{}
	}
	r := &runner{cfg: cfg, report: &Report{Started: time.Now().UTC().Truncate(time.Second), Commit: cfg.Commit}}
	var err error
	if r.dir, err = newFolder(cfg.Dir); err != nil {
		return r.report, err
	}
	defer func() { _ = os.RemoveAll(r.dir) }()
	if cfg.Echo {
		if err := r.echo(ctx); err != nil {
			return r.report, fmt.Errorf("echo: %w", err)
		}
	}
	return r.report, r.cluster(ctx)
}

// echo measures the echo with every number of callers.
func (r *runner) echo(ctx context.Context) error {
	e, err := startEcho(ctx, r.cfg.Binary, r.dir)
	if err != nil {
		return err
	}
	defer func() { _ = e.stop(syscall.SIGKILL) }()
	t := &httpTarget{
		system: systemEcho, domain: domain, addrs: []string{e.addr}, silent: true,
		tenants: []Tenant{{ID: benchTenant, Key: echoKey}}, product: benchProduct, perTenant: 1,
	}
	t.prepare()
	return r.load(ctx, t, load.Options{System: systemEcho, Scenario: Hot, Pools: 1, Servers: []int{e.pid()}}, nil)
}

// cluster measures every scenario on one cluster.
func (r *runner) cluster(ctx context.Context) error {
	t, pids, done, err := r.prepareCluster(ctx)
	if err != nil {
		return err
	}
	defer done()
	for _, scenario := range r.cfg.Scenarios {
		o := load.Options{System: systemCluster, Scenario: scenario, Pools: 1, Seats: max(r.cfg.Batch, 1), Servers: pids, Dir: r.dir}
		if scenario == Spread {
			o.Pools = r.cfg.Pools
		}
		if r.cfg.Batch > 0 {
			o.Scheme = fmt.Sprintf("batch of %d", r.cfg.Batch)
		}
		if err := r.load(ctx, t, o, r.settings()); err != nil {
			return err
		}
	}
	return nil
}

// settings are those of the cluster under load.
func (r *runner) settings() map[string]string {
	s := map[string]string{"route": r.cfg.Route, "tls": strconv.FormatBool(r.cfg.TLS)}
	if r.cfg.URL == "" {
		s["nodes"], s["groups"] = strconv.Itoa(r.cfg.Nodes), strconv.Itoa(r.cfg.Groups)
	} else {
		s["url"] = r.cfg.URL
	}
	return s
}

// prepareCluster returns the cluster to be measured: the one that was named, or
// its own, with a tenant that has all pools. done stops it.
func (r *runner) prepareCluster(ctx context.Context) (t *httpTarget, pids []int, done func(), err error) {
	if r.cfg.URL != "" {
		t, err := r.running(ctx)
		return t, nil, func() {}, err
	}
	c, err := startCluster(ctx, clusterConfig{
		binary: r.cfg.Binary, dir: filepath.Join(r.dir, "cluster"), nodes: r.cfg.Nodes, groups: r.cfg.Groups, secured: r.cfg.TLS,
	})
	if err != nil {
		return nil, nil, nil, err
	}
	tenant, err := c.createTenant(ctx, benchTenant, benchProduct, r.cfg.Pools)
	if err == nil {
		t = c.target([]Tenant{tenant}, r.cfg.Pools)
		t.batch = r.cfg.Batch
		if r.cfg.Route == RouteLeader {
			err = t.findLeaders()
		}
	}
	if err != nil {
		c.stop()
		return nil, nil, nil, err
	}
	return t, c.pids(), c.stop, nil
}

// load measures a target with every number of callers, and at half of its best
// rate where that was asked for.
func (r *runner) load(ctx context.Context, t *httpTarget, o load.Options, settings map[string]string) error {
	o.Duration, o.Warmup, o.Seed, o.Rate = r.cfg.Duration, r.cfg.Warmup, r.cfg.Seed, r.cfg.Rate
	o.Commit, o.Settings = r.cfg.Commit, settings
	best := load.Result{}
	for _, callers := range r.cfg.Callers {
		o.Callers = callers
		result, err := r.measure(ctx, t, o)
		if err != nil {
			return err
		}
		if result.OpsPerSecond > best.OpsPerSecond {
			best = result
		}
	}
	if !r.cfg.HalfRate || t.silent || best.Operations == 0 {
		return nil
	}
	o.Callers, o.Rate = best.Callers, best.OpsPerSecond/2
	_, err := r.measure(ctx, t, o)
	return err
}

// measure measures once and adds the result to the report.
func (r *runner) measure(ctx context.Context, t load.Target, o load.Options) (load.Result, error) {
	what := fmt.Sprintf("%s %s, %d callers", o.System, o.Scenario, o.Callers)
	if o.Rate > 0 {
		what += fmt.Sprintf(", %.0f/s asked", o.Rate)
	}
	r.cfg.Progress.Begin(what, o.Warmup+o.Duration)
	var last load.Progress
	o.Progress = func(p load.Progress) {
		if p.Elapsed > last.Elapsed {
			r.cfg.Progress.At(p.Elapsed, float64(p.Operations-last.Operations)/(p.Elapsed-last.Elapsed).Seconds())
		}
		last = p
	}
	result, err := load.Run(ctx, t, o)
	if target, ok := t.(*httpTarget); ok && err == nil {
		if away := target.forwarded.Swap(0); away > 0 {
			result.Figures = map[string]float64{"forwarded_requests": float64(away)}
		}
	}
	r.cfg.Progress.End(summary(&result, err))
	if result.Operations > 0 {
		r.report.Results = append(r.report.Results, result)
	}
	if err != nil {
		return result, fmt.Errorf("%s: %w", what, err)
	}
	return result, nil
}

// summary is a result in a line.
func summary(r *load.Result, err error) string {
	if err != nil {
		return "failed: " + err.Error()
	}
	s := fmt.Sprintf("%.0f/s, p50 %.0f µs, p99 %.0f µs", r.OpsPerSecond, r.Latency.P50, r.Latency.P99)
	if r.Failed > 0 {
		s += fmt.Sprintf(", %d failed: %s", r.Failed, r.Errors[0])
	}
	return s
}
