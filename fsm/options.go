package fsm

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options tune the storage of a machine. Zero values mean the defaults; what a
// machine computes never depends on them.
type Options struct {
	// WriteEvery is how often changed records go to Pebble (default 200 ms).
	// Negative: only when asked (WriteBehind, Flush, Snapshot, Close).
	WriteEvery time.Duration
	// FlushEvery is how often Pebble is made durable where something was
	// written (default 2 s). Negative: only when asked.
	FlushEvery time.Duration
	// FlushBytes makes Pebble durable earlier, once this much was written
	// (default 64 MiB).
	FlushBytes int64
	// DirtyBytes is how much may wait for its write before the apply waits
	// too (default 64 MiB, an estimate).
	DirtyBytes int64
	// MemTableBytes is the size of Pebble's memtable (default 64 MiB; up to
	// four wait for their flush).
	MemTableBytes uint64
	// CacheBytes is the size of Pebble's block cache (default 32 MiB).
	CacheBytes int64
	// Fatal is told once, in a goroutine of its own, when the storage has
	// failed: the node has to stop. Nil: the failure is logged and every
	// later Apply returns it; a failure that Pebble can't survive ends the
	// process.
	Fatal func(error)
}

func (o Options) withDefaults() Options {
	if o.WriteEvery == 0 {
		o.WriteEvery = 200 * time.Millisecond
	}
	if o.FlushEvery == 0 {
		o.FlushEvery = 2 * time.Second
	}
	if o.FlushBytes <= 0 {
		o.FlushBytes = 64 << 20
	}
	if o.DirtyBytes <= 0 {
		o.DirtyBytes = 64 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 64 << 20
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 32 << 20
	}
	return o
}

// StoreConfig says what a store is of.
type StoreConfig struct {
	// Dir is the machine's own folder; made when missing.
	Dir string
	// FS is the file system; nil: the system's.
	FS vfs.FS
	// Kind names the machine and its disk format, such as "license/1". A
	// folder of another kind is refused.
	Kind string
	// Group is the Raft group. A folder of another group is refused.
	Group   uint32
	Options Options
	// Lists are the first bytes of the keys whose records are lists, see Store.Add.
	Lists []byte
	// Sealing says what is sealed on the disk; nil: nothing is.
	Sealing *Sealing
	Logger  *slog.Logger
}

var (
	// ErrDamaged: the folder's content can't be what a store left there.
	ErrDamaged = errors.New("damaged")
	// ErrForeign: the folder belongs to something else.
	ErrForeign = errors.New("foreign")
	// ErrClosed: the store is closed or was replaced by a restored one.
	ErrClosed = errors.New("the machine's store is closed")
	// ErrSnapshotTaken: only one snapshot can be held at a time.
	ErrSnapshotTaken = errors.New("another snapshot of this machine is still held")
)

// Damaged says that a folder is damaged and what to do about it.
func Damaged(dir string, why error) error {
	return fmt.Errorf("data folder %s is %w: %w; remove this folder: the replica is rebuilt from the other nodes", dir, ErrDamaged, why)
}

func foreign(dir, why string) error {
	return fmt.Errorf("data folder %s is %w: %s; point this node to its own data folder", dir, ErrForeign, why)
}
