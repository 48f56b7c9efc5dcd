package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
// the call through a node other than those shunned. It returns a channel that
// delivers all outages at once.
func (p *prober) measure(ctx context.Context, fault string, groups []string, shunned ...*process) <-chan []outage {
	since := time.Now()
	done := make(chan []outage, 1)
	go func() {
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
				took := p.firstSuccess(ctx, t, since, shunned)
				mu.Lock()
				all = append(all, outage{fault, g, float64(took.Microseconds()) / 1000})
				mu.Unlock()
			}()
		}
		wg.Wait()
		done <- all
	}()
	return done
}

func (p *prober) firstSuccess(ctx context.Context, t *tenant, since time.Time, shunned []*process) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, outageBound)
	defer cancel()
	success := make(chan time.Duration, probersPerGroup)
	for i := range probersPerGroup {
		go p.probe(ctx, t, i, since, shunned, success)
	}
	select {
	case took := <-success:
		return took
	case <-ctx.Done():
		return time.Since(since)
	}
}

func (p *prober) probe(ctx context.Context, t *tenant, turn int, since time.Time, shunned []*process, success chan<- time.Duration) {
	a := attempt{tenant: t, method: "POST", path: "/api/v1/licenses/heartbeat", body: map[string]any{"lease_id": t.beacon}}
	for ; ctx.Err() == nil; turn++ {
		node := turn % len(p.rig.nodes)
		if !p.rig.nodes[node].serving() || contains(shunned, p.rig.nodes[node]) {
			sleep(ctx, time.Millisecond)
			continue
		}
		ans := p.rig.gate.do(node, a, probeTimeout)
		if ans.fate == definite && ans.status == http.StatusOK {
			success <- time.Since(since)
			return
		}
		sleep(ctx, 10*time.Millisecond)
	}
}

func contains(set []*process, n *process) bool {
	for _, m := range set {
		if m == n {
			return true
		}
	}
	return false
}
