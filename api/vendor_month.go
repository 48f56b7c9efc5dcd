package api

import (
	"encoding/json"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
)

// vendorMonthRoutes are the rows of routeTable for a vendor's month at a glance.
func vendorMonthRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/billing/overview", name: "vendor_month", on: onVendors, action: cloudlicenses.ActViewCosts, handle: (*call).serveVendorMonth},
	}
}

// shownRevenue is what a month brings in one currency.
type shownRevenue struct {
	Currency  cloudlicenses.Currency `json:"currency"`
	CommitFee json.Number            `json:"commit_fee"`
	Overage   json.Number            `json:"overage_cost"`
	Total     json.Number            `json:"total"`
}

// serveVendorMonth is GET /api/v1/billing/overview?period=YYYY-MM.
func (c *call) serveVendorMonth() {
	o, ok := c.options()
	if !ok {
		return
	}
	period, ok := c.period()
	if !ok {
		return
	}
	m, fresh, err := c.server.shard.VendorMonth(c.context(), c.vendor, period, o.read)
	if err != nil {
		c.fail(err)
		return
	}
	c.fresh(&fresh)
	shown := struct {
		Period           string         `json:"period"`
		Customers        int            `json:"customers"`
		Licenses         int            `json:"licenses"`
		Checkouts        int64          `json:"checkouts"`
		OverageCheckouts int64          `json:"overage_checkouts"`
		Refusals         int64          `json:"refusals"`
		Revenue          []shownRevenue `json:"revenue"`
	}{period.String(), m.Customers, m.Licenses, m.Checkouts, m.OverageCheckouts, m.Refusals, make([]shownRevenue, len(m.Totals))}
	for i, t := range m.Totals {
		shown.Revenue[i] = shownRevenue{t.Currency, moneyText(t.CommitFee, t.Currency), moneyText(t.OverageCost, t.Currency), moneyText(t.Total, t.Currency)}
	}
	c.send(fasthttp.StatusOK, shown)
}
