package license_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestBilled: what an invoice bills is billed by no other until it is void. The
// machine restarts after every command.
func TestBilled(t *testing.T) {
	const account, month = cl.TenantID("@vector-de"), uint32(2026*12 + 9)
	r := newRig(t, fastStore())
	do := func(op fsm.Op, body msgp.Marshaler) (result license.InvoiceResult) {
		t.Helper()
		decode(t, r.apply(encode(op, account, 1, body))[0], &result)
		r.reopen()
		return result
	}
	r.apply(encode(license.OpTenant, account, 1, &license.PutTenant{Epoch: 1}))
	by := license.By{Platform: true}
	issue := func(suffix string, revision int64, shares ...license.Share) license.InvoiceResult {
		v := sampleInvoice()
		v.ID, v.Revision = v.ID+suffix, revision
		return do(license.OpIssueInvoice, &license.IssueInvoice{By: by, Invoice: v, Body: []byte("{}"), Shares: shares})
	}
	billed := func() []license.Billed {
		var page license.BilledPage
		askAt(t, r.m, account, 1, license.QueryBilled, &license.ListBilled{}, &page)
		require.Equal(t, cl.OK, page.Code)
		return page.Items
	}
	fees := license.Share{LicenseID: "lic-1", First: month - 2, Last: month}
	overage := license.Share{LicenseID: "lic-1", Overage: true, First: month, Last: month}
	require.Equal(t, cl.InvalidField, issue("", 1, license.Share{LicenseID: "lic-1", First: month, Last: month + 1}).Code)
	require.Equal(t, cl.InvalidField, issue("", 1, license.Share{First: month, Last: month}).Code)
	require.Equal(t, cl.AlreadyExists, issue("", 1, fees, fees).Code)
	require.Empty(t, billed(), "what is refused bills nothing")
	require.True(t, issue("", 1, overage, fees).Fresh)
	require.False(t, issue("", 1, overage, fees).Fresh, "said again, it is the same")
	last := fees
	last.First = last.Last
	require.Equal(t, cl.AlreadyExists, issue("-p2", 1, last).Code)
	other := license.Share{LicenseID: "lic-0", First: month, Last: month}
	require.True(t, issue("-p2", 1, other).Fresh)
	id := sampleInvoice().ID
	require.Equal(t, []license.Billed{
		{LicenseID: "lic-0", Spans: []license.Span{{First: month, Last: month, Invoice: id + "-p2"}}},
		{LicenseID: "lic-1", Spans: []license.Span{{Overage: true, First: month, Last: month, Invoice: id}, {First: month - 2, Last: month, Invoice: id}}},
	}, billed())
	var page license.BilledPage
	askAt(t, r.m, account, 1, license.QueryBilled, &license.ListBilled{Limit: 1}, &page)
	require.Equal(t, "lic-0", page.Next)
	page = license.BilledPage{}
	askAt(t, r.m, account, 1, license.QueryBilled, &license.ListBilled{Limit: 1, Cursor: "lic-0"}, &page)
	require.Equal(t, billed()[1:], page.Items)
	require.Empty(t, page.Next)

	void := invoiceSamples()[0].body.(*license.VoidInvoice)
	require.True(t, do(license.OpVoidInvoice, void).Invoice.Void)
	for _, span := range billed()[1].Spans {
		require.True(t, span.Void)
	}
	require.False(t, billed()[0].Spans[0].Void, "the other part stands")
	require.True(t, issue("-r2", 2, overage, last).Fresh)
	require.Equal(t, []license.Span{
		{First: month - 2, Last: month, Invoice: id, Void: true},
		{Overage: true, First: month, Last: month, Invoice: id + "-r2"}, {First: month, Last: month, Invoice: id + "-r2"},
	}, billed()[1].Spans)

	nothing := sampleInvoice()
	nothing.ID, nothing.Lines, nothing.Total = id+"-p3", append(nothing.Lines, license.InvoiceLine{LicenseID: "lic-2", Amount: -nothing.Total, Quantity: 1}), 0
	share := license.Share{LicenseID: "lic-2", First: month, Last: month}
	put := do(license.OpIssueInvoice, &license.IssueInvoice{By: by, Invoice: nothing, Body: []byte("{}"), Shares: []license.Share{share}})
	require.Equal(t, cl.OK, put.Code)
	require.False(t, put.Fresh, "nobody is sent an invoice over nothing")
	require.Len(t, billed(), 3)
	require.Equal(t, cl.AlreadyExists, issue("-p3", 1, share).Code)
	require.True(t, issue("-p3", 1).Fresh)
	twin := newRig(t, fsm.Options{})
	for _, e := range r.log {
		applyEntry(t, twin.m, e)
	}
	require.Equal(t, hashOf(t, r.m), hashOf(t, twin.m))
}

// TestInvoicesOfAnySize: an invoice that no replica could decode is refused before
// it is in the log.
func TestInvoicesOfAnySize(t *testing.T) {
	r := newRig(t, fsm.Options{})
	const account = cl.TenantID("@vector-de")
	r.apply(encode(license.OpTenant, account, 1, &license.PutTenant{Epoch: 1}))
	by, long := license.By{Platform: true}, sampleInvoice()
	long.Lines = make([]license.InvoiceLine, 65_537)
	body := bytes.Repeat([]byte(" "), 65_537)
	for _, command := range [][]byte{
		encode(license.OpIssueInvoice, account, 1, &license.IssueInvoice{By: by, Invoice: long}),
		encode(license.OpIssueInvoice, account, 1, &license.IssueInvoice{By: by, Invoice: sampleInvoice(), Body: body}),
		encode(license.OpResendInvoice, account, 1, &license.ResendInvoice{By: by, ID: long.ID, Body: body}),
		encode(license.OpVoidInvoice, account, 1, &license.VoidInvoice{By: by, ID: long.ID, Mirror: sampleInvoice(), Body: body}),
	} {
		var refusal license.InvoiceResult
		require.NotNil(t, r.m.Admit(r.now, command))
		decode(t, r.m.Admit(r.now, command), &refusal)
		require.Equal(t, cl.Internal, refusal.Code)
		require.Contains(t, refusal.Detail, "limit exceeded")
	}
	require.Nil(t, r.m.Admit(r.now, encode(license.OpIssueInvoice, account, 1, &license.IssueInvoice{By: by, Invoice: sampleInvoice(), Body: body[1:]})))
}
