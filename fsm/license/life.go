package license

import (
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpTerms, operation{name: "set terms", needs: needsTenant, apply: (*Machine).applyTerms})
	_ = register(OpEndTenant, operation{name: "end tenant", needs: needsTenant, apply: (*Machine).applyEndTenant})
	_ = register(OpRemoveTenant, operation{name: "remove tenant", needs: needsName, create: (*Machine).applyRemoveTenant})
)

// Actions of audit records about the tenant itself.
const (
	actionPlan     = "tenant.plan"
	actionStanding = "tenant.status"

	actorDeletion = "deletion of the tenant"
)

// applyTerms takes the plan, where what is in use fits it, and the standing.
func (m *Machine) applyTerms(t *tenant, payload []byte) (reply, error) {
	var p SetTerms
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	switch p.Status {
	case cloudlicenses.TenantActive, cloudlicenses.TenantSuspended, cloudlicenses.TenantDeleting:
	default:
		return &TermsResult{Code: cloudlicenses.InvalidField, Detail: "status: must be active, suspended or deleting"}, nil
	}
	if !p.Plan.Valid() {
		return &TermsResult{Code: cloudlicenses.InvalidField, Detail: "plan: is none of the plans"}, nil
	}
	s := m.state
	if p.Revision < t.revision {
		result := s.terms(t)
		result.Code, result.Detail = cloudlicenses.AlreadyExists, "a later change is in force"
		return result, nil
	}
	if p.Revision > t.revision {
		m.takeTerms(t, &p)
	}
	result := s.terms(t)
	if t.plan != p.Plan {
		result.Use = s.planUse(t, p.Plan, nil)
		result.Code, result.Detail = cloudlicenses.PlanLimitExceeded, "what is in use does not fit the plan: revoke licenses, or wait for their end"
	}
	return result, nil
}

// takeTerms puts a new revision into force. One whose plan is too small keeps
// the plan, for good: the directory is told so.
func (m *Machine) takeTerms(t *tenant, p *SetTerms) {
	s := m.state
	actor := p.Actor
	if u := t.users.byID[cloudlicenses.UserID(actor)]; u != nil {
		actor = u.User.Email
	}
	t.revision = p.Revision
	if p.Plan != t.plan {
		result := resultSuccess
		if use := s.planUse(t, p.Plan, nil); use.over() {
			result = string(cloudlicenses.PlanLimitExceeded)
		} else {
			t.plan = p.Plan
		}
		m.entry = Audit{Action: actionPlan + " " + string(p.Plan), Result: result, Actor: actor}
		m.recordAudit(t)
	}
	if p.Status != t.status {
		t.status = p.Status
		m.entry = Audit{Action: actionStanding + " " + string(p.Status), Result: resultSuccess, Actor: actor}
		m.recordAudit(t)
	}
	s.touchTenant(t)
}

func (s *state) terms(t *tenant) *TermsResult {
	return &TermsResult{
		Revision: t.revision, Status: t.status, Use: s.planUse(t, t.plan, nil), Country: t.country, TaxID: t.taxID,
	}
}

// terms answers QueryTerms.
func (q *question) terms() (reply, error) {
	if err := q.decode(&GetTerms{}); err != nil {
		return nil, err
	}
	var result *TermsResult
	code, err := q.read(func(v view) error {
		result = v.state.terms(v.tenant)
		return nil
	})
	if result == nil {
		result = &TermsResult{Code: code}
	}
	return result, err
}

// refuseStanding refuses a checkout of a tenant that is not active. Leases that
// are out may be kept alive and returned.
func (t *tenant) refuseStanding() (cloudlicenses.Code, string) {
	switch t.status {
	case cloudlicenses.TenantSuspended:
		return cloudlicenses.LicenseNotActive, "the tenant is suspended: ask its administrator"
	case cloudlicenses.TenantDeleting:
		return cloudlicenses.LicenseNotActive, "the tenant is being deleted: an owner of it can still take that back"
	default:
		return cloudlicenses.OK, ""
	}
}

// applyEndTenant revokes the keys and ends leases, oldest first.
func (m *Machine) applyEndTenant(t *tenant, payload []byte) (reply, error) {
	var p EndTenant
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if t.status != cloudlicenses.TenantDeleting {
		return &EndedTenant{Code: cloudlicenses.InvalidField, Detail: "status: the tenant is not being deleted"}, nil
	}
	for _, k := range t.keyByNumber {
		if k.RevokedMillis == 0 {
			k.RevokedMillis = m.state.clock
			m.storeKey(k)
		}
	}
	left := p.Limit
	for _, slot := range slices.Clone(t.leases.order) {
		if slot.lease == nil || left <= 0 {
			continue
		}
		m.release(slot.lease, actorDeletion)
		left--
	}
	return &EndedTenant{Left: int64(len(t.leases.byID)), Charged: t.overageSequence}, nil
}

// applyRemoveTenant removes what is left of a tenant.
func (m *Machine) applyRemoveTenant(name cloudlicenses.TenantID, payload []byte) (reply, error) {
	var p RemoveTenant
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	s := m.state
	t := s.tenants[name]
	switch {
	case t == nil && s.removed[name]:
		return m.acked(cloudlicenses.OK, ""), nil
	case t == nil || t.epoch != p.Epoch:
		return m.acked(cloudlicenses.StalePlacement, ""), nil
	case t.status != cloudlicenses.TenantDeleting:
		return m.acked(cloudlicenses.InvalidField, "status: the tenant is not being deleted"), nil
	case len(t.leases.byID) > 0:
		return m.acked(cloudlicenses.InvalidField, "leases: some are live yet"), nil
	case t.overageSequence != p.Charged:
		return m.acked(cloudlicenses.InvalidField, "charged: there is a later overage record; keep it first"), nil
	}
	return m.acked(cloudlicenses.OK, ""), m.removeTenant(t)
}
