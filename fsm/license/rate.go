package license

import (
	"sync"

	"github.com/cloudlicenses/cloudlicenses"
)

// Rate limits are the access chain's last layer. They live in the machine, so
// they are exact for the cluster and outlive any leader: checkouts by key and
// minute, by tenant and minute, and requests by key and hour. Heartbeats and
// returns never count, and a repeated intent neither.
//
// Reads are answered by any replica, so each counts those of its own, beside
// what the machine knows of the key's checkouts.

var _ = register(OpLimitTenant, operation{name: "limit tenant", needs: needsTenant, apply: (*Machine).applyLimitTenant})

const actionTenantLimit = "tenant.limit"

// applyLimitTenant changes a tenant's own limit; what was counted counts on.
func (m *Machine) applyLimitTenant(t *tenant, payload []byte) (reply, error) {
	var p LimitTenant
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	switch {
	case !p.By.Platform:
		return m.acked(cloudlicenses.ForbiddenRole, ""), nil
	case p.CheckoutsPerMinute < 0 || p.CheckoutsPerMinute > cloudlicenses.MaxRateLimit:
		return m.acked(cloudlicenses.InvalidField, "checkouts_per_minute: is out of range"), nil
	case t.checkoutsPerMinute == p.CheckoutsPerMinute:
		return m.acked(cloudlicenses.OK, ""), nil
	}
	t.checkoutsPerMinute = p.CheckoutsPerMinute
	m.state.touchTenant(t)
	m.entry = Audit{Action: actionTenantLimit, Result: resultSuccess, Actor: actorPlatform, Address: p.By.Address}
	m.recordAudit(t)
	return m.acked(cloudlicenses.OK, ""), nil
}

// readCount are the reads by a key that this replica answered.
type readCount struct {
	mu   sync.Mutex
	hour *window // mu
}

// takeRate counts a checkout, or refuses it, in which case it counts nothing.
// The rate is that of the limit that is nearest, or that refused.
func (m *Machine) takeRate(t *tenant, k *key) (nearest Rate, refused bool) {
	s := m.state
	limits := [...]struct {
		policy RatePolicy
		limit  int64
		slot   int64
		window **window
	}{
		{RateKeyMinute, k.Restrictions.CheckoutsPerMinute, slotOfMinute, &k.minute},
		{RateTenantMinute, t.checkoutsPerMinute, slotOfMinute, &t.minute},
		{RateKeyHour, k.Restrictions.RequestsPerHour, slotOfHour, &k.hour},
	}
	for i := range limits {
		l := &limits[i]
		if l.limit <= 0 {
			continue
		}
		if r := (*l.window).rate(l.policy, l.limit, s.clock, l.slot); r.Remaining == 0 {
			return r, true
		}
	}
	for i := range limits {
		l := &limits[i]
		if l.limit <= 0 {
			continue
		}
		if *l.window == nil {
			*l.window = new(window)
		}
		(*l.window).add(s.clock / l.slot)
		r := (*l.window).rate(l.policy, l.limit, s.clock, l.slot)
		if nearest.Policy == RateNone || r.Remaining < nearest.Remaining {
			nearest = r
		}
	}
	if nearest.Policy != RateNone {
		s.touchKey(k)
		s.touchTenant(t)
	}
	return nearest, false
}

// refuseRate answers a checkout that came too soon. It is not in the audit
// log, which nobody shall fill by asking in vain: the edge counts it.
func (m *Machine) refuseRate(k *key, r Rate) reply {
	m.voidEarlier(k, &m.checkout)
	m.result = LeaseResult{Code: cloudlicenses.RateLimited, Layer: cloudlicenses.LayerRate, Rate: r}
	return &m.result
}

// countRead counts a read by a key at this replica, or refuses it.
func (v view) countRead(k *key, now int64) (Rate, bool) {
	limit := k.Restrictions.RequestsPerHour
	if limit <= 0 {
		return Rate{}, false
	}
	checkouts := k.hour.rate(RateKeyHour, limit, now, slotOfHour)
	c := &k.reads
	c.mu.Lock()
	defer c.mu.Unlock()
	reads := c.hour.rate(RateKeyHour, limit, now, slotOfHour)
	if used := (limit - checkouts.Remaining) + (limit - reads.Remaining); used >= limit {
		r := checkouts
		if r.AfterMillis == 0 || reads.AfterMillis > 0 && reads.AfterMillis < r.AfterMillis {
			r = reads
		}
		r.Remaining = 0
		return r, true
	}
	if c.hour == nil {
		c.hour = new(window)
	}
	c.hour.add(max(now/slotOfHour, c.hour.newest))
	return Rate{}, false
}
