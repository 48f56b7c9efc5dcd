package main

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sleeper(t *testing.T, surprise func(*process, error), argv ...string) *process {
	n := &process{id: "n1", argv: argv, logPath: filepath.Join(t.TempDir(), "log"), surprise: surprise}
	t.Cleanup(n.end)
	require.NoError(t, n.start())
	return n
}

// TestProcessLife kills, pauses and restarts a real process.
func TestProcessLife(t *testing.T) {
	n := sleeper(t, func(*process, error) { t.Error("our own kill is no surprise") }, "sleep", "60")
	require.True(t, n.serving())
	require.NoError(t, n.signal(syscall.SIGSTOP))
	require.True(t, n.running())
	require.False(t, n.serving())
	require.NoError(t, n.kill())
	require.False(t, n.running())
	require.ErrorIs(t, n.signal(syscall.SIGCONT), errNotRunning)
	require.NoError(t, n.start())
	require.True(t, n.serving())
	require.Error(t, n.terminate(5*time.Second), "sleep does not exit with 0 on SIGTERM")
}

// TestProcessSurprise tells of a process that ends by itself.
func TestProcessSurprise(t *testing.T) {
	told := make(chan error, 1)
	n := sleeper(t, func(_ *process, err error) { told <- err }, "sh", "-c", "echo reason; exit 3")
	require.EqualError(t, <-told, "exit status 3")
	require.Equal(t, "reason", n.logTail(5))
	require.True(t, n.complained("reason"))
	require.NoError(t, n.start())
	require.EqualError(t, <-told, "exit status 3")
	require.Equal(t, "reason\nreason", n.logTail(5))
}

// TestAwait gives up with the reason why the condition does not hold.
func TestAwait(t *testing.T) {
	n := 0
	require.NoError(t, await(context.Background(), "third time", time.Second, func() error {
		if n++; n < 3 {
			return errNotRunning
		}
		return nil
	}))
	err := await(context.Background(), "never", 120*time.Millisecond, func() error { return errNotRunning })
	require.ErrorIs(t, err, errNotRunning)
	require.ErrorContains(t, err, "never within 120ms")
}
