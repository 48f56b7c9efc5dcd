package fsm

import (
	"errors"
	"fmt"
	"sync"
)

// Snapshot is a captured state; its methods are those of cluster.Snapshot.
type Snapshot interface {
	// Persist writes the state into dir, an empty folder on the store's file
	// system, as flat files (immutable ones hard-linked). When it returns,
	// the store itself has the state durably too.
	Persist(dir string) error
	// Release lets the write-behind go on, persisted or not.
	Release()
}

// snapshot holds the write-behind back, so that Pebble stays exactly at its
// index once the cut sealed by Snapshot is committed.
type snapshot struct {
	s    *Store
	once sync.Once
}

// Snapshot captures the state as of the last applied entry. Owner's lock held,
// between two entries.
func (s *Store) Snapshot() (Snapshot, error) {
	switch {
	case s.Err() != nil:
		return nil, s.Err()
	case s.stopped:
		return nil, ErrClosed
	case s.held:
		return nil, ErrSnapshotTaken
	}
	if s.applied != s.sealed {
		s.seal()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	s.held = true
	return &snapshot{s: s}, nil
}

func (p *snapshot) Persist(dir string) error {
	defer p.Release()
	s := p.s
	s.owner.Lock()
	if s.stopped {
		s.owner.Unlock()
		return ErrClosed
	}
	s.persists.Add(1)
	s.owner.Unlock()
	defer s.persists.Done()

	if err := s.commit(); err != nil {
		return err
	}
	if err := s.flush(); err != nil { // with its rests: the log grows meanwhile, and nobody waits
		return s.fail(fmt.Errorf("data folder %s: flush: %w", s.cfg.Dir, err))
	}
	if err := s.Err(); err != nil {
		return err
	}
	// Checkpoint makes the folder itself and refuses one that is there.
	if err := s.fs.Remove(dir); err != nil {
		return fmt.Errorf("snapshot folder %s: want an empty folder: %w", dir, err)
	}
	if err := s.db.Checkpoint(dir); err != nil {
		return fmt.Errorf("snapshot into %s: %w", dir, err)
	}
	return nil
}

func (p *snapshot) Release() {
	p.once.Do(func() {
		p.s.owner.Lock()
		p.s.held = false
		p.s.owner.Unlock()
	})
}

// Restored opens the state in dir, filled by a snapshot's Persist, as a second
// database beside the one in force. The machine loads and checks it, then
// calls Replace; on any failure it calls Discard. A crash before Replace leaves the
// old state in force.
func (s *Store) Restored(dir string) (*Store, error) {
	number := s.number + 1
	path := s.fs.PathJoin(s.cfg.Dir, folderName(number))
	if err := s.fs.RemoveAll(path); err != nil {
		return nil, fmt.Errorf("restore %s: %w", dir, err)
	}
	err := copyFlat(s.fs, dir, path)
	if err == nil {
		err = syncDir(s.fs, s.cfg.Dir)
	}
	var next *Store
	if err == nil {
		next, err = open(s.cfg, number, false)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("restore the snapshot in %s: %w", dir, err), s.fs.RemoveAll(path))
	}
	return next, nil
}

// Discard closes a store that was not started, and removes its database unless
// that is in force.
func (s *Store) Discard() error {
	err := s.closeDB()
	active, markerErr := readMarker(s.fs, s.cfg.Dir)
	if markerErr != nil || active == s.number {
		return errors.Join(err, markerErr)
	}
	return errors.Join(err, s.fs.RemoveAll(s.path))
}

// Replace puts next in force instead of s, durably, and stops s, which only
// serves the scans that are open: call CloseReplaced when the lock is
// released. Owner's lock held.
func (s *Store) Replace(next *Store) error {
	if s.stopped {
		return ErrClosed
	}
	if err := writeMarker(s.fs, s.cfg.Dir, next.number); err != nil {
		// Whether the switch is durable is unknown: neither may go on.
		return s.fail(fmt.Errorf("data folder %s: switch to the restored state: %w", s.cfg.Dir, err))
	}
	s.stopped = true
	return nil
}

// CloseReplaced closes and removes the database that Replace took out of
// force. Owner's lock not held.
func (s *Store) CloseReplaced() error {
	s.end()
	err := s.closeDB()
	return errors.Join(err, s.fs.RemoveAll(s.path))
}

// Close flushes everything applied and closes. Owner's lock not held.
func (s *Store) Close() error {
	s.owner.Lock()
	if s.stopped {
		s.owner.Unlock()
		return nil
	}
	s.stopped = true
	healthy := s.Err() == nil
	if healthy && s.applied != s.sealed {
		s.seal()
	}
	s.owner.Unlock()
	s.end()
	var err error
	if healthy {
		err = s.commit()
		if err == nil {
			err = s.db.Flush()
		}
	}
	return errors.Join(err, s.closeDB())
}

// end stops the write-behind and waits for those who still use the database.
func (s *Store) end() {
	close(s.stop)
	<-s.done
	s.persists.Wait()
	s.stopErasing()
	s.readers.Wait()
}

func (s *Store) closeDB() error {
	s.stopErasing()
	if s.stuck.Load() {
		return s.Err()
	}
	s.mu.Lock()
	for _, c := range s.cuts {
		if c.batch != nil {
			_ = c.batch.Close()
		}
	}
	s.cuts = nil
	s.mu.Unlock()
	return s.db.Close()
}
