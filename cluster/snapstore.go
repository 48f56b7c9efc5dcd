package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
)

// snapshotStore keeps a group's snapshots as folders:
//
//	<dir>/<term>-<index>/meta.json   raft's SnapshotMeta
//	<dir>/<term>-<index>/data/…      the machine's files, hard links to its own
//	<dir>/<term>-<index>.tmp/…       one that is not complete
//
// A local snapshot costs no copy of the state; it becomes a stream only when
// a follower needs it.
type snapshotStore struct {
	dir string

	// installed is told of a snapshot that came from the leader, before Raft
	// takes it into use; nil: nobody is.
	installed func(*raft.SnapshotMeta) error

	mu    sync.Mutex
	inUse map[string]int // readers by snapshot id
}

// trimLog removes what an installed snapshot makes doubtful. Raft keeps the
// entries below it, and where the log does not hold the snapshot's own last
// entry, those may never have been committed: sent on by a later leader, they
// would be applied elsewhere. Entries above are Raft's to judge.
func trimLog(log raft.LogStore, m *raft.SnapshotMeta) error {
	first, err := log.FirstIndex()
	if err != nil || first == 0 || first > m.Index {
		return err
	}
	var at raft.Log
	err = log.GetLog(m.Index, &at)
	if err == nil && at.Term == m.Term {
		return nil
	}
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	return log.DeleteRange(first, m.Index)
}

var _ raft.SnapshotStore = (*snapshotStore)(nil)

// openSnapshotStore removes what a crash left half-made.
func openSnapshotStore(dir string) (*snapshotStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	return &snapshotStore{dir: dir, inUse: map[string]int{}}, nil
}

// Create implements raft.SnapshotStore.
func (s *snapshotStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport,
) (raft.SnapshotSink, error) {
	if version != 1 {
		return nil, fmt.Errorf("unsupported snapshot version %d", version)
	}
	id := fmt.Sprintf("%020d-%020d", term, index)
	tmp := filepath.Join(s.dir, id+".tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(tmp, "data"), 0o700); err != nil {
		return nil, err
	}
	return &snapshotSink{store: s, tmp: tmp, meta: snapshotMeta{SnapshotMeta: raft.SnapshotMeta{
		Version: version, ID: id, Index: index, Term: term,
		Configuration: configuration, ConfigurationIndex: configurationIndex,
	}}}, nil
}

// snapshotMeta is meta.json: Raft's description and our own.
type snapshotMeta struct {
	raft.SnapshotMeta
	// MachineIndex is that of the last command in the snapshot. Raft's may be
	// of a later entry that is none. 0: not known, it came from the leader.
	MachineIndex uint64
}

// machineIndex is the index that a machine must have reached to need nothing
// of a snapshot.
func (s *snapshotStore) machineIndex(m *raft.SnapshotMeta) uint64 {
	if own, err := s.describe(m.ID); err == nil && own.MachineIndex > 0 {
		return own.MachineIndex
	}
	return m.Index
}

// List implements raft.SnapshotStore: newest first.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var metas []*raft.SnapshotMeta
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		meta, err := s.meta(e.Name())
		if err != nil {
			return nil, err
		}
		metas = append(metas, meta)
	}
	sort.Slice(metas, func(i, j int) bool {
		if metas[i].Index != metas[j].Index {
			return metas[i].Index > metas[j].Index
		}
		return metas[i].Term > metas[j].Term
	})
	return metas, nil
}

func (s *snapshotStore) meta(id string) (*raft.SnapshotMeta, error) {
	own, err := s.describe(id)
	if err != nil {
		return nil, err
	}
	return &own.SnapshotMeta, nil
}

func (s *snapshotStore) describe(id string) (*snapshotMeta, error) {
	b, err := os.ReadFile(filepath.Join(s.dir, id, "meta.json"))
	if err != nil {
		return nil, err
	}
	meta := new(snapshotMeta)
	if err := json.Unmarshal(b, meta); err != nil {
		return nil, fmt.Errorf("snapshot %s is damaged (%w): remove %s, the other nodes will send a new one",
			id, err, filepath.Join(s.dir, id))
	}
	return meta, nil
}

// Open implements raft.SnapshotStore.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	s.inUse[id]++
	s.mu.Unlock()
	meta, err := s.meta(id)
	if err != nil {
		s.release(id)
		return nil, nil, err
	}
	dir := filepath.Join(s.dir, id, "data")
	files, size, err := streamFiles(dir)
	if err == nil && size != meta.Size {
		err = fmt.Errorf("snapshot %s has %d bytes, its description says %d", id, size, meta.Size)
	}
	if err != nil {
		s.release(id)
		return nil, nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeStream(w, dir, files)) }()
	return meta, &snapshotReader{PipeReader: r, store: s, id: id}, nil
}

func (s *snapshotStore) release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inUse[id]--; s.inUse[id] == 0 {
		delete(s.inUse, id)
	}
}

// prune removes all but the newest snapshot, except those being read.
func (s *snapshotStore) prune() error {
	metas, err := s.List()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, m := range metas[min(1, len(metas)):] {
		if s.inUse[m.ID] > 0 {
			continue
		}
		tmp := filepath.Join(s.dir, m.ID+".tmp")
		if err := os.Rename(filepath.Join(s.dir, m.ID), tmp); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.RemoveAll(tmp))
	}
	return errors.Join(errs...)
}

type snapshotReader struct {
	*io.PipeReader
	store *snapshotStore
	id    string
	once  sync.Once
}

// Close ends the stream.
func (r *snapshotReader) Close() error {
	err := r.PipeReader.Close()
	r.once.Do(func() { r.store.release(r.id) })
	return err
}

// snapshotSink takes a snapshot: a local one as files put into data/, one
// from the leader as a stream that is unpacked there.
type snapshotSink struct {
	store *snapshotStore
	tmp   string
	meta  snapshotMeta

	stream   *io.PipeWriter
	unpacked chan error
	ended    bool
}

// ID implements raft.SnapshotSink.
func (k *snapshotSink) ID() string { return k.meta.ID }

// dataDir is the empty folder that a local snapshot's files go to.
func (k *snapshotSink) dataDir() string { return filepath.Join(k.tmp, "data") }

// Write implements raft.SnapshotSink: a part of the stream.
func (k *snapshotSink) Write(p []byte) (int, error) {
	if k.stream == nil {
		r, w := io.Pipe()
		k.stream, k.unpacked = w, make(chan error, 1)
		go func() {
			err := readStream(r, k.dataDir())
			r.CloseWithError(err) // what is written after an error gets it too
			k.unpacked <- err
		}()
	}
	return k.stream.Write(p)
}

// Close implements raft.SnapshotSink: the snapshot is complete and durable.
func (k *snapshotSink) Close() error {
	if k.ended {
		return nil
	}
	if k.stream != nil {
		_ = k.stream.Close()
		if err := <-k.unpacked; err != nil {
			k.ended = true
			return errors.Join(fmt.Errorf("receive snapshot: %w", err), os.RemoveAll(k.tmp))
		}
	}
	k.ended = true
	if err := k.seal(); err != nil {
		return errors.Join(fmt.Errorf("keep snapshot: %w", err), os.RemoveAll(k.tmp))
	}
	if k.stream != nil && k.store.installed != nil {
		if err := k.store.installed(&k.meta.SnapshotMeta); err != nil {
			return fmt.Errorf("trim the log below an installed snapshot: %w", err)
		}
	}
	return k.store.prune()
}

func (k *snapshotSink) seal() error {
	_, size, err := streamFiles(k.dataDir())
	if err != nil {
		return err
	}
	k.meta.Size = size
	b, err := json.Marshal(k.meta)
	if err != nil {
		return err
	}
	if err := syncDir(vfs.Default, k.dataDir()); err != nil {
		return err
	}
	if err := writeFileSync(filepath.Join(k.tmp, "meta.json"), b); err != nil {
		return err
	}
	final := filepath.Join(k.store.dir, k.meta.ID)
	if _, err := os.Stat(final); err == nil {
		// The same index was captured before; the older one is as good.
		return os.RemoveAll(k.tmp)
	}
	if err := os.Rename(k.tmp, final); err != nil {
		return err
	}
	return syncDir(vfs.Default, k.store.dir)
}

// Cancel implements raft.SnapshotSink.
func (k *snapshotSink) Cancel() error {
	if k.ended {
		return nil
	}
	k.ended = true
	if k.stream != nil {
		_ = k.stream.CloseWithError(errors.New("snapshot canceled"))
		<-k.unpacked
	}
	return os.RemoveAll(k.tmp)
}
