package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// startTimeout is for one server to become ready.
	startTimeout = time.Minute
	// stopTimeout is for one server to end by itself, before it is killed.
	stopTimeout = 10 * time.Second
	// pollEvery is how often a condition of another process is looked at.
	pollEvery = 20 * time.Millisecond
	// logTail is how much of a server's log an error carries, in bytes.
	logTail = 2000
)

// Process is a server that runs.
type Process struct {
	name    string
	logPath string
	cmd     *exec.Cmd
	exited  chan struct{} // closed once cmd has been waited for
}

// StartProcess runs cmd with its output in logPath. It ends with this program,
// however that ends.
func StartProcess(name, logPath string, cmd *exec.Cmd) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// A group of its own: a terminal's interrupt reaches this program alone.
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, logPath: logPath, cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	return p, nil
}

// ID is the process id.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Await asks ready again and again until it returns nil. It fails when the
// process ends or a minute passes, with the last answer and the log's end.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended: %w\n%s", p.name, err, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.name, err, p.tail())
		case <-tick.C:
		}
	}
}

// Stop sends sig and waits for the end; a process that stays is killed, which
// is an error.
func (p *Process) Stop(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
	return fmt.Errorf("stop %s: had to be killed after %v\n%s", p.name, stopTimeout, p.tail())
}

// tail is the end of the log.
func (p *Process) tail() string {
	b, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-logTail):]))
}

// Processes are the servers of a cluster.
type Processes []*Process

// IDs lists the process ids.
func (ps Processes) IDs() []int {
	ids := make([]int, 0, len(ps))
	for _, p := range ps {
		ids = append(ids, p.ID())
	}
	return ids
}

// Stop ends all, the last one started first.
func (ps Processes) Stop(sig os.Signal) error {
	var errs []error
	for i := len(ps) - 1; i >= 0; i-- {
		errs = append(errs, ps[i].Stop(sig))
	}
	return errors.Join(errs...)
}
