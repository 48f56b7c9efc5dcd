package fsm

import (
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The replicas of a group apply the same entries, so their databases flush and merge
// at much the same time, each as fast as it can: checkouts wait for the processors
// then. Both have more time than they need until the next one is due, and rest.

const (
	// restAfter is how many bytes a flush or a merge writes, some half a millisecond's
	// work, before it rests.
	restAfter = 64 << 10
	flushRest = time.Millisecond
	mergeRest = 2 * time.Millisecond
	// What Pebble writes these files as.
	flushFiles vfs.DiskWriteCategory = "pebble-memtable-flush"
	mergeFiles vfs.DiskWriteCategory = "pebble-compaction"
	// mergeTables is how many tables of L0 are merged at a time.
	mergeTables = 12
)

// pacedFS has flushes and merges rest between their writes.
type pacedFS struct {
	vfs.FS
	store *Store
}

// Create implements vfs.FS.
func (p pacedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, category)
	switch {
	case err != nil:
		return nil, err
	case category == flushFiles:
		return &pacedFile{File: f, rest: p.store.restFlush}, nil
	case category == mergeFiles:
		return &pacedFile{File: f, rest: p.store.restMerge}, nil
	}
	return f, nil
}

// Unwrap implements vfs.FS.
func (p pacedFS) Unwrap() vfs.FS { return p.FS }

// pacedFile is written by one goroutine, for which the flush or merge waits.
type pacedFile struct {
	vfs.File
	rest    func()
	written int // since it last rested
}

// Write implements io.Writer.
func (f *pacedFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	if f.written += n; f.written >= restAfter {
		f.written = 0
		f.rest()
	}
	return n, err
}

// merges counts what merges have to keep up with.
type merges struct {
	flushes atomic.Int64 // tables that have come into L0
	begun   atomic.Int64 // flushes when the last merge of L0 began
}

func (m *merges) listen(l *pebble.EventListener) {
	l.FlushEnd = func(pebble.FlushInfo) { m.flushes.Add(1) }
	l.CompactionBegin = func(info pebble.CompactionInfo) {
		if len(info.Input) > 0 && info.Input[0].Level == 0 {
			m.begun.Store(m.flushes.Load())
		}
	}
}

// restMerge rests, unless the next merge is due.
func (s *Store) restMerge() {
	if s.merges.flushes.Load()-s.merges.begun.Load() < mergeTables {
		s.rest(mergeRest)
	}
}

// restFlush rests, unless somebody waits, or much has been written since the flush
// began.
func (s *Store) restFlush() {
	if s.hurried.Load() == 0 && s.unflushed.Load() < s.cfg.Options.FlushBytes/4 {
		s.rest(flushRest)
	}
}

// rest returns after d, or when the store is closed.
func (s *Store) rest(d time.Duration) {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-s.erasing.Done():
	}
}
