package api

import (
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// auditRoutes are the rows of routeTable for a tenant's audit log.
func auditRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/audit", name: "audit", on: forUsers, action: cloudlicenses.ActViewAudit, handle: (*call).serveAudit},
		{method: "GET", path: "/api/v1/audit/verify", name: "audit_verify", on: forUsers, action: cloudlicenses.ActViewAudit, handle: (*call).serveVerifyAudit},
	}
}

// auditView is a record of the audit log (seed D7).
type auditView struct {
	Sequence     uint64                  `json:"sequence"`
	At           *string                 `json:"timestamp"`
	TenantID     cloudlicenses.TenantID  `json:"tenant_id,omitempty"`
	VendorID     cloudlicenses.VendorID  `json:"vendor_id,omitempty"` // of a vendor's log, instead of TenantID
	Action       string                  `json:"action"`
	Result       string                  `json:"result"`
	KeyID        cloudlicenses.KeyID     `json:"api_key_id"`
	LicenseID    cloudlicenses.LicenseID `json:"license_id"`
	ProductID    cloudlicenses.ProductID `json:"product"`
	LeaseID      *string                 `json:"lease_id"`
	User         string                  `json:"user"`
	Hostname     string                  `json:"hostname"`
	Address      string                  `json:"ip_address"`
	Fingerprint  string                  `json:"fingerprint"`
	LibVersion   string                  `json:"lib_version"`
	Count        int64                   `json:"count"`
	OverageCount int64                   `json:"overage_count"`
	Actor        string                  `json:"actor"`
}

func showAudit(tenant cloudlicenses.TenantID) func(*license.Audit) auditView {
	return func(a *license.Audit) auditView {
		view := auditView{
			Sequence: a.Sequence, At: timeText(a.AtMillis), TenantID: tenant, Action: a.Action, Result: a.Result, KeyID: a.KeyID,
			LicenseID: a.LicenseID, ProductID: a.ProductID, User: a.User, Hostname: a.Hostname, Address: a.Address,
			Fingerprint: a.Fingerprint, LibVersion: a.LibVersion, Count: a.Count, OverageCount: a.OverageCount, Actor: a.Actor,
		}
		if a.LeaseID != 0 {
			id := a.LeaseID.String()
			view.LeaseID = &id
		}
		if vendor, ok := tenant.Vendor(); ok {
			view.TenantID, view.VendorID = "", vendor
		}
		return view
	}
}

// auditProof is what recomputing the chain found.
type auditProof struct {
	Valid   bool   `json:"valid"`
	Records int64  `json:"records"`
	Head    string `json:"head"`
	Detail  string `json:"detail,omitempty"`
}

func showProof(p *license.AuditProof) auditProof {
	return auditProof{p.Valid, p.Records, hex.EncodeToString(p.Head[:]), p.Detail}
}

// parseAuditQuery reads from, to, user, key_id, result and order; value returns a
// parameter of the query, empty where it is not there.
func parseAuditQuery(value func(string) string) (license.ListAudit, []body.FieldError) {
	query := license.ListAudit{User: value("user"), KeyID: cloudlicenses.KeyID(value("key_id")), Result: value("result")}
	var invalid []body.FieldError
	check := func(bad bool, name, detail string) {
		if bad {
			invalid = append(invalid, body.FieldError{Parameter: name, Detail: detail})
		}
	}
	check(utf8.RuneCountInString(query.User) > cloudlicenses.MaxUserLength, "user", "must be at most "+strconv.Itoa(cloudlicenses.MaxUserLength)+" characters")
	check(len(query.KeyID) > cloudlicenses.MaxIDLength, "key_id", "must be at most "+strconv.Itoa(cloudlicenses.MaxIDLength)+" bytes")
	check(len(query.Result) > cloudlicenses.MaxIDLength, "result", "must be success or the code of a refusal")
	for _, bound := range [...]struct {
		name string
		into *int64
	}{{"from", &query.FromMillis}, {"to", &query.ToMillis}} {
		if text := value(bound.name); text != "" {
			at, err := time.Parse(time.RFC3339, text)
			check(err != nil || at.Unix() < 0, bound.name, "must be an RFC 3339 time")
			*bound.into = at.UnixMilli()
		}
	}
	switch order := value("order"); order {
	case "", "asc":
	case "desc":
		query.Newest = true
	default:
		check(true, "order", "must be asc (oldest first) or desc (newest first)")
	}
	check(query.ToMillis != 0 && query.ToMillis < query.FromMillis, "to", "must not be before from")
	return query, invalid
}

// serveAudit is GET /api/v1/audit: a page as JSON, or all that fits the filter
// as CSV.
func (c *call) serveAudit() {
	o, ok := c.options()
	if !ok {
		return
	}
	args := c.ctx.QueryArgs()
	query, invalid := parseAuditQuery(func(name string) string { return string(args.Peek(name)) })
	if len(invalid) > 0 {
		c.refuseParameters(invalid)
		return
	}
	query.Cursor, query.Limit = o.cursor, o.limit
	c.ctx.Response.Header.Set("Vary", "Accept")
	if c.wantsCSV() {
		c.serveAuditCSV(&query, o)
		return
	}
	if list, ok := c.auditPage(&query, o); ok {
		c.send(fasthttp.StatusOK, newPage(list.Items, list.Next, showAudit(c.tenant)))
	}
}

// auditPage reads a page. False means that the refusal is sent.
func (c *call) auditPage(query *license.ListAudit, o listOptions) (list license.AuditPage, ok bool) {
	if !c.read(license.QueryAudit, query, &list, o) {
		return list, false
	}
	if list.Code != cloudlicenses.OK {
		c.refuse(decided(list.Code, cloudlicenses.LayerNone, "cursor: is not a cursor of this list", inQuery))
		return list, false
	}
	return list, true
}

// intend tells the account, before it is done elsewhere, who is about to do what: a
// node that is lost in between leaves that in the audit log. False means that an
// error or a refusal is sent. The handler ends it by note or dropNote; where it
// can't tell what came of it, by neither.
func (c *call) intend(action string, id cloudlicenses.LicenseID, product cloudlicenses.ProductID, subject string) bool {
	var ack license.Ack
	_, err := c.server.shard.Do(c.context(), c.tenant, shard.Command{Op: license.OpIntend, Result: &ack, Payload: &license.Note{
		ID: c.id.raw, By: c.by(), Action: action, LicenseID: id, ProductID: product, Subject: subject,
	}})
	switch {
	case err != nil:
		c.fail(err)
	case ack.Code != cloudlicenses.OK:
		c.refuse(decided(ack.Code, ack.Layer, ack.Detail, ""))
	default:
		c.intended = true
	}
	return c.intended
}

// note leaves in the account's audit log that what was intended is done. One that
// fails leaves it there as something whose outcome is not known.
func (c *call) note(id cloudlicenses.LicenseID, product cloudlicenses.ProductID, subject string) {
	c.settleNote(license.OpNote, &license.Note{ID: c.id.raw, LicenseID: id, ProductID: product, Subject: subject})
}

// dropNote forgets what was intended, and refused or there already.
func (c *call) dropNote() {
	if c.intended {
		c.settleNote(license.OpDropNote, &license.DropNote{ID: c.id.raw})
	}
}

// nothingDone reports whether an error means that the command it answers took no
// effect and will not: as against an outcome that nobody knows.
func nothingDone(err error) bool {
	switch codeOf(err) {
	case cloudlicenses.TenantNotFound, cloudlicenses.TenantMoving, cloudlicenses.NoLeader, cloudlicenses.Overloaded,
		cloudlicenses.StorageFull, cloudlicenses.NotCaughtUp:
		return true
	}
	return false
}

func (c *call) settleNote(op fsm.Op, payload msgp.Marshaler) {
	c.intended = false
	var ack license.Ack
	if _, err := c.server.shard.Do(c.context(), c.tenant, shard.Command{Op: op, Payload: payload, Result: &ack}); err != nil || ack.Code != cloudlicenses.OK {
		c.server.logger.Warn("an action is in an audit log without its outcome", "account", string(c.tenant), "code", string(ack.Code), "error", err)
	}
}

// linkNext leads to a table's next page (RFC 8288).
func (c *call) linkNext(cursor string) {
	var next fasthttp.Args
	c.ctx.QueryArgs().CopyTo(&next)
	next.Set("cursor", cursor)
	c.ctx.Response.Header.Set("Link", "<"+(&url.URL{Path: c.route.path, RawQuery: next.String()}).String()+`>; rel="next"`)
}

// wantsCSV reports whether the Accept header names text/csv, and before JSON.
func (c *call) wantsCSV() bool {
	for _, accepted := range strings.Split(string(c.ctx.Request.Header.Peek("Accept")), ",") {
		kind, _, _ := strings.Cut(accepted, ";")
		switch kind = strings.ToLower(strings.TrimSpace(kind)); kind {
		case typeCSV:
			return true
		case typeJSON, "application/*", "*/*":
			return false
		}
	}
	return false
}

const (
	typeCSV = "text/csv"

	// auditHeader names the columns: those of seed D7 first.
	auditHeader = "timestamp,tenant_id,api_key_id,product,user,hostname,ip_address,fingerprint,result," +
		"action,license_id,lease_id,count,overage_count,lib_version,actor,sequence\n"
	// auditStretch is how many records of a CSV are read at once.
	auditStretch = 5000
	// maxAuditRounds bounds the reads of a CSV whose filter fits few records.
	maxAuditRounds = 50
)

// serveAuditCSV answers with the records in a table, MaxAuditExport of them at
// most; a Link header (RFC 8288) then leads to the next ones.
func (c *call) serveAuditCSV(query *license.ListAudit, o listOptions) {
	out, owner := []byte(auditHeader), string(c.tenant)
	if vendor, ok := c.tenant.Vendor(); ok {
		out, owner = []byte(strings.Replace(auditHeader, "tenant_id", "vendor_id", 1)), string(vendor)
	}
	left := cloudlicenses.MaxAuditExport
	if c.ctx.QueryArgs().Has("limit") {
		left = int(o.limit)
	}
	for rounds := 0; left > 0 && rounds < maxAuditRounds; rounds++ {
		query.Limit = int64(min(left, auditStretch))
		list, ok := c.auditPage(query, o)
		if !ok {
			return
		}
		for i := range list.Items {
			out = appendAuditRow(out, c.tenant, &list.Items[i])
		}
		left -= len(list.Items)
		if query.Cursor = list.Next; query.Cursor == "" {
			break
		}
	}
	h := &c.ctx.Response.Header
	if query.Cursor != "" {
		c.linkNext(query.Cursor)
	}
	h.Set("Content-Disposition", `attachment; filename="audit-`+owner+`.csv"`)
	c.out = out
	c.reply(fasthttp.StatusOK)
	h.SetContentType(typeCSV + "; charset=utf-8")
}

func appendAuditRow(b []byte, tenant cloudlicenses.TenantID, a *license.Audit) []byte {
	v := showAudit(tenant)(a)
	lease := ""
	if v.LeaseID != nil {
		lease = *v.LeaseID
	}
	for _, text := range [...]string{
		*v.At, string(v.TenantID) + string(v.VendorID), string(v.KeyID), string(v.ProductID), v.User, v.Hostname, v.Address, v.Fingerprint, v.Result,
		v.Action, string(v.LicenseID), lease,
	} {
		b = append(billing.AppendCSVText(b, text), ',')
	}
	b = append(strconv.AppendInt(b, v.Count, 10), ',')
	b = append(strconv.AppendInt(b, v.OverageCount, 10), ',')
	b = append(billing.AppendCSVText(b, v.LibVersion), ',')
	b = append(billing.AppendCSVText(b, v.Actor), ',')
	return append(strconv.AppendUint(b, v.Sequence, 10), '\n')
}

// serveVerifyAudit is GET /api/v1/audit/verify: the whole chain, recomputed by
// the replica that answers.
func (c *call) serveVerifyAudit() {
	o, ok := c.options()
	if !ok {
		return
	}
	var proof license.AuditProof
	if !c.read(license.QueryVerify, &license.VerifyAudit{}, &proof, o) {
		return
	}
	if proof.Code != cloudlicenses.OK {
		c.refuse(decided(proof.Code, cloudlicenses.LayerNone, "", inQuery))
		return
	}
	c.send(fasthttp.StatusOK, showProof(&proof))
}
