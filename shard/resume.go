package shard

import (
	"time"

	"golang.org/x/sync/errgroup"
)

// The directory's leader goes on with sagas that were left half-way.

// resumeEvery is how often it looks for them.
const resumeEvery = time.Second

// resumedAtOnce is how many are gone on with at a time: those of a group without
// leader hold up no others.
const resumedAtOnce = 16

// atOnce does something with every item, some at a time, and returns what came of
// each.
func atOnce[T any](items []T, do func(*T) error) []error {
	errs := make([]error, len(items))
	var group errgroup.Group
	group.SetLimit(resumedAtOnce)
	for i := range items {
		group.Go(func() error { errs[i] = do(&items[i]); return nil })
	}
	_ = group.Wait() // errs has them all
	return errs
}
