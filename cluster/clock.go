package cluster

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// clockGuard compares this node's clock with its peers'. A node whose clock
// differs from most of those that answer by more than the limit, or that has
// not been compared yet, neither stamps entries nor leads: one fast leader
// would expire leases early and then hold the machines' time still until the
// others caught up. Of two clocks that differ nobody knows which is right, and
// both abstain.
type clockGuard struct {
	limit time.Duration
	// alone is true in a cluster of one node, which has nothing to compare.
	alone atomic.Bool

	off atomic.Bool
	// checked is when the clocks were last compared, by our wall clock and by
	// the steady one: a jump since then shows before the next comparison.
	checked atomic.Pointer[clockReading]

	mu sync.Mutex
	// offsets is how far each peer's clock is ahead of ours, as last measured.
	offsets map[string]time.Duration
}

type clockReading struct {
	wallMillis int64
	steady     time.Time
}

// ok reports whether entries may be stamped with the wall clock's now.
func (c *clockGuard) ok(now time.Time) bool {
	if c.off.Load() {
		return false
	}
	at := c.checked.Load()
	if at == nil {
		return c.alone.Load()
	}
	jump := time.Duration(now.UnixMilli()-at.wallMillis)*time.Millisecond - time.Since(at.steady)
	return jump.Abs() <= c.limit
}

// offset is the largest known offset of a peer, for a log line.
func (c *clockGuard) offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var worst time.Duration
	for _, d := range c.offsets {
		if d.Abs() > worst.Abs() {
			worst = d
		}
	}
	return worst
}

// update takes a round of measurements. Where nobody answered, the last one
// stands: a leader without peers commits nothing anyway.
func (c *clockGuard) update(now time.Time, offsets map[string]time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(offsets) == 0 {
		return
	}
	c.offsets = offsets
	differ := 0
	for _, d := range offsets {
		if d.Abs() > c.limit {
			differ++
		}
	}
	c.off.Store(differ*2 > len(offsets))
	c.checked.Store(&clockReading{wallMillis: now.UnixMilli(), steady: time.Now()})
}

// watchClocks asks the peers' clocks until the node stops.
func (n *Node) watchClocks() {
	defer n.background.Done()
	ticker := time.NewTicker(firstClockInterval)
	defer ticker.Stop()
	for {
		offsets := n.measureClocks()
		n.clock.update(n.cfg.Now(), offsets)
		if n.clock.checked.Load() != nil {
			ticker.Reset(clockInterval)
		}
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// foundedWith reports whether a node is one of those the cluster was formed
// with: the clocks of nodes that only learn have no say.
func (n *Node) foundedWith(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.placed == nil {
		return false
	}
	_, ok := n.placed.Nodes[id]
	return ok
}

func (n *Node) measureClocks() map[string]time.Duration {
	ctx, cancel := context.WithTimeout(n.ctx, clockInterval)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	offsets := map[string]time.Duration{}
	for id, p := range n.alivePeers() {
		if !n.foundedWith(id) {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			sent := n.cfg.Now()
			start := time.Now()
			b, err := p.call(ctx, methodClock, 0)
			if err != nil || len(b) != 8 {
				return
			}
			trip := time.Since(start)
			if trip > n.clock.limit {
				return // too long on its way to say anything
			}
			theirs := time.UnixMicro(int64(binary.BigEndian.Uint64(b)))
			mu.Lock()
			offsets[id] = theirs.Sub(sent.Add(trip / 2))
			mu.Unlock()
		}()
	}
	wg.Wait()
	return offsets
}
