package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// probeTimeout is a probe's patience; the next one asks another node.
	probeTimeout = 400 * time.Millisecond
	// probersPerGroup ask at once, so that one that waits costs no time.
	probersPerGroup = 3
	// outageBound ends a measurement that sees no write succeed.
	outageBound = 20 * time.Second
)

// prober measures for how long no write succeeds. A probe is a heartbeat, a
// write through the log like any other.
type prober struct {
	rig     *rig
	beacons map[string]*tenant // by group
}

// newProber takes a lease in the last pool of one tenant of each group.
func newProber(ctx context.Context, r *rig, tenants []*tenant) (*prober, error) {
	p := &prober{rig: r, beacons: map[string]*tenant{}}
	for _, t := range tenants {
		if p.beacons[t.group] != nil {
			continue
		}
		last := t.pools[len(t.pools)-1]
		ans, err := r.ask(ctx, attempt{tenant: t, method: "POST", path: "/api/v1/licenses/checkout", key: "beacon-" + t.id,
			body: map[string]any{"product_id": last.product, "user": "beacon", "ttl_seconds": leaseTTLSeconds}})
		if err != nil {
			return nil, err
		}
		var reply checkoutReply
		if err := json.Unmarshal(ans.body, &reply); err != nil {
			return nil, fmt.Errorf("checkout of the beacon: %w", err)
		}
		t.beacon = reply.LeaseID
		p.beacons[t.group] = t
	}
	return p, nil
}

// outage is how long a group acknowledged no write after a fault.
type outage struct {
	Fault  string  `json:"fault"`
	Group  string  `json:"group"`
	Millis float64 `json:"millis"`
}

// measure waits for the first success, in each group, of a write sent after
// the call through a node other than those shunned: a fault is in force, and
// this is how long it keeps clients waiting. The channel delivers all outages
// at once.
func (p *prober) measure(ctx context.Context, fault string, groups []string, shunned ...*process) <-chan []outage {
	since := time.Now()
	return p.each(fault, groups, func(t *tenant) time.Duration {
		ctx, cancel := context.WithTimeout(ctx, outageBound)
		defer cancel()
		first := make(chan time.Time, 1)
		p.probe(ctx, t, shunned, func(at time.Time) {
			select {
			case first <- at:
				cancel()
			default:
			}
		})
		select {
		case at := <-first:
			return at.Sub(since)
		default:
			return time.Since(since)
		}
	})
}

// watch finds the longest time without a success, in each group, from now
// until a write has succeeded after gone is closed: a handover should leave
// next to none.
func (p *prober) watch(ctx context.Context, fault string, groups []string, gone <-chan struct{}, shunned ...*process) <-chan []outage {
	since := time.Now()
	return p.each(fault, groups, func(t *tenant) time.Duration {
		ctx, cancel := context.WithTimeout(ctx, drainWithin+outageBound)
		defer cancel()
		var mu sync.Mutex
		var longest time.Duration
		last, over := since, false
		p.probe(ctx, t, shunned, func(at time.Time) {
			mu.Lock()
			defer mu.Unlock()
			longest, last = max(longest, at.Sub(last)), at
			select {
			case <-gone:
				over = true
				cancel()
			default:
			}
		})
		if !over {
			longest = max(longest, time.Since(last))
		}
		return longest
	})
}

// each runs a measurement for every group at once and gathers the outages.
func (p *prober) each(fault string, groups []string, measure func(*tenant) time.Duration) <-chan []outage {
	done := make(chan []outage, 1)
	var mu sync.Mutex
	var all []outage
	var wg sync.WaitGroup
	for _, g := range groups {
		t := p.beacons[g]
		if t == nil {
			continue // the directory, or a group without a tenant
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			took := measure(t)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, outage{fault, g, float64(took.Microseconds()) / 1000})
		}()
	}
	go func() {
		wg.Wait()
		done <- all
	}()
	return done
}

// probe writes through the nodes in turn until ctx ends and tells the time of
// each success.
func (p *prober) probe(ctx context.Context, t *tenant, shunned []*process, succeeded func(time.Time)) {
	a := attempt{tenant: t, method: "POST", path: "/api/v1/licenses/heartbeat", body: map[string]any{"lease_id": t.beacon}}
	var wg sync.WaitGroup
	for i := range probersPerGroup {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for turn := i; ctx.Err() == nil; turn++ {
				node := p.rig.nodes[turn%len(p.rig.nodes)]
				if !node.serving() || slices.Contains(shunned, node) {
					sleep(ctx, time.Millisecond)
					continue
				}
				ans := p.rig.gate.do(turn%len(p.rig.nodes), a, probeTimeout)
				if ans.fate == definite && ans.status == http.StatusOK {
					succeeded(time.Now())
				}
				sleep(ctx, 10*time.Millisecond)
			}
		}()
	}
	wg.Wait()
}
