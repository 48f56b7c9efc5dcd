package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// The platform's own statements: its share of overage revenue, and plan fees.

// period is ?period=YYYY-MM, or the running month.
func (c *adminCall) period() (billing.Month, error) {
	text := c.r.URL.Query().Get("period")
	if text == "" {
		return billing.DayAt(time.Now().UnixMilli()).Month(), nil
	}
	month, err := billing.ParseMonth(text)
	if err != nil {
		return 0, badParameter("period", "must be a month such as 2025-11")
	}
	return month, nil
}

func moneyText(minor int64, c cloudlicenses.Currency) json.Number {
	return json.Number(cloudlicenses.Money{Minor: minor, Currency: c}.String())
}

type shareView struct {
	VendorID cloudlicenses.VendorID `json:"vendor_id"`
	Revenue  json.Number            `json:"overage_revenue"`
	Rate     billing.BasisPoints    `json:"basis_points"`
	Share    json.Number            `json:"share"`
	Currency cloudlicenses.Currency `json:"currency"`
}

type shareTotal struct {
	Currency cloudlicenses.Currency `json:"currency"`
	Share    json.Number            `json:"share"`
}

// revenueShare is GET /v1/billing/revenue-share?period=.
func (c *adminCall) revenueShare() error {
	month, err := c.period()
	if err != nil {
		return err
	}
	statement, fresh, err := c.server.shard.RevenueShare(c.r.Context(), month, c.readOptions())
	if err != nil {
		return err
	}
	view := struct {
		Period string                   `json:"period"`
		Items  []shareView              `json:"vendors"`
		Totals []shareTotal             `json:"totals"`
		Failed []cloudlicenses.VendorID `json:"failed"`
	}{month.String(), []shareView{}, []shareTotal{}, append([]cloudlicenses.VendorID{}, statement.Failed...)}
	for _, l := range statement.Lines {
		view.Items = append(view.Items, shareView{l.Vendor, moneyText(l.Revenue, l.Currency), l.Rate, moneyText(l.Share, l.Currency), l.Currency})
	}
	for _, t := range statement.Totals {
		view.Totals = append(view.Totals, shareTotal{t.Currency, moneyText(t.Minor, t.Currency)})
	}
	c.fresh(fresh)
	return c.reply(http.StatusOK, view)
}

type planFeeView struct {
	TenantID cloudlicenses.TenantID `json:"tenant_id"`
	Lines    []planLineView         `json:"lines"`
	Total    json.Number            `json:"total"`
	Currency cloudlicenses.Currency `json:"currency"`
}

type planLineView struct {
	Plan   cloudlicenses.Plan `json:"plan"`
	Start  string             `json:"start"`
	End    string             `json:"end"`
	Amount json.Number        `json:"amount"`
}

func showPlanFee(s *billing.PlanStatement) planFeeView {
	view := planFeeView{s.Tenant, []planLineView{}, moneyText(s.Total, cloudlicenses.PlanCurrency), cloudlicenses.PlanCurrency}
	for _, l := range s.Lines {
		view.Lines = append(view.Lines, planLineView{l.Plan, l.Days.Start.String(), l.Days.End.String(), moneyText(l.Minor, cloudlicenses.PlanCurrency)})
	}
	return view
}

// planFees is GET /v1/billing/plans?period=.
func (c *adminCall) planFees() error {
	month, err := c.period()
	if err != nil {
		return err
	}
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	all, next, fresh, err := c.server.shard.PlanFees(c.r.Context(), month, cursor, limit, c.readOptions())
	if err != nil {
		return err
	}
	c.fresh(fresh)
	return c.reply(http.StatusOK, newPage(all, next, showPlanFee))
}

// setShare is PUT /v1/vendors/{vendor}/revenue-share.
func (c *adminCall) setShare() error {
	var body struct {
		Rate *int64 `json:"basis_points"`
	}
	if err := c.decode(&body); err != nil {
		return err
	}
	if body.Rate == nil {
		return invalid("/basis_points", "is missing")
	}
	id := cloudlicenses.VendorID(c.r.PathValue("vendor"))
	_, w, err := c.server.shard.SetVendorShare(c.r.Context(), id, *body.Rate)
	if refusal := (*shard.Refusal)(nil); errors.As(err, &refusal) {
		return decided(refusal.Code, cloudlicenses.LayerNone, refusal.Detail, "")
	}
	if err != nil {
		return err
	}
	c.w.Header().Set(headerApplied, w.Applied)
	return c.reply(http.StatusOK, struct {
		VendorID cloudlicenses.VendorID `json:"vendor_id"`
		Rate     int64                  `json:"basis_points"` // 0: the default
	}{id, *body.Rate})
}
