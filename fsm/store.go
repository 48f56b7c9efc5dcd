package fsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Owner is the machine that a store belongs to. Its lock orders everything:
// the store changes under it, and takes it itself for handing a cut over
// between two entries.
type Owner interface {
	sync.Locker
	// WriteDirty writes every record that memory has and neither Pebble nor
	// the store's pending records have. Called with the lock held, between
	// two entries.
	WriteDirty(w *Writer)
}

// Store keeps a machine's records: a Pebble database without a WAL, behind a
// layer of pending records and at most a few sealed cuts on their way.
//
//	Set, Delete → pending ─seal→ cut ─one batch, with the applied index→ Pebble
//	              └────────────── Get and Scan see all three ──────────────┘
//
// The Raft log covers what a crash loses, which reaches back to the last flush.
type Store struct {
	cfg    StoreConfig
	fs     vfs.FS
	number uint64
	path   string
	db     *pebble.DB
	log    *slog.Logger
	ring   *keyring // nil: nothing is sealed

	// Guarded by the owner's lock.
	owner   Owner
	pending *layer
	applied uint64 // last entry applied
	sealed  uint64 // last entry in a cut
	// dirtyKeys is how many sealed records the owner wrote into the last cut.
	dirtyKeys int
	held      bool // a snapshot holds write-behind back
	stopped   bool // closed, or replaced by a restored store

	mu   sync.Mutex // guards cuts; taken after the owner's lock
	cuts []*cut     // sealed and not yet committed, oldest first

	commitMu  sync.Mutex // one committer at a time; taken before mu
	unflushed atomic.Int64
	merges    merges
	hurried   atomic.Int32 // flushes that somebody waits for
	persists  sync.WaitGroup
	readers   sync.WaitGroup // scans and gets outside the owner's lock

	erasing     context.Context // of eraseKeys, until the store is closed
	stopErasing context.CancelFunc

	failure atomic.Pointer[error]
	stuck   atomic.Bool // Pebble hit a fatal error: closing it may never end
	serving atomic.Bool // started: what fails now, fails the machine

	changed chan struct{} // buffered 1: there is something to hand over
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
}

// Keys of the store's own. A machine's keys begin with any other byte.
var (
	keyApplied = []byte("\x00applied")
	keyKind    = []byte("\x00kind")
)

// OpenStore opens the database in force in cfg.Dir, or makes the first one.
// The machine loads its records by Scan, then calls Start.
func OpenStore(cfg StoreConfig) (*Store, error) {
	cfg.fill()
	fs, dir := cfg.FS, cfg.Dir
	if err := makeDir(fs, dir); err != nil {
		return nil, fmt.Errorf("data folder %s: %w", dir, err)
	}
	number, err := readMarker(fs, dir)
	if err != nil {
		return nil, err
	}
	fresh := number == 0
	if fresh {
		if err := checkUnmarked(fs, dir); err != nil {
			return nil, err
		}
		number = 1
	} else if err := removeOrphans(fs, dir, number); err != nil {
		return nil, fmt.Errorf("data folder %s: remove leftovers: %w", dir, err)
	}
	s, err := open(cfg, number, fresh)
	if fresh && errors.Is(err, ErrDamaged) {
		// A crash in the middle of its making, and it was never in force.
		if err := fs.RemoveAll(fs.PathJoin(dir, folderName(number))); err != nil {
			return nil, fmt.Errorf("data folder %s: %w", dir, err)
		}
		s, err = open(cfg, number, fresh)
	}
	if err != nil || !fresh {
		return s, err
	}
	if s.applied > 0 {
		return nil, errors.Join(Damaged(dir, fmt.Errorf("its marker %s is missing", markerName)), s.db.Close())
	}
	if err := s.found(); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", dir, err), s.db.Close())
	}
	return s, nil
}

// found makes a new database durable with its kind in it, then puts it in
// force: from then on, one without a kind has been damaged.
func (s *Store) found() error {
	err := s.db.Set(keyKind, []byte(s.kind()), pebble.NoSync)
	if err == nil {
		err = s.db.Set(keyApplied, make([]byte, 8), pebble.NoSync)
	}
	if err == nil {
		err = s.db.Flush()
	}
	if err == nil {
		err = writeMarker(s.fs, s.cfg.Dir, s.number)
	}
	return err
}

func (s *Store) kind() string { return fmt.Sprintf("%s group %d", s.cfg.Kind, s.cfg.Group) }

func (c *StoreConfig) fill() {
	c.Options = c.Options.withDefaults()
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
}

// open opens the numbered database and checks that it is this machine's.
func open(cfg StoreConfig, number uint64, create bool) (*Store, error) {
	s := &Store{
		cfg: cfg, fs: cfg.FS, number: number, log: cfg.Logger, pending: newLayer(0),
		path:    cfg.FS.PathJoin(cfg.Dir, folderName(number)),
		changed: make(chan struct{}, 1), wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	s.erasing, s.stopErasing = context.WithCancel(context.Background())
	var err error
	s.db, err = pebble.Open(s.path, s.pebbleOptions(create))
	if err != nil {
		return nil, s.openError(err)
	}
	err = s.identify(create)
	if err == nil {
		err = s.openKeyring()
	}
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func (s *Store) openError(err error) error {
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES), strings.Contains(err.Error(), "lock held"):
		return fmt.Errorf("data folder %s is in use by another process, or not accessible: %w", s.cfg.Dir, err)
	case errors.As(err, new(syscall.Errno)) && !errors.Is(err, os.ErrNotExist): // full, not readable: its content may be fine
		return fmt.Errorf("open data folder %s: %w", s.cfg.Dir, err)
	}
	return Damaged(s.cfg.Dir, err)
}

func (s *Store) pebbleOptions(create bool) *pebble.Options {
	o := &pebble.Options{
		FS:                          pacedFS{s.fs, s},
		Logger:                      pebbleLogger{s},
		DisableWAL:                  true, // the Raft log is the WAL
		FormatMajorVersion:          pebble.FormatNewest,
		ErrorIfNotExists:            !create,
		CacheSize:                   s.cfg.Options.CacheBytes,
		MemTableSize:                s.cfg.Options.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       mergeTables,
		L0StopWritesThreshold:       1000,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) {
				_ = s.fail(fmt.Errorf("data folder %s: %w", s.cfg.Dir, err))
			},
			// Pebble would end the process. While a database is opened or
			// restored, its reader gets the error and says what to do.
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				if s.serving.Load() {
					_ = s.fail(Damaged(s.cfg.Dir, fmt.Errorf("%s: %w", info.Path, info.Details)))
				}
			},
		},
	}
	s.merges.listen(o.EventListener)
	// The default scheduler wakes ten times a second to see whether more
	// compactions may run; where it is always one, the end of that one is when
	// the next can begin.
	o.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	// Much of what is flushed is overwritten or deleted soon: it is merged
	// seldom, and compressed only once it is.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		settings := pebble.DBCompressionFastest
		settings.Levels[0] = block.NoCompression
		return settings
	})
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// identify reads kind and applied index, which only a new database lacks.
func (s *Store) identify(fresh bool) error {
	want := s.kind()
	kind, err := s.read(keyKind)
	if err != nil {
		return Damaged(s.cfg.Dir, err)
	}
	index, err := s.read(keyApplied)
	if err != nil {
		return Damaged(s.cfg.Dir, err)
	}
	switch {
	case fresh && kind == nil && index == nil:
		return nil
	case len(index) != 8:
		return Damaged(s.cfg.Dir, fmt.Errorf("its applied index has %d bytes", len(index)))
	case string(kind) != want:
		return foreign(s.cfg.Dir, fmt.Sprintf("it is of %q, not of %q", kind, want))
	}
	s.applied = binary.BigEndian.Uint64(index)
	s.sealed = s.applied
	return nil
}

// read reads key from Pebble alone; nil where it is missing.
func (s *Store) read(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	kept := append(make([]byte, 0, len(value)), value...)
	return kept, closer.Close()
}

// Start begins the write-behind for owner.
func (s *Store) Start(owner Owner) {
	s.owner = owner
	s.serving.Store(true)
	go s.run()
}

// Applied returns the index of the last entry applied. Owner's lock held.
func (s *Store) Applied() uint64 { return s.applied }

// SetApplied notes that the entry was applied wholly. Owner's lock held.
func (s *Store) SetApplied(index uint64) {
	// The first one after a hand-over arms the next; one that is refused is
	// armed already.
	if s.applied == s.sealed && s.cfg.Options.WriteEvery >= 0 {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
	s.applied = index
}

// Set writes a record, copying key and value. Owner's lock held.
func (s *Store) Set(key, value []byte) { s.pending.set(key, value) }

// Delete removes a record. Owner's lock held.
func (s *Store) Delete(key []byte) { s.pending.put(key, nil) }

// DeleteRange removes the records in [lo, hi). It must not cover records that
// Owner.WriteDirty writes. Owner's lock held.
func (s *Store) DeleteRange(lo, hi []byte) { s.pending.deleteRange(lo, hi) }

// Get returns the newest value of key, nil where it is missing; of lists see
// ListReader. The value must not be changed. Owner's lock held, at least for reading.
func (s *Store) Get(key []byte) ([]byte, error) {
	if s.isList(key) {
		panic(fmt.Sprintf("read list %x as a record", key))
	}
	if value, known := s.pending.get(key); known {
		return value, nil
	}
	s.mu.Lock()
	for i := len(s.cuts) - 1; i >= 0; i-- {
		if value, known := s.cuts[i].layer.get(key); known {
			s.mu.Unlock()
			return value, nil
		}
	}
	s.mu.Unlock()
	value, err := s.read(key)
	if err == nil && value != nil {
		value, err = s.ring.open(key, value)
	}
	if err != nil {
		return nil, s.failRead(err)
	}
	return value, nil
}

func (s *Store) failRead(err error) error {
	return s.fail(fmt.Errorf("data folder %s: read: %w", s.cfg.Dir, err))
}

// view returns the disk as it is now, through an iterator, and the layers that it
// has not, oldest first: a cut is in one of them, never in both. Owner's lock held, at
// least for reading.
func (s *Store) view() (disk *pebble.Iterator, layers []*layer, err error) {
	s.mu.Lock()
	cuts := s.cuts
	s.mu.Unlock()
	// A snapshot of Pebble's would do, but its end waits for flushes.
	disk, err = s.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, nil, err
	}
	reached, err := seek(disk, keyApplied)
	if err == nil && len(reached) != 8 {
		err = errors.New("the applied index is missing")
	}
	if err != nil {
		return nil, nil, errors.Join(err, disk.Close())
	}
	layers = make([]*layer, 0, len(cuts)+1)
	for _, c := range cuts {
		if c.index > binary.BigEndian.Uint64(reached) { // else it was written since
			layers = append(layers, c.layer)
		}
	}
	return disk, append(layers, s.pending), nil
}

// seek reads key by an iterator; nil where it is missing. The value is the
// iterator's.
func seek(disk *pebble.Iterator, key []byte) ([]byte, error) {
	if !disk.SeekPrefixGE(key) || !bytes.Equal(disk.Key(), key) {
		return nil, disk.Error()
	}
	return disk.ValueAndErr()
}

// Err returns why the storage failed, or nil.
func (s *Store) Err() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// fail latches the first failure and returns it.
func (s *Store) fail(err error) error {
	if s.failure.CompareAndSwap(nil, &err) {
		s.log.Error("storage of the machine failed", "group", s.cfg.Group, "error", err)
		if s.cfg.Options.Fatal != nil {
			go s.cfg.Options.Fatal(err) // the caller may hold locks that it needs
		}
	}
	return s.Err()
}

// Fail makes the store refuse everything from now on, so that a state that is
// half changed never reaches the disk, and returns the first failure.
func (s *Store) Fail(err error) error { return s.fail(err) }
