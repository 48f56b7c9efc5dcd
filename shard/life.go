package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// endBatch bounds how many leases of a tenant that goes one command ends.
const endBatch = 1000

// TenantChange is a wish for another plan or standing.
type TenantChange struct {
	Plan   cloudlicenses.Plan         // empty: as it is
	Status cloudlicenses.TenantStatus // active, suspended or deleting; empty: as it is
	Grace  time.Duration              // in which a deletion can be taken back
	Cancel bool                       // take a deletion back
	Actor  string                     // a user's id, or who else asks: never personal data
}

// ChangeTenant changes a tenant's plan or standing, and returns once its group
// has taken it. Refusals (*Refusal): tenant_not_found, verification_pending,
// invalid_field, overloaded; plan_limit_exceeded with the use, where less is
// allowed than what is in use.
//
// It is a saga (directory → group → directory). Where it is interrupted, the
// directory's leader goes on with it.
func (s *Shard) ChangeTenant(ctx context.Context, id cloudlicenses.TenantID, change TenantChange) (directory.LifeResult, Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var result directory.LifeResult
	w, err := s.DoDirectory(ctx, Command{Op: directory.OpChangeTenant, Result: &result, Payload: &directory.ChangeTenant{
		ID: id, Plan: change.Plan, Status: change.Status, GraceMillis: change.Grace.Milliseconds(), Cancel: change.Cancel, Actor: change.Actor,
	}})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	if err != nil || result.Life.Settled >= result.Life.Revision {
		return result, w, err
	}
	return s.settleTenant(ctx, &result)
}

// settleTenant has the tenant's group take what the directory says.
func (s *Shard) settleTenant(ctx context.Context, r *directory.LifeResult) (directory.LifeResult, Written, error) {
	terms, group, err := s.sendTerms(ctx, r)
	if err != nil {
		return *r, Written{}, fmt.Errorf("change tenant %s in group %d: %w", r.Tenant.ID, r.Tenant.Group, err)
	}
	if terms.Code == cloudlicenses.AlreadyExists { // a later change has overtaken this one
		return *r, group, nil
	}
	var settled directory.LifeResult
	w, err := s.DoDirectory(ctx, Command{Op: directory.OpTenantSettled, Result: &settled, Payload: &directory.TenantSettled{
		ID: r.Tenant.ID, Revision: r.Life.Revision, PlanRefused: terms.Code == cloudlicenses.PlanLimitExceeded,
	}})
	if err == nil {
		err = refused(settled.Code, settled.Detail)
	}
	if err != nil {
		return *r, Written{}, fmt.Errorf("change tenant %s: %w", r.Tenant.ID, err)
	}
	w.Applied = group.Applied + "," + w.Applied
	if terms.Code != cloudlicenses.OK {
		return settled, w, &Refusal{Code: terms.Code, Detail: terms.Detail, Use: terms.Use}
	}
	return settled, w, nil
}

// sendTerms is the step in the tenant's group. A plan that is too small is in
// the result; other refusals are errors.
func (s *Shard) sendTerms(ctx context.Context, r *directory.LifeResult) (terms license.TermsResult, w Written, err error) {
	w, err = s.doPlaced(ctx, &r.Tenant, Command{Op: license.OpTerms, Result: &terms, Payload: &license.SetTerms{
		Revision: r.Life.Revision, Plan: r.Life.Plan, Status: r.Tenant.Status, Actor: r.Life.Actor,
	}})
	if err == nil && terms.Code != cloudlicenses.PlanLimitExceeded && terms.Code != cloudlicenses.AlreadyExists {
		err = refused(terms.Code, terms.Detail)
	}
	return terms, w, err
}

// DeletionGrace is how long a deletion can be taken back where nobody says
// otherwise.
func (s *Shard) DeletionGrace() time.Duration { return s.grace }

// Terms reads what a tenant has of what its plan allows.
func (s *Shard) Terms(ctx context.Context, id cloudlicenses.TenantID, opt ReadOptions) (license.TermsResult, Freshness, error) {
	var terms license.TermsResult
	fresh, err := s.Read(ctx, id, Command{Op: license.QueryTerms, Payload: &license.GetTerms{}, Result: &terms}, opt)
	return terms, fresh, err
}

// Life reads a tenant with its life from the directory's leader.
func (s *Shard) Life(ctx context.Context, id cloudlicenses.TenantID) (directory.LifeResult, Freshness, error) {
	var life directory.LifeResult
	fresh, err := s.ReadDirectory(ctx, Command{Op: directory.QueryLife, Payload: &directory.GetTenant{ID: id}, Result: &life},
		ReadOptions{Linearizable: true})
	return life, fresh, err
}

// Tenant reads a tenant from this node's directory, and from the leader's where
// this one is behind. ErrTenantNotFound where the leader confirms that there is
// none: strangers who ask for many share one confirmation.
func (s *Shard) Tenant(ctx context.Context, id cloudlicenses.TenantID) (directory.Tenant, error) {
	if s.Secrets() == nil { // the node has not joined its cluster yet
		return directory.Tenant{}, errNoSecrets
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	if _, err := s.places.find(ctx, id); err != nil {
		return directory.Tenant{}, err
	}
	for _, now := range []bool{false, true} {
		var r directory.TenantResult
		query := Command{Op: directory.QueryTenant, Payload: &directory.GetTenant{ID: id}, Result: &r}
		if _, err := s.ReadDirectory(ctx, query, ReadOptions{Linearizable: now}); err != nil {
			return directory.Tenant{}, err
		}
		if r.Code == cloudlicenses.OK && served(&r.Tenant) {
			return r.Tenant, nil
		}
	}
	return directory.Tenant{}, ErrTenantNotFound
}

// removeTenant removes a tenant whose time is over: its leases end, its keys are
// revoked, its vendors' accounts keep its overage, its records go with its data
// key, and the directory keeps a tombstone. Every step may be repeated, by any node.
func (s *Shard) removeTenant(ctx context.Context, t *directory.Tenant) error {
	var begun directory.LifeResult
	_, err := s.DoDirectory(ctx, Command{Op: directory.OpBeginRemoval, Payload: &directory.BeginRemoval{ID: t.ID}, Result: &begun})
	if err == nil {
		err = refused(begun.Code, begun.Detail)
	}
	if err == nil {
		err = s.emptyTenant(ctx, &begun)
	}
	if err != nil {
		return fmt.Errorf("remove tenant %s: %w", t.ID, err)
	}
	var done directory.Ack
	_, err = s.DoDirectory(ctx, Command{Op: directory.OpTenantRemoved, Payload: &directory.TenantRemoved{ID: t.ID}, Result: &done})
	if err == nil {
		err = refused(done.Code, done.Detail)
	}
	if err != nil {
		return fmt.Errorf("end the removal of tenant %s: %w", t.ID, err)
	}
	s.places.forget(t.ID)
	s.held.Delete(t.ID)
	s.logger.Info("a tenant is removed", "tenant", string(t.ID))
	return nil
}

// emptyTenant has a tenant's group remove it, once what it was charged is kept.
// What is taken back meanwhile is another record, and the group refuses then.
func (s *Shard) emptyTenant(ctx context.Context, gone *directory.LifeResult) error {
	t := &gone.Tenant
	charged, err := s.endTenant(ctx, t)
	switch {
	case errors.Is(err, ErrTenantMoving): // it is not there any more: the next step tells
	case err != nil:
		return err
	default:
		if err := s.keepOverage(ctx, gone); err != nil {
			return err
		}
	}
	var ack license.Ack
	remove := &license.RemoveTenant{Epoch: t.Epoch, Charged: charged}
	if _, err = s.doPlaced(ctx, t, Command{Op: license.OpRemoveTenant, Payload: remove, Result: &ack}); err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	return err
}

// endTenant ends what is live of a tenant, some leases a command. It returns the
// number of its latest overage record.
func (s *Shard) endTenant(ctx context.Context, t *directory.Tenant) (charged uint64, err error) {
	for {
		var ended license.EndedTenant
		_, err := s.doPlaced(ctx, t, Command{Op: license.OpEndTenant, Payload: &license.EndTenant{Limit: endBatch}, Result: &ended})
		if err == nil {
			err = refused(ended.Code, ended.Detail)
		}
		if err != nil || ended.Left == 0 {
			return ended.Charged, err
		}
	}
}

// ResumeLives goes on, while this node leads the directory, with changes of
// tenants that were interrupted and with deletions whose time has come. It
// returns when ctx is done.
func (s *Shard) ResumeLives(ctx context.Context) {
	ticker := time.NewTicker(resumeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.Secrets() == nil || !s.node.Leads(directoryGroup) {
			continue
		}
		if err := s.resumeLives(ctx); err != nil && ctx.Err() == nil {
			s.logger.Warn("a tenant's change can't be finished yet", "error", err)
		}
	}
}

// resumeLives goes through what is unfinished once. One that fails does not
// hold the others up.
func (s *Shard) resumeLives(ctx context.Context) error {
	var errs []error
	needs := func(r *directory.LifeResult) []cluster.GroupID {
		return []cluster.GroupID{cluster.GroupID(r.Tenant.Group)}
	}
	ask, p := directory.ListUnsettled{NowMillis: time.Now().UnixMilli()}, newPass()
	for more := true; more && ctx.Err() == nil; {
		var page directory.Unsettled
		if _, err := s.ReadDirectory(ctx, Command{Op: directory.QueryUnsettled, Payload: &ask, Result: &page}, ReadOptions{}); err != nil {
			return failures(append(errs, fmt.Errorf("read unfinished changes of tenants: %w", err)))
		}
		errs = append(errs, atOnce(p, page.Items, needs, func(r *directory.LifeResult) error { return s.resumeLife(ctx, r) })...)
		ask.Cursor, more = page.Next, page.Next != ""
	}
	return failures(errs)
}

func (s *Shard) resumeLife(ctx context.Context, r *directory.LifeResult) error {
	ctx, cancel := context.WithTimeout(ctx, 2*cloudlicenses.RequestTimeout)
	defer cancel()
	if r.Life.Settled < r.Life.Revision {
		var refusal *Refusal
		if _, _, err := s.settleTenant(ctx, r); err != nil && !errors.As(err, &refusal) {
			return err
		}
		return nil // what comes after that, comes next time
	}
	if !r.Life.Removing {
		waits, err := s.waitsForInvoice(ctx, &r.Tenant)
		if waits || err != nil {
			return err
		}
	}
	return s.removeTenant(ctx, &r.Tenant)
}

// heldLook is how often a node looks whether a tenant's overage has been invoiced:
// it reads all of its records.
const heldLook = time.Minute

// hold is a removal that waits, for an invoice or because it could not be seen
// whether it does.
type hold struct {
	until time.Time // when it is looked at again
	told  bool      // the log says what it waits for
}

// waitsForInvoice is uninvoiced, looked at once a minute.
func (s *Shard) waitsForInvoice(ctx context.Context, t *directory.Tenant) (bool, error) {
	var last hold
	if held, ok := s.held.Load(t.ID); ok {
		last, _ = held.(hold)
	}
	if s.now().Before(last.until) {
		return true, nil
	}
	sum, err := s.uninvoiced(ctx, t)
	if err == nil && sum == nil {
		return false, nil
	}
	next := hold{s.now().Add(heldLook), last.told || err == nil}
	if next.told && !last.told {
		s.logger.Info("a tenant is kept until its overage is invoiced", "tenant", string(t.ID), "license", string(sum.License), "month", sum.Month.String())
	}
	s.held.Store(t.ID, next)
	return true, err
}

// uninvoiced returns what a tenant that is to be removed was charged in a month
// whose invoice is still to be made, or nil: its records stay until then, since no
// charge may be lost. Nothing can be charged any more, so it ends with the month.
func (s *Shard) uninvoiced(ctx context.Context, t *directory.Tenant) (*billing.OverageSum, error) {
	r := s.newReader(ReadOptions{Linearizable: true})
	contracts, err := r.contracts(ctx, directory.ListLicenses{TenantID: t.ID})
	if err == nil {
		contracts, err = r.ownContracts(ctx, t, "", contracts)
	}
	if err != nil {
		return nil, fmt.Errorf("read what %s was charged: %w", t.ID, err)
	}
	asked := make(map[cloudlicenses.VendorID]bool)
	for i := range contracts {
		vendor := contracts[i].Vendor
		if asked[vendor] {
			continue
		}
		asked[vendor] = true
		since, err := r.invoicedBefore(ctx, vendor)
		if err != nil {
			return nil, err
		}
		within := billing.Range{Start: max(since.First(), billing.DayAt(t.CreatedMillis)), End: billing.DayAt(s.now().UnixMilli())}
		if within.End < within.Start {
			continue
		}
		sums, _, err := r.sums(ctx, t.ID, vendor, within)
		if err != nil {
			return nil, fmt.Errorf("read what %s was charged: %w", t.ID, err)
		}
		for i := range sums {
			if sum := &sums[i]; sum.Uses != 0 || sum.Minor != 0 {
				return sum, nil
			}
		}
	}
	return nil, nil
}

// invoicedBefore returns the first month that a vendor's invoices are still to be
// made of.
func (r *reader) invoicedBefore(ctx context.Context, vendor cloudlicenses.VendorID) (billing.Month, error) {
	var through license.InvoicedResult
	err := r.account(ctx, vendor.Account(), Command{Op: license.QueryInvoiced, Payload: &license.GetInvoiced{}, Result: &through})
	if err == nil {
		err = refused(through.Code, "")
	}
	if err != nil {
		return 0, fmt.Errorf("read what %s was invoiced for: %w", vendor, err)
	}
	return billing.Month(through.Month) + 1, nil
}
