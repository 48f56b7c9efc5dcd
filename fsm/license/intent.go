package license

import (
	"encoding/binary"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// intentKey is 16 bytes that identify a request.
type intentKey [16]byte

// intents remembers which lease a request was granted, so that the request
// repeated gets its first reply. An intent has no record of its own on disk:
// its lease's record, live or ended, carries it.
type intents struct {
	// leases are by the moment in which a fresh intent was made: what is asked for now,
	// and what is forgotten now, is together, where the processor has it at hand. An
	// intent of a client's own is in any of them.
	leases [intentMoments]map[intentKey]uint64 // scoped to the API key → lease id
	// server and client forget in order of time. A client's key is queued
	// only when its lease has ended.
	server fifo[forgetting]
	client fifo[forgetting]
}

type forgetting struct {
	at    int64 // Unix ms: no longer known from here on
	slot  intentSlot
	lease uint64
}

// intentSlot is where an intent is kept.
type intentSlot struct {
	key    intentKey
	moment uint16
}

// intentMoments of 128 ms are somewhat more than a fresh intent is remembered.
const intentMoments = 512

// slot is where an intent of a key's is kept. A fresh one is a UUID of version 7,
// which begins with 48 bits of Unix ms (RFC 9562).
func (k *key) slot(intent intentKey) intentSlot {
	return intentSlot{k.scoped(intent), binary.BigEndian.Uint16(intent[4:]) >> 7}
}

func newIntents() (i intents) {
	for moment := range i.leases {
		i.leases[moment] = make(map[intentKey]uint64)
	}
	return i
}

// lease is what the intent in a slot was granted.
func (i *intents) lease(s intentSlot) (id uint64, ok bool) {
	id, ok = i.leases[s.moment][s.key]
	return id, ok
}

// drop forgets an intent, unless it was granted another lease since.
func (i *intents) drop(s intentSlot, lease uint64) {
	if known := i.leases[s.moment]; known[s.key] == lease {
		delete(known, s.key)
	}
}

const (
	serverMemory = int64(cloudlicenses.RequestIDMemory / time.Millisecond)
	clientMemory = int64(cloudlicenses.IdempotencyAfterEnd / time.Millisecond)
)

// scoped mixes the API key into the intent. The key's first hash is a secret
// HMAC that no rotation changes, so nobody can aim at another key's intents; a hit is checked against the
// lease besides.
func (k *key) scoped(intent intentKey) intentKey {
	for i := range intent {
		intent[i] ^= k.Origin[i]
	}
	binary.BigEndian.PutUint32(intent[0:], binary.BigEndian.Uint32(intent[0:])^k.tenant.number)
	binary.BigEndian.PutUint32(intent[4:], binary.BigEndian.Uint32(intent[4:])^k.number)
	return intent
}

// granted remembers a new lease's intent.
func (i *intents) granted(l *lease) {
	slot := l.key.slot(l.intent)
	i.leases[slot.moment][slot.key] = l.id
	if !l.byClient {
		i.server.push(forgetting{l.issued + serverMemory, slot, l.id})
	}
}

// ended starts the last 15 minutes of a client's key.
func (i *intents) ended(l *lease, now int64) {
	if l.byClient {
		i.client.push(forgetting{now + clientMemory, l.key.slot(l.intent), l.id})
	}
}

// forget drops what is too old at the machine's clock.
func (i *intents) forget(now int64) {
	for _, queue := range []*fifo[forgetting]{&i.server, &i.client} {
		for f, ok := queue.front(); ok && f.at <= now; f, ok = queue.front() {
			i.drop(f.slot, f.lease)
			queue.pop()
		}
	}
}

// replay answers a repeated intent from its first reply, or refuses a key
// that was used for another body. It reports whether m.result is the answer.
func (m *Machine) replay(t *tenant, k *key, c *Checkout) (bool, error) {
	id, ok := m.state.intents.lease(k.slot(c.Intent))
	if !ok || plant.On(plant.NoDedup) {
		return false, nil
	}
	r := &m.record
	if l := t.leases.byID[id]; l != nil {
		l.record(r)
	} else if found, err := m.findEnded(t, id); err != nil || !found {
		return false, err
	}
	if r.Key != k.number || r.Intent != c.Intent {
		return false, nil
	}
	if r.IntentByClient && r.BodyHash != c.BodyHash {
		lic := t.licenseByNumber[r.License-1]
		m.refuseCheckout(t, k, lic, cloudlicenses.IdempotencyKeyReused, cloudlicenses.LayerNone, "")
		return true, nil
	}
	r.EndedMillis, r.End = 0, cloudlicenses.EndNone
	r.ExpiresMillis = firstExpiry(r.IssuedMillis, r.TTLMillis)
	m.result = LeaseResult{Replayed: true, Lease: t.publicRecord(r)}
	return true, nil
}
