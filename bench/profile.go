package bench

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// Profiles that can be taken.
var Profiles = []string{"cpu", "mutex", "allocs"}

// profile has a profile of the leader taken while o is measured, where that was
// asked for. The function that it returns waits for it, once o was measured.
func (r *runner) profile(ctx context.Context, s *subject, o *load.Options) (wait func() error) {
	take := r.profiler(ctx, s, o.Duration)
	if r.cfg.Profile == "" || take == nil {
		return func() error { return nil }
	}
	result := load.Result{System: o.System, Scheme: o.Scheme, Scenario: o.Scenario, Callers: o.Callers, RateAsked: o.Rate}
	name := notInNames.ReplaceAllString(result.Name(), "-")
	if r.profiles[name]++; r.profiles[name] > 1 { // measured once more
		name += "-" + strconv.Itoa(r.profiles[name])
	}
	path := filepath.Join(r.cfg.Out, name+"."+r.cfg.Profile+".pprof")
	done := make(chan error, 1)
	o.Measuring = func() { done <- take(path) }
	return func() error {
		if err := <-done; err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		return nil
	}
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9]+`)

// profiler returns what takes a profile into a file during a measurement, or
// nil where nothing of ours runs.
func (r *runner) profiler(ctx context.Context, s *subject, length time.Duration) func(path string) error {
	switch t := s.target.(type) {
	case *engineTarget:
		return func(path string) error { return profileSelf(r.cfg.Profile, length, path) }
	case *httpTarget:
		if s.rig == nil {
			return nil
		}
		leader := s.rig.servers[0]
		if t.place != nil {
			leader = s.rig.at(t.addrs[t.place[0]])
		}
		return func(path string) error { return s.rig.profile(ctx, leader, r.cfg.Profile, length, path) }
	default:
		return nil
	}
}

// profile takes a profile of a node.
func (c *rig) profile(ctx context.Context, s *server, kind string, length time.Duration, path string) error {
	name := kind
	if kind == "cpu" {
		name = "profile"
	}
	data, err := c.fetch(ctx, s, http.MethodGet, fmt.Sprintf("/debug/pprof/%s?seconds=%d", name, wholeSeconds(length)), nil)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// mutexFraction is how many contended locks stand behind one that is sampled.
const mutexFraction = 20

// profileSelf takes a profile of this process, as a node's admin address does: of what
// happens meanwhile, not since the start.
func profileSelf(kind string, length time.Duration, path string) error {
	handler := pprof.Handler(kind)
	switch kind {
	case "cpu":
		handler = http.HandlerFunc(pprof.Profile)
	case "mutex":
		defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(mutexFraction))
	}
	ask, err := http.NewRequest(http.MethodGet, fmt.Sprintf("/?seconds=%d", wholeSeconds(length)), nil)
	if err != nil {
		return err
	}
	a := answer{header: http.Header{}, code: http.StatusOK}
	handler.ServeHTTP(&a, ask)
	if a.code != http.StatusOK {
		return fmt.Errorf("%d: %s", a.code, a.Bytes())
	}
	return os.WriteFile(path, a.Bytes(), 0o644)
}

// answer keeps what a handler of this process says.
type answer struct {
	bytes.Buffer
	header http.Header
	code   int
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) { a.code = code }

// wholeSeconds is how long a profile of a measurement takes.
func wholeSeconds(length time.Duration) int { return max(int(length.Seconds()), 1) }
