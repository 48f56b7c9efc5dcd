package cluster

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// killedAt makes the n-th change of a file system, and all after it, fail, as
// for a process that was killed before it.
func killedAt(fs vfs.FS, n int64) vfs.FS {
	var changes atomic.Int64
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose && changes.Add(1) >= n {
			return errorfs.ErrInjected
		}
		return nil
	}))
}

// writeUntilKilled appends and cuts until that fails, and returns the last entry
// of group 2 that was acknowledged.
func writeUntilKilled(fs vfs.FS) (acknowledged uint64) {
	s, err := openLogStore("log", fs, 1<<10, logWriteLimit, func(error) {})
	if err != nil {
		return 0
	}
	defer s.close()
	idle, busy := s.group(1), s.group(2)
	if idle.StoreLogs(entries(1, 2, 1)) != nil {
		return 0
	}
	for i := uint64(1); i <= 60; i += 3 {
		if busy.StoreLogs(entries(i, i+2, 1)) != nil {
			return acknowledged
		}
		acknowledged = i + 2
		if i > 9 && busy.DeleteRange(i-9, i-7) != nil {
			return acknowledged
		}
	}
	return acknowledged
}

// A process dies at whatever change of the file system, and again and again
// while it recovers, with the page cache intact; it starts, acknowledges an entry
// more, and the power goes: what it found in the cache must have become durable
// before it counted on it.
func TestKilledThenPowerLoss(t *testing.T) {
	for n := int64(1); n < 400; n++ {
		what := fmt.Sprintf("killed at change %d", n)
		fs := vfs.NewCrashableMem()
		acknowledged := writeUntilKilled(killedAt(fs, n))
		for m := int64(1); m < 12; m++ {
			if s, err := openLogStore("log", killedAt(fs, m), 1<<10, logWriteLimit, func(error) {}); err == nil {
				_ = s.close()
			}
		}
		s, err := openLogStore("log", fs, 1<<10, logWriteLimit, func(error) {})
		require.NoError(t, err, what)
		busy := s.group(2)
		last, _ := busy.LastIndex()
		require.GreaterOrEqual(t, last, acknowledged, what)
		require.NoError(t, busy.StoreLogs(entries(last+1, last+1, 2)), what)
		lost := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
		require.NoError(t, s.close())
		again, err := openLogStore("log", lost, 1<<10, logWriteLimit, func(error) {})
		require.NoError(t, err, what)
		got, _ := again.group(2).LastIndex()
		require.Equal(t, last+1, got, what)
		require.NoError(t, again.close())
	}
}

// What went ahead of the disk is not counted as durable once it was cut.
func TestNothingIsConfirmedAfterItWasCut(t *testing.T) {
	s, err := openLogStore("log", vfs.NewMem(), 1<<20, logWriteLimit, func(error) {})
	require.NoError(t, err)
	defer s.close()
	g := s.group(1)
	leads := func() bool { return true }
	g.leading.Store(&leads)
	require.NoError(t, g.StoreLogs(entries(1, 5, 1)))
	require.NoError(t, g.await(5))
	for round := range 5000 {
		require.NoError(t, g.StoreLogs(entries(6, 10, 1)))
		for s.synced.Load() < s.position() {
			runtime.Gosched()
		}
		require.NoError(t, g.DeleteRange(6, 10))
		for range 50 {
			require.LessOrEqual(t, g.durable.Load(), uint64(5), "round %d", round)
		}
	}
}

// A disk that has no room for a spare is no reason to end: the segment in use
// has room, and the next one can grow.
func TestLogWithoutRoomForASpare(t *testing.T) {
	var full atomic.Bool
	var tried atomic.Int64
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpCreate && strings.Contains(op.Path, sparePrefix) {
			tried.Add(1)
			return syscall.ENOSPC
		}
		return nil
	}))
	s := testLogStore(t, fs)
	g := s.group(1)
	require.NoError(t, g.StoreLogs(entries(1, 3, 1)))
	full.Store(true)
	for i := uint64(4); i < 300; i++ {
		require.NoError(t, g.StoreLogs(entries(i, i, 1)))
	}
	require.Eventually(t, func() bool { return tried.Load() > 0 }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.close())
	s = testLogStore(t, fs)
	defer s.close()
	requireLog(t, s.group(1), 1, 299, 1)
}

// A record that has rotted ends the node when it is to be moved: passed over, it
// would hold its segment, and all behind it, for good.
func TestRotIsToldWhenARecordIsMoved(t *testing.T) {
	fs := vfs.NewMem()
	var failed atomic.Pointer[error]
	s, err := openLogStore("log", fs, testSegmentBytes, logWriteLimit, func(err error) { failed.Store(&err) })
	require.NoError(t, err)
	idle, busy := s.group(1), s.group(2)
	require.NoError(t, idle.StoreLogs(entries(1, 3, 1)))
	f, err := fs.OpenReadWrite("log/"+segmentsOf(t, fs)[0], logCategory)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{0xff}, recordHeader+10)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for i := uint64(1); failed.Load() == nil && i < 100_000; i += 10 {
		if busy.StoreLogs(entries(i, i+9, 1)) != nil || i > 100 && busy.DeleteRange(i-100, i-91) != nil {
			break
		}
	}
	// A write is refused from when the store failed, which is told right after.
	require.Eventually(t, func() bool { return failed.Load() != nil }, 10*time.Second, time.Millisecond)
	require.ErrorContains(t, *failed.Load(), "entry 1 of group 1")
	_ = s.close()
}
