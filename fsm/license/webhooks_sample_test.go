package license_test

import (
	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// webhookSamples has one row per command about what leaves. Append only.
func webhookSamples() []sample {
	by := license.By{Platform: true, Session: sum("s"), Address: "10.0.0.1"}
	kinds := []cl.EventKind{cl.EventLicenseProvisioned, cl.EventUserCreated}
	return []sample{
		{"OpPutEndpoint", license.OpPutEndpoint, true, &license.PutEndpoint{By: by, ID: "wh-1", URL: "https://acme.example/hook", Kinds: kinds, Secret: "whsec_1"}},
		{"OpUpdateEndpoint", license.OpUpdateEndpoint, true, &license.UpdateEndpoint{
			By: by, ID: "wh-1", URL: "https://acme.example/other", SetKinds: true, Kinds: kinds, Disable: true,
		}},
		{"OpRemoveEndpoint", license.OpRemoveEndpoint, true, &license.RemoveEndpoint{By: by, ID: "wh-2"}},
		{"OpRotateEndpoint", license.OpRotateEndpoint, true, &license.RotateEndpoint{By: by, ID: "wh-1", Secret: "whsec_2", OverlapMillis: hour}},
		{"OpReplay", license.OpReplay, true, &license.Replay{By: by, EndpointID: "wh-1", Sequence: 1}},
		{"OpOutboxTried", license.OpOutboxTried, false, &license.OutboxTried{
			Sequence: 1, Attempt: 1, Result: license.TriedRetry, Status: 503, NextMillis: epochStart + hour, Error: "the receiver answered 503",
		}},
	}
}

// webhookQuerySamples has one row per query about what leaves. Append only.
func webhookQuerySamples() []sample {
	return []sample{
		{"QueryEndpoints", license.QueryEndpoints, true, &license.ListEndpoints{ID: "wh-1"}},
		{"QueryDeliveries", license.QueryDeliveries, true, &license.ListDeliveries{EndpointID: "wh-1", Number: 3, Cursor: "7", Limit: 50, State: cl.DeliveryFailed, Kind: cl.EventUserCreated}},
		{"QueryDue", license.QueryDue, false, &license.ListDue{Lane: license.LaneWebhook, NowMillis: epochStart, Cursor: []byte("Q\x02123"), Limit: 50}},
		{"QueryDelivery", license.QueryDelivery, false, &license.GetDelivery{Sequence: 1}},
		{"QueryDeadMails", license.QueryDeadMails, false, &license.ListDeadMails{Cursor: "7", Limit: 50}},
	}
}
