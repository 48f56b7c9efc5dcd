package license

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// endpoints answers QueryEndpoints.
func (q *question) endpoints() (reply, error) {
	var ask ListEndpoints
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &EndpointPage{}
	code, err := q.read(func(v view) error {
		for _, e := range v.tenant.hooks {
			if ask.ID == "" || ask.ID == e.Endpoint.ID {
				page.Items = append(page.Items, e.Endpoint)
			}
		}
		return nil
	})
	if page.Code = code; code == cloudlicenses.OK && ask.ID != "" && len(page.Items) == 0 {
		page.Code = cloudlicenses.NotFound
	}
	return page, err
}

// deliveries answers QueryDeliveries.
func (q *question) deliveries() (reply, error) {
	var ask ListDeliveries
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	before, ok := parseCursor(ask.Cursor)
	if !ok {
		return &DeliveryPage{Code: cloudlicenses.InvalidField}, nil
	}
	var scan *fsm.Scan
	there := map[cloudlicenses.EndpointID]bool{}
	code, err := q.read(func(v view) (err error) {
		for _, e := range v.tenant.hooks {
			there[e.Endpoint.ID] = true
		}
		from, number := uint64(0), v.tenant.number
		if before > 0 {
			from = ^before + 1
		}
		scan, err = v.store.Scan(key48(nil, prefixDelivery, number, from), key4(prefixDelivery, number+1))
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &DeliveryPage{Code: code}, err
	}
	return pageOf(scan, ask.Limit, func(o *Outgoing) bool {
		return there[o.EndpointID] && (ask.EndpointID == "" || o.EndpointID == ask.EndpointID) && (ask.Number == 0 || o.Number == ask.Number) &&
			(ask.State == "" || o.State == ask.State) && (ask.Kind == "" || o.Kind == string(ask.Kind))
	})
}

// pageOf reads a page of the records that wants picks, and closes the scan.
func pageOf(scan *fsm.Scan, limit int64, wants func(*Outgoing) bool) (page *DeliveryPage, err error) {
	page = &DeliveryPage{}
	for size := pageSize(limit); scan.Next(); {
		var o Outgoing
		if err = decode(&o, scan.Value()); err != nil {
			break
		}
		if !wants(&o) {
			continue
		}
		if len(page.Items) == size {
			page.Next = strconv.FormatUint(page.Items[size-1].Sequence, 10)
			break
		}
		page.Items = append(page.Items, o)
	}
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return page, err
}

func anyRecord(*Outgoing) bool { return true }

// scanGroup opens a scan over records of the whole group.
func (q *question) scanGroup(lo, hi []byte) (*fsm.Scan, error) {
	q.m.mu.RLock()
	defer q.m.mu.RUnlock()
	if q.m.closed {
		return nil, fsm.ErrClosed
	}
	return q.m.store.Scan(lo, hi)
}

// outbox answers QueryOutbox.
func (q *question) outbox() (reply, error) {
	var ask ListOutbox
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	scan, err := q.scanGroup([]byte{prefixOutbox}, []byte{prefixOutbox + 1})
	if err != nil {
		return nil, err
	}
	page, err := pageOf(scan, ask.Limit, anyRecord)
	return &OutboxPage{Code: page.Code, Items: page.Items}, err
}

// deadMails answers QueryDeadMails. A cursor is the sequence of the last one
// seen.
func (q *question) deadMails() (reply, error) {
	var ask ListDeadMails
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	after, ok := parseCursor(ask.Cursor)
	if !ok {
		return &DeliveryPage{Code: cloudlicenses.InvalidField}, nil
	}
	scan, err := q.scanGroup([]byte{prefixSchedule, laneDead}, []byte{prefixSchedule, laneDead + 1})
	if err != nil {
		return nil, err
	}
	found := after == 0
	return pageOf(scan, ask.Limit, func(o *Outgoing) bool { // a thousand at most
		skip := !found
		found = found || o.Sequence == after
		return !skip
	})
}

var errSchedule = errors.New("a record of the outbox's schedule makes no sense")

// due answers QueryDue: it reads no record but the schedule.
func (q *question) due() (reply, error) {
	var ask ListDue
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	lo := []byte{prefixSchedule, ask.Lane}
	if len(ask.Cursor) > 0 {
		lo = append(append([]byte(nil), ask.Cursor...), 0)
	}
	if ask.Lane < LaneMail || ask.Lane > LaneFailing || len(lo) < 2 || lo[0] != prefixSchedule || lo[1] != ask.Lane {
		return &DuePage{Code: cloudlicenses.InvalidField}, nil
	}
	scan, err := q.scanGroup(lo, []byte{prefixSchedule, ask.Lane + 1})
	if err != nil {
		return nil, err
	}
	page := &DuePage{}
	for size := pageSize(ask.Limit); scan.Next(); {
		key, value := scan.Key(), scan.Value()
		if len(key) != 18 || len(value) != 8 {
			err = fsm.Damaged(q.m.cfg.Dir, errSchedule)
			break
		}
		if at := int64(binary.BigEndian.Uint64(key[2:])); at > ask.NowMillis {
			page.NextMillis = at
			break
		}
		page.Items = append(page.Items, DueItem{Sequence: binary.BigEndian.Uint64(key[10:]), Receiver: binary.BigEndian.Uint64(value)})
		if len(page.Items) == size {
			page.Cursor = append([]byte(nil), key...)
			break
		}
	}
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return page, err
}

// delivery answers QueryDelivery.
func (q *question) delivery() (reply, error) {
	var ask GetDelivery
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	m := q.m
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, fsm.ErrClosed
	}
	o, err := m.outgoing(ask.Sequence)
	if err != nil || o == nil {
		return &Delivery{Code: cloudlicenses.NotFound}, err
	}
	d := &Delivery{Outgoing: *o}
	t := m.state.tenants[o.TenantID]
	if t == nil || o.EndpointID == "" {
		d.Gone = t == nil
		return d, nil
	}
	e := t.endpoint(o.EndpointID)
	if e == nil {
		d.Gone = true
		return d, nil
	}
	d.URL, d.Disabled, d.Failures = e.Endpoint.URL, e.Endpoint.Disabled, e.Endpoint.Failures
	if e.number == 0 {
		d.URL, d.Bearer = t.vendor.invoice.URL, t.vendor.invoice.Token
		d.Gone = d.URL == "" || d.Bearer == ""
	}
	for _, s := range e.Secrets {
		if s.UntilMillis == 0 || s.UntilMillis > m.state.clock {
			d.Secrets = append(d.Secrets, s.Text)
		}
	}
	return d, nil
}

// outboxState answers QueryOutboxState.
func (q *question) outboxState() (reply, error) {
	q.m.mu.RLock()
	counts := q.m.state.outbox
	q.m.mu.RUnlock()
	scan, err := q.scanGroup([]byte{prefixOutbox}, []byte{prefixOutbox + 1})
	if err != nil {
		return nil, err
	}
	page, err := pageOf(scan, 1, anyRecord)
	state := &OutboxState{Mails: counts.Mails, Webhooks: counts.Webhooks, DeadMails: counts.DeadMails, DeadWebhooks: counts.DeadWebhooks}
	if len(page.Items) > 0 {
		state.OldestMillis = page.Items[0].QueuedMillis
	}
	return state, err
}
