package shard

import (
	"context"
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// Read answers a query (op, payload) of the tenant machine into its Result. A
// refusal by a replica that is not known to be up to date is confirmed at the
// leader, so that a lagging node never refuses what exists. One for the rate
// is not: each replica counts what it answers.
func (s *Shard) Read(ctx context.Context, tenant cloudlicenses.TenantID, query Command, opt ReadOptions) (Freshness, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	at, err := s.places.find(ctx, tenant)
	if err != nil {
		return Freshness{}, err
	}
	linearizable, minIndexText := opt.Linearizable, opt.MinIndex
	for refreshed := false; ; {
		minIndex, err := ParseAppliedIndex(minIndexText, at.group)
		if err != nil {
			return Freshness{}, err
		}
		header := fsm.Header{Op: query.Op, Version: license.Version, Epoch: at.epoch, Tenant: tenant}
		reply, err := s.ask(ctx, at.group, header, query.Payload, cluster.ReadOptions{Linearizable: linearizable, MinIndex: minIndex})
		if err != nil {
			return Freshness{}, err
		}
		code, err := resultCode(reply.Value)
		switch {
		case err != nil:
			return Freshness{}, err
		case len(code) > 0 && !linearizable && cloudlicenses.Code(code) != cloudlicenses.RateLimited:
			linearizable = true
			continue
		case cloudlicenses.Code(code) != cloudlicenses.StalePlacement:
			return freshness(at.group, reply), decode(reply.Value, query.Result)
		case refreshed:
			return Freshness{}, ErrTenantMoving
		}
		if at, err = s.places.refresh(ctx, tenant); err != nil {
			return Freshness{}, err
		}
		refreshed = true
	}
}

// ReadDirectory answers a query of the directory.
func (s *Shard) ReadDirectory(ctx context.Context, query Command, opt ReadOptions) (Freshness, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	minIndex, err := ParseAppliedIndex(opt.MinIndex, directoryGroup)
	if err != nil {
		return Freshness{}, err
	}
	reply, err := s.query(ctx, directoryGroup, fsm.Header{Op: query.Op, Version: directory.Version}, query.Payload,
		cluster.ReadOptions{Linearizable: opt.Linearizable, MinIndex: minIndex}, query.Result)
	if err != nil {
		return Freshness{}, err
	}
	return freshness(directoryGroup, reply), nil
}

// ReadGroup answers a query that names no tenant from this node's replica of a
// group (0: the directory), such as the hash of its state.
func (s *Shard) ReadGroup(ctx context.Context, group cluster.GroupID, query Command, opt ReadOptions) (Freshness, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	minIndex, err := ParseAppliedIndex(opt.MinIndex, group)
	if err != nil {
		return Freshness{}, err
	}
	version := uint8(license.Version)
	if group == directoryGroup {
		version = directory.Version
	}
	reply, err := s.query(ctx, group, fsm.Header{Op: query.Op, Version: version}, query.Payload,
		cluster.ReadOptions{Linearizable: opt.Linearizable, MinIndex: minIndex}, query.Result)
	if err != nil {
		return Freshness{}, err
	}
	return freshness(group, reply), nil
}

func freshness(group cluster.GroupID, reply cluster.Reply) Freshness {
	return Freshness{Applied: FormatAppliedIndex(group, reply.Index), StalenessMillis: reply.StalenessMillis, LeaderURL: reply.LeaderURL}
}

// ask sends a query, asking again while there is no leader: a read changes
// nothing, so it may always be repeated.
func (s *Shard) ask(ctx context.Context, group cluster.GroupID, header fsm.Header, payload msgp.Marshaler, opt cluster.ReadOptions) (cluster.Reply, error) {
	b, err := encode(make([]byte, 0, 128), header, payload)
	if err != nil {
		return cluster.Reply{}, err
	}
	limit := attemptTimeout
	if opt.MinIndex > 0 {
		limit += cloudlicenses.MinIndexWait // that wait is the engine's
	}
	deadline := deadlineOf(ctx)
	first, cancel := limited(ctx, deadline, limit)
	reply, err := s.engine.Query(first, group, b, opt)
	cancel()
	if err != nil {
		err = settleRead(ctx, deadline, err, func(ctx context.Context) (err error) {
			reply, err = s.engine.Query(ctx, group, b, opt)
			return err
		})
	}
	if err != nil {
		return cluster.Reply{}, fmt.Errorf("read from group %d: %w", group, reached(group, err))
	}
	return reply, nil
}

// query is ask and decode.
func (s *Shard) query(ctx context.Context, group cluster.GroupID, header fsm.Header, payload msgp.Marshaler, opt cluster.ReadOptions, into msgp.Unmarshaler) (cluster.Reply, error) {
	reply, err := s.ask(ctx, group, header, payload, opt)
	if err != nil {
		return cluster.Reply{}, err
	}
	return reply, decode(reply.Value, into)
}
