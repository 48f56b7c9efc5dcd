package shard

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
)

// The directory's leader goes on with sagas that were left half-way.

// resumeEvery is how often it looks for them.
const resumeEvery = time.Second

// resumedAtOnce is how many of a group are gone on with at a time.
const resumedAtOnce = 8

// errLeft: a group that something needs has not answered in this pass, and it was
// not tried.
var errLeft = errors.New("left for the next pass")

// pass is one walk over what is unfinished. A group without leader holds up no
// other: each has places of its own, and one that has not answered once is left
// alone for the rest of the pass.
type pass struct {
	mu     sync.Mutex
	silent map[cluster.GroupID]bool
}

func newPass() *pass { return &pass{silent: make(map[cluster.GroupID]bool)} }

// try does something that needs these groups, unless one of them is silent.
func (p *pass) try(groups []cluster.GroupID, do func() error) error {
	p.mu.Lock()
	left := slices.ContainsFunc(groups, func(g cluster.GroupID) bool { return p.silent[g] })
	p.mu.Unlock()
	if left {
		return errLeft
	}
	err := do()
	var of *unreached
	if errors.As(err, &of) {
		p.mu.Lock()
		p.silent[of.group] = true
		p.mu.Unlock()
	}
	return err
}

// atOnce does something with every item, some of each group at a time, and returns
// what came of each. needs are the groups that an item waits for, its own first.
func atOnce[T any](p *pass, items []T, needs func(*T) []cluster.GroupID, do func(*T) error) []error {
	errs := make([]error, len(items))
	byGroup := make(map[cluster.GroupID][]func() error)
	for i := range items {
		all := needs(&items[i])
		byGroup[all[0]] = append(byGroup[all[0]], func() error {
			errs[i] = p.try(all, func() error { return do(&items[i]) })
			return nil
		})
	}
	var running sync.WaitGroup
	for _, steps := range byGroup {
		running.Go(func() {
			var group errgroup.Group
			group.SetLimit(resumedAtOnce)
			for _, step := range steps {
				group.Go(step)
			}
			_ = group.Wait() // errs has them all
		})
	}
	running.Wait()
	return errs
}

// failures joins what has failed, without what was left: the log says once that a
// group is silent.
func failures(errs []error) error {
	return errors.Join(slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return errors.Is(err, errLeft) })...)
}

// groupOf is the group of a tenant or an account, as far as this node knows.
func (s *Shard) groupOf(ctx context.Context, id cloudlicenses.TenantID) cluster.GroupID {
	t, err := s.newReader(ReadOptions{}).tenant(ctx, id)
	if err != nil {
		return directoryGroup // what is done with it finds out
	}
	return cluster.GroupID(t.Group)
}
