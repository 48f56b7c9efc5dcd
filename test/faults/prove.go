package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// trial is a scene in which one planted bug must show itself.
type trial struct {
	plant string
	scene func(*faultRun, context.Context) error
	// flaws by which the bug counts as caught; a crash of the planted process
	// alone proves nothing unless it is among them.
	flaws []flaw
}

// trials has a scene for each planted bug that shows between real processes.
var trials = []trial{
	{plant.NoDedup, (*faultRun).sceneNoDedup, []flaw{flawDoubled}},
	{plant.AckBeforeCommit, (*faultRun).sceneAckBeforeCommit, []flaw{flawLost, flawHistory, flawDiverged}},
	{plant.SkipFsync, (*faultRun).sceneSkipFsync, []flaw{flawLost, flawHistory, flawDiverged, flawExit, flawRecovery}},
	{plant.TornCut, (*faultRun).sceneTornCut, []flaw{flawDiverged, flawDoubled, flawCharge, flawHistory, flawOver, flawLost, flawChain}},
	{plant.HalfSnapshot, (*faultRun).sceneHalfSnapshot, []flaw{flawDiverged, flawLost, flawHistory, flawExit, flawRecovery}},
	{plant.StaleRead, (*faultRun).sceneStaleRead, []flaw{flawStale, flawHistory}},
	{plant.LocalExpiry, (*faultRun).sceneLocalExpiry, []flaw{flawDiverged, flawExpiry, flawLost}},
}

// prove runs every trial with its bug planted, and with --control without:
// the first must be caught, the second must find nothing.
func prove(ctx context.Context, opt options, dir string) error {
	binary, err := build(opt, dir)
	if err != nil {
		return err
	}
	if opt.binary == "" && !opt.keep {
		defer func() { _ = os.Remove(binary) }()
	}
	var failed []string
	for _, t := range trials {
		if opt.only != "" && opt.only != t.plant {
			continue
		}
		for _, planted := range []bool{true, false} {
			if !planted && !opt.control {
				continue
			}
			began := time.Now()
			verdict := t.run(ctx, opt, binary, dir, planted)
			// A bug may end a node before its scene is over, which proves nothing
			// either way.
			for try := 2; planted && try <= sceneTries && strings.HasPrefix(verdict, sceneFailed); try++ {
				fmt.Printf("%-18s planted=%-5t %s: once more\n", t.plant, planted, verdict)
				verdict = t.run(ctx, opt, binary, filepath.Join(dir, fmt.Sprint("try-", try)), planted)
			}
			fmt.Printf("%-18s planted=%-5t %s (%.0f s)\n", t.plant, planted, orOK(verdict), time.Since(began).Seconds())
			if verdict != "" {
				failed = append(failed, t.plant)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not as expected: %s", strings.Join(failed, ", "))
	}
	return nil
}

func orOK(verdict string) string {
	if verdict == "" {
		return "as expected"
	}
	return verdict
}

// trialWithin bounds one trial, and sceneTries how often a scene that could not
// be played is tried.
const (
	trialWithin = 4 * time.Minute
	sceneTries  = 3
	sceneFailed = "scene failed: "
)

// run plays the scene and returns what is wrong with its end; "": nothing.
func (t trial) run(parent context.Context, opt options, binary, dir string, planted bool) string {
	ctx, cancel := context.WithTimeout(parent, trialWithin)
	defer cancel()
	opt.groups, opt.nodes, opt.perPool, opt.netns, opt.plant = 1, 3, 150, false, ""
	name := t.plant + "-control"
	if planted {
		opt.plant, name = t.plant, t.plant
	}
	f := &faultRun{opt: opt, dir: filepath.Join(dir, name), found: newFindings(), clock: clock{time.Now()}}
	f.found.quiet = planted
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err.Error()
	}
	defer f.close()
	began := time.Now()
	if err := f.open(ctx, binary, 40); err != nil {
		return "cannot start: " + err.Error()
	}
	playing, caught := context.WithCancel(ctx)
	defer caught()
	if planted {
		f.found.told = func(kind flaw) {
			if slices.Contains(t.flaws, kind) {
				caught()
			}
		}
	}
	if err := t.scene(f, playing); err != nil && playing.Err() == nil {
		if !planted || !slices.Contains(t.flaws, flawRecovery) {
			return sceneFailed + err.Error()
		}
		f.found.add(flawRecovery, "%v", err)
	}
	if playing.Err() == nil {
		f.judge(playing, monthsOf(began, time.Now()))
	}
	return t.verdict(f.found, planted)
}

func (t trial) verdict(found *findings, planted bool) string {
	all := found.list()
	if !planted {
		if len(all) == 0 {
			return ""
		}
		return fmt.Sprintf("FOUND %d flaws without the bug, first %s: %s", len(all), all[0].Flaw, all[0].Detail)
	}
	for _, x := range all {
		if slices.Contains(t.flaws, x.Flaw) {
			fmt.Printf("%-18s caught: %s: %.160s\n", t.plant, x.Flaw, strings.ReplaceAll(x.Detail, "\n", " "))
			return ""
		}
	}
	return fmt.Sprintf("NOT CAUGHT (%d other findings)", len(all))
}

// busy runs the clients for a while, with meanwhile beside them.
func (f *faultRun) busy(ctx context.Context, d time.Duration, meanwhile func(context.Context) error) error {
	running, stop := context.WithTimeout(ctx, d)
	defer stop()
	clients := f.work.start(running, ctx, f.opt.clients, f.opt.rate, rand.Uint64())
	var err error
	if meanwhile != nil {
		err = meanwhile(running)
	}
	clients.Wait()
	return err
}

// sceneNoDedup: clients repeat granted checkouts with their keys.
func (f *faultRun) sceneNoDedup(ctx context.Context) error {
	return f.busy(ctx, 5*time.Second, nil)
}

// sceneSkipFsync: all processes die at one moment, and what they acknowledged
// just before must be on the disks.
func (f *faultRun) sceneSkipFsync(ctx context.Context) error {
	nem := &nemesis{rig: f.rig, rng: rand.New(rand.NewPCG(f.opt.seed, 2))}
	for range 3 {
		err := f.busy(ctx, 4*time.Second, func(running context.Context) error {
			sleep(running, 2*time.Second)
			if _, err := nem.restartAll(ctx); err != nil {
				return err
			}
			return f.rig.awaitHealthy(ctx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tornRounds is how often a torn cut is left on a disk and read again, and
// restOnDisk how long it takes until all that was applied is there: machines
// flush every 2 s.
const (
	tornRounds = 4
	restOnDisk = 3 * time.Second
)

// sceneTornCut: the last thing a machine brings to its disk before it rests is
// a refusal, which counts anew whenever it is applied. A process that dies then
// must not apply it a second time.
func (f *faultRun) sceneTornCut(ctx context.Context) error {
	if err := f.busy(ctx, 3*time.Second, nil); err != nil {
		return err
	}
	nem := &nemesis{rig: f.rig, rng: rand.New(rand.NewPCG(f.opt.seed, 3))}
	for range tornRounds {
		leaders, err := f.rig.leaders(ctx)
		if err != nil {
			return err
		}
		p := f.work.pools[0]
		for f.take(p, nem.index(leaders["1"]), attemptTimeout) {
			continue // until the pool refuses
		}
		sleep(ctx, restOnDisk)
		n := nem.other(leaders["1"])
		if err := n.kill(); err != nil {
			return err
		}
		if err := n.start(); err != nil {
			return err
		}
		if err := f.rig.awaitHealthy(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sceneHalfSnapshot: a follower sleeps until the log it needs is gone, so that
// it has to install a snapshot.
func (f *faultRun) sceneHalfSnapshot(ctx context.Context) error {
	leaders, err := f.rig.leaders(ctx)
	if err != nil {
		return err
	}
	n := (&nemesis{rig: f.rig, rng: rand.New(rand.NewPCG(f.opt.seed, 4))}).other(leaders["1"])
	return f.busy(ctx, 20*time.Second, func(context.Context) error {
		if err := n.kill(); err != nil {
			return err
		}
		sleep(ctx, 15*time.Second)
		if err := n.start(); err != nil {
			return err
		}
		return f.rig.awaitHealthy(ctx)
	})
}

// take checks one seat out of a pool through one node and records it; false:
// no grant.
func (f *faultRun) take(p *pool, node int, within time.Duration) bool {
	c := &client{w: f.work, id: -1, rng: rand.New(rand.NewPCG(f.opt.seed, uint64(node)))}
	op := &operation{client: -1, pool: p, req: request{Kind: opCheckout, User: f.work.newUser(), Count: 1, AllowOverage: true}}
	op.key = "key-" + op.req.User
	op.first = f.clock.now()
	op.last, op.tries = op.first, 1
	ans := f.rig.gate.do(node, op.attempt(), within)
	op.open = ans.fate == unknown
	return c.finishCheckout(op, ans) != nil
}

// sceneAckBeforeCommit: both followers sleep while the leader is asked for
// seats, and it dies before they wake up.
func (f *faultRun) sceneAckBeforeCommit(ctx context.Context) error {
	leaders, err := f.rig.leaders(ctx)
	if err != nil {
		return err
	}
	leader := leaders["1"]
	at := (&nemesis{rig: f.rig}).index(leader)
	f.take(f.work.pools[0], at, attemptTimeout) // the connection is there
	for _, n := range f.rig.nodes {
		if n != leader {
			if err := n.signal(syscall.SIGSTOP); err != nil {
				return err
			}
		}
	}
	var asking sync.WaitGroup
	for _, p := range f.work.pools[1:9] {
		asking.Add(1)
		go func() {
			defer asking.Done()
			f.take(p, at, 150*time.Millisecond)
		}()
	}
	asking.Wait()
	if err := leader.kill(); err != nil {
		return err
	}
	for _, n := range f.rig.nodes {
		if n != leader {
			if err := n.signal(syscall.SIGCONT); err != nil {
				return err
			}
		}
	}
	// What was acknowledged must be known to the successor, which must be there
	// before the old leader is back: that one's longer log would win.
	if nem := (&nemesis{rig: f.rig}); !nem.deposed(ctx, leader) {
		return fmt.Errorf("no successor of %s", leader.id)
	}
	c := &client{w: f.work, id: -1, rng: rand.New(rand.NewPCG(f.opt.seed, 8))}
	for _, g := range f.work.grants {
		if i := slices.IndexFunc(f.work.pools, func(p *pool) bool { return p.tenant.id == g.tenant && p.license == g.license }); i >= 0 {
			c.returnLease(ctx, held{f.work.pools[i], g.lease, g.count})
		}
	}
	if err := leader.start(); err != nil {
		return err
	}
	return f.rig.awaitHealthy(ctx)
}

// staleRounds bounds how often a deposed leader is tempted to answer.
const staleRounds = 10

// sceneStaleRead: a leader sleeps and is deposed; a seat is granted by its
// successor; reads then wait in the sleeper's sockets and are the first thing
// it sees when it wakes up.
func (f *faultRun) sceneStaleRead(ctx context.Context) error {
	nem := &nemesis{rig: f.rig, rng: rand.New(rand.NewPCG(f.opt.seed, 5))}
	for round := range staleRounds {
		leaders, err := f.rig.leaders(ctx)
		if err != nil {
			return err
		}
		sleeper := leaders["1"]
		p := f.work.pools[round]
		for i := range f.rig.nodes { // connections to all nodes are open
			f.work.readPool(-1, p, i, attemptTimeout)
		}
		if err := sleeper.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		deposed := nem.deposed(ctx, sleeper)
		awake := nem.index(nem.other(sleeper))
		granted := deposed && f.take(p, awake, 5*time.Second)
		wrong, err := f.wake(sleeper, p)
		if err != nil {
			return err
		}
		if granted && wrong {
			return f.rig.awaitHealthy(ctx)
		}
		if err := f.rig.awaitHealthy(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wake sends reads to a sleeping node, wakes it, and reports whether one of
// them saw no seat in use.
func (f *faultRun) wake(sleeper *process, p *pool) (bool, error) {
	node := (&nemesis{rig: f.rig}).index(sleeper)
	var wrong atomic.Bool
	var reads sync.WaitGroup
	var sent sync.WaitGroup
	for range 48 {
		reads.Add(1)
		sent.Add(1)
		go func() {
			defer reads.Done()
			op := &operation{client: -1, pool: p, req: request{Kind: opRead}}
			sent.Done()
			ans := f.rig.gate.do(node, op.attempt(), 5*time.Second)
			var row licenseRow
			if ans.fate == definite && ans.status == http.StatusOK && json.Unmarshal(ans.body, &row) == nil && row.InUse == 0 {
				wrong.Store(true)
				f.found.add(flawStale, "%s read %.200s after a seat was granted elsewhere", sleeper.id, ans.body)
			}
		}()
	}
	sent.Wait()
	time.Sleep(100 * time.Millisecond) // let the requests reach its sockets
	err := sleeper.signal(syscall.SIGCONT)
	reads.Wait()
	return wrong.Load(), err
}

// sceneLocalExpiry: a follower sleeps through a heartbeat and wakes up after
// the lease would have expired without it. Between the two a checkout was
// refused; by the follower's own clock it would have to be granted.
func (f *faultRun) sceneLocalExpiry(ctx context.Context) error {
	watch, err := newExpiryWatch(ctx, f.rig, f.found, f.work, func() time.Time { return f.clock.start })
	if err != nil {
		return err
	}
	f.tenants = append(f.tenants, watch.tenant)
	s := &seatWatch{expiryWatch: watch, pool: watch.tenant.pools[0], rng: rand.New(rand.NewPCG(f.opt.seed, 6))}
	leaders, err := f.rig.leaders(ctx)
	if err != nil {
		return err
	}
	sleeper := (&nemesis{rig: f.rig, rng: s.rng}).other(leaders["1"])
	lease := s.take(ctx)
	if lease == nil {
		return fmt.Errorf("no seat in %s", s.pool.license)
	}
	sleep(ctx, time.Until(lease.ExpiresAt)-10*time.Second)
	if err := sleeper.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	if s.take(ctx) != nil {
		f.found.add(flawExpiry, "a second lease of one seat")
	}
	s.beat(ctx, lease.LeaseID, lease.ExpiresAt)
	sleep(ctx, time.Until(lease.ExpiresAt)+2*time.Second)
	if err := sleeper.signal(syscall.SIGCONT); err != nil {
		return err
	}
	if err := f.rig.awaitHealthy(ctx); err != nil {
		return err
	}
	return f.busy(ctx, time.Second, nil)
}
