package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
)

// TestRun goes the whole way: lines on stdout, nothing left behind.
func TestRun(t *testing.T) {
	dir := diskDir(t)
	var out, progress strings.Builder
	o := &runOptions{
		peer: "redis", schemes: []string{"all"}, scenarios: []string{scenarioHot}, callers: []int{2},
		duration: 200 * time.Millisecond, pools: 3, dir: dir, commit: "abc",
	}
	require.NoError(t, run(t.Context(), o, &out, &progress), progress.String())
	results := decodeResults(t, out.String())
	require.Len(t, results, 2)
	require.Equal(t, "counter", results[0].Scheme)
	require.Equal(t, "set-per-pool", results[1].Scheme)
	for _, r := range results {
		require.Equal(t, "redis", r.System)
		require.Equal(t, scenarioHot, r.Scenario)
		require.Equal(t, 1, r.Pools)
		require.Equal(t, 2, r.Callers)
		require.Equal(t, "abc", r.Commit)
		require.Equal(t, "always", r.Settings["appendfsync"])
		require.Equal(t, "20", r.Settings["seats_per_pool"])
		require.Positive(t, r.Operations)
		require.Positive(t, r.FsyncMicros)
	}
	requireEmpty(t, dir)
}

// TestRunInterrupted: the servers are stopped and their data removed.
func TestRunInterrupted(t *testing.T) {
	dir := diskDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := &runOptions{
		peer: "redis", schemes: []string{"all"}, scenarios: []string{scenarioSpread}, callers: []int{2},
		duration: time.Hour, pools: 1, dir: dir,
	}
	var out strings.Builder
	progress := &firstMeasurement{begun: func() { time.AfterFunc(200*time.Millisecond, cancel) }}
	require.ErrorIs(t, run(ctx, o, &out, progress), context.Canceled)
	require.Empty(t, out.String())
	requireEmpty(t, dir)
}

// firstMeasurement is a progress that tells when the load is about to begin.
type firstMeasurement struct {
	begun func()
	once  atomic.Bool
}

func (f *firstMeasurement) Write(b []byte) (int, error) {
	if strings.Contains(string(b), scenarioSpread) && !f.once.Swap(true) {
		f.begun()
	}
	return len(b), nil
}

func diskDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, peer.OnDisk(dir), "set TMPDIR to a folder on a disk")
	return dir
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func decodeResults(t *testing.T, lines string) (all []load.Result) {
	t.Helper()
	in := json.NewDecoder(strings.NewReader(lines))
	for {
		var r load.Result
		err := in.Decode(&r)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, r)
	}
}

// TestPlan refuses what there is not before anything is started.
func TestPlan(t *testing.T) {
	good := runOptions{peer: "etcd", schemes: []string{"key-per-seat"}, scenarios: []string{scenarioHot}, callers: []int{1, 2}, pools: 1}
	p, err := peerOf(good.peer)
	require.NoError(t, err)
	todo, err := plan(p, &good)
	require.NoError(t, err)
	require.Len(t, todo, 2)
	require.Equal(t, peer.Expert, todo[0].scheme.Kind)

	for wrong, change := range map[string]func(*runOptions){
		`no scheme "x"`:   func(o *runOptions) { o.schemes = []string{"x"} },
		`no scenario "x"`: func(o *runOptions) { o.scenarios = []string{"x"} },
		"0 callers":       func(o *runOptions) { o.callers = []int{0} },
		"0 pools":         func(o *runOptions) { o.pools = 0 },
	} {
		o := good
		change(&o)
		_, err := plan(p, &o)
		require.ErrorContains(t, err, wrong)
	}
	_, err = peerOf("mysql")
	require.ErrorContains(t, err, `no peer "mysql"`)
}

// TestNotInstalled has a status of its own.
func TestNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := run(t.Context(), &runOptions{peer: "redis", schemes: []string{"all"}, pools: 1, dir: t.TempDir()}, io.Discard, io.Discard)
	require.ErrorIs(t, err, peer.ErrNotInstalled)
	require.ErrorContains(t, err, "redis cannot be installed")
	require.Equal(t, exitNotInstalled, status(err))
	require.Equal(t, 1, status(errors.New("another")))
}

// TestList names every scheme of every peer.
func TestList(t *testing.T) {
	var out strings.Builder
	list := newListCommand()
	list.SetOut(&out)
	require.NoError(t, list.Execute())
	for _, p := range peers {
		require.Contains(t, out.String(), p.Guarantee())
		for _, s := range p.Schemes() {
			require.Contains(t, out.String(), s.Name)
		}
	}
}
