package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Full measures everything that the performance table has, in one run, and
// judges it. What fails is named in the report and does not keep the rest from
// being measured.
func Full(ctx context.Context, cfg Config) (*Report, error) {
	cfg.HalfRate, cfg.Mode, cfg.Batch, cfg.Rate = false, ModeHTTP, 0, 0
	r, err := newRunner(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(r.dir) }()
	ends := []int{1, r.many()}
	loads := []string{Hot, Spread}
	steps := []struct {
		name string
		do   func() error
	}{
		{"echo", func() error { return r.echo(ctx, ends) }},
		{"HTTP", func() error {
			r.cfg.HalfRate = true
			defer func() { r.cfg.HalfRate = false }()
			return r.run(ctx, r.http(), loads, r.cfg.Callers)
		}},
		{"peers", func() error { return r.peers(ctx, PeerNames, loads, ends) }},
		{"engine", func() error { return r.run(ctx, r.oneGroup(), loads, []int{r.many()}) }},
		{"baseline of the engine", func() error { return r.baseline(ctx, loads, []int{r.many()}) }},
	}
	for _, study := range studyList() {
		steps = append(steps, struct {
			name string
			do   func() error
		}{study.name, func() error { return study.run(r, ctx) }})
	}
	var errs []error
	for _, step := range steps {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		if err := step.do(); err != nil {
			r.report.missing(step.name, err.Error())
			errs = append(errs, fmt.Errorf("%s: %w", step.name, err))
		}
	}
	r.report.Goals = r.report.judge()
	return r.report, errors.Join(errs...)
}

// oneGroup is the engine with one group.
func (r *runner) oneGroup() plan {
	p := r.plan()
	p.mode, p.groups, p.route, p.tls = ModeEngine, 1, RouteLeader, false
	return p
}
