package license_test

import (
	"time"

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
		of := monthOf(o.AtMillis)
		if o.Adjusts != 0 { // it counts in the month of what it takes back
			of = license.PeriodStart(license.ByMonth, o.AdjustsMonth).Format("2006-01")
		}
		if of == monthOf(m.clock) && (c.LicenseID == "" || o.LicenseID == l.ID) && (c.KeyID == "" || o.KeyID == key) {
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

// modelAdjustment is an adjustment that was made, by the request that made it.
type modelAdjustment struct {
	id     [16]byte
	record license.Overage
}

// adjust takes uses of a record back by another one.
func (m *model) adjust(t *modelTenant, b *license.Adjust) license.AdjustResult {
	var of *license.Overage
	for i := range t.overage {
		o := &t.overage[i]
		month := license.PeriodOf(license.ByMonth, time.UnixMilli(o.AtMillis))
		if o.Sequence == b.Sequence && month == b.Month && o.LicenseID == b.LicenseID && t.license(o.LicenseID).VendorID == b.VendorID && o.Adjusts == 0 {
			of = o
		}
	}
	if of == nil {
		return license.AdjustResult{Code: cl.NotFound}
	}
	left := of.Uses
	for _, a := range t.adjusted {
		if a.record.Adjusts != of.Sequence {
			continue
		}
		switch {
		case a.id == b.ID && a.record.Uses == -b.Uses:
			return license.AdjustResult{Record: a.record, Replayed: true}
		case a.id == b.ID:
			return license.AdjustResult{Code: cl.IdempotencyKeyReused}
		}
		left += a.record.Uses
	}
	if b.Uses < 1 || b.Uses > left {
		return license.AdjustResult{Code: cl.InvalidField, Left: left}
	}
	record := *of
	record.Sequence, record.Uses, record.AtMillis = uint64(len(t.overage)+1), -b.Uses, m.clock
	record.Adjusts, record.AdjustsMonth = of.Sequence, b.Month
	t.overage = append(t.overage, record)
	t.adjusted = append(t.adjusted, modelAdjustment{b.ID, record})
	return license.AdjustResult{Record: record, Left: left - b.Uses}
}
