package api

import (
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"
	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// listOptions are what every list and read may be asked with.
type listOptions struct {
	limit  int64
	cursor string
	read   shard.ReadOptions
}

// options reads limit, cursor, consistency and X-Min-Index. False means that
// the refusal is sent.
func (c *call) options() (o listOptions, ok bool) {
	args := c.ctx.QueryArgs()
	var invalid []body.FieldError
	o.limit = cloudlicenses.DefaultListLimit
	if args.Has("limit") {
		n, err := strconv.ParseInt(string(args.Peek("limit")), 10, 64)
		if o.limit = n; err != nil || n < 1 || n > cloudlicenses.MaxListLimit {
			invalid = append(invalid, body.FieldError{Parameter: "limit", Detail: "must be 1 to " + strconv.Itoa(cloudlicenses.MaxListLimit)})
		}
	}
	if o.cursor = string(args.Peek("cursor")); len(o.cursor) > cloudlicenses.MaxIDLength {
		invalid = append(invalid, body.FieldError{Parameter: "cursor", Detail: "is not a cursor of this list"})
	}
	switch string(args.Peek("consistency")) {
	case "":
	case "linearizable":
		o.read.Linearizable = true
	default:
		invalid = append(invalid, body.FieldError{Parameter: "consistency", Detail: `may only be "linearizable"`})
	}
	o.read.MinIndex = string(c.ctx.Request.Header.Peek(headerMinIndex))
	if len(invalid) > 0 {
		c.refuseParameters(invalid)
		return o, false
	}
	return o, true
}

// read answers a query into result and sets the headers that say how fresh
// the answer is. False means that the refusal is sent.
func (c *call) read(op fsm.Op, query msgp.Marshaler, result msgp.Unmarshaler, o listOptions) bool {
	fresh, err := c.server.shard.Read(c.context(), c.tenant, shard.Command{Op: op, Payload: query, Result: result}, o.read)
	if err != nil {
		c.fail(err)
		return false
	}
	c.fresh(&fresh)
	return true
}

// fresh sets the headers that say how fresh an answer is. An answer that drew
// on several groups names all of them, and is as stale as the stalest.
func (c *call) fresh(fresh *shard.Freshness) {
	f, h := *fresh, &c.ctx.Response.Header
	if before := h.Peek(headerApplied); len(before) > 0 && string(before) != f.Applied {
		f.Applied = shard.JoinAppliedIndexes(string(before), f.Applied)
		stale, err := strconv.ParseInt(string(h.Peek(headerStaleness)), 10, 64)
		if f.StalenessMillis >= 0 && err == nil && (stale < 0 || stale > f.StalenessMillis) {
			f.StalenessMillis = stale
		}
	}
	h.Set(headerApplied, f.Applied)
	h.Set(headerStaleness, strconv.FormatInt(f.StalenessMillis, 10))
	h.Set("Cache-Control", "no-store")
	if f.LeaderURL != "" {
		h.Set(headerLeader, f.LeaderURL)
	}
}

func (c *call) access() license.Access {
	return license.Access{Caller: c.caller, ByKey: c.user == nil, NowMillis: time.Now().UnixMilli()}
}

// serveLicenses is GET /api/v1/licenses.
func (c *call) serveLicenses() {
	o, ok := c.options()
	if !ok {
		return
	}
	var page license.LicensePage
	query := &license.ListLicenses{Access: c.access(), Cursor: o.cursor, Limit: o.limit}
	if !c.read(license.QueryLicenses, query, &page, o) {
		return
	}
	if page.Code != cloudlicenses.OK {
		c.rate(&page.Rate)
		c.refuse(decided(page.Code, page.Layer, page.Detail, inQuery).after(&page.Rate))
		return
	}
	c.out = append(c.out[:0], `{"items":[`...)
	for i := range page.Items {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = appendLicense(c.out, &page.Items[i])
	}
	c.finishPage(page.Next)
}

// serveLicense is GET /api/v1/licenses/{id}.
func (c *call) serveLicense() {
	o, ok := c.options()
	if !ok {
		return
	}
	var page license.LicensePage
	query := &license.ListLicenses{Access: c.access(), ID: cloudlicenses.LicenseID(c.pathID), Limit: 1}
	if !c.read(license.QueryLicenses, query, &page, o) {
		return
	}
	if page.Code == cloudlicenses.OK && len(page.Items) == 0 {
		page.Code = cloudlicenses.NotFound
	}
	if page.Code != cloudlicenses.OK {
		c.rate(&page.Rate)
		c.refuse(decided(page.Code, page.Layer, page.Detail, inQuery).after(&page.Rate))
		return
	}
	c.out = appendLicense(c.out[:0], &page.Items[0])
	c.reply(fasthttp.StatusOK)
}

// serveLeases is GET /api/v1/leases: the key's own live leases, or for a user
// all of the tenant.
func (c *call) serveLeases() {
	o, ok := c.options()
	if !ok {
		return
	}
	args := c.ctx.QueryArgs()
	var page license.LeasePage
	query := &license.ListLeases{
		Access:    c.access(),
		LicenseID: cloudlicenses.LicenseID(args.Peek("license_id")),
		User:      string(args.Peek("user")),
		Cursor:    o.cursor,
		Limit:     o.limit,
	}
	if !c.read(license.QueryLeases, query, &page, o) {
		return
	}
	if page.Code != cloudlicenses.OK {
		c.rate(&page.Rate)
		c.refuse(decided(page.Code, page.Layer, page.Detail, inQuery).after(&page.Rate))
		return
	}
	c.out = append(c.out[:0], `{"items":[`...)
	for i := range page.Items {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = appendLease(c.out, &page.Items[i])
	}
	c.finishPage(page.Next)
}

// finishPage closes a list's items and replies.
func (c *call) finishPage(next string) {
	if c.out = append(c.out, `],"next_cursor":`...); next == "" {
		c.out = append(c.out, "null"...)
	} else {
		c.out = appendString(c.out, next)
	}
	c.out = append(c.out, '}')
	c.reply(fasthttp.StatusOK)
}
