package license

import (
	"encoding/json"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
)

var _ = register(OpOutboxDone, operation{name: "outbox done", apply: (*Machine).applyOutboxDone})

// Kinds of outgoing records.
const kindProvisioned = "license.provisioned"

// announcedIDs bounds the ids that one announcement lists.
const announcedIDs = 20

// announcement is the JSON payload of license.provisioned.
type announcement struct {
	TenantID   cloudlicenses.TenantID    `json:"tenant_id"`
	LicenseIDs []cloudlicenses.LicenseID `json:"license_ids"` // the first ones
	Count      int                       `json:"count"`       // of all
}

// announceProvisioned leaves one record for all licenses of a command.
func (m *Machine) announceProvisioned(t *tenant, licenses []*License) {
	a := announcement{TenantID: t.name, Count: len(licenses)}
	for _, l := range licenses[:min(len(licenses), announcedIDs)] {
		a.LicenseIDs = append(a.LicenseIDs, l.ID)
	}
	payload, err := json.Marshal(a)
	if err != nil {
		panic("encode an announcement: " + err.Error()) // strings and a number always encode
	}
	m.send(t, kindProvisioned, payload)
}

// send leaves a record in the outbox.
func (m *Machine) send(t *tenant, kind string, payload []byte) {
	s := m.state
	s.outboxSequence++
	m.put(key8(prefixOutbox, s.outboxSequence), &Outgoing{
		Sequence: s.outboxSequence, TenantID: t.name, Kind: kind, AtMillis: s.clock, Payload: payload,
	})
}

// applyOutboxDone removes delivered records; those that are gone already
// don't matter.
func (m *Machine) applyOutboxDone(_ *tenant, payload []byte) (reply, error) {
	var p OutboxDone
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	for _, sequence := range p.Sequences {
		key := key8(prefixOutbox, sequence)
		value, err := m.store.Get(key)
		if err != nil {
			return nil, fmt.Errorf("outbox: %w", err)
		}
		if value != nil {
			m.store.Delete(key)
			m.state.outboxDone++
		}
	}
	return m.acked(cloudlicenses.OK, ""), nil
}
