package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"
	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// webhookRoutes are the rows of routeTable for an account's webhooks. The
// handlers know an account's name alone.
func webhookRoutes() []route {
	const view, manage = cloudlicenses.ActViewSettings, cloudlicenses.ActManageSettings
	return []route{
		{method: "GET", path: "/api/v1/webhooks", name: "webhooks", on: forUsers, action: view, handle: (*call).serveEndpoints},
		{method: "POST", path: "/api/v1/webhooks", name: "webhook_create", on: forUsers, action: manage, handle: (*call).serveNewEndpoint},
		{method: "GET", path: "/api/v1/webhooks/{id}", name: "webhook", on: forUsers, action: view, handle: (*call).serveEndpoint},
		{method: "PATCH", path: "/api/v1/webhooks/{id}", name: "webhook_update", on: forUsers, action: manage, handle: (*call).serveUpdateEndpoint},
		{method: "DELETE", path: "/api/v1/webhooks/{id}", name: "webhook_remove", on: forUsers, action: manage, handle: (*call).serveRemoveEndpoint},
		{method: "POST", path: "/api/v1/webhooks/{id}/rotate", name: "webhook_rotate", on: forUsers, action: manage, handle: (*call).serveRotateEndpoint},
		{method: "GET", path: "/api/v1/webhooks/deliveries", name: "deliveries", on: forUsers, action: view, handle: (*call).serveDeliveries},
		{method: "POST", path: "/api/v1/webhooks/deliveries/{id}/replay", name: "delivery_replay", on: forUsers, action: manage, handle: (*call).serveReplay},
	}
}

// shownEndpoint is an endpoint as replies have it; Secret only where it is new.
type shownEndpoint struct {
	ID              cloudlicenses.EndpointID      `json:"id"`
	URL             string                        `json:"url"`
	Kinds           []cloudlicenses.EventKind     `json:"events"` // empty: every kind
	Enabled         bool                          `json:"enabled"`
	Disabled        *cloudlicenses.DisabledReason `json:"disabled_reason"`
	Failures        int64                         `json:"consecutive_failures"`
	CreatedAt       *string                       `json:"created_at"`
	SecretCreatedAt *string                       `json:"secret_created_at"`
	Secret          string                        `json:"secret,omitempty"`
}

func showEndpoint(e *license.Endpoint) shownEndpoint {
	s := shownEndpoint{
		ID: e.ID, URL: e.URL, Kinds: e.Kinds, Enabled: e.Disabled == "", Failures: e.Failures,
		CreatedAt: timeText(e.CreatedMillis), SecretCreatedAt: timeText(e.SecretMillis),
	}
	if e.Disabled != "" {
		s.Disabled = &e.Disabled
	}
	if s.Kinds == nil {
		s.Kinds = []cloudlicenses.EventKind{}
	}
	return s
}

// shownDelivery is a delivery as replies have it.
type shownDelivery struct {
	ID         string                      `json:"id"` // the webhook-id
	EndpointID cloudlicenses.EndpointID    `json:"endpoint_id"`
	Event      string                      `json:"event"`
	State      cloudlicenses.DeliveryState `json:"state"`
	Attempts   int64                       `json:"attempts"`
	StatusCode *int64                      `json:"status_code"` // of the last answer
	Error      *string                     `json:"error"`
	OccurredAt *string                     `json:"occurred_at"`
	TriedAt    *string                     `json:"last_attempt_at"`
	NextAt     *string                     `json:"next_attempt_at"` // of what is pending
	Data       json.RawMessage             `json:"data"`
}

func showDelivery(o *license.Outgoing) shownDelivery {
	s := shownDelivery{
		ID: cloudlicenses.FormatDeliveryID(o.EndpointID, o.Number), EndpointID: o.EndpointID, Event: o.Kind, State: o.State, Attempts: o.Attempts,
		OccurredAt: timeText(o.AtMillis), TriedAt: timeText(o.TriedMillis), NextAt: timeText(o.NextMillis), Data: o.Payload,
	}
	if o.Status != 0 {
		s.StatusCode = &o.Status
	}
	if o.Error != "" {
		s.Error = &o.Error
	}
	return s
}

// decidedEndpoint sends an error or a refusal of a command about endpoints; true
// means there is none.
func (c *call) decidedEndpoint(op fsm.Op, command msgp.Marshaler) (license.EndpointResult, bool) {
	var r license.EndpointResult
	w, err := c.server.shard.Do(c.context(), c.tenant, shard.Command{Op: op, Payload: command, Result: &r})
	return r, c.decidedUser(&license.UserResult{Code: r.Code, Detail: r.Detail}, w, err)
}

// serveEndpoints is GET /api/v1/webhooks: an account has but a few.
func (c *call) serveEndpoints() {
	o, ok := c.options()
	if !ok {
		return
	}
	var list license.EndpointPage
	if c.read(license.QueryEndpoints, &license.ListEndpoints{}, &list, o) && c.found(list.Code) {
		c.send(fasthttp.StatusOK, newPage(list.Items, "", showEndpoint))
	}
}

// serveEndpoint is GET /api/v1/webhooks/{id}.
func (c *call) serveEndpoint() {
	o, ok := c.options()
	if !ok {
		return
	}
	var list license.EndpointPage
	query := &license.ListEndpoints{ID: cloudlicenses.EndpointID(c.pathID)}
	if c.read(license.QueryEndpoints, query, &list, o) && c.found(list.Code) {
		c.send(fasthttp.StatusOK, showEndpoint(&list.Items[0]))
	}
}

// found refuses a read with a code; true means there is none.
func (c *call) found(code cloudlicenses.Code) bool {
	if code != cloudlicenses.OK {
		c.refuse(decided(code, cloudlicenses.LayerNone, "", inQuery))
	}
	return code == cloudlicenses.OK
}

// endpointBody are the members that a caller may set.
type endpointBody struct {
	URL     *string                    `json:"url"`
	Kinds   *[]cloudlicenses.EventKind `json:"events"`
	Enabled *bool                      `json:"enabled"`
}

// check judges the members by themselves.
func (b *endpointBody) check(c *call, w *wrong) {
	if b.URL != nil {
		if err := notify.CheckURL(*b.URL, c.server.cfg.Webhooks.AllowHTTP); err != nil {
			w.check(true, "url", detailOfURL(err))
		} else {
			c.checkHost(w, "url", *b.URL)
		}
	}
	if b.Kinds == nil {
		return
	}
	w.check(len(*b.Kinds) > len(cloudlicenses.EventKinds), "events", "names more kinds than there are")
	for i, kind := range *b.Kinds {
		w.check(!kind.Valid(), "events/"+strconv.Itoa(i), noEventKind())
	}
}

// noEventKind tells of a word that is none, and which are.
func noEventKind() string {
	kinds := make([]string, len(cloudlicenses.EventKinds))
	for i, kind := range cloudlicenses.EventKinds {
		kinds[i] = string(kind)
	}
	return "is no kind of event: must be one of " + strings.Join(kinds, ", ")
}

// checkHost refuses a URL of a webhook that deliveries would not reach.
func (c *call) checkHost(w *wrong, member, url string) {
	err := c.server.cfg.Webhooks.CheckHost(c.context(), url)
	switch {
	case err == nil:
	case errors.Unwrap(err) == nil: // a name's
		w.check(true, member, "can't be used: its host has a private address")
	default:
		w.check(true, member, "can't be used: its host is "+err.Error())
	}
}

// detailOfURL is what is wrong with a URL, without what package notify calls it.
func detailOfURL(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		return "can't be used: " + err.Error()[len(inner.Error())+2:]
	}
	return "can't be used"
}

// serveNewEndpoint is POST /api/v1/webhooks: its secret is shown once.
func (c *call) serveNewEndpoint() {
	var in endpointBody
	if !c.decode(&in) {
		return
	}
	var w wrong
	w.check(in.URL == nil, "url", "is missing")
	w.check(in.Enabled != nil && !*in.Enabled, "enabled", "a new endpoint is enabled")
	in.check(c, &w)
	if !c.valid(w) {
		return
	}
	id, err := uuid.NewV7()
	if err != nil {
		c.fail(fmt.Errorf("make an endpoint id: %w", err))
		return
	}
	put := &license.PutEndpoint{By: c.by(), ID: cloudlicenses.EndpointID("wh-" + id.String()), URL: *in.URL, Secret: notify.NewSecret().Reveal()}
	if in.Kinds != nil {
		put.Kinds = *in.Kinds
	}
	if result, ok := c.decidedEndpoint(license.OpPutEndpoint, put); ok {
		shown := showEndpoint(&result.Endpoint)
		shown.Secret = put.Secret
		c.send(fasthttp.StatusCreated, shown)
	}
}

// serveUpdateEndpoint is PATCH /api/v1/webhooks/{id}.
func (c *call) serveUpdateEndpoint() {
	var in endpointBody
	if !c.decode(&in) {
		return
	}
	var w wrong
	in.check(c, &w)
	if !c.valid(w) {
		return
	}
	update := &license.UpdateEndpoint{By: c.by(), ID: cloudlicenses.EndpointID(c.pathID)}
	if in.URL != nil {
		update.URL = *in.URL
	}
	if in.Kinds != nil {
		update.SetKinds, update.Kinds = true, *in.Kinds
	}
	if in.Enabled != nil {
		update.Enable, update.Disable = *in.Enabled, !*in.Enabled
	}
	if result, ok := c.decidedEndpoint(license.OpUpdateEndpoint, update); ok {
		c.send(fasthttp.StatusOK, showEndpoint(&result.Endpoint))
	}
}

// serveRemoveEndpoint is DELETE /api/v1/webhooks/{id}.
func (c *call) serveRemoveEndpoint() {
	if _, ok := c.decidedEndpoint(license.OpRemoveEndpoint, &license.RemoveEndpoint{By: c.by(), ID: cloudlicenses.EndpointID(c.pathID)}); ok {
		c.done()
	}
}

// serveRotateEndpoint is POST /api/v1/webhooks/{id}/rotate.
func (c *call) serveRotateEndpoint() {
	rotate := &license.RotateEndpoint{
		By: c.by(), ID: cloudlicenses.EndpointID(c.pathID), Secret: notify.NewSecret().Reveal(),
		OverlapMillis: cloudlicenses.WebhookSecretOverlap.Milliseconds(),
	}
	if result, ok := c.decidedEndpoint(license.OpRotateEndpoint, rotate); ok {
		shown := showEndpoint(&result.Endpoint)
		shown.Secret = rotate.Secret
		c.send(fasthttp.StatusOK, shown)
	}
}

// serveDeliveries is GET /api/v1/webhooks/deliveries: newest first.
func (c *call) serveDeliveries() {
	o, ok := c.options()
	if !ok {
		return
	}
	var page license.DeliveryPage
	args := c.ctx.QueryArgs()
	query := &license.ListDeliveries{
		EndpointID: cloudlicenses.EndpointID(args.Peek("endpoint_id")), Cursor: o.cursor, Limit: o.limit,
		State: cloudlicenses.DeliveryState(args.Peek("state")), Kind: cloudlicenses.EventKind(args.Peek("event")),
	}
	var invalid []body.FieldError
	if args.Has("state") && !query.State.Valid() {
		invalid = append(invalid, body.FieldError{Parameter: "state", Detail: "must be pending, delivered or failed"})
	}
	if args.Has("event") && !query.Kind.Valid() {
		invalid = append(invalid, body.FieldError{Parameter: "event", Detail: noEventKind()})
	}
	if len(invalid) > 0 {
		c.refuse(&problem{code: cloudlicenses.InvalidField, detail: "the query has invalid parameters", invalid: invalid})
		return
	}
	if c.read(license.QueryDeliveries, query, &page, o) && c.found(page.Code) {
		c.send(fasthttp.StatusOK, newPage(page.Items, page.Next, showDelivery))
	}
}

// serveReplay is POST /api/v1/webhooks/deliveries/{id}/replay.
func (c *call) serveReplay() {
	endpoint, number, ok := cloudlicenses.ParseDeliveryID(string(c.pathID))
	if !ok {
		c.refuse(&problem{code: cloudlicenses.NotFound, detail: "no such delivery"})
		return
	}
	find := func() (o *license.Outgoing, ok bool) {
		var page license.DeliveryPage
		query := shard.Command{
			Op: license.QueryDeliveries, Payload: &license.ListDeliveries{EndpointID: endpoint, Number: number, Limit: 1}, Result: &page,
		}
		if _, err := c.server.shard.Read(c.context(), c.tenant, query, shard.ReadOptions{Linearizable: true}); err != nil {
			c.fail(err)
			return nil, false
		}
		if len(page.Items) == 0 {
			c.refuse(&problem{code: cloudlicenses.NotFound, detail: "no such delivery, or it is no longer kept"})
			return nil, false
		}
		return &page.Items[0], true
	}
	kept, ok := find()
	if !ok {
		return
	}
	if _, ok = c.decidedEndpoint(license.OpReplay, &license.Replay{By: c.by(), EndpointID: endpoint, Sequence: kept.Sequence}); !ok {
		return
	}
	if kept, ok = find(); ok {
		c.send(fasthttp.StatusAccepted, showDelivery(kept))
	}
}
