package cluster

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"github.com/cockroachdb/pebble/v2/vfs"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// A snapshot travels as its folder's files, in order of name:
//
//	+----------+     +-------------+------+-------------+---------+------------+
//	| CLSNAP1\n| then| n name (u16)| name | size (u64)  | content | crc32c u32 |  per file
//	+----------+     +-------------+------+-------------+---------+------------+
//	                 | 0 (u16)     | number of files (u32) |                       at the end
//
// big endian. The checksum is over name and content.
const streamMagic = "CLSNAP1\n"

// maxStreamFiles bounds what a stream may hold.
const maxStreamFiles = 1 << 20

// errStream is returned for a stream that is cut short, damaged or foreign.
var errStream = errors.New("snapshot stream is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type streamFile struct {
	name string
	size int64
}

// streamFiles lists a snapshot folder in stream order.
func streamFiles(dir string) ([]streamFile, int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	files := make([]streamFile, 0, len(entries))
	total := int64(len(streamMagic) + 2 + 4)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, 0, err
		}
		if !info.Mode().IsRegular() {
			return nil, 0, fmt.Errorf("snapshot folder %s holds %s, which is no plain file", dir, e.Name())
		}
		files = append(files, streamFile{e.Name(), info.Size()})
		total += int64(2+len(e.Name())+8+4) + info.Size()
	}
	sort.Slice(files, func(i, j int) bool { return files[i].name < files[j].name })
	return files, total, nil
}

// writeStream writes the folder's files to w.
func writeStream(w io.Writer, dir string, files []streamFile) error {
	if _, err := io.WriteString(w, streamMagic); err != nil {
		return err
	}
	for _, f := range files {
		if err := writeStreamFile(w, dir, f); err != nil {
			return err
		}
	}
	end := binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(len(files)))
	_, err := w.Write(end)
	return err
}

func writeStreamFile(w io.Writer, dir string, f streamFile) error {
	src, err := os.Open(filepath.Join(dir, f.name))
	if err != nil {
		return err
	}
	defer src.Close()
	head := binary.BigEndian.AppendUint16(nil, uint16(len(f.name)))
	head = append(head, f.name...)
	head = binary.BigEndian.AppendUint64(head, uint64(f.size))
	if _, err := w.Write(head); err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	_, _ = io.WriteString(sum, f.name)
	if _, err := io.CopyN(io.MultiWriter(w, sum), src, f.size); err != nil {
		return err
	}
	_, err = w.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// readStream fills dir, an empty folder, from a stream; files and folder are
// on disk when it returns.
func readStream(r io.Reader, dir string) error {
	br := bufio.NewReaderSize(r, 256<<10)
	magic := make([]byte, len(streamMagic))
	if _, err := io.ReadFull(br, magic); err != nil || string(magic) != streamMagic {
		return errStream
	}
	for n := uint32(0); n < maxStreamFiles; n++ {
		var size [2]byte
		if _, err := io.ReadFull(br, size[:]); err != nil {
			return fmt.Errorf("%w: %w", errStream, err)
		}
		length := binary.BigEndian.Uint16(size[:])
		if length == 0 {
			var count [4]byte
			if _, err := io.ReadFull(br, count[:]); err != nil || binary.BigEndian.Uint32(count[:]) != n {
				return errStream
			}
			if _, err := br.ReadByte(); err != io.EOF {
				return fmt.Errorf("%w: bytes after its end", errStream)
			}
			return syncDir(vfs.Default, dir)
		}
		if err := readStreamFile(br, dir, int(length)); err != nil {
			return err
		}
	}
	return errStream
}

func readStreamFile(br *bufio.Reader, dir string, nameLength int) error {
	head := make([]byte, nameLength+8)
	if _, err := io.ReadFull(br, head); err != nil {
		return fmt.Errorf("%w: %w", errStream, err)
	}
	name := string(head[:nameLength])
	if name != filepath.Base(name) || name == "." || name == ".." || strings.ContainsAny(name, "\x00/\\") {
		return fmt.Errorf("%w: file name %q", errStream, name)
	}
	size := binary.BigEndian.Uint64(head[nameLength:])
	if size > 1<<50 {
		return errStream
	}
	dst, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	sum := crc32.New(castagnoli)
	_, _ = io.WriteString(sum, name)
	if _, err := io.CopyN(io.MultiWriter(dst, sum), br, int64(size)); err != nil {
		return fmt.Errorf("%w: %w", errStream, err)
	}
	var want [4]byte
	if _, err := io.ReadFull(br, want[:]); err != nil || binary.BigEndian.Uint32(want[:]) != sum.Sum32() {
		return fmt.Errorf("%w: checksum of %s", errStream, name)
	}
	return dst.Sync()
}

// syncDir makes the names in a folder durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeFileSync replaces path by content, atomically and durably.
func writeFileSync(path string, content []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		f.Close()
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(vfs.Default, filepath.Dir(path))
}
