package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

var (
	_ = register(OpLead, operation{name: "lead", apply: (*Machine).applyLead})
	_ = register(OpExpire, operation{name: actionExpire, apply: (*Machine).applyExpire})
)

const (
	// expireBatch bounds how many leases one Expire ends, so that no entry
	// holds checkouts up for long.
	expireBatch = 1024
	// lookAhead bounds how many stale bounds one Due corrects.
	lookAhead = 8192
)

// Lead returns the command that opens node's term as leader.
func (m *Machine) Lead(node string) []byte {
	b := fsm.Header{Op: OpLead, Version: Version}.Append(nil)
	return appendRecord(b, &Lead{Node: node})
}

// applyLead gives every live lease at least one heartbeat's time: nobody
// could extend it while there was no leader.
func (m *Machine) applyLead(_ *tenant, payload []byte) (reply, error) {
	var l Lead
	if err := decode(&l, payload); err != nil {
		return nil, err
	}
	m.state.leadSince = m.state.clock
	return m.acked(cloudlicenses.OK, ""), nil
}

// expiry is when a lease may expire, in Unix ms: expires_at, but not before a
// heartbeat's time after the latest leader began.
func (s *state) expiry(l *lease) int64 {
	return max(l.expires, s.leadSince+int64(l.ttl)/3)
}

// bound is a lower bound of when the next thing is due by itself.
func (s *state) bound() int64 { return min(s.due.bound(), s.noteDue()) }

// Due returns an Expire to propose where a lease is due, or a note (every entry
// begins by writing those down), else nil.
func (m *Machine) Due(nowMillis int64) []byte {
	at := max(nowMillis, m.clock.Load())
	if m.nextDue.Load() > at || !m.someDue(at) {
		return nil
	}
	b := fsm.Header{Op: OpExpire, Version: Version}.Append(nil)
	return appendRecord(b, &Expire{Limit: expireBatch})
}

// someDue looks past the leases whose heartbeats came since they were
// scheduled. That changes bounds only, nothing that is computed or stored.
func (m *Machine) someDue(at int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state
	defer func() { m.nextDue.Store(s.bound()) }()
	if s.noteDue() <= at {
		return true
	}
	for range lookAhead {
		if s.due.bound() > at {
			return false
		}
		if s.raise(s.due[0]) {
			continue
		}
		return true
	}
	return false // the next tick goes on
}

func (m *Machine) applyExpire(_ *tenant, payload []byte) (reply, error) {
	var e Expire
	if err := decode(&e, payload); err != nil {
		return nil, err
	}
	s := m.state
	for left := e.Limit; left > 0 && s.due.bound() <= s.clock; {
		if pool := s.due[0]; !s.raise(pool) {
			m.expire(pool.leases[0])
			left--
		}
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

// collect ends everything of a pool that is due at now and returns how many.
func (m *Machine) collect(lic *license, now int64) (ended int) {
	for len(lic.leases) > 0 && lic.leases[0].bound <= now {
		if !m.state.raise(lic) {
			m.expire(lic.leases[0])
			ended++
		}
	}
	return ended
}

// expire ends a lease that nobody kept alive.
func (m *Machine) expire(l *lease) {
	m.endLease(l, cloudlicenses.EndExpired)
	if l.overage > 0 {
		m.addCredit(l)
	}
	m.describeLease(actionExpire, resultSuccess, l)
	m.recordAudit(l.license.tenant)
}

// schedule puts a lease into its pool's heap and the pool into the group's.
func (s *state) schedule(l *lease) {
	l.bound = s.expiry(l)
	pool := l.license
	l.heapPos = int32(len(pool.leases))
	pool.leases = append(pool.leases, l)
	leaseUp(pool.leases, int(l.heapPos))
	first := pool.leases[0].bound
	if pool.heapPos < 0 {
		pool.heapPos = int32(len(s.due))
		s.due = append(s.due, pool)
	} else {
		if len(pool.leases) == 1 {
			s.idle--
		}
		if first >= pool.bound {
			return
		}
	}
	pool.bound = first
	s.due.rise(int(pool.heapPos))
}

// mostIdle bounds the pools without leases that keep their place among the due.
const mostIdle = 2 * lookAhead

// unschedule takes a lease out again. The pool keeps its place among others until its
// bound is reached: most leases end long before, one after the other, and a pool that
// has none is soon to have one.
func (s *state) unschedule(l *lease) {
	pool := l.license
	i, last := int(l.heapPos), len(pool.leases)-1
	pool.leases[i] = pool.leases[last]
	pool.leases[i].heapPos = int32(i)
	pool.leases[last] = nil
	pool.leases = pool.leases[:last]
	if i < last {
		leaseUp(pool.leases, i)
		leaseDown(pool.leases, i)
	}
	if last == 0 {
		if s.idle++; s.idle > mostIdle {
			s.dropIdle(pool)
		}
	}
}

// dropIdle takes a pool without leases from among the due.
func (s *state) dropIdle(pool *license) {
	s.due.remove(int(pool.heapPos))
	s.idle--
}

// raise corrects the bounds of a pool and of its first lease where leases ended, or
// heartbeats or a new leader moved an expiry on, and reports whether it did. Bounds
// never exceed the true expiry, so a first lease whose bounds are true is the first
// to expire, whatever the bounds of others: all replicas expire in one order.
func (s *state) raise(pool *license) bool {
	if len(pool.leases) == 0 {
		s.dropIdle(pool)
		return true
	}
	l := pool.leases[0]
	expiry := s.expiry(l)
	if expiry <= l.bound && pool.bound == l.bound {
		return false
	}
	if expiry > l.bound {
		l.bound = expiry
		leaseDown(pool.leases, 0)
	}
	pool.bound = pool.leases[0].bound
	s.due.sink(int(pool.heapPos))
	return true
}

// keepUp corrects bounds that the clock has reached, as many at most as commands may
// have left behind: what comes of it is the same, but it comes bit by bit.
func (s *state) keepUp(most int) {
	for range most {
		if s.due.bound() > s.clock || !s.raise(s.due[0]) {
			return
		}
	}
}

func leaseBefore(a, b *lease) bool {
	return a.bound < b.bound || a.bound == b.bound && a.id < b.id
}

func leaseUp(h []*lease, i int) {
	l := h[i]
	for i > 0 {
		up := (i - 1) / 2
		if !leaseBefore(l, h[up]) {
			break
		}
		h[i] = h[up]
		h[i].heapPos = int32(i)
		i = up
	}
	h[i] = l
	l.heapPos = int32(i)
}

func leaseDown(h []*lease, i int) {
	l := h[i]
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && leaseBefore(h[down+1], h[down]) {
			down++
		}
		if !leaseBefore(h[down], l) {
			break
		}
		h[i] = h[down]
		h[i].heapPos = int32(i)
		i = down
	}
	h[i] = l
	l.heapPos = int32(i)
}

// poolHeap orders pools by their bounds. Every pool with live leases is in it, and
// some that had.
type poolHeap []*license

// bound is a lower bound of the next expiry; never where nothing lives.
func (h poolHeap) bound() int64 {
	if len(h) == 0 {
		return never
	}
	return h[0].bound
}

// poolBefore breaks ties of time by the order of creation.
func poolBefore(a, b *license) bool {
	switch {
	case a.bound != b.bound:
		return a.bound < b.bound
	case a.tenant.number != b.tenant.number:
		return a.tenant.number < b.tenant.number
	}
	return a.number < b.number
}

// rise restores the order after the bound of the pool at i became lower.
func (h poolHeap) rise(i int) {
	p := h[i]
	for i > 0 {
		up := (i - 1) / 2
		if !poolBefore(p, h[up]) {
			break
		}
		h[i] = h[up]
		h[i].heapPos = int32(i)
		i = up
	}
	h[i] = p
	p.heapPos = int32(i)
}

// sink restores the order after the bound of the pool at i became higher.
func (h poolHeap) sink(i int) {
	p := h[i]
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && poolBefore(h[down+1], h[down]) {
			down++
		}
		if !poolBefore(h[down], p) {
			break
		}
		h[i] = h[down]
		h[i].heapPos = int32(i)
		i = down
	}
	h[i] = p
	p.heapPos = int32(i)
}

// remove takes out the pool at i.
func (h *poolHeap) remove(i int) {
	old := *h
	last := len(old) - 1
	old[i].heapPos = -1
	moved := old[last]
	old[last] = nil
	*h = old[:last]
	if i < last {
		old[i] = moved
		(*h).rise(i)
		(*h).sink(int(moved.heapPos))
	}
}
