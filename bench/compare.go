package bench

import (
	"fmt"
	"slices"

	"github.com/aclements/go-moremath/stats"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// significance is the p below which a change counts as real.
const significance = 0.05

// fewestSlices can tell a change at all: of fewer, no difference is significant.
const fewestSlices = 4

// Comparison is what two reports say of a change.
type Comparison struct {
	// OtherMachine are both machines, the old report's first, where they differ: a
	// change may be the machine's.
	OtherMachine string   `json:"other_machine,omitempty"`
	Changes      []Change `json:"changes"`
	// LeftOut names what was not compared, and why.
	LeftOut []string `json:"left_out,omitempty"`
}

// Change is what became of a measurement between two reports.
type Change struct {
	Name string `json:"name"`
	// Old and New are median operations per second, over the seconds of all runs
	// of the same name.
	Old float64 `json:"old_ops_per_second"`
	New float64 `json:"new_ops_per_second"`
	// P is that of a two-sided Mann-Whitney U test over those seconds, N and M
	// are how many there were.
	P    float64 `json:"p"`
	N    int     `json:"n_old"`
	M    int     `json:"n_new"`
	Real bool    `json:"real"`
	// Unlike is why the two are not of the same load; empty: they are.
	Unlike string `json:"unlike,omitempty"`
	// Medians of the latency, in microseconds, for the reader.
	OldP50 float64 `json:"old_p50_us"`
	NewP50 float64 `json:"new_p50_us"`
}

// Verdict says in words what Change is.
func (c *Change) Verdict() string {
	switch percent := 100 * (c.New/c.Old - 1); {
	case c.Unlike != "":
		return "? not the same load: " + c.Unlike
	case c.N < fewestSlices || c.M < fewestSlices:
		return fmt.Sprintf("? too few seconds to tell (n=%d+%d): %d of each at least", c.N, c.M, fewestSlices)
	case !c.Real:
		return fmt.Sprintf("~ no real change (p=%.3f, n=%d+%d)", c.P, c.N, c.M)
	case percent > 0:
		return fmt.Sprintf("faster by %.1f %% (p=%.3f, n=%d+%d)", percent, c.P, c.N, c.M)
	default:
		return fmt.Sprintf("slower by %.1f %% (p=%.3f, n=%d+%d)", -percent, c.P, c.N, c.M)
	}
}

// Compare compares the loads that two reports have in common, and names what it
// leaves out: what only one of them has, and what has no throughput of its own.
func Compare(before, after *Report) *Comparison {
	c := &Comparison{Changes: []Change{}}
	if before.Machine != after.Machine {
		c.OtherMachine = fmt.Sprintf("%s, then %s", before.Machine, after.Machine)
	}
	olds, oldNames := byName(before)
	news, newNames := byName(after)
	for _, name := range newNames {
		switch why := leftOut(news[name][0]); {
		case olds[name] == nil:
			c.LeftOut = append(c.LeftOut, name+": only in the new report")
		case why != "":
			c.LeftOut = append(c.LeftOut, name+": "+why)
		default:
			c.Changes = append(c.Changes, compare(name, olds[name], news[name]))
		}
	}
	for _, name := range oldNames {
		if news[name] == nil {
			c.LeftOut = append(c.LeftOut, name+": only in the old report")
		}
	}
	return c
}

// leftOut is why a result has no throughput to compare; empty: it has one.
func leftOut(r *load.Result) string {
	switch {
	case r.Operations == 0:
		return "not a load"
	case r.RateAsked > 0:
		return "the rate of an open loop is given"
	default:
		return ""
	}
}

// byName gathers the results of a report, in order.
func byName(r *Report) (runs map[string][]*load.Result, names []string) {
	runs = map[string][]*load.Result{}
	for i := range r.Results {
		result := &r.Results[i]
		name := result.Name()
		if runs[name] == nil {
			names = append(names, name)
		}
		runs[name] = append(runs[name], result)
	}
	return runs, names
}

func compare(name string, before, after []*load.Result) Change {
	c := Change{Name: name, P: 1}
	olds, oldP50 := gather(before)
	news, newP50 := gather(after)
	c.N, c.M, c.OldP50, c.NewP50 = len(olds), len(news), oldP50, newP50
	c.Old, c.New = median(olds), median(news)
	c.Unlike = unlike(before[0], after[0])
	if c.Unlike != "" || c.N < fewestSlices || c.M < fewestSlices {
		return c
	}
	// The error is of samples that are all equal: no change.
	if u, err := stats.MannWhitneyUTest(olds, news, stats.LocationDiffers); err == nil {
		c.P = u.P
	}
	c.Real = c.P < significance
	return c
}

// unlike says what makes one load another one than before; empty: nothing.
func unlike(before, after *load.Result) string {
	if before.Pools != after.Pools {
		return fmt.Sprintf("%s before, %d now", plural(before.Pools, "pool"), after.Pools)
	}
	return ""
}

// gather joins the seconds of several runs, and the median of their medians.
func gather(runs []*load.Result) (perSecond []float64, p50 float64) {
	var medians []float64
	for _, r := range runs {
		perSecond = append(perSecond, r.PerSecond...)
		medians = append(medians, r.Latency.P50)
	}
	return perSecond, median(medians)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
