package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scenarios of a load that alternates checkout and return.
const (
	// Hot: everybody wants a seat of one pool.
	Hot = "hot"
	// Spread: everybody wants a seat of some pool of many.
	Spread = "spread"
)

// Routes a request may take.
const (
	// RouteLeader asks the leader of the tenant's group.
	RouteLeader = "leader"
	// RouteAny spreads the callers over all nodes, which forward.
	RouteAny = "any"
)

// Config says what to measure.
type Config struct {
	// Binary is the cloudlicenses executable that servers are started from.
	Binary string
	// Dir is where data folders are made; empty: the system's temporary one.
	Dir string
	// Commit is the binary's.
	Commit string

	Scenarios []string
	Callers   []int
	Pools     int // of spread
	Duration  time.Duration
	Warmup    time.Duration
	// Rate is in operations per second; 0: closed loop.
	Rate float64
	// HalfRate measures each scenario once more in an open loop, at half of the
	// best rate it has reached.
	HalfRate bool
	Seed     uint64

	Nodes, Groups int
	TLS           bool
	Route         string
	// Batch is how many operations a request holds; 0: one, without a batch.
	Batch int
	// Echo measures the echo of the HTTP edge, too.
	Echo bool

	// URL, Host and APIKey are those of a running cluster to be measured instead
	// of an own one. Its tenant must have a license of product Product-0000, or
	// Pools of them.
	URL, Host, APIKey string
	Product           string

	// Progress is told what is measured and how far it is; nil: nobody.
	Progress Progress
}

// Progress is told how far a run has come.
type Progress interface {
	// Begin begins a measurement of about the given length; 0: unknown.
	Begin(what string, total time.Duration)
	// At tells how far it is and how many operations a second there were.
	At(elapsed time.Duration, opsPerSecond float64)
	// End ends it with a line about its result.
	End(result string)
}

// silence tells nobody.
type silence struct{}

func (silence) Begin(string, time.Duration) {}
func (silence) At(time.Duration, float64)   {}
func (silence) End(string)                  {}

// check finds what cannot be measured.
func (c *Config) check() error {
	for _, s := range c.Scenarios {
		if !slices.Contains(scenarioNames, s) {
			return fmt.Errorf("no scenario %q: there are %s", s, strings.Join(scenarioNames, ", "))
		}
	}
	for _, n := range c.Callers {
		if n < 1 {
			return fmt.Errorf("%d callers: want 1 or more", n)
		}
	}
	switch {
	case len(c.Scenarios) == 0:
		return errors.New("no scenario to measure")
	case len(c.Callers) == 0:
		return errors.New("no number of callers to measure with")
	case c.Pools < 1:
		return fmt.Errorf("%d pools: want 1 or more", c.Pools)
	case c.Duration <= 0 || c.Warmup < 0:
		return errors.New("the duration must be more than nothing")
	case c.Route != RouteLeader && c.Route != RouteAny:
		return fmt.Errorf("no route %q: there are %s and %s", c.Route, RouteLeader, RouteAny)
	case c.Batch < 0 || c.Batch > 1000:
		return fmt.Errorf("a batch of %d: want 1–1000", c.Batch)
	case c.Nodes < 1 || c.Groups < 1:
		return errors.New("a cluster has at least one node and one group")
	}
	return nil
}

var scenarioNames = []string{Hot, Spread}
