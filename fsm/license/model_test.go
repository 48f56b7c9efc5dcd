package license_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// step is a command not yet encoded.
type step struct {
	op     fsm.Op
	tenant cl.TenantID
	epoch  uint32
	body   msgp.Marshaler
}

func (s step) encode() []byte { return encode(s.op, s.tenant, s.epoch, s.body) }

// model is what a group's machine must do, said as plainly as possible: whole
// lists are searched, nothing is cached, nothing is ever forgotten that a time
// does not end.
type model struct {
	clock     int64
	leadSince int64
	tenants   map[cl.TenantID]*modelTenant
	sequence  uint64
	pending   map[uint64]int64 // attempts made, by sequence
}

type modelTenant struct {
	epoch    uint32
	licenses []*modelLicense
	keys     []*modelKey
	leases   []*modelLease // every lease ever, the first has id 1
	intents  []modelIntent
	rules    license.Rules
	overage  []license.Overage
	voids    []modelVoid
	adjusted []modelAdjustment
	refused  map[cl.LicenseID]uint64 // latest revision that was

	perMinute int64
	checkouts []int64 // when one was counted
	hook      bool    // has an endpoint that gets everything
}

type modelLicense struct {
	license.License
	hours map[uint32]*modelHour // what it was used for, by Unix hour
	peaks map[string]int64      // overage seats in use after a grant, by month
}

type modelLease struct {
	license.Lease
	license *modelLicense
	credit  int64 // overage seats that may still be continued without a charge
}

type modelIntent struct {
	key      cl.KeyID
	intent   [16]byte
	byClient bool
	bodyHash uint64
	first    license.Lease
}

func newModel() *model {
	return &model{tenants: map[cl.TenantID]*modelTenant{}, pending: map[uint64]int64{}}
}

// apply applies an entry and returns a result per command: an Ack or a
// LeaseResult, without Detail.
func (m *model) apply(stamp int64, steps []step) (results []any) {
	m.advance(max(m.clock, stamp))
	for _, s := range steps {
		results = append(results, m.one(s))
	}
	return results
}

// advance lets time pass: every live seat is held until the new clock.
func (m *model) advance(to int64) {
	for _, t := range m.tenants {
		for _, l := range t.licenses {
			for at := m.clock; at < to; {
				until := min((at/hour+1)*hour, to)
				if pool := t.pool(l); pool.InUse() > 0 {
					u := l.hour(at)
					u.SeatMillis += pool.InUse() * (until - at)
					u.peaks(pool)
				}
				at = until
			}
			if pool := t.pool(l); pool.InUse() > 0 { // held into an hour that begins now
				l.hour(to).peaks(pool)
			}
		}
	}
	m.clock = to
}

func (m *model) one(s step) any {
	switch b := s.body.(type) {
	case *license.Lead:
		m.leadSince = m.clock
		return license.Ack{}
	case *license.Expire:
		m.expire(b.Limit)
		return license.Ack{}
	case *license.OutboxTried:
		made, pending := m.pending[b.Sequence]
		switch {
		case !pending || made+1 != b.Attempt && b.Result != license.TriedDelivered:
		case b.Result == license.TriedRetry:
			m.pending[b.Sequence] = b.Attempt
		default:
			delete(m.pending, b.Sequence)
		}
		return license.Ack{}
	case *license.PutTenant:
		t := m.tenants[s.tenant]
		if t == nil {
			t = &modelTenant{perMinute: b.CheckoutsPerMinute, refused: map[cl.LicenseID]uint64{}}
			m.tenants[s.tenant] = t
		}
		t.epoch = max(t.epoch, b.Epoch)
		return license.Ack{}
	}
	t := m.tenants[s.tenant]
	stale := t == nil || t.epoch != s.epoch
	switch b := s.body.(type) {
	case *license.Checkout, *license.Heartbeat, *license.Return, *license.Release:
		if stale {
			return license.LeaseResult{Code: cl.StalePlacement}
		}
		return m.lease(t, b)
	case *license.Adjust:
		if stale {
			return license.Ack{Code: cl.StalePlacement}
		}
		return m.adjust(t, b)
	case *license.PutKey, *license.RestrictKey, *license.RotateKey, *license.RevokeKey:
		if stale {
			return license.Ack{Code: cl.StalePlacement}
		}
		return m.manageKeys(t, b)
	default:
		if stale {
			return license.Ack{Code: cl.StalePlacement}
		}
		return m.administer(t, s.body)
	}
}

func (m *model) lease(t *modelTenant, body any) license.LeaseResult {
	switch b := body.(type) {
	case *license.Checkout:
		return m.checkout(t, b)
	case *license.Heartbeat:
		key, refusal := m.access(t, b.Caller, cl.ScopeCheckout)
		if refusal != nil {
			return *refusal
		}
		l, refusal := m.find(t, b.LeaseID, key)
		if refusal != nil {
			m.countLease(l, refusal)
			return *refusal
		}
		l.ExpiresMillis = m.clock + l.TTLMillis
		return license.LeaseResult{Lease: l.Lease}
	case *license.Return:
		key, refusal := m.access(t, b.Caller, cl.ScopeReturn)
		if refusal != nil {
			return *refusal
		}
		l, refusal := m.find(t, b.LeaseID, key)
		if l != nil && l.End == cl.EndReturned {
			return license.LeaseResult{Lease: l.Lease}
		}
		if refusal != nil {
			m.countLease(l, refusal)
			return *refusal
		}
		m.end(l, cl.EndReturned)
		return license.LeaseResult{Lease: l.Lease}
	case *license.Release:
		l, refusal := m.find(t, b.LeaseID, "")
		if refusal != nil {
			return *refusal
		}
		m.end(l, cl.EndReleased)
		return license.LeaseResult{Lease: l.Lease}
	}
	panic("no such command")
}

// find finds a live lease; key empty: the administrator's. An ended one is
// returned beside its refusal.
func (m *model) find(t *modelTenant, id cl.LeaseID, key cl.KeyID) (*modelLease, *license.LeaseResult) {
	missing := &license.LeaseResult{Code: cl.LeaseNotFound}
	if id < 1 || int(id) > len(t.leases) {
		return nil, missing
	}
	l := t.leases[id-1]
	switch {
	case key != "" && l.KeyID != key:
		return nil, missing
	case l.End == cl.EndNone:
		return l, nil
	case m.clock >= l.EndedMillis+cl.EndedLeaseMemory.Milliseconds():
		return nil, missing
	case l.End == cl.EndExpired:
		return l, &license.LeaseResult{Code: cl.LeaseExpired}
	}
	return l, &license.LeaseResult{Code: cl.LeaseReleased}
}

// modelVoid is a request of which a later try was refused.
type modelVoid struct {
	key     cl.KeyID
	request [16]byte
	try     uint8
	until   int64
}

func (m *model) checkout(t *modelTenant, c *license.Checkout) license.LeaseResult {
	r := m.decide(t, c)
	if key, _ := m.access(t, c.Caller, cl.ScopeCheckout); key != "" && r.Code != cl.OK && r.Code != cl.OutcomeUnknown && c.Try > 0 {
		t.voids = append(t.voids, modelVoid{key, c.Request, c.Try, m.clock + cl.RequestIDMemory.Milliseconds()})
	}
	return r
}

// void reports whether the latest refusal of the request makes this try void.
func (m *model) void(t *modelTenant, key cl.KeyID, c *license.Checkout) bool {
	for i := len(t.voids) - 1; i >= 0; i-- {
		if v := t.voids[i]; v.key == key && v.request == c.Request {
			return m.clock < v.until && c.Try < v.try
		}
	}
	return false
}

func (m *model) decide(t *modelTenant, c *license.Checkout) license.LeaseResult {
	key, refusal := m.access(t, c.Caller, cl.ScopeCheckout)
	if refusal != nil {
		if l, _ := m.licenseFor(t, c); l != nil && key != "" {
			l.hour(m.clock).refuse(refusal.Code)
		}
		return *refusal
	}
	for i := len(t.intents) - 1; i >= 0; i-- {
		in := t.intents[i]
		if in.key != key || in.intent != c.Intent || !m.remembered(t, in) {
			continue
		}
		if in.byClient && in.bodyHash != c.BodyHash {
			t.leases[in.first.ID-1].license.hour(m.clock).refuse(cl.IdempotencyKeyReused)
			return license.LeaseResult{Code: cl.IdempotencyKeyReused}
		}
		return license.LeaseResult{Replayed: true, Lease: in.first}
	}
	if m.void(t, key, c) {
		return license.LeaseResult{Code: cl.OutcomeUnknown}
	}
	rate, limited := m.limit(t, key)
	if limited {
		return license.LeaseResult{Code: cl.RateLimited, Layer: cl.LayerRate, Rate: rate}
	}
	l, code := m.licenseFor(t, c)
	if code != cl.OK {
		if l != nil {
			l.hour(m.clock).refuse(code)
		}
		return license.LeaseResult{Code: code, Rate: rate}
	}
	commit, overage, credit, code := m.grant(t, l, key, c)
	if code != cl.OK && m.collect(t, l) {
		commit, overage, credit, code = m.grant(t, l, key, c)
	}
	u := l.hour(m.clock)
	if code != cl.OK {
		u.refuse(code)
		return license.LeaseResult{Code: code, Rate: rate}
	}
	lease := &modelLease{license: l, Lease: license.Lease{
		ID: cl.LeaseID(len(t.leases) + 1), LicenseID: l.ID, VendorID: l.VendorID, ProductID: l.ProductID, KeyID: key,
		User: c.User, Hostname: c.Caller.Hostname, Fingerprint: c.Caller.Fingerprint, Count: commit + overage, OverageCount: overage,
		TTLMillis: c.TTLMillis, IssuedMillis: m.clock, ExpiresMillis: m.clock + c.TTLMillis,
	}}
	m.spend(t, lease, credit)
	t.leases = append(t.leases, lease)
	t.intents = append(t.intents, modelIntent{key, c.Intent, c.IntentByClient, c.BodyHash, lease.Lease})
	if overage == 0 {
		u.CommitCheckouts++
	} else {
		u.OverageCheckouts++
	}
	u.peaks(t.pool(l))
	u.users[c.User] = true
	m.warnSeats(t, l, overage)
	if charged := overage - credit; charged > 0 {
		u.OverageUses += charged
		t.overage = append(t.overage, license.Overage{
			Sequence: uint64(len(t.overage) + 1), LicenseID: l.ID, LeaseID: lease.ID, KeyID: key, Uses: charged,
			PriceMinor: l.OverageFeeMinor, Currency: l.Currency, AtMillis: m.clock,
		})
		m.warnCaps(t, l, key, charged)
	}
	return license.LeaseResult{Lease: lease.Lease, Rate: rate}
}

func (m *model) remembered(t *modelTenant, in modelIntent) bool {
	if !in.byClient {
		return m.clock < in.first.IssuedMillis+cl.RequestIDMemory.Milliseconds()
	}
	lease := t.leases[in.first.ID-1]
	return lease.End == cl.EndNone || m.clock < lease.EndedMillis+cl.IdempotencyAfterEnd.Milliseconds()
}

// countLease counts the refusal of an ended lease to its license.
func (m *model) countLease(l *modelLease, refusal *license.LeaseResult) {
	if l != nil && refusal.Code != cl.LeaseNotFound {
		l.license.hour(m.clock).refuse(refusal.Code)
	}
}

// licenseFor finds the license a checkout is about; where none is current, the
// latest one is named beside the refusal.
func (m *model) licenseFor(t *modelTenant, c *license.Checkout) (*modelLicense, cl.Code) {
	var latest *modelLicense
	var current []*modelLicense
	for _, l := range t.licenses {
		if l.ProductID == c.ProductID && (c.VendorID == "" || c.VendorID == l.VendorID) {
			if latest == nil || l.StartMillis >= latest.StartMillis {
				latest = l
			}
			if l.Status == cl.LicenseProvisioned && m.clock >= l.StartMillis && (l.EndMillis == 0 || l.AutoRenew || m.clock < l.EndMillis) {
				current = append(current, l)
			}
		}
	}
	switch {
	case latest == nil:
		return nil, cl.ProductNotFound
	case len(current) == 0:
		return latest, cl.LicenseNotActive
	case len(current) > 1:
		return nil, cl.InvalidField
	}
	return current[0], cl.OK
}

// grant asks the seat table, the rules and the caps.
func (m *model) grant(t *modelTenant, l *modelLicense, key cl.KeyID, c *license.Checkout) (commit, overage, credit int64, code cl.Code) {
	e := cl.Entitlement{Total: l.Total, CommitQty: l.CommitQty, MaxOverage: l.MaxOverage}
	commit, overage, code = grantByTable(e, t.pool(l), c.Count, c.AllowOverage && !t.rules.DenyOverage)
	if code != cl.OK {
		return 0, 0, 0, code
	}
	credit = min(overage, m.credit(t, l, key, c))
	charged := overage - credit
	for _, limit := range t.rules.Caps {
		if charged == 0 || (limit.LicenseID != "" && limit.LicenseID != l.ID) || (limit.KeyID != "" && limit.KeyID != key) {
			continue
		}
		uses, minor := m.counted(t, l, key, &limit)
		uses, minor = uses+charged, minor+charged*l.OverageFeeMinor
		ofMoney := limit.MaxMinor >= 0 && (limit.Currency == "" || limit.Currency == l.Currency)
		if (limit.MaxUses >= 0 && uses > limit.MaxUses) || (ofMoney && minor > limit.MaxMinor) {
			return 0, 0, 0, cl.OverageCapReached
		}
	}
	return commit, overage, credit, cl.OK
}

// grantByTable is the contract's seat table.
func grantByTable(e cl.Entitlement, p cl.Pool, n int64, allow bool) (commit, overage int64, code cl.Code) {
	capacity := min(e.MaxOverage, e.Total-e.CommitQty)
	full := cl.OverageMaxExceeded
	if capacity == 0 {
		full = cl.LicenseUnavailable
	}
	if e.Total-p.InUse() < n {
		return 0, 0, full
	}
	for commit = n; commit > 0 && p.Commit+commit > e.CommitQty; commit-- {
	}
	switch overage = n - commit; {
	case overage == 0:
		return commit, 0, cl.OK
	case capacity == 0:
		return 0, 0, cl.LicenseUnavailable
	case !allow && p.Overage < capacity:
		return 0, 0, cl.OverageDeclined
	case p.Overage+overage > capacity:
		return 0, 0, cl.OverageMaxExceeded
	}
	return commit, overage, cl.OK
}

// continuable are the ended leases whose use the caller may continue, the one
// that ended first first.
func (m *model) continuable(t *modelTenant, id cl.LicenseID, key cl.KeyID, user, host string) (found []*modelLease) {
	for _, l := range t.leases {
		if l.End == cl.EndExpired && l.credit > 0 && m.clock < l.EndedMillis+cl.ContinueUseWithin.Milliseconds() &&
			l.LicenseID == id && l.KeyID == key && l.User == user && l.Hostname == host {
			found = append(found, l)
		}
	}
	slices.SortStableFunc(found, func(a, b *modelLease) int { return cmp.Compare(a.EndedMillis, b.EndedMillis) })
	return found
}

func (m *model) credit(t *modelTenant, l *modelLicense, key cl.KeyID, c *license.Checkout) (sum int64) {
	for _, ended := range m.continuable(t, l.ID, key, c.User, c.Caller.Hostname) {
		sum += ended.credit
	}
	return sum
}

func (m *model) spend(t *modelTenant, by *modelLease, credit int64) {
	for _, ended := range m.continuable(t, by.LicenseID, by.KeyID, by.User, by.Hostname) {
		n := min(credit, ended.credit)
		ended.credit, credit = ended.credit-n, credit-n
	}
}

// effective is when a lease may expire.
func (m *model) effective(l *modelLease) int64 {
	return max(l.ExpiresMillis, m.leadSince+l.TTLMillis/3)
}

// collect ends what is due in one pool.
func (m *model) collect(t *modelTenant, of *modelLicense) (some bool) {
	for _, l := range t.leases {
		if l.license == of && l.End == cl.EndNone && m.effective(l) <= m.clock {
			m.end(l, cl.EndExpired)
			some = true
		}
	}
	return some
}

// expire ends what is due, as long as the limit is not met: tests that use the
// model propose limits that never are.
func (m *model) expire(limit int64) {
	for _, t := range m.tenants {
		for _, l := range t.licenses {
			m.collect(t, l)
		}
	}
	_ = limit
}

func (m *model) end(l *modelLease, reason cl.EndReason) {
	l.End, l.EndedMillis = reason, m.clock
	if reason == cl.EndExpired {
		l.credit = l.OverageCount
	}
}

func (t *modelTenant) pool(of *modelLicense) (p cl.Pool) {
	for _, l := range t.leases {
		if l.license == of && l.End == cl.EndNone {
			p.Commit, p.Overage = p.Commit+l.Count-l.OverageCount, p.Overage+l.OverageCount
		}
	}
	return p
}

func (t *modelTenant) license(id cl.LicenseID) *modelLicense {
	for _, l := range t.licenses {
		if l.ID == id {
			return l
		}
	}
	return nil
}

func monthOf(millis int64) string { return time.UnixMilli(millis).UTC().Format("2006-01") }
