package license

import (
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// A contract may change after a month of it was billed, so which months are billed
// does not follow from it: the account remembers them, in the same entry as the
// invoice. A void invoice has billed nothing.

var (
	_ = register(OpIssueInvoice, operation{
		name: "issue invoice", needs: needsTenant, apply: (*Machine).applyIssueInvoice, body: func() msgp.Unmarshaler { return new(IssueInvoice) },
	})
	_ = register(OpResendInvoice, operation{
		name: "resend invoice", needs: needsTenant, apply: (*Machine).applyResendInvoice, body: func() msgp.Unmarshaler { return new(ResendInvoice) },
	})
)

// prefixBilled begins the key of a Billed, which is read from the disk:
//
//	'c' account(4) license
const prefixBilled = 'c'

func billedKey(t *tenant, id cloudlicenses.LicenseID) []byte {
	return append(key4(prefixBilled, t.number), id...)
}

// billed reads what is billed of a license.
func billed(store *fsm.Store, t *tenant, id cloudlicenses.LicenseID) (*Billed, error) {
	b := &Billed{LicenseID: id}
	value, err := store.Get(billedKey(t, id))
	if err != nil || value == nil {
		return b, err
	}
	return b, decode(b, value)
}

// holds reports whether an invoice that is not void has billed any of a share.
func (b *Billed) holds(s *Share) bool {
	return slices.ContainsFunc(b.Spans, func(o Span) bool {
		return !o.Void && o.Overage == s.Overage && o.First <= s.Last && s.First <= o.Last
	})
}

// bill adds a share in place of those that were void.
func (b *Billed) bill(s *Share, invoice string) {
	b.Spans = slices.DeleteFunc(b.Spans, func(o Span) bool {
		return o.Void && o.Overage == s.Overage && s.First <= o.First && o.Last <= s.Last
	})
	b.Spans = append(b.Spans, Span{Overage: s.Overage, First: s.First, Last: s.Last, Invoice: invoice})
}

// applyIssueInvoice keeps an invoice with what it bills, and sends it.
func (m *Machine) applyIssueInvoice(t *tenant, payload []byte) (reply, error) {
	var p IssueInvoice
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	v := &p.Invoice
	actor, refusal := m.issuable(t, &p.By, v)
	if refusal != nil {
		return refusal, nil
	}
	known, err := invoice(m.store, t, v.ID)
	if err != nil {
		return nil, err
	}
	if known != nil {
		return &InvoiceResult{Invoice: *known}, nil
	}
	if refusal, err = m.succeeds(t, v); refusal != nil || err != nil {
		return refusal, err
	}
	billedBy := v.ID
	if v.Total == 0 {
		billedBy = "" // never kept, so never void
	}
	records := make(map[cloudlicenses.LicenseID]*Billed, len(p.Shares))
	for i := range p.Shares {
		s := &p.Shares[i]
		if len(s.LicenseID) > cloudlicenses.MaxIDLength || s.LicenseID == "" || s.First > s.Last || s.Last > v.Month {
			return refusedInvoice(cloudlicenses.InvalidField, "shares: want months of a license, up to the invoice's"), nil
		}
		b := records[s.LicenseID]
		if b == nil {
			if b, err = billed(m.store, t, s.LicenseID); err != nil {
				return nil, err
			}
			records[s.LicenseID] = b
		}
		if b.holds(s) {
			return refusedInvoice(cloudlicenses.AlreadyExists, "shares: another invoice has billed "+string(s.LicenseID)), nil
		}
		b.bill(s, billedBy)
	}
	for i := range p.Shares {
		id := p.Shares[i].LicenseID
		m.put(billedKey(t, id), records[id])
	}
	if v.Total == 0 {
		return &InvoiceResult{Invoice: *v}, nil
	}
	v.Void, v.VoidedMillis, v.VoidReason = false, 0, ""
	m.issue(t, v, p.Body, actionInvoiceIssue, actor, &p.By)
	m.emit(t, cloudlicenses.EventInvoiceIssued, dataOf(v))
	return &InvoiceResult{Invoice: *v, Fresh: true}, nil
}

// unbill remembers that an invoice has billed nothing: it is void.
func (m *Machine) unbill(t *tenant, v *Invoice) error {
	for i := range v.Lines {
		id := v.Lines[i].LicenseID
		if slices.ContainsFunc(v.Lines[:i], func(l InvoiceLine) bool { return l.LicenseID == id }) {
			continue
		}
		b, err := billed(m.store, t, id)
		if err != nil {
			return err
		}
		if len(b.Spans) == 0 {
			continue
		}
		for i := range b.Spans {
			s := &b.Spans[i]
			s.Void = s.Void || s.Invoice == v.ID
		}
		m.put(billedKey(t, id), b)
	}
	return nil
}

// applyResendInvoice sends again what could not be sent.
func (m *Machine) applyResendInvoice(t *tenant, payload []byte) (reply, error) {
	var p ResendInvoice
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if _, _, code := m.asker(t, &p.By, cloudlicenses.ActManageBilling); code != cloudlicenses.OK {
		return refusedInvoice(code, ""), nil
	}
	v, err := invoice(m.store, t, p.ID)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return refusedInvoice(cloudlicenses.NotFound, "there is no such invoice"), nil
	}
	if v.Unsent() && !v.Void && m.sendInvoice(t, v, p.Body) {
		m.storeInvoice(t, v)
	}
	return &InvoiceResult{Invoice: *v}, nil
}

// Unsent reports whether an invoice is neither sent nor on its way.
func (v *Invoice) Unsent() bool {
	return v.Sent.State == "" || v.Sent.State == cloudlicenses.DeliveryFailed
}

// billed answers QueryBilled.
func (q *question) billed() (reply, error) {
	var ask ListBilled
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &BilledPage{}
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		lo := key4(prefixBilled, v.tenant.number)
		hi := successor(lo)
		if ask.Cursor != "" {
			lo = append(billedKey(v.tenant, cloudlicenses.LicenseID(ask.Cursor)), 0)
		}
		scan, err = v.store.Scan(lo, hi)
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &BilledPage{Code: code}, err
	}
	for size := pageSize(ask.Limit); err == nil && scan.Next(); {
		if len(page.Items) == size {
			page.Next = string(page.Items[size-1].LicenseID)
			break
		}
		var b Billed
		if err = decode(&b, scan.Value()); err == nil {
			page.Items = append(page.Items, b)
		}
	}
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return page, err
}
