package fsm

import (
	"encoding/binary"
	"fmt"
	"slices"
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
func (s *Store) Add(key, item []byte) { s.pending.add(key, item) }

// isList reports whether the record under a key is a list.
func (s *Store) isList(key []byte) bool { return slices.Contains(s.cfg.Lists, key[0]) }

// getList is Get of a list.
func (s *Store) getList(key []byte) ([]byte, error) {
	disk, layers, err := s.view()
	if err != nil {
		return nil, err
	}
	defer disk.Close()
	parts := make([][]byte, 0, len(layers)+1) // newest first
	known := false
	for i := len(layers) - 1; i >= 0 && !known; i-- {
		var value []byte
		value, known = layers[i].get(key)
		parts = append(parts, value)
	}
	if !known {
		kept, err := read(disk, key)
		if err == nil && kept != nil {
			kept, err = s.opened(key, kept)
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, kept)
	}
	return joined(parts), nil
}

// opened is the value under a key from what the disk keeps of it.
func (s *Store) opened(key, kept []byte) ([]byte, error) {
	if !s.isList(key) {
		return s.ring.open(key, kept)
	}
	items := []byte{}
	for len(kept) > 0 {
		if len(kept) < partHeader || uint64(len(kept)-partHeader) < uint64(binary.BigEndian.Uint32(kept)) {
			return nil, fmt.Errorf("list %x is cut short", key)
		}
		end := partHeader + int(binary.BigEndian.Uint32(kept))
		part, err := s.ring.open(key, kept[partHeader:end])
		if err != nil {
			return nil, err
		}
		items, kept = append(items, part...), kept[end:]
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
