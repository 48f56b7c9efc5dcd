package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// millionTTL outlives the study, in seconds.
	millionTTL = 86_400
	// fillBatch operations in a request, from fillCallers at a time.
	fillBatch   = 1000
	fillCallers = 4
	// restarts of a node are measured, killed and drained in turn.
	restarts = 4
	// churnCallers send batches while snapshots are watched, so that the log
	// grows to the next one; probeCallers send single operations.
	churnCallers = 2
	probeCallers = 8
	// snapshotsWanted end the watch, which takes snapshotWatch at most.
	snapshotsWanted = 6
	snapshotWatch   = 2 * time.Minute
	// beforeSnapshot and afterSnapshot belong to a snapshot, too: the state is
	// captured before its folder appears.
	beforeSnapshot = 200 * time.Millisecond
	afterSnapshot  = 100 * time.Millisecond
	watchTick      = 2 * time.Millisecond
)

// million fills a cluster with live leases and measures what they cost.
func (r *runner) million(ctx context.Context) error {
	p := r.http()
	p.batch = fillBatch
	return r.with(ctx, p, func(s *subject) error {
		t, ok := s.target.(*httpTarget)
		if !ok || s.rig == nil {
			return fmt.Errorf("only a cluster of its own can be filled")
		}
		t.ttl = millionTTL
		start := time.Now()
		figures := map[string]float64{"leases": float64(r.cfg.Sizes.Leases)}
		steps := []struct {
			what string
			do   func(context.Context, *subject, map[string]float64) error
		}{
			{"filling with leases", r.fill}, {"reading them back", r.readBack}, {"memory", memory},
			{"snapshots under load", r.watchSnapshots}, {"restarts", r.restart},
		}
		for _, step := range steps {
			r.cfg.Progress.Begin("million: "+step.what, 0)
			begin := time.Now()
			err := step.do(ctx, s, figures)
			if err != nil {
				r.cfg.Progress.End("failed")
				return fmt.Errorf("%s: %w", step.what, err)
			}
			r.cfg.Progress.End(fmt.Sprintf("%.1f s", time.Since(begin).Seconds()))
		}
		p.batch = 0
		r.note("million", p.scheme(), p, time.Since(start), figures)
		return nil
	})
}

// fill checks the leases out, in batches.
func (r *runner) fill(ctx context.Context, s *subject, figures map[string]float64) error {
	begin := time.Now()
	var done atomic.Int64
	want := int64(r.cfg.Sizes.Leases)
	var group errgroup.Group
	for i := range fillCallers {
		group.Go(func() error {
			caller, err := s.target.Caller(ctx, i)
			if err != nil {
				return err
			}
			c, ok := caller.(*httpCaller)
			if !ok {
				return fmt.Errorf("%T is no caller over HTTP", caller)
			}
			for n := done.Add(fillBatch); n <= want && ctx.Err() == nil; n = done.Add(fillBatch) {
				if err := c.Checkout(int(n) % s.plan.pools); err != nil {
					return err
				}
				c.held = c.held[:0] // kept to the end
				r.cfg.Progress.At(time.Since(begin), fmt.Sprintf("%d", n))
			}
			return c.Close()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	figures["fill_leases_per_second"] = float64(want-want%fillBatch) / time.Since(begin).Seconds()
	return ctx.Err()
}

// readBack compares counters and leases with what was acknowledged.
func (r *runner) readBack(ctx context.Context, s *subject, figures map[string]float64) error {
	begin := time.Now()
	a, err := s.target.Verify(ctx)
	if err != nil {
		return err
	}
	if want := int64(r.cfg.Sizes.Leases / fillBatch * fillBatch); a.Leases != want {
		return fmt.Errorf("%d leases are live, %d were acknowledged", a.Leases, want)
	}
	figures["read_back_seconds"] = time.Since(begin).Seconds()
	return nil
}

// memory reads the resident memory of each node.
func memory(_ context.Context, s *subject, figures map[string]float64) error {
	var sum, most float64
	for _, n := range s.rig.servers {
		kib, err := procField(n.pid(), "status", "VmRSS:")
		if err != nil {
			return err
		}
		sum += kib / 1024
		most = max(most, kib/1024)
	}
	figures["memory_per_node_mib"] = sum / float64(len(s.rig.servers))
	figures["memory_most_mib"] = most
	return nil
}

// span is a stretch of time.
type span struct{ from, to time.Time }

func (s span) meets(o span) bool { return s.from.Before(o.to) && o.from.Before(s.to) }

// probe is one operation while snapshots are taken.
type probe struct {
	span
	took time.Duration
}

// watchSnapshots writes until some snapshots were taken, and finds the longest
// operation that met one.
func (r *runner) watchSnapshots(ctx context.Context, s *subject, figures map[string]float64) error {
	ctx, stop := context.WithTimeout(ctx, snapshotWatch)
	defer stop()
	t, ok := s.target.(*httpTarget)
	if !ok {
		return fmt.Errorf("%T is no cluster over HTTP", s.target)
	}
	batches, single := t.copyWith(batchOperations), t.copyWith(0)
	var group errgroup.Group
	for i := range churnCallers {
		group.Go(func() error { return churn(ctx, batches, i, nil) })
	}
	probes := make([][]probe, probeCallers)
	for i := range probeCallers {
		group.Go(func() error { return churn(ctx, single, churnCallers+i, &probes[i]) })
	}
	spans := s.rig.snapshots(ctx, func(n int) {
		if n >= snapshotsWanted {
			stop()
		}
	})
	if err := group.Wait(); err != nil {
		return err
	}
	var during, outside time.Duration
	count := 0
	for _, own := range probes {
		for _, p := range own {
			count++
			met := false
			for _, snapshot := range spans {
				met = met || p.meets(snapshot)
			}
			if met {
				during = max(during, p.took)
			} else {
				outside = max(outside, p.took)
			}
		}
	}
	figures["snapshots"] = float64(len(spans))
	figures["probes"] = float64(count)
	figures["longest_with_snapshot_ms"] = millis(during)
	figures["longest_without_snapshot_ms"] = millis(outside)
	if len(spans) == 0 {
		return fmt.Errorf("no snapshot was taken within %s", snapshotWatch)
	}
	return nil
}

// churn checks out and returns until ctx ends. probes (nil: none) gets each
// operation.
func churn(ctx context.Context, t *httpTarget, i int, probes *[]probe) error {
	caller, err := t.Caller(ctx, i)
	if err != nil {
		return err
	}
	for n := i; ctx.Err() == nil; n++ {
		for _, do := range []func() error{func() error { return caller.Checkout(n % t.perTenant) }, caller.Return} {
			begin := time.Now()
			if err := do(); err != nil {
				return err
			}
			end := time.Now()
			if probes != nil {
				*probes = append(*probes, probe{span{begin, end}, end.Sub(begin)})
			}
		}
	}
	return caller.Close()
}

// snapshots watches the folders of all nodes for snapshots on their way, until
// ctx ends, and tells how many there have been.
func (c *rig) snapshots(ctx context.Context, seen func(n int)) []span {
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	open := map[string]time.Time{}
	var spans []span
	for {
		now := time.Now()
		current := map[string]bool{}
		for _, s := range c.servers {
			folders, _ := filepath.Glob(filepath.Join(s.dir, "snapshots", "*", "*.tmp")) // the pattern is well-formed
			for _, f := range folders {
				current[f] = true
				if _, ok := open[f]; !ok {
					open[f] = now
				}
			}
		}
		for f, since := range open {
			if !current[f] {
				spans = append(spans, span{since.Add(-beforeSnapshot), now.Add(afterSnapshot)})
				delete(open, f)
				seen(len(spans))
			}
		}
		select {
		case <-ctx.Done():
			return spans
		case <-tick.C:
		}
	}
}

// restart ends nodes in turn, by kill -9 and by a drain, and measures how long
// each takes from its start until it serves.
func (r *runner) restart(ctx context.Context, s *subject, figures map[string]float64) error {
	for i := range restarts {
		n := s.rig.servers[i%len(s.rig.servers)]
		sig, name := syscall.SIGKILL, "restart_after_kill_seconds"
		if i%2 == 1 {
			sig, name = syscall.SIGTERM, "restart_after_drain_seconds"
		}
		if err := n.stop(sig); err != nil {
			return err
		}
		begin := time.Now()
		if err := n.start(); err != nil {
			return err
		}
		err := await(ctx, "node that serves again", readyWithin, func() error {
			if !n.running() {
				return fmt.Errorf("%s has ended: %s", n.id, n.lastLines(lastWords))
			}
			_, err := s.rig.fetch(ctx, n, http.MethodGet, "/readyz", nil)
			return err
		})
		if err != nil {
			return err
		}
		figures[name] = max(figures[name], time.Since(begin).Seconds())
		r.cfg.Progress.At(0, fmt.Sprintf("%s: %.1f s", strings.ReplaceAll(name, "_", " "), time.Since(begin).Seconds()))
		if err := s.rig.awaitReady(ctx, n); err != nil {
			return err
		}
	}
	folder, err := folderBytes(s.rig.servers[0].dir)
	figures["data_folder_mib"] = folder / (1 << 20)
	return err
}

// folderBytes is the size of all files in a folder, each counted once however
// many links it has.
func folderBytes(dir string) (float64, error) {
	seen := map[uint64]bool{}
	var sum float64
	err := filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go under a running node
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // see above
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && !seen[stat.Ino] {
			seen[stat.Ino] = true
			sum += float64(stat.Blocks) * 512
		}
		return nil
	})
	return sum, err
}
