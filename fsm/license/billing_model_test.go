package license_test

import (
	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// setRules is the model's part for rules.
func (m *model) setRules(t *modelTenant, b *license.SetRules) license.Ack {
	for i, c := range b.Rules.Caps {
		known := t.license(c.LicenseID)
		for _, k := range t.keys {
			if c.KeyID == k.ID && c.LicenseID == "" {
				known = &modelLicense{License: license.License{Currency: c.Currency}}
			}
		}
		if known == nil || (c.Currency != "" && c.Currency != known.Currency) {
			return license.Ack{Code: cl.InvalidField}
		}
		for _, o := range b.Rules.Caps[:i] {
			if o.LicenseID == c.LicenseID && o.KeyID == c.KeyID && o.Currency == c.Currency {
				return license.Ack{Code: cl.InvalidField}
			}
		}
	}
	t.rules = b.Rules
	return license.Ack{}
}

// counted adds up what counts against a cap in this month.
func (m *model) counted(t *modelTenant, l *modelLicense, key cl.KeyID, c *license.Cap) (uses, minor int64) {
	for _, o := range t.overage {
		if monthOf(o.AtMillis) == monthOf(m.clock) && (c.LicenseID == "" || o.LicenseID == l.ID) && (c.KeyID == "" || o.KeyID == key) {
			uses += o.Uses
			if o.Currency == l.Currency {
				minor += o.Uses * o.PriceMinor
			}
		}
	}
	return uses, minor
}

// atMark tells how many of the marks an amount is at or past.
func atMark(n, limit int64) (marks int) {
	for _, percent := range []int64{50, 80, 100} {
		if limit > 0 && n*100 >= percent*limit {
			marks++
		}
	}
	return marks
}

func (m *model) warnSeats(t *modelTenant, l *modelLicense, overage int64) {
	if overage == 0 {
		return
	}
	month, now, capacity := monthOf(m.clock), t.pool(l).Overage, min(l.MaxOverage, l.Total-l.CommitQty)
	if atMark(now, capacity) > atMark(l.peaks[month], capacity) {
		m.event(t)
	}
	l.peaks[month] = max(l.peaks[month], now)
}

func (m *model) warnCaps(t *modelTenant, l *modelLicense, key cl.KeyID, charged int64) {
	for _, c := range t.rules.Caps {
		if (c.LicenseID != "" && c.LicenseID != l.ID) || (c.KeyID != "" && c.KeyID != key) {
			continue
		}
		uses, minor := m.counted(t, l, key, &c)
		if atMark(uses, c.MaxUses) > atMark(uses-charged, c.MaxUses) {
			m.event(t)
		}
		ofMoney := c.Currency == "" || c.Currency == l.Currency
		if ofMoney && atMark(minor, c.MaxMinor) > atMark(minor-charged*l.OverageFeeMinor, c.MaxMinor) {
			m.event(t)
		}
	}
}
