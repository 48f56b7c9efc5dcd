package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

func result(system, scheme, scenario string, callers int, ops float64) load.Result {
	return load.Result{
		System: system, Scheme: scheme, Scenario: scenario, Callers: callers, Batch: 1,
		Operations: int64(ops * 10), OpsPerSecond: ops, Latency: load.Latency{P50: 400, P99: 1000}, FsyncMicros: 150,
	}
}

func TestCompare(t *testing.T) {
	run := func(perSecond ...float64) *Report {
		r := result(systemCluster, "", Hot, 1, 100)
		r.PerSecond = perSecond
		return &Report{Results: []load.Result{r}}
	}
	// R: wilcox.test(c(1.1,2.2,3.3,4.4,5.5), c(6.6,7.7,8.8,9.9,11)): W = 0, p = 0.007937.
	c := Compare(run(1.1, 2.2, 3.3, 4.4, 5.5), run(6.6, 7.7, 8.8, 9.9, 11))
	require.Empty(t, c.LeftOut)
	require.Empty(t, c.OtherMachine)
	require.InDelta(t, 0.007937, c.Changes[0].P, 1e-6)
	require.True(t, c.Changes[0].Real)
	require.Equal(t, "faster by 166.7 % (p=0.008, n=5+5)", c.Changes[0].Verdict())

	c = Compare(run(6.6, 7.7, 8.8, 9.9, 11), run(1.1, 2.2, 3.3, 4.4, 5.5))
	require.Contains(t, c.Changes[0].Verdict(), "slower by 62.5 %")

	// R: wilcox.test(c(1,3,5,7), c(2,4,6,8)): W = 6, p = 0.6857.
	c = Compare(run(1, 3, 5, 7), run(2, 4, 6, 8))
	require.InDelta(t, 0.6857, c.Changes[0].P, 1e-4)
	require.Contains(t, c.Changes[0].Verdict(), "~ no real change")

	c = Compare(run(5, 5, 5, 5), run(5, 5, 5, 5))
	require.False(t, c.Changes[0].Real, "all alike")

	c = Compare(run(1, 2, 3), run(7, 8, 9))
	require.Contains(t, c.Changes[0].Verdict(), "too few seconds to tell (n=3+3): 4 of each")

	more := run(6.6, 7.7, 8.8, 9.9, 11)
	more.Results[0].Pools = 100
	more.Machine.Kernel = "7.0"
	c = Compare(run(1.1, 2.2, 3.3, 4.4, 5.5), more)
	require.Equal(t, "? not the same load: 0 pools before, 100 now", c.Changes[0].Verdict())
	require.False(t, c.Changes[0].Real)
	require.Contains(t, c.OtherMachine, "Linux 7.0")
}

// What is not compared is named.
func TestCompareLeavesOut(t *testing.T) {
	open := result(systemCluster, "", Hot, 1, 100)
	open.RateAsked = 100
	idle := load.Result{System: systemCluster, Scenario: "idle"}
	c := Compare(
		&Report{Results: []load.Result{open, idle, result(systemCluster, "", Hot, 1, 5)}},
		&Report{Results: []load.Result{open, idle, result(systemEcho, "", Hot, 1, 5)}})
	require.Empty(t, c.Changes)
	require.Equal(t, []string{
		"cloudlicenses hot, 1 caller, open loop: the rate of an open loop is given",
		"cloudlicenses idle: not a load",
		"echo hot, 1 caller: only in the new report",
		"cloudlicenses hot, 1 caller: only in the old report",
	}, c.LeftOut)
}

func verdicts(r *Report) map[string]string {
	found := map[string]string{}
	for _, g := range r.judge() {
		found[g.Measure] = g.Verdict
	}
	return found
}

func TestGoals(t *testing.T) {
	empty := verdicts(&Report{})
	require.NotEmpty(t, empty)
	for measure, verdict := range empty {
		require.Equal(t, notMeasured, verdict, measure)
	}

	half := result(systemCluster, "", Hot, 256, 32_000)
	half.RateAsked = 32_000
	batched := result(systemCluster, "batch of 100", Spread, batchCallers, 400_000)
	batched.Batch = 100
	figures := func(scenario string, f map[string]float64) load.Result {
		return load.Result{System: systemCluster, Scenario: scenario, Figures: f}
	}
	brief := load.Result{System: systemCluster, Scenario: "elections", Seconds: 5, Figures: map[string]float64{"elections": 0}}
	r := &Report{Results: []load.Result{
		brief, result(systemEcho, "", Hot, 256, 80_000), result(systemCluster, "", Hot, 256, 64_000), result(systemCluster, "", Hot, 1, 2000),
		result(systemCluster, "", Spread, 256, 40_000), half, batched,
		result("redis", "counter", Hot, 256, 20_000), result("redis", "set", Hot, 256, 50_000), result("redis", "set", Hot, 1, 1000),
		result("etcd", "keys", Hot, 256, 8000), result("postgres", "rows", Hot, 256, 12_000), result("postgres", "rows", Hot, 1, 1000),
		result(systemEngine, "1 group", Hot, 256, 90_000), result(systemEngine, schemePlain, Hot, 256, 15_000),
		result(systemEngine, "1 group, 16 tenants", Spread, 256, 90_000), result(systemEngine, "16 groups, 16 tenants", Spread, 256, 30_000),
		figures("kills", map[string]float64{"kills": 50, "without_service_median_ms": 400, "without_service_worst_ms": 1600}),
		figures("idle", map[string]float64{"cpu_percent_of_one_core": 4.9}),
		figures("million", map[string]float64{"leases": 1e6, "restart_after_kill_seconds": 2, "restart_after_drain_seconds": 6, "longest_with_snapshot_ms": 20}),
	}}
	found := verdicts(r)
	for measure, want := range map[string]string{
		"HTTP hot, 256 connections, against the echo of its edge":                    met,
		"HTTP spread, 256 connections, against the echo of its edge":                 missed,
		"HTTP hot, 256 connections, against Redis":                                   missed, // 1.28 × the better scheme
		"HTTP hot, 256 connections, against the better of PostgreSQL and etcd":       met,
		"HTTP spread, 256 connections, against Redis":                                notMeasured,
		"one connection, p50, against an append + fdatasync":                         met,
		"one connection, p50, against postgres":                                      met,
		"p99 at half the peak rate, open loop, hot":                                  met,
		"p99 at half the peak rate, open loop, spread":                               notMeasured,
		"engine, one group, 256 callers, hot, against plain raft-boltdb":             met,
		"16 groups against 1, the same load":                                         reported,
		"batches of 100, spread, 64 callers, against single operations, 256 callers": met,
		"batches of 100, hot, 64 callers, against single operations, 256 callers":    notMeasured,
		"1,000,000 live leases: restart of a node until it serves":                   missed,
		"1,000,000 live leases: memory of a node":                                    reported,
		"1,000,000 live leases: longest operation while a snapshot is taken":         met,
		"idle cluster of three nodes":                                                met,
		"leader killed under load (kill -9): kills":                                  met,
		"leader killed under load (kill -9): median without service":                 met,
		"leader killed under load (kill -9): worst without service":                  missed,
		"leader killed under load (kill -9): lost and doubled":                       met,
		"elections in five minutes of full load":                                     missed, // in five seconds
	} {
		require.Equal(t, want, found[measure], measure)
	}
}

// Others are held against what the cluster did just before them and just after, the
// nearer the more, and of several such pairs the middle one counts.
func TestNearInTime(t *testing.T) {
	at := func(minute int, r load.Result) load.Result {
		r.Started = time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)
		return r
	}
	own := func(ops float64) load.Result { return result(systemCluster, "", Hot, 256, ops) }
	echo := func(ops float64) load.Result { return result(systemEcho, "", Hot, 256, ops) }
	engine := func(scheme string, ops float64) load.Result { return result(systemEngine, scheme, Spread, 256, ops) }
	r := &Report{}
	for minute, result := range []load.Result{
		own(10_000), echo(100_000), own(60_000), // 0.35
		result("redis", "set", Hot, 256, 40_000), result(systemCluster, "TLS", Hot, 256, 1),
		own(70_000), echo(50_000), own(10_000), // 0.8
		result(systemCluster, "batch of 100", Hot, batchCallers, 100_000),
		own(30_000), echo(60_000), own(50_000), // 0.67
		echo(71_000), // 0.7: of the two in the middle the lower one counts
		result(systemCluster, "", Spread, 256, 50_000), // 0.5, 1, 0.83 and 0.7 of the four
		engine("1 group", 90_000), engine(schemePlain, 10_000), engine("1 group", 30_000), engine(schemePlain, 20_000),
	} {
		r.Results = append(r.Results, at(minute, result))
	}
	want := map[string]string{
		"HTTP hot, 256 connections, against the echo of its edge":                 "0.67 × (40,000/s against 60,000/s)",
		"HTTP hot, 256 connections, against Redis":                                "1.58 × (63,333/s against 40,000/s), redis: set",
		"engine, one group, 256 callers, spread, against plain raft-boltdb":       "1.50 × (30,000/s against 20,000/s), engine: " + schemePlain,
		"batches of 100, hot, 64 callers, against single operations, 256 callers": "5.00 × (100,000/s against 20,000/s)",
		"HTTP spread, 256 connections, against the echo of its edge":              "0.70 × (50,000/s against 71,000/s)",
	}
	for _, g := range r.judge() {
		if figure, ok := want[g.Measure]; ok {
			require.Equal(t, figure, g.Figure, g.Measure)
			delete(want, g.Measure)
		}
	}
	require.Empty(t, want)
}

func TestPlots(t *testing.T) {
	r := &Report{Results: []load.Result{
		result(systemCluster, "", Hot, 1, 2000), result(systemCluster, "", Hot, 256, 60_000),
		result("redis", "set <&>", Spread, 1, 1000), result("redis", "set <&>", Spread, 256, 20_000),
		result("redis", "slow", Spread, 1, 1100), result("redis", "slow", Spread, 256, 10_000), result(systemCluster, "TLS", Hot, 256, 30_000),
		result(systemCluster, "1 pool", Spread, 256, 40_000), result(systemCluster, "1000000 pools", Spread, 256, 20_000),
	}}
	half := result(systemCluster, "", Hot, 256, 30_000)
	half.RateAsked = 30_000
	r.Results = append(r.Results, half)
	dir := t.TempDir()
	paths, err := r.Plot(dir)
	require.NoError(t, err)
	require.Len(t, paths, 3)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		decoder := xml.NewDecoder(strings.NewReader(string(b)))
		for {
			if _, err = decoder.Token(); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, io.EOF, "%s is well-formed", path)
		require.Contains(t, string(b), "prefers-color-scheme:dark")
		require.NotContains(t, string(b), "NaN")
		require.NotContains(t, string(b), "Inf")
	}
	throughput, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	require.Contains(t, string(throughput), "redis (set &lt;&amp;&gt;), spread")
	require.NotContains(t, string(throughput), "pools", "sweeps have a plot of their own")
	require.NotContains(t, string(throughput), "slow", "of a peer, its better scheme")
	require.NotContains(t, string(throughput), "TLS")
	require.NotContains(t, string(throughput), "30k")
	latency, err := os.ReadFile(paths[1])
	require.NoError(t, err)
	require.Contains(t, string(latency), "cloudlicenses, hot, open loop, p50: 30k, 400</title>")
	growth, err := os.ReadFile(paths[2])
	require.NoError(t, err)
	require.Contains(t, string(growth), "cloudlicenses, pools: 1M, 0.5</title>")

	paths, err = (&Report{}).Plot(dir)
	require.NoError(t, err)
	require.Empty(t, paths)
}

func TestTypicalIsTheMiddleOne(t *testing.T) {
	r := &Report{Results: []load.Result{
		result(systemCluster, "", Hot, 256, 10), result(systemEcho, "", Hot, 256, 50),
		result(systemCluster, "", Hot, 256, 30), result(systemCluster, "", Hot, 256, 20), result(systemCluster, "TLS", Hot, 256, 5),
	}}
	var ops []float64
	for _, one := range r.typical().Results {
		ops = append(ops, one.OpsPerSecond)
	}
	require.Equal(t, []float64{20, 50, 5}, ops)
	require.Len(t, r.Results, 5, "the report keeps all")
}

func TestScales(t *testing.T) {
	linear := (&axis{}).scale([]float64{3, 71_000})
	require.Equal(t, []float64{0, 20_000, 40_000, 60_000, 80_000}, linear.ticks)
	require.InDelta(t, 0.5, linear.at(40_000), 1e-9)
	log := (&axis{log: true}).scale([]float64{30, 5000})
	require.Equal(t, []float64{10, 100, 1000, 10_000}, log.ticks)
	require.InDelta(t, 1.0/3, log.at(100), 1e-9)
	require.Equal(t, "1.5M", short(1.5e6))
	require.Equal(t, "81k", short(81_000))
	require.Equal(t, "1500", short(1500))
	require.Equal(t, "0.25", short(0.25))
}

func TestReportIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	r := newReport("abc")
	r.Results = []load.Result{result(systemCluster, "", Hot, 1, 2000)}
	r.missing("peer etcd", "no network")
	require.NoError(t, r.Write(path))
	back, err := ReadReport(path)
	require.NoError(t, err)
	require.Equal(t, r, back)
	require.NoError(t, os.WriteFile(path, []byte("<html>"), 0o600))
	_, err = ReadReport(path)
	require.ErrorContains(t, err, "no report of a benchmark")
}

// peerScript stands in for bench-peers.
func peerScript(t *testing.T, script string) string {
	path := filepath.Join(t.TempDir(), "bench-peers")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700))
	return path
}

func TestPeers(t *testing.T) {
	cfg := quickConfig(t)
	run := func(binary string) (*Report, error) {
		cfg.PeersBinary = binary
		r, err := newRunner(cfg)
		require.NoError(t, err)
		err = r.peers(t.Context(), []string{"redis"}, []string{Hot}, []int{1, 2})
		return r.report, err
	}
	report, err := run(peerScript(t, `echo starting "$@" >&2
echo '{"system":"redis","scenario":"hot","callers":1,"operations":5}'
echo '{"system":"redis","scenario":"hot","callers":2,"operations":7}'
`))
	require.NoError(t, err)
	require.Len(t, report.Results, 2)
	require.Equal(t, int64(7), report.Results[1].Operations)

	report, err = run(peerScript(t, "echo redis-server is not installed >&2; exit 3"))
	require.NoError(t, err)
	require.Equal(t, []string{"peer redis: redis-server is not installed"}, report.Missing)

	_, err = run(peerScript(t, "echo out of order >&2; exit 1"))
	require.ErrorContains(t, err, "out of order")

	_, err = run(peerScript(t, "echo nonsense"))
	require.ErrorContains(t, err, "result of a peer")

	report, err = run("")
	require.NoError(t, err)
	require.Contains(t, report.Missing[0], "peer redis: bench-peers is not beside this program")
}

// heard keeps what a progress is told.
type heard struct{ lines []string }

func (h *heard) Begin(string, time.Duration) {}
func (h *heard) At(_ time.Duration, how string) {
	h.lines = append(h.lines, how)
}
func (h *heard) End(string) {}

func TestLastLines(t *testing.T) {
	h := &heard{}
	l := &lastLines{progress: h, begun: time.Now()}
	for _, part := range []string{"a\nb", "b\n\nc\nd\n", "e\nf\n", "rest"} {
		n, err := l.Write([]byte(part))
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	require.Equal(t, []string{"a", "bb", "c", "d", "e", "f"}, h.lines)
	require.Equal(t, "bb; c; d; e; f", l.text())
}

func TestSummary(t *testing.T) {
	r := result(systemCluster, "", Hot, 1, 2000)
	require.Equal(t, "2000/s, p50 400 µs, p99 1000 µs", summary(&r, nil))
	r.Failed, r.Errors = 2, []string{"gone"}
	require.Contains(t, summary(&r, nil), "2 failed: gone")
	require.Equal(t, "failed", summary(&r, errors.New("x")))
}
