package fsm

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// TestPacedFilesRest: what a flush or a merge writes rests after a stretch, and
// nothing else does.
func TestPacedFilesRest(t *testing.T) {
	for category, want := range map[vfs.DiskWriteCategory]bool{
		"pebble-memtable-flush": true, "pebble-compaction": true, vfs.WriteCategoryUnspecified: false,
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
