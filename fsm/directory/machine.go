package directory

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// diskKind names the machine and its disk format; see records.go.
const diskKind = "directory/6"

// Config is what a directory needs to open.
type Config struct {
	// Dir is the machine's own folder.
	Dir string
	// FS is the file system; nil: the system's.
	FS     vfs.FS
	Store  fsm.Options
	Logger *slog.Logger
	Group  uint32
}

// Machine is the directory's replica on one node. Apply is called from one
// goroutine; every other method may be called beside it.
type Machine struct {
	cfg Config

	mu     sync.RWMutex
	state  *state
	store  *fsm.Store
	closed bool
}

// owner is the machine as its store sees it.
type owner struct{ m *Machine }

func (o owner) Lock()   { o.m.mu.Lock() }
func (o owner) Unlock() { o.m.mu.Unlock() }

// WriteDirty writes what changes with every entry; all else is written as it
// changes.
func (o owner) WriteDirty(w *fsm.Writer) {
	w.Set([]byte{kindMeta}, encoded(&o.m.state.meta))
}

// Open opens the directory in cfg.Dir, or a new one.
func Open(cfg Config) (*Machine, error) {
	store, err := fsm.OpenStore(fsm.StoreConfig{
		Dir: cfg.Dir, FS: cfg.FS, Kind: diskKind, Group: cfg.Group, Options: cfg.Store, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	m := &Machine{cfg: cfg, store: store}
	if m.state, err = loadState(store); err != nil {
		m.state = newState(store)
		store.Start(owner{m}) // closing wants an owner
		return nil, errors.Join(fsm.Damaged(cfg.Dir, err), store.Close())
	}
	store.Start(owner{m})
	return m, nil
}

// loadState reads all records of a store.
func loadState(store *fsm.Store) (*state, error) {
	s := newState(store)
	scan, err := store.Scan([]byte{1}, []byte{0xff}) // the store's own keys begin with 0
	if err != nil {
		return nil, err
	}
	for scan.Next() {
		if err := s.load(scan.Key(), scan.Value()); err != nil {
			return nil, errors.Join(err, scan.Close())
		}
	}
	return s, scan.Close()
}

// Apply applies the commands of one log entry and returns their results where
// they are wanted. All commands are decoded before the first one takes effect.
// An error means that the replica can't go on.
func (m *Machine) Apply(index uint64, stampMillis int64, commands [][]byte, wantResults bool) ([][]byte, error) {
	changes := make([]change, len(commands))
	for i, command := range commands {
		var err error
		if changes[i], err = decodeCommand(command); err != nil {
			return nil, fmt.Errorf("directory: entry %d, command %d: %w", index, i, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.store.Err() != nil:
		return nil, m.store.Err()
	case m.closed:
		return nil, fsm.ErrClosed
	case index <= m.store.Applied():
		return nil, fmt.Errorf("directory: entry %d comes after entry %d", index, m.store.Applied())
	}
	m.state.advance(stampMillis)
	var results [][]byte
	if wantResults {
		results = make([][]byte, 0, len(changes))
	}
	for _, change := range changes {
		result := change(m.state)
		if wantResults {
			results = append(results, encoded(result))
		}
	}
	m.store.SetApplied(index)
	return results, nil
}

// AppliedIndex is the index of the last entry applied.
func (m *Machine) AppliedIndex() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.store.Applied()
}

// Admit lets everything through: only the platform's own nodes propose to the
// directory.
func (m *Machine) Admit(int64, []byte) []byte { return nil }

// Small reports whether a command makes nothing new (cluster.Machine).
func (m *Machine) Small([]byte) bool { return false }

// Lead returns the command that opens a leader's term.
func (m *Machine) Lead(node string) []byte {
	command := fsm.Header{Op: OpLead, Version: Version}.Append(nil)
	return append(command, encoded(Lead{Node: node})...)
}

// Query answers a read from the local state.
func (m *Machine) Query(query []byte) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	result, err := m.state.query(query, m.store.Applied())
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return encoded(result), nil
}

// Snapshot captures the state as of the last applied entry.
func (m *Machine) Snapshot() (fsm.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store.Snapshot()
}

// Restore replaces the state by the one that a snapshot's Persist left in dir.
// A crash at any step leaves the old state or the new one.
func (m *Machine) Restore(dir string) error {
	m.mu.RLock()
	old := m.store
	m.mu.RUnlock()
	next, err := old.Restored(dir)
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	state, err := loadState(next)
	if err != nil {
		return errors.Join(fmt.Errorf("directory: restore the snapshot in %s: %w", dir, err), next.Discard())
	}
	m.mu.Lock()
	if err := old.Replace(next); err != nil {
		m.mu.Unlock()
		return fmt.Errorf("directory: %w", err)
	}
	m.store, m.state = next, state
	m.mu.Unlock()
	next.Start(owner{m})
	if err := old.CloseReplaced(); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	return nil
}

// Flush makes everything applied durable.
func (m *Machine) Flush() error { return m.current().Flush() }

// Close flushes and closes.
func (m *Machine) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	return m.current().Close()
}

func (m *Machine) current() *fsm.Store {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.store
}
