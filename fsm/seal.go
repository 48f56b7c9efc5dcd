package fsm

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/s2"
)

// Sealer opens data keys. It stands outside of the machines: they keep data
// keys as they came, wrapped, and never see a key or anything random.
type Sealer interface {
	// DataKey opens a data key as its record holds it. An error means that the
	// node has another key than the one it was wrapped with.
	//
	// It makes a nonce up for each value and puts it in front
	// (cipher.NewGCMWithRandomNonce).
	DataKey(wrapped []byte) (cipher.AEAD, error)
	// GroupKey is the key for what belongs to no tenant of a group.
	GroupKey(group uint32) (cipher.AEAD, error)
}

// Sealing says which records of a machine are sealed on the disk, and under
// whose key. Memory, hashes and comparisons know plain values only: a record
// is sealed on its way from the write-behind to Pebble, and opened where it is
// read back. Snapshots are made of the files, and so hold sealed values alone.
type Sealing struct {
	Sealer Sealer // nil: records stay plain; those that are sealed can't be read
	// Scope returns whose a record is: a tenant's number, or 0 for the group
	// itself. An error stops the store: every kind of record must be known.
	Scope func(key []byte) (scope uint32, sealed bool, err error)
	// KeyPrefix begins the keys of the records that hold wrapped data keys:
	//
	//	KeyPrefix scope(4)
	//
	// Deleting one makes whatever else was sealed under it unreadable.
	KeyPrefix byte
}

// A value of a kind that is sealed begins, on the disk, with how it is kept:
//
//	0         1..
//	+---------+----------------------------------------------------------+
//	| 0       | the value: its tenant has no data key                    |
//	| 1       | AES-256-GCM of the value: nonce (12), ciphertext, tag    |
//	|         | (16), bound to scope (4) and the record's key            |
//	| 2       | the value in S2's block format                           |
//	| 3       | AES-256-GCM of that, bound to this byte, too             |
//	+---------+----------------------------------------------------------+
const (
	keptPlain  = 0
	keptSealed = 1 // a bit: sealed
	keptPacked = 2 // a bit: packed before that
)

const (
	// packFrom is the size from which on a value is packed, if that saves an eighth:
	// what is sealed cannot be packed any more, and a shorter one does not repeat
	// itself.
	packFrom = 512
	// keptScratch bounds the buffer that stays for the next value to be packed.
	keptScratch = 1 << 20
	// maxUnpacked is more than a record has: a length that was damaged is no reason to
	// run out of memory.
	maxUnpacked = 1 << 30
)

// keyring holds the data keys in force on the disk: it changes with the cuts
// that Pebble takes, not with the entries that are applied.
type keyring struct {
	sealing *Sealing
	group   uint32

	mu   sync.RWMutex
	keys map[uint32]cipher.AEAD // by scope

	bound  []byte // scratch of seal
	packed []byte // scratch of pack
}

// openKeyring opens the data keys that the database holds.
func (s *Store) openKeyring() error {
	if s.cfg.Sealing == nil {
		return nil
	}
	r := &keyring{sealing: s.cfg.Sealing, group: s.cfg.Group, keys: make(map[uint32]cipher.AEAD)}
	if sealer := r.sealing.Sealer; sealer != nil {
		key, err := sealer.GroupKey(s.cfg.Group)
		if err != nil {
			return err
		}
		r.keys[0] = key
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{r.sealing.KeyPrefix}, UpperBound: []byte{r.sealing.KeyPrefix + 1}})
	if err != nil {
		return Damaged(s.cfg.Dir, err)
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		var wrapped []byte
		if wrapped, err = it.ValueAndErr(); err == nil {
			err = r.change(it.Key(), wrapped)
		}
	}
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	s.ring = r
	return err
}

// change follows the record of a data key; wrapped is nil where it is deleted.
func (r *keyring) change(key, wrapped []byte) error {
	if len(key) != 5 || key[0] != r.sealing.KeyPrefix {
		return nil
	}
	scope := binary.BigEndian.Uint32(key[1:])
	if wrapped == nil {
		r.mu.Lock()
		delete(r.keys, scope)
		r.mu.Unlock()
		return nil
	}
	if r.sealing.Sealer == nil {
		return nil
	}
	opened, err := r.sealing.Sealer.DataKey(wrapped)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.keys[scope] = opened
	r.mu.Unlock()
	return nil
}

func (r *keyring) key(scope uint32) cipher.AEAD {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys[scope]
}

// bind appends the associated data of a record that is kept in a way.
func bind(b []byte, scope uint32, key []byte, how byte) []byte {
	b = append(binary.BigEndian.AppendUint32(b, scope), key...)
	if how&keptPacked != 0 {
		b = append(b, how)
	}
	return b
}

// keeping is how a kind of record is kept on the disk.
type keeping struct {
	sealed bool // of a kind that is sealed
	scope  uint32
	aead   cipher.AEAD // nil: its scope has no data key
	how    byte        // keptPacked or 0, of a value to be sealed
}

// of returns how the record under a key is kept from now on.
func (r *keyring) of(key []byte) (k keeping, err error) {
	if r == nil {
		return k, nil
	}
	if k.scope, k.sealed, err = r.sealing.Scope(key); k.sealed && err == nil {
		k.aead = r.key(k.scope)
	}
	return k, err
}

// size is how many bytes a value has on the disk, once it is packed.
func (k *keeping) size(value []byte) int {
	switch {
	case !k.sealed:
		return len(value)
	case k.aead == nil:
		return 1 + len(value)
	}
	return 1 + len(value) + k.aead.Overhead()
}

// pack makes a value shorter where that is worth its while, and says so for seal.
// The result holds until the next call; one goroutine at a time calls it and seal.
func (r *keyring) pack(k *keeping, value []byte) []byte {
	if !k.sealed || len(value) < packFrom {
		return value
	}
	packed := s2.Encode(r.packed[:cap(r.packed)], value)
	if cap(packed) <= keptScratch {
		r.packed = packed
	}
	if len(packed) > len(value)-len(value)/8 {
		return value
	}
	k.how |= keptPacked
	return packed
}

// seal fills into, of the size that is kept, with a value as the disk keeps it:
// in place, since most of what is written behind is sealed.
func (r *keyring) seal(into []byte, k *keeping, key, value []byte) {
	switch {
	case !k.sealed:
		copy(into, value)
	case k.aead == nil:
		into[0] = k.how
		copy(into[1:], value)
	default:
		into[0] = k.how | keptSealed
		r.bound = bind(r.bound[:0], k.scope, key, into[0])
		if kept := k.aead.Seal(into[:1], nil, value, r.bound); len(kept) != len(into) || &kept[0] != &into[0] {
			panic("seal a record: its length is not what its key says")
		}
	}
}

// open is the reverse of seal.
func (r *keyring) open(key, kept []byte) ([]byte, error) {
	k, err := r.of(key)
	if err != nil || !k.sealed {
		return kept, err
	}
	return k.open([]byte{}, key, kept)
}

// open appends to b what seal was given.
func (k *keeping) open(b, key, kept []byte) ([]byte, error) {
	switch {
	case !k.sealed:
		return append(b, kept...), nil
	case len(kept) == 0:
		return nil, fmt.Errorf("record %x is empty", key)
	case kept[0] > keptPacked|keptSealed:
		return nil, fmt.Errorf("record %x is kept in a way that this release does not know", key)
	}
	how, value := kept[0], kept[1:]
	if how&keptSealed != 0 {
		if k.aead == nil {
			return nil, fmt.Errorf("record %x is sealed, and its data key %d is not there", key, k.scope)
		}
		into := b
		if how&keptPacked != 0 {
			into = nil
		}
		opened, err := k.aead.Open(into, nil, value, bind(nil, k.scope, key, how))
		if err != nil {
			return nil, fmt.Errorf("record %x: %w", key, err)
		}
		if how&keptPacked == 0 {
			return opened, nil
		}
		value = opened
	}
	if how&keptPacked == 0 {
		return append(b, value...), nil
	}
	return unpack(b, key, value)
}

// unpack appends to b what pack was given.
func unpack(b, key, packed []byte) ([]byte, error) {
	n, err := s2.DecodedLen(packed)
	if err == nil && n > maxUnpacked {
		err = fmt.Errorf("%d bytes are more than a record has", n)
	}
	if err == nil {
		at := len(b)
		b = slices.Grow(b, n)[:at+n]
		_, err = s2.Decode(b[at:], packed)
	}
	if err != nil {
		return nil, fmt.Errorf("record %x is not packed as it says: %w", key, err)
	}
	return b, nil
}

// followKeys brings the ring to what it is once a cut is in Pebble. What else
// the cut holds of a tenant whose key it deletes was written after that, and
// stays plain.
func (s *Store) followKeys(c *cut) (destroyed bool, err error) {
	if s.ring == nil {
		return false, nil
	}
	for i := range c.layer.changes {
		change := &c.layer.changes[i]
		if change.key[0] != s.ring.sealing.KeyPrefix {
			continue
		}
		if err := s.ring.change([]byte(change.key), change.value); err != nil {
			return false, err
		}
		destroyed = destroyed || change.value == nil
	}
	return destroyed, nil
}

// eraseKeys takes deleted data keys out of the database's files as well, where
// they would lie until a compaction comes that way.
func (s *Store) eraseKeys() {
	lo := []byte{s.ring.sealing.KeyPrefix}
	hi := []byte{s.ring.sealing.KeyPrefix + 1}
	if s.erasing.Err() != nil {
		return // closing: a later compaction does it
	}
	s.readers.Add(1)
	go func() {
		defer s.readers.Done()
		if err := s.db.Compact(s.erasing, lo, hi, false); err != nil && s.erasing.Err() == nil {
			s.log.Warn("a deleted data key may stay in the database's files for a while", "group", s.cfg.Group, "error", err)
		}
	}()
}
