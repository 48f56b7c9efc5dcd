package api

import (
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/billing"
)

// costRoutes are the rows of routeTable for what a tenant pays, and its own rules
// on that.
func costRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/costs", name: "costs", on: forUsers, action: cloudlicenses.ActViewCosts, handle: (*call).serveCosts},
		{method: "GET", path: "/api/v1/settings", name: "settings", on: forUsers, action: cloudlicenses.ActViewSettings, handle: (*call).serveTenantSettings},
		{method: "PATCH", path: "/api/v1/settings", name: "settings_update", on: forUsers, action: cloudlicenses.ActManageSettings, handle: (*call).serveChangeTenantSettings},
	}
}

// period reads ?period=YYYY-MM, the running month where it is left out. False
// means that the refusal is sent.
func (c *call) period() (billing.Month, bool) {
	args := c.ctx.QueryArgs()
	if !args.Has("period") {
		return billing.DayAt(time.Now().UnixMilli()).Month(), true
	}
	month, err := billing.ParseMonth(string(args.Peek("period")))
	if err != nil {
		c.refuseQuery("period", "must be a month such as 2025-11")
	}
	return month, err == nil
}

// refuseQuery refuses one parameter of the query.
func (c *call) refuseQuery(name, detail string) {
	c.refuseParameters([]body.FieldError{{Parameter: name, Detail: detail}})
}

// refuseParameters refuses several.
func (c *call) refuseParameters(invalid []body.FieldError) {
	c.refuse(&problem{code: cloudlicenses.InvalidField, detail: "the query has invalid parameters", invalid: invalid})
}

// serveCosts is GET /api/v1/costs?period=YYYY-MM.
func (c *call) serveCosts() {
	o, ok := c.options()
	if !ok {
		return
	}
	period, ok := c.period()
	if !ok {
		return
	}
	costs, fresh, err := c.server.shard.TenantCosts(c.context(), c.tenant, period, o.read)
	if err == nil {
		c.out, err = costs.AppendJSON(c.out[:0])
	}
	if err != nil {
		c.fail(err)
		return
	}
	c.fresh(&fresh)
	c.reply(fasthttp.StatusOK)
}
