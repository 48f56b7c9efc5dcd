package license

import (
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

var _ = register(OpCheckout, operation{name: actionCheckout, needs: needsTenant, lease: true, byKey: true, apply: (*Machine).applyCheckout})

// applyCheckout asks, in this order: access, a repeated intent, the rate, the
// license, the version, the seats. All checks come first, all effects last.
func (m *Machine) applyCheckout(t *tenant, payload []byte) (reply, error) {
	c := &m.checkout
	if err := decode(c, payload); err != nil {
		return nil, err
	}
	s := m.state
	m.result = LeaseResult{}
	k, layer, code := t.admitted(&c.Caller, cloudlicenses.ScopeCheckout, s.clock)
	if k == nil {
		m.result.Code, m.result.Layer = code, layer
		return &m.result, nil
	}
	if code != cloudlicenses.OK {
		lic, _, _ := s.findLicense(t, c.VendorID, c.ProductID)
		return m.refuseCheckout(t, k, lic, code, layer, k.refusal(code, &c.Caller, s.clock)), nil
	}
	if detail := checkNumbers(c); detail != "" {
		return m.refuseCheckout(t, k, nil, cloudlicenses.InvalidField, cloudlicenses.LayerNone, detail), nil
	}
	if done, err := m.replay(t, k, c); done || err != nil {
		return &m.result, err
	}
	if s.voids.has(k.scoped(c.Request), c.Try) {
		m.result = LeaseResult{Code: cloudlicenses.OutcomeUnknown, Detail: "a later try of this request was refused"}
		return &m.result, nil
	}
	m.use(k)
	rate, refused := m.takeRate(t, k)
	if refused {
		return m.refuseRate(k, rate), nil
	}
	lic, code, detail := s.findLicense(t, c.VendorID, c.ProductID)
	if code == cloudlicenses.OK {
		code, detail = t.refuseStanding()
	}
	if code == cloudlicenses.OK {
		code, detail = lic.acceptsVersion(c.AppVersion)
	}
	if code == cloudlicenses.OK {
		if detail = lic.refuses(c.Caller.LibVersion); detail != "" {
			code = cloudlicenses.VersionNotAllowed
		}
	}
	if code != cloudlicenses.OK {
		m.refuseCheckout(t, k, lic, code, cloudlicenses.LayerNone, detail)
	} else {
		m.takeSeats(t, k, lic, c)
	}
	m.result.Rate = rate
	return &m.result, nil
}

// checkNumbers keeps what no sender may send from ever becoming a lease.
func checkNumbers(c *Checkout) (detail string) {
	switch {
	case c.Count < 1 || c.Count > cloudlicenses.MaxSeatsPerCheckout:
		return "count: out of range"
	case c.TTLMillis < 1 || c.TTLMillis > int64(cloudlicenses.MaxTTL/time.Millisecond):
		return "ttl_seconds: out of range"
	}
	return ""
}

// takeSeats grants by the seat table, or refuses.
func (m *Machine) takeSeats(t *tenant, k *key, lic *license, c *Checkout) reply {
	s := m.state
	s.accrue(m.store, lic)
	if plant.On(plant.LocalExpiry) {
		m.collect(lic, time.Now().UnixMilli()) //nolint:forbidigo // the planted bug: a replica's own clock
	}
	commit, overage, credited, code := s.seats(t, k, lic, c)
	if code != cloudlicenses.OK && m.collect(lic, s.clock) > 0 {
		commit, overage, credited, code = s.seats(t, k, lic, c)
	}
	if code != cloudlicenses.OK {
		return m.refuseCheckout(t, k, lic, code, cloudlicenses.LayerNone, "")
	}
	l := m.grant(t, k, lic, c, commit, overage)
	if credited > 0 {
		m.spendCredit(t, lic, k, c.User, c.Caller.Hostname, credited)
	}
	if charged := overage - credited; charged > 0 {
		m.charge(t, k, lic, l, charged)
	}
	m.result.Lease = s.public(l)
	m.result.Lease.ExpiresMillis = firstExpiry(l.issued, int64(l.ttl)) // the grace of a leaderless time is none of the promise
	return &m.result
}

// seats decides by the seat table, the tenant's rules and its caps, and changes
// nothing. Of the overage seats, credited are continued without a new charge.
func (s *state) seats(t *tenant, k *key, lic *license, c *Checkout) (commit, overage, credited int64, code cloudlicenses.Code) {
	allow := c.AllowOverage && !t.rules.DenyOverage
	commit, overage, code = lic.pool.Grant(lic.entitlement(), c.Count, allow)
	if code != cloudlicenses.OK || overage == 0 {
		return commit, overage, 0, code
	}
	credited = min(overage, s.credit(t, lic, k, c.User, c.Caller.Hostname))
	if charged := overage - credited; charged > 0 && s.capPassed(t, k, lic, charged) {
		return 0, 0, 0, cloudlicenses.OverageCapReached
	}
	return commit, overage, credited, cloudlicenses.OK
}

// firstExpiry is what a checkout's reply promises.
func firstExpiry(issued, ttl int64) int64 { return issued + ttl }

// grant puts a lease into force.
func (m *Machine) grant(t *tenant, k *key, lic *license, c *Checkout, commit, overage int64) *lease {
	s := m.state
	t.leaseSequence++
	l := &lease{
		id: t.leaseSequence, license: lic, key: k,
		user: c.User, hostname: c.Caller.Hostname, fingerprint: c.Caller.Fingerprint, metadata: string(c.Metadata),
		issued: s.clock, expires: firstExpiry(s.clock, c.TTLMillis), ttl: int32(c.TTLMillis),
		intent: c.Intent, byClient: c.IntentByClient, bodyHash: c.BodyHash,
		commit: int32(commit), overage: int32(overage),
	}
	s.admitLease(t, l)
	s.intents.granted(l)
	s.touchLease(l)
	s.touchLicense(lic)
	s.touchTenant(t)

	lic.pool.Commit += commit
	lic.pool.Overage += overage
	s.countGrant(lic, c.User, overage > 0)
	if overage > 0 {
		m.warnSeats(t, lic)
	}

	m.describeLease(actionCheckout, resultSuccess, l)
	m.entry.Address, m.entry.LibVersion = c.Caller.Address, c.Caller.LibVersion
	m.recordAudit(t)
	return l
}

// admitLease brings a live lease into the tables; its pool is the caller's.
func (s *state) admitLease(t *tenant, l *lease) {
	t.leases.add(l)
	s.schedule(l)
}

// refuseCheckout records the refusal of a known key and answers it. lic may
// be nil.
func (m *Machine) refuseCheckout(t *tenant, k *key, lic *license, code cloudlicenses.Code, layer cloudlicenses.Layer, detail string) reply {
	c := &m.checkout
	m.voidEarlier(k, c)
	m.countRefusal(lic, code)
	m.describeCaller(actionCheckout, code, k, &c.Caller)
	m.entry.ProductID, m.entry.User, m.entry.Count = c.ProductID, c.User, c.Count
	if lic != nil {
		m.entry.LicenseID = lic.ID
	}
	m.recordAudit(t)
	m.result = LeaseResult{Code: code, Layer: layer, Detail: detail}
	return &m.result
}

// findLicense finds the license that a checkout of the product concerns: the
// one in force. Where none is, the latest one is named with the refusal.
func (s *state) findLicense(t *tenant, vendor cloudlicenses.VendorID, product cloudlicenses.ProductID) (*license, cloudlicenses.Code, string) {
	var latest, current *license
	for _, l := range t.products[product] {
		if vendor != "" && l.VendorID != vendor {
			continue
		}
		if latest == nil || l.StartMillis >= latest.StartMillis {
			latest = l
		}
		if !s.inForce(l) {
			continue
		}
		if current != nil && current.VendorID != l.VendorID {
			return nil, cloudlicenses.InvalidField, "vendor_id: several vendors have a product of this id, name one"
		}
		current = l
	}
	switch {
	case current != nil:
		return current, cloudlicenses.OK, ""
	case latest != nil:
		return latest, cloudlicenses.LicenseNotActive, ""
	}
	return nil, cloudlicenses.ProductNotFound, ""
}

// inForce reports whether seats of l may be granted now.
func (s *state) inForce(l *license) bool {
	return l.Status == cloudlicenses.LicenseProvisioned && s.clock >= l.StartMillis && !l.ended(s.clock)
}

// acceptsVersion judges an application's version by the license's constraint.
func (l *license) acceptsVersion(version string) (cloudlicenses.Code, string) {
	if l.constraint == nil || version == "" {
		return cloudlicenses.OK, ""
	}
	if l.lastVersion != version {
		l.lastVersion, l.lastVerdict = version, judgeVersion(l.constraint, version)
	}
	switch l.lastVerdict {
	case cloudlicenses.InvalidField:
		return l.lastVerdict, "version: not a semantic version"
	case cloudlicenses.VersionNotAllowed:
		return l.lastVerdict, "the license allows " + l.Constraint
	}
	return cloudlicenses.OK, ""
}

func judgeVersion(constraint *semver.Constraints, version string) cloudlicenses.Code {
	v, err := semver.NewVersion(version)
	switch {
	case err != nil:
		return cloudlicenses.InvalidField
	case !constraint.Check(v):
		return cloudlicenses.VersionNotAllowed
	}
	return cloudlicenses.OK
}
