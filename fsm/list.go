package fsm

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// A list is a record that grows: what is added to it between two cuts is written as
// one part behind those that are there (a merge of Pebble's). Where many small
// records come at once it costs one write, and one seal, instead of one each.
//
//	+-----------+---------------------------------------+
//	| size      | items, one after the other, kept as a |  per part, oldest first
//	| (uint32)  | record of their kind is               |
//	+-----------+---------------------------------------+
//
// An item tells by itself where it ends: the store knows no more than its bytes.
const partHeader = 4

// Add appends an item to the list under key (StoreConfig.Lists), copying both.
// Owner's lock held.
func (s *Store) Add(key, item []byte) {
	if !s.isList(key) {
		panic(fmt.Sprintf("add to %x, which is no list", key))
	}
	s.pending.add(key, item)
}

// isList reports whether the record under a key is a list.
func (s *Store) isList(key []byte) bool { return slices.Contains(s.cfg.Lists, key[0]) }

// ListReader reads lists as of one moment.
type ListReader struct {
	s      *Store
	disk   *pebble.Iterator
	layers []*layer
}

// Lists begins to read lists. Owner's lock held, at least for reading, until the
// reader is closed.
func (s *Store) Lists() (*ListReader, error) {
	disk, layers, err := s.view()
	if err != nil {
		return nil, s.failRead(err)
	}
	return &ListReader{s, disk, layers}, nil
}

// Get returns all items of the list under key, nil where there are none. They must
// not be changed.
func (r *ListReader) Get(key []byte) ([]byte, error) {
	parts := make([][]byte, 0, len(r.layers)+1) // newest first
	known := false
	for i := len(r.layers) - 1; i >= 0 && !known; i-- {
		var value []byte
		value, known = r.layers[i].get(key)
		parts = append(parts, value)
	}
	if !known {
		kept, err := seek(r.disk, key)
		if err == nil && kept != nil {
			kept, err = r.s.opened(key, kept)
		}
		if err != nil {
			return nil, r.s.failRead(err)
		}
		parts = append(parts, kept)
	}
	return joined(parts), nil
}

// Close ends the reading.
func (r *ListReader) Close() error {
	if err := r.disk.Close(); err != nil {
		return r.s.failRead(err)
	}
	return nil
}

// opened is the value under a key from what the disk keeps of it.
func (s *Store) opened(key, kept []byte) ([]byte, error) {
	if !s.isList(key) {
		return s.ring.open(key, kept)
	}
	how, err := s.ring.of(key)
	if err != nil {
		return nil, err
	}
	items := make([]byte, 0, len(kept))
	for len(kept) > 0 {
		if len(kept) < partHeader || uint64(len(kept)-partHeader) < uint64(binary.BigEndian.Uint32(kept)) {
			return nil, fmt.Errorf("list %x is cut short", key)
		}
		end := partHeader + int(binary.BigEndian.Uint32(kept))
		if items, err = how.open(items, key, kept[partHeader:end]); err != nil {
			return nil, err
		}
		kept = kept[end:]
	}
	return items, nil
}

// joined is the value whose parts these are, newest first; nil: there is none.
func joined(parts [][]byte) (value []byte) {
	for i := len(parts) - 1; i >= 0; i-- {
		switch {
		case value == nil:
			value = parts[i]
		case parts[i] != nil:
			value = slices.Concat(value, parts[i])
		}
	}
	return value
}
