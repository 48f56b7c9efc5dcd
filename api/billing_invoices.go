package api

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// invoiceRoutes are the rows of routeTable for a vendor's invoices.
func invoiceRoutes() []route {
	view, manage := cloudlicenses.ActViewCosts, cloudlicenses.ActManageBilling
	return []route{
		{method: "GET", path: "/api/v1/billing/invoices", name: "invoices", on: onVendors, action: view, handle: (*call).serveInvoices},
		{method: "GET", path: "/api/v1/billing/invoices/{id}", name: "invoice", on: onVendors, action: view, handle: (*call).serveInvoice},
		{method: "POST", path: "/api/v1/billing/invoices/{id}/void", name: "invoice_void", on: onVendors, action: manage, handle: (*call).serveVoidInvoice},
		{method: "POST", path: "/api/v1/billing/invoices/run", name: "invoice_run", on: onVendors, action: manage, handle: (*call).serveRunInvoices},
	}
}

// appendInvoice appends an invoice with how far it has come.
func (c *call) appendInvoice(b []byte, kept *license.Invoice) ([]byte, error) {
	v := shard.BilledInvoice(c.vendor, kept)
	b, err := v.AppendJSON(b)
	if err != nil {
		return nil, err
	}
	b = append(b[:len(b)-1], `,"revision":`...)
	b = strconv.AppendInt(b, kept.Revision, 10)
	b = appendTime(append(b, `,"issued_at":`...), kept.CreatedMillis)
	b = appendOptionalTime(append(b, `,"voided_at":`...), kept.VoidedMillis)
	d := &kept.Sent
	state := string(d.State)
	if state == "" {
		state = "not_sent"
	}
	b = appendString(append(b, `,"delivery":{"state":`...), state)
	b = strconv.AppendInt(append(b, `,"attempts":`...), d.Attempts, 10)
	b = append(b, `,"status_code":`...)
	if d.Status == 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, d.Status, 10)
	}
	b = append(b, `,"error":`...)
	if d.Error == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, d.Error)
	}
	b = appendOptionalTime(append(b, `,"last_attempt_at":`...), d.TriedMillis)
	b = appendOptionalTime(append(b, `,"next_attempt_at":`...), d.NextMillis)
	return append(b, "}}"...), nil
}

func appendOptionalTime(b []byte, millis int64) []byte {
	if millis == 0 {
		return append(b, "null"...)
	}
	return appendTime(b, millis)
}

// sendInvoices replies with some members before a list of invoices. False means
// that a refusal is sent.
func (c *call) appendInvoices(list []license.Invoice) bool {
	var err error
	for i := range list {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		if c.out, err = c.appendInvoice(c.out, &list[i]); err != nil {
			c.fail(err)
			return false
		}
	}
	return true
}

// serveInvoices is GET /api/v1/billing/invoices, the newest month first.
func (c *call) serveInvoices() {
	o, ok := c.options()
	if !ok {
		return
	}
	list := &license.ListInvoices{Cursor: o.cursor, Limit: o.limit}
	if c.ctx.QueryArgs().Has("period") {
		month, ok := c.period()
		if !ok {
			return
		}
		list.Month = uint32(month)
	}
	var page license.InvoicePage
	if !c.read(license.QueryInvoices, list, &page, o) {
		return
	}
	if page.Code == cloudlicenses.InvalidField {
		c.refuseQuery("cursor", "is not a cursor of this list")
		return
	}
	if !c.found(page.Code) {
		return
	}
	if c.out = append(c.out[:0], `{"items":[`...); c.appendInvoices(page.Items) {
		c.finishPage(page.Next)
	}
}

// serveInvoice is GET /api/v1/billing/invoices/{id}.
func (c *call) serveInvoice() {
	o, ok := c.options()
	if !ok {
		return
	}
	var page license.InvoicePage
	if !c.read(license.QueryInvoices, &license.ListInvoices{ID: string(c.pathID)}, &page, o) || !c.found(page.Code) {
		return
	}
	if c.out = c.out[:0]; c.appendInvoices(page.Items) {
		c.reply(fasthttp.StatusOK)
	}
}

// serveVoidInvoice is POST /api/v1/billing/invoices/{id}/void.
func (c *call) serveVoidInvoice() {
	var in struct {
		Reason string `json:"reason"`
	}
	if !c.decodeOptional(&in) {
		return
	}
	var w wrong
	w.check(utf8.RuneCountInString(in.Reason) > cloudlicenses.MaxVoidReason, "reason", "has at most 200 characters: the vendor's people and its billing system read it")
	if !c.valid(w) {
		return
	}
	void, mirror, written, err := c.server.shard.VoidInvoice(c.context(), c.vendor, string(c.pathID), c.by(), in.Reason)
	var refusal *shard.Refusal
	switch {
	case errors.As(err, &refusal):
		c.refuse(decided(refusal.Code, cloudlicenses.LayerNone, refusal.Detail, ""))
		return
	case err != nil:
		c.fail(err)
		return
	}
	c.written(written)
	if c.out = append(c.out[:0], `{"invoice":`...); !c.appendInvoices([]license.Invoice{void}) {
		return
	}
	c.out = append(c.out, `,"credit_note":`...)
	if c.out, err = mirror.AppendJSON(c.out); err != nil {
		c.fail(err)
		return
	}
	c.out = append(c.out, '}')
	c.reply(fasthttp.StatusOK)
}

// serveRunInvoices is POST /api/v1/billing/invoices/run?period=YYYY-MM.
func (c *call) serveRunInvoices() {
	if !c.ctx.QueryArgs().Has("period") {
		c.refuseQuery("period", "is missing: name a month that is over, such as 2025-11")
		return
	}
	month, ok := c.period()
	if !ok {
		return
	}
	run, err := c.server.shard.RunInvoices(c.context(), c.vendor, month, c.by(), true)
	var refusal *shard.Refusal
	switch {
	case errors.Is(err, shard.ErrMonthRuns):
		c.refuseQuery("period", shard.ErrMonthRuns.Error())
	case errors.As(err, &refusal):
		c.refuse(decided(refusal.Code, cloudlicenses.LayerNone, refusal.Detail, ""))
	case err != nil:
		c.fail(err)
	default:
		c.written(run.Written)
		c.out = append(c.out[:0], `{"period":`...)
		c.out = append(appendString(c.out, billing.Month.String(run.Month)), `,"known":`...)
		c.out = append(strconv.AppendInt(c.out, int64(run.Known), 10), `,"issued":[`...)
		if c.appendInvoices(run.Issued) {
			c.out = append(c.out, "]}"...)
			c.reply(fasthttp.StatusOK)
		}
	}
}
