package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/cluster"
)

var (
	faultSeed  = flag.Uint64("faults.seed", 0, "seed of TestFaults; 0: three fixed ones")
	faultSteps = flag.Int("faults.steps", 12, "faults of TestFaults per seed")
)

// network stands between the nodes of a rig: it can swallow what one node
// sends to another, or hold it up.
type network struct {
	mu    sync.Mutex
	cut   map[[2]string]bool
	delay map[[2]string]time.Duration
	conns map[*conduit]struct{}
	// swallowed counts writes that a cut ate: a fault without effect is none.
	swallowed int
	delayed   int
}

func newNetwork() *network {
	return &network{cut: map[[2]string]bool{}, delay: map[[2]string]time.Duration{}, conns: map[*conduit]struct{}{}}
}

// between stands between all nodes of a rig that start from now on.
func (n *network) between(r *rig) {
	nameOf := func(addr string) string {
		for name, a := range r.raft {
			if a == addr {
				return name
			}
		}
		return addr
	}
	r.change = func(cfg *cluster.Config) {
		cfg.Tuning.Dial = n.dialer(cfg.NodeID, nameOf)
	}
}

// conduit is a connection from a node to another, seen from the dialing side.
type conduit struct {
	net.Conn
	net      *network
	from, to string
	torn     bool // bytes are missing: useless once the link heals
}

func (n *network) dialer(from string, nameOf func(addr string) string) func(string, time.Duration) (net.Conn, error) {
	return func(addr string, timeout time.Duration) (net.Conn, error) {
		to := nameOf(addr)
		n.mu.Lock()
		cut := n.cut[[2]string{from, to}] || n.cut[[2]string{to, from}]
		n.mu.Unlock()
		if cut {
			n.mu.Lock()
			n.swallowed++
			n.mu.Unlock()
			return nil, errors.New("no route")
		}
		c, err := net.DialTimeout("tcp", addr, timeout)
		if err != nil {
			return nil, err
		}
		d := &conduit{Conn: c, net: n, from: from, to: to}
		n.mu.Lock()
		n.conns[d] = struct{}{}
		n.mu.Unlock()
		return d, nil
	}
}

func (c *conduit) Write(b []byte) (int, error) {
	link := [2]string{c.from, c.to}
	c.net.mu.Lock()
	cut, delay := c.net.cut[link], c.net.delay[link]
	if cut {
		c.torn = true
		c.net.swallowed++
	}
	if delay > 0 {
		c.net.delayed++
	}
	c.net.mu.Unlock()
	if cut {
		return len(b), nil
	}
	if delay > 0 {
		<-time.After(delay)
	}
	return c.Conn.Write(b)
}

func (c *conduit) Read(b []byte) (int, error) {
	for {
		k, err := c.Conn.Read(b)
		c.net.mu.Lock()
		cut := c.net.cut[[2]string{c.to, c.from}]
		if cut && err == nil {
			c.torn = true
			c.net.swallowed++
		}
		c.net.mu.Unlock()
		if !cut || err != nil {
			return k, err
		}
	}
}

func (c *conduit) Close() error {
	c.net.mu.Lock()
	delete(c.net.conns, c)
	c.net.mu.Unlock()
	return c.Conn.Close()
}

// heal opens all links; connections that lost bytes break.
func (n *network) heal() {
	n.mu.Lock()
	n.cut, n.delay = map[[2]string]bool{}, map[[2]string]time.Duration{}
	var torn []*conduit
	for c := range n.conns {
		if c.torn {
			torn = append(torn, c)
		}
	}
	n.mu.Unlock()
	for _, c := range torn {
		c.Close()
	}
}

// addition is one command as its caller saw it.
type addition struct {
	began, ended time.Time
	sum          int64
}

// chaos is a rig under faults with callers on every node.
type chaos struct {
	*rig
	net     *network
	rand    *rand.Rand
	stop    chan struct{}
	callers sync.WaitGroup

	mu      sync.Mutex
	done    []addition
	unknown int
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{rig: newRig(t, 3), net: newNetwork(), rand: rand.New(rand.NewPCG(seed, 1)), stop: make(chan struct{})}
	c.net.between(c.rig)
	c.start(c.names...)
	c.ready(c.names...)
	return c
}

// call adds 1 under one id until the outcome is known.
func (c *chaos) call(caller int) {
	defer c.callers.Done()
	for i := 0; ; i++ {
		id := fmt.Sprintf("c%d-%d", caller, i)
		began := time.Now()
		for attempt := 0; ; attempt++ {
			select {
			case <-c.stop:
				if attempt > 0 {
					c.mu.Lock()
					c.unknown++ // begun, and its outcome was not learned
					c.mu.Unlock()
				}
				return
			default:
			}
			sum, ok := c.try(c.names[(caller+attempt)%len(c.names)], id)
			if ok {
				c.mu.Lock()
				c.done = append(c.done, addition{began, time.Now(), sum})
				c.mu.Unlock()
				break
			}
		}
	}
}

func (c *chaos) try(name, id string) (int64, bool) {
	c.rig.mu.Lock()
	n := c.nodes[name]
	c.rig.mu.Unlock()
	if n == nil {
		<-time.After(10 * time.Millisecond)
		return 0, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	reply, err := n.Propose(ctx, 1, add(id, 1))
	if err != nil {
		<-time.After(10 * time.Millisecond)
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(reply.Value)), true
}

// fault does one thing to the cluster and undoes it.
func (c *chaos) fault() string {
	victim := c.names[c.rand.IntN(3)]
	if c.rand.IntN(2) == 0 {
		victim = c.leader(1)
	}
	other := c.names[c.rand.IntN(3)]
	hold := time.Duration(200+c.rand.IntN(600)) * time.Millisecond
	var what string
	switch c.rand.IntN(4) {
	case 0:
		what = "isolate " + victim
		c.links(func(a, b string) bool { return a == victim || b == victim }, func(l [2]string) { c.net.cut[l] = true })
		<-time.After(hold)
	case 1:
		what = "one way: nothing from " + victim
		c.links(func(a, _ string) bool { return a == victim }, func(l [2]string) { c.net.cut[l] = true })
		<-time.After(hold)
	case 2:
		what = fmt.Sprintf("slow: %s to %s", victim, other)
		c.links(func(a, b string) bool { return a == victim || b == other }, func(l [2]string) { c.net.delay[l] = 30 * time.Millisecond })
		<-time.After(hold)
	default:
		what = "stop and start " + victim
		c.rig.stop(victim)
		<-time.After(hold)
		c.start(victim)
	}
	c.net.heal()
	return what
}

func (c *chaos) links(which func(a, b string) bool, do func(link [2]string)) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for _, a := range c.names {
		for _, b := range c.names {
			if a != b && which(a, b) {
				do([2]string{a, b})
			}
		}
	}
}

// check compares the callers' histories with every replica: a counter that is
// added to once per id gives each call its own sum, and a call that ended
// before another began a smaller one.
func (c *chaos) check() {
	sums := map[int64]addition{}
	for _, a := range c.done {
		if other, twice := sums[a.sum]; twice {
			c.t.Fatalf("sum %d was acknowledged twice: %v and %v", a.sum, other, a)
		}
		sums[a.sum] = a
	}
	var latest time.Time // the latest begin among smaller sums
	first := c.state("n1", 1)
	for sum := int64(1); sum <= first.Sum; sum++ {
		a, ok := sums[sum]
		if !ok {
			continue
		}
		require.False(c.t, a.ended.Before(latest), "sum %d ended before a smaller one began", sum)
		if a.began.After(latest) {
			latest = a.began
		}
	}
	require.LessOrEqual(c.t, int64(len(c.done)), first.Sum, "an acknowledged addition is lost")
	require.LessOrEqual(c.t, first.Sum, int64(len(c.done)+c.unknown), "an addition took effect that nobody asked for")
	for _, name := range c.names[1:] {
		require.Equal(c.t, first, c.state(name, 1), "replica %s differs", name)
	}
}

func TestFaults(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	if *faultSeed != 0 {
		seeds = []uint64{*faultSeed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			c := newChaos(t, seed)
			for i := range 6 {
				c.callers.Add(1)
				go c.call(i)
			}
			for range *faultSteps {
				t.Log(c.fault())
				c.leader(1)
			}
			c.net.heal()
			<-time.After(300 * time.Millisecond)
			close(c.stop)
			c.callers.Wait()
			c.ready(c.names...)
			c.check()
			t.Logf("%d acknowledged, %d unknown, %d writes swallowed, %d delayed", len(c.done), c.unknown, c.net.swallowed, c.net.delayed)
			require.NotZero(t, len(c.done))
			require.NotZero(t, c.net.swallowed+c.net.delayed, "no fault of the network had an effect")
		})
	}
}
