package load

import (
	"errors"
	"time"
)

// Options says how a target is put under load, and what its result is called.
type Options struct {
	// System, Scheme and Scenario name the result, such as "postgres",
	// "row per seat" and "spread".
	System, Scheme, Scenario string

	// Callers work at the same time.
	Callers int
	// Pools is how many pools the callers choose from, by chance and anew for
	// each checkout; 1 is the hot pool. 0 means 1.
	Pools int
	// Batch is how many operations one call of a Caller is; 0 means 1.
	Batch int
	// Shared pools are used by others, too, so that there may be more leases than
	// the callers hold.
	Shared bool
	// Duration is measured, after Warmup, which is not.
	Duration, Warmup time.Duration
	// Rate is the operations per second that become due, however long the ones
	// before take (open loop); 0: each caller asks again as soon as it was
	// answered (closed loop).
	Rate float64
	// Seed decides the order of pools.
	Seed uint64

	// Servers are the processes whose CPU time, descendants included, counts as
	// the system's; none: the system runs in this process.
	Servers []int
	// Dir is where the system keeps its data: its disk is probed before the
	// load. Empty: no probe.
	Dir string
	// Commit is that of the build under load.
	Commit string
	// Settings are noted in the result.
	Settings map[string]string

	// Progress is called a few times a second, from one goroutine; nil: never.
	Progress func(Progress)
	// Measuring is called when the warm-up is over, from a goroutine of its own;
	// nil: never. It is for what has to happen during a measurement, such as a
	// profile.
	Measuring func()
	// Edge is called at the beginning and at the end of what is measured, with the
	// operations done so far; nil: never. It is for figures of one's own, and should
	// take no longer than a few milliseconds.
	Edge func(operations int64)
}

// Progress is how far a run has come.
type Progress struct {
	// Elapsed of Total, warm-up included.
	Elapsed, Total time.Duration
	// Operations so far, warm-up included.
	Operations int64
}

// complete checks the options and fills in what was left out.
func (o *Options) complete() error {
	o.Pools, o.Batch = max(o.Pools, 1), max(o.Batch, 1)
	switch {
	case o.Callers < 1:
		return errors.New("load without callers")
	case o.Duration <= 0:
		return errors.New("load without a duration")
	case o.Rate < 0:
		return errors.New("load at a negative rate")
	}
	return nil
}
