package shard

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
)

// placementLife is how long a cached placement is used before the local
// directory replica is asked again: how long a suspension may stay unseen
// beyond the replica's own lag. A move needs none of it, since the epoch in
// each command tells.
const placementLife = time.Second

// placement is where a tenant's commands go.
type placement struct {
	group cluster.GroupID
	epoch uint32
	until time.Time // cached no longer than this
	index uint64    // the directory's applied index it was read at
}

// places caches placements of tenants, and confirms at the directory's
// leader that a tenant is unknown before anyone is told so.
//
// Confirmations can't pile up: however many callers ask for unknown tenants,
// one linearizable read is on its way at a time, and its index then lets the
// local replica answer all who were waiting when it began.
type places struct {
	shard *Shard
	now   func() time.Time

	mu    sync.RWMutex
	known map[cloudlicenses.TenantID]placement

	barrierMu sync.Mutex
	running   *barrier // the read on its way
	waiting   *barrier // the one after it: whoever comes now waits for it
}

// barrier is one linearizable read of the directory, shared by its waiters.
type barrier struct {
	done    chan struct{}
	waiters int // guarded by barrierMu
	index   uint64
	err     error
}

func newPlaces(s *Shard) *places {
	return &places{shard: s, now: time.Now, known: map[cloudlicenses.TenantID]placement{}}
}

// find returns a tenant's placement: cached, else from the local replica of
// the directory, else confirmed at its leader.
func (p *places) find(ctx context.Context, tenant cloudlicenses.TenantID) (placement, error) {
	now := p.now()
	p.mu.RLock()
	at, ok := p.known[tenant]
	p.mu.RUnlock()
	if ok && now.Before(at.until) {
		return at, nil
	}
	if _, isAccount := tenant.Vendor(); !isAccount && tenant.Validate() != nil {
		return placement{}, ErrTenantNotFound
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var result directory.TenantResult
	index, err := p.ask(ctx, tenant, cluster.ReadOptions{}, &result)
	switch {
	case ok && (err != nil || index < at.index):
		return at, nil // a directory out of reach, or a replica that lags, does not stop tenants that are known
	case err != nil:
		return placement{}, err
	}
	if result.Code == cloudlicenses.OK && served(&result.Tenant) && result.Tenant.Epoch >= at.epoch {
		return p.keep(&result.Tenant, index), nil
	}
	return p.confirm(ctx, tenant)
}

// served reports whether a tenant's commands and reads are taken. What one that
// is suspended or being deleted may not do, its group refuses. A vendor's account
// is shut where the vendor is not active.
func served(t *directory.Tenant) bool {
	_, isVendor := t.ID.Vendor()
	switch t.Status {
	case cloudlicenses.TenantActive:
		return true
	case cloudlicenses.TenantSuspended, cloudlicenses.TenantDeleting:
		return !isVendor
	case cloudlicenses.TenantPending:
	}
	return false
}

// refresh reads a placement from the directory's leader.
func (p *places) refresh(ctx context.Context, tenant cloudlicenses.TenantID) (placement, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	p.forget(tenant)
	return p.confirm(ctx, tenant)
}

// confirm returns the placement as of a linearizable read begun after the
// call, or ErrTenantNotFound.
func (p *places) confirm(ctx context.Context, tenant cloudlicenses.TenantID) (placement, error) {
	index, err := p.barrier(ctx)
	if err != nil {
		return placement{}, err
	}
	var result directory.TenantResult
	if index, err = p.ask(ctx, tenant, cluster.ReadOptions{MinIndex: index}, &result); err != nil {
		return placement{}, err
	}
	if result.Code != cloudlicenses.OK || !served(&result.Tenant) {
		p.forget(tenant)
		return placement{}, ErrTenantNotFound
	}
	return p.keep(&result.Tenant, index), nil
}

// keep caches a tenant's placement as of an index of the directory.
func (p *places) keep(t *directory.Tenant, index uint64) placement {
	at := placement{group: cluster.GroupID(t.Group), epoch: t.Epoch, until: p.now().Add(placementLife), index: index}
	p.mu.Lock()
	p.known[t.ID] = at
	p.mu.Unlock()
	return at
}

func (p *places) forget(tenant cloudlicenses.TenantID) {
	p.mu.Lock()
	delete(p.known, tenant)
	p.mu.Unlock()
}

// ask reads one tenant from the directory, and returns the index it read at.
func (p *places) ask(ctx context.Context, tenant cloudlicenses.TenantID, opt cluster.ReadOptions, into *directory.TenantResult) (uint64, error) {
	reply, err := p.shard.query(ctx, directoryGroup, fsm.Header{Op: directory.QueryTenant, Version: directory.Version},
		&directory.GetTenant{ID: tenant}, opt, into)
	return reply.Index, err
}

// barrier returns an applied index of the directory that includes everything
// acknowledged before the call.
func (p *places) barrier(ctx context.Context) (uint64, error) {
	p.barrierMu.Lock()
	b := p.waiting
	if b == nil {
		b = &barrier{done: make(chan struct{})}
		p.waiting = b
		if p.running == nil {
			p.startBarrier()
		}
	}
	b.waiters++
	p.barrierMu.Unlock()
	select {
	case <-b.done:
		return b.index, b.err
	case <-ctx.Done():
		return 0, errors.Join(cluster.ErrNoLeader, ctx.Err())
	}
}

// startBarrier makes the waiting barrier the running one. barrierMu is held.
func (p *places) startBarrier() {
	b := p.waiting
	p.running, p.waiting = b, nil
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), cloudlicenses.RequestTimeout)
		defer cancel()
		var result directory.ClusterResult
		reply, err := p.shard.query(ctx, directoryGroup, fsm.Header{Op: directory.QueryCluster, Version: directory.Version},
			nil, cluster.ReadOptions{Linearizable: true}, &result)
		b.index, b.err = reply.Index, err
		p.barrierMu.Lock()
		p.running = nil
		if p.waiting != nil {
			p.startBarrier()
		}
		p.barrierMu.Unlock()
		close(b.done)
	}()
}
