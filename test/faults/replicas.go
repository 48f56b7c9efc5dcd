package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// replicaView is everything a node's replica says about a tenant.
type replicaView struct {
	licenses map[string]licenseRow
	leases   map[string]leaseRow
	usage    map[string]usageRow
	overage  []overageRow
	audit    []auditRecord
	proof    proof
}

// readReplica reads a tenant's whole state on one node.
func readReplica(ctx context.Context, o *operator, base string, t *tenant, months []string) (*replicaView, error) {
	v := &replicaView{licenses: map[string]licenseRow{}, leases: map[string]leaseRow{}, usage: map[string]usageRow{}}
	licenses, err := list[licenseRow](ctx, o, base, t.id, "licenses", nil)
	if err != nil {
		return nil, err
	}
	for _, l := range licenses {
		v.licenses[l.LicenseID] = l
	}
	leases, err := list[leaseRow](ctx, o, base, t.id, "leases", nil)
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		v.leases[l.LeaseID] = l
	}
	if err := v.readMonths(ctx, o, base, t, months); err != nil {
		return nil, err
	}
	if v.audit, err = list[auditRecord](ctx, o, base, t.id, "audit", nil); err != nil {
		return nil, err
	}
	return v, o.getWithin(ctx, base, "/v1/tenants/"+t.id+"/audit/verify", time.Minute, &v.proof)
}

func (v *replicaView) readMonths(ctx context.Context, o *operator, base string, t *tenant, months []string) error {
	for _, m := range months {
		usage, err := list[usageRow](ctx, o, base, t.id, "usage", url.Values{"month": {m}})
		if err != nil {
			return err
		}
		for _, u := range usage {
			sum := v.usage[u.LicenseID]
			sum.OverageUses += u.OverageUses
			sum.CommitCheckouts += u.CommitCheckouts
			sum.OverageCheckouts += u.OverageCheckouts
			sum.PeakInUse = max(sum.PeakInUse, u.PeakInUse)
			v.usage[u.LicenseID] = sum
		}
		overage, err := list[overageRow](ctx, o, base, t.id, "overage", url.Values{"month": {m}})
		if err != nil {
			return err
		}
		v.overage = append(v.overage, overage...)
	}
	return nil
}

// quiesce waits until every replica of every group has applied the same
// entries, and compares their state hashes.
func (r *rig) quiesce(ctx context.Context) {
	for g := range r.cfg.groups + 1 {
		group := strconv.Itoa(g)
		var diverged error
		err := await(ctx, "equal applied indexes of group "+group, readyWithin, func() error {
			err := r.compareHashes(ctx, group)
			if errors.Is(err, errDiverged) {
				diverged = err // for good: no need to look again
				return nil
			}
			return err
		})
		if diverged != nil {
			r.cfg.found.add(flawDiverged, "%v", diverged)
		} else if err != nil {
			r.cfg.found.add(flawRecovery, "%v", err)
		}
	}
}

// errDiverged: two replicas differ at one applied index.
var errDiverged = errors.New("replicas differ")

// compareHashes returns nil when all replicas are at one index with one hash,
// and errDiverged when they differ at it.
func (r *rig) compareHashes(ctx context.Context, group string) error {
	holders, err := r.holders(ctx, group)
	if err != nil {
		return err
	}
	var first stateHash
	for i, n := range holders {
		var h stateHash
		if err := r.op.get(ctx, n.admin, "/v1/groups/"+group+"/hash", &h); err != nil {
			return err
		}
		switch {
		case h.Hash == "":
			return fmt.Errorf("%s gives no hash of group %s", n.id, group)
		case i == 0:
			first = h
		case h.AppliedIndex != first.AppliedIndex:
			return fmt.Errorf("group %s: %s is at %d, %s at %d", group, holders[0].id, first.AppliedIndex, n.id, h.AppliedIndex)
		case h.Hash != first.Hash:
			return fmt.Errorf("%w: group %s at %d: %s has %s, %s has %s", errDiverged, group, h.AppliedIndex, holders[0].id, first.Hash, n.id, h.Hash)
		}
	}
	return nil
}

// holders returns the nodes that hold a replica of the group.
func (r *rig) holders(ctx context.Context, group string) ([]*process, error) {
	view, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	var nodes []*process
	for _, g := range view.Groups {
		if g.ID.String() != group {
			continue
		}
		for _, rep := range g.Replicas {
			if n := r.node(rep.Node); n != nil {
				nodes = append(nodes, n)
			}
		}
	}
	if want := min(3, len(r.nodes)); len(nodes) < want {
		return nil, fmt.Errorf("group %s shows %d replicas, want %d", group, len(nodes), want)
	}
	return nodes, nil
}

// readAll reads a tenant on every node that holds it, two nodes at a time.
func (r *rig) readAll(ctx context.Context, t *tenant, months []string) (map[string]*replicaView, error) {
	holders, err := r.holders(ctx, t.group)
	if err != nil {
		return nil, err
	}
	views := map[string]*replicaView{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	slots := make(chan struct{}, 2)
	for _, n := range holders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			v, err := readReplica(ctx, r.op, n.admin, t, months)
			mu.Lock()
			defer mu.Unlock()
			views[n.id], failed = v, errors.Join(failed, err)
		}()
	}
	wg.Wait()
	return views, failed
}
