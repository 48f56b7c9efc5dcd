package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// testSegmentBytes is small, so that segments are begun and given back often.
const testSegmentBytes = 4 << 10

func testLogStore(t *testing.T, fs vfs.FS) *logStore {
	fail := func(err error) { t.Errorf("log store failed: %v", err) }
	s, err := openLogStore("log", fs, testSegmentBytes, logWriteLimit, fail)
	require.NoError(t, err)
	return s
}

func entries(from, to, term uint64) []*raft.Log {
	var logs []*raft.Log
	for i := from; i <= to; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: term, Type: raft.LogCommand, Data: fmt.Appendf(nil, "%d at %d", i, term), Extensions: []byte("x")})
	}
	return logs
}

func requireLog(t *testing.T, g *groupLog, from, to, term uint64) {
	first, _ := g.FirstIndex()
	last, _ := g.LastIndex()
	require.Equal(t, []uint64{from, to}, []uint64{first, last})
	for _, want := range entries(from, to, term) {
		var got raft.Log
		if from == 0 {
			require.ErrorIs(t, g.GetLog(1, &got), raft.ErrLogNotFound)
			return
		}
		require.NoError(t, g.GetLog(want.Index, &got))
		require.Equal(t, *want, got)
	}
}

func TestLogStoreKeepsGroupsApart(t *testing.T) {
	s := testLogStore(t, vfs.NewMem())
	defer s.close()
	one, two := s.group(1), s.group(2)
	requireLog(t, one, 0, 0, 0)
	require.NoError(t, one.StoreLogs(entries(1, 20, 1)))
	require.NoError(t, two.StoreLogs(entries(5, 9, 3)))

	require.NoError(t, one.DeleteRange(1, 7), "head, after a snapshot")
	requireLog(t, one, 8, 20, 1)
	require.NoError(t, one.DeleteRange(15, 20), "tail, replaced by a new leader")
	requireLog(t, one, 8, 14, 1)
	require.NoError(t, one.DeleteRange(8, 14))
	requireLog(t, one, 0, 0, 0)
	requireLog(t, two, 5, 9, 3)
}

func TestLogStoreKeepsWhatItAcknowledgedAcrossAPowerLoss(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := testLogStore(t, fs)
	one := s.group(1)
	for i := uint64(1); i <= 50; i++ {
		require.NoError(t, one.StoreLogs(entries(i, i, 1)))
		if i == 30 {
			require.NoError(t, one.DeleteRange(28, 30))
			require.NoError(t, one.StoreLogs(entries(28, 30, 2)))
		}
		lost := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		again := testLogStore(t, lost)
		g := again.group(1)
		last, _ := g.LastIndex()
		require.Equal(t, i, last)
		var got raft.Log
		require.NoError(t, g.GetLog(last, &got))
		if i == 30 {
			require.Equal(t, uint64(2), got.Term)
		}
		require.NoError(t, again.close())
	}
	require.NoError(t, s.close())
}

// What a leader wrote ahead is lost by a power loss and not counted as durable
// before; whatever waits for it finds it on disk. A cut of the tail waits, and
// takes back what was counted.
func TestLeaderWritesAhead(t *testing.T) {
	fs := vfs.NewCrashableMem()
	var disk sync.RWMutex
	held := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo {
			disk.RLock()
			defer disk.RUnlock()
		}
		return nil
	}))
	s := testLogStore(t, held)
	one := s.group(1)
	leads := true
	leading := func() bool { return leads }
	one.leading.Store(&leading)
	onDisk := func() uint64 {
		again := testLogStore(t, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0}))
		defer again.close()
		g := again.group(1)
		last, _ := g.LastIndex()
		return last
	}
	noop := entries(1, 1, 1)
	noop[0].Type = raft.LogNoop
	require.NoError(t, one.StoreLogs(noop))
	require.Equal(t, uint64(1), one.durable.Load())

	disk.Lock()
	require.NoError(t, one.StoreLogs(entries(2, 4, 1)))
	require.NoError(t, one.StoreLogs(entries(5, 6, 1)))
	last, _ := one.LastIndex()
	require.Equal(t, []uint64{6, 1, 1}, []uint64{last, one.durable.Load(), onDisk()})
	require.NotZero(t, s.since.Load(), "the watchdog sees it")
	disk.Unlock()
	require.NoError(t, one.await(4))
	require.GreaterOrEqual(t, one.durable.Load(), uint64(4))
	require.GreaterOrEqual(t, onDisk(), uint64(4))

	require.NoError(t, one.StoreLogs(entries(7, 9, 1)))
	leads = false
	var got raft.Log
	require.NoError(t, one.await(8))
	require.NoError(t, one.GetLog(8, &got))
	require.GreaterOrEqual(t, onDisk(), uint64(9), "they were one write")
	leads = true
	require.NoError(t, one.StoreLogs(entries(10, 12, 1)))
	leads = false
	require.NoError(t, one.DeleteRange(8, 12))
	require.Equal(t, []uint64{7, 7}, []uint64{one.durable.Load(), onDisk()})
	require.NoError(t, one.StoreLogs(entries(8, 8, 2)))
	require.Equal(t, []uint64{8, 8}, []uint64{one.durable.Load(), onDisk()})
	require.Zero(t, s.since.Load())

	leads = true
	require.NoError(t, one.StoreLogs(entries(9, 9, 2)))
	require.Eventually(t, func() bool { return one.durable.Load() == 9 }, time.Second, time.Millisecond, "though nobody waits for it")
	require.NoError(t, s.close())
}

func FuzzDecodeLog(f *testing.F) {
	f.Add(logSeal{}.append(nil, 1, entries(3, 3, 7)[0]))
	f.Add([]byte{logVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		var l raft.Log
		if decodeLog(3, b, &l) == nil {
			require.Equal(t, b, logSeal{}.append(nil, 1, &l))
		}
	})
}

// hashicorp/raft takes an error for a missing key by its text alone.
func TestStableStoreSaysNotFoundAndKeepsGroupsApart(t *testing.T) {
	s, err := openStableStore(filepath.Join(t.TempDir(), "stable.db"))
	require.NoError(t, err)
	defer s.close()
	one, two := s.group(1), s.group(11)
	_, err = one.Get([]byte("LastVoteCand"))
	require.EqualError(t, err, "not found")
	require.NoError(t, one.Set([]byte("k"), []byte("v")))
	require.NoError(t, one.SetUint64([]byte("CurrentTerm"), 7))
	_, err = two.Get([]byte("k"))
	require.EqualError(t, err, "not found")
	_, err = two.GetUint64([]byte("CurrentTerm"))
	require.EqualError(t, err, "not found")
	term, err := one.GetUint64([]byte("CurrentTerm"))
	require.NoError(t, err)
	require.Equal(t, uint64(7), term)
}

func takeSnapshot(t *testing.T, s *snapshotStore, index uint64, files map[string]string) string {
	sink, err := s.Create(1, index, 1, raft.Configuration{}, 1, nil)
	require.NoError(t, err)
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(sink.(*snapshotSink).dataDir(), name), []byte(content), 0o600))
	}
	require.NoError(t, sink.Close())
	return sink.ID()
}

func TestSnapshotsAreKeptStreamedAndPruned(t *testing.T) {
	s, err := openSnapshotStore(filepath.Join(t.TempDir(), "a"))
	require.NoError(t, err)
	files := map[string]string{"MANIFEST-1": "m", "000001.sst": string(bytes.Repeat([]byte("s"), 300_000)), "empty": ""}
	old := takeSnapshot(t, s, 10, files)
	meta, reading, err := s.Open(old)
	require.NoError(t, err)

	newest := takeSnapshot(t, s, 20, map[string]string{"x": "y"})
	metas, err := s.List()
	require.NoError(t, err)
	require.Len(t, metas, 2, "what is being read stays")
	require.Equal(t, newest, metas[0].ID)

	// The stream of one store becomes the same snapshot in another.
	other, err := openSnapshotStore(filepath.Join(t.TempDir(), "b"))
	require.NoError(t, err)
	sink, err := other.Create(1, 10, 1, raft.Configuration{}, 1, nil)
	require.NoError(t, err)
	n, err := io.Copy(sink, reading)
	require.NoError(t, err)
	require.Equal(t, meta.Size, n, "raft sends exactly the size that the description names")
	require.NoError(t, sink.Close())
	for name, content := range files {
		b, err := os.ReadFile(filepath.Join(other.dir, sink.ID(), "data", name))
		require.NoError(t, err)
		require.Equal(t, content, string(b))
	}
	require.NoError(t, reading.Close())
	takeSnapshot(t, s, 30, files)
	metas, err = s.List()
	require.NoError(t, err)
	require.Len(t, metas, 1)

	// What a crash left half-made is gone after the next start.
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "00-1.tmp", "data"), 0o700))
	_, err = openSnapshotStore(s.dir)
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(s.dir, "00-1.tmp"))
}

func TestSnapshotStreamThatIsDamagedIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("alpha"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b"), []byte("beta"), 0o600))
	files, size, err := streamFiles(dir)
	require.NoError(t, err)
	var whole bytes.Buffer
	require.NoError(t, writeStream(&whole, dir, files))
	require.Equal(t, int(size), whole.Len())
	require.NoError(t, readStream(bytes.NewReader(whole.Bytes()), t.TempDir()))

	s, err := openSnapshotStore(t.TempDir())
	require.NoError(t, err)
	receive := func(b []byte) error {
		sink, err := s.Create(1, 5, 1, raft.Configuration{}, 1, nil)
		require.NoError(t, err)
		if _, err := sink.Write(b); err != nil {
			return errors.Join(err, sink.Cancel())
		}
		return sink.Close()
	}
	for i := range whole.Len() {
		flipped := bytes.Clone(whole.Bytes())
		flipped[i] ^= 0x41
		require.Error(t, receive(flipped), "byte %d flipped", i)
		require.Error(t, receive(whole.Bytes()[:i]), "cut at %d", i)
	}
	require.Error(t, receive(append(bytes.Clone(whole.Bytes()), 0)), "trailing byte")
	metas, err := s.List()
	require.NoError(t, err)
	require.Empty(t, metas)
	left, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func FuzzReadStream(f *testing.F) {
	f.Add([]byte(streamMagic + "\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte(streamMagic + "\x00\x05../ab\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		require.NoError(t, os.Mkdir(dir, 0o700))
		_ = readStream(bytes.NewReader(b), dir)
		outside, err := os.ReadDir(parent)
		require.NoError(t, err)
		require.Len(t, outside, 1, "nothing is written outside of the folder")
	})
}

func TestStableStoreThatIsCutShortIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable.db")
	s, err := openStableStore(path)
	require.NoError(t, err)
	require.NoError(t, s.group(1).SetUint64([]byte("CurrentTerm"), 7))
	require.NoError(t, s.close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for size := 1; size < len(whole); size += 509 {
		require.NoError(t, os.WriteFile(path, whole[:size], 0o600))
		s, err := openStableStore(path)
		if err == nil { // cut within what no page uses yet
			term, err := s.group(1).GetUint64([]byte("CurrentTerm"))
			require.NoError(t, err)
			require.Equal(t, uint64(7), term)
			require.NoError(t, s.close())
			continue
		}
		require.ErrorContains(t, err, "start the node again", "cut to %d bytes", size)
	}
	for at := 0; at < len(whole); at += 4096 {
		noise := bytes.Clone(whole)
		copy(noise[at:], bytes.Repeat([]byte("x"), 4096))
		noisy := filepath.Join(t.TempDir(), "stable.db") // bbolt keeps the lock of one it panicked on
		require.NoError(t, os.WriteFile(noisy, noise, 0o600))
		s, err := openStableStore(noisy)
		if err == nil { // a page that nothing refers to, or the other meta page
			require.NoError(t, s.close())
			continue
		}
		require.ErrorContains(t, err, "is damaged", "page at %d", at)
	}
}

// After an installed snapshot, entries that may never have been committed must
// not stay in the log.
func TestInstalledSnapshotTrimsADoubtfulLog(t *testing.T) {
	for name, c := range map[string]struct {
		log             []*raft.Log
		from, to, terms uint64 // what stays
	}{
		"the log ends below":            {log: entries(10, 20, 1)},
		"it holds the snapshot's entry": {log: entries(10, 40, 2), from: 10, to: 40, terms: 2},
		"it holds another entry there":  {log: entries(10, 40, 1), from: 31, to: 40, terms: 1},
		"it begins above":               {log: entries(31, 40, 1), from: 31, to: 40, terms: 1},
		"it is empty":                   {},
	} {
		t.Run(name, func(t *testing.T) {
			s := testLogStore(t, vfs.NewMem())
			defer s.close()
			g := s.group(1)
			cache, err := raft.NewLogCache(logCacheEntries, g)
			require.NoError(t, err)
			require.NoError(t, cache.StoreLogs(c.log))
			require.NoError(t, trimLog(cache, &raft.SnapshotMeta{Index: 30, Term: 2}))
			requireLog(t, g, c.from, c.to, c.terms)
			var gone raft.Log
			if c.from != 10 {
				require.ErrorIs(t, cache.GetLog(15, &gone), raft.ErrLogNotFound, "nor does the cache have it")
			}
		})
	}
}
