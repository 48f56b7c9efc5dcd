package fsm_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/internal/crashfs"
)

// ledger is the smallest machine a store can have: a map of counters in
// memory, written behind, and a journal of appended records on disk. Entry i
// adds to the counters that its seed chooses, and appends one line.
type ledger struct {
	sync.RWMutex
	s        *fsm.Store
	counters map[string]string
	dirty    map[string]bool
}

const ledgerKind = "ledger/1"

func openLedger(fs vfs.FS, o fsm.Options) (*ledger, error) {
	s, err := fsm.OpenStore(fsm.StoreConfig{Dir: "data", FS: fs, Kind: ledgerKind, Group: 7, Options: o, Lists: []byte("l")})
	if err != nil {
		return nil, err
	}
	l := &ledger{s: s}
	if err := l.load(s); err != nil {
		return nil, err
	}
	s.Start(l)
	return l, nil
}

func (l *ledger) load(s *fsm.Store) error {
	l.counters, l.dirty = map[string]string{}, map[string]bool{}
	scan, err := s.Scan([]byte("c"), []byte("d"))
	if err != nil {
		return err
	}
	for scan.Next() {
		l.counters[string(scan.Key())] = string(scan.Value())
	}
	return scan.Close()
}

// WriteDirty writes the counters that changed since the last cut.
func (l *ledger) WriteDirty(w *fsm.Writer) {
	for k := range l.dirty {
		w.Set([]byte(k), []byte(l.counters[k]))
	}
	clear(l.dirty)
}

func (l *ledger) apply(index uint64) error {
	l.Lock()
	defer l.Unlock()
	if err := l.s.Err(); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(index, 1))
	for range 3 {
		k := fmt.Sprintf("c%02d", rng.IntN(40))
		l.counters[k] += fmt.Sprint(index, ",")
		if len(l.counters[k]) > 200 {
			l.counters[k] = fmt.Sprint(index, ",")
		}
		l.dirty[k] = true
	}
	l.s.Set(fmt.Appendf(nil, "j%06d", index), fmt.Appendf(nil, "line %d", index))
	if index > 50 {
		l.s.Delete(fmt.Appendf(nil, "j%06d", index-50))
	}
	if index%100 == 0 {
		l.s.DeleteRange([]byte("j"), fmt.Appendf(nil, "j%06d", index-20))
	}
	changeLists(index, l.s)
	l.s.SetApplied(index)
	return nil
}

// lists is what the ledger asks of lists.
type lists interface {
	Add(key, item []byte)
	Delete(key []byte)
	DeleteRange(lo, hi []byte)
}

// changeLists does to the lists what an entry does: most grow, some go and begin anew,
// in the same entry, too.
func changeLists(index uint64, to lists) {
	rng := rand.New(rand.NewPCG(index, 2))
	if index%40 == 0 {
		to.DeleteRange([]byte("l3"), []byte("l6"))
	}
	for range 3 {
		key := fmt.Appendf(nil, "l%d", rng.IntN(8))
		if rng.IntN(25) == 0 {
			to.Delete(key)
		}
		if rng.IntN(4) > 0 {
			to.Add(key, fmt.Appendf(nil, "%d,", index))
		}
	}
}

// plainLists are lists as they are meant.
type plainLists map[string]string

func (p plainLists) Add(key, item []byte) { p[string(key)] += string(item) }
func (p plainLists) Delete(key []byte)    { delete(p, string(key)) }
func (p plainLists) DeleteRange(lo, hi []byte) {
	maps.DeleteFunc(p, func(key, _ string) bool { return key >= string(lo) && key < string(hi) })
}

// lists reads each list by its key.
func (l *ledger) lists() (map[string]string, error) {
	all := map[string]string{}
	lists, err := l.s.Lists()
	if err != nil {
		return nil, err
	}
	for i := range 8 {
		key := fmt.Sprintf("l%d", i)
		list, getErr := lists.Get([]byte(key))
		err = errors.Join(err, getErr)
		if list != nil {
			all[key] = string(list)
		}
	}
	return all, errors.Join(err, lists.Close())
}

// state is everything there is, as a reader sees it.
func (l *ledger) state() (map[string]string, error) {
	l.RLock()
	all := maps.Clone(l.counters)
	scan, err := l.s.Scan([]byte("j"), []byte("m"))
	back, backErr := l.s.ScanBack([]byte("j"), []byte("m"))
	got, listErr := l.lists()
	l.RUnlock()
	if err = errors.Join(err, backErr, listErr); err != nil {
		return nil, err
	}
	var forth, reversed []string
	for scan.Next() {
		all[string(scan.Key())] = string(scan.Value())
		forth = append(forth, string(scan.Key())+string(scan.Value()))
	}
	for back.Next() {
		reversed = append(reversed, string(back.Key())+string(back.Value()))
	}
	slices.Reverse(reversed)
	if !slices.Equal(forth, reversed) || !slices.IsSorted(forth) {
		return nil, fmt.Errorf("forth %q, back %q", forth, reversed)
	}
	for key, list := range got {
		if all[key] != list {
			return nil, fmt.Errorf("list %s is %q, scanned as %q", key, list, all[key])
		}
	}
	return all, errors.Join(scan.Close(), back.Close())
}

func (l *ledger) appliedIndex() uint64 {
	l.RLock()
	defer l.RUnlock()
	return l.s.Applied()
}

// straight returns the state after every index up to n, computed without any
// write-behind.
func straight(t *testing.T, n uint64) []map[string]string {
	l, err := openLedger(vfs.NewMem(), fsm.Options{WriteEvery: -1, FlushEvery: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.s.Close()) }()
	states := make([]map[string]string, n+1)
	want := plainLists{}
	for i := range n + 1 {
		if i > 0 {
			require.NoError(t, l.apply(i))
			changeLists(i, want)
		}
		states[i], err = l.state()
		require.NoError(t, err)
		got := maps.Clone(states[i])
		maps.DeleteFunc(got, func(key, _ string) bool { return key[0] != 'l' })
		require.Equal(t, map[string]string(want), got, "index %d", i)
	}
	return states
}

func eager() fsm.Options {
	return fsm.Options{WriteEvery: 100 * time.Microsecond, FlushEvery: time.Millisecond, FlushBytes: 4 << 10, MemTableBytes: 64 << 10}
}

func requireState(t *testing.T, want map[string]string, l *ledger, message ...any) {
	t.Helper()
	got, err := l.state()
	require.NoError(t, err)
	require.Equal(t, want, got, message...)
}

// TestReadsSeeWhatWaits: whatever is pending, on its way or written, a reader
// sees the same.
func TestReadsSeeWhatWaits(t *testing.T) {
	const n = 300
	states := straight(t, n)
	for _, o := range []fsm.Options{eager(), {WriteEvery: -1, FlushEvery: -1}, {}} {
		l, err := openLedger(vfs.NewMem(), o)
		require.NoError(t, err)
		for i := uint64(1); i <= n; i++ {
			require.NoError(t, l.apply(i))
			requireState(t, states[i], l, "index %d", i)
			if i%30 == 0 {
				require.NoError(t, l.s.WriteBehind())
				requireState(t, states[i], l, "index %d, written", i)
			}
			if i%70 == 0 {
				require.NoError(t, l.s.Flush())
				requireState(t, states[i], l, "index %d, flushed", i)
			}
		}
		require.NoError(t, l.s.Close())
		require.NoError(t, l.s.Close(), "closing twice is fine")
	}
}

// TestReopenAfterClose: Close leaves everything applied on disk.
func TestReopenAfterClose(t *testing.T) {
	states := straight(t, 60)
	fs := vfs.NewCrashableMem()
	for i := uint64(1); i <= 60; {
		l, err := openLedger(fs, fsm.Options{WriteEvery: -1, FlushEvery: -1})
		require.NoError(t, err)
		require.Equal(t, i-1, l.appliedIndex())
		requireState(t, states[i-1], l)
		for range 7 {
			if i <= 60 {
				require.NoError(t, l.apply(i))
				i++
			}
		}
		require.NoError(t, l.s.Close())
		fs = fs.CrashClone(vfs.CrashCloneCfg{}) // what Close left must be durable
	}
}

// TestIdleMachineReachesTheDisk: the last entries are written and flushed
// though no other follows.
func TestIdleMachineReachesTheDisk(t *testing.T) {
	states := straight(t, 5)
	fs := vfs.NewCrashableMem()
	l, err := openLedger(fs, fsm.Options{WriteEvery: time.Millisecond, FlushEvery: 2 * time.Millisecond})
	require.NoError(t, err)
	defer func() { _ = l.s.Close() }()
	for i := uint64(1); i <= 5; i++ {
		require.NoError(t, l.apply(i))
	}
	require.Eventually(t, func() bool {
		again, err := openLedger(fs.CrashClone(vfs.CrashCloneCfg{}), fsm.Options{WriteEvery: -1, FlushEvery: -1})
		require.NoError(t, err)
		defer func() { _ = again.s.Close() }()
		got, err := again.state()
		require.NoError(t, err)
		index := again.appliedIndex()
		require.Equal(t, states[index], got, "index %d", index)
		return index == 5
	}, 20*time.Second, 5*time.Millisecond)
}

// TestCrashAnywhere crashes at random operations of the file system, with
// random parts of what was not synced: whatever the disk holds is the state of
// exactly its applied index, and replay leads on from there.
func TestCrashAnywhere(t *testing.T) {
	const n = 400
	states := straight(t, n)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	crashes, distinct := 0, map[uint64]bool{}
	for round := range 6 {
		fs := crashfs.New()
		var mu sync.Mutex
		var clones []*vfs.MemFS
		snapshotted := uint64(0)
		var floors []uint64 // the index that a snapshot had made durable by then
		inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if rng.IntN(8) == 0 && len(clones) < 40 {
				clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[rng.IntN(3)], RNG: rng}))
				floors = append(floors, snapshotted)
			}
			return nil
		})
		l, err := openLedger(errorfs.Wrap(fs, inject), eager())
		require.NoError(t, err)
		for i := uint64(1); i <= n; i++ {
			require.NoError(t, l.apply(i))
			if i%150 == 0 {
				dir := fmt.Sprintf("snapshot-%d-%d", round, i)
				require.NoError(t, takeSnapshot(l, fs, dir))
				mu.Lock()
				snapshotted = i
				mu.Unlock()
			}
			if i%40 == 0 {
				time.Sleep(time.Millisecond) // pace, not a wait: lets the disk interleave
			}
		}
		require.NoError(t, l.s.Close())
		mu.Lock()
		for i, clone := range clones {
			again, err := openLedger(clone, fsm.Options{WriteEvery: -1, FlushEvery: -1})
			require.NoError(t, err, "crash %d", i)
			index := again.appliedIndex()
			require.GreaterOrEqual(t, index, floors[i], "the log below a persisted snapshot is gone")
			requireState(t, states[index], again, "crash %d, disk at %d", i, index)
			for next := index + 1; next <= n; next++ {
				require.NoError(t, again.apply(next))
			}
			requireState(t, states[n], again, "crash %d, replayed from %d", i, index)
			require.NoError(t, again.s.Close())
			crashes, distinct[index] = crashes+1, true
		}
		mu.Unlock()
	}
	require.Greater(t, crashes, 100)
	require.Greater(t, len(distinct), 3, "crashes at different indexes")
}

func takeSnapshot(l *ledger, fs vfs.FS, dir string) error {
	l.Lock()
	snapshot, err := l.s.Snapshot()
	l.Unlock()
	if err != nil {
		return err
	}
	defer snapshot.Release()
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return snapshot.Persist(dir)
}

// restore puts the state in dir in force, as a machine does.
func (l *ledger) restore(dir string) error {
	next, err := l.s.Restored(dir)
	if err != nil {
		return err
	}
	fresh := &ledger{}
	if err := fresh.load(next); err != nil {
		return errors.Join(err, next.Discard())
	}
	l.Lock()
	old := l.s
	if err := old.Replace(next); err != nil {
		l.Unlock()
		return err
	}
	l.s, l.counters, l.dirty = next, fresh.counters, fresh.dirty
	next.Start(l)
	l.Unlock()
	return old.CloseReplaced()
}

// TestCrashDuringRestore crashes before every operation of a Restore: the
// folder holds the old state or the new one, never a part of either, and the
// new one for sure once Restore has returned.
func TestCrashDuringRestore(t *testing.T) {
	states := straight(t, 120)
	source := vfs.NewMem()
	giver, err := openLedger(source, fsm.Options{WriteEvery: -1, FlushEvery: -1})
	require.NoError(t, err)
	for i := uint64(1); i <= 120; i++ {
		require.NoError(t, giver.apply(i))
	}
	require.NoError(t, takeSnapshot(giver, source, "given"))
	require.NoError(t, giver.s.Close())

	for _, percent := range []int{0, 50, 100} {
		fs := crashfs.New()
		copyDir(t, source, "given", fs, "given")
		rng := rand.New(rand.NewPCG(uint64(percent), 2))
		var clones []*vfs.MemFS
		var mu sync.Mutex
		var watching atomic.Bool
		inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if watching.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				mu.Lock()
				clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}))
				mu.Unlock()
			}
			return nil
		})
		l, err := openLedger(errorfs.Wrap(fs, inject), fsm.Options{WriteEvery: -1, FlushEvery: -1})
		require.NoError(t, err)
		for i := uint64(1); i <= 30; i++ {
			require.NoError(t, l.apply(i))
		}
		require.NoError(t, l.s.Flush())
		watching.Store(true)
		require.NoError(t, l.restore("given"))
		watching.Store(false)
		after := fs.CrashClone(vfs.CrashCloneCfg{})
		requireState(t, states[120], l)
		require.NoError(t, l.s.Close())

		require.Greater(t, len(clones), 10)
		found := map[uint64]int{}
		for i, clone := range append(clones, after) {
			again, err := openLedger(clone, fsm.Options{WriteEvery: -1, FlushEvery: -1})
			require.NoError(t, err, "step %d", i)
			index := again.appliedIndex()
			require.Contains(t, []uint64{30, 120}, index)
			requireState(t, states[index], again, "step %d", i)
			require.NoError(t, again.s.Close())
			found[index]++
			if i == len(clones) {
				require.Equal(t, uint64(120), index, "Restore returned, so it must be durable")
			}
		}
		require.Len(t, found, 2, "both states were met: %v", found)
	}
}

func copyDir(t *testing.T, from vfs.FS, dir string, to vfs.FS, target string) {
	t.Helper()
	ok, err := vfs.Clone(from, to, dir, target, vfs.CloneSync)
	require.NoError(t, err)
	require.True(t, ok)
}

// TestSnapshotHoldsItsIndex: what is applied between Snapshot and Persist is
// not in the snapshot, but not lost either.
func TestSnapshotHoldsItsIndex(t *testing.T) {
	states := straight(t, 80)
	fs := vfs.NewCrashableMem()
	l, err := openLedger(fs, eager())
	require.NoError(t, err)
	for i := uint64(1); i <= 50; i++ {
		require.NoError(t, l.apply(i))
	}
	l.Lock()
	snapshot, err := l.s.Snapshot()
	require.NoError(t, err)
	_, err = l.s.Snapshot()
	require.ErrorIs(t, err, fsm.ErrSnapshotTaken)
	l.Unlock()
	for i := uint64(51); i <= 80; i++ {
		require.NoError(t, l.apply(i))
		require.NoError(t, l.s.WriteBehind())
	}
	require.NoError(t, fs.MkdirAll("snapshot", 0o755))
	require.NoError(t, snapshot.Persist("snapshot"))
	snapshot.Release()
	requireState(t, states[80], l)
	names, err := fs.List("snapshot")
	require.NoError(t, err)
	for _, name := range names {
		info, err := fs.Stat(fs.PathJoin("snapshot", name))
		require.NoError(t, err)
		require.False(t, info.IsDir(), "flat files only")
	}
	target := vfs.NewMem()
	copyDir(t, fs, "snapshot", target, "given")
	other, err := openLedger(target, eager())
	require.NoError(t, err)
	require.NoError(t, other.restore("given"))
	require.Equal(t, uint64(50), other.appliedIndex())
	requireState(t, states[50], other)
	require.NoError(t, other.s.Close())
	require.NoError(t, l.s.Close())
}

// TestDiskErrorsSurface fails every write, or every sync, from the Nth on: the
// machine stops with an error, or had nothing to write, and a restart replays
// to the right state.
func TestDiskErrorsSurface(t *testing.T) {
	const n = 200
	states := straight(t, n)
	for _, kind := range []string{"write", "sync", "create"} {
		for _, nth := range []int64{1, 2, 3, 5, 8, 13, 21, 40} {
			t.Run(fmt.Sprintf("%s-%d", kind, nth), func(t *testing.T) {
				fs := crashfs.New()
				var seen atomic.Int64
				var broken atomic.Bool
				inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
					hit := false
					switch op.Kind {
					case errorfs.OpFileWrite, errorfs.OpFileWriteAt:
						hit = kind == "write"
					case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
						hit = kind == "sync"
					case errorfs.OpCreate, errorfs.OpReuseForWrite:
						hit = kind == "create"
					default:
					}
					if hit && seen.Add(1) >= nth {
						broken.Store(true)
						return errorfs.ErrInjected
					}
					return nil
				})
				fatal := make(chan error, 1)
				o := eager()
				o.Fatal = func(err error) { fatal <- err }
				opened := make(chan error, 1)
				var l *ledger
				go func() { // Pebble's fatal errors never return, or panic
					defer func() {
						if p := recover(); p != nil {
							opened <- fmt.Errorf("panic: %v", p)
						}
					}()
					var err error
					l, err = openLedger(errorfs.Wrap(fs, inject), o)
					opened <- err
				}()
				var failed error
				select {
				case failed = <-opened:
				case failed = <-fatal:
					require.Error(t, failed)
				case <-time.After(20 * time.Second):
					t.Fatal("Open neither failed nor came back")
				}
				last := uint64(0)
				if failed == nil {
					for last < n && failed == nil {
						if failed = l.apply(last + 1); failed == nil {
							last++
						}
					}
					if failed == nil {
						failed = closeOrFatal(t, l, fatal)
					}
					if broken.Load() {
						require.Error(t, failed, "the disk fails and nobody said so")
					}
				}
				again, err := openLedger(fs.CrashClone(vfs.CrashCloneCfg{}), eager())
				require.NoError(t, err)
				index := again.appliedIndex()
				requireState(t, states[index], again, "disk at %d", index)
				for i := index + 1; i <= n; i++ {
					require.NoError(t, again.apply(i))
				}
				requireState(t, states[n], again)
				require.NoError(t, again.s.Close())
			})
		}
	}
}

// closeOrFatal closes l; where Pebble's own fatal error came first, Close may
// never return, as the process would have ended.
func closeOrFatal(t *testing.T, l *ledger, fatal chan error) error {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- l.s.Close() }()
	select {
	case err := <-closed:
		return err
	case err := <-fatal:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("Close neither failed nor came back")
		return nil
	}
}

// TestForeignAndDamagedFolders: a clear message that says what to do.
func TestForeignAndDamagedFolders(t *testing.T) {
	made := func(t *testing.T) *vfs.MemFS {
		fs := vfs.NewMem()
		l, err := openLedger(fs, eager())
		require.NoError(t, err)
		for i := uint64(1); i <= 20; i++ {
			require.NoError(t, l.apply(i))
		}
		require.NoError(t, l.s.Close())
		return fs
	}
	write := func(t *testing.T, fs vfs.FS, path, text string) {
		f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		_, err = f.Write([]byte(text))
		require.NoError(t, errors.Join(err, f.Close()))
	}
	open := func(fs vfs.FS, kind string, group uint32) error {
		s, err := fsm.OpenStore(fsm.StoreConfig{Dir: "data", FS: fs, Kind: kind, Group: group})
		if err == nil {
			return s.Discard()
		}
		return err
	}
	for name, c := range map[string]struct {
		harm func(t *testing.T, fs *vfs.MemFS) error
		want error
		says string
	}{
		"another machine's": {func(_ *testing.T, fs *vfs.MemFS) error { return open(fs, "other/1", 7) }, fsm.ErrForeign, "own data folder"},
		"another group's":   {func(_ *testing.T, fs *vfs.MemFS) error { return open(fs, ledgerKind, 8) }, fsm.ErrForeign, "own data folder"},
		"marker gone": {func(t *testing.T, fs *vfs.MemFS) error {
			require.NoError(t, fs.Remove("data/ACTIVE"))
			return open(fs, ledgerKind, 7)
		}, fsm.ErrDamaged, "remove this folder"},
		"marker garbled": {func(t *testing.T, fs *vfs.MemFS) error {
			write(t, fs, "data/ACTIVE", "db-00")
			return open(fs, ledgerKind, 7)
		}, fsm.ErrDamaged, "remove this folder"},
		"marker of nothing": {func(t *testing.T, fs *vfs.MemFS) error {
			write(t, fs, "data/ACTIVE", "db-000009\n")
			return open(fs, ledgerKind, 7)
		}, fsm.ErrDamaged, "remove this folder"},
		"someone's files": {func(t *testing.T, fs *vfs.MemFS) error {
			other := vfs.NewMem()
			require.NoError(t, other.MkdirAll("data", 0o755))
			write(t, other, "data/thesis.txt", "chapter 1")
			return open(other, ledgerKind, 7)
		}, fsm.ErrForeign, "thesis.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.harm(t, made(t))
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "data")
		})
	}
}

// TestRestoreRefusesWhatIsNoSnapshot and stays as it was.
func TestRestoreRefusesWhatIsNoSnapshot(t *testing.T) {
	fs := vfs.NewMem()
	states := straight(t, 10)
	l, err := openLedger(fs, eager())
	require.NoError(t, err)
	for i := uint64(1); i <= 10; i++ {
		require.NoError(t, l.apply(i))
	}
	require.NoError(t, fs.MkdirAll("empty", 0o755))
	require.Error(t, l.restore("empty"))
	require.Error(t, l.restore("missing"))
	require.NoError(t, fs.MkdirAll("nested/inner", 0o755))
	require.Error(t, l.restore("nested"))
	requireState(t, states[10], l)
	require.NoError(t, l.apply(11))
	require.NoError(t, l.s.Close())
	names, err := fs.List("data")
	require.NoError(t, err)
	slices.Sort(names)
	require.Equal(t, []string{"ACTIVE", "db-000001"}, names, "nothing is left over")
}

// TestTwoProcessesOnOneFolder: the second one is refused, and not told that the
// folder is damaged. The first is this test binary once more.
func TestTwoProcessesOnOneFolder(t *testing.T) {
	open := func(dir string) (*fsm.Store, error) {
		return fsm.OpenStore(fsm.StoreConfig{Dir: dir, FS: vfs.Default, Kind: ledgerKind, Group: 7})
	}
	if dir := os.Getenv("FSM_TEST_HOLD"); dir != "" {
		s, err := open(dir)
		require.NoError(t, err)
		fmt.Println("held")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it
		require.NoError(t, s.Discard())
		return
	}
	dir := t.TempDir()
	holder := exec.Command(os.Args[0], "-test.run=^TestTwoProcessesOnOneFolder$")
	holder.Env = append(os.Environ(), "FSM_TEST_HOLD="+dir)
	stdin, err := holder.StdinPipe()
	require.NoError(t, err)
	stdout, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)

	_, err = open(dir)
	require.ErrorContains(t, err, "in use by another process")
	require.NotErrorIs(t, err, fsm.ErrDamaged)

	require.NoError(t, stdin.Close())
	require.NoError(t, holder.Wait())
	s, err := open(dir)
	require.NoError(t, err)
	require.NoError(t, s.Discard())
}
