package license

import (
	"bytes"
	"fmt"
	"slices"
)

// voids remembers the requests of which a later try was refused. An earlier try
// of one may still lie in the sockets of a leader that did not run for a while:
// carried out after its client has heard of the refusal, it would hold a seat
// that nobody knows of.
type voids struct {
	tries map[intentKey]voidRecord // by request id, scoped to the API key
	order fifo[voidEntry]          // in order of time; one of an older time has been raised since
}

type voidEntry struct {
	at  int64
	key intentKey
}

// has reports whether a try of a request is void.
func (v *voids) has(request intentKey, try uint8) bool {
	return len(v.tries) > 0 && try < v.tries[request].Try
}

func (v *voids) admit(request intentKey, r voidRecord) {
	if v.tries == nil {
		v.tries = make(map[intentKey]voidRecord)
	}
	v.tries[request] = r
	v.order.push(voidEntry{r.AtMillis, request})
}

// void makes the tries of a request before this one void for RequestIDMemory.
func (m *Machine) void(request intentKey, try uint8) {
	r := voidRecord{Try: try, AtMillis: m.state.clock + serverMemory}
	m.state.voids.admit(request, r)
	m.put(voidKey(request), &r)
}

// forgetVoids drops what is too old at the machine's clock.
func (m *Machine) forgetVoids() {
	v := &m.state.voids
	for e, ok := v.order.front(); ok && e.at <= m.state.clock; e, ok = v.order.front() {
		if v.tries[e.key].AtMillis == e.at {
			delete(v.tries, e.key)
			m.store.Delete(voidKey(e.key))
		}
		v.order.pop()
	}
}

func voidKey(request intentKey) []byte { return append([]byte{prefixVoid}, request[:]...) }

// void reads a record back; finish brings them into order.
func (l *loader) void(key, value []byte) error {
	if len(key) != 1+len(intentKey{}) {
		return fmt.Errorf("a key of %d bytes", len(key))
	}
	var r voidRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	l.voids = append(l.voids, loadedVoid{intentKey(key[1:]), r})
	return nil
}

type loadedVoid struct {
	key    intentKey
	record voidRecord
}

func (l *loader) finishVoids() {
	slices.SortFunc(l.voids, func(a, b loadedVoid) int {
		if a.record.AtMillis != b.record.AtMillis {
			return int(min(1, max(-1, a.record.AtMillis-b.record.AtMillis)))
		}
		return bytes.Compare(a.key[:], b.key[:])
	})
	for _, v := range l.voids {
		l.s.voids.admit(v.key, v.record)
	}
}

// hashVoids adds the voids, in order of request.
func (s *state) hashVoids(h *stateHasher) {
	keys := make([]intentKey, 0, len(s.voids.tries))
	for key := range s.voids.tries {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b intentKey) int { return bytes.Compare(a[:], b[:]) })
	for _, key := range keys {
		r := s.voids.tries[key]
		h.h.Write(key[:])
		h.add(&r)
	}
}
