package license_test

import (
	"fmt"
	"strings"

	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

func (a arguments) kinds() (kinds []cl.EventKind) {
	for _, kind := range a.list("kinds") {
		kinds = append(kinds, cl.EventKind(kind))
	}
	return kinds
}

var triedResults = map[string]uint8{
	"delivered": license.TriedDelivered, "retry": license.TriedRetry, "failed": license.TriedFailed, "disabled": license.TriedDisabled,
}

// webhookCommand builds the body of a command line about what leaves.
func (s *session) webhookCommand(name string, a arguments) (op fsm.Op, body msgp.Marshaler, known bool) {
	id := cl.EndpointID("wh-" + a.text("id", "1"))
	switch name {
	case "put-endpoint":
		return license.OpPutEndpoint, &license.PutEndpoint{
			By: a.by(), ID: id, URL: a.text("url", "https://acme.example/hook"), Kinds: a.kinds(), Secret: a.text("secret", "whsec_1"),
		}, true
	case "update-endpoint":
		return license.OpUpdateEndpoint, &license.UpdateEndpoint{
			By: a.by(), ID: id, URL: a.text("url", ""), SetKinds: a.has("kinds"), Kinds: a.kinds(), Enable: a.has("enable"), Disable: a.has("disable"),
		}, true
	case "remove-endpoint":
		return license.OpRemoveEndpoint, &license.RemoveEndpoint{By: a.by(), ID: id}, true
	case "rotate-endpoint":
		return license.OpRotateEndpoint, &license.RotateEndpoint{
			By: a.by(), ID: id, Secret: a.text("secret", ""), OverlapMillis: a.duration("overlap", 24*hour),
		}, true
	case "replay":
		return license.OpReplay, &license.Replay{By: a.by(), EndpointID: id, Sequence: uint64(a.number("sequence", 1))}, true
	case "outbox-tried":
		return license.OpOutboxTried, &license.OutboxTried{
			Sequence: uint64(a.number("sequence", 1)), Attempt: a.number("attempt", 1), Result: triedResults[a.text("result", "delivered")],
			Status: a.number("status", 0), NextMillis: s.r.now + a.duration("next", 0), Error: a.text("error", ""),
		}, true
	}
	return 0, nil, false
}

func isEndpointOp(op fsm.Op) bool { return op >= license.OpPutEndpoint && op <= license.OpReplay }

func (s *session) showEndpoint(out *strings.Builder, result []byte) {
	var e license.EndpointResult
	decode(s.r.t, result, &e)
	switch {
	case e.Code != cl.OK && e.Detail != "":
		fmt.Fprintf(out, "%s: %s\n", e.Code, e.Detail)
	case e.Code != cl.OK:
		fmt.Fprintln(out, e.Code)
	default:
		fmt.Fprintln(out, endpointLine(&e.Endpoint))
	}
}

func endpointLine(e *license.Endpoint) string {
	line := fmt.Sprintf("%s %s %v since %s, secret since %s", e.ID, e.URL, e.Kinds, clock(e.CreatedMillis), clock(e.SecretMillis))
	if e.Disabled != "" {
		line += ", disabled " + string(e.Disabled)
	}
	if e.Failures > 0 {
		line += fmt.Sprintf(", %d failures", e.Failures)
	}
	return line
}

func outgoingLine(o *license.Outgoing) string {
	line := fmt.Sprintf("#%d %s %s at %s", o.Sequence, o.TenantID, o.Kind, clock(o.AtMillis))
	if o.EndpointID != "" {
		line += fmt.Sprintf(" to %s no. %d", o.EndpointID, o.Number)
	}
	if o.State != cl.DeliveryPending {
		line += " " + string(o.State)
	}
	if o.Attempts > 0 {
		line += fmt.Sprintf(", %d attempts, last %s: %d %q", o.Attempts, clock(o.TriedMillis), o.Status, o.Error)
	}
	if o.NextMillis > o.QueuedMillis {
		line += ", next " + clock(o.NextMillis)
	}
	return line
}

func init() {
	shows["endpoints"] = (*session).endpoints
	shows["deliveries"] = (*session).deliveries
	shows["due"] = (*session).due
	shows["delivery"] = (*session).delivery
	shows["outbox-state"] = (*session).outboxState
	shows["dead-mails"] = (*session).deadMails
}

func (s *session) endpoints(a arguments) string {
	var page license.EndpointPage
	ask(s.r.t, s.r.m, s.tenant, license.QueryEndpoints, &license.ListEndpoints{ID: cl.EndpointID(a.text("id", ""))}, &page)
	if page.Code != cl.OK {
		return fmt.Sprintln(page.Code)
	}
	var out strings.Builder
	for i := range page.Items {
		fmt.Fprintln(&out, endpointLine(&page.Items[i]))
	}
	return out.String()
}

func (s *session) showDeliveries(page *license.DeliveryPage, payload bool) string {
	var out strings.Builder
	if page.Code != cl.OK {
		return fmt.Sprintln(page.Code)
	}
	for i := range page.Items {
		fmt.Fprintln(&out, outgoingLine(&page.Items[i]))
		if payload {
			fmt.Fprintf(&out, "  %s\n", page.Items[i].Payload)
		}
	}
	if page.Next != "" {
		fmt.Fprintln(&out, "next", page.Next)
	}
	if out.Len() == 0 {
		return "none\n"
	}
	return out.String()
}

func (s *session) deliveries(a arguments) string {
	var page license.DeliveryPage
	ask(s.r.t, s.r.m, s.tenant, license.QueryDeliveries, &license.ListDeliveries{
		EndpointID: cl.EndpointID(a.text("endpoint", "")), Number: uint64(a.number("number", 0)), Cursor: a.text("cursor", ""), Limit: a.number("limit", 0),
	}, &page)
	return s.showDeliveries(&page, a.has("payload"))
}

func (s *session) deadMails(a arguments) string {
	var page license.DeliveryPage
	ask(s.r.t, s.r.m, "", license.QueryDeadMails, &license.ListDeadMails{Cursor: a.text("cursor", ""), Limit: a.number("limit", 0)}, &page)
	return s.showDeliveries(&page, true)
}

// due pages through a lane, two at a time.
func (s *session) due(a arguments) string {
	var out strings.Builder
	query := license.ListDue{Lane: map[string]uint8{"mail": license.LaneMail, "webhook": license.LaneWebhook, "failing": license.LaneFailing}[a.text("lane", "webhook")], NowMillis: s.r.now, Limit: 2}
	for {
		var page license.DuePage
		ask(s.r.t, s.r.m, "", license.QueryDue, &query, &page)
		for _, item := range page.Items {
			fmt.Fprintf(&out, "#%d to %x\n", item.Sequence, item.Receiver)
		}
		if query.Cursor = page.Cursor; len(page.Cursor) > 0 {
			continue
		}
		if page.NextMillis > 0 {
			fmt.Fprintln(&out, "next", clock(page.NextMillis))
		} else {
			fmt.Fprintln(&out, "then none")
		}
		return out.String()
	}
}

func (s *session) delivery(a arguments) string {
	var d license.Delivery
	ask(s.r.t, s.r.m, "", license.QueryDelivery, &license.GetDelivery{Sequence: uint64(a.number("sequence", 1))}, &d)
	if d.Code != cl.OK {
		return fmt.Sprintln(d.Code)
	}
	return fmt.Sprintf("%s\n  %s\n  url=%q secrets=%v gone=%v disabled=%q failures=%d\n",
		outgoingLine(&d.Outgoing), d.Outgoing.Payload, d.URL, d.Secrets, d.Gone, d.Disabled, d.Failures)
}

func (s *session) outboxState(arguments) string {
	var state license.OutboxState
	ask(s.r.t, s.r.m, "", license.QueryOutboxState, nil, &state)
	oldest := "none"
	if state.OldestMillis > 0 {
		oldest = clock(state.OldestMillis)
	}
	return fmt.Sprintf("mails=%d webhooks=%d dead=%d+%d oldest=%s\n", state.Mails, state.Webhooks, state.DeadMails, state.DeadWebhooks, oldest)
}
