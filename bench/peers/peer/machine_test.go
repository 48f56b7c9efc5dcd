package peer

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoryIsNoDisk(t *testing.T) {
	require.ErrorIs(t, OnDisk("/dev/shm"), ErrNoDisk)
	require.ErrorIs(t, OnDisk(filepath.Join(t.TempDir(), "none")), os.ErrNotExist)
}

func TestClosedFolderIsNamed(t *testing.T) {
	open := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(open), 0o755))
	closed := filepath.Join(open, "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	inner := filepath.Join(closed, "inner")
	require.NoError(t, os.Mkdir(inner, 0o755))
	require.ErrorContains(t, OpenToOthers(inner), closed+" is closed")
	require.NoError(t, os.Chmod(closed, 0o711))
	require.NoError(t, OpenToOthers(inner))
}

// TestProcessThatFails carries its log in the error.
func TestProcessThatFails(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := StartProcess("server", log, exec.Command("sh", "-c", "echo no such disk; exit 1"))
	require.NoError(t, err)
	err = p.Await(t.Context(), func(context.Context) error { return errors.New("refused") })
	require.ErrorContains(t, err, "server ended: refused")
	require.ErrorContains(t, err, "no such disk")
	require.NoError(t, p.Stop(syscall.SIGTERM), "it has ended already")
}
