package license

import (
	"math"
	"math/bits"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

// creditMemory is how long an expired overage use may be continued.
const creditMemory = int64(cloudlicenses.ContinueUseWithin / time.Millisecond)

// credit is overage seats whose use ended by expiry: charged already, and
// continued free of charge by the same key, user and hostname.
type credit struct {
	sequence uint64
	key      creditKey
	tenant   *tenant
	seats    int64
	ended    int64 // Unix ms
}

// creditKey says who may continue a use of which license.
type creditKey struct {
	license        *license
	key            *key
	user, hostname string
}

// price multiplies, and stops at the largest amount instead of wrapping.
func price(fee, uses int64) int64 {
	hi, lo := bits.Mul64(uint64(max(0, fee)), uint64(uses))
	if hi != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}

func addUp(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < -math.MaxInt64-b:
		return -math.MaxInt64
	}
	return a + b
}

// spentIn returns the key's uses (in all currencies) and the money charged in
// one currency in a month.
func (k *key) spentIn(month uint32, currency cloudlicenses.Currency) (uses, minor int64) {
	if k.spent.Month != month {
		return 0, 0
	}
	for _, sum := range k.spent.Sums {
		uses += sum.Uses
		if sum.Currency == currency {
			minor = sum.Minor
		}
	}
	return uses, minor
}

// spend adds to what the key was charged, less than nothing where it is taken back.
func (k *key) spend(month uint32, currency cloudlicenses.Currency, uses, minor int64) {
	if k.spent.Month != month {
		k.spent = spendRecord{Month: month}
	}
	for i := range k.spent.Sums {
		if sum := &k.spent.Sums[i]; sum.Currency == currency {
			sum.Uses += uses
			sum.Minor = addUp(sum.Minor, minor)
			return
		}
	}
	k.spent.Sums = append(k.spent.Sums, spend{currency, uses, minor})
}

// charge writes one immutable overage record for a new lease.
func (m *Machine) charge(t *tenant, k *key, l *license, lease *lease, uses int64) {
	s := m.state
	minor := price(l.OverageFeeMinor, uses)
	l.usage.charged(uses, minor)
	r := s.recentOf(l)
	r.day.charged(uses, minor)
	r.hour.charged(uses, minor)
	s.touchLicense(l)
	k.spend(s.now[grainMonth].number, l.Currency, uses, minor)
	s.touchKey(k)
	t.overageSequence++
	s.touchTenant(t)
	m.overage = Overage{
		Sequence: t.overageSequence, LicenseID: l.ID, LeaseID: cloudlicenses.LeaseID(lease.id), KeyID: k.ID,
		Uses: uses, PriceMinor: l.OverageFeeMinor, Currency: l.Currency, AtMillis: s.clock,
	}
	m.keyBytes = key448(m.keyBytes, prefixOverage, t.number, s.now[grainMonth].number, t.overageSequence)
	m.put(m.keyBytes, &m.overage)
	m.warnCaps(t, k, l, uses, minor)
}

// addCredit remembers the overage seats of an expired lease.
func (m *Machine) addCredit(l *lease) {
	s, t := m.state, l.license.tenant
	t.creditSequence++
	s.touchTenant(t)
	c := &credit{
		sequence: t.creditSequence, tenant: t, seats: int64(l.overage), ended: s.clock,
		key: creditKey{l.license, l.key, l.user, l.hostname},
	}
	s.admitCredit(c)
	m.storeCredit(c)
}

func (s *state) admitCredit(c *credit) {
	if c.tenant.credits == nil {
		c.tenant.credits = make(map[creditKey][]*credit)
	}
	c.tenant.credits[c.key] = append(c.tenant.credits[c.key], c)
	s.credits.push(c)
}

func (m *Machine) storeCredit(c *credit) {
	m.keyBytes = key48(m.keyBytes, prefixCredit, c.tenant.number, c.sequence)
	if c.seats == 0 {
		m.store.Delete(m.keyBytes)
		return
	}
	m.put(m.keyBytes, c.record())
}

func (c *credit) record() *creditRecord {
	return &creditRecord{
		Sequence: c.sequence, License: c.key.license.number, Key: c.key.key.number,
		User: c.key.user, Hostname: c.key.hostname, Seats: c.seats, EndedMillis: c.ended,
	}
}

// credit returns how many overage seats may be continued free of charge.
func (s *state) credit(t *tenant, l *license, k *key, user, hostname string) (seats int64) {
	for _, c := range t.credits[creditKey{l, k, user, hostname}] {
		seats += c.seats
	}
	return seats
}

// spendCredit uses credit up, oldest first.
func (m *Machine) spendCredit(t *tenant, l *license, k *key, user, hostname string, seats int64) {
	who := creditKey{l, k, user, hostname}
	list := t.credits[who]
	for seats > 0 {
		c := list[0]
		used := min(seats, c.seats)
		c.seats -= used
		seats -= used
		m.storeCredit(c)
		if c.seats == 0 {
			list = list[1:]
		}
	}
	t.setCredits(who, list)
}

func (t *tenant) setCredits(who creditKey, list []*credit) {
	if len(list) == 0 {
		delete(t.credits, who)
		return
	}
	t.credits[who] = list
}

// forget drops, at the beginning of an entry, what the clock has made too old.
func (m *Machine) forget() {
	s := m.state
	s.intents.forget(s.clock)
	m.forgetVoids()
	m.expireSignUps()
	m.forgetIntended()
	for c, ok := s.credits.front(); ok && (c.seats == 0 || s.clock-c.ended >= creditMemory); c, ok = s.credits.front() {
		if c.seats > 0 { // the oldest of its holder
			c.tenant.setCredits(c.key, c.tenant.credits[c.key][1:])
			c.seats = 0
			m.storeCredit(c)
		}
		s.credits.pop()
	}
	floor := s.clock/millisPerHour - endedBuckets
	if floor > s.endedFloor {
		m.store.DeleteRange(endedKey(nil, 0, 0, 0), endedKey(nil, floor, 0, 0))
		s.endedFloor = floor
	}
}
