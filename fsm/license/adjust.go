package license

import (
	"github.com/cloudlicenses/cloudlicenses"
)

var _ = register(OpAdjust, operation{name: "adjust overage", needs: needsTenant, apply: (*Machine).applyAdjust})

// prefixAdjusted begins the key of an adjustedRecord: 'a' tenant(4) record(8).
const prefixAdjusted = 'a'

// applyAdjust takes uses of an overage record back by a record that points to it:
// what was written stays as it is.
func (m *Machine) applyAdjust(t *tenant, payload []byte) (reply, error) {
	var p Adjust
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	key := key448(nil, prefixOverage, t.number, p.Month, p.Sequence)
	value, err := m.store.Get(key)
	if err != nil {
		return nil, err
	}
	var o Overage
	if value != nil {
		if err := decode(&o, value); err != nil {
			return nil, err
		}
	}
	l := t.licenses[o.LicenseID]
	if value == nil || l == nil || l.VendorID != p.VendorID || l.ID != p.LicenseID || o.Adjusts != 0 {
		return &AdjustResult{Code: cloudlicenses.NotFound, Detail: "the license has no such overage record"}, nil
	}
	taken, err := m.adjusted(t, p.Sequence)
	if err != nil {
		return nil, err
	}
	for i := range taken.Made {
		if a := &taken.Made[i]; a.ID == p.ID && a.Record.Uses == -p.Uses {
			return &AdjustResult{Record: a.Record, Replayed: true}, nil
		} else if a.ID == p.ID {
			return &AdjustResult{Code: cloudlicenses.IdempotencyKeyReused}, nil
		}
	}
	left := o.Uses - taken.Uses
	switch {
	case p.Uses < 1 || p.Uses > left:
		return &AdjustResult{Code: cloudlicenses.InvalidField, Detail: "uses: more than the record has left", Left: left}, nil
	case len(taken.Made) >= cloudlicenses.MaxAdjustments:
		return &AdjustResult{Code: cloudlicenses.InvalidField, Detail: "uses: the record has been adjusted too often: take the rest back at once", Left: left}, nil
	}
	return &AdjustResult{Record: m.adjust(t, l, &o, &p, taken), Left: left - p.Uses}, nil
}

// adjusted returns what was taken back of a record.
func (m *Machine) adjusted(t *tenant, sequence uint64) (*adjustedRecord, error) {
	taken := &adjustedRecord{}
	value, err := m.store.Get(key48(nil, prefixAdjusted, t.number, sequence))
	if err != nil || value == nil {
		return taken, err
	}
	return taken, decode(taken, value)
}

// adjust writes the record, in the running month: one that is over is billed.
func (m *Machine) adjust(t *tenant, l *license, o *Overage, p *Adjust, taken *adjustedRecord) Overage {
	month := m.state.now[grainMonth].number
	t.overageSequence++
	m.state.touchTenant(t)
	record := Overage{
		Sequence: t.overageSequence, LicenseID: o.LicenseID, LeaseID: o.LeaseID, KeyID: o.KeyID,
		Uses: -p.Uses, PriceMinor: o.PriceMinor, Currency: o.Currency, AtMillis: m.state.clock, Adjusts: o.Sequence, AdjustsMonth: p.Month,
	}
	m.put(key448(nil, prefixOverage, t.number, month, t.overageSequence), &record)
	taken.Uses += p.Uses
	taken.Made = append(taken.Made, adjustment{ID: p.ID, Record: record})
	m.put(key48(nil, prefixAdjusted, t.number, o.Sequence), taken)
	if p.Month == month {
		m.freeCaps(t, l, o, p.Uses)
	}
	m.entry = Audit{
		Action: "overage.adjust", Result: resultSuccess, LicenseID: l.ID, ProductID: l.ProductID, LeaseID: o.LeaseID, KeyID: o.KeyID,
		User: p.Reason, Count: p.Uses, OverageCount: -p.Uses, Actor: string(p.VendorID),
	}
	m.recordAudit(t)
	return record
}

// freeCaps lets uses of the running month that were taken back count against its
// caps no more. What is taken back of an earlier month frees nothing: its caps held
// what was used then.
func (m *Machine) freeCaps(t *tenant, l *license, o *Overage, uses int64) {
	month, minor := m.state.now[grainMonth].number, price(o.PriceMinor, uses)
	if l.taken.Month != month {
		l.taken = takenRecord{Month: month}
	}
	l.taken.Uses, l.taken.Minor = l.taken.Uses+uses, addUp(l.taken.Minor, minor)
	m.state.touchLicense(l)
	if k := t.keyByID[o.KeyID]; k != nil && k.spent.Month == month {
		k.spend(month, o.Currency, -uses, -minor)
		m.state.touchKey(k)
	}
}

// Cost is what a record adds to a bill: less than nothing where it takes back.
func (o *Overage) Cost() int64 {
	if o.Uses < 0 {
		return -price(o.PriceMinor, -o.Uses)
	}
	return price(o.PriceMinor, o.Uses)
}
