package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
)

const (
	scenarioHot    = "hot"    // one pool
	scenarioSpread = "spread" // many pools
	// fewestSeats of a pool.
	fewestSeats = 20
	// slack is how much longer than its load a measurement may take: preparation,
	// the last calls, verification.
	slack = 5 * time.Minute
)

// runOptions are the flags of run.
type runOptions struct {
	peer      string
	schemes   []string
	scenarios []string
	callers   []int
	duration  time.Duration
	warmup    time.Duration
	pools     int
	dir       string
	commit    string
}

func newRunCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run --peer NAME --dir DIR",
		Short: "Start a peer, put each of its schemes under load, and stop it again",
		Long: `Starts a peer's cluster on loopback ports, puts each scheme under load in each
scenario with each number of callers, and verifies afterwards that counters and
leases agree. Prints one JSON object a line for each measurement. A peer that is
not on this machine is installed; where that fails, the exit status is 3.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), &o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.peer, "peer", "", "postgres, etcd or redis")
	f.StringSliceVar(&o.schemes, "schemes", []string{"all"}, "the peer's schemes, as in `list`")
	f.StringSliceVar(&o.scenarios, "scenarios", []string{scenarioHot, scenarioSpread}, "hot: one pool; spread: as many as --pools")
	f.IntSliceVar(&o.callers, "callers", []int{1, 256}, "how many work at the same time")
	f.DurationVar(&o.duration, "duration", 10*time.Second, "of each measurement")
	f.DurationVar(&o.warmup, "warmup", 2*time.Second, "before each measurement")
	f.IntVar(&o.pools, "pools", 1000, "of scenario spread")
	f.StringVar(&o.dir, "dir", "", "folder on a real disk; data are put into a new folder in it, and removed")
	f.StringVar(&o.commit, "commit", "", "noted in the results")
	for _, name := range []string{"peer", "dir"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return cmd
}

// measurement is one line of output to be.
type measurement struct {
	scheme   peer.Scheme
	scenario string
	callers  int
}

// plan lists what to measure, and fails on what there is not.
func plan(p peer.Peer, o *runOptions) ([]measurement, error) {
	schemes := p.Schemes()
	if !slices.Equal(o.schemes, []string{"all"}) {
		schemes = nil
		for _, name := range o.schemes {
			s, err := peer.SchemeOf(p, name)
			if err != nil {
				return nil, err
			}
			schemes = append(schemes, s)
		}
	}
	var todo []measurement
	for _, scheme := range schemes {
		for _, scenario := range o.scenarios {
			if scenario != scenarioHot && scenario != scenarioSpread {
				return nil, fmt.Errorf("no scenario %q; there are: %s, %s", scenario, scenarioHot, scenarioSpread)
			}
			for _, callers := range o.callers {
				if callers < 1 {
					return nil, fmt.Errorf("%d callers", callers)
				}
				todo = append(todo, measurement{scheme, scenario, callers})
			}
		}
	}
	if o.pools < 1 {
		return nil, fmt.Errorf("%d pools", o.pools)
	}
	return todo, nil
}

// run measures everything that o asks for. A measurement that fails does not
// keep the others from being made.
func run(ctx context.Context, o *runOptions, out, progress io.Writer) (err error) {
	p, err := peerOf(o.peer)
	if err != nil {
		return err
	}
	todo, err := plan(p, o)
	if err != nil {
		return err
	}
	if err := p.Install(ctx); err != nil {
		return err
	}
	dir, err := workspace(o.dir, p.Name())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(progress, "starting %s in %s\n", p.Name(), dir)
	c, err := p.Start(ctx, dir)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name(), err)
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	lines := json.NewEncoder(out)
	var errs []error
	for _, m := range todo {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		fmt.Fprintf(progress, "%s (%s) %s, %d callers\n", p.Name(), m.scheme.Name, m.scenario, m.callers)
		r, err := measure(ctx, p, c, m, o, dir)
		if err != nil {
			fmt.Fprintln(progress, " ", err)
			errs = append(errs, fmt.Errorf("%s (%s) %s, %d callers: %w", p.Name(), m.scheme.Name, m.scenario, m.callers, err))
			continue
		}
		fmt.Fprintf(progress, "  %.0f operations/s, p50 %.0f µs, p99 %.0f µs, %d refused, %d failed %q\n",
			r.OpsPerSecond, r.Latency.P50, r.Latency.P99, r.Refused, r.Failed, r.Errors)
		if err := lines.Encode(r); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// workspace makes a folder for a peer's data in parent, which lies on a disk.
func workspace(parent, name string) (string, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return "", err
	}
	if err := peer.OnDisk(parent); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, name+"-")
	if err != nil {
		return "", err
	}
	// A peer may run as another user.
	return dir, os.Chmod(dir, 0o755)
}

// measure prepares the cluster and puts it under load once.
func measure(ctx context.Context, p peer.Peer, c peer.Cluster, m measurement, o *runOptions, dir string) (load.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, o.warmup+o.duration+slack)
	defer cancel()
	pools := o.pools
	if m.scenario == scenarioHot {
		pools = 1
	}
	// A pool may be asked for more seats than its share of the callers.
	seats := max(2*m.callers/pools, fewestSeats)
	target, err := c.Prepare(ctx, peer.Job{Scheme: m.scheme.Name, Pools: pools, Seats: seats})
	if err != nil {
		return load.Result{}, fmt.Errorf("prepare: %w", err)
	}
	settings := maps.Clone(c.Settings())
	settings["scheme_kind"] = string(m.scheme.Kind)
	settings["seats_per_pool"] = strconv.Itoa(seats)
	return load.Run(ctx, target, load.Options{
		System: p.Name(), Scheme: m.scheme.Name, Scenario: m.scenario,
		Callers: m.callers, Pools: pools, Duration: o.duration, Warmup: o.warmup,
		Servers: c.Processes(), Dir: dir, Commit: o.commit, Settings: settings,
	})
}
