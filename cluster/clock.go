package cluster

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// clockGuard compares this node's clock with its peers'. A node whose clock
// differs from most of the cluster's by more than the limit neither stamps
// entries nor leads: one fast leader would expire leases early and then hold
// the machines' time still until the others caught up.
type clockGuard struct {
	limit time.Duration

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
		return true
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

// update takes a round of measurements; peers that did not answer keep no say.
func (c *clockGuard) update(now time.Time, offsets map[string]time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offsets = offsets
	differ := 0
	for _, d := range offsets {
		if d.Abs() > c.limit {
			differ++
		}
	}
	// Most of the clocks, ours among them, disagree with ours.
	c.off.Store(differ*2 > len(offsets)+1)
	c.checked.Store(&clockReading{wallMillis: now.UnixMilli(), steady: time.Now()})
}

// watchClocks asks the peers' clocks until the node stops.
func (n *Node) watchClocks() {
	defer n.background.Done()
	ticker := time.NewTicker(clockInterval)
	defer ticker.Stop()
	for {
		offsets := n.measureClocks()
		n.clock.update(n.cfg.Now(), offsets)
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (n *Node) measureClocks() map[string]time.Duration {
	ctx, cancel := context.WithTimeout(n.ctx, clockInterval)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	offsets := map[string]time.Duration{}
	for id, p := range n.alivePeers() {
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
			theirs := time.UnixMicro(int64(binary.BigEndian.Uint64(b)))
			mu.Lock()
			offsets[id] = theirs.Sub(sent.Add(trip / 2))
			mu.Unlock()
		}()
	}
	wg.Wait()
	return offsets
}
