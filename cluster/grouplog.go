package cluster

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// groupLog is one group's part of the log: a raft.LogStore. Raft appends and cuts
// the tail from one goroutine, cuts the head from that of its snapshots, and
// reads from others.
//
// An entry in a record:
//
//	+---------+------+-------------+----------------+-----------------+-----+------+
//	| version | type | term uint64 | appended int64 | n ext uint32    | ext | data |
//	| (1, 2)  |      |             | Unix nanosec.  |                 |     |      |
//	+---------+------+-------------+----------------+-----------------+-----+------+
//
// In version 2, ext and data are sealed together by the node's log key: nonce,
// ciphertext, tag. They are bound to group, index and what precedes them, not to
// where the record is, since records are moved.
type groupLog struct {
	store *logStore
	id    GroupID
	// appended counts the bytes written since the last snapshot, and entries
	// their number.
	appended atomic.Int64
	entries  atomic.Int64

	// leading tells whether Raft writes as the leader, once it runs, and
	// durable is the highest index that the disk has confirmed; changed under the
	// store's mu.
	leading atomic.Pointer[func() bool]
	durable atomic.Uint64

	first  uint64     // index of the first entry, where there is one; the store's mu
	places []logPlace // of the entries from first on; the store's mu
}

const (
	logValueHeader = 1 + 1 + 8 + 8 + 4
	logVersion     = 1
	logSealed      = 2
)

var _ raft.LogStore = (*groupLog)(nil)

// group opens the log of one group.
func (s *logStore) group(id GroupID) *groupLog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groupLocked(id)
}

func (s *logStore) groupLocked(id GroupID) *groupLog {
	g := s.groups[id]
	if g == nil {
		g = &groupLog{store: s, id: id}
		s.groups[id] = g
	}
	return g
}

// FirstIndex implements raft.LogStore.
func (g *groupLog) FirstIndex() (uint64, error) {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	if len(g.places) == 0 {
		return 0, nil
	}
	return g.first, nil
}

// LastIndex implements raft.LogStore.
func (g *groupLog) LastIndex() (uint64, error) {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	return g.lastLocked(), nil
}

// lastLocked is the index of the last entry; 0: there is none. mu held.
func (g *groupLog) lastLocked() uint64 {
	if len(g.places) == 0 {
		return 0
	}
	return g.first + uint64(len(g.places)) - 1
}

// place returns where an entry is. False: nowhere.
func (g *groupLog) place(index uint64) (logPlace, bool) {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	if len(g.places) == 0 || index < g.first || index > g.lastLocked() {
		return logPlace{}, false
	}
	return g.places[index-g.first], true
}

// GetLog implements raft.LogStore.
func (g *groupLog) GetLog(index uint64, out *raft.Log) error {
	for {
		at, ok := g.place(index)
		if !ok {
			return raft.ErrLogNotFound
		}
		err := g.store.read(at, func(r *logRecord) error {
			if r.kind != recordEntry || r.group != g.id || r.index != index {
				return fmt.Errorf("the record of entry %d is another's", index)
			}
			return g.store.sealing.decode(g.id, index, r.body, out)
		})
		if errors.Is(err, errMoved) {
			if now, ok := g.place(index); !ok || now != at {
				continue // cut, or written anew, while it was read
			}
		}
		if err != nil {
			return fmt.Errorf("read log entry %d of group %d: %w", index, g.id, err)
		}
		return nil
	}
}

// logSeal seals the entries of a node's log; without a key they are plain.
type logSeal struct{ aead cipher.AEAD }

// overhead is how much longer than plain a sealed entry is.
func (s logSeal) overhead() int {
	if s.aead == nil {
		return 0
	}
	return s.aead.NonceSize() + s.aead.Overhead()
}

// bind is what a sealed entry is bound to.
func (logSeal) bind(group GroupID, index uint64, header []byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+8+logValueHeader), uint32(group))
	b = binary.BigEndian.AppendUint64(b, index)
	return append(b, header[:logValueHeader]...)
}

// append appends an entry as the log keeps it.
func (s logSeal) append(b []byte, group GroupID, l *raft.Log) []byte {
	start := len(b)
	b = appendLogHeader(b, l)
	if s.aead == nil {
		return append(append(b, l.Extensions...), l.Data...)
	}
	b[start] = logSealed
	plain := l.Data
	if len(l.Extensions) > 0 {
		plain = slices.Concat(l.Extensions, l.Data)
	}
	b = append(b, make([]byte, s.aead.NonceSize())...)
	nonce := b[start+logValueHeader:]
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the process first
	return s.aead.Seal(b, nonce, plain, s.bind(group, l.Index, b[start:]))
}

// decode is the reverse of append; an entry that was written before there was a
// key is plain.
func (s logSeal) decode(group GroupID, index uint64, value []byte, out *raft.Log) error {
	if len(value) < logValueHeader || value[0] != logSealed {
		return decodeLog(index, value, out)
	}
	if s.aead == nil {
		return fmt.Errorf("log entry %d is sealed, and the node has no log key", index)
	}
	sealed := value[logValueHeader:]
	if len(sealed) < s.aead.NonceSize() {
		return fmt.Errorf("log entry %d is damaged: cut short", index)
	}
	nonce, ciphertext := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	plain := append(make([]byte, 0, len(value)), value[:logValueHeader]...)
	plain[0] = logVersion
	plain, err := s.aead.Open(plain, nonce, ciphertext, s.bind(group, index, value))
	if err != nil {
		return fmt.Errorf("log entry %d does not open under the node's log key: %w", index, err)
	}
	return decodeLog(index, plain, out)
}

func decodeLog(index uint64, value []byte, out *raft.Log) error {
	if len(value) < logValueHeader || value[0] != logVersion {
		return fmt.Errorf("log entry %d is damaged or of a newer version", index)
	}
	n := uint64(binary.BigEndian.Uint32(value[18:22]))
	rest := value[logValueHeader:]
	if uint64(len(rest)) < n {
		return fmt.Errorf("log entry %d is damaged: cut short", index)
	}
	out.Index = index
	out.Type = raft.LogType(value[1])
	out.Term = binary.BigEndian.Uint64(value[2:10])
	out.AppendedAt = time.Time{}
	if at := int64(binary.BigEndian.Uint64(value[10:18])); at != 0 {
		out.AppendedAt = time.Unix(0, at)
	}
	out.Extensions = append([]byte(nil), rest[:n]...)
	out.Data = append([]byte(nil), rest[n:]...)
	return nil
}

// appendLogHeader appends what is in front of an entry's extensions and data.
func appendLogHeader(b []byte, l *raft.Log) []byte {
	b = append(b, logVersion, byte(l.Type))
	b = binary.BigEndian.AppendUint64(b, l.Term)
	var at int64
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	return binary.BigEndian.AppendUint32(b, uint32(len(l.Extensions)))
}

// StoreLog implements raft.LogStore.
func (g *groupLog) StoreLog(l *raft.Log) error { return g.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore: durable when it returns, but for the
// commands of a leader, which await confirms. An error is the end of the node
// (hashicorp/raft would go on).
func (g *groupLog) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	records, places := g.encode(logs)
	last := logs[len(logs)-1].Index
	ahead := g.mayGoAhead(logs)
	end, err := g.append(logs[0].Index, records, places, ahead)
	if err != nil {
		return g.store.failed(err)
	}
	g.appended.Add(int64(len(records)))
	g.entries.Add(int64(len(logs)))
	if ahead {
		poke(g.store.push)
		return g.store.err()
	}
	if err := g.store.sync(end); err != nil {
		return err
	}
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	g.durable.Store(max(g.durable.Load(), min(last, g.lastLocked())))
	return nil
}

// encode returns the records of entries, and their places from 0 on.
func (g *groupLog) encode(logs []*raft.Log) (records []byte, places []logPlace) {
	seal := g.store.sealing
	length := func(l *raft.Log) uint32 {
		return uint32(recordHeader + logValueHeader + seal.overhead() + len(l.Extensions) + len(l.Data))
	}
	size := 0
	for _, l := range logs {
		size += recordSize(length(l))
	}
	records, places = make([]byte, 0, size), make([]logPlace, len(logs))
	for i, l := range logs {
		at := len(records)
		records = appendRecord(records, recordEntry, g.id, l.Index, func(b []byte) []byte { return seal.append(b, g.id, l) })
		places[i] = logPlace{uint64(at), length(l)}
	}
	return records, places
}

// append takes records over into the log and returns the position after them.
func (g *groupLog) append(first uint64, records []byte, places []logPlace, ahead bool) (end uint64, err error) {
	s := g.store
	s.mu.Lock()
	defer s.mu.Unlock()
	last := g.lastLocked()
	if last != 0 && first != last+1 {
		return 0, fmt.Errorf("group %d: entry %d after %d", g.id, first, last)
	}
	if last == 0 {
		g.first = first
	}
	base := s.appendLocked(records)
	for _, p := range places {
		g.places = append(g.places, logPlace{base + p.at, p.size})
	}
	if ahead {
		s.ahead = append(s.ahead, aheadWrite{g, g.lastLocked(), s.appended})
		s.begun()
	}
	return s.appended, nil
}

// await returns once every entry up to index that was written is durable. An
// error is the end of the node.
func (g *groupLog) await(index uint64) error {
	if g.durable.Load() >= index {
		return nil
	}
	s := g.store
	s.mu.Lock()
	end := uint64(0)
	if n := len(g.places); n > 0 && index >= g.first {
		p := g.places[min(index-g.first, uint64(n)-1)]
		end = p.at + uint64(recordSize(p.size))
	}
	s.mu.Unlock()
	return s.sync(end)
}

// DeleteRange implements raft.LogStore: of the head after a snapshot, of the
// tail when a new leader's entries replace it.
func (g *groupLog) DeleteRange(low, high uint64) error {
	s := g.store
	if err := s.sync(s.position()); err != nil { // none may be confirmed after it was cut
		return err
	}
	s.mu.Lock()
	last := g.lastLocked()
	low, high = max(low, g.first), min(high, last)
	if last == 0 || low > high {
		s.mu.Unlock()
		return nil
	}
	if low > g.first && high < last {
		s.mu.Unlock()
		return s.failed(fmt.Errorf("group %d: entries %d to %d are cut out of %d to %d", g.id, low, high, g.first, last))
	}
	s.appendLocked(encodeCut(g.id, low, high))
	end := s.appended
	if low == g.first {
		g.places = append([]logPlace(nil), g.places[high-low+1:]...)
		g.first = high + 1
	} else {
		g.places = g.places[:low-g.first]
	}
	g.durable.Store(min(g.durable.Load(), g.lastLocked()))
	s.mu.Unlock()
	poke(s.clean)
	if high < last {
		return nil // a head that comes back after a crash is merely long
	}
	return s.sync(end) // a tail must be gone for good before raft goes on
}
