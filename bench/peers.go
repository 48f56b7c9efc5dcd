package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// PeerNames are the other systems that can be measured.
var PeerNames = []string{"postgres", "etcd", "redis"}

// exitNotInstalled is bench-peers' status where a peer cannot be installed.
const exitNotInstalled = 3

// peers measures other systems through the program bench-peers. One that is
// not there is named in the report.
func (r *runner) peers(ctx context.Context, names, scenarios []string, callers []int) error {
	var errs []error
	for _, name := range names {
		if err := r.peer(ctx, name, scenarios, callers); err != nil {
			errs = append(errs, fmt.Errorf("peer %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (r *runner) peer(ctx context.Context, name string, scenarios []string, callers []int) error {
	r.cfg.Progress.Begin("peer "+name, 0)
	if r.cfg.PeersBinary == "" {
		r.report.missing("peer "+name, "bench-peers is not beside this program: build it with `go build -C bench/peers -o ../../bin/bench-peers .`")
		r.cfg.Progress.End("missing: no bench-peers")
		return nil
	}
	numbers := make([]string, len(callers))
	for i, n := range callers {
		numbers[i] = strconv.Itoa(n)
	}
	// A peer may run as another user, who cannot enter this run's own folder.
	dir := r.cfg.Dir
	if dir == "" {
		dir = os.TempDir()
	}
	cmd := exec.CommandContext(ctx, r.cfg.PeersBinary, "run", "--peer", name, "--scenarios", strings.Join(scenarios, ","),
		"--callers", strings.Join(numbers, ","), "--duration", r.cfg.Duration.String(), "--warmup", r.cfg.Warmup.String(),
		"--pools", strconv.Itoa(r.cfg.Pools), "--dir", dir, "--commit", r.cfg.Commit)
	// It stops what it has started.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	said := &lastLines{progress: r.cfg.Progress, begun: time.Now()}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	results, readErr := readResults(out)
	err = cmd.Wait()
	r.report.Results = append(r.report.Results, results...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == exitNotInstalled:
		r.report.missing("peer "+name, said.text())
		r.cfg.Progress.End("missing: " + said.text())
		return nil
	case err != nil:
		r.cfg.Progress.End("failed: " + said.text())
		return fmt.Errorf("%w: %s", err, said.text())
	}
	r.cfg.Progress.End(plural(len(results), "result"))
	return readErr
}

// maxResultLine bounds a result in a line.
const maxResultLine = 1 << 20

// readResults reads a result a line.
func readResults(from io.Reader) ([]load.Result, error) {
	var results []load.Result
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxResultLine)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var result load.Result
		if err := json.Unmarshal(line, &result); err != nil {
			return results, fmt.Errorf("result of a peer: %w in %.200s", err, line)
		}
		results = append(results, result)
	}
	return results, lines.Err()
}

// lastLines shows what a program writes, line by line, and keeps the end.
type lastLines struct {
	progress Progress
	begun    time.Time
	rest     []byte
	lines    []string
}

const keptLines = 5

// Write implements io.Writer.
func (l *lastLines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.rest = rest
		if text := strings.TrimSpace(string(line)); text != "" {
			l.lines = append(l.lines[max(0, len(l.lines)-keptLines+1):], text)
			l.progress.At(time.Since(l.begun), text)
		}
	}
}

func (l *lastLines) text() string { return strings.Join(l.lines, "; ") }
