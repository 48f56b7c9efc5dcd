package fsm

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// cut is everything that changed between two entries, on its way to Pebble as
// one batch together with the index of the entry it reaches to.
type cut struct {
	layer *layer
	dirty *layer        // what the owner wrote that is still to be sealed
	batch *pebble.Batch // what else the owner wrote; the layers' records join it at the commit
	index uint64
}

// Writer takes the records that a machine keeps in memory and writes behind.
// Key and value are copied.
type Writer struct {
	ring *keyring
	cut  *cut
}

// Set writes a record. What is to be sealed is put aside: the owner's lock is
// held.
func (w *Writer) Set(key, value []byte) {
	if w.ring != nil {
		if _, sealed, err := w.ring.sealing.Scope(key); sealed || err != nil {
			w.cut.dirty.set(key, value)
			return
		}
	}
	_ = w.cut.batch.Set(key, value, nil) // fails only on a closed batch
}

// Delete removes a record.
func (w *Writer) Delete(key []byte) { _ = w.cut.batch.Delete(key, nil) }

// keptBatch is how large a batch may be for its memory to be used again.
const keptBatch = 16 << 20

// seal turns what is pending into a cut. Owner's lock held, between two
// entries.
func (s *Store) seal() {
	c := &cut{layer: s.pending, dirty: newLayer(s.dirtyKeys), batch: s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(keptBatch)), index: s.applied}
	s.owner.WriteDirty(&Writer{ring: s.ring, cut: c})
	if plant.On(plant.TornCut) {
		c.index = s.sealed // older than the records beside it: they would be applied again
	}
	s.dirtyKeys, s.pending = len(c.dirty.changes), c.layer.next() // the next cut is much like this one
	s.sealed = s.applied
	s.mu.Lock()
	s.cuts = append(s.cuts, c)
	s.mu.Unlock()
}

// handOver seals what changed and reports whether nothing is left to be
// sealed: a snapshot may hold the write-behind back.
func (s *Store) handOver() (done bool) {
	s.owner.Lock()
	defer s.owner.Unlock()
	if s.stopped || s.applied == s.sealed {
		return true
	}
	if s.held {
		return false
	}
	s.mu.Lock()
	waiting := len(s.cuts)
	s.mu.Unlock()
	if waiting > 0 {
		return false
	}
	s.seal()
	return true
}

// commit brings the sealed cuts to Pebble, oldest first.
func (s *Store) commit() error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	for {
		s.mu.Lock()
		if len(s.cuts) == 0 {
			s.mu.Unlock()
			return s.Err()
		}
		c := s.cuts[0]
		s.mu.Unlock()
		if err := s.commitCut(c); err != nil {
			return s.fail(fmt.Errorf("data folder %s: write: %w", s.cfg.Dir, err))
		}
		// Only now: what is in Pebble may leave memory, never the reverse.
		s.mu.Lock()
		s.cuts = append([]*cut(nil), s.cuts[1:]...)
		s.mu.Unlock()
	}
}

func (s *Store) commitCut(c *cut) error {
	if err := s.Err(); err != nil {
		return err
	}
	destroyed, err := s.followKeys(c)
	if err != nil {
		return err
	}
	for _, l := range [...]*layer{c.dirty, c.layer} {
		if err := s.fill(c.batch, l); err != nil {
			return err
		}
	}
	if err := c.batch.Set(keyApplied, binary.BigEndian.AppendUint64(nil, c.index), nil); err != nil {
		return err
	}
	size := int64(c.batch.Len())
	if err := c.batch.Commit(pebble.NoSync); err != nil {
		return err
	}
	err = c.batch.Close()
	c.batch = nil // Pebble may use it again
	if err != nil {
		return err
	}
	if destroyed {
		s.eraseKeys()
	}
	if s.unflushed.Add(size) >= s.cfg.Options.FlushBytes {
		return s.beginFlush()
	}
	return nil
}

// fill writes a layer into a batch, sealing what is to be sealed.
func (s *Store) fill(batch *pebble.Batch, l *layer) error {
	for _, r := range l.ranges {
		if err := batch.DeleteRange(r[0], r[1], nil); err != nil {
			return err
		}
	}
	for i := range l.changes {
		change := &l.changes[i]
		key := unsafe.Slice(unsafe.StringData(change.key), len(change.key)) // the batch copies it
		if change.value == nil {
			if err := batch.Delete(key, nil); err != nil {
				return err
			}
			continue
		}
		if err := s.write(batch, key, change); err != nil {
			return err
		}
	}
	return nil
}

// write writes a value into a batch as the disk keeps it.
func (s *Store) write(batch *pebble.Batch, key []byte, c *change) error {
	kept, err := s.ring.of(key)
	if err != nil {
		return err
	}
	value := s.ring.pack(&kept, c.value)
	set, size, header := batch.SetDeferred, kept.size(value), 0
	if c.added {
		set = batch.MergeDeferred
	}
	if s.isList(key) {
		header = partHeader
	}
	op := set(len(key), header+size)
	copy(op.Key, key)
	if header > 0 {
		binary.BigEndian.PutUint32(op.Value, uint32(size))
	}
	s.ring.seal(op.Value[header:], &kept, key, value)
	return op.Finish()
}

// beginFlush makes what was committed durable, without waiting for it.
func (s *Store) beginFlush() error {
	if s.unflushed.Swap(0) == 0 {
		return nil
	}
	_, err := s.db.AsyncFlush()
	return err
}

// run writes behind until the store is closed.
func (s *Store) run() {
	defer close(s.done)
	// Armed by the first entry after a hand-over: an idle machine costs nothing.
	write := time.NewTimer(time.Hour)
	write.Stop()
	defer write.Stop()
	flush, stopFlush := ticker(s.cfg.Options.FlushEvery)
	defer stopFlush()
	for {
		select {
		case <-s.stop:
			return
		case <-s.changed:
			write.Reset(s.cfg.Options.WriteEvery)
		case <-write.C:
			if !s.handOver() {
				write.Reset(s.cfg.Options.WriteEvery) // a snapshot holds it back
			}
			_ = s.commit() // latched: the next Apply returns it
		case <-s.wake:
			_ = s.commit()
		case <-flush:
			if err := s.beginFlush(); err != nil {
				_ = s.fail(fmt.Errorf("data folder %s: flush: %w", s.cfg.Dir, err))
			}
		}
	}
}

// ticker ticks every d; never where d is negative.
func ticker(d time.Duration) (<-chan time.Time, func()) {
	if d < 0 {
		return nil, func() {}
	}
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// WriteBehind hands over what changed and waits until Pebble has it. Owner's
// lock not held.
func (s *Store) WriteBehind() error {
	s.handOver()
	return s.commit()
}

// Flush makes everything applied durable. Owner's lock not held.
func (s *Store) Flush() error {
	if err := s.commit(); err != nil { // a cut on its way would make handOver wait
		return err
	}
	if err := s.WriteBehind(); err != nil {
		return err
	}
	if err := s.flushNow(); err != nil {
		return s.fail(fmt.Errorf("data folder %s: flush: %w", s.cfg.Dir, err))
	}
	return s.Err()
}

// flushNow flushes without a rest: somebody waits.
func (s *Store) flushNow() error {
	s.hurried.Add(1)
	defer s.hurried.Add(-1)
	return s.flush()
}

func (s *Store) flush() error {
	s.unflushed.Store(0)
	return s.db.Flush()
}

// Crowded reports whether so much waits for its write, with dirty bytes in the
// owner's memory, that the apply has to wait too: it releases its lock and
// calls WriteBehind. Owner's lock held.
func (s *Store) Crowded(dirty int64) bool {
	return !s.held && s.pending.bytes+dirty > s.cfg.Options.DirtyBytes
}

// pebbleLogger keeps Pebble quiet and turns its fatal errors, after which its
// state is undefined, into the end of the process.
type pebbleLogger struct{ s *Store }

// Infof drops Pebble's progress reports.
func (pebbleLogger) Infof(string, ...any) {}

// Errorf logs.
func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.log.Warn("pebble: "+fmt.Sprintf(format, args...), "group", l.s.cfg.Group)
}

// Fatalf never returns, as Pebble demands: without a Fatal callback it exits.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.s.stuck.Store(true)
	_ = l.s.fail(fmt.Errorf("data folder %s: %s", l.s.cfg.Dir, fmt.Sprintf(format, args...)))
	if l.s.cfg.Options.Fatal == nil {
		os.Exit(1)
	}
	select {}
}
