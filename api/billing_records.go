package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// recordRoutes are the rows of routeTable for single overage records.
func recordRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/billing/overage/records", name: "overage_records", on: onVendors, action: cloudlicenses.ActViewCosts, handle: (*call).serveOverageRecords},
		{method: "POST", path: "/api/v1/billing/overage/records/{id}/adjust", name: "overage_adjust", on: onVendors, action: cloudlicenses.ActManageBilling, handle: (*call).serveAdjust},
	}
}

// shownRecord is an overage record as its vendor sees it.
type shownRecord struct {
	ID        string                  `json:"record_id"`
	LicenseID cloudlicenses.LicenseID `json:"license_id"`
	LeaseID   string                  `json:"lease_id"`
	Uses      int64                   `json:"uses"` // less than 0: taken back
	UnitPrice json.Number             `json:"unit_price"`
	Amount    json.Number             `json:"amount"`
	Currency  cloudlicenses.Currency  `json:"currency"`
	At        *string                 `json:"charged_at"`
	Adjusts   *string                 `json:"adjusts"` // the record that it takes back from
}

// recordID names a record: its month and its number at the tenant.
func recordID(month uint32, sequence uint64) string {
	return billing.Month(month).String() + "-" + strconv.FormatUint(sequence, 10)
}

// parseRecordID is the reverse of recordID.
func parseRecordID(id string) (month uint32, sequence uint64, ok bool) {
	cut := strings.LastIndexByte(id, '-')
	if cut < 0 {
		return 0, 0, false
	}
	m, err := billing.ParseMonth(id[:cut])
	sequence, err2 := strconv.ParseUint(id[cut+1:], 10, 64)
	return uint32(m), sequence, err == nil && err2 == nil && recordID(uint32(m), sequence) == id
}

func showRecord(o *license.Overage) shownRecord {
	money := func(minor int64) json.Number {
		return json.Number(cloudlicenses.Money{Minor: minor, Currency: o.Currency}.String())
	}
	shown := shownRecord{
		ID: recordID(uint32(billing.DayAt(o.AtMillis).Month()), o.Sequence), LicenseID: o.LicenseID, LeaseID: o.LeaseID.String(), Uses: o.Uses,
		UnitPrice: money(o.PriceMinor), Amount: money(o.Cost()), Currency: o.Currency, At: timeText(o.AtMillis),
	}
	if o.Adjusts != 0 {
		adjusts := recordID(o.AdjustsMonth, o.Adjusts)
		shown.Adjusts = &adjusts
	}
	return shown
}

// serveOverageRecords is GET /api/v1/billing/overage/records: what one license was
// charged in a month, oldest first.
func (c *call) serveOverageRecords() {
	o, ok := c.options()
	if !ok {
		return
	}
	month, ok := c.period()
	if !ok {
		return
	}
	id := cloudlicenses.LicenseID(c.ctx.QueryArgs().Peek("license_id"))
	if id == "" {
		c.refuseQuery("license_id", "is missing")
		return
	}
	l, ok := c.ownLicense(id, o)
	if !ok {
		return
	}
	var page license.OveragePage
	fresh, err := c.server.shard.Read(c.context(), l.TenantID, shard.Command{
		Op: license.QueryOverage, Payload: &license.ListOverage{LicenseID: id, Month: month.String(), Cursor: o.cursor, Limit: o.limit}, Result: &page,
	}, o.read)
	switch {
	case err != nil:
		c.fail(err)
	case page.Code != cloudlicenses.OK:
		c.refuseQuery("cursor", "is not a cursor of this list")
	default:
		c.fresh(&fresh)
		c.send(fasthttp.StatusOK, newPage(page.Items, page.Next, showRecord))
	}
}

// serveAdjust is POST /api/v1/billing/overage/records/{id}/adjust.
func (c *call) serveAdjust() {
	var in struct {
		LicenseID string `json:"license_id"`
		Uses      int64  `json:"uses"`
		Reason    string `json:"reason"`
	}
	if !c.decode(&in) {
		return
	}
	intent, byClient, ok := c.intent()
	if !ok {
		return
	}
	if byClient { // of this key or person alone
		intent = intentOf(fmt.Appendf(nil, "%s\x00%s", c.asker(), c.ctx.Request.Header.Peek(headerIdempotency)))
	}
	month, sequence, known := parseRecordID(string(c.pathID))
	var w wrong
	w.check(cloudlicenses.ValidateID(in.LicenseID) != nil, "license_id", cloudlicenses.ErrID.Error())
	w.check(in.Uses < 1, "uses", "must be how many uses are taken back, 1 or more")
	w.check(in.Reason == "" || utf8.RuneCountInString(in.Reason) > cloudlicenses.MaxAdjustmentReason, "reason", "has 1 to 200 characters: the customer reads it")
	if !c.valid(w) {
		return
	}
	l, ok := c.ownLicense(cloudlicenses.LicenseID(in.LicenseID), listOptions{read: shard.ReadOptions{Linearizable: true}})
	if !ok {
		return
	}
	if !known {
		c.refuse(&problem{code: cloudlicenses.NotFound, detail: "there is no such record: GET /api/v1/billing/overage/records lists them"})
		return
	}
	adjust := &license.Adjust{ID: intent, VendorID: c.vendor, LicenseID: l.ID, Month: month, Sequence: sequence, Uses: in.Uses, Reason: in.Reason}
	if !c.intend("overage.adjust", l.ID, l.ProductID, string(c.pathID)) {
		return
	}
	var r license.AdjustResult
	written, err := c.server.shard.Do(c.context(), l.TenantID, shard.Command{Op: license.OpAdjust, Payload: adjust, Result: &r})
	if err == nil && r.Code != cloudlicenses.OK {
		err = &shard.Refusal{Code: r.Code, Detail: r.Detail}
	}
	if !c.decidedLicense(written, err) {
		return
	}
	if r.Replayed {
		c.dropNote()
		c.ctx.Response.Header.Set(headerReplayed, "true")
	} else {
		c.note(l.ID, l.ProductID, string(c.pathID))
	}
	c.send(fasthttp.StatusCreated, showRecord(&r.Record))
}
