package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// reader reads for one report, from whatever replicas are at hand: no leader is
// asked, and none need be there. It remembers what the report was drawn from.
type reader struct {
	shard   *Shard
	opt     ReadOptions
	indexes map[cluster.GroupID]uint64 // the lowest of each group
	stale   int64                      // ms, of the stalest answer; -1: nobody knows
	worked  time.Duration              // since the report last rested
	ends    int64                      // Unix ms, when the first contract in force of those read ends; 0: none does
}

const (
	// reportStretch is how long a report reads before it rests, reportRest times
	// as long: checkouts share the processors with it, and must not notice.
	reportStretch = time.Millisecond / 2
	reportRest    = 5
	// reportRecords bounds the records that one query of a report reads, some
	// half a millisecond's.
	reportRecords = 2000
)

// rest lets others work once a report has read for a stretch. All reports of the
// node rest one after the other, so that many read no more than one does.
func (r *reader) rest(ctx context.Context) error {
	if r.worked < reportStretch {
		return nil
	}
	select {
	case r.shard.resting <- struct{}{}:
		defer func() { <-r.shard.resting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	pause := time.NewTimer(reportRest * min(r.worked, 10*reportStretch)) // a slow group is no reason to rest long
	defer pause.Stop()
	r.worked = 0
	select {
	case <-pause.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Shard) newReader(opt ReadOptions) *reader {
	return &reader{shard: s, opt: opt, indexes: make(map[cluster.GroupID]uint64)}
}

// drew remembers an answer.
func (r *reader) drew(group cluster.GroupID, reply *cluster.Reply) {
	if index, known := r.indexes[group]; !known || reply.Index < index {
		r.indexes[group] = reply.Index
	}
	if r.stale = max(r.stale, reply.StalenessMillis); reply.StalenessMillis < 0 {
		r.stale = -1
	}
}

// freshness names every group that the report drew on, the directory last.
func (r *reader) freshness() Freshness {
	var parts []string
	for _, group := range slices.SortedFunc(maps.Keys(r.indexes), func(a, b cluster.GroupID) int { return cmp.Compare(a-1, b-1) }) {
		parts = append(parts, FormatAppliedIndex(group, r.indexes[group]))
	}
	return Freshness{Applied: JoinAppliedIndexes(parts...), StalenessMillis: r.stale}
}

// ask reads from a group.
func (r *reader) ask(ctx context.Context, group cluster.GroupID, header fsm.Header, payload msgp.Marshaler, linearizable bool) (cluster.Reply, error) {
	minIndex, err := ParseAppliedIndex(r.opt.MinIndex, group)
	if err != nil {
		return cluster.Reply{}, err
	}
	if err := r.rest(ctx); err != nil {
		return cluster.Reply{}, err
	}
	began := time.Now()
	reply, err := r.shard.ask(ctx, group, header, payload, cluster.ReadOptions{Linearizable: linearizable, MinIndex: minIndex})
	r.worked += time.Since(began)
	return reply, err
}

// directory answers a query of the directory.
func (r *reader) directory(ctx context.Context, query Command) error {
	reply, err := r.ask(ctx, directoryGroup, fsm.Header{Op: query.Op, Version: directory.Version}, query.Payload, r.opt.Linearizable)
	if err != nil {
		return err
	}
	r.drew(directoryGroup, &reply)
	return decode(reply.Value, query.Result)
}

// tenant returns a tenant, or a vendor's account, whatever its status.
func (r *reader) tenant(ctx context.Context, id cloudlicenses.TenantID) (directory.Tenant, error) {
	var result directory.TenantResult
	err := r.directory(ctx, Command{Op: directory.QueryTenant, Payload: &directory.GetTenant{ID: id}, Result: &result})
	if err == nil && result.Code != cloudlicenses.OK {
		err = ErrTenantNotFound
	}
	return result.Tenant, err
}

// errPlacement: the replica does not hold the tenant under that epoch.
var errPlacement = errors.New("the replica does not hold the tenant")

// account answers a query of a tenant, suspended ones included: what was charged
// stays charged. A replica that does not know the tenant yet is behind: then the
// leader is asked.
func (r *reader) account(ctx context.Context, id cloudlicenses.TenantID, query Command) error {
	t, err := r.tenant(ctx, id)
	if err != nil {
		return err
	}
	err = r.placed(ctx, &t, query, r.opt.Linearizable)
	if !errors.Is(err, errPlacement) {
		return err
	}
	now, err := r.shard.places.refresh(ctx, id)
	if err != nil {
		return err
	}
	t.Group, t.Epoch = uint32(now.group), now.epoch
	if err = r.placed(ctx, &t, query, true); errors.Is(err, errPlacement) {
		return ErrTenantMoving
	}
	return err
}

func (r *reader) placed(ctx context.Context, t *directory.Tenant, query Command, linearizable bool) error {
	group := cluster.GroupID(t.Group)
	reply, err := r.ask(ctx, group, fsm.Header{Op: query.Op, Version: license.Version, Epoch: t.Epoch, Tenant: t.ID}, query.Payload, linearizable)
	if err != nil {
		return err
	}
	stale, err := settled(reply.Value, query.Result)
	if err == nil && stale {
		err = errPlacement
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", t.ID, err)
	}
	r.drew(group, &reply)
	return nil
}
