package directory

import (
	"fmt"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

func init() {
	register(OpChangeTenant, (*state).changeTenant)
	register(OpTenantSettled, (*state).tenantSettled)
	register(OpBeginRemoval, (*state).beginRemoval)
	register(OpTenantRemoved, (*state).tenantRemoved)
}

// lives are the tenants that were changed since they were made.
type lives struct {
	byID    map[cloudlicenses.TenantID]*Life
	ids     []cloudlicenses.TenantID // sorted
	removed []cloudlicenses.TenantID // sorted: the tombstones among them
}

func newLives() lives { return lives{byID: map[cloudlicenses.TenantID]*Life{}} }

func (s *state) addLife(l *Life) {
	g := &s.lives
	g.byID[l.ID] = l
	g.ids = insertSorted(g.ids, l.ID)
	if l.RemovedMillis != 0 {
		s.bury(l)
	}
}

// bury makes a life a tombstone: neither its id nor one that looks like it is
// given again.
func (s *state) bury(l *Life) {
	s.lives.removed = insertSorted(s.lives.removed, l.ID)
	s.registrations.looks[l.ID.Skeleton()]++
}

// buried reports whether the id was of a tenant that was deleted.
func (s *state) buried(id cloudlicenses.TenantID) bool {
	l := s.lives.byID[id]
	return l != nil && l.RemovedMillis != 0
}

// life is a tenant's, made up where nothing has changed it yet.
func (s *state) life(t *Tenant) *Life {
	if l := s.lives.byID[t.ID]; l != nil {
		return l
	}
	plan := cloudlicenses.Plan(t.Plan)
	return &Life{ID: t.ID, Plan: plan, Plans: []PlanSpan{{plan, t.VerifiedMillis}}}
}

func (s *state) putLife(l *Life) {
	if s.lives.byID[l.ID] == nil {
		s.addLife(l)
	}
	s.put(keyLife(l.ID), l)
}

func refuseLife(code cloudlicenses.Code, detail string) *LifeResult {
	return &LifeResult{Code: code, Detail: detail}
}

// changeTenant notes what a tenant is to become. Its standing is in force here
// at once; a plan only when the group has taken it.
func (s *state) changeTenant(c *ChangeTenant) msgp.Marshaler {
	t := s.tenants[c.ID]
	if t == nil {
		return refuseLife(cloudlicenses.TenantNotFound, "")
	}
	l := s.life(t)
	status, refusal := s.nextStatus(t, l, c)
	if refusal != nil {
		return refusal
	}
	plan := l.Plan
	if c.Plan != "" {
		if !c.Plan.Valid() {
			return refuseLife(cloudlicenses.InvalidField, "plan: is none of the plans")
		}
		if l.Settled < l.Revision && l.Plan != cloudlicenses.Plan(t.Plan) && c.Plan != l.Plan {
			return refuseLife(cloudlicenses.Overloaded, "another change of the plan is under way; ask again")
		}
		plan = c.Plan
	}
	if status == t.Status && plan == l.Plan {
		return &LifeResult{Tenant: *t, Life: *l}
	}
	switch status {
	case t.Status:
	case cloudlicenses.TenantDeleting:
		l.Before, l.DeleteMillis = t.Status, s.meta.ClockMillis+max(0, c.GraceMillis)
	default:
		l.Before, l.DeleteMillis = "", 0
	}
	l.Revision++
	l.Plan, l.Actor, t.Status = plan, c.Actor, status
	s.putLife(l)
	s.put(keyTenant(t.ID), t)
	return &LifeResult{Tenant: *t, Life: *l}
}

// nextStatus is the standing that a tenant gets.
func (s *state) nextStatus(t *Tenant, l *Life, c *ChangeTenant) (cloudlicenses.TenantStatus, *LifeResult) {
	deleting := t.Status == cloudlicenses.TenantDeleting
	switch {
	case t.Status == cloudlicenses.TenantPending:
		return "", refuseLife(cloudlicenses.VerificationPending, "the tenant is not verified yet")
	case l.Removing:
		return "", refuseLife(cloudlicenses.TenantNotFound, "the tenant's removal has begun and can't be taken back")
	case c.Cancel && deleting:
		return l.Before, nil
	case c.Cancel, c.Status == "", c.Status == t.Status:
		return t.Status, nil
	case deleting:
		return "", refuseLife(cloudlicenses.InvalidField, "status: the tenant is being deleted; take that back first")
	case c.Status == cloudlicenses.TenantActive, c.Status == cloudlicenses.TenantSuspended, c.Status == cloudlicenses.TenantDeleting:
		return c.Status, nil
	}
	return "", refuseLife(cloudlicenses.InvalidField, "status: must be active, suspended or deleting")
}

// tenantSettled notes what the group has taken.
func (s *state) tenantSettled(c *TenantSettled) msgp.Marshaler {
	t, l := s.tenants[c.ID], s.lives.byID[c.ID]
	if t == nil || l == nil {
		return refuseLife(cloudlicenses.TenantNotFound, "")
	}
	if c.Revision == l.Revision && l.Settled < l.Revision {
		l.Settled = l.Revision
		if c.PlanRefused {
			l.Plan = cloudlicenses.Plan(t.Plan)
		} else if l.Plan != cloudlicenses.Plan(t.Plan) {
			t.Plan = string(l.Plan)
			l.Plans = append(l.Plans, PlanSpan{l.Plan, s.meta.ClockMillis})
			s.put(keyTenant(t.ID), t)
		}
		s.putLife(l)
		if !c.PlanRefused && t.Status == cloudlicenses.TenantActive {
			s.tryUnfit(t.ID)
		}
	}
	return &LifeResult{Tenant: *t, Life: *l}
}

// beginRemoval is where a deletion becomes final.
func (s *state) beginRemoval(c *BeginRemoval) msgp.Marshaler {
	t, l := s.tenants[c.ID], s.lives.byID[c.ID]
	switch {
	case t == nil || l == nil:
		return refuseLife(cloudlicenses.TenantNotFound, "")
	case l.Removing:
	case t.Status != cloudlicenses.TenantDeleting || l.Settled < l.Revision || l.DeleteMillis > s.meta.ClockMillis:
		return refuseLife(cloudlicenses.InvalidField, "status: the tenant can still be kept")
	default:
		l.Removing = true
		s.putLife(l)
	}
	return &LifeResult{Tenant: *t, Life: *l}
}

// tenantRemoved leaves the tombstone. The domain may be registered anew.
func (s *state) tenantRemoved(c *TenantRemoved) msgp.Marshaler {
	if s.buried(c.ID) {
		return Ack{}
	}
	t, l := s.tenants[c.ID], s.lives.byID[c.ID]
	if t == nil || l == nil || !l.Removing {
		return Ack{Code: cloudlicenses.TenantNotFound, Detail: "no removal of this tenant is under way"}
	}
	l.RemovedMillis = max(1, s.meta.ClockMillis)
	l.Actor = ""
	s.bury(l)
	s.put(keyLife(l.ID), l)
	if r := s.registrations.byID[c.ID]; r != nil {
		s.removeRegistration(r)
	}
	s.removeTenant(t)
	s.endLicensesOf(c.ID)
	s.partCustomers(c.ID)
	return Ack{}
}

// removeTenant takes a tenant out of the tables. Its look stays taken by its
// tombstone.
func (s *state) removeTenant(t *Tenant) {
	delete(s.tenants, t.ID)
	if at, found := slices.BinarySearch(s.tenantIDs, t.ID); found {
		s.tenantIDs = slices.Delete(s.tenantIDs, at, at+1)
	}
	s.perGroup[t.Group]--
	s.registrations.looks[t.ID.Skeleton()]--
	s.out.Delete(keyTenant(t.ID))
}

// queryLife answers the queries about tenants' lives.
func (s *state) queryLife(op fsm.Op, payload []byte) (msgp.Marshaler, error) {
	switch op {
	case QueryUnsettled:
		return queryOne(payload, s.unsettled)
	case QueryPlans:
		return queryOne(payload, s.plans)
	case QueryLife:
		return queryOne(payload, s.lifeOf)
	}
	return nil, fmt.Errorf("query %d: unknown to this release", op)
}

// lifeOf answers QueryLife.
func (s *state) lifeOf(q *GetTenant) msgp.Marshaler {
	if t := s.tenants[q.ID]; t != nil {
		return &LifeResult{Tenant: *t, Life: *s.life(t)}
	}
	return refuseLife(cloudlicenses.TenantNotFound, "")
}

// unsettled answers QueryUnsettled.
func (s *state) unsettled(q *ListUnsettled) msgp.Marshaler {
	result := &Unsettled{}
	from, found := slices.BinarySearch(s.lives.ids, q.Cursor)
	if found {
		from++
	}
	for _, id := range s.lives.ids[from:] {
		t, l := s.tenants[id], s.lives.byID[id]
		if t == nil {
			continue
		}
		due := t.Status == cloudlicenses.TenantDeleting && l.DeleteMillis <= q.NowMillis
		if l.Settled >= l.Revision && !l.Removing && !due {
			continue
		}
		if len(result.Items) == maxUnfinished {
			result.Next = result.Items[len(result.Items)-1].Tenant.ID
			break
		}
		result.Items = append(result.Items, LifeResult{Tenant: *t, Life: *l})
	}
	return result
}

// plans answers QueryPlans.
func (s *state) plans(q *List) msgp.Marshaler {
	live, more := after(s.tenantIDs, q)
	gone, moreGone := after(s.lives.removed, q)
	ids := slices.Concat(live, gone)
	slices.Sort(ids)
	more = more || moreGone
	if limit := pageLimit(q); len(ids) > limit {
		ids, more = ids[:limit], true
	}
	page := &PlanPage{}
	for _, id := range ids {
		h := PlanHistory{ID: id}
		switch t := s.tenants[id]; {
		case t != nil && t.VerifiedMillis == 0: // it has no plan yet
		case t != nil:
			h.Plans = s.life(t).Plans
		default:
			h.Plans, h.RemovedMillis = s.lives.byID[id].Plans, s.lives.byID[id].RemovedMillis
		}
		page.Items = append(page.Items, h)
	}
	if more {
		page.Next = string(ids[len(ids)-1])
	}
	return page
}

func keyLife(id cloudlicenses.TenantID) []byte { return append([]byte{kindLife}, id...) }
