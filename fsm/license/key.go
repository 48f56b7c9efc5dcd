package license

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpKey, operation{name: "put key", needs: needsTenant, apply: (*Machine).applyKey})
	_ = register(OpRestrictKey, operation{name: "restrict key", needs: needsTenant, apply: (*Machine).applyRestrictKey})
	_ = register(OpRotateKey, operation{name: "rotate key", needs: needsTenant, apply: (*Machine).applyRotateKey})
	_ = register(OpRevokeKey, operation{name: "revoke key", needs: needsTenant, apply: (*Machine).applyRevokeKey})
)

// Actions of audit records about keys. Actor is who did it.
const (
	actionKeyGenerate = "key.generate"
	actionKeyRestrict = "key.restrict"
	actionKeyRotate   = "key.rotate"
	actionKeyRevoke   = "key.revoke"

	// actorRevocation stands in the audit log for leases released with their key.
	actorRevocation = "key revocation"
)

var (
	maxKeyOverlap = cloudlicenses.MaxKeyOverlap.Milliseconds()
	keyUseTouch   = cloudlicenses.KeyUseTouch.Milliseconds()
)

func refusedKey(code cloudlicenses.Code, detail string) reply {
	return &KeyResult{Code: code, Detail: detail}
}

func (k *key) result() reply { return &KeyResult{Key: k.state()} }

func (k *key) state() KeyState { return KeyState{k.Key, k.lastUsed} }

// over reports whether a key can't be used any more.
func (k *key) over(now int64) bool {
	return k.RevokedMillis != 0 || k.ExpiresMillis != 0 && now >= k.ExpiresMillis
}

// applyKey creates a key; one that is there already is left as it is.
func (m *Machine) applyKey(t *tenant, payload []byte) (reply, error) {
	var p PutKey
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageKeys)
	maker := m.keyOf(t, &p.By)
	if maker != nil {
		maker.inherit(&p.Key)
	}
	networks, detail := p.Key.Restrictions.check()
	if detail == "" {
		detail = maker.exceeded(p.Key.ExpiresMillis, &p.Key.Restrictions, networks)
	}
	same := t.keyByID[p.Key.ID]
	switch {
	case code != cloudlicenses.OK:
		return refusedKey(code, ""), nil
	case same != nil && same.Origin == p.Key.Hash: // this command again
		return same.result(), nil
	case same != nil:
		return refusedKey(cloudlicenses.AlreadyExists, "there is a key "+string(same.ID)+" already: its secret was shown once; rotate it for a new one"), nil
	case t.keyByHash[p.Key.Hash] != nil:
		return refusedKey(cloudlicenses.AlreadyExists, "another key has this hash"), nil
	case p.Key.ID == "":
		return refusedKey(cloudlicenses.InvalidField, "key_id: is missing"), nil
	case detail != "":
		return refusedKey(cloudlicenses.InvalidField, detail), nil
	case t.keysInForce(m.state.clock) >= cloudlicenses.MaxKeys:
		return refusedKey(cloudlicenses.PlanLimitExceeded, "there are as many API keys as there may be: revoke those that nobody uses"), nil
	}
	k := &key{Key: p.Key, number: uint32(len(t.keyByNumber)) + 1, tenant: t, networks: networks}
	k.Metadata = bytes.Clone(k.Metadata)
	k.Origin, k.Earlier, k.RotatedMillis = k.Hash, nil, 0
	m.admission.Lock()
	t.admitKey(k)
	m.admission.Unlock()
	m.storeKey(k)
	m.state.touchTenant(t)
	m.auditKey(actionKeyGenerate, k, actor, &p.By)
	return k.result(), nil
}

// check parses the networks and reports what no sender may send.
func (r *Restrictions) check() (networks []netip.Prefix, detail string) {
	switch {
	case len(r.Hostnames) > cloudlicenses.MaxKeyHostnames:
		return nil, "allowed_hostnames: are too many"
	case len(r.Networks) > cloudlicenses.MaxKeyNetworks:
		return nil, "allowed_ip_ranges: are too many"
	case r.CertName != "" && !r.CertRequired:
		return nil, "client_cert_cn: needs require_mtls"
	case r.CheckoutsPerMinute < 0 || r.CheckoutsPerMinute > cloudlicenses.MaxRateLimit:
		return nil, "checkouts_per_minute: is out of range"
	case r.RequestsPerHour < 0 || r.RequestsPerHour > cloudlicenses.MaxRateLimit:
		return nil, "requests_per_hour: is out of range"
	}
	for _, text := range r.Networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, "allowed_ip_ranges: " + text + " is no network"
		}
		networks = append(networks, network)
	}
	return networks, ""
}

// keysInForce counts the keys that can be used.
func (t *tenant) keysInForce(now int64) (count int) {
	for _, k := range t.keyByNumber {
		if !k.over(now) {
			count++
		}
	}
	return count
}

// admitKey brings a key into the tables.
func (t *tenant) admitKey(k *key) {
	t.keyByNumber = append(t.keyByNumber, k)
	t.keyByID[k.ID] = k
	t.keyByHash[k.Hash] = k
	for i := range k.Earlier {
		t.keyByHash[k.Earlier[i].Hash] = k
	}
}

func (m *Machine) storeKey(k *key) {
	m.keyBytes = key44(m.keyBytes, prefixKey, k.tenant.number, k.number)
	m.put(m.keyBytes, &k.Key)
}

// auditKey records what happened to a key.
func (m *Machine) auditKey(action string, k *key, actor string, by *By) {
	m.entry = Audit{Action: action, Result: resultSuccess, KeyID: k.ID, Actor: actor, Address: by.Address}
	m.recordAudit(k.tenant)
}

// applyRestrictKey replaces some of a key's restrictions, in force from here on.
func (m *Machine) applyRestrictKey(t *tenant, payload []byte) (reply, error) {
	var p RestrictKey
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageKeys)
	k := t.keyByID[p.ID]
	switch {
	case code != cloudlicenses.OK:
		return refusedKey(code, ""), nil
	case k == nil:
		return refusedKey(cloudlicenses.NotFound, noSuchKey), nil
	}
	next := k.Restrictions
	if p.Set&RestrictHostnames != 0 {
		next.Hostnames = p.Restrictions.Hostnames
	}
	if p.Set&RestrictNetworks != 0 {
		next.Networks = p.Restrictions.Networks
	}
	if p.Set&RestrictCertificate != 0 {
		next.CertRequired, next.CertName = p.Restrictions.CertRequired, p.Restrictions.CertName
	}
	if p.Set&RestrictMinute != 0 {
		next.CheckoutsPerMinute = p.Restrictions.CheckoutsPerMinute
	}
	if p.Set&RestrictHour != 0 {
		next.RequestsPerHour = p.Restrictions.RequestsPerHour
	}
	networks, detail := next.check()
	if detail == "" {
		detail = m.keyOf(t, &p.By).exceeded(k.ExpiresMillis, &next, networks)
	}
	if detail != "" {
		return refusedKey(cloudlicenses.InvalidField, detail), nil
	}
	k.Restrictions, k.networks = next, networks
	m.storeKey(k)
	m.auditKey(actionKeyRestrict, k, actor, &p.By)
	return k.result(), nil
}

const noSuchKey = "there is no such key"

// applyRotateKey gives a key a new secret.
func (m *Machine) applyRotateKey(t *tenant, payload []byte) (reply, error) {
	var p RotateKey
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	now := m.state.clock
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageKeys)
	k := t.keyByID[p.ID]
	switch {
	case code != cloudlicenses.OK:
		return refusedKey(code, ""), nil
	case k == nil:
		return refusedKey(cloudlicenses.NotFound, noSuchKey), nil
	case k.Hash == p.Hash: // this command again
		return k.result(), nil
	case t.keyByHash[p.Hash] != nil:
		return refusedKey(cloudlicenses.AlreadyExists, "another key has this hash"), nil
	case k.over(now):
		return refusedKey(cloudlicenses.InvalidField, "the key was revoked or has expired: generate a new one"), nil
	case m.wider(t, &p.By, k):
		return refusedKey(cloudlicenses.MissingScope, "the key that asks has limits that this one has not: ask by this one, or as a user"), nil
	case p.OverlapMillis < 0 || p.OverlapMillis > maxKeyOverlap:
		return refusedKey(cloudlicenses.InvalidField, "overlap_seconds: is out of range"), nil
	}
	earlier := append(slices.Clone(k.Earlier), Secret{Hash: k.Hash, UntilMillis: now + p.OverlapMillis, RotatedMillis: now})
	if p.OverlapMillis == 0 {
		for i := range earlier {
			earlier[i].UntilMillis = min(earlier[i].UntilMillis, now)
		}
	}
	m.admission.Lock()
	for len(earlier) > cloudlicenses.MaxEarlierSecrets {
		delete(t.keyByHash, earlier[0].Hash)
		earlier = earlier[1:]
	}
	k.Hash, k.Earlier, k.RotatedMillis = p.Hash, earlier, now
	t.keyByHash[k.Hash] = k
	m.admission.Unlock()
	m.storeKey(k)
	m.auditKey(actionKeyRotate, k, actor, &p.By)
	return k.result(), nil
}

// applyRevokeKey ends a key for good and, where asked, releases its leases in
// the order in which they were granted.
func (m *Machine) applyRevokeKey(t *tenant, payload []byte) (reply, error) {
	var r RevokeKey
	if err := decode(&r, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &r.By, cloudlicenses.ActManageKeys)
	k := t.keyByID[r.ID]
	switch {
	case code != cloudlicenses.OK:
		return refusedKey(code, ""), nil
	case k == nil:
		return refusedKey(cloudlicenses.NotFound, noSuchKey), nil
	}
	if k.RevokedMillis == 0 {
		k.RevokedMillis = m.state.clock
		m.storeKey(k)
		m.auditKey(actionKeyRevoke, k, actor, &r.By)
	}
	if r.ReleaseLeases {
		for _, slot := range slices.Clone(t.leases.order) {
			if slot.lease != nil && slot.lease.key == k {
				m.release(slot.lease, actorRevocation)
			}
		}
	}
	return k.result(), nil
}

// use records that a key was used, to the minute: a busy key is not written
// each time.
func (m *Machine) use(k *key) {
	if m.state.clock-k.lastUsed >= keyUseTouch || k.lastUsed == 0 {
		k.lastUsed = m.state.clock
		m.state.touchKey(k)
	}
}

// refusal says what the code of a refusal leaves open: that the key itself lives
// on, and only the secret that was sent is over. Empty: nothing.
func (k *key) refusal(code cloudlicenses.Code, c *Caller, now int64) string {
	if k == nil || code != cloudlicenses.KeyExpired || k.over(now) {
		return ""
	}
	for i := range k.Earlier {
		if s := &k.Earlier[i]; s.Hash == c.KeyHash {
			return "this secret of the API key " + string(k.ID) + " was rotated at " + rfc3339(s.RotatedMillis) +
				" and ended at " + rfc3339(s.UntilMillis) + "; the key is in force: use its newer secret"
		}
	}
	return ""
}

func rfc3339(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.RFC3339) }

// secretUntil returns until when a secret of the key works: never, of the one
// in force.
func (k *key) secretUntil(hash *[32]byte) int64 {
	if k.Hash == *hash {
		return never
	}
	for i := range k.Earlier {
		if k.Earlier[i].Hash == *hash {
			return k.Earlier[i].UntilMillis
		}
	}
	return 0
}
