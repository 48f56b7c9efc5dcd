package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// lifeRoutes are the rows of routeTable about the tenant's plan and end.
func lifeRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/plan", name: "plan", on: forUsers, action: cloudlicenses.ActViewSettings, handle: (*call).servePlan},
		{method: "PATCH", path: "/api/v1/plan", name: "plan_change", on: forUsers, action: cloudlicenses.ActManageSettings, handle: (*call).serveChangePlan},
		{method: "GET", path: "/api/v1/deletion", name: "deletion", on: forUsers, action: cloudlicenses.ActDeleteTenant, handle: (*call).serveDeletion},
		{method: "POST", path: "/api/v1/deletion", name: "deletion_begin", on: forUsers, action: cloudlicenses.ActDeleteTenant, handle: (*call).serveDelete},
		{method: "DELETE", path: "/api/v1/deletion", name: "deletion_cancel", on: forUsers, action: cloudlicenses.ActDeleteTenant, handle: (*call).serveKeep},
	}
}

// shownUse is what is in use of a limit; Limit null: none.
type shownUse struct {
	Limit *int64 `json:"limit"`
	InUse int64  `json:"in_use"`
}

func showUse(limit, inUse int64) shownUse {
	if limit == cloudlicenses.Unlimited {
		return shownUse{nil, inUse}
	}
	return shownUse{&limit, inUse}
}

// shownLimits are a plan's limits and what is in use of them: in a
// plan_limit_exceeded without what was refused.
type shownLimits struct {
	Plan    cloudlicenses.Plan `json:"plan"`
	Vendors shownUse           `json:"vendors"`
	Seats   shownUse           `json:"seats"`
}

func showLimits(u *license.PlanUse) shownLimits {
	return shownLimits{u.Plan, showUse(u.MaxVendors, u.Vendors), showUse(u.MaxSeats, u.Seats)}
}

// shownPlan is a tenant's plan. The price of a plan that is agreed with each
// tenant is null.
type shownPlan struct {
	shownLimits
	Price    *json.Number               `json:"price_monthly"`
	Currency cloudlicenses.Currency     `json:"currency"`
	Status   cloudlicenses.TenantStatus `json:"status"`
}

func showPlan(t *license.TermsResult) shownPlan {
	shown := shownPlan{showLimits(&t.Use), nil, cloudlicenses.PlanCurrency, t.Status}
	if terms, known := t.Use.Plan.Terms(); known {
		shown.Price = planPrice(&terms)
	}
	return shown
}

// planPrice is a plan's price with the decimals of its currency.
func planPrice(terms *cloudlicenses.PlanTerms) *json.Number {
	if terms.Custom {
		return nil
	}
	price := json.Number(fmt.Sprintf("%d.%02d", terms.FeeMinor/100, terms.FeeMinor%100))
	return &price
}

// changeProblem is what an error of a tenant's change amounts to; nil where it
// is one of the machinery.
func changeProblem(err error) *problem {
	var refusal *shard.Refusal
	if !errors.As(err, &refusal) {
		return nil
	}
	p := decided(refusal.Code, cloudlicenses.LayerNone, refusal.Detail, "")
	p.licenseID = refusal.LicenseID
	if refusal.Code == cloudlicenses.PlanLimitExceeded && refusal.Use.Plan != "" {
		p.use = &refusal.Use
	}
	return p
}

// changed sends an error of a change; true means that there is none.
func (c *call) changed(w shard.Written, err error) bool {
	if w.Applied != "" {
		c.written(w)
	}
	if err == nil {
		return true
	}
	if p := changeProblem(err); p != nil {
		c.refuse(p)
	} else {
		c.fail(err)
	}
	return false
}

// servePlan is GET /api/v1/plan.
func (c *call) servePlan() {
	o, ok := c.options()
	if !ok {
		return
	}
	var terms license.TermsResult
	if !c.read(license.QueryTerms, &license.GetTerms{}, &terms, o) {
		return
	}
	if terms.Code != cloudlicenses.OK {
		c.refuse(decided(terms.Code, cloudlicenses.LayerNone, "", inQuery))
		return
	}
	c.send(fasthttp.StatusOK, showPlan(&terms))
}

// serveChangePlan is PATCH /api/v1/plan.
func (c *call) serveChangePlan() {
	var in struct {
		Plan *cloudlicenses.Plan `json:"plan"`
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	w.check(in.Plan == nil || !in.Plan.Valid(), "plan", mustBePlan)
	if !c.valid(w) {
		return
	}
	_, written, err := c.server.shard.ChangeTenant(c.context(), c.tenant, shard.TenantChange{Plan: *in.Plan, Actor: string(c.user.User.ID)})
	if !c.changed(written, err) {
		return
	}
	terms, _, err := c.server.shard.Terms(c.context(), c.tenant, shard.ReadOptions{Linearizable: true})
	if err != nil {
		c.fail(err)
		return
	}
	c.send(fasthttp.StatusOK, showPlan(&terms))
}

var mustBePlan = "must be one of " + strings.Join(cloudlicenses.PlanNames(), ", ")

// shownDeletion is whether a tenant is being deleted, and when nothing of it
// will be left.
type shownDeletion struct {
	TenantID  cloudlicenses.TenantID     `json:"tenant_id"`
	Status    cloudlicenses.TenantStatus `json:"status"`
	DeletesAt *string                    `json:"deletes_at"`
}

func showDeletion(r *directory.LifeResult) shownDeletion {
	return shownDeletion{r.Tenant.ID, r.Tenant.Status, timeText(r.Life.DeleteMillis)}
}

// serveDeletion is GET /api/v1/deletion.
func (c *call) serveDeletion() {
	life, fresh, err := c.server.shard.Life(c.context(), c.tenant)
	if err != nil {
		c.fail(err)
		return
	}
	if life.Code != cloudlicenses.OK {
		c.refuse(decided(life.Code, cloudlicenses.LayerNone, life.Detail, ""))
		return
	}
	c.ctx.Response.Header.Set(headerApplied, fresh.Applied)
	c.send(fasthttp.StatusOK, showDeletion(&life))
}

// serveDelete is POST /api/v1/deletion: its body names the tenant, so that
// nobody deletes one by a slip.
func (c *call) serveDelete() {
	var in struct {
		TenantID cloudlicenses.TenantID `json:"tenant_id"`
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	w.check(in.TenantID != c.tenant, "tenant_id", "must be the id of this tenant, to confirm that it is meant: "+string(c.tenant))
	if !c.valid(w) {
		return
	}
	life, written, err := c.server.shard.ChangeTenant(c.context(), c.tenant, shard.TenantChange{
		Status: cloudlicenses.TenantDeleting, Grace: c.server.shard.DeletionGrace(), Actor: string(c.user.User.ID),
	})
	if c.changed(written, err) {
		c.send(fasthttp.StatusAccepted, showDeletion(&life))
	}
}

// serveKeep is DELETE /api/v1/deletion: it takes the deletion back.
func (c *call) serveKeep() {
	life, written, err := c.server.shard.ChangeTenant(c.context(), c.tenant, shard.TenantChange{Cancel: true, Actor: string(c.user.User.ID)})
	if c.changed(written, err) {
		c.send(fasthttp.StatusOK, showDeletion(&life))
	}
}
