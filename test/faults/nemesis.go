package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// strike is one fault and what came of it.
type strike struct {
	Kind      string   `json:"kind"`
	Target    string   `json:"target"`
	AtSeconds float64  `json:"at_seconds"`
	Effective bool     `json:"effective"` // observed from outside, not assumed
	Detail    string   `json:"detail,omitempty"`
	Outages   []outage `json:"outages,omitempty"`
}

// faultKind is one way to hurt a cluster. strike applies it, observes that it
// works, and heals it again.
type faultKind struct {
	name   string
	weight int
	strike func(*nemesis, context.Context) (strike, error)
}

// faultKinds are those that need loopback alone.
var faultKinds = []faultKind{
	{"kill-leader", 4, func(n *nemesis, ctx context.Context) (strike, error) { return n.kill(ctx, true) }},
	{"kill-follower", 2, func(n *nemesis, ctx context.Context) (strike, error) { return n.kill(ctx, false) }},
	{"pause-leader", 4, func(n *nemesis, ctx context.Context) (strike, error) { return n.pause(ctx, true) }},
	{"pause-follower", 2, func(n *nemesis, ctx context.Context) (strike, error) { return n.pause(ctx, false) }},
	{"pause-quorum", 1, (*nemesis).pauseQuorum},
	{"drain-leader", 2, (*nemesis).drain},
	{"restart-all", 1, (*nemesis).restartAll},
	{"skew-clock", 1, (*nemesis).skewClock},
}

// nemesis hurts the cluster from a seed.
type nemesis struct {
	rig     *rig
	prober  *prober
	found   *findings
	rng     *rand.Rand
	clock   clock
	kinds   []faultKind
	strikes []strike

	mu       sync.Mutex
	striking bool
	calmFrom time.Time // when the last fault was healed
	// struck is told of each strike as it ends.
	struck func(strike)
}

// calm is the least time the cluster gets between two faults.
const calm = 500 * time.Millisecond

// between returns a random time of at least low and less than high.
func (n *nemesis) between(low, high time.Duration) time.Duration {
	return low + time.Duration(n.rng.Int64N(int64(high-low)))
}

// rampage strikes until ctx ends: each kind once in random order, then at
// random by weight. It leaves the cluster healed. One fault at a time: a
// minority is hurt, except where a kind says otherwise.
func (n *nemesis) rampage(ctx, hard context.Context) {
	order := n.rng.Perm(len(n.kinds))
	for i := 0; ctx.Err() == nil; i++ {
		kind := n.draw()
		if i < len(order) {
			kind = n.kinds[order[i]]
		}
		at := n.clock.now()
		n.setCalm(false)
		s, err := kind.strike(n, hard)
		s.Kind, s.AtSeconds = kind.name, float64(at/1e6)/1e3
		if err != nil {
			s.Detail = strings.TrimSpace(s.Detail + " " + err.Error())
		}
		n.strikes = append(n.strikes, s)
		if n.struck != nil {
			n.struck(s)
		}
		if err := n.rig.awaitHealthy(hard); err != nil {
			n.found.add(flawRecovery, "after %s of %s: %v", s.Kind, s.Target, err)
			return
		}
		n.setCalm(true)
		sleep(ctx, n.between(calm, 4*calm))
	}
}

func (n *nemesis) setCalm(calm bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.striking, n.calmFrom = !calm, time.Now()
}

// calmSince returns since when no fault is in force: now, while one is.
func (n *nemesis) calmSince() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.striking {
		return time.Now()
	}
	return n.calmFrom
}

func (n *nemesis) draw() faultKind {
	total := 0
	for _, k := range n.kinds {
		total += k.weight
	}
	at := n.rng.IntN(total)
	for _, k := range n.kinds {
		if at -= k.weight; at < 0 {
			return k
		}
	}
	panic("unreachable: the weights sum to total")
}

// victim chooses a random group's leader, or a node that does not lead that
// group, and returns it with the license groups it leads.
func (n *nemesis) victim(ctx context.Context, leader bool) (*process, []string, error) {
	var chosen *process
	var led []string
	err := await(ctx, "leaders", 10*time.Second, func() error {
		leaders, err := n.rig.leaders(ctx)
		if err != nil {
			return err
		}
		group := fmt.Sprint(1 + n.rng.IntN(n.rig.cfg.groups))
		chosen = leaders[group]
		if !leader {
			chosen = n.other(chosen)
		}
		led = nil
		for g, l := range leaders {
			if l == chosen {
				led = append(led, g)
			}
		}
		return nil
	})
	return chosen, led, err
}

// other returns a random node that is not n.
func (n *nemesis) other(not *process) *process {
	for {
		if p := n.rig.nodes[n.rng.IntN(len(n.rig.nodes))]; p != not {
			return p
		}
	}
}

// kill sends SIGKILL, waits for the survivors to take over, and restarts.
func (n *nemesis) kill(ctx context.Context, leader bool) (strike, error) {
	p, led, err := n.victim(ctx, leader)
	if err != nil {
		return strike{}, err
	}
	s := strike{Target: p.id}
	dead := n.between(time.Second, 4*time.Second)
	p.expectExit()
	if err := p.signal(syscall.SIGKILL); err != nil {
		return s, err
	}
	outages := n.prober.measure(ctx, "kill", led, p)
	if err := p.awaitExit(10 * time.Second); err != nil {
		return s, err
	}
	s.Effective = refuses(p.http)
	s.Outages = <-outages
	s.Effective = s.Effective && n.deposed(ctx, p)
	sleep(ctx, dead)
	return s, p.start()
}

// pause stops a process for a while; what waits in its sockets is handled when
// it wakes up, by then maybe deposed.
func (n *nemesis) pause(ctx context.Context, leader bool) (strike, error) {
	p, led, err := n.victim(ctx, leader)
	if err != nil {
		return strike{}, err
	}
	s := strike{Target: p.id}
	asleep := time.After(n.between(time.Second, 5*time.Second))
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return s, err
	}
	outages := n.prober.measure(ctx, "pause", led, p)
	s.Effective = n.silent(ctx, p)
	select {
	case s.Outages = <-outages:
		s.Effective = s.Effective && n.deposed(ctx, p)
		<-asleep
		return s, p.signal(syscall.SIGCONT)
	case <-asleep: // too short a nap to be deposed
		err := p.signal(syscall.SIGCONT)
		s.Outages = <-outages
		return s, err
	}
}

// pauseQuorum stops all nodes but one: nothing may be granted meanwhile.
func (n *nemesis) pauseQuorum(ctx context.Context) (strike, error) {
	awake := n.rng.IntN(len(n.rig.nodes))
	s := strike{Target: "all but " + n.rig.nodes[awake].id, Effective: true}
	for i, p := range n.rig.nodes {
		if i != awake {
			if err := p.signal(syscall.SIGSTOP); err != nil {
				return s, err
			}
		}
	}
	for i, p := range n.rig.nodes {
		s.Effective = s.Effective && (i == awake || n.silent(ctx, p))
	}
	sleep(ctx, n.between(500*time.Millisecond, 2500*time.Millisecond))
	var failed error
	for i, p := range n.rig.nodes {
		if i != awake {
			if err := p.signal(syscall.SIGCONT); err != nil {
				failed = err
			}
		}
	}
	return s, failed
}

// drainWithin bounds a graceful stop.
const drainWithin = 20 * time.Second

// drain sends SIGTERM to a leader: it hands over, answers and exits with 0.
func (n *nemesis) drain(ctx context.Context) (strike, error) {
	p, led, err := n.victim(ctx, true)
	if err != nil {
		return strike{}, err
	}
	s := strike{Target: p.id}
	gone := make(chan struct{})
	outages := n.prober.watch(ctx, "drain", led, gone, p)
	began := time.Now()
	if err := p.terminate(drainWithin); err != nil {
		n.found.add(flawExit, "%s after SIGTERM: %v\n%s", p.id, err, p.logTail(8))
		p.end()
	}
	s.Detail = fmt.Sprintf("exited after %d ms", time.Since(began).Milliseconds())
	close(gone)
	s.Effective = refuses(p.http)
	s.Outages = <-outages
	s.Effective = s.Effective && n.deposed(ctx, p)
	return s, p.start()
}

// restartAll kills every node at one moment: what was acknowledged is on disk.
func (n *nemesis) restartAll(context.Context) (strike, error) {
	s := strike{Target: "all", Effective: true}
	for _, p := range n.rig.nodes {
		p.expectExit()
	}
	for _, p := range n.rig.nodes {
		if err := p.signal(syscall.SIGKILL); err != nil {
			return s, err
		}
	}
	for _, p := range n.rig.nodes {
		if err := p.awaitExit(10 * time.Second); err != nil {
			return s, err
		}
		s.Effective = s.Effective && refuses(p.http)
	}
	for _, i := range n.rng.Perm(len(n.rig.nodes)) {
		if err := n.rig.nodes[i].start(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// skewClock restarts a node with a clock that is seconds off: it may follow,
// but not lead, or time would jump and leases with it.
func (n *nemesis) skewClock(ctx context.Context) (strike, error) {
	p, _, err := n.victim(ctx, true)
	if err != nil {
		return strike{}, err
	}
	offset := n.between(2*time.Second, 30*time.Second)
	if n.rng.IntN(2) == 0 {
		offset = -offset
	}
	s := strike{Target: p.id, Detail: "by " + offset.String()}
	if err := p.kill(); err != nil {
		return s, err
	}
	if err := p.startWith("--clock-offset", offset.String()); err != nil {
		return s, err
	}
	if err := n.rig.awaitHealthy(ctx); err != nil {
		n.found.add(flawRecovery, "with the clock of %s %s off: %v", p.id, offset, err)
	}
	s.Effective = true
	for range 4 {
		sleep(ctx, n.between(400*time.Millisecond, 1200*time.Millisecond))
		if !n.deposed(ctx, p) {
			n.found.add(flawClock, "%s leads with a clock %s off", p.id, offset)
			break
		}
	}
	if err := p.kill(); err != nil {
		return s, err
	}
	return s, p.start()
}

// refuses reports whether nobody listens at the URL's address.
func refuses(url string) bool {
	c, err := net.DialTimeout("tcp", url[strings.Index(url, "://")+3:], time.Second)
	if err != nil {
		return true
	}
	_ = c.Close()
	return false
}

// silent reports whether a node does not answer although it exists. More looks
// than one: a process is stopped thread by thread, and may answer until the
// last is.
func (n *nemesis) silent(ctx context.Context, p *process) bool {
	for range 20 {
		if n.rig.op.getWithin(ctx, p.admin, "/healthz", 300*time.Millisecond, nil) != nil {
			return true
		}
		sleep(ctx, 5*time.Millisecond)
	}
	return false
}

// deposed reports whether the others see the node lead nothing.
func (n *nemesis) deposed(ctx context.Context, p *process) bool {
	err := await(ctx, p.id+" deposed", 5*time.Second, func() error {
		for _, q := range n.rig.nodes {
			if q == p || !q.serving() {
				continue
			}
			view, err := n.rig.op.cluster(ctx, q.admin)
			if err != nil {
				return err
			}
			for _, g := range view.Groups {
				if g.leader() == p.id {
					return fmt.Errorf("%s still sees it lead group %s", q.id, g.ID)
				}
			}
			return nil
		}
		return errNotRunning
	})
	return err == nil
}

// installed reports whether a program is there to be used.
func installed(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
