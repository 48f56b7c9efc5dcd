// Package crashfs is Pebble's in-memory file system for tests that take crash
// clones of it while other goroutines use it.
package crashfs

import (
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is a crashable vfs.MemFS. Of its methods a few take the lock against
// clones twice, which locks up for good where a clone waits in between; these
// and CrashClone exclude each other here.
type FS struct {
	*vfs.MemFS
	mu sync.Mutex
}

// New returns an empty file system.
func New() *FS { return &FS{MemFS: vfs.NewCrashableMem()} }

// CrashClone returns what a crash at this moment would leave.
func (f *FS) CrashClone(cfg vfs.CrashCloneCfg) *vfs.MemFS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.MemFS.CrashClone(cfg)
}

// Lock implements vfs.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.MemFS.Lock(name)
}

// Link implements vfs.FS.
func (f *FS) Link(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.MemFS.Link(from, to)
}

// ReuseForWrite implements vfs.FS.
func (f *FS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.MemFS.ReuseForWrite(from, to, category)
}
