package license

import (
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
)

var _ = register(OpRules, operation{name: "set rules", needs: needsTenant, apply: (*Machine).applyRules})

// applyRules replaces the tenant's rules, and leaves in the audit log who did.
func (m *Machine) applyRules(t *tenant, payload []byte) (reply, error) {
	var r SetRules
	if err := decode(&r, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &r.By, cloudlicenses.ActManageSettings)
	if code != cloudlicenses.OK {
		return m.acked(code, ""), nil
	}
	if len(r.Rules.Caps) > cloudlicenses.MaxCaps {
		return m.acked(cloudlicenses.InvalidField, fmt.Sprintf("caps: has at most %d", cloudlicenses.MaxCaps)), nil
	}
	seen := make(map[Cap]bool, len(r.Rules.Caps))
	for i := range r.Rules.Caps {
		c := &r.Rules.Caps[i]
		subject := Cap{LicenseID: c.LicenseID, KeyID: c.KeyID, Currency: c.Currency}
		if detail := t.refuseCap(c); detail != "" {
			return m.acked(cloudlicenses.InvalidField, fmt.Sprintf("caps/%d%s", i, detail)), nil
		}
		if seen[subject] {
			return m.acked(cloudlicenses.InvalidField, fmt.Sprintf("caps/%d: there is another cap of the same before it", i)), nil
		}
		seen[subject] = true
	}
	t.rules = r.Rules
	m.state.touchTenant(t)
	m.entry = Audit{Action: actionSettings, Result: resultSuccess, Actor: actor, Address: r.By.Address}
	m.recordAudit(t)
	return m.acked(cloudlicenses.OK, ""), nil
}

// refuseCap says what is wrong with a cap, beginning with the member's path
// below it, or nothing.
func (t *tenant) refuseCap(c *Cap) (detail string) {
	switch {
	case (c.LicenseID == "") == (c.KeyID == ""):
		return ": name either a license or a key"
	case c.LicenseID != "" && t.licenses[c.LicenseID] == nil:
		return "/license_id: there is no such license"
	case c.KeyID != "" && t.keyByID[c.KeyID] == nil:
		return "/key_id: there is no such key"
	case c.MaxUses < -1 || c.MaxMinor < -1:
		return ": a cap is not negative"
	case c.LicenseID != "" && c.Currency != "" && c.Currency != t.licenses[c.LicenseID].Currency:
		return "/currency: the license is in " + string(t.licenses[c.LicenseID].Currency)
	}
	return ""
}

// under returns what counts against a cap in the clock's month, which is what was
// charged in it and not taken back, and false where a charge of that key and license
// has nothing to do with it. The license's counters are up to the clock.
func (s *state) under(c *Cap, k *key, l *license) (uses, minor int64, concerned bool) {
	switch {
	case c.LicenseID == l.ID && c.KeyID == "":
		uses, minor = l.usage.OverageUses, l.usage.OverageMinor
		if l.taken.Month == s.now[grainMonth].number {
			uses, minor = uses-l.taken.Uses, addUp(minor, -l.taken.Minor)
		}
		return uses, minor, true
	case c.KeyID == k.ID && c.LicenseID == "":
		uses, minor = k.spentIn(s.now[grainMonth].number, l.Currency)
		return uses, minor, true
	}
	return 0, 0, false
}

// countsMoney reports whether what is charged in a currency counts against the
// cap's amount.
func (c *Cap) countsMoney(in cloudlicenses.Currency) bool {
	return c.MaxMinor >= 0 && (c.Currency == "" || c.Currency == in)
}

// capPassed reports whether charging that many uses would pass a monthly cap
// of the tenant.
func (s *state) capPassed(t *tenant, k *key, l *license, charged int64) bool {
	for i := range t.rules.Caps {
		c := &t.rules.Caps[i]
		uses, minor, concerned := s.under(c, k, l)
		if !concerned {
			continue
		}
		if c.MaxUses >= 0 && uses+charged > c.MaxUses {
			return true
		}
		if c.countsMoney(l.Currency) && addUp(minor, price(l.OverageFeeMinor, charged)) > c.MaxMinor {
			return true
		}
	}
	return false
}
