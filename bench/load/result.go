package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is one measurement. Its JSON is what `cloudlicenses bench` keeps and
// compares, and what a peer prints, one line each.
type Result struct {
	System   string `json:"system"`
	Scheme   string `json:"scheme,omitempty"`
	Scenario string `json:"scenario"`
	Callers  int    `json:"callers"`
	Pools    int    `json:"pools"`
	// RateAsked is in operations per second; 0: closed loop.
	RateAsked float64 `json:"rate_asked,omitempty"`
	// Batch is how many operations a request held. Whatever it is, operations are
	// counted one by one, and a latency is that of a request.
	Batch int `json:"operations_per_request"`

	// Operations are checkouts and returns that succeeded.
	Operations int64 `json:"operations"`
	// OpsPerSecond is their number over Seconds.
	OpsPerSecond float64 `json:"ops_per_second"`
	// PerSecond has the operations completed in each whole second of the run.
	PerSecond []float64 `json:"per_second,omitempty"`
	// Refused checkouts found no seat; they are no operations.
	Refused int64 `json:"refused"`
	// Failed operations ended in an error; Errors has the first few texts.
	Failed int64    `json:"failed"`
	Errors []string `json:"errors,omitempty"`
	// Latency of the operations: from when one was due in an open loop, else
	// from when it was sent.
	Latency Latency `json:"latency_us"`
	// Seconds that were measured.
	Seconds float64 `json:"seconds"`

	// ServerCPU and ClientCPU are CPU seconds per 100,000 operations. Where the
	// system runs in the client's process, ServerCPU is 0 and ClientCPU both.
	ServerCPU float64 `json:"server_cpu_seconds_per_100k"`
	ClientCPU float64 `json:"client_cpu_seconds_per_100k"`
	// OthersCPU is how many processors were busy with anything else meanwhile: the
	// higher, the less the other figures say.
	OthersCPU float64 `json:"others_cpu_cores"`
	// FsyncMicros is the median of one 4 KiB append + fdatasync on the system's
	// disk, just before the load; 0: not probed.
	FsyncMicros float64 `json:"fsync_us,omitempty"`

	Started  time.Time         `json:"started"`
	Commit   string            `json:"commit,omitempty"`
	Go       string            `json:"go"`
	Machine  Machine           `json:"machine"`
	Settings map[string]string `json:"settings,omitempty"`
	// Account is what Verify found after the load, before the callers gave back
	// what they held.
	Account Account `json:"account"`
	// Figures are further measurements, by a name that ends in its unit.
	Figures map[string]float64 `json:"figures,omitempty"`
}

// Latency holds quantiles in microseconds, within 1 %.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Bounds of what histograms hold, in nanoseconds. A longer wait counts as the
// longest.
const (
	shortestWait       = int64(time.Microsecond)
	longestWait        = int64(10 * time.Minute)
	significantFigures = 2
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortestWait, longestWait, significantFigures)
}

// record adds one wait to h.
func record(h *hdrhistogram.Histogram, wait time.Duration) {
	// The value is within bounds, so there is no error to have.
	_ = h.RecordValue(min(max(int64(wait), shortestWait), longestWait))
}

// latencyOf reads the quantiles of nanoseconds in h.
func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	micros := func(percentile float64) float64 { return float64(h.ValueAtPercentile(percentile)) / 1000 }
	return Latency{P50: micros(50), P90: micros(90), P99: micros(99), P999: micros(99.9), Max: float64(h.Max()) / 1000}
}

// Name is the measurement in a few words, the same for runs that may be
// compared.
func (r *Result) Name() string {
	name := r.System
	if r.Scheme != "" {
		name += " (" + r.Scheme + ")"
	}
	name += " " + r.Scenario
	switch r.Callers {
	case 0: // no load
	case 1:
		name += ", 1 caller"
	default:
		name += fmt.Sprintf(", %d callers", r.Callers)
	}
	if r.RateAsked > 0 {
		name += ", open loop"
	}
	return name
}
