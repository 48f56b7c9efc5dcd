package license

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

// recordKind is what the store has to know of the records of a prefix.
type recordKind struct {
	prefix byte
	// tenantAt is where in the key the tenant's number stands; 0: the record
	// is the group's.
	tenantAt int
	// sealed: the disk keeps the values sealed, under the tenant's data key,
	// or the group's. So is whatever tells of persons or was written freely;
	// ids, numbers and prices are not.
	sealed bool
}

// recordKinds has a row for every kind of record: a record without one stops
// the store, so that nothing is kept in the clear, or survives its tenant, by
// oversight.
var recordKinds = []recordKind{
	{prefix: prefixMeta},
	{prefix: prefixTenant, tenantAt: 1, sealed: true},
	{prefix: prefixDataKey, tenantAt: 1},
	{prefix: prefixLicense, tenantAt: 1},
	{prefix: prefixLatest, tenantAt: 1},
	{prefix: prefixUsage, tenantAt: 1},
	{prefix: prefixHour, tenantAt: 1},
	{prefix: prefixDay, tenantAt: 1},
	{prefix: prefixUsers, tenantAt: 1, sealed: true},
	{prefix: prefixKey, tenantAt: 1, sealed: true},
	{prefix: prefixSpend, tenantAt: 1},
	{prefix: prefixKeyUse, tenantAt: 1},
	{prefix: prefixLease, tenantAt: 1, sealed: true},
	{prefix: prefixEnded, tenantAt: 5, sealed: true},
	{prefix: prefixCredit, tenantAt: 1, sealed: true},
	{prefix: prefixOverage, tenantAt: 1},
	{prefix: prefixAdjusted, tenantAt: 1},
	{prefix: prefixKept, tenantAt: 1, sealed: true},
	{prefix: prefixAudit, tenantAt: 1, sealed: true},
	{prefix: prefixUser, tenantAt: 1, sealed: true},
	{prefix: prefixGuard, tenantAt: 1, sealed: true},
	{prefix: prefixInvitation, tenantAt: 1, sealed: true},
	{prefix: prefixLink, tenantAt: 1, sealed: true},
	{prefix: prefixNotice, tenantAt: 1, sealed: true},
	{prefix: prefixRefusal, tenantAt: 1, sealed: true},
	{prefix: prefixEndpoint, tenantAt: 1, sealed: true},
	{prefix: prefixDelivery, tenantAt: 1, sealed: true},
	{prefix: prefixInvoiceHook, tenantAt: 1, sealed: true},
	{prefix: prefixProduct, tenantAt: 1},
	{prefix: prefixFloor, tenantAt: 1},
	{prefix: prefixTold, tenantAt: 1},
	{prefix: prefixBook, tenantAt: 1, sealed: true},
	{prefix: prefixInvoice, tenantAt: 1, sealed: true},
	{prefix: prefixBilled, tenantAt: 1},
	{prefix: prefixSSO, tenantAt: 1, sealed: true},
	{prefix: prefixVoid}, // no more than a count, and gone within minutes
	{prefix: prefixOutbox, sealed: true},
	{prefix: prefixSchedule, sealed: true}, // mails that failed are in it
	{prefix: prefixSignUp, sealed: true},
}

var kindByPrefix = func() (table [256]*recordKind) {
	for i := range recordKinds {
		k := &recordKinds[i]
		if table[k.prefix] != nil {
			panic(fmt.Sprintf("two kinds of records begin with %q", k.prefix))
		}
		table[k.prefix] = k
	}
	return table
}()

// errRecordKind: see recordKinds.
var errRecordKind = errors.New("a kind of record without a row in recordKinds")

// scopeOf tells the store whose a record is, and whether it is sealed.
func scopeOf(key []byte) (scope uint32, sealed bool, err error) {
	if len(key) == 0 {
		return 0, false, errRecordKind
	}
	if key[0] == 0 {
		return 0, false, nil // the store's own
	}
	k := kindByPrefix[key[0]]
	if k == nil || len(key) < k.tenantAt+4 && k.tenantAt > 0 {
		return 0, false, fmt.Errorf("%w: %q", errRecordKind, key)
	}
	if k.tenantAt > 0 {
		scope = binary.BigEndian.Uint32(key[k.tenantAt:])
	}
	return scope, k.sealed, nil
}

// removeTenant forgets a tenant without leases and leaves its tombstone. What
// the disk has of it goes in ranges; what backups still hold is nothing without
// its data key.
func (m *Machine) removeTenant(t *tenant) error {
	s := m.state
	if err := m.forgetIntents(t); err != nil {
		return err
	}
	if err := m.removeOutgoing(t); err != nil {
		return err
	}
	for _, list := range t.credits { // in any order: the queue passes over what has no seats
		for _, c := range list {
			c.seats = 0
		}
	}
	if u := s.signUps.byTenant[t.name]; u != nil {
		m.removeSignUp(u)
	}
	m.removeRecords(t)
	for _, pool := range t.licenseByNumber {
		if pool.heapPos >= 0 { // nothing of the tenant stays, not even until it is due
			s.dropIdle(pool)
		}
	}

	gone := &tenant{number: t.number, name: t.name, epoch: t.epoch, removed: true}
	s.byNumber[t.number-1] = gone
	s.removed[t.name] = true
	m.admission.Lock()
	delete(s.tenants, t.name)
	m.admission.Unlock()
	s.forgetDirty(t)
	s.noting = slices.DeleteFunc(s.noting, func(other *tenant) bool { return other == t })
	s.touchTenant(gone)
	m.audited = slices.DeleteFunc(m.audited, func(other *tenant) bool { return other == t })
	return nil
}

// forgetIntents drops what requests of the tenant's keys may still repeat: as
// all its leases have ended, the ended ones have it all.
func (m *Machine) forgetIntents(t *tenant) error {
	s := m.state
	hour := s.clock / millisPerHour
	for _, h := range []int64{hour - 1, hour} {
		lo := endedKey(nil, max(0, h), t.number, 0)
		err := each(m.store, lo[:9], func(_, value []byte) error {
			for err := range endedLeases(value, &m.record) {
				if err != nil {
					return err
				}
				_, k, err := t.parts(m.record.License, m.record.Key)
				if err != nil {
					return err
				}
				s.intents.drop(k.slot(m.record.Intent), m.record.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeOutgoing takes what is still to be sent for the tenant out of the
// outbox, and what could not be sent out of what is remembered of it. The
// deliveries of its webhooks go with its records.
func (m *Machine) removeOutgoing(t *tenant) error {
	s := m.state
	err := m.eachOutgoing([]byte{prefixOutbox}, func(_ []byte, o *Outgoing) {
		if o.TenantID == t.name {
			m.unscheduleDelivery(o)
			s.pending(o, -1)
		}
	})
	if err == nil {
		err = m.eachOutgoing([]byte{prefixSchedule, laneDead}, func(key []byte, o *Outgoing) {
			if o.TenantID == t.name {
				m.store.Delete(slices.Clone(key))
				s.outbox.DeadMails--
			}
		})
	}
	if err == nil {
		err = m.eachOutgoing(key4(prefixDelivery, t.number), func(_ []byte, o *Outgoing) {
			if o.State == cloudlicenses.DeliveryFailed {
				s.outbox.DeadWebhooks--
			}
		})
	}
	return err
}

func (m *Machine) eachOutgoing(prefix []byte, take func(key []byte, o *Outgoing)) error {
	return each(m.store, prefix, func(key, value []byte) error {
		var o Outgoing
		if err := decode(&o, value); err != nil {
			return err
		}
		take(key, &o)
		return nil
	})
}

// removeRecords deletes a tenant's records of every kind but its own, which
// becomes the tombstone.
func (m *Machine) removeRecords(t *tenant) {
	hour := m.state.clock / millisPerHour
	for i := range recordKinds {
		k := &recordKinds[i]
		switch {
		case k.prefix == prefixTenant || k.tenantAt == 0:
		case k.prefix == prefixDataKey:
			m.store.Delete(key4(prefixDataKey, t.number))
		case k.prefix == prefixEnded:
			for h := hour - endedBuckets; h <= hour; h++ {
				bucket := endedKey(nil, max(0, h), t.number, 0)[:9]
				m.store.DeleteRange(bucket, successor(bucket))
			}
		default:
			of := key4(k.prefix, t.number)
			m.store.DeleteRange(of, successor(of))
		}
	}
}

// forgetDirty takes a tenant's records out of what is to be written.
func (s *state) forgetDirty(t *tenant) {
	s.dirtyTenants = slices.DeleteFunc(s.dirtyTenants, func(other *tenant) bool { return other == t })
	s.dirtyLicenses = slices.DeleteFunc(s.dirtyLicenses, func(l *license) bool { return l.tenant == t })
	s.dirtyKeys = slices.DeleteFunc(s.dirtyKeys, func(k *key) bool { return k.tenant == t })
	s.dirtyLeases = slices.DeleteFunc(s.dirtyLeases, func(l *lease) bool { return l.license.tenant == t })
}

// removedName is why a name is refused.
const removedName = "the tenant was deleted, and its id is not given again"

// refuseRemoved is the answer to a name that this group never takes again.
func (m *Machine) refuseRemoved() reply { return m.acked(cloudlicenses.AlreadyExists, removedName) }
