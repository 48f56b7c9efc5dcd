package license

import (
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

// guard is the record of an address that failed to log in.
type guard struct {
	guardRecord
	sequence uint64
}

// guardTable holds them: those of users, and of the latest MaxLoginGuards
// addresses that are nobody's, so that a lock-out tells nothing and strangers
// can't fill the memory.
type guardTable struct {
	byEmail map[[32]byte]*guard
	order   []*guard // by sequence, which is in order of their first failure
}

func (g *guardTable) next() uint64 {
	if n := len(g.order); n > 0 {
		return g.order[n-1].sequence + 1
	}
	return 1
}

func (g *guardTable) admit(one *guard) {
	if g.byEmail == nil {
		g.byEmail = make(map[[32]byte]*guard)
	}
	g.byEmail[one.Email] = one
	g.order = append(g.order, one)
}

func (g *guard) over(now int64) bool {
	return g.LockedMillis <= now && g.SinceMillis+loginWindow <= now
}

// guard counts a failed attempt to log in, and locks the address out when
// there were too many.
func (m *Machine) guard(t *tenant, email [32]byte, known bool, attempt [32]byte) {
	now := m.state.clock
	table := &t.users.guards
	g := table.byEmail[email]
	if g == nil {
		m.makeRoom(t, now)
		g = &guard{guardRecord: guardRecord{Email: email, SinceMillis: now}, sequence: table.next()}
		table.admit(g)
	}
	if g.over(now) {
		g.Failures, g.SinceMillis = 0, now
	}
	g.Known, g.Last = known, [16]byte(attempt[:16])
	if g.Failures++; g.Failures >= cloudlicenses.LoginFailures {
		g.Failures, g.SinceMillis, g.LockedMillis = 0, now, now+loginLock
	}
	m.keyBytes = key48(m.keyBytes, prefixGuard, t.number, g.sequence)
	m.put(m.keyBytes, &g.guardRecord)
}

// makeRoom forgets what is over, and of the addresses that are nobody's the
// oldest where there are too many.
func (m *Machine) makeRoom(t *tenant, now int64) {
	table := &t.users.guards
	strangers := 0
	for _, g := range table.order {
		if !g.Known && !g.over(now) {
			strangers++
		}
	}
	excess := strangers - cloudlicenses.MaxLoginGuards + 1
	table.order = slices.DeleteFunc(table.order, func(g *guard) bool {
		switch {
		case g.over(now):
		case !g.Known && excess > 0:
			excess--
		default:
			return false
		}
		m.drop(t, g)
		return true
	})
}

func (m *Machine) drop(t *tenant, g *guard) {
	delete(t.users.guards.byEmail, g.Email)
	m.store.Delete(key48(nil, prefixGuard, t.number, g.sequence))
}

// forgive forgets an address's failures.
func (m *Machine) forgive(t *tenant, email [32]byte) {
	table := &t.users.guards
	if g := table.byEmail[email]; g != nil {
		m.drop(t, g)
		table.order = slices.DeleteFunc(table.order, func(other *guard) bool { return other == g })
	}
}
