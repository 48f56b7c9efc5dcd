package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

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
	steps := []struct {
		name string
		do   func() error
	}{
		{"echo", func() error { return r.echo(ctx, ends) }},
		{"HTTP", func() error { return r.run(ctx, r.http(), loads, r.cfg.Callers) }},
		{"rounds of HTTP and echo, and half of HTTP's rate", func() error { return r.rounds(ctx) }},
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
			r.cfg.Progress.Begin(step.name, 0)
			r.cfg.Progress.End("failed: " + err.Error())
			r.report.missing(step.name, err.Error())
			errs = append(errs, fmt.Errorf("%s: %w", step.name, err))
		}
	}
	r.report.Goals = r.report.judge()
	return r.report, errors.Join(errs...)
}

// moreRounds of the table's throughput follow the first.
const moreRounds = 2

// rounds measures the echo and the cluster in turn: a machine is faster at one
// time than at another, and a ratio is of the middle one of each. So is half of
// the cluster's rate, which comes last.
func (r *runner) rounds(ctx context.Context) error {
	return r.with(ctx, r.http(), func(own *subject) error {
		if err := r.roundsWithEcho(ctx, own); err != nil {
			return err
		}
		return errors.Join(r.half(ctx, own, Hot), r.half(ctx, own, Spread))
	})
}

func (r *runner) roundsWithEcho(ctx context.Context, own *subject) error {
	echo, stop, err := r.startEcho(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for range moreRounds {
		for _, o := range []load.Options{
			r.optionsOf(echo, Hot, r.many()), r.optionsOf(own, Hot, r.many()), r.optionsOf(own, Spread, r.many()),
		} {
			s := own
			if o.System == systemEcho {
				s = echo
			}
			if _, err := r.measure(ctx, s, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// oneGroup is the engine with one group.
func (r *runner) oneGroup() plan {
	p := r.plan()
	p.mode, p.groups, p.route, p.tls = ModeEngine, 1, RouteLeader, false
	return p
}
