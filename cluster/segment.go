package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A segment is one file of the log: records, one after the other, each begun on
// a multiple of eight bytes. What follows the last one is zeros, or what the
// file held in an earlier life: a file is used again, since an fdatasync that
// changes no metadata is the cheapest one.
//
//	 0        4         8          16        20       24       32     33      40
//	+--------+---------+----------+---------+--------+--------+------+-------+------+
//	| CRC-32C| length  | segment  | synced  | group  | index  | kind | zeros | body |
//	| uint32 | uint32  | uint64   | uint32  | uint32 | uint64 |      |       |      |
//	+--------+---------+----------+---------+--------+--------+------+-------+------+
//
// all big endian. The checksum is over all that follows it up to length, which
// counts the header and not what fills the last eight bytes up. A record of
// another segment number is none of this life. synced is an offset in this file:
// all before it was on disk when the record was written. So a damaged record
// before a good one that says so has rotted; one without was merely not written
// to the end when the power went.
const (
	recordHeader = 40
	recordAlign  = 8
)

// recordKind says what a record does to the log. Values are stored: append only.
type recordKind byte

const (
	recordEntry recordKind = 'E' // body: an entry, as appendLog has it
	recordCut   recordKind = 'D' // entries index … body (uint64) of the group are gone
	recordSeal  recordKind = 'Z' // the segment's end; the next one goes on
)

// appendRecord appends a record without segment, synced and checksum, which
// finishRecords fills in once it is known where the record goes.
func appendRecord(b []byte, kind recordKind, group GroupID, index uint64, body func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, recordHeader)...)
	header := b[start:]
	binary.BigEndian.PutUint32(header[20:], uint32(group))
	binary.BigEndian.PutUint64(header[24:], index)
	header[32] = byte(kind)
	if body != nil {
		b = body(b)
	}
	binary.BigEndian.PutUint32(b[start+4:], uint32(len(b)-start))
	for (len(b)-start)%recordAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// recordSize is a record's place in the file.
func recordSize(length uint32) int { return (int(length) + recordAlign - 1) &^ (recordAlign - 1) }

// finishRecords fills in what depends on the place of whole records.
func finishRecords(b []byte, segment uint64, synced uint32) {
	for len(b) > 0 {
		length := binary.BigEndian.Uint32(b[4:])
		binary.BigEndian.PutUint64(b[8:], segment)
		binary.BigEndian.PutUint32(b[16:], synced)
		binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:length], castagnoli))
		b = b[recordSize(length):]
	}
}

// logRecord is a record read back.
type logRecord struct {
	kind   recordKind
	group  GroupID
	index  uint64
	synced uint32
	body   []byte
	size   int // with the header, and filled up
}

// parseRecord reads the record of a segment that b begins with, or reports that
// there is none.
func parseRecord(b []byte, segment uint64) (r logRecord, ok bool) {
	if len(b) < recordHeader {
		return r, false
	}
	length := binary.BigEndian.Uint32(b[4:])
	if length < recordHeader || uint64(length) > uint64(len(b)) || binary.BigEndian.Uint64(b[8:]) != segment ||
		binary.BigEndian.Uint32(b) != crc32.Checksum(b[4:length], castagnoli) {
		return r, false
	}
	return logRecord{
		kind: recordKind(b[32]), group: GroupID(binary.BigEndian.Uint32(b[20:])), index: binary.BigEndian.Uint64(b[24:]),
		synced: binary.BigEndian.Uint32(b[16:]), body: b[recordHeader:length], size: recordSize(length),
	}, true
}

// unfinished reads a whole record that finishRecords may be at work on.
func unfinished(b []byte) *logRecord {
	length := binary.BigEndian.Uint32(b[4:])
	return &logRecord{
		kind: recordKind(b[32]), group: GroupID(binary.BigEndian.Uint32(b[20:])), index: binary.BigEndian.Uint64(b[24:]),
		body: b[recordHeader:length], size: recordSize(length),
	}
}

// cutEnd is the last index that a recordCut names.
func (r *logRecord) cutEnd() (uint64, error) {
	if len(r.body) != 8 {
		return 0, errors.New("a cut of the log is damaged")
	}
	return binary.BigEndian.Uint64(r.body), nil
}

// scanSegment calls visit with each record and its offset, and returns where
// they end and whether a seal says so. Without one, the end must be what a power
// loss may leave.
func scanSegment(b []byte, segment uint64, visit func(offset int, r *logRecord) error) (end int, sealed bool, err error) {
	for end < len(b) {
		r, ok := parseRecord(b[end:], segment)
		switch {
		case !ok:
			return end, false, checkTail(b, end, segment)
		case r.kind == recordSeal:
			return end, true, nil
		}
		if err := visit(end, &r); err != nil {
			return end, false, err
		}
		end += r.size
	}
	return end, false, nil
}

// checkTail looks for records behind the first bad one that know it to have
// been on disk.
func checkTail(b []byte, end int, segment uint64) error {
	for at := end + recordAlign; at+recordHeader <= len(b); at += recordAlign {
		if binary.BigEndian.Uint64(b[at+8:]) != segment {
			continue
		}
		if r, ok := parseRecord(b[at:], segment); ok && int(r.synced) > end {
			return fmt.Errorf("the record at byte %d is damaged, and was on disk before", end)
		}
	}
	return nil
}

// segment is a file of the log. Positions are those of the stream of all
// segments' records, seals not counted: a record at position p is at offset
// p − base.
type segment struct {
	number uint64
	path   string
	file   vfs.File
	base   uint64
	size   int64 // of its records; grows under the store's writing lock and mu
	// reading is held for reading while file is read, and for good once it is
	// given back; taken with the store's mu held.
	reading sync.RWMutex
}

func (s *segment) end() uint64 { return s.base + uint64(s.size) }

const (
	segmentSuffix = ".log"
	sparePrefix   = "spare-"
)

func segmentName(number uint64) string { return fmt.Sprintf("%016x%s", number, segmentSuffix) }

// parseSegmentName returns the number that a file's name says, or false for a
// file that is no segment.
func parseSegmentName(name string) (number uint64, ok bool) {
	text, found := strings.CutSuffix(name, segmentSuffix)
	if !found || len(text) != 16 {
		return 0, false
	}
	number, err := strconv.ParseUint(text, 16, 64)
	return number, err == nil
}

// readFile returns a file's content.
func readFile(fs vfs.FS, path string) (b []byte, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b = make([]byte, info.Size())
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) && n == len(b) {
		err = nil
	}
	return b, err
}

// makeSpare makes a file of zeros that a segment can be written into without
// changing its metadata.
func makeSpare(fs vfs.FS, path string, size int64) (err error) {
	f, err := fs.Create(path, logCategory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zeros := make([]byte, min(size, 1<<20))
	for left := size; left > 0; {
		n, err := f.Write(zeros[:min(left, int64(len(zeros)))])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return f.Sync()
}

// logCategory tells Pebble's disk statistics whose writes these are.
const logCategory = vfs.WriteCategoryUnspecified

// isSpare reports whether a file of the log's folder waits to be used again.
func isSpare(name string) bool { return strings.HasPrefix(filepath.Base(name), sparePrefix) }
