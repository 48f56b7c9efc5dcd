package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one server process with its data folder; it may be started again
// and again with the same arguments.
type process struct {
	id      string
	argv    []string // the whole command line, network namespace included
	env     []string
	dir     string // data folder
	logPath string
	http    string // base URL, reached by clients
	admin   string // base URL
	peer    string // address towards the other nodes
	// surprise is told when the process ends without having been asked to.
	surprise func(n *process, err error)

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{} // closed once cmd has been waited for
	exitErr error         // valid once exited is closed
	asked   bool          // an end of the process is our doing
	paused  bool
	logFrom int64 // size of the log when cmd was started
}

// errNotRunning is returned where a signal finds no process.
var errNotRunning = errors.New("process is not running")

// start runs the process. wrap, if any, precedes the command line (a tracer).
func (n *process) start(wrap ...string) error {
	return n.launch(append(slices.Clone(wrap), n.argv...))
}

// startWith runs the process with more flags, this time.
func (n *process) startWith(flags ...string) error {
	return n.launch(append(slices.Clone(n.argv), flags...))
}

func (n *process) launch(argv []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	log, err := os.OpenFile(n.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	if n.logFrom, err = log.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), n.env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own, so that a terminal's interrupt reaches the harness
	// alone; and gone with the harness, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.id, err)
	}
	exited := make(chan struct{})
	n.cmd, n.exited, n.exitErr, n.asked, n.paused = cmd, exited, nil, false, false
	go n.wait(cmd, exited)
	return nil
}

func (n *process) wait(cmd *exec.Cmd, exited chan struct{}) {
	err := cmd.Wait()
	n.mu.Lock()
	n.exitErr = err
	asked := n.asked
	n.mu.Unlock()
	close(exited)
	if !asked && n.surprise != nil {
		n.surprise(n, err)
	}
}

// expectExit tells that the end of the running process will be our doing.
func (n *process) expectExit() {
	n.mu.Lock()
	n.asked = true
	n.mu.Unlock()
}

// signal sends sig to the process's group.
func (n *process) signal(sig syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.runningLocked() {
		return errNotRunning
	}
	if err := syscall.Kill(-n.cmd.Process.Pid, sig); err != nil {
		return err
	}
	n.paused = sig == syscall.SIGSTOP || n.paused && sig != syscall.SIGCONT
	return nil
}

func (n *process) runningLocked() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// running reports whether the process exists, paused or not.
func (n *process) running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.runningLocked()
}

// serving reports whether the process exists and is not paused.
func (n *process) serving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.runningLocked() && !n.paused
}

// kill ends the process with SIGKILL and waits until it is gone.
func (n *process) kill() error {
	n.expectExit()
	if err := n.signal(syscall.SIGKILL); err != nil {
		return err
	}
	return n.awaitExit(10 * time.Second)
}

// terminate asks the process to drain and returns its exit error (nil: code 0).
func (n *process) terminate(within time.Duration) error {
	n.expectExit()
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := n.awaitExit(within); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.exitErr
}

func (n *process) awaitExit(within time.Duration) error {
	n.mu.Lock()
	exited := n.exited
	n.mu.Unlock()
	select {
	case <-exited:
		return nil
	case <-time.After(within):
		return fmt.Errorf("%s has not exited within %s", n.id, within)
	}
}

// end makes sure that nothing is left of the process.
func (n *process) end() {
	n.expectExit()
	if n.signal(syscall.SIGKILL) == nil {
		_ = n.awaitExit(10 * time.Second)
	}
}

// lastTerm returns when a group's leader last opened a term, by the nodes'
// logs: from then on every live lease has a heartbeat's time.
func (r *rig) lastTerm() (last time.Time) {
	for _, n := range r.nodes {
		b, err := os.ReadFile(n.logPath)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(b) {
			var entry struct {
				Time    time.Time `json:"time"`
				Message string    `json:"msg"`
			}
			if bytes.Contains(line, []byte("leads group")) && json.Unmarshal(line, &entry) == nil && entry.Time.After(last) {
				last = entry.Time
			}
		}
	}
	return last
}

// logTail returns the last lines of the process's log.
func (n *process) logTail(lines int) string {
	b, err := os.ReadFile(n.logPath)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// complained reports whether the process, in its present or latest life, has
// logged a text.
func (n *process) complained(text string) bool {
	n.mu.Lock()
	from := n.logFrom
	n.mu.Unlock()
	b, err := os.ReadFile(n.logPath)
	return err == nil && int64(len(b)) > from && strings.Contains(string(b[from:]), text)
}

// await polls a condition until it holds; the error says what was awaited and
// why it does not hold.
func await(ctx context.Context, what string, within time.Duration, holds func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s within %s: %w", what, within, err)
		case <-tick.C:
		}
	}
}
