package license_test

import (
	"net/netip"
	"slices"
	"strings"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// modelKey is a key with every secret it ever had and every use that counted.
type modelKey struct {
	license.Key
	minute, hour []int64 // checkouts that each of its limits has counted
}

func (t *modelTenant) key(id cl.KeyID) *modelKey {
	for _, k := range t.keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// access is the chain but for the rate.
func (m *model) access(t *modelTenant, c license.Caller, scope cl.Scope) (cl.KeyID, *license.LeaseResult) {
	for _, k := range t.keys {
		until := int64(0)
		for _, secret := range k.Earlier {
			if secret.Hash == c.KeyHash {
				until = secret.UntilMillis
			}
		}
		if k.Hash != c.KeyHash && until == 0 {
			continue
		}
		refuse := func(code cl.Code, layer cl.Layer) (cl.KeyID, *license.LeaseResult) {
			return k.ID, &license.LeaseResult{Code: code, Layer: layer}
		}
		r := k.Restrictions
		switch {
		case k.ExpiresMillis != 0 && m.clock >= k.ExpiresMillis, k.Hash != c.KeyHash && m.clock >= until:
			return refuse(cl.KeyExpired, cl.LayerKey)
		case k.RevokedMillis != 0:
			return refuse(cl.KeyRevoked, cl.LayerKey)
		case !k.Scopes.Has(scope):
			return refuse(cl.MissingScope, cl.LayerScope)
		case len(r.Hostnames) > 0 && !slices.Contains(r.Hostnames, strings.ToLower(c.Hostname)):
			return refuse(cl.HostnameNotAllowed, cl.LayerHostname)
		case len(r.Networks) > 0 && !within(r.Networks, c.Address):
			return refuse(cl.IPNotAllowed, cl.LayerAddress)
		case r.CertRequired && c.CertName == "":
			return refuse(cl.ClientCertificateRequired, cl.LayerCertificate)
		case r.CertRequired && r.CertName != "" && r.CertName != c.CertName:
			return refuse(cl.ClientCertificateMismatch, cl.LayerCertificate)
		}
		return k.ID, nil
	}
	return "", &license.LeaseResult{Code: cl.Unauthenticated, Layer: cl.LayerKey}
}

func within(networks []string, text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && slices.ContainsFunc(networks, func(n string) bool {
		return netip.MustParsePrefix(n).Contains(address.Unmap())
	})
}

// counting are the events that still count: those whose slot ended less than
// sixty slots ago.
func counting(events []int64, now, slot int64) (left []int64) {
	for _, e := range events {
		if now/slot <= e/slot+60 {
			left = append(left, e)
		}
	}
	return left
}

// limit counts a checkout, unless a limit is reached.
func (m *model) limit(t *modelTenant, id cl.KeyID) (nearest license.Rate, refused bool) {
	k := t.key(id)
	limits := []struct {
		policy license.RatePolicy
		limit  int64
		events *[]int64
		slot   int64
	}{
		{license.RateKeyMinute, k.Restrictions.CheckoutsPerMinute, &k.minute, second},
		{license.RateTenantMinute, t.perMinute, &t.checkouts, second},
		{license.RateKeyHour, k.Restrictions.RequestsPerHour, &k.hour, minute},
	}
	rate := func(i int) license.Rate {
		l := limits[i]
		left := counting(*l.events, m.clock, l.slot)
		r := license.Rate{Policy: l.policy, Limit: l.limit, Remaining: max(0, l.limit-int64(len(left)))}
		if len(left) > 0 {
			r.AfterMillis = (left[0]/l.slot+61)*l.slot - m.clock
		}
		return r
	}
	for i := range limits {
		if r := rate(i); limits[i].limit > 0 && r.Remaining == 0 {
			return r, true
		}
	}
	for i := range limits {
		if limits[i].limit <= 0 {
			continue
		}
		*limits[i].events = append(*limits[i].events, m.clock)
		if r := rate(i); nearest.Policy == license.RateNone || r.Remaining < nearest.Remaining {
			nearest = r
		}
	}
	return nearest, false
}

// manageKeys is the model's part for the commands about keys.
func (m *model) manageKeys(t *modelTenant, body any) license.KeyResult {
	switch b := body.(type) {
	case *license.PutKey:
		if k := t.key(b.Key.ID); k != nil {
			return k.result()
		}
		k := &modelKey{Key: b.Key}
		k.Origin = k.Hash
		t.keys = append(t.keys, k)
		return k.result()
	case *license.RestrictKey:
		k := t.key(b.ID)
		if k == nil {
			return license.KeyResult{Code: cl.NotFound}
		}
		k.Restrictions = b.Restrictions // the generator sets them all
		return k.result()
	case *license.RotateKey:
		k := t.key(b.ID)
		switch {
		case k == nil:
			return license.KeyResult{Code: cl.NotFound}
		case k.Hash == b.Hash:
			return k.result()
		case t.knows(b.Hash):
			return license.KeyResult{Code: cl.AlreadyExists}
		case k.RevokedMillis != 0 || k.ExpiresMillis != 0 && m.clock >= k.ExpiresMillis:
			return license.KeyResult{Code: cl.InvalidField}
		}
		k.Earlier = append(slices.Clone(k.Earlier), license.Secret{Hash: k.Hash, UntilMillis: m.clock + b.OverlapMillis, RotatedMillis: m.clock})
		for i := range k.Earlier {
			if b.OverlapMillis == 0 && k.Earlier[i].UntilMillis > m.clock {
				k.Earlier[i].UntilMillis = m.clock
			}
		}
		k.Earlier = k.Earlier[max(0, len(k.Earlier)-cl.MaxEarlierSecrets):]
		k.Hash, k.RotatedMillis = b.Hash, m.clock
		return k.result()
	case *license.RevokeKey:
		k := t.key(b.ID)
		if k == nil {
			return license.KeyResult{Code: cl.NotFound}
		}
		if k.RevokedMillis == 0 {
			k.RevokedMillis = m.clock
		}
		for _, l := range t.leases {
			if b.ReleaseLeases && l.KeyID == k.ID && l.End == cl.EndNone {
				m.end(l, cl.EndReleased)
			}
		}
		return k.result()
	}
	panic("no such command")
}

func (t *modelTenant) knows(hash [32]byte) bool {
	return slices.ContainsFunc(t.keys, func(k *modelKey) bool {
		return k.Hash == hash || slices.ContainsFunc(k.Earlier, func(s license.Secret) bool { return s.Hash == hash })
	})
}

// result leaves out the last use, which is to the minute.
func (k *modelKey) result() license.KeyResult {
	return license.KeyResult{Key: license.KeyState{Key: k.Key}}
}
