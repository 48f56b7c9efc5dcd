package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// Report is what a run has measured.
type Report struct {
	Started time.Time    `json:"started"`
	Commit  string       `json:"commit"`
	Go      string       `json:"go"`
	Machine load.Machine `json:"machine"`
	// Results in the order in which they were measured.
	Results []load.Result `json:"results"`
	// Goals are judged by a run of the whole table alone.
	Goals []Goal `json:"goals,omitempty"`
	// Missing names what could not be measured, and why.
	Missing []string `json:"missing,omitempty"`
}

func newReport(commit string) *Report {
	return &Report{Started: time.Now().UTC().Truncate(time.Second), Commit: commit, Go: runtime.Version(), Machine: load.ThisMachine()}
}

func (r *Report) missing(what, why string) { r.Missing = append(r.Missing, what+": "+why) }

// ReadReport reads a report that was written before.
func ReadReport(path string) (*Report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s is no report of a benchmark: %w", path, err)
	}
	if len(r.Results) == 0 {
		return nil, fmt.Errorf("%s is a report without results", path)
	}
	return r, nil
}

// Write writes the report as JSON.
func (r *Report) Write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// find returns the first result that fits; nil: none does.
func (r *Report) find(fits func(*load.Result) bool) *load.Result {
	for i := range r.Results {
		if fits(&r.Results[i]) {
			return &r.Results[i]
		}
	}
	return nil
}

// typical is the report with one result of each name: of those that were measured
// several times the one in the middle.
func (r *Report) typical() *Report {
	var names []string
	runs := map[string][]load.Result{}
	for _, result := range r.Results {
		name := result.Name()
		if runs[name] == nil {
			names = append(names, name)
		}
		runs[name] = append(runs[name], result)
	}
	one := *r
	one.Results = nil
	for _, name := range names {
		same := runs[name]
		slices.SortStableFunc(same, func(a, b load.Result) int { return cmp.Compare(a.OpsPerSecond, b.OpsPerSecond) })
		one.Results = append(one.Results, same[len(same)/2])
	}
	return &one
}
