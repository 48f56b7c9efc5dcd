package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// progressEvery is how often Options.Progress is called.
const progressEvery = 200 * time.Millisecond

// Run puts target under load and verifies it afterwards. The error is of a
// load that could not be made or a system that does not agree with itself; in
// the latter case the result is complete all the same. Operations that fail
// are numbers of the result; with any, leases are not compared with what the
// callers hold, since their outcome is unknown.
func Run(ctx context.Context, target Target, o Options) (Result, error) {
	if err := o.complete(); err != nil {
		return Result{}, err
	}
	r := newResult(&o)
	var err error
	if o.Dir != "" {
		if r.FsyncMicros, err = ProbeFsync(o.Dir); err != nil {
			return r, err
		}
	}
	workers, texts, err := engage(ctx, target, &o)
	if err != nil {
		return r, err
	}
	used, took, err := drive(ctx, workers, &o)
	if err == nil {
		gather(&r, workers, used, took, o.Duration)
		r.Errors = texts.texts
		err = ctx.Err()
	}
	if err == nil {
		if r.Account, err = account(ctx, target, workers, &r, &o); err != nil {
			err = fmt.Errorf("verify after the load: %w", err)
		}
	}
	if closeErr := dismiss(workers); closeErr != nil && err == nil {
		err = fmt.Errorf("seats given back after the load: %w", closeErr)
	}
	return r, err
}

// account compares what the system says of its seats with itself and with what
// the callers hold.
func account(ctx context.Context, target Target, workers []*worker, r *Result, o *Options) (Account, error) {
	a, err := target.Verify(ctx)
	if errors.Is(err, ErrNoAccount) {
		return a, nil
	}
	for _, w := range workers {
		if w.holds {
			a.Held += int64(o.Batch)
		}
	}
	if err == nil && len(r.Errors) == 0 && (a.Leases < a.Held || a.Leases > a.Held && !o.Shared) {
		err = fmt.Errorf("%d leases are live where the callers hold %d", a.Leases, a.Held)
	}
	return a, err
}

// newResult is what is known before the load.
func newResult(o *Options) Result {
	return Result{
		System: o.System, Scheme: o.Scheme, Scenario: o.Scenario,
		Callers: o.Callers, Pools: o.Pools, RateAsked: o.Rate, Batch: o.Batch,
		Started: time.Now().UTC().Truncate(time.Second),
		Commit:  o.Commit, Go: runtime.Version(), Machine: ThisMachine(), Settings: o.Settings,
	}
}

// engage connects all callers.
func engage(ctx context.Context, target Target, o *Options) ([]*worker, *errorTexts, error) {
	texts := &errorTexts{}
	workers := make([]*worker, 0, o.Callers)
	for i := range o.Callers {
		caller, err := target.Caller(ctx, i)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("caller %d: %w", i, err), dismiss(workers))
		}
		workers = append(workers, &worker{
			caller: caller,
			pools:  rand.New(rand.NewPCG(o.Seed, uint64(i))), n: o.Pools,
			waits: newHistogram(), slices: make([]int64, int(o.Duration/time.Second)+1),
			errors: texts,
		})
	}
	return workers, texts, nil
}

// dismiss closes all callers, side by side.
func dismiss(workers []*worker) error {
	errs := make([]error, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { errs[i] = w.caller.Close() })
	}
	wg.Wait()
	// Callers of one system tend to fail alike.
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	return errors.Join(errs[:min(len(errs), maxErrors)]...)
}

// usage is CPU time, in seconds, and what was done in it: in an open loop that falls
// behind, not what was due in it.
type usage struct {
	servers, client, machine float64
	operations               int64
}

// drive has the workers work through warm-up and measurement. took is from
// the start of the measurement until its last operation.
func drive(ctx context.Context, workers []*worker, o *Options) (used usage, took time.Duration, err error) {
	start := time.Now()
	span := window{from: start.Add(o.Warmup), to: start.Add(o.Warmup + o.Duration)}
	work := func(w *worker) { w.closed(ctx, span) }
	if o.Rate > 0 {
		due, err := pace(ctx, start, span.to, o.Rate/float64(o.Batch))
		if err != nil {
			return used, 0, err
		}
		work = func(w *worker) { w.open(ctx, span, due) }
	}
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() { work(w) })
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		used = watch(ctx, workers, o, start, span)
	}()
	wg.Wait()
	end := time.Now()
	<-watched
	if end.Before(span.to) || o.Rate == 0 {
		end = span.to
	}
	return used, end.Sub(span.from), nil
}

// watch measures the CPU time of the window, and tells the progress.
func watch(ctx context.Context, workers []*worker, o *Options, start time.Time, span window) usage {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	var before usage
	begin := time.NewTimer(time.Until(span.from))
	finish := time.NewTimer(time.Until(span.to))
	defer begin.Stop()
	defer finish.Stop()
	for {
		select {
		case <-begin.C:
			before = used(workers, o)
			if o.Measuring != nil {
				go o.Measuring()
			}
		case <-finish.C:
			after := used(workers, o)
			tell(workers, o, start)
			return usage{
				after.servers - before.servers, after.client - before.client, after.machine - before.machine,
				after.operations - before.operations,
			}
		case <-tick.C:
			tell(workers, o, start)
		case <-ctx.Done():
			return usage{}
		}
	}
}

// used is what was used and done so far, at an edge of what is measured.
func used(workers []*worker, o *Options) usage {
	u := cpuUsed(o.Servers)
	u.operations = done(workers, o)
	if o.Edge != nil {
		o.Edge(u.operations)
	}
	return u
}

// done is how many operations were done so far, warm-up included.
func done(workers []*worker, o *Options) (n int64) {
	for _, w := range workers {
		n += w.done.Load() * int64(o.Batch)
	}
	return n
}

func tell(workers []*worker, o *Options, start time.Time) {
	if o.Progress == nil {
		return
	}
	p := Progress{Total: o.Warmup + o.Duration, Operations: done(workers, o)}
	p.Elapsed = min(time.Since(start), p.Total)
	o.Progress(p)
}

// gather sums up what the workers counted.
func gather(r *Result, workers []*worker, used usage, took, window time.Duration) {
	all, batch := newHistogram(), int64(r.Batch)
	var perSecond []int64
	for _, w := range workers {
		all.Merge(w.waits)
		r.Operations += w.ops * batch
		r.Refused += w.refused * batch
		r.Failed += w.failed * batch
		if perSecond == nil {
			perSecond = make([]int64, len(w.slices))
		}
		for i, n := range w.slices {
			perSecond[i] += n * batch
		}
	}
	// The last slice is no whole second.
	for _, n := range perSecond[:len(perSecond)-1] {
		r.PerSecond = append(r.PerSecond, float64(n))
	}
	r.Latency = latencyOf(all)
	r.Seconds = took.Seconds()
	r.OpsPerSecond = float64(r.Operations) / r.Seconds
	r.OthersCPU = max(0, used.machine-used.servers-used.client) / window.Seconds()
	if used.operations > 0 {
		r.ServerCPU = used.servers * 1e5 / float64(used.operations)
		r.ClientCPU = used.client * 1e5 / float64(used.operations)
	}
}
