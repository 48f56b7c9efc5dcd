package fsm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A machine's folder holds one database and a marker that names it:
//
//	<dir>/ACTIVE       "db-000003\n"
//	<dir>/db-000003/   the Pebble database in force
//	<dir>/db-000004/   one being restored, or left over: removed at open
//
// The marker is switched by write, fsync, rename, fsync of the folder, so that
// a crash leaves either the old database or the new one in force.
const (
	markerName   = "ACTIVE"
	markerDraft  = "ACTIVE.tmp"
	folderPrefix = "db-"
)

func folderName(number uint64) string { return fmt.Sprintf("%s%06d", folderPrefix, number) }

func parseFolderName(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, folderPrefix)
	if !ok || len(digits) < 6 {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, err == nil && number > 0
}

// readMarker returns the number of the database in force, or 0 where there is
// no marker.
func readMarker(fs vfs.FS, dir string) (uint64, error) {
	f, err := fs.Open(fs.PathJoin(dir, markerName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, err
	}
	name, complete := strings.CutSuffix(string(text), "\n")
	number, ok := parseFolderName(name)
	if !complete || !ok {
		return 0, Damaged(dir, fmt.Errorf("its marker %s reads %q", markerName, text))
	}
	return number, nil
}

// writeMarker puts a database in force.
func writeMarker(fs vfs.FS, dir string, number uint64) error {
	draft := fs.PathJoin(dir, markerDraft)
	f, err := fs.Create(draft, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, folderName(number)+"\n")
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(draft, fs.PathJoin(dir, markerName)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

// removeOrphans removes the databases that are not in force.
func removeOrphans(fs vfs.FS, dir string, active uint64) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if number, ok := parseFolderName(name); (!ok || number == active) && name != markerDraft {
			continue
		}
		if err := fs.RemoveAll(fs.PathJoin(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// checkUnmarked looks at a folder without a marker: it must be empty, or hold
// the first database alone, whose creation was cut short.
func checkUnmarked(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == folderName(1) || name == markerDraft {
			continue
		}
		if _, ok := parseFolderName(name); ok {
			return Damaged(dir, fmt.Errorf("it holds %s but no marker %s", name, markerName))
		}
		return foreign(dir, fmt.Sprintf("it holds %q and no marker %s", name, markerName))
	}
	return nil
}

func syncDir(fs vfs.FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// makeDir makes dir and its missing parents, durably.
func makeDir(fs vfs.FS, dir string) error {
	var made []string
	for at := dir; ; at = fs.PathDir(at) {
		if _, err := fs.Stat(at); err == nil {
			break
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		made = append(made, at)
		if parent := fs.PathDir(at); parent == at || parent == "." || parent == "" {
			break
		}
	}
	if err := fs.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, at := range made {
		parent := fs.PathDir(at)
		if parent == "." || parent == "" {
			parent = fs.PathJoin(at, "..")
			if _, err := fs.Stat(parent); err != nil {
				parent = "" // an in-memory file system's root
			}
		}
		if err := syncDir(fs, parent); err != nil {
			return err
		}
	}
	return nil
}

// copyFlat fills the missing folder to with the files of from, linking the
// immutable ones, and makes it durable.
func copyFlat(fs vfs.FS, from, to string) error {
	names, err := fs.List(from)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("snapshot folder %s is empty", from)
	}
	if err := fs.MkdirAll(to, 0o750); err != nil {
		return err
	}
	for _, name := range names {
		source, target := fs.PathJoin(from, name), fs.PathJoin(to, name)
		if info, err := fs.Stat(source); err != nil {
			return err
		} else if info.IsDir() {
			return fmt.Errorf("snapshot folder %s holds a folder %s: want files only", from, name)
		}
		place := vfs.Copy
		if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob") {
			place = func(fs vfs.FS, old, new string) error { return vfs.LinkOrCopy(fs, old, new) }
		}
		if err := place(fs, source, target); err != nil {
			return err
		}
		if err := syncFile(fs, target); err != nil {
			return err
		}
	}
	return syncDir(fs, to)
}

func syncFile(fs vfs.FS, path string) error {
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
