package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// engineTurns is how often the engine is measured, its baseline in between.
const engineTurns = 4

// Full measures everything that the performance table has, in one run, and
// judges it. What fails is named in the report and does not keep the rest from
// being measured.
func Full(ctx context.Context, cfg Config) (*Report, error) {
	cfg.HalfRate, cfg.Mode, cfg.Batch, cfg.Rate = false, ModeHTTP, 0, 0
	cfg.Scenarios = ScenarioNames()
	if !slices.Contains(cfg.Callers, 1) || !slices.Contains(cfg.Callers, most) {
		return nil, fmt.Errorf("the goals are of 1 and of %d callers: name both", most)
	}
	r, err := newRunner(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(r.dir) }()
	ends := []int{1, r.many()}
	loads := []string{Hot, Spread}
	type step struct {
		name string
		do   func() error
	}
	steps := []step{
		{"echo", func() error { return r.echo(ctx, ends) }},
		{"HTTP", func() error { return r.run(ctx, r.http(), loads, r.cfg.Callers) }},
	}
	for i, name := range PeerNames {
		last := i == len(PeerNames)-1
		steps = slices.Insert(steps, 2+2*i,
			step{"peer " + name, func() error { return r.peers(ctx, []string{name}, loads, ends) }},
			step{"round after " + name, func() error { return r.round(ctx, last) }})
	}
	for i := range engineTurns {
		steps = append(steps, step{fmt.Sprintf("engine, turn %d", i+1), func() error { return r.run(ctx, r.oneGroup(), loads, []int{r.many()}) }})
		if i < engineTurns-1 {
			steps = append(steps, step{fmt.Sprintf("baseline of the engine, turn %d", i+1), func() error { return r.baseline(ctx, loads, []int{r.many()}) }})
		}
	}
	for _, study := range studyList() {
		steps = append(steps, step{study.name, func() error { return study.run(r, ctx) }})
	}
	var errs []error
	for _, step := range steps {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		if err := step.do(); err != nil {
			r.cfg.Progress.Begin(step.name, 0)
			r.cfg.Progress.End("failed: " + err.Error())
			r.report.missing(step.name, err.Error())
			errs = append(errs, fmt.Errorf("%s: %w", step.name, err))
		}
	}
	r.report.Goals = r.report.judge()
	return r.report, errors.Join(errs...)
}

// round measures the echo and the cluster once more: a machine is faster at one time
// than at another, so a peer is held against what the cluster does before it and
// after it. The last round is followed by half of the middle one's rate.
func (r *runner) round(ctx context.Context, last bool) error {
	if err := r.echo(ctx, []int{r.many()}); err != nil {
		return err
	}
	return r.with(ctx, r.http(), func(s *subject) error {
		for _, o := range []load.Options{r.optionsOf(s, Hot, 1), r.optionsOf(s, Hot, r.many()), r.optionsOf(s, Spread, r.many())} {
			if _, err := r.measure(ctx, s, o); err != nil {
				return err
			}
		}
		if !last {
			return nil
		}
		return errors.Join(r.half(ctx, s, Hot), r.half(ctx, s, Spread))
	})
}

// oneGroup is the engine with one group.
func (r *runner) oneGroup() plan {
	p := r.plan()
	p.mode, p.groups, p.route, p.tls = ModeEngine, 1, RouteLeader, false
	return p
}
