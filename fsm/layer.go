package fsm

import (
	"bytes"
	"unsafe"
)

// arena copies small byte strings into large chunks, so that a record that
// waits for its write costs no allocation of its own.
type arena struct{ free []byte }

const arenaChunk = 64 << 10

func (a *arena) copy(b []byte) []byte {
	if len(b) > arenaChunk/4 {
		return bytes.Clone(b)
	}
	if len(b) > len(a.free) {
		a.free = make([]byte, arenaChunk)
	}
	kept := a.free[:len(b):len(b)]
	a.free = a.free[len(b):]
	copy(kept, b)
	return kept
}

// layer is a set of changes that are not in Pebble yet. It changes under the
// machine's lock until it is sealed, and never afterwards.
type layer struct {
	records map[string][]byte // nil: deleted
	ranges  [][2][]byte       // deleted [lo, hi); older than records
	bytes   int64
	arena   arena
}

func newLayer() *layer { return &layer{records: make(map[string][]byte)} }

const recordOverhead = 64

func (l *layer) set(key, value []byte) {
	v := l.arena.copy(value)
	if v == nil {
		v = []byte{}
	}
	l.put(key, v)
}

func (l *layer) put(key, value []byte) {
	l.bytes += int64(len(key) + len(value) + recordOverhead)
	if _, ok := l.records[string(key)]; ok {
		l.records[string(key)] = value
		return
	}
	k := l.arena.copy(key)
	l.records[unsafe.String(unsafe.SliceData(k), len(k))] = value
}

func (l *layer) deleteRange(lo, hi []byte) {
	for k := range l.records { // order does not matter: each is judged by itself
		if k >= string(lo) && k < string(hi) {
			delete(l.records, k)
		}
	}
	l.ranges = append(l.ranges, [2][]byte{bytes.Clone(lo), bytes.Clone(hi)})
	l.bytes += int64(len(lo) + len(hi) + recordOverhead)
}

// get returns the layer's word on key: its value (nil: deleted), or known
// false where an older layer decides.
func (l *layer) get(key []byte) (value []byte, known bool) {
	if value, known = l.records[string(key)]; known {
		return value, true
	}
	return nil, l.covers(key)
}

func (l *layer) covers(key []byte) bool {
	for _, r := range l.ranges {
		if bytes.Compare(key, r[0]) >= 0 && bytes.Compare(key, r[1]) < 0 {
			return true
		}
	}
	return false
}

func (l *layer) empty() bool { return len(l.records) == 0 && len(l.ranges) == 0 }
