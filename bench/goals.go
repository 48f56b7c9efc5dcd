package bench

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// Goal is a row of the performance table.
type Goal struct {
	Measure string `json:"measure"`
	Goal    string `json:"goal"` // empty: reported without one
	Figure  string `json:"figure"`
	Verdict string `json:"verdict"`
}

// Verdicts.
const (
	met         = "met"
	missed      = "missed"
	notMeasured = "not measured"
	reported    = "reported"
)

// most is the number of callers of the table's throughput.
const most = 256

// judge holds the results against the goals.
func (r *Report) judge() []Goal {
	j := judge{report: r.typical(), all: r}
	for _, scenario := range []string{Hot, Spread} {
		j.throughput(scenario)
	}
	j.alone()
	for _, scenario := range []string{Hot, Spread} {
		j.halfRate(scenario)
	}
	j.engine()
	j.batches()
	j.million()
	j.billing()
	j.dashboards()
	j.idle()
	j.kills()
	j.elections()
	return j.rows
}

type judge struct {
	report *Report // typical results
	all    *Report
	rows   []Goal
}

// row adds a row; ok counts where both values were measured.
func (j *judge) row(measure, goal, figure string, measured, ok bool) {
	verdict := notMeasured
	switch {
	case measured && goal == "":
		verdict = reported
	case measured && ok:
		verdict = met
	case measured:
		verdict = missed
	}
	j.rows = append(j.rows, Goal{measure, goal, figure, verdict})
}

// best is the fastest result of a system's schemes.
func (j *judge) best(scenario string, callers int, systems ...string) *load.Result {
	var best *load.Result
	for i := range j.report.Results {
		r := &j.report.Results[i]
		if r.Scenario != scenario || r.Callers != callers || r.RateAsked > 0 || r.Operations == 0 {
			continue
		}
		for _, s := range systems {
			if r.System == s && (best == nil || r.OpsPerSecond > best.OpsPerSecond) {
				best = r
			}
		}
	}
	return best
}

// closed fits the cluster's closed loops under a scheme.
func closed(scheme, scenario string, callers int) func(*load.Result) bool {
	return func(r *load.Result) bool {
		return r.System == systemCluster && r.Scheme == scheme && r.Scenario == scenario && r.Callers == callers && r.RateAsked == 0
	}
}

// near is what fits, at the time of another result: of those just before it and just
// after it, the mean that weighs each by how near it is.
func (j *judge) near(other *load.Result, fits func(*load.Result) bool) *load.Result {
	if other == nil {
		return nil
	}
	var before, after *load.Result
	for i := range j.all.Results {
		r := &j.all.Results[i]
		switch {
		case !fits(r):
		case r.Started.After(other.Started):
			if after == nil {
				after = r
			}
		default:
			before = r
		}
	}
	switch {
	case before == nil:
		return after
	case after == nil:
		return before
	}
	share := float64(other.Started.Sub(before.Started)) / float64(after.Started.Sub(before.Started))
	between := func(a, b float64) float64 { return a + share*(b-a) }
	mean := *before
	mean.OpsPerSecond = between(before.OpsPerSecond, after.OpsPerSecond)
	mean.Latency.P50 = between(before.Latency.P50, after.Latency.P50)
	return &mean
}

// pair is what fits near each run of another measurement, and that run: of the pairs
// the one of the middle ratio, of two in the middle the lower one.
func (j *judge) pair(fits func(*load.Result) bool, other *load.Result) (own, beside *load.Result) {
	if other == nil {
		return nil, nil
	}
	type pair struct{ own, beside *load.Result }
	var pairs []pair
	for i := range j.all.Results {
		r := &j.all.Results[i]
		if r.Name() != other.Name() || r.OpsPerSecond == 0 {
			continue
		}
		if own := j.near(r, fits); own != nil {
			pairs = append(pairs, pair{own, r})
		}
	}
	if len(pairs) == 0 {
		return nil, nil
	}
	ratio := func(p pair) float64 { return p.own.OpsPerSecond / p.beside.OpsPerSecond }
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(ratio(a), ratio(b)) })
	middle := pairs[(len(pairs)-1)/2]
	return middle.own, middle.beside
}

// ratio adds a row that holds one throughput against another.
func (j *judge) ratio(measure string, atLeast float64, a, b *load.Result) {
	goal := ""
	if atLeast > 0 {
		goal = fmt.Sprintf("≥ %.4g ×", atLeast)
	}
	if a == nil || b == nil || b.OpsPerSecond == 0 {
		j.row(measure, goal, "", false, false)
		return
	}
	q := a.OpsPerSecond / b.OpsPerSecond
	figure := fmt.Sprintf("%.2f × (%s/s against %s/s)", q, thousands(a.OpsPerSecond), thousands(b.OpsPerSecond))
	if b.Scheme != "" {
		figure += ", " + b.System + ": " + b.Scheme
	}
	j.row(measure, goal, figure, true, q >= atLeast)
}

func (j *judge) throughput(scenario string) {
	what := fmt.Sprintf("HTTP %s, %d connections, against ", scenario, most)
	against := func(whom string, atLeast float64, other *load.Result) {
		own, other := j.pair(closed("", scenario, most), other)
		j.ratio(what+whom, atLeast, own, other)
	}
	against("the echo of its edge", 0.65, j.best(Hot, most, systemEcho))
	against("Redis", 1.5, j.best(scenario, most, "redis"))
	against("the better of PostgreSQL and etcd", 5, j.best(scenario, most, "postgres", "etcd"))
}

// alone judges the median of one connection.
func (j *judge) alone() {
	own, fsync := j.report.find(closed("", Hot, 1)), j.fsync()
	what := "one connection, p50, against "
	if own == nil || fsync == 0 {
		j.row(what+"an append + fdatasync", "≤ 4 ×", "", false, false)
	} else {
		q := own.Latency.P50 / fsync
		j.row(what+"an append + fdatasync", "≤ 4 ×", fmt.Sprintf("%.1f × (%.0f µs against %.0f µs)", q, own.Latency.P50, fsync), true, q <= 4)
	}
	for _, peer := range []string{"postgres", "redis"} {
		// The fastest alone is the one with the lowest median, or next to it.
		other := j.best(Hot, 1, peer)
		own := j.near(other, closed("", Hot, 1))
		if own == nil || other == nil {
			j.row(what+peer, "≤", "", false, false)
			continue
		}
		j.row(what+peer, "≤", fmt.Sprintf("%.0f µs against %.0f µs (%s)", own.Latency.P50, other.Latency.P50, other.Scheme), true, own.Latency.P50 <= other.Latency.P50)
	}
}

// fsync is the median of the probes before the loads of the cluster: one alone says
// little.
func (j *judge) fsync() float64 {
	var probes []float64
	for i := range j.all.Results {
		if r := &j.all.Results[i]; r.System == systemCluster && r.FsyncMicros > 0 {
			probes = append(probes, r.FsyncMicros)
		}
	}
	return median(probes)
}

func (j *judge) halfRate(scenario string) {
	own := j.report.find(func(r *load.Result) bool {
		return r.System == systemCluster && r.Scheme == "" && r.Scenario == scenario && r.RateAsked > 0
	})
	what := "p99 at half the peak rate, open loop, " + scenario
	if own == nil {
		j.row(what, "< 5 × p50", "", false, false)
		return
	}
	q := own.Latency.P99 / own.Latency.P50
	j.row(what, "< 5 × p50", fmt.Sprintf("%.1f × (%.0f µs against %.0f µs at %s/s)", q, own.Latency.P99, own.Latency.P50, thousands(own.RateAsked)), true, q < 5)
}

func (j *judge) engine() {
	of := func(scheme, scenario string) func(*load.Result) bool {
		return func(r *load.Result) bool {
			return r.System == systemEngine && r.Scheme == scheme && r.Scenario == scenario && r.Callers == most
		}
	}
	scheme := plan{nodes: usualNodes, groups: 1}.scheme()
	for _, scenario := range []string{Hot, Spread} {
		own, plain := j.pair(of(scheme, scenario), j.report.find(of(schemePlain, scenario)))
		j.ratio(fmt.Sprintf("engine, one group, %d callers, %s, against plain raft-boltdb", most, scenario), 6, own, plain)
	}
	swept := func(groups int) *load.Result {
		return j.report.find(of(plan{nodes: usualNodes, groups: groups, tenants: groupCounts[len(groupCounts)-1]}.scheme(), Spread))
	}
	j.ratio("16 groups against 1, the same load", 0, swept(16), swept(1))
}

func (j *judge) batches() {
	scheme := plan{nodes: usualNodes, groups: usualGroups, batch: batchOperations}.scheme()
	for _, scenario := range []string{Hot, Spread} {
		batched := j.report.find(closed(scheme, scenario, batchCallers))
		j.ratio(fmt.Sprintf("batches of %d, %s, %d callers, against single operations, %d callers", batchOperations, scenario, batchCallers, most), 5,
			batched, j.near(batched, closed("", scenario, most)))
	}
}

// study is the result of one on a usual cluster; nil: it was not made.
func (j *judge) study(scenario string) *load.Result {
	return j.report.find(func(r *load.Result) bool {
		return r.System == systemCluster && r.Scheme == "" && r.Scenario == scenario
	})
}

// figures are those of a study; nil: it was not made.
func (j *judge) figures(scenario string) map[string]float64 {
	if r := j.study(scenario); r != nil {
		return r.Figures
	}
	return nil
}

func (j *judge) million() {
	f := j.figures("million")
	leases := "1,000,000 live leases: "
	if f != nil {
		leases = thousands(f["leases"]) + " live leases: "
	}
	killed, drained := f["restart_after_kill_seconds"], f["restart_after_drain_seconds"]
	j.row(leases+"restart of a node until it serves", "≤ 5 s", fmt.Sprintf("%.1f s after kill -9, %.1f s after a drain", killed, drained), f != nil, max(killed, drained) <= 5)
	j.row(leases+"memory of a node", "", fmt.Sprintf("%.0f MiB", f["memory_per_node_mib"]), f != nil, true)
	j.row(leases+"longest operation while a snapshot is taken", "≤ 50 ms",
		fmt.Sprintf("%.0f ms (%.0f snapshots; %.0f ms without one)", f["longest_with_snapshot_ms"], f["snapshots"], f["longest_without_snapshot_ms"]),
		f != nil, f["longest_with_snapshot_ms"] <= 50)
}

func (j *judge) billing() {
	f := j.figures("billing")
	j.row(fmt.Sprintf("a month's export of %s tenants with %s overage records", thousands(f["tenants"]), thousands(f["records"])), "",
		fmt.Sprintf("%.1f s as CSV, %.1f s as JSON", f["export_csv_seconds"], f["export_json_seconds"]), f != nil, true)
	ratio := f["p99_beside_exports_us"] / max(f["p99_us"], 1)
	j.row(fmt.Sprintf("p99 of checkouts at %d/s while exports run, against none running", besideRate), "≤ 1.5 ×",
		fmt.Sprintf("%.2f × (%.0f µs against %.0f µs, %.0f exports)", ratio, f["p99_beside_exports_us"], f["p99_us"], f["exports_beside"]), f != nil, ratio <= 1.5)
}

func (j *judge) dashboards() {
	f := j.figures("dashboards")
	j.row(fmt.Sprintf("checkouts at %d/s beside %s open dashboards, against none open", watchRate, thousands(f["dashboards"])), "",
		fmt.Sprintf("p50 %.0f µs against %.0f µs, p99 %.0f µs against %.0f µs", f["p50_us_with_dashboards"], f["p50_us"], f["p99_us_with_dashboards"], f["p99_us"]), f != nil, true)
}

func (j *judge) idle() {
	f := j.figures("idle")
	percent := f["cpu_percent_of_one_core"]
	j.row("idle cluster of three nodes", "≤ 5 % of one core", fmt.Sprintf("%.1f %%", percent), f != nil, percent <= 5)
}

func (j *judge) kills() {
	f := j.figures("kills")
	median, worst := f["without_service_median_ms"], f["without_service_worst_ms"]
	what := "leader killed under load (kill -9): "
	j.row(what+"kills", "≥ 50", fmt.Sprintf("%.0f", f["kills"]), f != nil, f["kills"] >= 50)
	j.row(what+"median without service", "< 600 ms", fmt.Sprintf("%.0f ms", median), f != nil, median < 600)
	j.row(what+"worst without service", "< 1500 ms", fmt.Sprintf("%.0f ms", worst), f != nil, worst < 1500)
	j.row(what+"lost and doubled", "0 and 0", fmt.Sprintf("%.0f and %.0f of %s operations", f["lost"], f["doubled"], thousands(f["operations"])), f != nil, f["lost"]+f["doubled"] == 0)
}

func (j *judge) elections() {
	const wanted = 300
	r := j.study("elections")
	if r == nil {
		j.row("elections in five minutes of full load", "0", "", false, false)
		return
	}
	n := r.Figures["elections"]
	j.row("elections in five minutes of full load", "0", fmt.Sprintf("%.0f in %.0f s", n, r.Seconds), true, n == 0 && r.Seconds >= wanted)
}

// thousands writes a number with its thousands apart.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
