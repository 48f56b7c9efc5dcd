package bench

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses/cluster"
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

// Modes of asking.
const (
	ModeHTTP   = "http"
	ModeEngine = "engine"
)

// Config says what to measure.
type Config struct {
	// Binary is the cloudlicenses executable that servers are started from.
	Binary string
	// PeersBinary is bench-peers; empty: it is not there.
	PeersBinary string
	// OpenMachine opens machines for the engine in this process.
	OpenMachine OpenMachine
	// Dir is where data folders are made; empty: the system's temporary one.
	Dir string
	// Out is a folder that gets profiles, made when missing.
	Out string
	// Commit is the binary's.
	Commit string

	Scenarios []string
	Callers   []int
	Pools     int // of spread
	Duration  time.Duration
	Warmup    time.Duration
	// Rate is in operations per second; 0: closed loop.
	Rate float64
	// HalfRate measures each load once more in an open loop, at half of the best
	// rate it has reached.
	HalfRate bool
	Seed     uint64

	// Mode is ModeHTTP or ModeEngine.
	Mode  string
	Nodes int
	// Groups are the numbers of license groups to measure with.
	Groups []int
	// Tenants share the load.
	Tenants int
	TLS     bool
	Route   string
	// Batch is how many operations a request holds; 0: one, without a batch.
	Batch int
	// Echo measures the echo of the HTTP edge, too, EngineBaseline the engine
	// on plain raft-boltdb, and Peers are other systems.
	Echo           bool
	EngineBaseline bool
	Peers          []string
	// Profile of the leader, or of this process where the engine runs in it, during
	// each measurement: one of Profiles; empty: none.
	Profile string

	// URL, Host and APIKey are those of a running cluster to be measured instead
	// of an own one. Its tenant must have licenses of the products Product-0000
	// and so on, as many as Pools. CAFile has the CA of its certificates; empty: one
	// that the system trusts.
	URL, Host, APIKey string
	Product           string
	CAFile            string

	// Sizes of the scenarios that are more than a load.
	Sizes Sizes

	// Progress is told what is measured and how far it is; nil: nobody.
	Progress Progress
}

// Sizes are how far the scenarios go that are more than a load.
type Sizes struct {
	Leases int // of million
	// Of billing: customers of the vendor, and their overage records in all.
	BilledTenants, BilledRecords int
	Dashboards                   int           // open ones of dashboards
	Kills                        int           // of kills
	Idle                         time.Duration // of idle
	Elections                    time.Duration // of elections
	// SnapshotEntries bounds the log between two snapshots; 0: the engine's own
	// bound.
	SnapshotEntries int
}

// DefaultSizes are those of the performance table.
var DefaultSizes = Sizes{Leases: 1_000_000, BilledTenants: 1000, BilledRecords: 1_000_000, Dashboards: 1000, Kills: 50, Idle: time.Minute, Elections: 5 * time.Minute}

// Progress is told how far a run has come.
type Progress interface {
	// Begin begins a measurement of about the given length; 0: unknown.
	Begin(what string, total time.Duration)
	// At tells how far it is, and how it goes.
	At(elapsed time.Duration, how string)
	// End ends it with a line about its result.
	End(result string)
}

// silence tells nobody.
type silence struct{}

func (silence) Begin(string, time.Duration) {}
func (silence) At(time.Duration, string)    {}
func (silence) End(string)                  {}

// check finds what cannot be measured.
func (c *Config) check() error {
	for _, s := range c.Scenarios {
		if names := ScenarioNames(); !slices.Contains(names, s) {
			return fmt.Errorf("no scenario %q: there are %s", s, strings.Join(names, ", "))
		}
	}
	for _, n := range c.Callers {
		if n < 1 {
			return fmt.Errorf("%d callers: want 1 or more", n)
		}
	}
	for _, n := range c.Groups {
		if n < 1 || n > cluster.MaxGroups {
			return fmt.Errorf("%d groups: want 1–%d", n, cluster.MaxGroups)
		}
	}
	if c.Profile != "" && !slices.Contains(Profiles, c.Profile) {
		return fmt.Errorf("no profile %q: there are %s", c.Profile, strings.Join(Profiles, ", "))
	}
	switch {
	case len(c.Scenarios) == 0:
		return errors.New("no scenario to measure")
	case len(c.Callers) == 0:
		return errors.New("no number of callers to measure with")
	case len(c.Groups) == 0:
		return errors.New("no number of groups to measure with")
	case c.Pools < 1:
		return fmt.Errorf("%d pools: want 1 or more", c.Pools)
	case c.Tenants < 1:
		return fmt.Errorf("%d tenants: want 1 or more", c.Tenants)
	case c.Duration <= 0:
		return fmt.Errorf("a duration of %s: want more than nothing", c.Duration)
	case c.Warmup < 0:
		return fmt.Errorf("a warm-up of %s: want 0s or more", c.Warmup)
	case c.Rate < 0 || c.Rate > highestRate || math.IsNaN(c.Rate):
		return fmt.Errorf("a rate of %g/s: want up to %d", c.Rate, int(highestRate))
	case c.Route != RouteLeader && c.Route != RouteAny:
		return fmt.Errorf("no route %q: there are %s and %s", c.Route, RouteLeader, RouteAny)
	case c.Mode != ModeHTTP && c.Mode != ModeEngine:
		return fmt.Errorf("no mode %q: there are %s and %s", c.Mode, ModeHTTP, ModeEngine)
	case c.Batch < 0 || c.Batch > 1000:
		return fmt.Errorf("a batch of %d: want 1–1000", c.Batch)
	case c.Nodes < 1 || c.Nodes > cluster.MaxReplicas:
		return fmt.Errorf("%d nodes: want 1–%d, each with a copy of every group", c.Nodes, cluster.MaxReplicas)
	case c.CAFile != "" && strings.HasPrefix(c.URL, "http:"):
		return errors.New("a CA is of a secured cluster: give its https URL")
	case c.URL != "" && c.TLS:
		return errors.New("TLS secures a cluster that is started here: of a running one, give its https URL")
	case c.Mode == ModeEngine && (c.URL != "" || c.TLS || c.Batch > 0 || c.Route != RouteLeader):
		return errors.New("the engine without HTTP knows no URL, TLS, batch and route")
	}
	if c.URL != "" {
		if _, err := c.runningCluster(); err != nil {
			return err
		}
	}
	if err := c.checkSizes(); err != nil {
		return err
	}
	return c.checkTogether()
}

// highestRate is more than any system here comes near to.
const highestRate = 10_000_000

// checkSizes finds sizes that the scenarios asked for can't have.
func (c *Config) checkSizes() error {
	s := &c.Sizes
	for _, size := range []struct {
		scenario, what string
		ok             bool
	}{
		{"million", fmt.Sprintf("%d leases: want a multiple of %d", s.Leases, fillBatch), s.Leases > 0 && s.Leases%fillBatch == 0},
		{"billing", fmt.Sprintf("%d billed tenants: want 1 or more", s.BilledTenants), s.BilledTenants > 0},
		{"billing", fmt.Sprintf("%d billed records: want 1 or more of each tenant", s.BilledRecords), s.BilledRecords >= s.BilledTenants},
		{"dashboards", fmt.Sprintf("%d dashboards: want 1 or more", s.Dashboards), s.Dashboards > 0},
		{"kills", fmt.Sprintf("%d kills: want 1 or more", s.Kills), s.Kills > 0},
		{"idle", fmt.Sprintf("an idle time of %s: want a second or more", s.Idle), s.Idle >= time.Second},
		{"elections", fmt.Sprintf("%s of elections: want a second or more", s.Elections), s.Elections >= time.Second},
	} {
		if !size.ok && slices.Contains(c.Scenarios, size.scenario) {
			return errors.New(size.what)
		}
	}
	return nil
}

// checkTogether finds settings that nothing would come of.
func (c *Config) checkTogether() error {
	isLoad := func(s string) bool { return s == Hot || s == Spread }
	loads := slices.ContainsFunc(c.Scenarios, isLoad)
	sweeps := loads || slices.ContainsFunc(c.Scenarios, func(s string) bool { return studies[s].sweeps })
	rated := c.Rate > 0 || c.HalfRate
	study := slices.IndexFunc(c.Scenarios, func(s string) bool { return !isLoad(s) })
	switch {
	case c.URL != "" && study >= 0:
		return fmt.Errorf("scenario %s wants a cluster that is started for it: of a running one, measure %s and %s", c.Scenarios[study], Hot, Spread)
	case c.URL != "" && c.Profile != "":
		return errors.New("a running cluster is profiled at its own admin addresses (/debug/pprof)")
	case c.Profile != "" && c.Out == "":
		return errors.New("a profile needs a folder to be written to: name one with --out")
	case !loads && (c.Batch > 0 || c.Mode == ModeEngine || c.EngineBaseline || len(c.Peers) > 0):
		return fmt.Errorf("batch, mode, the engine's baseline and peers are of the scenarios %s and %s: name one of them, too", Hot, Spread)
	case rated && !sweeps:
		return fmt.Errorf("scenario %s has a rate of its own, or none", c.Scenarios[0])
	case c.Profile != "" && !sweeps:
		return fmt.Errorf("scenario %s is not profiled", c.Scenarios[0])
	case len(c.Peers) > 0 && (rated || c.Batch > 0):
		return errors.New("peers are measured in a closed loop, without batches: leave rate and batch out to compare them")
	case c.Echo && c.Batch > 0:
		return errors.New("the echo knows no batches")
	case c.Tenants > 1 && slices.Contains(c.Scenarios, Hot):
		return errors.New("hot is one pool of one tenant: measure several tenants with spread")
	case c.Pools < c.Tenants:
		return fmt.Errorf("%d pools of %d tenants: want one of each at least", c.Pools, c.Tenants)
	}
	return nil
}
