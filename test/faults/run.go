package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// options are the flags.
type options struct {
	seed     uint64
	duration time.Duration
	nodes    int
	groups   int
	clients  int
	rate     int // operations a second
	perPool  int // operations in one pool's history
	race     bool
	binary   string
	dir      string
	report   string
	keep     bool
	netns    bool
	disk     bool
	plant    string
	prove    bool
	control  bool
	only     string
}

// snapshotEntries makes replicas take and install snapshots within a short run.
const snapshotEntries = "200"

// entitlements are those of the tenants, in turn: small, so that clients are
// refused.
var entitlements = []entitlement{{3, 4}, {2, 0}, {1, 2}, {4, 3}, {0, 3}, {2, 2}}

// faultRun is one run against one cluster.
type faultRun struct {
	opt      options
	dir      string
	found    *findings
	clock    clock
	network  *network
	rig      *rig
	tenants  []*tenant
	work     *workload
	prober   *prober
	watchers *expiryWatch
	report   report
}

// build compiles the server as a user would, with what the run needs.
func build(opt options, dir string) (string, error) {
	if opt.binary != "" {
		return filepath.Abs(opt.binary)
	}
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	binary := filepath.Join(dir, "cloudlicenses")
	args := []string{"build", "-o", binary}
	if opt.race {
		args = append(args, "-race")
	}
	if opt.plant != "" || opt.prove {
		args = append(args, "-tags", "plant")
	}
	cmd := exec.Command("go", append(args, "./cmd/cloudlicenses")...)
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(mod)))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return binary, nil
}

// open starts the cluster and its tenants.
func (f *faultRun) open(ctx context.Context, binary string, pools int) error {
	cfg := rigConfig{dir: f.dir, binary: binary, nodes: f.opt.nodes, groups: f.opt.groups, found: f.found, flags: []string{"--snapshot-entries", snapshotEntries}}
	if f.opt.plant != "" {
		cfg.env = []string{"CLOUDLICENSES_PLANT=" + f.opt.plant}
	}
	var err error
	if f.opt.netns {
		if f.network, err = newNetwork(f.opt.nodes); err != nil {
			return err
		}
		cfg.network = f.network
	}
	if f.rig, err = newRig(cfg); err != nil {
		return err
	}
	if err := f.rig.start(ctx); err != nil {
		return err
	}
	// Two tenants for each group, and a pool more each for the prober.
	count := 2 * f.opt.groups
	for i := range count {
		spec := tenantSpec{fmt.Sprintf("tenant-%c", 'a'+i%26), entitlements[i%len(entitlements)], 1 + (pools+count-1)/count}
		t, err := f.rig.createTenant(ctx, spec)
		if err != nil {
			return err
		}
		f.tenants = append(f.tenants, t)
	}
	if f.prober, err = newProber(ctx, f.rig, f.tenants); err != nil {
		return err
	}
	f.work = f.newWorkload()
	return nil
}

// newWorkload lines the pools up so that neighbors belong to different tenants.
func (f *faultRun) newWorkload() *workload {
	w := &workload{gate: f.rig.gate, found: f.found, clock: f.clock, limit: f.opt.perPool, run: fmt.Sprintf("u%d", f.opt.seed%10000)}
	for i := range len(f.tenants[0].pools) - 1 { // the last is the prober's
		for _, t := range f.tenants {
			w.pools = append(w.pools, t.pools[i])
		}
	}
	return w
}

// close ends and removes all that the run made.
func (f *faultRun) close() {
	if f.rig != nil {
		f.rig.close()
	}
	if f.network != nil {
		f.network.close()
	}
	if !f.opt.keep && (f.found.quiet || len(f.found.list()) == 0) {
		_ = os.RemoveAll(f.dir)
		return
	}
	fmt.Fprintln(os.Stderr, "logs, data and histories are kept in", f.dir)
}

// storm is the main part: clients, faults and expiry watchers at once.
func (f *faultRun) storm(parent context.Context) error {
	hard, cancel := context.WithTimeout(parent, f.opt.duration+4*time.Minute)
	defer cancel()
	ctx, stop := context.WithTimeout(hard, f.opt.duration)
	defer stop()
	before, err := f.rig.terms(ctx)
	if err != nil {
		return err
	}
	nem := &nemesis{rig: f.rig, prober: f.prober, found: f.found, clock: f.clock, kinds: f.kinds(),
		rng: rand.New(rand.NewPCG(f.opt.seed, 1)), struck: func(s strike) { fmt.Println(tellStrike(s)) }}
	if len(nem.kinds) == 0 {
		return fmt.Errorf("no fault is called %q", f.opt.only)
	}
	if f.watchers, err = newExpiryWatch(ctx, f.rig, f.found, f.work, nem.calmSince); err != nil {
		return err
	}
	clients := f.work.start(ctx, hard, f.opt.clients, f.opt.rate, f.opt.seed)
	watching := f.watchers.start(ctx, hard)
	var striking sync.WaitGroup
	striking.Add(1)
	go func() {
		defer striking.Done()
		nem.rampage(ctx, hard)
	}()
	f.progress(ctx)
	striking.Wait()
	clients.Wait()
	fmt.Printf("%s clients have settled; waiting for the last expiries\n", f.stamp())
	watching.Wait()
	f.report.tellStrikes(nem.strikes)
	after, err := f.rig.terms(hard)
	f.report.Elections = int64(after) - int64(before)
	return err
}

// kinds are the faults this run may use.
func (f *faultRun) kinds() []faultKind {
	kinds := faultKinds
	if f.network != nil {
		kinds = append(kinds[:len(kinds):len(kinds)], partitionKinds...)
	}
	if f.opt.disk {
		kinds = append(kinds[:len(kinds):len(kinds)], diskKinds...)
	}
	if f.opt.only == "" {
		return kinds
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(k faultKind) bool {
		return !slices.Contains(strings.Split(f.opt.only, ","), k.name)
	})
}

func (f *faultRun) stamp() string {
	return fmt.Sprintf("%6.1f s", float64(f.clock.now())/1e9)
}

// progress prints a line every ten seconds until ctx ends.
func (f *faultRun) progress(ctx context.Context) {
	t := time.NewTicker(10 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			w := &f.work.tally
			fmt.Printf("%s granted %d · refused %d · returned %d · settled %d · doubtful %d · pools %d/%d · findings %d\n", f.stamp(),
				w.granted.Load(), w.refused.Load(), w.returned.Load(), w.settled.Load(), w.doubtful.Load(), f.work.cursor.Load(), len(f.work.pools), len(f.found.list()))
		}
	}
}

func tellStrike(s strike) string {
	line := fmt.Sprintf("%6.1f s %s of %s", s.AtSeconds, s.Kind, s.Target)
	if !s.Effective {
		line += ", without effect"
	}
	for _, o := range s.Outages {
		line += fmt.Sprintf(" · group %s back after %.0f ms", o.Group, o.Millis)
	}
	if s.Detail != "" {
		line += " · " + s.Detail
	}
	return line
}

// lastWords is longer than a server works on a request (5 s): what clients
// gave up on has taken effect after it, or never will.
const lastWords = 6 * time.Second

// judge reads every replica and checks every promise.
func (f *faultRun) judge(ctx context.Context, months []string) {
	sleep(ctx, lastWords)
	f.rig.quiesce(ctx)
	for _, t := range f.tenants {
		late, read := f.judgeTenant(ctx, t, months)
		if !read {
			continue // without the audit log the history of a doubt is open
		}
		f.report.Late += len(late)
		f.checkHistories(t, late)
	}
	if f.watchers != nil {
		f.judgeTenant(ctx, f.watchers.tenant, months)
		f.report.Expiries = f.watchers.seen.Load()
		f.report.StuckDisk = f.rig.stuckDisk.Load()
	}
	if f.report.Granted = f.work.tally.granted.Load(); f.report.Granted == 0 {
		f.found.add(flawNoFault, "nothing was granted: the run tested nothing")
	}
}

// judgeTenant compares every replica with what clients were told and returns
// what took effect without anybody being told; false: a replica can't be read.
func (f *faultRun) judgeTenant(ctx context.Context, t *tenant, months []string) (late map[string]auditRecord, read bool) {
	views, err := f.rig.readAll(ctx, t, months)
	if err != nil {
		f.found.add(flawRecovery, "read %s on every replica: %v", t.id, err)
		return nil, false
	}
	f.work.mu.Lock()
	j := newJudge(f.found, t, f.work.grants)
	f.work.mu.Unlock()
	var head proof
	for node, v := range views {
		late = j.look(node, v)
		if head != (proof{}) && v.proof != head {
			f.found.add(flawDiverged, "%s: audit heads differ between replicas: %+v, %+v", t.id, head, v.proof)
		}
		head = v.proof
	}
	return late, true
}

// checkHistories looks for a linearization of each pool, two pools at a time.
func (f *faultRun) checkHistories(t *tenant, late map[string]auditRecord) {
	slots := make(chan struct{}, 2)
	var wg sync.WaitGroup
	for _, p := range t.pools {
		history := p.history(late)
		if len(history) == 0 {
			continue
		}
		f.report.Pools++
		f.report.Operations += len(history)
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			result := p.entitlement.linearizable(history)
			if result == porcupine.Ok {
				return
			}
			path, err := p.dump(f.dir, late)
			if err != nil {
				path = err.Error()
			}
			kind := map[porcupine.CheckResult]flaw{porcupine.Illegal: flawHistory, porcupine.Unknown: flawUndecided}[result]
			f.found.add(kind, "pool %s of %s (%d operations): see %s", p.product, t.id, len(history), path)
		}()
	}
	wg.Wait()
}
