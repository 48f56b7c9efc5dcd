package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// actorOperator stands in the audit log for what an operator did.
const actorOperator = "operator"

// changeTenant has the tenant changed and shows what it is then.
func (c *adminCall) changeTenant(status int, change shard.TenantChange) error {
	change.Actor = actorOperator
	life, w, err := c.server.shard.ChangeTenant(c.r.Context(), cloudlicenses.TenantID(c.r.PathValue("tenant")), change)
	if w.Applied != "" {
		c.w.Header().Set(headerApplied, w.Applied)
	}
	if err != nil {
		if p := changeProblem(err); p != nil {
			if p.code == cloudlicenses.TenantNotFound && p.detail == "" {
				p.detail = "there is no such tenant"
			}
			return p
		}
		return err
	}
	return c.reply(status, c.server.showChanged(&life))
}

// changedView is a tenant after a change.
type changedView struct {
	tenantView
	DeletesAt *string `json:"deletes_at"`
}

func (s *Server) showChanged(r *directory.LifeResult) changedView {
	return changedView{s.showTenant(&r.Tenant), timeText(r.Life.DeleteMillis)}
}

// setTenant is PATCH /v1/tenants/{tenant}: another plan, suspended, or active
// again.
func (c *adminCall) setTenant() error {
	var in struct {
		Plan   cloudlicenses.Plan         `json:"plan"`
		Status cloudlicenses.TenantStatus `json:"status"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	switch {
	case in.Plan != "" && !in.Plan.Valid():
		return invalid("/plan", mustBePlan)
	case in.Status != "" && in.Status != cloudlicenses.TenantActive && in.Status != cloudlicenses.TenantSuspended:
		return invalid("/status", "must be active or suspended")
	}
	return c.changeTenant(http.StatusOK, shard.TenantChange{Plan: in.Plan, Status: in.Status})
}

// deleteTenant is POST /v1/tenants/{tenant}/deletion. Its body may name the
// time in which that can be taken back.
func (c *adminCall) deleteTenant() error {
	in := struct {
		GraceSeconds *int64 `json:"grace_seconds"`
	}{}
	if c.r.ContentLength != 0 {
		if err := c.decode(&in); err != nil {
			return err
		}
	}
	grace := c.server.shard.DeletionGrace()
	if in.GraceSeconds != nil {
		if *in.GraceSeconds < 0 || *in.GraceSeconds > int64(cloudlicenses.MaxDeletionGrace/time.Second) {
			return invalid("/grace_seconds", "must be 0 to a year")
		}
		grace = time.Duration(*in.GraceSeconds) * time.Second
	}
	return c.changeTenant(http.StatusAccepted, shard.TenantChange{Status: cloudlicenses.TenantDeleting, Grace: grace})
}

// keepTenant is DELETE /v1/tenants/{tenant}/deletion.
func (c *adminCall) keepTenant() error {
	return c.changeTenant(http.StatusOK, shard.TenantChange{Cancel: true})
}

// planView is a plan as it is offered; null: no limit, or a price agreed with
// each tenant.
type planView struct {
	Plan       cloudlicenses.Plan     `json:"plan"`
	MaxVendors *int64                 `json:"max_vendors"`
	MaxSeats   *int64                 `json:"max_seats"`
	Price      *json.Number           `json:"price_monthly"`
	Currency   cloudlicenses.Currency `json:"currency"`
	Support    string                 `json:"support"`
}

// listPlans is GET /v1/plans.
func (c *adminCall) listPlans() error {
	return c.reply(http.StatusOK, showPlans())
}

// showPlans lists every plan, the smallest first.
func showPlans() page[planView] {
	return newPage(cloudlicenses.Plans(), "", func(t *cloudlicenses.PlanTerms) planView {
		return planView{
			t.Plan, showUse(t.MaxVendors, 0).Limit, showUse(t.MaxSeats, 0).Limit, planPrice(t), cloudlicenses.PlanCurrency, t.Support,
		}
	})
}
