package peer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrNoDisk: a folder lies in memory, where fsync costs and keeps nothing.
var ErrNoDisk = errors.New("is no real disk")

// OnDisk fails where dir lies in a file system of memory.
func OnDisk(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("file system of %s: %w", dir, err)
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		return fmt.Errorf("%s %w: choose another folder", dir, ErrNoDisk)
	}
	return nil
}

// OpenToOthers fails where another user could not reach dir, with the folder
// that is in the way. It is for servers that refuse to run as root.
func OpenToOthers(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for d := dir; ; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%s is closed to other users (mode %v): choose a folder that user postgres can reach", d, info.Mode().Perm())
		}
		if d == filepath.Dir(d) {
			return nil
		}
	}
}
