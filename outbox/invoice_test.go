package outbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestInvoiceArrives: an invoice reaches the vendor's billing system with its
// bearer token and the seed's body, under the same id in every attempt: after a
// refusal, and after a leader that died before it could say that it had sent it.
func TestInvoiceArrives(t *testing.T) {
	type arrival struct{ id, authorization, body string }
	var mu sync.Mutex
	var arrivals []arrival
	again := make(chan struct{}) // lets the second attempt be answered
	arrived := func() []arrival {
		mu.Lock()
		defer mu.Unlock()
		return append([]arrival(nil), arrivals...)
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		arrivals = append(arrivals, arrival{r.Header.Get("Webhook-Id"), r.Header.Get("Authorization"), string(body)})
		first := len(arrivals) == 1
		mu.Unlock()
		if first {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		<-again
	}))
	t.Cleanup(receiver.Close)

	g := newGroup(t)
	const account = cloudlicenses.TenantID("@vector-de")
	platform := license.By{Platform: true}
	var ack license.Ack
	g.do(account, license.OpTenant, &license.PutTenant{Epoch: 1}, &ack)
	g.do(account, license.OpVendorSettings, &license.VendorSettings{
		By: platform, Set: license.ChangedURL | license.ChangedToken, Invoice: license.InvoiceHook{URL: receiver.URL + "/api/billing/invoices", Token: "vector_internal_key"},
	}, &ack)
	require.Equal(t, cloudlicenses.OK, ack.Code, ack.Detail)
	const body = `{"source":"cloudlicenses.com","period":"2025-11","crm_account_id":"ACC-98765","line_items":[],"total":27000.00,"currency":"EUR"}`
	put := &license.IssueInvoice{By: platform, Body: []byte(body), Invoice: license.Invoice{
		ID: "inv-2025-11-8a51f0c94be2d0137f66", Revision: 1, CRMAccount: "ACC-98765", Month: 2025*12 + 10, Currency: "EUR", Total: 2_700_000,
		Lines: []license.InvoiceLine{{LicenseID: "lic-1", Description: "D", Amount: 2_700_000, Quantity: 1}},
	}}
	var result license.InvoiceResult
	g.do(account, license.OpIssueInvoice, put, &result)
	require.Equal(t, cloudlicenses.OK, result.Code, result.Detail)
	sent := func() license.InvoiceDelivery {
		var page license.InvoicePage
		require.NoError(t, g.query(account, license.QueryInvoices, &license.ListInvoices{ID: put.Invoice.ID}, &page))
		return page.Items[0].Sent
	}

	first := g.leader(nil)
	require.Eventually(t, func() bool { return sent().Status == http.StatusServiceUnavailable }, 10*time.Second, time.Millisecond)
	require.Equal(t, cloudlicenses.DeliveryPending, sent().State)
	require.Eventually(t, func() bool { return len(arrived()) > 1 }, 10*time.Second, time.Millisecond)
	first.node.refuse.Store(true) // what it says is lost
	close(again)
	first.stop()
	require.Equal(t, cloudlicenses.DeliveryPending, sent().State, "nobody knows that it has arrived")

	second := g.leader(nil)
	g.settled()
	second.stop()
	require.Equal(t, cloudlicenses.DeliveryDelivered, sent().State)
	for _, a := range arrived() {
		require.Equal(t, arrival{put.Invoice.ID, "Bearer vector_internal_key", body}, a)
	}
	require.GreaterOrEqual(t, len(arrived()), 3)
	require.NotContains(t, first.log.String()+second.log.String(), "vector_internal_key")

	g.do(account, license.OpIssueInvoice, put, &result)
	require.Zero(t, g.state().Webhooks, "what has arrived is not sent again")
}
