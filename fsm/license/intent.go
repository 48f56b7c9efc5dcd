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
	leases map[intentKey]uint64 // scoped to the API key → lease id
	// server and client forget in order of time. A client's key is queued
	// only when its lease has ended.
	server fifo[forgetting]
	client fifo[forgetting]
}

type forgetting struct {
	at    int64 // Unix ms: no longer known from here on
	key   intentKey
	lease uint64
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
	key := l.key.scoped(l.intent)
	i.leases[key] = l.id
	if !l.byClient {
		i.server.push(forgetting{l.issued + serverMemory, key, l.id})
	}
}

// ended starts the last 15 minutes of a client's key.
func (i *intents) ended(l *lease, now int64) {
	if l.byClient {
		i.client.push(forgetting{now + clientMemory, l.key.scoped(l.intent), l.id})
	}
}

// forget drops what is too old at the machine's clock.
func (i *intents) forget(now int64) {
	for _, queue := range []*fifo[forgetting]{&i.server, &i.client} {
		for f, ok := queue.front(); ok && f.at <= now; f, ok = queue.front() {
			if i.leases[f.key] == f.lease {
				delete(i.leases, f.key)
			}
			queue.pop()
		}
	}
}

// replay answers a repeated intent from its first reply, or refuses a key
// that was used for another body. It reports whether m.result is the answer.
func (m *Machine) replay(t *tenant, k *key, c *Checkout) (bool, error) {
	id, ok := m.state.intents.leases[k.scoped(c.Intent)]
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
