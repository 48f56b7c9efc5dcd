package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// killCallers work while leaders are killed.
	killCallers = 64
	// keptOf: of so many leases one is kept to the end.
	keptOf = 16
	// killLease outlives the study.
	killLease = 24 * time.Hour
	// outageBound ends the wait for a first success.
	outageBound = 30 * time.Second
	// calmBetween is the shortest time under load between two kills; up to as
	// much again is added by chance.
	calmBetween = 300 * time.Millisecond
	// askPause lies between two tries of a request.
	askPause = 2 * time.Millisecond
)

// kills kills the leader under load again and again, measures for how long
// nothing is served, and checks every seat afterwards.
func (r *runner) kills(ctx context.Context) error {
	p := r.http()
	return r.with(ctx, p, func(s *subject) error {
		t, ok := s.target.(*httpTarget)
		if !ok || s.rig == nil {
			return errors.New("only a cluster of its own can be killed")
		}
		n := r.cfg.Sizes.Kills
		r.cfg.Progress.Begin(plural(n, "kill"), time.Duration(n)*3*time.Second)
		k := &killing{rig: s.rig, target: t}
		start := time.Now()
		outages, err := k.run(ctx, n, func(i int, outage time.Duration) {
			r.cfg.Progress.At(time.Since(start), fmt.Sprintf("kill %d: %d ms", i+1, outage.Milliseconds()))
		})
		if err != nil {
			r.cfg.Progress.End("failed")
			return err
		}
		lost, doubled, err := k.account(ctx)
		if err != nil {
			return err
		}
		var without []float64
		for _, outage := range outages {
			without = append(without, millis(outage))
		}
		figures := map[string]float64{
			"kills": float64(n), "without_service_median_ms": median(without), "without_service_worst_ms": slices.Max(without),
			"without_service_best_ms": slices.Min(without), "operations": float64(k.done.Load()), "lost": float64(lost), "doubled": float64(doubled),
		}
		r.note("kills", p.scheme(), p, time.Since(start), figures)
		r.cfg.Progress.End(fmt.Sprintf("median %.0f ms, worst %.0f ms, %d lost, %d doubled", figures["without_service_median_ms"], figures["without_service_worst_ms"], lost, doubled))
		if lost+doubled > 0 {
			return fmt.Errorf("%d leases lost and %d doubled", lost, doubled)
		}
		return nil
	})
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// killing is a cluster under load whose leaders are killed.
type killing struct {
	rig    *rig
	target *httpTarget
	done   atomic.Int64 // operations acknowledged

	mu    sync.Mutex
	since time.Time      // of the kill that waits for a success; zero: none
	back  chan time.Time // gets the time of that success

	held []map[string]bool // leases that each caller was given and has not returned
}

// run loads the cluster and kills its leader n times.
func (k *killing) run(ctx context.Context, n int, killed func(i int, outage time.Duration)) ([]time.Duration, error) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	errs := make(chan error, killCallers)
	var callers sync.WaitGroup
	k.held = make([]map[string]bool, killCallers)
	for i := range killCallers {
		k.held[i] = map[string]bool{}
		callers.Go(func() {
			if err := k.work(working, i); err != nil {
				errs <- err
				stop()
			}
		})
	}
	var outages []time.Duration
	var err error
	for i := 0; i < n && err == nil; i++ {
		var outage time.Duration
		if outage, err = k.kill(working); err == nil {
			outages = append(outages, outage)
			killed(i, outage)
		}
	}
	stop()
	callers.Wait()
	select {
	case cause := <-errs:
		return outages, cause
	default:
		return outages, err
	}
}

// kill kills the leader, waits for the first success of a request that was
// sent after that, and starts the node again.
func (k *killing) kill(ctx context.Context) (time.Duration, error) {
	if err := pause(ctx, calmBetween+rand.N(calmBetween)); err != nil {
		return 0, err
	}
	var leader *server
	err := await(ctx, "leader to kill", readyWithin, func() (err error) {
		leader, err = k.leader(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	back := make(chan time.Time, 1)
	k.mu.Lock()
	k.since, k.back = time.Now(), back
	since := k.since
	k.mu.Unlock()
	if err := leader.stop(syscall.SIGKILL); err != nil {
		return 0, err
	}
	var first time.Time
	select {
	case first = <-back:
	case <-time.After(outageBound):
		return 0, fmt.Errorf("nothing was served within %s of a kill", outageBound)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if err := leader.start(); err != nil {
		return 0, err
	}
	return first.Sub(since), k.rig.awaitReady(ctx, leader)
}

// leader is the node that leads the group of the tenant.
func (k *killing) leader(ctx context.Context) (*server, error) {
	group, err := k.rig.groupOf(ctx, k.target.tenants[0].ID)
	if err != nil {
		return nil, err
	}
	groups, err := k.rig.state(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if g.ID == group && g.Leader != nil {
			for _, s := range k.rig.servers {
				if s.id == *g.Leader && s.running() {
					return s, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("group %d has none", group)
}

// succeeded notes that a request that was sent at a time has succeeded.
func (k *killing) succeeded(sent time.Time) {
	k.done.Add(1)
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.since.IsZero() && sent.After(k.since) {
		k.back <- time.Now()
		k.since = time.Time{}
	}
}

// work checks out and returns until ctx ends, and keeps some leases.
func (k *killing) work(ctx context.Context, caller int) error {
	t := k.target
	conns := make([]*conn, len(t.addrs))
	for i, addr := range t.addrs {
		conns[i] = newConn(addr, t.tls)
		defer conns[i].close()
	}
	held := k.held[caller]
	for n := 0; ctx.Err() == nil; n++ {
		body := fmt.Sprintf(`{"product_id":"%s-%04d","user":"bench-%d","ttl_seconds":%d}`, t.product, (caller+n)%t.perTenant, caller, int(killLease.Seconds()))
		lease, err := k.insist(conns, caller+n, "checkout", fmt.Sprintf("%d-%d", caller, n), body, http.StatusCreated)
		if err != nil {
			return err
		}
		if held[lease] {
			return fmt.Errorf("%s was given twice", lease)
		}
		held[lease] = true
		if n%keptOf == 0 {
			continue
		}
		if _, err := k.insist(conns, caller+n, "return", "", `{"lease_id":"`+lease+`"}`, http.StatusOK); err != nil {
			return err
		}
		delete(held, lease)
	}
	return nil
}

// insist sends a request to one node after the other until its outcome is
// known, and returns the lease's id. An outcome other than the one that is
// wanted is an error.
func (k *killing) insist(conns []*conn, first int, path, idempotencyKey, body string, wanted int) (lease string, err error) {
	t := k.target
	giveUp := time.Now().Add(2 * outageBound)
	for try := first; ; try++ {
		c := conns[try%len(conns)]
		c.out = fmt.Appendf(c.out[:0], "POST /api/v1/licenses/%s HTTP/1.1\r\nHost: %s.%s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n",
			path, t.tenants[0].ID, t.domain, t.tenants[0].Key)
		if idempotencyKey != "" {
			c.out = fmt.Appendf(c.out, "Idempotency-Key: %s\r\n", idempotencyKey)
		}
		c.out = fmt.Appendf(c.out, "Content-Length: %d\r\n\r\n%s", len(body), body)
		sent := time.Now()
		r, err := c.roundTrip()
		switch {
		case err == nil && r.status == wanted:
			k.succeeded(sent)
			var reply accountRow
			err := json.Unmarshal(r.body, &reply)
			return reply.LeaseID, err
		case err == nil && r.status < http.StatusInternalServerError:
			return "", fmt.Errorf("%s: %d: %.200s", path, r.status, r.body)
		case time.Now().After(giveUp):
			return "", fmt.Errorf("%s: no answer within %s: %d %w", path, 2*outageBound, r.status, err)
		}
		time.Sleep(askPause)
	}
}

// account compares the leases that callers hold with those that are live.
func (k *killing) account(ctx context.Context) (lost, doubled int, err error) {
	held := map[string]bool{}
	for _, own := range k.held {
		maps.Copy(held, own)
	}
	live := map[string]bool{}
	c := newConn(k.target.addrs[0], k.target.tls)
	defer c.close()
	err = k.target.list(ctx, c, 0, "/api/v1/leases", func(row *accountRow) { live[row.LeaseID] = true })
	if err != nil {
		return 0, 0, err
	}
	for lease := range held {
		if !live[lease] {
			lost++
		}
	}
	for lease := range live {
		if !held[lease] {
			doubled++
		}
	}
	_, err = k.target.Verify(ctx)
	return lost, doubled, err
}

// groupOf is the group that holds a tenant.
func (c *rig) groupOf(ctx context.Context, tenant string) (int, error) {
	var info struct {
		Group int `json:"group"`
	}
	err := errors.New("no node runs")
	for _, s := range c.servers {
		if s.running() {
			if err = c.call(ctx, s, http.MethodGet, "/v1/tenants/"+tenant, nil, &info); err == nil {
				return info.Group, nil
			}
		}
	}
	return 0, err
}

// awaitReady waits until a node serves and every group has a leader.
func (c *rig) awaitReady(ctx context.Context, s *server) error {
	return await(ctx, "node that serves again", readyWithin, func() error {
		if !s.running() {
			return fmt.Errorf("%s has ended: %s", s.id, s.lastLines(lastWords))
		}
		if _, err := c.fetch(ctx, s, http.MethodGet, "/readyz", nil); err != nil {
			return err
		}
		groups, err := c.state(ctx)
		for _, g := range groups {
			if g.Leader == nil {
				return errors.New("group " + strconv.Itoa(g.ID) + " has no leader")
			}
		}
		return err
	})
}
