package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// diskKinds need strace, which tampers with a server's fsync calls.
var diskKinds = []faultKind{
	{"disk-error", 1, func(n *nemesis, ctx context.Context) (strike, error) {
		return n.tamper(ctx, fmt.Sprintf("error=EIO:when=%d", 2+n.rng.IntN(10)), true)
	}},
	{"disk-crash", 1, func(n *nemesis, ctx context.Context) (strike, error) {
		return n.tamper(ctx, fmt.Sprintf("signal=SIGKILL:when=%d", 2+n.rng.IntN(14)), true)
	}},
	{"disk-stall", 1, func(n *nemesis, ctx context.Context) (strike, error) {
		return n.tamper(ctx, "delay_enter=500000:when=3..6", false)
	}},
}

// tamperedFor is how long a tampered node is given to meet its fate.
const tamperedFor = 12 * time.Second

// tamper restarts a node under a tracer that spoils some of its fsync calls.
// Where fatal, the node must end by itself: after a failed fsync nobody knows
// what is on the disk.
func (n *nemesis) tamper(ctx context.Context, inject string, fatal bool) (strike, error) {
	p, _, err := n.victim(ctx, n.rng.IntN(2) == 0)
	if err != nil {
		return strike{}, err
	}
	s := strike{Target: p.id, Detail: inject}
	if err := p.kill(); err != nil {
		return s, err
	}
	trace := p.logPath + ".strace"
	_ = os.Remove(trace)
	// -D keeps the server our own child. A seccomp filter leaves its other
	// calls at full speed, but loses the signals that strace is to inject.
	tracer := []string{"strace", "-D", "-f", "-qq", "-o", trace, "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:" + inject}
	if !strings.HasPrefix(inject, "signal") {
		tracer = append(tracer, "--seccomp-bpf")
	}
	if err = p.start(tracer...); err != nil {
		return s, err
	}
	p.expectExit()
	if fatal {
		err = p.awaitExit(tamperedFor)
	} else {
		sleep(ctx, 6*time.Second)
	}
	log, _ := os.ReadFile(trace)
	s.Effective = strings.Contains(string(log), "(INJECTED)") || strings.Contains(string(log), "(DELAYED)") || strings.HasPrefix(inject, "signal") && err == nil
	if err != nil && s.Effective && strings.HasPrefix(inject, "error") {
		n.found.add(flawExit, "%s goes on after a failed fsync\n%s", p.id, p.logTail(8))
	}
	if p.running() {
		if err := p.kill(); err != nil {
			return s, err
		}
	}
	return s, p.start()
}
