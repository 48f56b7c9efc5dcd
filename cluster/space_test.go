package cluster_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/cloudlicenses/cloudlicenses/cluster"
)

// TestLittleRoom: on a disk that is nearly full new writes are refused, reads go
// on, and writes are taken again once there is room; nothing is restarted.
func TestLittleRoom(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a file system of its own, which takes root")
	}
	r := newRig(t, 1)
	disk := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"))
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	r.change = func(c *cluster.Config) {
		c.DataDir, c.MinFreeDisk, c.Tuning.SegmentBytes = filepath.Join(disk, "n1"), 32<<20, 1<<20
	}
	r.start("n1")
	r.ready("n1")
	r.propose("n1", 1, add("a", 1))

	filler := filepath.Join(disk, "filler")
	require.NoError(t, os.WriteFile(filler, make([]byte, 72<<20), 0o600))
	n := r.nodes["n1"]
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.Eventually(t, func() bool {
		_, err := n.Propose(ctx, 1, add("a", 1))
		return err != nil
	}, 10*time.Second, 10*time.Millisecond)
	_, err := n.Propose(ctx, 1, add("a", 1))
	require.ErrorIs(t, err, cluster.ErrStorageFull)
	_, err = n.ProposeAll(ctx, 1, [][]byte{add("a", 1), add("a", 1)})
	require.ErrorIs(t, err, cluster.ErrStorageFull)
	_, err = n.Propose(ctx, 1, add("small", 1))
	require.NoError(t, err, "what makes nothing new")
	_, err = n.ProposeAll(ctx, 1, [][]byte{add("small1", 1), add("a", 1)})
	require.ErrorIs(t, err, cluster.ErrStorageFull, "all or none")
	free, reserve, low := n.Space()
	require.True(t, low)
	require.Less(t, free, reserve)
	_, err = n.Query(ctx, 1, nil, cluster.ReadOptions{Linearizable: true})
	require.NoError(t, err)

	nearly := filepath.Join(disk, "nearly")
	require.NoError(t, os.WriteFile(nearly, make([]byte, free-reserve/8), 0o600))
	require.Eventually(t, func() bool {
		_, err := n.Propose(ctx, 1, add("small", 1))
		return errors.Is(err, cluster.ErrStorageFull)
	}, 10*time.Second, 10*time.Millisecond, "less than a quarter of the reserve")
	require.NoError(t, os.Remove(nearly))
	require.Eventually(t, func() bool {
		_, err := n.Propose(ctx, 1, add("small", 1))
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)

	require.NoError(t, os.Remove(filler))
	require.Eventually(t, func() bool {
		_, err := n.Propose(ctx, 1, add("a", 1))
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	_, _, low = n.Space()
	require.False(t, low)
}

// TestLittleRoomHandsOver: a node whose disk is nearly full hands what it leads to
// those that have room, which take writes, its own clients' too.
func TestLittleRoomHandsOver(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a file system of its own, which takes root")
	}
	r := newRig(t, 3)
	disks := map[string]string{}
	for _, name := range r.names {
		disk := t.TempDir()
		require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"))
		t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
		disks[name] = disk
	}
	r.change = func(c *cluster.Config) {
		c.DataDir, c.MinFreeDisk, c.Tuning.SegmentBytes = filepath.Join(disks[c.NodeID], "data"), 32<<20, 1<<20
	}
	r.start(r.names...)
	r.ready(r.names...)
	full := r.leader(1)
	r.propose(full, 1, add("a", 1))
	require.NoError(t, os.WriteFile(filepath.Join(disks[full], "filler"), make([]byte, 72<<20), 0o600))
	n := r.nodes[full]
	require.Eventually(t, func() bool {
		_, _, low := n.Space()
		return low && n.LeaderOf(0) != full && n.LeaderOf(1) != full && n.LeaderOf(1) != ""
	}, 15*time.Second, 20*time.Millisecond)
	r.propose(full, 1, add("b", 1))
	require.EqualValues(t, 2, r.sum(full, 1))
	require.False(t, n.Leads(1))
}
