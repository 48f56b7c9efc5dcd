package fsm

import (
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// TestPacedFilesRest: what a flush or a merge writes rests after a stretch, and
// nothing else does.
func TestPacedFilesRest(t *testing.T) {
	for category, want := range map[vfs.DiskWriteCategory]bool{
		flushFiles: true, mergeFiles: true, vfs.WriteCategoryUnspecified: false,
	} {
		f, err := pacedFS{vfs.NewMem(), nil}.Create("000001.sst", category)
		require.NoError(t, err)
		paced, is := f.(*pacedFile)
		require.Equal(t, want, is, category)
		if !is {
			continue
		}
		rests := 0
		paced.rest = func() { rests++ }
		for range 3 * restAfter / 1000 {
			_, err := paced.Write(make([]byte, 1000))
			require.NoError(t, err)
		}
		require.Equal(t, 2, rests)
		require.NoError(t, f.Close())
	}
}

// seenFS notes as what files are written.
type seenFS struct {
	vfs.FS
	as *sync.Map
}

func (f seenFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f.as.Store(category, true)
	return f.FS.Create(name, category)
}

// TestPacedFilesAreThere: Pebble flushes and merges to what is paced.
func TestPacedFilesAreThere(t *testing.T) {
	var seen sync.Map
	db, err := pebble.Open("db", &pebble.Options{FS: seenFS{vfs.NewMem(), &seen}, DisableWAL: true})
	require.NoError(t, err)
	for _, value := range []string{"1", "2"} {
		require.NoError(t, db.Set([]byte("a"), []byte(value), pebble.NoSync))
		require.NoError(t, db.Set([]byte("z"), []byte(value), pebble.NoSync))
		require.NoError(t, db.Flush())
	}
	require.NoError(t, db.Compact(t.Context(), []byte("a"), []byte("zz"), false))
	require.NoError(t, db.Close())
	for _, category := range []vfs.DiskWriteCategory{flushFiles, mergeFiles} {
		_, there := seen.Load(category)
		require.True(t, there, category)
	}
}
