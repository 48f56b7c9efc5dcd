package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	opt := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, opt); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		stop()
		os.Exit(1)
	}
}

func parseFlags() options {
	var opt options
	flag.Uint64Var(&opt.seed, "seed", 0, "seed of the faults (default: a random one, printed)")
	flag.DurationVar(&opt.duration, "duration", 3*time.Minute, "time under faults; start and checks come on top")
	flag.IntVar(&opt.nodes, "nodes", 3, "server processes, 3 or 5")
	flag.IntVar(&opt.groups, "groups", 3, "license groups")
	flag.IntVar(&opt.clients, "clients", 24, "concurrent clients")
	flag.IntVar(&opt.rate, "rate", 250, "operations a second, all clients together")
	flag.IntVar(&opt.perPool, "ops-per-pool", 350, "operations in one pool's history, which must stay checkable")
	flag.BoolVar(&opt.race, "race", false, "build the server with the race detector")
	flag.StringVar(&opt.binary, "bin", "", "server binary to test (default: built from this tree)")
	flag.StringVar(&opt.dir, "dir", "", "folder for data, logs and histories (default: a temporary one)")
	flag.StringVar(&opt.report, "report", "", "file for the report as JSON (default: report.json in the folder, kept on failure)")
	flag.BoolVar(&opt.keep, "keep", false, "keep the folder of a run that passed")
	flag.BoolVar(&opt.netns, "netns", false, "one network namespace per node, secured, with partitions (root)")
	flag.BoolVar(&opt.disk, "disk", installed("strace"), "spoil fsync calls (needs strace)")
	flag.StringVar(&opt.plant, "plant", "", "build with this bug planted (internal/plant)")
	flag.BoolVar(&opt.prove, "prove", false, "prove that every planted bug is caught")
	flag.BoolVar(&opt.control, "control", false, "with --prove: also show that nothing is found without the bug")
	flag.StringVar(&opt.only, "only", "", "these faults alone, by name (pause-leader,skew-clock); with --prove: this bug alone")
	flag.Parse()
	if opt.seed == 0 {
		opt.seed = rand.Uint64N(1_000_000)
	}
	return opt
}

func execute(ctx context.Context, opt options) error {
	if opt.nodes != 3 && opt.nodes != 5 || opt.groups < 1 || opt.clients < 1 || opt.rate < 1 || opt.perPool < 10 || flag.NArg() > 0 {
		return fmt.Errorf("want --nodes 3 or 5, --groups, --clients and --rate of at least 1, --ops-per-pool of at least 10")
	}
	dir := opt.dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "cloudlicenses-faults-"); err != nil {
			return err
		}
		defer func() { _ = os.Remove(dir) }() // stays where something is kept in it
	} else {
		opt.keep = true // a folder that was asked for is wanted
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if opt.prove {
		return prove(ctx, opt, dir)
	}
	return chaos(ctx, opt, dir)
}

// chaos is the main run: build, start, hurt, judge, report.
func chaos(ctx context.Context, opt options, dir string) error {
	fmt.Printf("seed %d\n", opt.seed)
	binary, err := build(opt, dir)
	if err != nil {
		return err
	}
	f := &faultRun{opt: opt, dir: dir, found: newFindings(), clock: clock{time.Now()}}
	defer f.close()
	defer context.AfterFunc(ctx, f.found.end)()
	began := time.Now()
	pools := int(opt.duration.Seconds())*opt.rate/opt.perPool + windowPools
	if err := f.open(ctx, binary, pools); err != nil {
		return err
	}
	fmt.Printf("%s %d nodes serve, %d pools of %d tenants, data in %s\n", f.stamp(), opt.nodes, len(f.work.pools), len(f.tenants), dir)
	if err := f.storm(ctx); err != nil {
		return err
	}
	f.judge(ctx, monthsOf(began, time.Now()))
	return f.conclude(ctx, time.Since(began))
}

// conclude prints and writes the report; an error says that the run failed.
func (f *faultRun) conclude(ctx context.Context, took time.Duration) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	r := &f.report
	r.Seed, r.Commit, r.Nodes, r.Seconds, r.Plant = f.opt.seed, headCommit(), f.opt.nodes, took.Seconds(), f.opt.plant
	r.Settings = fmt.Sprintf("%d groups, %d clients, %d operations/s for %s, netns %t, disk %t", f.opt.groups, f.opt.clients, f.opt.rate, f.opt.duration, f.opt.netns, f.opt.disk)
	r.tellTally(&f.work.tally)
	effective := 0
	for _, n := range r.Effective {
		effective += n
	}
	if effective == 0 {
		f.found.add(flawNoFault, "no fault took effect: the run tested nothing")
	}
	r.tellFindings(f.found)
	r.print(os.Stdout)
	path := f.opt.report
	if path == "" {
		path = filepath.Join(f.dir, "report.json")
	}
	if err := r.write(path); err != nil {
		return err
	}
	if r.Failed {
		return fmt.Errorf("%d findings, report in %s", len(r.Findings), path)
	}
	return nil
}
