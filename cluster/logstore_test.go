package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudlicenses/cloudlicenses/internal/crashfs"
)

// openLogStore opens the node's log, in the clear and unmeasured, and runs it.
func openLogStore(dir string, fs vfs.FS, segmentBytes int64, limit time.Duration, fail func(error)) (*logStore, error) {
	s, err := readLogStore(dir, fs, segmentBytes, fail)
	if err == nil {
		s.run(limit)
	}
	return s, err
}

// segmentsOf are the names of the segments in a log's folder, oldest first.
func segmentsOf(t require.TestingT, fs vfs.FS) (names []string) {
	all, err := fs.List("log")
	require.NoError(t, err)
	for _, name := range all {
		if _, ok := parseSegmentName(name); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// A busy group's cut entries give their segments back, though an idle group
// has entries in the oldest of them; those are moved on, and are there after a
// restart.
func TestLogGivesSegmentsBack(t *testing.T) {
	fs := vfs.NewMem()
	s := testLogStore(t, fs)
	idle, busy := s.group(1), s.group(2)
	require.NoError(t, idle.StoreLogs(entries(1, 10, 1)))
	for i := uint64(1); i <= 2000; i += 10 {
		require.NoError(t, busy.StoreLogs(entries(i, i+9, 1)))
		if i > 100 {
			require.NoError(t, busy.DeleteRange(i-100, i-91))
		}
	}
	require.Eventually(t, func() bool { return len(segmentsOf(t, fs)) <= relocateFrom+2 }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.spares) > 0 }, 10*time.Second, time.Millisecond)
	s.mu.Lock()
	first := s.segments[0].number
	s.mu.Unlock()
	require.Greater(t, first, uint64(1), "the one with the idle group's entries has gone")
	requireLog(t, idle, 1, 10, 1)
	requireLog(t, busy, 1901, 2000, 1)
	require.NoError(t, s.close())

	s = testLogStore(t, fs)
	defer s.close()
	requireLog(t, s.group(1), 1, 10, 1)
	last, _ := s.group(2).LastIndex()
	require.Equal(t, uint64(2000), last)
	require.NoError(t, s.group(1).DeleteRange(1, 10))
	requireLog(t, s.group(1), 0, 0, 0)
}

// modelLog is what a group's log must hold.
type modelLog struct {
	first uint64
	terms []uint64 // of the entries from first on
}

func (m *modelLog) last() uint64 { return m.first + uint64(len(m.terms)) - 1 }

func (m *modelLog) require(t require.TestingT, g *groupLog) {
	first, _ := g.FirstIndex()
	last, _ := g.LastIndex()
	// A head that was cut may come back by a crash.
	if len(m.terms) == 0 {
		require.Contains(t, []uint64{0, m.last()}, last)
		return
	}
	require.Equal(t, m.last(), last)
	require.LessOrEqual(t, first, m.first)
	for i, term := range m.terms {
		var got raft.Log
		index := m.first + uint64(i)
		require.NoError(t, g.GetLog(index, &got))
		require.Equal(t, *entries(index, index, term)[0], got)
	}
}

// Whatever is appended and cut, by whatever group, whenever the power goes: what
// was acknowledged is there, and nothing else.
func TestLogAgainstItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := crashfs.New()
		open := func() *logStore {
			s, err := openLogStore("log", fs, 1<<10, logWriteLimit, func(err error) { rt.Errorf("log store failed: %v", err) })
			require.NoError(rt, err)
			return s
		}
		s := open()
		defer func() { require.NoError(rt, s.close()) }()
		models := []*modelLog{{first: 1}, {first: 1}, {first: 1}}
		steps := rapid.Uint64Range(1, 60).Draw(rt, "steps")
		for term := uint64(1); term <= steps; term++ {
			id := rapid.IntRange(0, len(models)-1).Draw(rt, "group")
			m, g := models[id], s.group(GroupID(id))
			switch rapid.SampledFrom([]string{"append", "append", "append", "head", "tail", "restart", "crash"}).Draw(rt, "step") {
			case "append":
				from := m.first + uint64(len(m.terms))
				to := from + uint64(rapid.IntRange(0, 12).Draw(rt, "more"))
				require.NoError(rt, g.StoreLogs(entries(from, to, term)))
				for range to - from + 1 {
					m.terms = append(m.terms, term)
				}
			case "head":
				if n := rapid.IntRange(0, len(m.terms)).Draw(rt, "cut"); n > 0 {
					first, _ := g.FirstIndex() // as Raft asks: a crash may have brought some of the head back
					require.NoError(rt, g.DeleteRange(first, m.first+uint64(n)-1))
					m.first, m.terms = m.first+uint64(n), m.terms[n:]
				}
			case "tail":
				if n := rapid.IntRange(0, len(m.terms)).Draw(rt, "cut"); n > 0 {
					require.NoError(rt, g.DeleteRange(m.last()-uint64(n)+1, m.last()))
					m.terms = m.terms[:len(m.terms)-n]
				}
			case "restart":
				require.NoError(rt, s.close())
				s = open()
			case "crash":
				seed := rapid.Uint64().Draw(rt, "crash")
				lost := fs.CrashClone(vfs.CrashCloneCfg{
					UnsyncedDataPercent: rapid.SampledFrom([]int{0, 50, 100}).Draw(rt, "unsynced"), RNG: rand.New(rand.NewPCG(seed, seed)),
				})
				require.NoError(rt, s.close())
				fs = &crashfs.FS{MemFS: lost}
				s = open()
			}
			for id, m := range models {
				m.require(rt, s.group(GroupID(id)))
			}
		}
	})
}

// The record of a life before must not be taken for one of this: after a torn
// write is written over, what lies behind it does not come back.
func TestLogForgetsWhatLiesBehindATornWrite(t *testing.T) {
	fs := vfs.NewMem()
	s := testLogStore(t, fs)
	require.NoError(t, s.group(1).StoreLogs(entries(1, 3, 1)))
	names := segmentsOf(t, fs)
	path := "log/" + names[len(names)-1]
	content, err := readFile(fs, path)
	require.NoError(t, err)
	require.NoError(t, s.close())

	// Entry 2 is torn; entry 3, of the same write, arrived whole.
	r, ok := parseRecord(content, 1)
	require.True(t, ok)
	content[r.size+recordHeader] ^= 1
	writeFile(t, fs, path, content)
	s = testLogStore(t, fs)
	requireLog(t, s.group(1), 1, 1, 1)
	require.NoError(t, s.group(1).StoreLogs(entries(2, 2, 2)))
	require.NoError(t, s.close())
	s = testLogStore(t, fs)
	defer s.close()
	last, _ := s.group(1).LastIndex()
	require.Equal(t, uint64(2), last)
}

func writeFile(t *testing.T, fs vfs.FS, path string, content []byte) {
	f, err := fs.Create(path, logCategory)
	require.NoError(t, err)
	_, err = f.Write(append([]byte(nil), content...))
	require.NoError(t, err)
	require.NoError(t, errors.Join(f.Sync(), f.Close()))
}

// A byte that rots is seen, and where it is, wherever later records tell that
// it was on disk. It never changes an entry.
func TestDamagedLogIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := testLogStore(t, fs)
	for i := uint64(1); i <= 120; i++ {
		require.NoError(t, s.group(1).StoreLogs(entries(i, i, 1)))
	}
	require.NoError(t, s.close())
	names := segmentsOf(t, fs)
	require.Greater(t, len(names), 1)
	damaged := 0
	for n, name := range names {
		content, err := readFile(fs, "log/"+name)
		require.NoError(t, err)
		for at := 0; at < len(content); at += 37 {
			copied := vfs.NewMem()
			require.NoError(t, copied.MkdirAll("log", 0o700))
			for m, other := range names {
				b, err := readFile(fs, "log/"+other)
				require.NoError(t, err)
				if m == n {
					b[at] ^= 0x10
				}
				writeFile(t, copied, "log/"+other, b)
			}
			s, err := openLogStore("log", copied, testSegmentBytes, logWriteLimit, func(error) {})
			if err != nil {
				require.ErrorContains(t, err, strings.TrimSuffix(name, segmentSuffix))
				damaged++
				continue
			}
			g := s.group(1)
			last, _ := g.LastIndex()
			for i := uint64(1); i <= last; i++ {
				var got raft.Log
				require.NoError(t, g.GetLog(i, &got))
				require.Equal(t, *entries(i, i, 1)[0], got)
			}
			if n < len(names)-1 {
				require.Equal(t, uint64(120), last, "byte %d of %s", at, name)
			} else {
				require.GreaterOrEqual(t, last, uint64(119), "byte %d of %s: only the last write has no witness", at, name)
			}
			require.NoError(t, s.close())
		}
	}
	require.NotZero(t, damaged)

	require.NoError(t, fs.Remove("log/"+names[1]))
	if len(names) > 2 {
		_, err := openLogStore("log", fs, testSegmentBytes, logWriteLimit, func(error) {})
		require.ErrorContains(t, err, "is missing")
	}
	writeFile(t, fs, "log/MANIFEST-000001", nil)
	_, err := openLogStore("log", fs, testSegmentBytes, logWriteLimit, func(error) {})
	require.ErrorContains(t, err, "another version's")
}

// Many groups write, read and cut at the same time, while segments come and go.
func TestLogUnderManyGroups(t *testing.T) {
	s := testLogStore(t, vfs.NewMem())
	var groups sync.WaitGroup
	errs := make(chan error, 8)
	for id := GroupID(1); id <= 8; id++ {
		groups.Go(func() {
			g := s.group(id)
			for i := uint64(1); i <= 300; i++ {
				if err := g.StoreLogs(entries(i, i, uint64(id))); err != nil {
					errs <- err
					return
				}
				var got raft.Log
				back := max(1, i-min(i-1, 20))
				if err := g.GetLog(back, &got); err != nil || got.Term != uint64(id) {
					errs <- fmt.Errorf("entry %d of group %d: %w, term %d", back, id, err, got.Term)
					return
				}
				if i%50 == 0 && id != 1 {
					if err := g.DeleteRange(1, i-25); err != nil {
						errs <- err
						return
					}
				}
			}
		})
	}
	groups.Wait()
	close(errs)
	require.NoError(t, <-errs)
	requireLog(t, s.group(1), 1, 300, 1)
	require.NoError(t, s.close())
}

func FuzzScanSegment(f *testing.F) {
	whole := appendRecord(appendRecord(nil, recordEntry, 3, 7, func(b []byte) []byte { return append(b, "entry"...) }), recordSeal, 0, 0, nil)
	finishRecords(whole, 9, 0)
	f.Add(whole)
	f.Add(whole[:recordHeader])
	f.Fuzz(func(t *testing.T, b []byte) {
		end, sealed, err := scanSegment(b, 9, func(offset int, r *logRecord) error {
			require.LessOrEqual(t, offset+recordHeader+len(r.body), len(b))
			return nil
		})
		require.LessOrEqual(t, end, len(b)+recordAlign)
		require.False(t, sealed && err != nil)
	})
}
