package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudlicenses/cloudlicenses/internal/freeport"
)

// binary is the server, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "cloudlicenses-client-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(folder, "cloudlicenses")
	build := exec.Command("go", "build", "-o", binary, "github.com/cloudlicenses/cloudlicenses/cmd/cloudlicenses")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	code := 1
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the server:", err)
	} else {
		code = m.Run()
	}
	if err := os.RemoveAll(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

const (
	startWithin = 60 * time.Second
	stopWithin  = 20 * time.Second
)

// process is a running server.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	ready  string
	output bytes.Buffer // read only once ended is closed
	ended  chan struct{}
	err    error
}

// start runs the binary with args and a ready file.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, ready: filepath.Join(t.TempDir(), "ready.json"), ended: make(chan struct{})}
	p.cmd = exec.Command(binary, append(args, "--ready-file", p.ready)...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.stop)
	return p
}

// stop drains the process, and prints what it wrote where the test failed.
func (p *process) stop() {
	select {
	case <-p.ended:
	default:
		p.signal(syscall.SIGTERM)
		select {
		case <-p.ended:
			if p.err != nil {
				p.t.Errorf("after SIGTERM: %v", p.err)
			}
		case <-time.After(stopWithin):
			p.t.Error("did not end after SIGTERM: its goroutines follow")
			p.signal(syscall.SIGQUIT)
			<-p.ended
		}
	}
	if p.t.Failed() {
		p.t.Logf("%v\n%s", p.cmd.Args, p.output.Bytes())
	}
}

func (p *process) signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
}

// kill ends the process as a crash does.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// readyFile is what the ready file says, as far as the tests need it.
type readyFile struct {
	Nodes []struct {
		ID    string `json:"id"`
		HTTP  string `json:"http"`
		Admin string `json:"admin"`
	} `json:"nodes"`
	AdminToken string `json:"admin_token"`
	Demo       struct {
		TenantURL string `json:"tenant_url"`
		LicenseID string `json:"license_id"`
		ProductID string `json:"product_id"`
		APIKey    string `json:"api_key"`
	} `json:"demo"`
}

// await waits for the ready file.
func (p *process) await() (ready readyFile) {
	p.t.Helper()
	waitFor(p.t, startWithin, "the ready file of "+strings.Join(p.cmd.Args[1:], " "), func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("ended: %v", p.err)
		default:
		}
		text, err := os.ReadFile(p.ready)
		return err == nil && json.Unmarshal(text, &ready) == nil
	})
	return ready
}

// run runs a command of the binary to its end and returns what it prints.
func run(t *testing.T, environment []string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), environment...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

// freePorts returns the first of n ports in a row that are free.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	port, err := freeport.Ports(n)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// waitFor waits until condition holds.
func waitFor(t *testing.T, within time.Duration, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(within)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain for %s", within, what)
		}
		<-tick.C
	}
}
