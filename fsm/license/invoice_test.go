package license_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestInvoices: an invoice is kept and sent once, whatever is said again; voided
// by its mirror; and knows what has become of its delivery. The machine restarts
// after every command.
func TestInvoices(t *testing.T) {
	const account = cl.TenantID("@vector-de")
	r := newRig(t, fastStore())
	by := license.By{Platform: true}
	do := func(op fsm.Op, to cl.TenantID, body msgp.Marshaler, into msgp.Unmarshaler) {
		t.Helper()
		epoch := uint32(1)
		if to == "" {
			epoch = 0
		}
		rest, err := into.UnmarshalMsg(r.apply(encode(op, to, epoch, body))[0])
		require.NoError(t, err)
		require.Empty(t, rest)
		r.reopen()
	}
	var ack license.Ack
	put := func(v license.Invoice) (result license.InvoiceResult) {
		body := []byte(`{"total":22000.00}`)
		do(license.OpIssueInvoice, account, &license.IssueInvoice{By: by, Invoice: v, Body: body}, &result)
		if result.Code == cl.OK && !result.Fresh {
			do(license.OpResendInvoice, account, &license.ResendInvoice{By: by, ID: v.ID, Body: body}, &result)
		}
		return result
	}
	pending := func() (all []license.Outgoing) {
		var page license.OutboxPage
		ask(t, r.m, "", license.QueryOutbox, &license.ListOutbox{Limit: 100}, &page)
		return page.Items
	}
	do(license.OpTenant, account, &license.PutTenant{Epoch: 1}, &ack)
	do(license.OpTenant, "acme", &license.PutTenant{Epoch: 1}, &ack)
	var refused license.InvoiceResult
	do(license.OpIssueInvoice, "acme", &license.IssueInvoice{By: by, Invoice: sampleInvoice()}, &refused)
	require.Equal(t, cl.InvalidField, refused.Code, "a tenant bills nobody")
	do(license.OpIssueInvoice, account, &license.IssueInvoice{Invoice: sampleInvoice()}, &refused)
	require.Equal(t, cl.Unauthenticated, refused.Code)
	for _, spoil := range []func(*license.Invoice){
		func(v *license.Invoice) { v.ID = "x" },
		func(v *license.Invoice) { v.Month++ },
		func(v *license.Invoice) { v.Total++ },
		func(v *license.Invoice) { v.Lines = nil },
		func(v *license.Invoice) { v.TenantID = "acme" },
		func(v *license.Invoice) { v.Revision = 2 },
		func(v *license.Invoice) { v.ID += "-r2" },
		func(v *license.Invoice) { v.ID, v.Revision = v.ID+"-r2", 2 }, // there is no first one
	} {
		v := sampleInvoice()
		spoil(&v)
		require.Equal(t, cl.InvalidField, put(v).Code, "%+v", v)
	}

	// Nowhere to send it yet: kept, and sent once there is.
	first := put(sampleInvoice())
	require.True(t, first.Fresh)
	require.Empty(t, first.Invoice.Sent.State)
	require.Empty(t, pending())
	do(license.OpVendorSettings, account, &license.VendorSettings{
		By: by, Set: license.ChangedURL | license.ChangedToken, Invoice: license.InvoiceHook{URL: "https://vector.com/api/billing/invoices", Token: "key-1"},
	}, &ack)
	require.Equal(t, cl.OK, ack.Code, ack.Detail)
	again := put(sampleInvoice())
	require.False(t, again.Fresh)
	require.Equal(t, cl.DeliveryPending, again.Invoice.Sent.State)
	put(sampleInvoice())
	require.Len(t, pending(), 1, "said three times, sent once")

	sequence := pending()[0].Sequence
	var d license.Delivery
	ask(t, r.m, "", license.QueryDelivery, &license.GetDelivery{Sequence: sequence}, &d)
	require.Equal(t, "https://vector.com/api/billing/invoices", d.URL)
	require.Equal(t, "key-1", d.Bearer)
	require.False(t, d.Gone)
	require.JSONEq(t, `{"invoice_id":"inv-2026-10-8a51f0c94be2d0137f66","body":{"total":22000.00}}`, string(d.Outgoing.Payload))
	tried := func(attempt int64, result uint8, status int64) {
		do(license.OpOutboxTried, "", &license.OutboxTried{
			Sequence: sequence, Attempt: attempt, Result: result, Status: status, NextMillis: r.now + hour, Error: "text",
		}, &ack)
	}
	one := func() license.Invoice {
		var page license.InvoicePage
		askAt(t, r.m, account, 1, license.QueryInvoices, &license.ListInvoices{ID: sampleInvoice().ID}, &page)
		require.Equal(t, cl.OK, page.Code)
		return page.Items[0]
	}
	tried(1, license.TriedRetry, 503)
	require.Equal(t, license.InvoiceDelivery{
		State: cl.DeliveryPending, Attempts: 1, Status: 503, Error: "text", TriedMillis: r.now, NextMillis: r.now + hour,
	}, one().Sent)
	tried(2, license.TriedDisabled, 410)
	require.Equal(t, cl.DeliveryFailed, one().Sent.State)
	require.Equal(t, cl.DeliveryPending, put(sampleInvoice()).Invoice.Sent.State, "by hand, it is sent again")
	sequence = pending()[0].Sequence
	ask(t, r.m, "", license.QueryDelivery, &license.GetDelivery{Sequence: sequence}, &d)
	require.Equal(t, cl.DisabledGone, d.Disabled)
	do(license.OpVendorSettings, account, &license.VendorSettings{By: by, Set: license.ChangedToken, Invoice: license.InvoiceHook{Token: "key-2"}}, &ack)
	ask(t, r.m, "", license.QueryDelivery, &license.GetDelivery{Sequence: sequence}, &d)
	require.Empty(t, d.Disabled, "a new key is a new beginning")
	require.Equal(t, "key-2", d.Bearer)
	tried(1, license.TriedDelivered, 200)
	require.Equal(t, cl.DeliveryDelivered, one().Sent.State)
	put(sampleInvoice())
	require.Empty(t, pending(), "what has arrived is not sent again")

	samples := invoiceSamples()
	void := samples[0].body.(*license.VoidInvoice)
	void.Mirror.VoidReason = "the customer had canceled"
	voided := func(v license.VoidInvoice) (result license.InvoiceResult) {
		do(license.OpVoidInvoice, account, &v, &result)
		return result
	}
	wrong := *void
	wrong.Mirror.Total--
	require.Equal(t, cl.InvalidField, voided(wrong).Code)
	wrong = *void
	wrong.ID = "inv-2026-10-none"
	require.Equal(t, cl.NotFound, voided(wrong).Code)
	require.Equal(t, void.Mirror.VoidReason, voided(*void).Invoice.VoidReason)
	wrong = *void
	wrong.Mirror.VoidReason = "something else"
	again = voided(wrong)
	require.True(t, again.Invoice.Void, "said again, it changes nothing")
	require.Equal(t, void.Mirror.VoidReason, again.Invoice.VoidReason)
	require.Len(t, pending(), 1, "the mirror is sent")
	wrong = *void
	wrong.ID = void.Mirror.ID
	require.Equal(t, cl.InvalidField, voided(wrong).Code, "a mirror is not voided")
	require.True(t, put(sampleInvoice()).Invoice.Void, "a void invoice stays void")
	require.Len(t, pending(), 1)
	second := sampleInvoice()
	second.ID, second.Revision = second.ID+"-r2", 2
	require.True(t, put(second).Fresh)

	var page license.InvoicePage
	var ids, reasons []string
	list := license.ListInvoices{Limit: 1}
	for more := true; more; list.Cursor, more = page.Next, page.Next != "" {
		page = license.InvoicePage{}
		askAt(t, r.m, account, 1, license.QueryInvoices, &list, &page)
		for _, v := range page.Items {
			ids, reasons = append(ids, v.ID), append(reasons, v.VoidReason)
		}
	}
	require.Equal(t, []string{sampleInvoice().ID, second.ID, void.Mirror.ID}, ids)
	require.Equal(t, []string{void.Mirror.VoidReason, "", void.Mirror.VoidReason}, reasons)
	var log license.AuditPage
	askAt(t, r.m, account, 1, license.QueryAudit, &license.ListAudit{Limit: 100, User: void.Mirror.ID + ": " + void.Mirror.VoidReason}, &log)
	require.Len(t, log.Items, 1)
	require.Equal(t, "invoice.void", log.Items[0].Action)
	page = license.InvoicePage{}
	askAt(t, r.m, account, 1, license.QueryInvoices, &license.ListInvoices{Month: 2026*12 + 8}, &page)
	require.Empty(t, page.Items)

	for month, want := range map[uint32]uint32{2026*12 + 9: 2026*12 + 9, 2026*12 + 10: 2026*12 + 9, 2026*12 + 3: 2026*12 + 9} {
		var through license.InvoicedResult
		do(license.OpInvoiced, account, &license.Invoiced{Month: 2026*12 + 9}, &ack)
		do(license.OpInvoiced, account, &license.Invoiced{Month: month}, &ack)
		askAt(t, r.m, account, 1, license.QueryInvoiced, &license.GetInvoiced{}, &through)
		require.Equal(t, want, through.Month, "neither a month that runs nor an earlier one")
	}
	twin := newRig(t, fsm.Options{})
	for _, e := range r.log {
		applyEntry(t, twin.m, e)
	}
	require.Equal(t, hashOf(t, r.m), hashOf(t, twin.m))
}
