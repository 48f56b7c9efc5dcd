package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// report is what a run came to; also written as JSON.
type report struct {
	Seed     uint64  `json:"seed"`
	Commit   string  `json:"commit"`
	Nodes    int     `json:"nodes"`
	Seconds  float64 `json:"seconds"`
	Plant    string  `json:"plant,omitempty"`
	Settings string  `json:"settings"`

	Granted    int64 `json:"granted"`
	Overage    int64 `json:"overage_seats"`
	Refused    int64 `json:"refused"`
	Returned   int64 `json:"returned"`
	Heartbeats int64 `json:"heartbeats"`
	Reads      int64 `json:"linearizable_reads"`
	OwnReads   int64 `json:"own_write_reads"`
	Replays    int64 `json:"replays"`
	Attempts   int64 `json:"attempts"`
	// Settled operations had an open outcome first; Late ones took effect
	// without anybody being told, Doubtful ones might have.
	Settled  int64 `json:"unknown_settled"`
	Doubtful int64 `json:"doubtful"`
	Late     int   `json:"took_effect_untold"`
	Expiries int64 `json:"expiries_watched"`

	// StuckDisk counts nodes that ended because the machine's disk took more
	// than two seconds for a write, as they must, and were started again.
	StuckDisk int64 `json:"stuck_disk_exits"`

	Pools      int `json:"pools"`
	Operations int `json:"operations_checked"`

	Injected  map[string]int `json:"faults_injected"`
	Effective map[string]int `json:"faults_effective"`
	Elections int64          `json:"elections"`
	Strikes   []strike       `json:"strikes"`

	Lost        int `json:"lost"`
	Doubled     int `json:"doubled"`
	OverGranted int `json:"over_granted"`
	Stale       int `json:"stale"`

	Findings []finding `json:"findings"`
	Failed   bool      `json:"failed"`
}

// outagesOf collects the outages after one kind of fault, in milliseconds,
// shortest first.
func (r *report) outagesOf(fault string) []float64 {
	var all []float64
	for _, s := range r.Strikes {
		for _, o := range s.Outages {
			if o.Fault == fault {
				all = append(all, o.Millis)
			}
		}
	}
	slices.Sort(all)
	return all
}

// percentile returns the smallest value that at least p of 100 do not exceed.
func percentile(sorted []float64, p int) float64 {
	return sorted[(len(sorted)*p+99)/100-1]
}

// tellFindings sums the findings up.
func (r *report) tellFindings(f *findings) {
	r.Lost, r.Doubled, r.OverGranted, r.Stale = f.of(flawLost), f.of(flawDoubled)+f.of(flawCharge), f.of(flawOver)+f.of(flawHistory), f.of(flawStale)
	r.Findings = f.list()
	r.Failed = len(r.Findings) > 0
}

// tellTally copies what clients did.
func (r *report) tellTally(t *tally) {
	r.Granted, r.Overage, r.Refused, r.Returned = t.granted.Load(), t.overage.Load(), t.refused.Load(), t.returned.Load()
	r.Heartbeats, r.Reads, r.OwnReads, r.Replays = t.heartbeats.Load(), t.reads.Load(), t.freshReads.Load(), t.replays.Load()
	r.Attempts, r.Settled, r.Doubtful = t.attempts.Load(), t.settled.Load(), t.doubtful.Load()
}

// tellStrikes counts the faults.
func (r *report) tellStrikes(strikes []strike) {
	r.Strikes = strikes
	r.Injected, r.Effective = map[string]int{}, map[string]int{}
	for _, s := range strikes {
		r.Injected[s.Kind]++
		if s.Effective {
			r.Effective[s.Kind]++
		}
	}
}

// print writes the report for people.
func (r *report) print(w io.Writer) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	p("")
	p("seed %d · commit %s · %d nodes · %.0f s · %s", r.Seed, r.Commit, r.Nodes, r.Seconds, r.Settings)
	p("operations   ok %d (%d granted with %d overage seats, %d returned, %d heartbeats, %d reads, %d own-write reads, %d replays)",
		r.Granted+r.Returned+r.Heartbeats+r.Reads+r.OwnReads+r.Replays, r.Granted, r.Overage, r.Returned, r.Heartbeats, r.Reads, r.OwnReads, r.Replays)
	p("             refused %d · unknown, then settled %d · doubtful %d, of which took effect %d · expiries %d", r.Refused, r.Settled, r.Doubtful, r.Late, r.Expiries)
	p("histories    %d pools, %d operations checked", r.Pools, r.Operations)
	var faults []string
	for kind, n := range r.Injected {
		faults = append(faults, fmt.Sprintf("%s %d/%d", kind, r.Effective[kind], n))
	}
	slices.Sort(faults)
	p("faults       effective/injected: %s", strings.Join(faults, " · "))
	p("elections    %d · nodes that ended over a stuck disk %d", r.Elections, r.StuckDisk)
	for _, fault := range []string{"kill", "pause", "drain", "isolate", "one-way"} {
		if all := r.outagesOf(fault); len(all) > 0 {
			p("unavailable  after %-8s median %4.0f ms · p99 %4.0f ms · worst %4.0f ms (n = %d)", fault+":", percentile(all, 50), percentile(all, 99), all[len(all)-1], len(all))
		}
	}
	p("promises     lost %d · doubled %d · over-granted %d · stale %d · all findings %d", r.Lost, r.Doubled, r.OverGranted, r.Stale, len(r.Findings))
	if r.Failed {
		p("FAILED: repeat with --seed %d", r.Seed)
		return
	}
	p("PASSED")
}

// write writes the report as JSON.
func (r *report) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// headCommit names the tree under test; "unknown" outside a checkout.
func headCommit() string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	commit := strings.TrimSpace(string(out))
	if exec.Command("git", "diff", "--quiet", "HEAD").Run() != nil {
		commit += "+changes"
	}
	return commit
}

// monthsOf returns the UTC months that a run touched.
func monthsOf(from, to time.Time) []string {
	const layout = "2006-01"
	months := []string{from.UTC().Format(layout)}
	if last := to.UTC().Format(layout); last != months[0] {
		months = append(months, last)
	}
	return months
}
