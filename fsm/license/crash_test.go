package license_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/internal/crashfs"
)

// camera takes crash clones of a file system while it is written to.
type camera struct {
	fs      *crashfs.FS
	on      atomic.Bool
	percent func(*rand.Rand) int // of what was not synced that survives
	every   int                  // one clone in so many writes
	most    int

	mu     sync.Mutex
	rng    *rand.Rand
	shots  []shot
	floor  uint64 // no crash from now on may fall below this index
	frames int
}

// shot is what a crash left, and the least its disk must know.
type shot struct {
	fs    *vfs.MemFS
	floor uint64
}

func newCamera(seed uint64, every, most int) *camera {
	return &camera{
		fs: crashfs.New(), every: every, most: most, rng: rand.New(rand.NewPCG(seed, 3)),
		percent: func(r *rand.Rand) int { return []int{0, 50, 100}[r.IntN(3)] },
	}
}

func (c *camera) wrapped() vfs.FS {
	return errorfs.Wrap(c.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if c.on.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			c.mu.Lock()
			defer c.mu.Unlock()
			if !c.on.Load() { // switched off while this write waited
				return nil
			}
			if c.frames++; c.rng.IntN(c.every) == 0 && len(c.shots) < c.most {
				c.take(c.percent(c.rng))
			}
		}
		return nil
	}))
}

// off ends the taking of shots: none is under way any more.
func (c *camera) off() {
	c.mu.Lock()
	c.on.Store(false)
	c.mu.Unlock()
}

func (c *camera) take(percent int) {
	c.shots = append(c.shots, shot{c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng}), c.floor})
}

func (c *camera) durable(index uint64) {
	c.mu.Lock()
	c.floor = index
	c.mu.Unlock()
}

// TestCrashAnywhere kills the machine at random operations of its file system:
// what comes up again is the state of exactly its applied index, not below
// what a snapshot had made durable, and the log leads it to where the straight
// machine is.
func TestCrashAnywhere(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if testing.Short() {
		seed = 1
	}
	t.Logf("seed %d", seed)
	crashes, distinct := 0, map[uint64]bool{}
	for round := range uint64(atRace(4)) {
		log, hashes := stream(t, seed+round, 250)
		c := newCamera(seed+round, 6, atRace(60)+15)
		c.on.Store(true)
		m := openMachine(t, c.wrapped(), "data", fsm.Options{WriteEvery: 100 * time.Microsecond, FlushEvery: 2 * time.Millisecond, MemTableBytes: 64 << 10})
		for i, e := range log {
			applyEntry(t, m, e)
			switch {
			case i%90 == 89:
				persist(t, m, c.fs, fmt.Sprint("snapshot-", i))
				c.durable(e.index)
			case i%9 == 8:
				require.NoError(t, m.Flush())
				c.durable(e.index)
			}
		}
		require.NoError(t, m.Close())
		c.durable(uint64(len(log)))
		c.take(0)
		for i, shot := range c.shots {
			crashes++
			distinct[recovers(t, shot, log, hashes, fmt.Sprintf("seed %d, crash %d", seed+round, i))] = true
		}
	}
	require.Greater(t, crashes, atRace(100))
	require.Greater(t, len(distinct), atRace(10), "crashes at many indexes")
}

// recovers opens what a crash left and checks it; it returns the index that
// the disk knew.
func recovers(t *testing.T, s shot, log []entry, hashes []license.StateHash, of string) uint64 {
	t.Helper()
	m := openMachine(t, s.fs, "data", fsm.Options{WriteEvery: -1, FlushEvery: -1})
	defer func() { require.NoError(t, m.Close()) }()
	index := m.AppliedIndex()
	require.Equal(t, hashes[index], hashOf(t, m), "%s: disk at %d", of, index)
	require.GreaterOrEqual(t, index, s.floor, "%s: the log below is gone", of)
	for _, e := range log[index:] {
		applyEntry(t, m, e)
	}
	require.Equal(t, hashes[len(log)], hashOf(t, m), "%s: replayed from %d", of, index)
	return index
}

// TestCrashDuringRestore crashes before every write of a Restore: the folder
// holds the old state or the new one, whole.
func TestCrashDuringRestore(t *testing.T) {
	log, hashes := stream(t, 11, 160)
	giver := newRig(t, fastStore())
	for _, e := range log[:140] {
		applyEntry(t, giver.m, e)
	}
	persist(t, giver.m, giver.fs, "given")
	for _, percent := range []int{0, 50, 100}[:min(3, atRace(10))] {
		c := newCamera(uint64(percent), 1, 1000)
		c.percent = func(*rand.Rand) int { return percent }
		_, err := vfs.Clone(giver.fs, c.fs, "given", "given", vfs.CloneSync)
		require.NoError(t, err)
		m := openMachine(t, c.wrapped(), "data", fsm.Options{WriteEvery: -1, FlushEvery: -1})
		for _, e := range log[:60] {
			applyEntry(t, m, e)
		}
		require.NoError(t, m.Flush())
		c.durable(60)
		c.on.Store(true)
		require.NoError(t, m.Restore("given"))
		c.off()
		require.Equal(t, hashes[140], hashOf(t, m))
		c.durable(140)
		c.take(0)
		for _, e := range log[140:] {
			applyEntry(t, m, e)
		}
		require.Equal(t, hashes[len(log)], hashOf(t, m))
		require.NoError(t, m.Close())
		found := map[uint64]int{}
		for i, shot := range c.shots {
			index := recovers(t, shot, log, hashes, fmt.Sprintf("%d %% kept, step %d", percent, i))
			require.Contains(t, []uint64{60, 140}, index)
			found[index]++
		}
		require.Len(t, found, 2, "crashes on both sides of the switch: %v", found)
	}
}

// TestDiskErrorsSurface fails every write, or every sync, from the Nth on: the
// machine says so and stops; what it had made durable is there after a
// restart, and the log leads on.
func TestDiskErrorsSurface(t *testing.T) {
	log, hashes := stream(t, 13, 120)
	for _, kind := range []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSync} {
		for _, nth := range []int64{1, 7, 33, 2, 4, 12, 20, 54}[:min(8, atRace(15))] {
			t.Run(fmt.Sprintf("%d-%d", kind, nth), func(t *testing.T) {
				c := newCamera(0, 1, 0)
				var seen, broken atomic.Int64
				var armed atomic.Bool
				failing := errorfs.Wrap(c.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
					same := op.Kind == kind || kind == errorfs.OpFileSync && (op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo)
					if same && armed.Load() && seen.Add(1) >= nth {
						broken.Add(1)
						return errorfs.ErrInjected
					}
					return nil
				}))
				o := fsm.Options{WriteEvery: 50 * time.Microsecond, FlushEvery: 500 * time.Microsecond, MemTableBytes: 64 << 10}
				fatal := make(chan error, 1)
				o.Fatal = func(err error) { fatal <- err }
				m := openMachine(t, failing, "data", o)
				armed.Store(true)
				var failure error
				for _, e := range log {
					if _, failure = m.Apply(e.index, e.stamp, e.commands, true); failure != nil {
						_, again := m.Apply(e.index+1, e.stamp, e.commands, true)
						require.Error(t, again, "a failed machine stays failed")
						break
					}
				}
				closed := make(chan error, 1)
				go func() { closed <- m.Close() }()
				select {
				case err := <-closed:
					if failure == nil {
						failure = err
					}
				case failure = <-fatal: // the process would have ended here
				case <-time.After(30 * time.Second):
					t.Fatal("Close neither failed nor came back")
				}
				if broken.Load() > 0 {
					require.Error(t, failure, "the disk fails and nobody said so")
				}
				c.take(0)
				armed.Store(false) // what Pebble still tries may succeed, and end
				recovers(t, c.shots[0], log, hashes, "after the error")
			})
		}
	}
}
