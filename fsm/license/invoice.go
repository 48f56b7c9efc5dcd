package license

import (
	"encoding/json"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

var (
	_ = register(OpVoidInvoice, operation{
		name: "void invoice", needs: needsTenant, apply: (*Machine).applyVoidInvoice, body: func() msgp.Unmarshaler { return new(VoidInvoice) },
	})
	_ = register(OpInvoiced, operation{name: "invoiced", needs: needsTenant, apply: (*Machine).applyInvoiced})
	_ = register(OpTick, operation{name: "tick", apply: (*Machine).applyTick})
)

// Invoices on disk, as in records.go. They are read from there:
//
//	'F' tenant(4)                 bookRecord
//	'I' tenant(4) ^month(4) id    Invoice; the complement lists the newest first
const (
	prefixBook    = 'F'
	prefixInvoice = 'I'
)

// InvoiceEndpoint is where a vendor's invoices go. It is an endpoint like those of
// webhooks, with the URL and the key of the vendor's settings.
const InvoiceEndpoint cloudlicenses.EndpointID = "invoices"

// kindInvoice is the kind of what is sent.
const kindInvoice = "invoice.issued"

// Actions of audit records about invoices; User is the invoice's id and, after a
// colon, why it was voided.
const (
	actionInvoiceIssue = "invoice.issue"
	actionInvoiceVoid  = "invoice.void"
)

// InvoiceMessage is the payload of what is sent: Body as it is, under ID.
type InvoiceMessage struct {
	ID   string          `json:"invoice_id"`
	Body json.RawMessage `json:"body"`
}

// book is an account's state of invoicing.
type book struct {
	month    uint32
	endpoint *endpoint // number 0; nil before the first delivery
}

func (m *Machine) storeBook(t *tenant) {
	r := &bookRecord{Month: t.vendor.book.month}
	if e := t.vendor.book.endpoint; e != nil {
		r.Endpoint = e.endpointRecord
	}
	m.put(key4(prefixBook, t.number), r)
}

func (l *loader) book(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 5)
	if err != nil {
		return err
	}
	var r bookRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	t.vendor.book.month = r.Month
	if r.Endpoint.Endpoint.ID != "" {
		t.vendor.book.endpoint = &endpoint{endpointRecord: r.Endpoint}
	}
	return nil
}

// invoiceMonth reads the month of an invoice's id, such as
// "inv-2025-11-8a51f0c94be2d0137f66" or "void-inv-2025-11-…".
func invoiceMonth(id string) (uint32, bool) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(id, "void-"), "inv-")
	if !ok || len(rest) < len("2025-11-x") || rest[7] != '-' || len(id) > cloudlicenses.MaxIDLength {
		return 0, false
	}
	return parseMonth(rest[:7])
}

func invoiceKey(t *tenant, month uint32, id string) []byte {
	return append(key44(nil, prefixInvoice, t.number, ^month), id...)
}

// invoice reads an invoice; nil: there is none.
func invoice(store *fsm.Store, t *tenant, id string) (*Invoice, error) {
	month, ok := invoiceMonth(id)
	if !ok {
		return nil, nil
	}
	value, err := store.Get(invoiceKey(t, month, id))
	if err != nil || value == nil {
		return nil, err
	}
	inv := &Invoice{}
	return inv, decode(inv, value)
}

func (m *Machine) storeInvoice(t *tenant, inv *Invoice) { m.put(invoiceKey(t, inv.Month, inv.ID), inv) }

func refusedInvoice(code cloudlicenses.Code, detail string) reply {
	return &InvoiceResult{Code: code, Detail: detail}
}

// invalid says what is wrong with a new invoice, or nothing.
func (v *Invoice) invalid() string {
	month, ok := invoiceMonth(v.ID)
	_, revision, numbered := strings.Cut(v.ID, "-r")
	total := int64(0)
	for i := range v.Lines {
		total += v.Lines[i].Amount
	}
	switch {
	case !ok || month != v.Month || v.Revision < 1 || numbered != (v.Revision > 1) || numbered && revision != count(v.Revision).String():
		return "id: is not one of its month"
	case total != v.Total || len(v.Lines) == 0:
		return "total: is not that of its lines"
	case (v.CRMAccount == "") == (v.TenantID == ""):
		return "customer: name either a CRM account or a tenant"
	}
	return ""
}

// before is the id of the revision before an invoice's; empty: it is the first.
func (v *Invoice) before() string {
	base, _, _ := strings.Cut(v.ID, "-r")
	switch v.Revision {
	case 1:
		return ""
	case 2:
		return base
	}
	return base + "-r" + count(v.Revision-1).String()
}

// issuable makes the checks of a new invoice that need no other.
func (m *Machine) issuable(t *tenant, by *By, v *Invoice) (actor string, refusal reply) {
	_, actor, code := m.asker(t, by, cloudlicenses.ActManageBilling)
	_, isVendor := t.name.Vendor()
	detail := v.invalid()
	switch {
	case code != cloudlicenses.OK:
		return "", refusedInvoice(code, "")
	case !isVendor:
		return "", refusedInvoice(cloudlicenses.InvalidField, notOfVendor)
	case detail != "":
		return "", refusedInvoice(cloudlicenses.InvalidField, detail)
	}
	return actor, nil
}

// succeeds refuses a revision where the one before it is not void.
func (m *Machine) succeeds(t *tenant, v *Invoice) (refusal reply, err error) {
	id := v.before()
	if id == "" {
		return nil, nil
	}
	earlier, err := invoice(m.store, t, id)
	if err == nil && (earlier == nil || !earlier.Void) {
		refusal = refusedInvoice(cloudlicenses.InvalidField, "revision: the one before it is not void")
	}
	return refusal, err
}

// invoiceData is the data of the events about invoices; that of a voided one is
// of what cancels it.
type invoiceData struct {
	InvoiceID    string                 `json:"invoice_id"`
	Voids        *string                `json:"voids"` // the invoice that it cancels
	VoidReason   *string                `json:"void_reason"`
	Period       string                 `json:"period"`
	CRMAccount   string                 `json:"crm_account_id"`
	TenantID     cloudlicenses.TenantID `json:"tenant_id"`
	CustomerName string                 `json:"customer_name"`
	Total        json.Number            `json:"total"`
	Currency     cloudlicenses.Currency `json:"currency"`
}

func dataOf(v *Invoice) *invoiceData {
	d := &invoiceData{
		InvoiceID: v.ID, Period: monthText(v.Month), CRMAccount: v.CRMAccount, TenantID: v.TenantID, CustomerName: v.CustomerName,
		Total: amount(v.Total, v.Currency), Currency: v.Currency,
	}
	if v.Voids != "" {
		d.Voids = &v.Voids
	}
	if v.VoidReason != "" {
		d.VoidReason = &v.VoidReason
	}
	return d
}

// issue keeps a new invoice, sends it and leaves that in the audit log.
func (m *Machine) issue(t *tenant, v *Invoice, body []byte, action, actor string, by *By) {
	v.CreatedMillis, v.Sent = m.state.clock, InvoiceDelivery{}
	m.sendInvoice(t, v, body)
	m.storeInvoice(t, v)
	about := v.ID
	if v.VoidReason != "" {
		about += ": " + v.VoidReason
	}
	m.entry = Audit{Action: action, Result: resultSuccess, User: about, Actor: actor, Address: by.Address}
	m.recordAudit(t)
}

// sendInvoice puts an invoice into the outbox, where it has a place to go.
func (m *Machine) sendInvoice(t *tenant, v *Invoice, body []byte) bool {
	if hook := &t.vendor.invoice; hook.URL == "" || hook.Token == "" || !json.Valid(body) {
		return false
	}
	e := t.vendor.book.endpoint
	if e == nil {
		e = &endpoint{endpointRecord: endpointRecord{Endpoint: Endpoint{ID: InvoiceEndpoint, CreatedMillis: m.state.clock}}}
		t.vendor.book.endpoint = e
	}
	e.Deliveries++
	m.enqueue(t, e, &Outgoing{
		TenantID: t.name, Kind: kindInvoice, AtMillis: m.state.clock, EndpointID: InvoiceEndpoint, Number: e.Deliveries,
		Payload: mustJSON(&InvoiceMessage{ID: v.ID, Body: body}),
	})
	v.Sent = InvoiceDelivery{State: cloudlicenses.DeliveryPending, NextMillis: m.state.clock}
	return true
}

// invoiceTried keeps with an invoice what has become of its delivery.
func (m *Machine) invoiceTried(t *tenant, o *Outgoing) error {
	var about InvoiceMessage
	if err := json.Unmarshal(o.Payload, &about); err != nil {
		return nil //nolint:nilerr // not one of ours: nothing to keep
	}
	v, err := invoice(m.store, t, about.ID)
	if err != nil || v == nil {
		return err
	}
	v.Sent = InvoiceDelivery{
		State: o.State, Attempts: o.Attempts, Status: o.Status, Error: o.Error, TriedMillis: o.TriedMillis, NextMillis: o.NextMillis,
	}
	m.storeInvoice(t, v)
	return nil
}

// applyVoidInvoice voids an invoice.
func (m *Machine) applyVoidInvoice(t *tenant, payload []byte) (reply, error) {
	var p VoidInvoice
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageBilling)
	if code != cloudlicenses.OK {
		return refusedInvoice(code, ""), nil
	}
	v, err := invoice(m.store, t, p.ID)
	if err != nil {
		return nil, err
	}
	mirror := &p.Mirror
	switch {
	case v == nil:
		return refusedInvoice(cloudlicenses.NotFound, "there is no such invoice"), nil
	case v.Void:
		return &InvoiceResult{Invoice: *v}, nil
	case v.Voids != "":
		return refusedInvoice(cloudlicenses.InvalidField, "id: what cancels an invoice is not voided; run the month again"), nil
	case mirror.invalid() != "" || mirror.ID != "void-"+v.ID || mirror.Voids != v.ID || mirror.Total != -v.Total || mirror.Month != v.Month:
		return refusedInvoice(cloudlicenses.InvalidField, "mirror: does not cancel the invoice"), nil
	}
	if err := m.unbill(t, v); err != nil {
		return nil, err
	}
	v.Void, v.VoidedMillis, v.VoidReason = true, m.state.clock, mirror.VoidReason
	m.storeInvoice(t, v)
	m.issue(t, mirror, p.Body, actionInvoiceVoid, actor, &p.By)
	m.emit(t, cloudlicenses.EventInvoiceVoided, dataOf(mirror))
	return &InvoiceResult{Invoice: *v, Fresh: true}, nil
}

// applyInvoiced remembers that a month's run is through.
func (m *Machine) applyInvoiced(t *tenant, payload []byte) (reply, error) {
	var p Invoiced
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if b := &t.vendor.book; p.Month > b.month && p.Month < m.state.now[grainMonth].number {
		b.month = p.Month
		m.storeBook(t)
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

func (m *Machine) applyTick(_ *tenant, payload []byte) (reply, error) {
	var p Tick
	return m.acked(cloudlicenses.OK, ""), decode(&p, payload)
}

// invoices answers QueryInvoices.
func (q *question) invoices() (reply, error) {
	var ask ListInvoices
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &InvoicePage{}
	after, ok := uint32(0), true
	if ask.Cursor != "" {
		after, ok = invoiceMonth(ask.Cursor)
	}
	if !ok {
		return &InvoicePage{Code: cloudlicenses.InvalidField}, nil
	}
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		if ask.ID != "" {
			one, err := invoice(v.store, v.tenant, ask.ID)
			if one != nil {
				page.Items = []Invoice{*one}
			} else if err == nil {
				page.Code = cloudlicenses.NotFound
			}
			return err
		}
		number := v.tenant.number
		lo, hi := key4(prefixInvoice, number), successor(key4(prefixInvoice, number))
		if ask.Month != 0 {
			lo = key44(nil, prefixInvoice, number, ^ask.Month)
			hi = successor(lo)
		}
		if ask.Cursor != "" {
			lo = append(invoiceKey(v.tenant, after, ask.Cursor), 0)
		}
		scan, err = v.store.Scan(lo, hi)
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &InvoicePage{Code: code}, err
	}
	if scan == nil {
		return page, nil
	}
	for size := pageSize(ask.Limit); scan.Next(); {
		if len(page.Items) == size {
			page.Next = page.Items[size-1].ID
			break
		}
		var v Invoice
		if err = decode(&v, scan.Value()); err != nil {
			break
		}
		page.Items = append(page.Items, v)
	}
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return page, err
}

// invoiced answers QueryInvoiced.
func (q *question) invoiced() (reply, error) {
	var ask GetInvoiced
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	result := &InvoicedResult{}
	code, err := q.read(func(v view) error {
		result.Month = v.tenant.vendor.book.month
		return nil
	})
	result.Code = code
	return result, err
}
