package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// echoMachine answers each command with itself.
type echoMachine struct {
	applied uint64
	entries []uint64
	broken  bool
}

func (m *echoMachine) Apply(e Entry) ([][]byte, error) {
	if m.broken {
		return nil, errors.New("broken")
	}
	m.applied = e.Index
	m.entries = append(m.entries, e.Index)
	if !e.WantResults {
		return nil, nil
	}
	return e.Commands, nil
}
func (m *echoMachine) AppliedIndex() uint64           { return m.applied }
func (m *echoMachine) Admit(int64, []byte) []byte     { return nil }
func (m *echoMachine) Small([]byte) bool              { return false }
func (m *echoMachine) Lead(string) []byte             { return []byte("lead") }
func (m *echoMachine) Due(int64) []byte               { return nil }
func (m *echoMachine) Query(q []byte) ([]byte, error) { return q, nil }
func (m *echoMachine) Snapshot() (Snapshot, error)    { return nil, errors.New("no") }
func (m *echoMachine) Restore(string) error           { return nil }
func (m *echoMachine) Close() error                   { return nil }

func command(index, origin uint64, commands ...string) *raft.Log {
	var bs [][]byte
	for _, c := range commands {
		bs = append(bs, []byte(c))
	}
	return &raft.Log{Index: index, Type: raft.LogCommand, Data: appendEntry(nil, origin, 1, bs)}
}

// ApplyBatch also receives configuration entries, and raft panics where the
// number of answers is not that of the logs.
func TestApplierAnswersEveryLogAndSkipsWhatIsOnDisk(t *testing.T) {
	m := &echoMachine{applied: 4}
	a := newApplier(1, m, 99, t.TempDir(), func(err error) { t.Error(err) })
	answers := a.ApplyBatch([]*raft.Log{
		command(3, 99, "old"), {Index: 4, Type: raft.LogConfiguration}, command(5, 99, "a", "b"),
		{Index: 6, Type: raft.LogConfiguration}, command(7, 98, "not ours"),
	})
	require.Len(t, answers, 5)
	require.Nil(t, answers[0])
	require.Nil(t, answers[1])
	require.Equal(t, [][]byte{[]byte("a"), []byte("b")}, answers[2])
	require.Nil(t, answers[3])
	require.Equal(t, [][]byte(nil), answers[4])
	require.Equal(t, []uint64{5, 7}, m.entries)
	require.Equal(t, uint64(7), a.applied.Load())
}

func TestApplierStopsAtTheFirstFailure(t *testing.T) {
	for name, bad := range map[string]*raft.Log{
		"undecodable entry": {Index: 2, Type: raft.LogCommand, Data: []byte{9}},
		"machine":           command(2, 99, "x"),
	} {
		t.Run(name, func(t *testing.T) {
			m := &echoMachine{}
			failures := 0
			a := newApplier(1, m, 99, t.TempDir(), func(error) { failures++ })
			a.ApplyBatch([]*raft.Log{command(1, 99, "a")})
			m.broken = name == "machine"
			answers := a.ApplyBatch([]*raft.Log{bad, command(3, 99, "c")})
			require.Equal(t, []any{errMachineFailed, errMachineFailed}, answers, "nobody is told success")
			require.Equal(t, uint64(1), a.applied.Load())
			require.Equal(t, 1, failures)
		})
	}
}

func TestReadWaitsForItsIndex(t *testing.T) {
	a := newApplier(1, &echoMachine{}, 99, t.TempDir(), func(error) {})
	done := make(chan error, 1)
	go func() { done <- a.wait(context.Background(), 2) }()
	a.ApplyBatch([]*raft.Log{command(1, 99, "a")})
	select {
	case <-done:
		t.Fatal("too early")
	case <-time.After(20 * time.Millisecond):
	}
	a.ApplyBatch([]*raft.Log{command(2, 99, "b")})
	require.NoError(t, <-done)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, a.wait(ctx, 3), ErrNotCaughtUp)
	require.Zero(t, a.waiting.Load())
}

// line is a log that answers when told to.
type line struct {
	mu      sync.Mutex
	entries [][]string
	gate    chan struct{} // a token lets one entry through
	fails   []error       // of the first entries
	stamps  []int64
}

type lineFuture struct {
	l       *line
	fail    error
	index   uint64
	results [][]byte
}

func (f lineFuture) Error() error  { <-f.l.gate; return f.fail }
func (f lineFuture) Index() uint64 { return f.index }
func (f lineFuture) Response() any { return f.results }

func (l *line) apply(data []byte) raft.ApplyFuture {
	_, e, err := splitEntry(data)
	if err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, c := range e.Commands {
		names = append(names, string(c))
	}
	l.entries = append(l.entries, names)
	l.stamps = append(l.stamps, e.StampMillis)
	f := lineFuture{l: l, index: uint64(len(l.entries)), results: e.Commands}
	if n := len(l.stamps); n <= len(l.fails) {
		f.fail = l.fails[n-1]
	}
	return f
}

func startBatcher(t *testing.T, l *line, admit func() error) *batcher {
	b := newBatcher(1, time.Now, admit, l.apply)
	b.start()
	t.Cleanup(b.close)
	return b
}

func TestBatcherPacksWhatGathered(t *testing.T) {
	l := &line{gate: make(chan struct{}, 1000)}
	b := startBatcher(t, l, func() error { return nil })
	t.Cleanup(func() { close(l.gate) }) // before the batcher's, which waits for what is on its way
	var callers sync.WaitGroup
	propose := func(name string) {
		callers.Add(1)
		go func() {
			defer callers.Done()
			replies := make([]Reply, 1)
			if err := b.propose(context.Background(), [][]byte{[]byte(name)}, replies); err != nil || string(replies[0].Value) != name {
				t.Errorf("%s: %v %s", name, err, replies[0].Value)
			}
		}()
	}
	sent := func() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.entries) }
	propose("a")
	require.Eventually(t, func() bool { return sent() == 1 }, 20*time.Second, time.Millisecond)
	for i := range secondEntryCommands - 1 {
		propose(fmt.Sprint("b", i))
	}
	waiting := func(n int) func() bool {
		return func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.waiting == n }
	}
	require.Eventually(t, waiting(secondEntryCommands-1), 20*time.Second, time.Millisecond)
	require.Equal(t, 1, sent(), "a small entry waits for the one on its way")
	propose("c")
	require.Eventually(t, waiting(0), 20*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return sent() == 2 }, 20*time.Second, time.Millisecond, "a large one goes")
	for i := range maxEntryCommands + 50 {
		propose(fmt.Sprint("d", i))
	}
	require.Eventually(t, waiting(maxEntryCommands+50), 20*time.Second, time.Millisecond)
	require.Equal(t, 2, sent(), "and no third, even a full one")
	for range 1000 {
		l.gate <- struct{}{}
	}
	callers.Wait()
	require.Len(t, l.entries, 4)
	require.Len(t, l.entries[1], secondEntryCommands)
	require.Len(t, l.entries[2], maxEntryCommands)
	require.Len(t, l.entries[3], 50)
}

func TestBatcherKeepsOrderAndBounds(t *testing.T) {
	l := &line{gate: make(chan struct{})}
	close(l.gate)
	b := startBatcher(t, l, func() error { return nil })
	var commands [][]byte
	var want []string
	for i := range 5000 {
		name := fmt.Sprintf("%05d%0100d", i, 0)
		commands = append(commands, []byte(name))
		want = append(want, name)
	}
	replies := make([]Reply, len(commands))
	require.NoError(t, b.propose(context.Background(), commands, replies))
	var got []string
	for _, e := range l.entries {
		require.LessOrEqual(t, len(e), maxEntryCommands)
		require.LessOrEqual(t, len(e)*109, maxEntryBytes+109)
		got = append(got, e...)
	}
	require.Equal(t, want, got)
	for i := range replies {
		require.Equal(t, want[i], string(replies[i].Value))
	}
	require.ErrorIs(t, b.propose(context.Background(), make([][]byte, maxWaiting+1), make([]Reply, maxWaiting+1)), ErrOverloaded)
}

// An error is ErrNoLeader only where nothing can have happened.
func TestBatcherTellsUnknownFromNotProposed(t *testing.T) {
	open := make(chan struct{})
	close(open)
	for _, c := range []struct {
		raft, want error
	}{
		{raft.ErrNotLeader, ErrNoLeader},
		{raft.ErrLeadershipTransferInProgress, ErrNoLeader},
		{raft.ErrLeadershipLost, ErrOutcomeUnknown},
		{raft.ErrRaftShutdown, ErrOutcomeUnknown},
		{raft.ErrEnqueueTimeout, ErrOutcomeUnknown},
		{errors.New("disk"), ErrOutcomeUnknown},
	} {
		b := startBatcher(t, &line{gate: open, fails: []error{c.raft}}, func() error { return nil })
		require.ErrorIs(t, b.propose(context.Background(), [][]byte{nil}, make([]Reply, 1)), c.want, "%v", c.raft)
	}
	refusing := startBatcher(t, &line{}, func() error { return ErrNoLeader })
	require.ErrorIs(t, refusing.propose(context.Background(), [][]byte{nil}, make([]Reply, 1)), ErrNoLeader)

	stuck := &line{gate: make(chan struct{})}
	b := startBatcher(t, stuck, func() error { return nil })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.propose(ctx, [][]byte{nil}, make([]Reply, 1)), ErrOutcomeUnknown)
	close(stuck.gate)
	b.close()
	require.ErrorIs(t, b.propose(context.Background(), [][]byte{nil}, make([]Reply, 1)), ErrClosed)
}

// Of two entries on their way each answers its own callers, and closing waits for both.
func TestBatcherWithTwoOnTheirWay(t *testing.T) {
	l := &line{gate: make(chan struct{}), fails: []error{raft.ErrLeadershipLost, raft.ErrNotLeader}}
	b := startBatcher(t, l, func() error { return nil })
	open := sync.OnceFunc(func() { close(l.gate) })
	t.Cleanup(open) // before the batcher's, which waits for what is on its way
	answers := func(n int, name string) chan error {
		c := make(chan error, 1)
		commands := make([][]byte, n)
		for i := range commands {
			commands[i] = []byte(name)
		}
		go func() { c <- b.propose(context.Background(), commands, make([]Reply, n)) }()
		return c
	}
	onWay := func(n int) func() bool {
		return func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.onWay) == n && len(b.queue) == 0 }
	}
	first := answers(1, "first")
	require.Eventually(t, onWay(1), 20*time.Second, time.Millisecond)
	second := answers(secondEntryCommands, "second")
	require.Eventually(t, onWay(2), 20*time.Second, time.Millisecond)
	third := answers(1, "third")
	require.Eventually(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.waiting == 1 }, 20*time.Second, time.Millisecond)
	closed := make(chan struct{})
	go func() { b.close(); close(closed) }()
	require.Eventually(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.closed }, 20*time.Second, time.Millisecond)
	select {
	case <-closed:
		t.Fatal("closed while entries were on their way")
	default:
	}
	open()
	require.ErrorIs(t, <-first, ErrOutcomeUnknown)
	require.ErrorIs(t, <-second, ErrNoLeader)
	require.NoError(t, <-third)
	<-closed
	require.IsNonDecreasing(t, l.stamps)
}

func TestVerifierSharesChecksButNeverAnOlderOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		gate := make(chan struct{})
		v := verifier{ask: func() error { asked++; <-gate; return nil }}
		results := make(chan error, 200)
		check := func() { results <- v.check(context.Background()) }
		go check()
		synctest.Wait()
		for range 100 {
			go check()
		}
		synctest.Wait()
		require.Equal(t, 1, asked)
		gate <- struct{}{}
		synctest.Wait()
		require.Len(t, results, 1, "who came during a check waits for the next one")
		require.Equal(t, 2, asked)
		close(gate)
		synctest.Wait()
		require.Len(t, results, 101)
		require.Equal(t, 2, asked, "one check serves them all")
	})
}

func TestFreshnessCountsFromWhatWasReached(t *testing.T) {
	var f freshness
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	require.Equal(t, int64(-1), f.stalenessMillis(at(0), 7))
	f.hear(10, at(100))
	require.Equal(t, int64(-1), f.stalenessMillis(at(150), 9))
	require.Equal(t, int64(50), f.stalenessMillis(at(150), 10))
	f.hear(10, at(200)) // idle: the same index is current for longer
	require.Equal(t, int64(20), f.stalenessMillis(at(220), 10))
	f.hear(30, at(300))
	require.Equal(t, int64(150), f.stalenessMillis(at(350), 29), "behind since the announcement it has not reached")
	require.Equal(t, int64(50), f.stalenessMillis(at(350), 31))
	for i := range uint64(3 * maxAnnouncements) {
		f.hear(100+i, at(400+int(i)))
	}
	require.LessOrEqual(t, len(f.heard), maxAnnouncements)
}

func TestClockGuardGoesByTheMajority(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		offsets []time.Duration
		ok      bool
	}{
		{nil, false},                     // not compared yet
		{[]time.Duration{10 * s}, false}, // two clocks: nobody knows which is off
		{[]time.Duration{0}, true},
		{[]time.Duration{10 * s, 10 * s}, false},
		{[]time.Duration{10 * s, 0}, true},
		{[]time.Duration{-10 * s, 10 * s}, false},
		{[]time.Duration{10 * s, 10 * s, 0, 0}, true},
		{[]time.Duration{10 * s, 10 * s, 10 * s, 0}, false},
		{[]time.Duration{10 * s, 10 * s, 0}, false},
		{[]time.Duration{s / 3, s / 3}, true},
	} {
		g := clockGuard{limit: s / 2}
		offsets := map[string]time.Duration{}
		for i, o := range c.offsets {
			offsets[fmt.Sprint(i)] = o
		}
		now := time.Now()
		g.update(now, offsets)
		require.Equal(t, c.ok, g.ok(now), "%v", c.offsets)
		require.False(t, g.ok(now.Add(s)), "a jump shows at once")
		require.False(t, g.ok(now.Add(-s)))
		if c.ok {
			g.update(now, nil)
			require.True(t, g.ok(now), "the last comparison stands where nobody answers")
		}
	}
	var alone clockGuard
	alone.alone.Store(true)
	require.True(t, alone.ok(time.Now()))
}

func TestPlacementSpreadsReplicas(t *testing.T) {
	nodes := map[string]string{}
	for i := range 5 {
		nodes[fmt.Sprint("n", i)] = fmt.Sprint("a", i)
	}
	p := place("f", nodes, 10, 3)
	require.Len(t, p.Groups, 11)
	held := map[string]int{}
	for _, g := range p.Groups[1:] {
		require.Len(t, g.Nodes, 3)
		require.IsIncreasing(t, g.Nodes)
		for _, n := range g.Nodes {
			held[n]++
		}
	}
	require.Equal(t, map[string]int{"n0": 6, "n1": 6, "n2": 6, "n3": 6, "n4": 6}, held)
	require.Len(t, p.Groups[0].Nodes, 5)
	require.Len(t, place("f", map[string]string{"n": "a"}, 3, 3).servers(2), 1)
}

func FuzzSplitEntry(f *testing.F) {
	f.Add(appendEntry(nil, 1, 2, [][]byte{[]byte("a"), nil}))
	f.Add([]byte{entryVersion, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if origin, e, err := splitEntry(b); err == nil {
			require.Equal(t, b, appendEntry(nil, origin, e.StampMillis, e.Commands))
		}
		if frames, err := splitFrames(b); err == nil {
			var again []byte
			for _, frame := range frames {
				again = appendFrame(again, frame)
			}
			require.Equal(t, len(b), len(again))
		}
	})
}
