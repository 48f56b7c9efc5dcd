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
	changes []change         // each key once, in the order in which keys came
	index   map[string]int32 // key → place in changes
	ranges  [][2][]byte      // deleted [lo, hi); older than changes
	bytes   int64
	arena   arena
	// firstList is the room that a list is given with its second item: what the lists
	// of the layer before had.
	firstList int
}

// change is the new value of a key; nil: deleted.
type change struct {
	key   string
	value []byte
	added bool // to what older layers and the disk have under the key
}

// maxLayerHint bounds what is set aside for a layer to be.
const maxLayerHint = 1 << 13

// newLayer returns a layer with room for about so many keys.
func newLayer(keys int) *layer {
	keys = min(keys, maxLayerHint)
	return &layer{index: make(map[string]int32, keys), changes: make([]change, 0, keys), firstList: leastList}
}

// next returns a layer with room for about as much as l has come to hold.
func (l *layer) next() *layer {
	n := newLayer(len(l.changes))
	lists, bytes := 0, 0
	for i := range l.changes {
		if c := &l.changes[i]; c.added {
			lists++
			bytes += len(c.value)
		}
	}
	if lists > 0 {
		n.firstList = min(max(leastList, bytes/lists), mostList)
	}
	return n
}

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
	if i, ok := l.index[string(key)]; ok {
		l.changes[i].value, l.changes[i].added = value, false
		return
	}
	l.note(key, value, false)
}

// note takes a key over that the layer does not have.
func (l *layer) note(key, value []byte, added bool) {
	k := l.arena.copy(key)
	kept := unsafe.String(unsafe.SliceData(k), len(k))
	l.index[kept] = int32(len(l.changes))
	l.changes = append(l.changes, change{kept, value, added})
}

// leastList and mostList bound the room of a list that has got a second item.
const (
	leastList = 512
	mostList  = 16 << 10
)

// add appends an item to the list under a key.
func (l *layer) add(key, item []byte) {
	l.bytes += int64(len(item))
	i, ok := l.index[string(key)]
	if !ok {
		l.bytes += int64(len(key) + recordOverhead)
		l.note(key, l.arena.copy(item), true)
		return
	}
	c := &l.changes[i]
	if need := len(c.value) + len(item); need > cap(c.value) {
		c.value = append(make([]byte, 0, max(l.firstList, 2*need)), c.value...)
		l.bytes += int64(cap(c.value) - need)
	}
	c.value = append(c.value, item...)
}

func (l *layer) deleteRange(lo, hi []byte) {
	kept := l.changes[:0]
	clear(l.index)
	for _, c := range l.changes {
		if c.key < string(lo) || c.key >= string(hi) {
			l.index[c.key] = int32(len(kept))
			kept = append(kept, c)
		}
	}
	clear(l.changes[len(kept):])
	l.changes = kept
	l.ranges = append(l.ranges, [2][]byte{bytes.Clone(lo), bytes.Clone(hi)})
	l.bytes += int64(len(lo) + len(hi) + recordOverhead)
}

// get returns the layer's word on key: its value (nil: deleted), or known
// false where older layers have theirs, too, in front of this value.
func (l *layer) get(key []byte) (value []byte, known bool) {
	if i, ok := l.index[string(key)]; ok {
		c := &l.changes[i]
		return c.value, !c.added || covers(l.ranges, key)
	}
	return nil, covers(l.ranges, key)
}

// covers reports whether one of the ranges holds key.
func covers(ranges [][2][]byte, key []byte) bool {
	for _, r := range ranges {
		if bytes.Compare(key, r[0]) >= 0 && bytes.Compare(key, r[1]) < 0 {
			return true
		}
	}
	return false
}
