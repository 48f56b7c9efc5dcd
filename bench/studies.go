package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// study is a scenario that is more than a load of alternating checkouts and
// returns.
type study struct {
	name string
	// text says what it measures.
	text string
	run  func(*runner, context.Context) error
	// sweeps measure loads, in an open loop where that was asked for.
	sweeps bool
	// settled callers: as many as it needs, whatever was asked for.
	settled bool
}

// studyList has them in the order of the table.
func studyList() []study {
	return []study{
		{"batch", "hot and spread, and the same in batches of 100 operations", (*runner).batch, true, false},
		{"million", "a million live leases: memory, restart, snapshots", (*runner).million, false, true},
		{"billing", "a month's export of many overage records, and checkouts beside it", (*runner).billing, false, true},
		{"dashboards", "checkouts beside many open streams of events", (*runner).dashboards, false, true},
		{"idle", "CPU time of a cluster that nobody asks", (*runner).idle, false, true},
		{"kills", "the leader killed under load, again and again", (*runner).kills, false, true},
		{"elections", "elections in minutes of full load", (*runner).elections, false, false},
		{"groups", "the engine with 1 to 16 groups under the same load", (*runner).groups, true, false},
		{"tenants", "1 to 10,000 tenants", (*runner).tenants, true, false},
		{"pools", "1 to 1,000,000 pools", (*runner).pools, true, false},
		{"tls", "HTTPS: hold it against hot and spread", (*runner).tls, true, false},
		{"forwarding", "requests to any node: hold them against spread, to the leader", (*runner).forwarding, true, false},
		{"nodes", "five nodes: hold them against spread, on three", (*runner).nodes, true, false},
	}
}

// studies by name.
var studies = map[string]study{}

func init() {
	for _, s := range studyList() {
		studies[s.name] = s
	}
}

// ScenarioNames are all scenarios, those that are loads first.
func ScenarioNames() []string {
	names := []string{Hot, Spread}
	for _, s := range studyList() {
		names = append(names, s.name)
	}
	return names
}

// ScenarioTexts says, in the order of ScenarioNames, what each measures.
func ScenarioTexts() []string {
	texts := []string{"everybody wants a seat of one pool", "everybody wants a seat of one of --pools pools"}
	for _, s := range studyList() {
		texts = append(texts, s.text)
	}
	return texts
}

// SettledCallers reports whether a scenario has as many callers as it needs,
// whatever Config.Callers says.
func SettledCallers(scenario string) bool { return studies[scenario].settled }

// many is the largest number of callers asked for, at which sweeps are made.
func (r *runner) many() int {
	most := 1
	for _, n := range r.cfg.Callers {
		most = max(most, n)
	}
	return most
}

// http is the flags' plan over HTTP: one tenant on a usual cluster.
func (r *runner) http() plan {
	p := r.plan()
	p.mode, p.batch = ModeHTTP, 0
	return p
}

const (
	// batchOperations is how many a request of the study holds.
	batchOperations = 100
	// batchCallers bounds the callers that send batches.
	batchCallers = 64
)

func (r *runner) batch(ctx context.Context) error {
	p := r.http()
	if err := r.run(ctx, p, []string{Hot, Spread}, []int{r.many()}); err != nil {
		return err
	}
	p.batch = batchOperations
	return r.run(ctx, p, []string{Hot, Spread}, []int{min(r.many(), batchCallers)})
}

// groupCounts are the numbers of groups that the engine is measured with, all
// with as many tenants, so that the load is the same.
var groupCounts = []int{1, 2, 4, 8, 16}

func (r *runner) groups(ctx context.Context) error {
	for _, n := range groupCounts {
		p := r.plan()
		p.mode, p.route, p.tls, p.batch = ModeEngine, RouteLeader, false, 0
		p.groups, p.tenants = n, groupCounts[len(groupCounts)-1]
		p.pools = max(r.cfg.Pools/p.tenants, 1)
		if err := r.run(ctx, p, []string{Spread}, []int{r.many()}); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) tenants(ctx context.Context) error {
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		p := r.http()
		p.tenants, p.pools, p.tell = n, 1, plural(n, "tenant")
		if err := r.run(ctx, p, []string{Spread}, []int{r.many()}); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) pools(ctx context.Context) error {
	for _, n := range []int{1, 1000, 10_000, 100_000, 1_000_000} {
		p := r.http()
		p.tenants, p.pools, p.tell = 1, n, plural(n, "pool")
		if err := r.run(ctx, p, []string{Spread}, []int{r.many()}); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) tls(ctx context.Context) error {
	p := r.http()
	p.tls = true
	return r.run(ctx, p, []string{Hot, Spread}, []int{1, r.many()})
}

func (r *runner) forwarding(ctx context.Context) error {
	p := r.http()
	p.route = RouteAny
	return r.run(ctx, p, []string{Spread}, []int{1, r.many()})
}

func (r *runner) nodes(ctx context.Context) error {
	p := r.http()
	p.nodes = 5
	return r.run(ctx, p, []string{Spread}, []int{1, r.many()})
}

// longestSettle is how long a cluster is left alone before it counts as idle, but
// no longer than it is measured.
const longestSettle = 10 * time.Second

// idle measures the CPU time of a cluster with pools that nobody asks.
func (r *runner) idle(ctx context.Context) error {
	p := r.http()
	return r.with(ctx, p, func(s *subject) error {
		settle := min(longestSettle, r.cfg.Sizes.Idle)
		r.cfg.Progress.Begin("idle", settle+r.cfg.Sizes.Idle)
		if err := pause(ctx, settle); err != nil {
			return err
		}
		before, start := load.CPUSeconds(s.rig.pids()), time.Now()
		if err := pause(ctx, r.cfg.Sizes.Idle); err != nil {
			return err
		}
		took := time.Since(start)
		percent := 100 * (load.CPUSeconds(s.rig.pids()) - before) / took.Seconds()
		r.note("idle", p.scheme(), p, took, map[string]float64{"cpu_percent_of_one_core": percent})
		r.cfg.Progress.End(fmt.Sprintf("%.1f %% of one core", percent))
		return nil
	})
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// elections counts the elections in minutes of full load.
func (r *runner) elections(ctx context.Context) error {
	return r.with(ctx, r.http(), func(s *subject) error {
		before, err := s.rig.terms(ctx)
		if err != nil {
			return err
		}
		o := r.optionsOf(s, Spread, r.many())
		o.Scenario, o.Duration, o.Rate = "elections", r.cfg.Sizes.Elections, 0
		if _, err = r.measure(ctx, s, o); err != nil {
			return err
		}
		after, err := s.rig.terms(ctx)
		if err != nil {
			return err
		}
		result := &r.report.Results[len(r.report.Results)-1]
		result.Figures["elections"] = after - before
		return nil
	})
}

// groupState is a group in GET /v1/cluster.
type groupState struct {
	ID     int     `json:"id"`
	Leader *string `json:"leader"` // nil: none
	Term   float64 `json:"term"`
}

// state asks the first node that answers how the groups are.
func (c *rig) state(ctx context.Context) (groups []groupState, err error) {
	var view struct {
		Groups []groupState `json:"groups"`
	}
	for _, s := range c.servers {
		if !s.running() {
			continue
		}
		if err = c.call(ctx, s, http.MethodGet, "/v1/cluster", nil, &view); err == nil {
			return view.Groups, nil
		}
	}
	return nil, fmt.Errorf("no node tells the state of the cluster: %w", err)
}

// terms is the sum of all groups' terms: each election adds at least 1.
func (c *rig) terms(ctx context.Context) (sum float64, err error) {
	groups, err := c.state(ctx)
	for _, g := range groups {
		sum += g.Term
	}
	return sum, err
}
