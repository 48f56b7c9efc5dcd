package cluster

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// stableStore is the StableStore (term and vote) of all groups of a node in
// one raft-boltdb file. It is written at elections only.
type stableStore struct{ bolt *raftboltdb.BoltStore }

func openStableStore(path string) (*stableStore, error) {
	b, err := raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: &bbolt.Options{Timeout: time.Second}})
	if errors.Is(err, bbolt.ErrTimeout) {
		return nil, fmt.Errorf("%s is locked: another process uses this data folder", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &stableStore{bolt: b}, nil
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
