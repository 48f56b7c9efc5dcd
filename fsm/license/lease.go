package license

import (
	"errors"
	"iter"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

var (
	_ = register(OpHeartbeat, operation{name: actionHeartbeat, needs: needsTenant, lease: true, byKey: true, small: true, apply: (*Machine).applyHeartbeat})
	_ = register(OpReturn, operation{name: actionReturn, needs: needsTenant, lease: true, byKey: true, small: true, apply: (*Machine).applyReturn})
	_ = register(OpRelease, operation{name: actionRelease, needs: needsTenant, lease: true, small: true, apply: (*Machine).applyRelease})
)

const (
	endedMemory  = int64(cloudlicenses.EndedLeaseMemory / time.Millisecond)
	endedBuckets = 25 // hours that 24 hours may touch
)

// applyHeartbeat extends a lease by its TTL. A lease lives until it is ended,
// so a heartbeat that comes before the expiry is applied still saves it.
func (m *Machine) applyHeartbeat(t *tenant, payload []byte) (reply, error) {
	h := &m.heartbeat
	if err := decode(h, payload); err != nil {
		return nil, err
	}
	l, done, err := m.ownLease(t, actionHeartbeat, &h.Caller, h.LeaseID, cloudlicenses.ScopeCheckout)
	if done || err != nil {
		return &m.result, err
	}
	l.expires = max(l.expires, m.state.clock+int64(l.ttl))
	m.state.touchLease(l)
	m.result = LeaseResult{Lease: m.state.public(l)}
	return &m.result, nil
}

// applyReturn ends a lease by its holder; of a returned one it repeats the
// answer.
func (m *Machine) applyReturn(t *tenant, payload []byte) (reply, error) {
	r := &m.giveBack
	if err := decode(r, payload); err != nil {
		return nil, err
	}
	l, done, err := m.ownLease(t, actionReturn, &r.Caller, r.LeaseID, cloudlicenses.ScopeReturn)
	if done || err != nil {
		return &m.result, err
	}
	m.endLease(l, cloudlicenses.EndReturned)
	m.describeLease(actionReturn, resultSuccess, l)
	m.entry.Address, m.entry.LibVersion = r.Caller.Address, r.Caller.LibVersion
	m.recordAudit(t)
	m.result = LeaseResult{Lease: m.endedPublic(l, cloudlicenses.EndReturned)}
	return &m.result, nil
}

// ownLease finds the live lease that the caller's key took. Otherwise the
// answer is in m.result and done is true.
func (m *Machine) ownLease(t *tenant, action string, c *Caller, id cloudlicenses.LeaseID, scope cloudlicenses.Scope) (l *lease, done bool, err error) {
	k, layer, code := t.admitted(c, scope, m.state.clock)
	if k == nil {
		m.result = LeaseResult{Code: code, Layer: layer}
		return nil, true, nil
	}
	if code == cloudlicenses.OK {
		m.use(k)
		if l = t.leases.byID[uint64(id)]; l != nil && l.key == k {
			return l, false, nil
		}
		code = cloudlicenses.LeaseNotFound
		found := false
		if l == nil {
			if found, err = m.findEnded(t, uint64(id)); err != nil {
				return nil, true, err
			}
		}
		if found && m.record.Key == k.number {
			if action == actionReturn && m.record.End == cloudlicenses.EndReturned {
				m.result = LeaseResult{Lease: t.publicRecord(&m.record)}
				return nil, true, nil
			}
			code = endCode(m.record.End)
			m.refuseLease(t, action, k, c, id, t.licenseByNumber[m.record.License-1], code, layer)
			return nil, true, nil
		}
	}
	m.refuseLease(t, action, k, c, id, nil, code, layer)
	return nil, true, nil
}

// refuseLease records the refusal of a known key and answers it.
func (m *Machine) refuseLease(t *tenant, action string, k *key, c *Caller, id cloudlicenses.LeaseID, lic *license, code cloudlicenses.Code, layer cloudlicenses.Layer) {
	m.countRefusal(lic, code)
	m.describeCaller(action, code, k, c)
	m.entry.LeaseID = id
	if lic != nil {
		m.entry.LicenseID, m.entry.ProductID = lic.ID, lic.ProductID
	}
	m.recordAudit(t)
	m.result = LeaseResult{Code: code, Layer: layer, Detail: k.refusal(code, c, m.state.clock)}
}

// endCode is what an ended lease answers.
func endCode(end cloudlicenses.EndReason) cloudlicenses.Code {
	if end == cloudlicenses.EndExpired {
		return cloudlicenses.LeaseExpired
	}
	return cloudlicenses.LeaseReleased
}

// applyRelease ends a lease by the tenant's administrator.
func (m *Machine) applyRelease(t *tenant, payload []byte) (reply, error) {
	var r Release
	if err := decode(&r, payload); err != nil {
		return nil, err
	}
	if l := t.leases.byID[uint64(r.LeaseID)]; l != nil {
		m.release(l, r.Actor)
		m.result = LeaseResult{Lease: m.endedPublic(l, cloudlicenses.EndReleased)}
		return &m.result, nil
	}
	found, err := m.findEnded(t, uint64(r.LeaseID))
	if err != nil {
		return nil, err
	}
	m.result = LeaseResult{Code: cloudlicenses.LeaseNotFound}
	if found {
		m.result = LeaseResult{Code: endCode(m.record.End), Lease: t.publicRecord(&m.record)}
	}
	return &m.result, nil
}

// release ends a live lease by force.
func (m *Machine) release(l *lease, actor string) {
	m.endLease(l, cloudlicenses.EndReleased)
	m.describeLease(actionRelease, resultSuccess, l)
	m.entry.Actor = actor
	m.recordAudit(l.license.tenant)
}

// endLease frees a live lease's seats and leaves its record among the ended
// ones.
func (m *Machine) endLease(l *lease, reason cloudlicenses.EndReason) {
	s, lic := m.state, l.license
	t := lic.tenant
	s.accrue(m.store, lic)
	lic.pool.Commit -= int64(l.commit)
	lic.pool.Overage -= int64(l.overage)
	s.touchLicense(lic)

	t.leases.remove(l)
	s.unschedule(l)
	s.intents.ended(l, s.clock)
	l.ended = true
	if l.stored {
		m.keyBytes = key48(m.keyBytes, prefixLease, t.number, l.id)
		m.store.Delete(m.keyBytes)
	}
	r := &m.record
	l.record(r)
	r.EndedMillis, r.End = s.clock, reason
	m.keyBytes = endedKey(m.keyBytes, s.clock/millisPerHour, t.number, l.id)
	m.bytes = appendRecord(m.bytes[:0], r)
	m.store.Add(m.keyBytes, m.bytes)
}

// endedTogether is how many leases that were granted one after the other share a
// list of those that have ended: most of them end at much the same time, too.
const endedTogether = 64

// endedKey is the key of the list that a lease comes into that ends in an hour; with
// id 0, the first one of its tenant there.
func endedKey(b []byte, hour int64, tenant uint32, id uint64) []byte {
	return key448(b, prefixEnded, uint32(hour), tenant, id/endedTogether)
}

// findEnded looks an ended lease up, into m.record. It is kept in the bucket
// of the hour of its end, so that whole hours can be dropped at once; bloom
// filters make the empty probes cheap.
func (m *Machine) findEnded(t *tenant, id uint64) (bool, error) {
	s := m.state
	if id == 0 || id > t.leaseSequence {
		return false, nil
	}
	lists, err := m.store.Lists()
	if err != nil {
		return false, err
	}
	found := false
	hour := s.clock / millisPerHour
	for back := int64(0); back < endedBuckets && !found && err == nil; back++ {
		m.keyBytes = endedKey(m.keyBytes, hour-back, t.number, id)
		found, err = m.endedAmong(lists, m.keyBytes, id)
	}
	if err = errors.Join(err, lists.Close()); err != nil {
		return false, err
	}
	return found && s.clock-m.record.EndedMillis < endedMemory, nil
}

// endedAmong looks for a lease in the list under key, into m.record.
func (m *Machine) endedAmong(lists *fsm.ListReader, key []byte, id uint64) (bool, error) {
	list, err := lists.Get(key)
	if err != nil {
		return false, err
	}
	for err := range endedLeases(list, &m.record) {
		if err != nil || m.record.ID == id {
			return err == nil, err
		}
	}
	return false, nil
}

// endedLeases decodes the leases of a list into r, one after the other; the last one
// may be an error.
func endedLeases(list []byte, r *leaseRecord) iter.Seq[error] {
	return func(yield func(error) bool) {
		for len(list) > 0 {
			rest, err := r.UnmarshalMsg(list)
			if !yield(err) || err != nil {
				return
			}
			list = rest
		}
	}
}

// put writes a record through the scratch buffer.
func (m *Machine) put(key []byte, r reply) {
	m.bytes = appendRecord(m.bytes[:0], r)
	m.store.Set(key, m.bytes)
}

// appendRecord encodes a record of strings, numbers and lists of them, which
// always encode.
func appendRecord(b []byte, r reply) []byte {
	b, err := r.MarshalMsg(b)
	if err != nil {
		panic("encode a record: " + err.Error())
	}
	return b
}

// record fills r with a live lease.
func (l *lease) record(r *leaseRecord) {
	*r = leaseRecord{
		ID: l.id, License: l.license.number, Key: l.key.number,
		User: l.user, Hostname: l.hostname, Fingerprint: l.fingerprint, Metadata: l.metadata,
		CommitSeats: int64(l.commit), OverageSeats: int64(l.overage),
		TTLMillis: int64(l.ttl), IssuedMillis: l.issued, ExpiresMillis: l.expires,
		Intent: l.intent, IntentByClient: l.byClient, BodyHash: l.bodyHash,
	}
}

// public is a live lease as the outside sees it: with the expiry in force.
func (s *state) public(l *lease) Lease {
	return Lease{
		ID: cloudlicenses.LeaseID(l.id), LicenseID: l.license.ID, VendorID: l.license.VendorID, ProductID: l.license.ProductID,
		KeyID: l.key.ID, User: l.user, Hostname: l.hostname, Fingerprint: l.fingerprint,
		Count: l.seats(), OverageCount: int64(l.overage), TTLMillis: int64(l.ttl),
		IssuedMillis: l.issued, ExpiresMillis: s.expiry(l),
	}
}

func (m *Machine) endedPublic(l *lease, reason cloudlicenses.EndReason) Lease {
	p := m.state.public(l)
	p.ExpiresMillis = l.expires
	p.EndedMillis, p.End = m.state.clock, reason
	return p
}

// publicRecord is a lease's record as the outside sees it.
func (t *tenant) publicRecord(r *leaseRecord) Lease {
	lic, k := t.licenseByNumber[r.License-1], t.keyByNumber[r.Key-1]
	return Lease{
		ID: cloudlicenses.LeaseID(r.ID), LicenseID: lic.ID, VendorID: lic.VendorID, ProductID: lic.ProductID,
		KeyID: k.ID, User: r.User, Hostname: r.Hostname, Fingerprint: r.Fingerprint,
		Count: r.CommitSeats + r.OverageSeats, OverageCount: r.OverageSeats, TTLMillis: r.TTLMillis,
		IssuedMillis: r.IssuedMillis, ExpiresMillis: r.ExpiresMillis, EndedMillis: r.EndedMillis, End: r.End,
	}
}
