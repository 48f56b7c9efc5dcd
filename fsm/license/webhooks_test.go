package license_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestOutboxIsBounded: an endpoint's log, what may wait for it, and the mails
// that failed.
func TestOutboxIsBounded(t *testing.T) {
	r := newRig(t, fastStore())
	platform := license.By{Platform: true}
	r.apply(
		encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1, URL: "https://acme.localhost"}),
		encode(license.OpLicenses, "acme", 1, &license.PutLicenses{Licenses: []license.License{sampleLicense()}}),
		encode(license.OpPutEndpoint, "acme", 1, &license.PutEndpoint{By: platform, ID: "wh-1", URL: "https://acme.example", Secret: "s"}),
	)
	amend := encode(license.OpAmend, "acme", 1, &license.AmendLicense{License: sampleLicense()})
	for range 5 {
		var entry [][]byte
		for range cl.MaxPendingDeliveries / 4 {
			entry = append(entry, amend)
		}
		r.apply(entry...)
	}
	var endpoints license.EndpointPage
	ask(t, r.m, "acme", license.QueryEndpoints, &license.ListEndpoints{}, &endpoints)
	require.Equal(t, cl.DisabledOverflow, endpoints.Items[0].Disabled)
	var state license.OutboxState
	ask(t, r.m, "", license.QueryOutboxState, nil, &state)
	require.EqualValues(t, cl.MaxPendingDeliveries, state.Webhooks)

	result := r.apply(encode(license.OpUpdateEndpoint, "acme", 1, &license.UpdateEndpoint{By: platform, ID: "wh-1", Enable: true}))
	var refused license.EndpointResult
	decode(t, result[0], &refused)
	require.Equal(t, cl.InvalidField, refused.Code, "as long as so many wait")

	var settle [][]byte
	for i := range cl.DeliveryLog + 20 {
		outcome := license.TriedDelivered
		if i%2 == 0 {
			outcome = license.TriedFailed
		}
		settle = append(settle, encode(license.OpOutboxTried, "", 0, &license.OutboxTried{Sequence: uint64(cl.DeliveryLog + 20 - i), Attempt: 1, Result: outcome}))
	}
	r.apply(settle...)
	r.reopen()
	var log license.DeliveryPage
	ask(t, r.m, "acme", license.QueryDeliveries, &license.ListDeliveries{Limit: 20_000}, &log)
	settled := 0
	for _, o := range log.Items {
		if o.State != cl.DeliveryPending {
			settled++
			require.Greater(t, o.Sequence, uint64(20), "the oldest are forgotten")
		}
	}
	require.Equal(t, cl.DeliveryLog, settled)
	ask(t, r.m, "", license.QueryOutboxState, nil, &state)
	require.EqualValues(t, cl.DeliveryLog/2, state.DeadWebhooks)

	for i := range cl.MaxDeadMails + 3 {
		r.apply(encode(license.OpPutUser, "acme", 1, &license.PutUser{
			By: platform, ID: "user-1", Email: "ann@acme", Name: "Ann", Role: cl.RoleOwner,
			Mail: license.Mail{Token: "t", Purpose: cl.TokenWelcome, ExpiresMillis: r.now + hour},
		}))
		if i > 0 {
			r.now += 1000
			r.apply(encode(license.OpMailToken, "acme", 1, &license.MailToken{
				By: platform, ID: "user-1", Mail: license.Mail{Token: fmt.Sprint("token-", i), Purpose: cl.TokenReset, ExpiresMillis: r.now + hour},
			}))
		}
		var due license.DuePage
		ask(t, r.m, "", license.QueryDue, &license.ListDue{Lane: license.LaneMail, NowMillis: r.now}, &due)
		require.Len(t, due.Items, 1)
		r.apply(encode(license.OpOutboxTried, "", 0, &license.OutboxTried{Sequence: due.Items[0].Sequence, Attempt: 1, Result: license.TriedFailed}))
	}
	ask(t, r.m, "", license.QueryOutboxState, nil, &state)
	require.EqualValues(t, cl.MaxDeadMails, state.DeadMails)
	var dead license.DeliveryPage
	ask(t, r.m, "", license.QueryDeadMails, &license.ListDeadMails{Limit: 2000}, &dead)
	require.Len(t, dead.Items, cl.MaxDeadMails)
	require.Equal(t, string(dead.Items[0].Payload), `{"user_id":"user-1","email":"ann@acme"}`)
}
