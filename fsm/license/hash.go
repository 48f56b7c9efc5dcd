package license

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

// stateHasher hashes the logical state in a defined order: nothing of it
// depends on what is on disk already, nor on how it got there.
type stateHasher struct {
	h   hash.Hash
	buf []byte
}

func (h *stateHasher) add(r reply) {
	h.buf = appendRecord(h.buf[:0], r)
	h.h.Write(h.buf)
}

func (h *stateHasher) number(n uint64) {
	h.h.Write(binary.BigEndian.AppendUint64(h.buf[:0], n))
}

// hash returns SHA-256 over the whole state. mu held for reading.
func (s *state) hash() (sum [32]byte) {
	h := &stateHasher{h: sha256.New()}
	h.add(s.meta())
	for _, name := range slices.Sorted(maps.Keys(s.tenants)) {
		s.hashTenant(h, s.tenants[name])
	}
	for _, t := range s.byNumber {
		if t.removed {
			h.add(t.record())
		}
	}
	h.signUps(&s.signUps)
	s.hashIntents(h)
	s.hashVoids(h)
	h.h.Sum(sum[:0])
	return sum
}

func (s *state) hashTenant(h *stateHasher, t *tenant) {
	h.number(uint64(t.number))
	h.add(t.record())
	for _, l := range t.licenseByNumber {
		h.add(&l.License)
		h.number(uint64(l.pool.Commit))
		h.number(uint64(l.pool.Overage))
		h.add(l.latest(&latestRecord{}))
		if l.recent != nil {
			for g := range l.recent.users {
				h.add(l.recent.users[g].record())
			}
		}
	}
	for _, k := range t.keyByNumber {
		h.add(&k.Key)
		h.add(&k.spent)
		h.add(k.useRecord())
	}
	var r leaseRecord
	for _, slot := range t.leases.order {
		if slot.lease != nil {
			slot.lease.record(&r)
			h.add(&r)
		}
	}
	var credits []*credit
	for _, list := range t.credits {
		credits = append(credits, list...)
	}
	slices.SortFunc(credits, func(a, b *credit) int { return cmp.Compare(a.sequence, b.sequence) })
	for _, c := range credits {
		h.add(c.record())
	}
	h.users(&t.users)
	if t.sso.Revision > 0 {
		h.add(&t.sso)
	}
	h.endpoints(t.hooks)
	h.provisioning(t)
	h.vendor(&t.vendor)
}

// hashIntents adds all intents that may still be repeated. Their keys come
// from hashes, so a sum of hashes is as good as an order, and cheaper than
// sorting millions.
func (s *state) hashIntents(h *stateHasher) {
	var sum [4]uint64
	var b [24]byte
	count := 0
	for _, leases := range s.intents.leases {
		count += len(leases)
		for key, lease := range leases {
			copy(b[:], key[:])
			binary.BigEndian.PutUint64(b[16:], lease)
			one := sha256.Sum256(b[:])
			for i := range sum {
				sum[i] += binary.BigEndian.Uint64(one[8*i:])
			}
		}
	}
	h.number(uint64(count))
	for _, n := range sum {
		h.number(n)
	}
}

func (m *Machine) queryHash() reply {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &StateHash{Code: cloudlicenses.OK, AppliedIndex: m.state.applied, Hash: m.state.hash()}
}
