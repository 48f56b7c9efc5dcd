package license

import (
	"bytes"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpKey, operation{name: "put key", needs: needsTenant, apply: (*Machine).applyKey})
	_ = register(OpRevokeKey, operation{name: "revoke key", needs: needsTenant, apply: (*Machine).applyRevokeKey})
)

// actorRevocation stands in the audit log for leases released with their key.
const actorRevocation = "key revocation"

// applyKey creates a key; one that is there already is left as it is.
func (m *Machine) applyKey(t *tenant, payload []byte) (reply, error) {
	var p PutKey
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if t.keyByID[p.Key.ID] != nil {
		return m.acked(cloudlicenses.OK, ""), nil
	}
	if t.keyByHash[p.Key.Hash] != nil {
		return m.acked(cloudlicenses.AlreadyExists, "another key has this hash"), nil
	}
	k := &key{Key: p.Key, number: uint32(len(t.keyByNumber)) + 1, tenant: t}
	k.Metadata = bytes.Clone(k.Metadata)
	m.admission.Lock()
	t.admitKey(k)
	m.admission.Unlock()
	m.storeKey(k)
	m.state.touchTenant(t)
	return m.acked(cloudlicenses.OK, ""), nil
}

// admitKey brings a key into the tables.
func (t *tenant) admitKey(k *key) {
	t.keyByNumber = append(t.keyByNumber, k)
	t.keyByID[k.ID] = k
	t.keyByHash[k.Hash] = k
}

func (m *Machine) storeKey(k *key) {
	m.keyBytes = key44(m.keyBytes, prefixKey, k.tenant.number, k.number)
	m.put(m.keyBytes, &k.Key)
}

// applyRevokeKey ends a key for good and, where asked, releases its leases in
// the order in which they were granted.
func (m *Machine) applyRevokeKey(t *tenant, payload []byte) (reply, error) {
	var r RevokeKey
	if err := decode(&r, payload); err != nil {
		return nil, err
	}
	k := t.keyByID[r.ID]
	if k == nil {
		return m.acked(cloudlicenses.NotFound, "no such key"), nil
	}
	if k.RevokedMillis == 0 {
		k.RevokedMillis = m.state.clock
		m.storeKey(k)
	}
	if r.ReleaseLeases {
		for _, slot := range slices.Clone(t.leases.order) {
			if slot.lease != nil && slot.lease.key == k {
				m.release(slot.lease, actorRevocation)
			}
		}
	}
	return m.acked(cloudlicenses.OK, ""), nil
}
