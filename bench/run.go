package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// Names of the systems in results.
const (
	systemCluster = "cloudlicenses"
	systemEcho    = "echo"
	systemEngine  = "engine"
)

// benchTenant and benchProduct are what an own cluster is loaded with.
const (
	benchTenant  = "bench"
	benchProduct = "p"
)

// runner measures one thing after the other into a report.
type runner struct {
	cfg    Config
	dir    string // of this run
	rigs   int    // started so far
	report *Report
	// profiles counts those written so far, by their names.
	profiles map[string]int
}

// Run measures what cfg asks for. The report holds what was measured, also
// where an error ended the run.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	r, err := newRunner(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(r.dir) }()
	if r.cfg.Echo {
		if err := r.echo(ctx, r.cfg.Callers); err != nil {
			return r.report, fmt.Errorf("echo: %w", err)
		}
	}
	if err := r.loads(ctx); err != nil {
		return r.report, err
	}
	for _, name := range r.cfg.Scenarios {
		if study := studies[name]; study.run != nil {
			if err := study.run(r, ctx); err != nil {
				return r.report, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if r.cfg.EngineBaseline {
		if err := r.baseline(ctx, r.scenarios(), r.cfg.Callers); err != nil {
			return r.report, fmt.Errorf("baseline of the engine: %w", err)
		}
	}
	return r.report, r.peers(ctx, r.cfg.Peers, r.scenarios(), r.cfg.Callers)
}

func newRunner(cfg Config) (*runner, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Progress == nil {
		cfg.Progress = silence{}
	}
	r := &runner{cfg: cfg, report: newReport(cfg.Commit), profiles: map[string]int{}}
	if cfg.Out != "" {
		if err := os.MkdirAll(cfg.Out, 0o755); err != nil {
			return nil, err
		}
	}
	var err error
	r.dir, err = newFolder(cfg.Dir)
	return r, err
}

// scenarios are those that are loads.
func (r *runner) scenarios() []string {
	return slices.DeleteFunc(slices.Clone(r.cfg.Scenarios), func(s string) bool { return s != Hot && s != Spread })
}

// loads measures the scenarios that are loads, with every number of groups.
func (r *runner) loads(ctx context.Context) error {
	scenarios := r.scenarios()
	if len(scenarios) == 0 {
		return nil
	}
	for _, groups := range r.cfg.Groups {
		p := r.plan()
		p.groups = groups
		if err := r.run(ctx, p, scenarios, r.cfg.Callers); err != nil {
			return err
		}
	}
	return nil
}

// plan says what a load runs on.
type plan struct {
	mode          string
	nodes, groups int
	tenants       int
	pools         int // of each tenant
	tls           bool
	route         string
	batch         int
	tell          string // what a sweep varies, in place of the number of tenants
	running       string // URL of a cluster that runs already; empty: it is started
}

// Usual values of a plan; a scheme names what differs from them.
const (
	usualNodes  = 3
	usualGroups = 3
)

// usual is a plan without a scheme.
var usual = plan{nodes: usualNodes, groups: usualGroups, tenants: 1, pools: 1}

// plan is what the flags ask for.
func (r *runner) plan() plan {
	return plan{
		mode: r.cfg.Mode, nodes: r.cfg.Nodes, groups: r.cfg.Groups[0], tenants: r.cfg.Tenants, pools: r.cfg.Pools / r.cfg.Tenants,
		tls: r.cfg.TLS, route: r.cfg.Route, batch: r.cfg.Batch, running: r.cfg.URL,
	}
}

// scheme names what is unusual about a plan.
func (p plan) scheme() string {
	var parts []string
	add := func(unusual bool, format string, a ...any) {
		if unusual {
			parts = append(parts, fmt.Sprintf(format, a...))
		}
	}
	add(p.running != "", "running cluster")
	add(p.nodes != usualNodes, "%d nodes", p.nodes)
	add(p.groups != usualGroups, "%s", plural(p.groups, "group"))
	add(p.tell != "", "%s", p.tell)
	add(p.tenants > 1 && p.tell == "", "%d tenants", p.tenants)
	add(p.tls, "TLS")
	add(p.route == RouteAny, "any node")
	add(p.batch > 0, "batch of %d", p.batch)
	return strings.Join(parts, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// settings are those of a plan.
func (p plan) settings() map[string]string {
	if p.running != "" {
		return map[string]string{"url": p.running, "route": p.route}
	}
	s := map[string]string{"nodes": strconv.Itoa(p.nodes), "groups": strconv.Itoa(p.groups), "tenants": strconv.Itoa(p.tenants)}
	if p.mode == ModeHTTP {
		s["route"], s["tls"] = p.route, strconv.FormatBool(p.tls)
	}
	return s
}

// subject is what is under load.
type subject struct {
	target load.Target
	system string
	plan   plan
	rig    *rig  // of server processes; nil: none, or not ours
	pids   []int // of servers that are no rig
}

// run measures scenarios with numbers of callers on a plan of its own.
func (r *runner) run(ctx context.Context, p plan, scenarios []string, callers []int) error {
	return r.with(ctx, p, func(s *subject) error {
		for _, scenario := range scenarios {
			if err := r.load(ctx, s, scenario, callers); err != nil {
				return err
			}
		}
		return nil
	})
}

// with starts what a plan describes, calls do, and stops it.
func (r *runner) with(ctx context.Context, p plan, do func(*subject) error) error {
	what := "starting " + strings.TrimSpace(p.mode+" "+p.scheme())
	if p.running != "" {
		what = "connecting to " + p.running
	}
	r.cfg.Progress.Begin(what, 0)
	s, stop, err := r.start(ctx, p)
	if err != nil {
		r.cfg.Progress.End("failed")
		return err
	}
	r.cfg.Progress.End("")
	err = do(s)
	if err != nil && s.rig != nil {
		err = errors.Join(err, s.rig.deaths())
	}
	return errors.Join(err, stop())
}

// start starts what a plan describes; stop ends it and removes its data.
func (r *runner) start(ctx context.Context, p plan) (s *subject, stop func() error, err error) {
	if p.running != "" {
		t, err := r.running(ctx)
		return &subject{target: t, system: systemCluster, plan: p}, func() error { return nil }, err
	}
	r.rigs++
	dir := filepath.Join(r.dir, strconv.Itoa(r.rigs))
	remove := func() error { return os.RemoveAll(dir) }
	if p.mode == ModeEngine {
		e, err := startEngine(ctx, engineConfig{dir: dir, nodes: p.nodes, groups: p.groups, open: r.cfg.OpenMachine})
		if err != nil {
			return nil, nil, errors.Join(err, remove())
		}
		stop = func() error { return errors.Join(e.stop(), remove()) }
		t, err := e.target(ctx, p.tenants, p.pools)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		return &subject{target: t, system: systemEngine, plan: p}, stop, nil
	}
	c, err := startRig(ctx, rigConfig{
		binary: r.cfg.Binary, dir: dir, nodes: p.nodes, groups: p.groups, secured: p.tls, snapshotEntries: r.cfg.Sizes.SnapshotEntries,
	})
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	stop = func() error { c.stop(); return remove() }
	t, err := c.populate(ctx, p)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return &subject{target: t, system: systemCluster, plan: p, rig: c}, stop, nil
}

// echo measures the echo.
func (r *runner) echo(ctx context.Context, callers []int) error {
	s, stop, err := r.startEcho(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for _, n := range callers {
		if _, err := r.measure(ctx, s, r.optionsOf(s, Hot, n)); err != nil {
			return err
		}
	}
	return nil
}

// startEcho starts the echo as a subject.
func (r *runner) startEcho(ctx context.Context) (s *subject, stop func(), err error) {
	e, err := startEcho(ctx, r.cfg.Binary, r.dir)
	if err != nil {
		return nil, nil, err
	}
	t := &httpTarget{
		system: systemEcho, domain: domain, addrs: []string{e.addr}, silent: true,
		tenants: []Tenant{{ID: benchTenant, Key: echoKey}}, product: benchProduct, perTenant: 1,
	}
	t.prepare()
	return &subject{target: t, system: systemEcho, plan: usual, pids: []int{e.pid()}}, func() { _ = e.stop(syscall.SIGKILL) }, nil
}

// baseline measures the engine's baseline.
func (r *runner) baseline(ctx context.Context, scenarios []string, callers []int) error {
	dir := filepath.Join(r.dir, "baseline")
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := startPlain(ctx, dir, r.cfg.OpenMachine)
	if err != nil {
		return err
	}
	t, err := p.target(ctx, r.cfg.Pools)
	for _, scenario := range scenarios {
		for _, n := range callers {
			if err != nil {
				break
			}
			o := r.options(systemEngine, scenario, n)
			o.Scheme, o.Dir, o.Settings = schemePlain, r.dir, usualPlain.settings()
			_, err = r.measure(ctx, &subject{target: t, system: systemEngine}, o)
		}
	}
	return errors.Join(err, p.stop())
}

// schemePlain names the engine's baseline.
const schemePlain = "plain raft-boltdb, a command per entry"

// options are the flags' for a scenario.
func (r *runner) options(system, scenario string, callers int) load.Options {
	o := load.Options{
		System: system, Scenario: scenario, Callers: callers, Pools: 1,
		Duration: r.cfg.Duration, Warmup: r.cfg.Warmup, Rate: r.cfg.Rate, Seed: r.cfg.Seed, Commit: r.cfg.Commit,
	}
	if scenario != Hot {
		o.Pools = r.cfg.Pools
	}
	return o
}

// load measures a scenario with numbers of callers, and at half of the best
// rate where that was asked for.
func (r *runner) load(ctx context.Context, s *subject, scenario string, callers []int) error {
	for _, n := range callers {
		if _, err := r.measure(ctx, s, r.optionsOf(s, scenario, n)); err != nil {
			return err
		}
	}
	if !r.cfg.HalfRate {
		return nil
	}
	return r.half(ctx, s, scenario)
}

// half measures a scenario in an open loop, at half of the highest rate that it
// has reached so far: of a load that was measured several times, the middle one
// counts.
func (r *runner) half(ctx context.Context, s *subject, scenario string) error {
	var best load.Result
	for _, result := range r.report.typical().Results {
		if result.System == s.system && result.Scheme == s.plan.scheme() && result.Scenario == scenario &&
			result.RateAsked == 0 && result.OpsPerSecond > best.OpsPerSecond {
			best = result
		}
	}
	if best.Operations == 0 {
		return fmt.Errorf("half of the highest rate of %s: there is none yet", scenario)
	}
	o := r.optionsOf(s, scenario, best.Callers)
	o.Rate = best.OpsPerSecond / 2
	_, err := r.measure(ctx, s, o)
	return err
}

// optionsOf are the flags' for a scenario of a subject.
func (r *runner) optionsOf(s *subject, scenario string, callers int) load.Options {
	o := r.options(s.system, scenario, callers)
	o.Scheme, o.Batch, o.Dir, o.Settings = s.plan.scheme(), s.plan.batch, r.dir, s.plan.settings()
	if s.plan.running != "" {
		o.Shared, o.Dir, o.Commit = true, "", "" // its disks are not here, and nor is its program
	}
	if scenario != Hot {
		o.Pools = s.plan.tenants * s.plan.pools
	}
	if o.Servers = s.pids; s.pids != nil {
		o.Settings = map[string]string{"nodes": "1"} // the echo: a server, and no cluster
	}
	if s.rig != nil {
		o.Servers = s.rig.pids()
	}
	return o
}

// measure measures once and adds the result to the report.
func (r *runner) measure(ctx context.Context, s *subject, o load.Options) (load.Result, error) {
	what := (&load.Result{System: o.System, Scheme: o.Scheme, Scenario: o.Scenario, Callers: o.Callers, RateAsked: o.Rate}).Name()
	total := o.Warmup + o.Duration
	r.cfg.Progress.Begin(what, total)
	var last load.Progress
	o.Progress = func(p load.Progress) {
		if p.Elapsed > last.Elapsed {
			r.cfg.Progress.At(p.Elapsed, fmt.Sprintf("%.0f/s", float64(p.Operations-last.Operations)/(p.Elapsed-last.Elapsed).Seconds()))
		}
		last = p
	}
	profiled := r.profile(ctx, s, &o)
	var edges []costs
	o.Edge = func(operations int64) {
		if c, err := s.costs(ctx); err == nil { // else there are no figures of them
			c.operations = float64(operations)
			edges = append(edges, c)
		}
	}
	result, err := load.Run(ctx, s.target, o)
	result.Figures = map[string]float64{}
	if len(edges) == 2 {
		result.Figures = edges[1].since(edges[0])
	}
	if t, ok := s.target.(*httpTarget); ok {
		if away := t.forwarded.Swap(0); away > 0 {
			result.Figures["forwarded_requests"] = float64(away)
		}
	}
	if err == nil {
		err = profiled()
	}
	if err == nil && result.Operations == 0 {
		why := "within the time"
		if len(result.Errors) > 0 {
			why = result.Errors[0]
		}
		err = fmt.Errorf("no operation succeeded: %s", why)
	}
	r.cfg.Progress.End(summary(&result, err))
	if err != nil {
		return result, fmt.Errorf("%s: %w", what, err)
	}
	r.report.Results = append(r.report.Results, result)
	return result, nil
}

// summary is a result in a line.
func summary(r *load.Result, err error) string {
	if err != nil {
		return "failed"
	}
	s := fmt.Sprintf("%.0f/s, p50 %.0f µs, p99 %.0f µs", r.OpsPerSecond, r.Latency.P50, r.Latency.P99)
	if r.Failed > 0 && len(r.Errors) > 0 {
		s += fmt.Sprintf(", %d failed: %s", r.Failed, r.Errors[0])
	}
	return s
}

// note adds a result that is not of a load.
func (r *runner) note(scenario, scheme string, p plan, took time.Duration, figures map[string]float64) {
	r.report.Results = append(r.report.Results, load.Result{
		System: systemCluster, Scheme: scheme, Scenario: scenario, Batch: 1, Seconds: took.Seconds(),
		Started: time.Now().Add(-took).UTC().Truncate(time.Second), Commit: r.cfg.Commit, Go: r.report.Go, Machine: r.report.Machine,
		Settings: p.settings(), Figures: figures,
	})
}
