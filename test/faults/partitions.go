package main

import (
	"context"
	"errors"
	"time"
)

// partitionKinds need network namespaces. Clients reach every node throughout,
// a cut-off leader included.
var partitionKinds = []faultKind{
	{"isolate-leader", 4, func(n *nemesis, ctx context.Context) (strike, error) { return n.isolate(ctx, true) }},
	{"isolate-follower", 2, func(n *nemesis, ctx context.Context) (strike, error) { return n.isolate(ctx, false) }},
	{"mute-leader", 2, func(n *nemesis, ctx context.Context) (strike, error) { return n.oneWay(ctx, true) }},
	{"deafen-leader", 2, func(n *nemesis, ctx context.Context) (strike, error) { return n.oneWay(ctx, false) }},
}

func (n *nemesis) index(p *process) int {
	for i, q := range n.rig.nodes {
		if q == p {
			return i
		}
	}
	return -1
}

// isolate cuts a node off from all its peers for a while.
func (n *nemesis) isolate(ctx context.Context, leader bool) (strike, error) {
	p, led, err := n.victim(ctx, leader)
	if err != nil {
		return strike{}, err
	}
	s := strike{Target: p.id}
	at := n.index(p)
	if err := n.rig.cfg.network.isolate(at, true); err != nil {
		return s, err
	}
	outages := n.prober.measure(ctx, "isolate", led, p)
	s.Effective = !n.rig.cfg.network.reaches(at, n.other(p).peer)
	s.Outages = <-outages
	s.Effective = s.Effective && n.deposed(ctx, p)
	sleep(ctx, n.between(time.Second, 4*time.Second))
	return s, n.rig.cfg.network.isolate(at, false)
}

// oneWay drops one direction only between a leader and all its peers: what the
// leader sends (mute) or what it would hear.
func (n *nemesis) oneWay(ctx context.Context, mute bool) (strike, error) {
	p, led, err := n.victim(ctx, true)
	if err != nil {
		return strike{}, err
	}
	s := strike{Target: p.id}
	if err := n.setOneWay(p, mute, true); err != nil {
		return s, errors.Join(err, n.setOneWay(p, mute, false))
	}
	outages := n.prober.measure(ctx, "one-way", led, p)
	if other := n.other(p); mute {
		s.Effective = !n.rig.cfg.network.reaches(n.index(p), other.peer)
	} else {
		s.Effective = !n.rig.cfg.network.reaches(n.index(other), p.peer)
	}
	s.Outages = <-outages
	sleep(ctx, n.between(time.Second, 4*time.Second))
	return s, n.setOneWay(p, mute, false)
}

func (n *nemesis) setOneWay(p *process, mute, cut bool) error {
	var failed error
	at := n.index(p)
	for i := range n.rig.nodes {
		if i == at {
			continue
		}
		from, to := at, i
		if !mute {
			from, to = i, at
		}
		failed = errors.Join(failed, n.rig.cfg.network.mute(from, to, cut))
	}
	return failed
}
