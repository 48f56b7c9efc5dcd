package license

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpOutboxTried, operation{name: "outbox tried", small: true, apply: (*Machine).applyOutboxTried})
	_ = register(OpReplay, operation{name: "replay", needs: needsTenant, apply: (*Machine).applyReplay})
)

// The outbox on disk, besides 'X', as in records.go:
//
//	'Q' lane(1) next(8) sequence(8)     receiver(8): when what is pending is due
//	'Q' laneDead millis(8) sequence(8)  Outgoing: a mail that failed for good
//	'Z' tenant(4) ^sequence(8)          Outgoing of a webhook, pending or settled;
//	                                    the complement lists the newest first
const (
	prefixSchedule = 'Q'
	prefixDelivery = 'Z'

	laneDead uint8 = 4
)

// mailPrefix begins the kinds of mails; what follows says which.
const mailPrefix = "mail."

func scheduleKey(lane uint8, millis int64, sequence uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{prefixSchedule, lane}, uint64(max(0, millis)))
	return binary.BigEndian.AppendUint64(b, sequence)
}

func deliveryKey(t *tenant, sequence uint64) []byte {
	return key48(nil, prefixDelivery, t.number, ^sequence)
}

// laneOf is the lane of a record that becomes pending; e is nil for a mail.
func laneOf(e *endpoint) uint8 {
	switch {
	case e == nil:
		return LaneMail
	case e.Endpoint.Failures > 0:
		return LaneFailing
	}
	return LaneWebhook
}

// pending counts a record in (1) or out (-1) of the pending ones.
func (s *state) pending(o *Outgoing, by int64) {
	if o.EndpointID == "" {
		s.outbox.Mails += by
	} else {
		s.outbox.Webhooks += by
	}
}

// send leaves a mail in the outbox.
func (m *Machine) send(t *tenant, kind string, payload []byte) {
	m.enqueue(t, nil, &Outgoing{TenantID: t.name, Kind: kind, AtMillis: m.state.clock, Payload: payload})
}

// emit leaves an event in the outbox: one record for each endpoint that asks
// for its kind.
func (m *Machine) emit(t *tenant, kind cloudlicenses.EventKind, data any) {
	var payload []byte
	for _, e := range t.hooks {
		if !e.wants(kind) {
			continue
		}
		if e.Pending >= cloudlicenses.MaxPendingDeliveries {
			e.Endpoint.Disabled = cloudlicenses.DisabledOverflow
			m.storeEndpoint(t, e)
			continue
		}
		if payload == nil {
			payload = mustJSON(data)
		}
		e.Deliveries++
		m.enqueue(t, e, &Outgoing{
			TenantID: t.name, Kind: string(kind), AtMillis: m.state.clock, Payload: payload,
			EndpointID: e.Endpoint.ID, Number: e.Deliveries,
		})
	}
}

// mustJSON encodes what always encodes: strings, numbers, lists of them.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encode a record of the outbox: " + err.Error())
	}
	return b
}

// enqueue makes a record pending, under a new sequence number and due at once.
func (m *Machine) enqueue(t *tenant, e *endpoint, o *Outgoing) {
	s := m.state
	s.outboxSequence++
	o.Sequence, o.QueuedMillis, o.NextMillis, o.State = s.outboxSequence, s.clock, s.clock, cloudlicenses.DeliveryPending
	s.pending(o, 1)
	if e != nil {
		e.Pending++
		m.storeEndpoint(t, e)
	}
	m.schedule(t, e, o)
}

// schedule writes a pending record and when it is due.
func (m *Machine) schedule(t *tenant, e *endpoint, o *Outgoing) {
	o.Lane = laneOf(e)
	m.put(key8(prefixOutbox, o.Sequence), o)
	var receiver uint64
	if e != nil {
		receiver = uint64(t.number)<<32 | uint64(e.number)
		m.put(deliveryKey(t, o.Sequence), o)
	}
	m.store.Set(scheduleKey(o.Lane, o.NextMillis, o.Sequence), binary.BigEndian.AppendUint64(nil, receiver))
	m.outboxHead.Add(1)
}

// OutboxHead is a number that changes with every delivery that is to be made,
// and tells nothing else.
func (m *Machine) OutboxHead() uint64 { return m.outboxHead.Load() }

// outgoing reads a pending record; nil where there is none.
func (m *Machine) outgoing(sequence uint64) (*Outgoing, error) {
	value, err := m.store.Get(key8(prefixOutbox, sequence))
	if err != nil || value == nil {
		return nil, err
	}
	o := &Outgoing{}
	return o, decode(o, value)
}

// unscheduleDelivery takes a record out of what is pending.
func (m *Machine) unscheduleDelivery(o *Outgoing) {
	m.store.Delete(key8(prefixOutbox, o.Sequence))
	m.store.Delete(scheduleKey(o.Lane, o.NextMillis, o.Sequence))
}

// applyOutboxTried records an attempt. Two leaders may have made it at once:
// the first to say so counts, except that what has arrived has arrived.
func (m *Machine) applyOutboxTried(_ *tenant, payload []byte) (reply, error) {
	var p OutboxTried
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if p.Result < TriedDelivered || p.Result > TriedDisabled || p.Attempt < 0 || p.Attempt == 0 && p.Result != TriedFailed {
		return m.acked(cloudlicenses.InvalidField, "result: is unknown"), nil
	}
	o, err := m.outgoing(p.Sequence)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	if o == nil || p.Attempt != 0 && p.Attempt != o.Attempts+1 && p.Result != TriedDelivered {
		return m.acked(cloudlicenses.OK, ""), nil
	}
	t := m.state.tenants[o.TenantID]
	var e *endpoint
	if t != nil && o.EndpointID != "" {
		e = t.endpoint(o.EndpointID)
	}
	m.unscheduleDelivery(o)
	if o.Status, o.Error = p.Status, p.Error; p.Attempt > 0 {
		o.Attempts, o.TriedMillis = p.Attempt, m.state.clock
	}
	switch {
	case t == nil, o.EndpointID != "" && e == nil: // nobody is left to be told
		m.state.pending(o, -1)
		if t != nil {
			m.store.Delete(deliveryKey(t, o.Sequence))
		}
	case p.Result == TriedRetry:
		o.NextMillis = max(p.NextMillis, m.state.clock)
		if e != nil {
			e.Endpoint.Failures++
			m.storeEndpoint(t, e)
		}
		m.schedule(t, e, o)
	case e == nil:
		err = m.settleMail(o, p.Result)
	default:
		err = m.settleWebhook(t, e, o, p.Result)
	}
	if err == nil && e != nil && e.number == 0 {
		err = m.invoiceTried(t, o)
	}
	return m.acked(cloudlicenses.OK, ""), err
}

// settleMail ends a mail. One that failed is remembered without what it said:
// it may have held a token.
func (m *Machine) settleMail(o *Outgoing, result uint8) error {
	s := m.state
	s.pending(o, -1)
	if result == TriedDelivered {
		return nil
	}
	var about struct {
		UserID cloudlicenses.UserID `json:"user_id,omitempty"`
		Email  string               `json:"email,omitempty"`
	}
	if err := json.Unmarshal(o.Payload, &about); err != nil {
		about.UserID = "" // not one of ours: nothing to remember
	}
	o.Payload, o.State, o.NextMillis = mustJSON(about), cloudlicenses.DeliveryFailed, 0
	m.put(scheduleKey(laneDead, s.clock, o.Sequence), o)
	if s.outbox.DeadMails++; s.outbox.DeadMails <= cloudlicenses.MaxDeadMails {
		return nil
	}
	scan, err := m.store.Scan([]byte{prefixSchedule, laneDead}, []byte{prefixSchedule, laneDead + 1})
	if err != nil {
		return err
	}
	if scan.Next() {
		m.store.Delete(slices.Clone(scan.Key()))
		s.outbox.DeadMails--
	}
	return scan.Close()
}

// settleWebhook ends a webhook's delivery, and keeps it in the endpoint's log.
func (m *Machine) settleWebhook(t *tenant, e *endpoint, o *Outgoing, result uint8) error {
	s := m.state
	s.pending(o, -1)
	e.Pending--
	o.NextMillis, o.State = 0, cloudlicenses.DeliveryFailed
	if result == TriedDelivered {
		o.State, e.Endpoint.Failures = cloudlicenses.DeliveryDelivered, 0
	} else {
		e.Endpoint.Failures++
		s.outbox.DeadWebhooks++
	}
	if result == TriedDisabled {
		e.Endpoint.Disabled = cloudlicenses.DisabledGone
	}
	m.put(deliveryKey(t, o.Sequence), o)
	at, _ := slices.BinarySearch(e.Settled, o.Sequence)
	e.Settled = slices.Insert(e.Settled, at, o.Sequence)
	for len(e.Settled) > cloudlicenses.DeliveryLog {
		if err := m.forgetOldest(t, e); err != nil {
			return err
		}
	}
	m.storeEndpoint(t, e)
	return nil
}

// forgetOldest removes the oldest delivery from an endpoint's log. The caller
// stores the endpoint.
func (m *Machine) forgetOldest(t *tenant, e *endpoint) error {
	return m.forgetDelivery(t, e, e.Settled[0])
}

func (m *Machine) forgetDelivery(t *tenant, e *endpoint, sequence uint64) error {
	o, err := m.delivery(t, sequence)
	if err != nil {
		return err
	}
	if o != nil && o.State == cloudlicenses.DeliveryFailed {
		m.state.outbox.DeadWebhooks--
	}
	m.store.Delete(deliveryKey(t, sequence))
	if at, found := slices.BinarySearch(e.Settled, sequence); found {
		e.Settled = slices.Delete(e.Settled, at, at+1)
	}
	return nil
}

// delivery reads a webhook's delivery, pending or settled; nil: there is none.
func (m *Machine) delivery(t *tenant, sequence uint64) (*Outgoing, error) {
	value, err := m.store.Get(deliveryKey(t, sequence))
	if err != nil || value == nil {
		return nil, err
	}
	o := &Outgoing{}
	return o, decode(o, value)
}

// applyReplay makes a settled delivery pending anew, with its whole schedule
// before it, and what is pending due at once.
func (m *Machine) applyReplay(t *tenant, payload []byte) (reply, error) {
	var p Replay
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	e, actor, refusal := m.managed(t, &p.By, p.EndpointID)
	if refusal != nil {
		return refusal, nil
	}
	o, err := m.delivery(t, p.Sequence)
	switch {
	case err != nil:
		return nil, fmt.Errorf("outbox: %w", err)
	case o == nil || o.EndpointID != p.EndpointID:
		return refusedEndpoint(cloudlicenses.NotFound, "no such delivery, or it has been replayed just now"), nil
	case e.Endpoint.Disabled != "":
		return refusedEndpoint(cloudlicenses.InvalidField, "the endpoint is disabled: enable it first"), nil
	}
	m.auditEndpoint(t, actionHookReplay, actor, &p.By, p.EndpointID)
	if o.State == cloudlicenses.DeliveryPending {
		m.unscheduleDelivery(o)
		o.NextMillis = m.state.clock
		m.schedule(t, e, o)
		return e.result(), nil
	}
	if err := m.forgetDelivery(t, e, o.Sequence); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	o.Attempts, o.TriedMillis, o.Status, o.Error = 0, 0, 0, ""
	m.enqueue(t, e, o)
	return e.result(), nil
}
