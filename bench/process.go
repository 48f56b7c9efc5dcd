package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudlicenses/cloudlicenses/internal/freeport"
)

const (
	// awaitTick is how often a condition is looked at.
	awaitTick = 20 * time.Millisecond
	// exitWithin bounds an end of a process that was asked for.
	exitWithin = 15 * time.Second
)

// process is a program that the bench has started.
type process struct {
	argv    []string
	env     []string
	logPath string

	mu     sync.Mutex // guards cmd and exited
	cmd    *exec.Cmd
	exited chan struct{} // closed once cmd is gone
}

// start runs the program, as often as it has ended.
func (p *process) start() error {
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	// Of a group of its own, so that Ctrl-C stops the bench and not what it
	// measures; and gone with the bench, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", strings.Join(p.argv, " "), err)
	}
	exited := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.exited = cmd, exited
	p.mu.Unlock()
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	return nil
}

// pid is that of the program as last started; 0: never.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// running reports whether the program has not ended yet.
func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop sends sig and waits until the program is gone.
func (p *process) stop(sig syscall.Signal) error {
	if !p.running() {
		return nil
	}
	p.mu.Lock()
	pid, exited := p.cmd.Process.Pid, p.exited
	p.mu.Unlock()
	if err := syscall.Kill(-pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case <-exited:
		return nil
	case <-time.After(exitWithin):
		return fmt.Errorf("%s has not ended within %s of %s", p.argv[0], exitWithin, sig)
	}
}

// lastLines is the end of the program's log.
func (p *process) lastLines(n int) string {
	b, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// await looks until a condition holds; the error says what was awaited, and
// why it does not hold.
func await(ctx context.Context, what string, within time.Duration, holds func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(awaitTick)
	defer tick.Stop()
	for {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no %s within %s: %w", what, within, err)
		case <-tick.C:
		}
	}
}

// addresses finds n addresses on loopback.
func addresses(n int) ([]string, error) {
	first, err := freeport.Ports(n)
	if err != nil {
		return nil, err
	}
	found := make([]string, n)
	for i := range found {
		found[i] = freeport.Loopback(first + i)
	}
	return found, nil
}

// newFolder makes a folder of its own in dir, which must be on a disk: in
// memory an fsync costs nothing, and figures say nothing.
func newFolder(dir string) (string, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return "", fmt.Errorf("%s: %w", dir, err)
	}
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		return "", fmt.Errorf("%s is in memory, where an fsync costs nothing: name a folder on a disk with --dir", dir)
	}
	return os.MkdirTemp(dir, "cloudlicenses-bench-")
}
