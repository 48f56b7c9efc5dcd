package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// stableStore is the StableStore (term and vote) of all groups of a node in
// one raft-boltdb file. It is written at elections only.
type stableStore struct{ bolt *raftboltdb.BoltStore }

func openStableStore(path string) (*stableStore, error) {
	if err := checkBolt(path); err != nil {
		return nil, damagedStable(path, err)
	}
	b, err := openBolt(path)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s is locked: another process uses this data folder", path)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("open %s: %w", path, err)
	case err != nil:
		return nil, damagedStable(path, err)
	}
	return &stableStore{bolt: b}, nil
}

// openBolt opens the file; bbolt panics where its content makes no sense.
func openBolt(path string) (b *raftboltdb.BoltStore, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: &bbolt.Options{Timeout: time.Second}})
}

func damagedStable(path string, err error) error {
	return fmt.Errorf("%s is damaged (%w): remove the data folder %s and start the node again, it is rebuilt from the other nodes",
		path, err, filepath.Dir(path))
}

// checkBolt refuses a file that is shorter than its newest meta page says:
// bbolt maps it into memory, and a read past its end would end the process
// with a signal.
//
// A meta page of bbolt: page header (16 bytes), magic u32, version u32, page
// size u32, flags u32, root (16), freelist u64, pages u64, transaction u64.
func checkBolt(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err // an empty file is a new one
	}
	const magic, metaBytes = 0xED0CDAED, 16 + 16 + 16 + 24
	pageSize := int64(os.Getpagesize())
	var pages, newest uint64
	for page := range int64(2) {
		meta := make([]byte, metaBytes)
		if _, err := f.ReadAt(meta, page*pageSize); err != nil || binary.NativeEndian.Uint32(meta[16:]) != magic {
			continue // bbolt falls back on the other one, or says what is wrong
		}
		pageSize = int64(binary.NativeEndian.Uint32(meta[24:]))
		if transaction := binary.NativeEndian.Uint64(meta[64:]); transaction >= newest {
			newest, pages = transaction, binary.NativeEndian.Uint64(meta[56:])
		}
	}
	if want := int64(pages) * pageSize; info.Size() < want {
		return fmt.Errorf("it has %d bytes of %d", info.Size(), want)
	}
	return nil
}

func (s *stableStore) group(id GroupID) *groupStable {
	return &groupStable{bolt: s.bolt, prefix: fmt.Sprintf("g%d/", id)}
}

func (s *stableStore) close() error { return s.bolt.Close() }

// groupStable is one group's keys. A missing key is raft-boltdb's own error,
// whose text "not found" hashicorp/raft compares.
type groupStable struct {
	bolt   *raftboltdb.BoltStore
	prefix string
}

var _ raft.StableStore = (*groupStable)(nil)

func (g *groupStable) key(k []byte) []byte { return append([]byte(g.prefix), k...) }

// Set implements raft.StableStore.
func (g *groupStable) Set(k, v []byte) error { return g.bolt.Set(g.key(k), v) }

// Get implements raft.StableStore.
func (g *groupStable) Get(k []byte) ([]byte, error) { return g.bolt.Get(g.key(k)) }

// SetUint64 implements raft.StableStore.
func (g *groupStable) SetUint64(k []byte, v uint64) error { return g.bolt.SetUint64(g.key(k), v) }

// GetUint64 implements raft.StableStore.
func (g *groupStable) GetUint64(k []byte) (uint64, error) { return g.bolt.GetUint64(g.key(k)) }
