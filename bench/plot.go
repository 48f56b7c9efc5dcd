package bench

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// Plot draws the report into dir: throughput over callers, latency over load,
// and how sweeps grow, where there is anything to draw. It returns the files.
func (r *Report) Plot(dir string) (paths []string, err error) {
	r = r.typical()
	for _, c := range []struct {
		file  string
		chart *chart
	}{
		{"throughput.svg", r.throughputChart()}, {"latency.svg", r.latencyChart()}, {"growth.svg", r.growthChart()},
	} {
		path := filepath.Join(dir, c.file)
		if len(c.chart.series) == 0 {
			_ = os.Remove(path) // that of a report before
			continue
		}
		if err := os.WriteFile(path, []byte(c.chart.svg()), 0o644); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// lines groups results that belong to one line, in order of appearance.
func (r *Report) lines(name func(*load.Result) string) (names []string, results map[string][]*load.Result) {
	results = map[string][]*load.Result{}
	for i := range r.Results {
		result := &r.Results[i]
		n := name(result)
		if n == "" {
			continue
		}
		if results[n] == nil {
			names = append(names, n)
		}
		results[n] = append(results[n], result)
	}
	return names, results
}

// lineName names closed loops of what is to be compared: the cluster as it usually
// is, the echo, and each peer's better scheme. Where the cluster was measured in
// unusual ways alone, or only the engine was, those are shown.
func (r *Report) lineName(result *load.Result) string {
	if !isLine(result) {
		return ""
	}
	switch result.System {
	case systemEcho:
	case systemCluster, systemEngine:
		usual := r.find(func(o *load.Result) bool { return isLine(o) && o.System == systemCluster && o.Scheme == "" })
		if usual != nil && (result.System == systemEngine || result.Scheme != "") {
			return ""
		}
	default:
		if result.Scheme != r.betterScheme(result.System, result.Scenario) {
			return ""
		}
	}
	name := result.System
	if result.Scheme != "" {
		name += " (" + result.Scheme + ")"
	}
	return name + ", " + result.Scenario
}

// isLine reports whether a result is of a closed loop and of no sweep: those have
// a diagram of their own.
func isLine(r *load.Result) bool {
	_, _, swept := sweepOf(r)
	return r.Operations > 0 && r.RateAsked == 0 && (r.Scenario == Hot || r.Scenario == Spread) && !swept
}

// betterScheme is the scheme of a peer that reaches the highest rate.
func (r *Report) betterScheme(system, scenario string) string {
	best := load.Result{}
	for i := range r.Results {
		if o := &r.Results[i]; isLine(o) && o.System == system && o.Scenario == scenario && o.OpsPerSecond > best.OpsPerSecond {
			best = *o
		}
	}
	return best.Scheme
}

func (r *Report) throughputChart() *chart {
	c := &chart{title: "Throughput over callers", x: axis{label: "callers at the same time", log: true}, y: axis{label: "operations per second"}}
	names, results := r.lines(r.lineName)
	colors := colorsOf(results, names)
	for _, name := range names {
		s := series{name: name, color: colors[name], dashed: results[name][0].Scenario == Spread}
		for _, result := range results[name] {
			x := float64(result.Callers)
			s.points = append(s.points, point{x, result.OpsPerSecond})
			if !slices.Contains(c.x.ticks, x) {
				c.x.ticks = append(c.x.ticks, x)
			}
		}
		s.sort()
		c.series = append(c.series, s)
	}
	return c
}

// colorsOf gives the lines of one subject the same color.
func colorsOf(results map[string][]*load.Result, names []string) map[string]int {
	var subjects []string
	colors := map[string]int{}
	for _, name := range names {
		first := results[name][0]
		subject := first.System + first.Scheme
		if !slices.Contains(subjects, subject) {
			subjects = append(subjects, subject)
		}
		colors[name] = slices.Index(subjects, subject)
	}
	return colors
}

func (s *series) sort() {
	slices.SortStableFunc(s.points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
}

func (r *Report) latencyChart() *chart {
	c := &chart{title: "Latency over load", x: axis{label: "operations per second"}, y: axis{label: "latency in µs (line: p50, dashes: p99)", log: true}}
	names, results := r.lines(func(result *load.Result) string {
		if result.System != systemCluster && result.System != systemEcho {
			return ""
		}
		closed := *result
		closed.RateAsked = 0
		name := r.lineName(&closed)
		if name != "" && result.RateAsked > 0 {
			name += ", open loop"
		}
		return name
	})
	for i, name := range names {
		p50, p99 := series{name: name + ", p50", color: i}, series{name: name + ", p99", color: i, dashed: true}
		for _, result := range results[name] {
			p50.points = append(p50.points, point{result.OpsPerSecond, result.Latency.P50})
			p99.points = append(p99.points, point{result.OpsPerSecond, result.Latency.P99})
		}
		// In order of callers: where more of them get less done, the line turns.
		c.series = append(c.series, p50, p99)
	}
	return c
}

// sweepOf tells which sweep a result is of, and where in it: "16 groups, 16
// tenants" is 16 of groups.
func sweepOf(r *load.Result) (noun string, n float64, swept bool) {
	first, rest, _ := strings.Cut(r.Scheme, ", ")
	number, noun, ok := strings.Cut(first, " ")
	v, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || r.Scenario != Spread || r.RateAsked > 0 {
		return "", 0, false
	}
	noun = strings.TrimSuffix(noun, "s")
	switch {
	case noun == "group" && strings.HasSuffix(rest, "tenants"):
	case (noun == "tenant" || noun == "pool") && rest == "":
	default:
		return "", 0, false
	}
	return r.System + ", " + noun + "s", v, true
}

func (r *Report) growthChart() *chart {
	c := &chart{title: "Throughput as it grows", x: axis{label: "how many", log: true}, y: axis{label: "throughput against that of one"}}
	names, results := r.lines(func(result *load.Result) string { noun, _, _ := sweepOf(result); return noun })
	for i, name := range names {
		s := series{name: name, color: i}
		for _, result := range results[name] {
			_, n, _ := sweepOf(result)
			s.points = append(s.points, point{n, result.OpsPerSecond})
		}
		s.sort()
		base := s.points[0].y
		for i := range s.points {
			s.points[i].y /= base
		}
		c.series = append(c.series, s)
	}
	return c
}
