package license

import (
	"net/netip"
	"slices"
)

// A vendor's key may make and change keys. None of them may be wider than it
// is: else its own limits would bind nobody.

// keyOf is the key that asks, or nil: a user, or the platform, asks.
func (m *Machine) keyOf(t *tenant, by *By) *key {
	if _, session := t.users.session(by.Session, m.state.clock); by.Platform || session != nil {
		return nil
	}
	return t.keyByHash[by.Session]
}

// inherit gives a key that k makes the limits it says nothing of.
func (k *key) inherit(made *Key) {
	r, mine := &made.Restrictions, &k.Restrictions
	if made.ExpiresMillis == 0 {
		made.ExpiresMillis = k.ExpiresMillis
	}
	if len(r.Hostnames) == 0 {
		r.Hostnames = mine.Hostnames
	}
	if len(r.Networks) == 0 {
		r.Networks = mine.Networks
	}
	r.CertRequired = r.CertRequired || mine.CertRequired
	if r.CertName == "" {
		r.CertName = mine.CertName
	}
}

// exceeded says which limit of k another key would not have, or nothing. A nil
// k has none.
func (k *key) exceeded(expiresMillis int64, r *Restrictions, networks []netip.Prefix) string {
	if k == nil {
		return ""
	}
	mine := &k.Restrictions
	within := func(n netip.Prefix) bool {
		return slices.ContainsFunc(k.networks, func(own netip.Prefix) bool { return own.Bits() <= n.Bits() && own.Contains(n.Addr()) })
	}
	switch {
	case k.ExpiresMillis != 0 && (expiresMillis == 0 || expiresMillis > k.ExpiresMillis):
		return "expires_in_days: is later than the key that asks expires"
	case len(mine.Hostnames) > 0 && (len(r.Hostnames) == 0 || slices.ContainsFunc(r.Hostnames, func(name string) bool { return !slices.Contains(mine.Hostnames, name) })):
		return "allowed_hostnames: are not all among those of the key that asks"
	case len(k.networks) > 0 && (len(networks) == 0 || slices.ContainsFunc(networks, func(n netip.Prefix) bool { return !within(n) })):
		return "allowed_ip_ranges: are not all within those of the key that asks"
	case mine.CertRequired && !r.CertRequired:
		return "require_mtls: the key that asks needs a certificate, so this one does"
	case mine.CertName != "" && r.CertName != mine.CertName:
		return "client_cert_cn: must be that of the key that asks"
	}
	return ""
}

// wider reports whether a key asks for another one that has not its limits.
func (m *Machine) wider(t *tenant, by *By, k *key) bool {
	asks := m.keyOf(t, by)
	return asks != nil && asks != k && asks.exceeded(k.ExpiresMillis, &k.Restrictions, k.networks) != ""
}
