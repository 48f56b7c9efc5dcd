package license

import (
	"github.com/cloudlicenses/cloudlicenses"
)

var _ = register(OpTenant, operation{name: "put tenant", needs: needsName, create: (*Machine).applyTenant})

// applyTenant creates a tenant, or raises its epoch; said again, it changes
// nothing.
func (m *Machine) applyTenant(name cloudlicenses.TenantID, payload []byte) (reply, error) {
	var p PutTenant
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	s := m.state
	t := s.tenants[name]
	switch {
	case s.removed[name]:
		return m.refuseRemoved(), nil
	case t == nil:
		t = newTenant(name, uint32(len(s.byNumber))+1)
		t.epoch, t.url, t.checkoutsPerMinute = p.Epoch, p.URL, p.CheckoutsPerMinute
		t.plan = p.Plan
		if len(p.DataKey) > 0 {
			m.store.Set(key4(prefixDataKey, t.number), p.DataKey)
		}
		m.admission.Lock()
		s.tenants[name] = t
		m.admission.Unlock()
		s.byNumber = append(s.byNumber, t)
	case p.Epoch <= t.epoch:
		return m.acked(cloudlicenses.OK, ""), nil
	default:
		m.admission.Lock()
		t.epoch = p.Epoch
		m.admission.Unlock()
	}
	s.touchTenant(t)
	return m.acked(cloudlicenses.OK, ""), nil
}

func newTenant(name cloudlicenses.TenantID, number uint32) *tenant {
	return &tenant{
		number: number, name: name, status: cloudlicenses.TenantActive,
		licenses:  make(map[cloudlicenses.LicenseID]*license),
		products:  make(map[cloudlicenses.ProductID][]*license),
		keyByHash: make(map[[32]byte]*key),
		keyByID:   make(map[cloudlicenses.KeyID]*key),
	}
}

func (t *tenant) record() *tenantRecord {
	return &tenantRecord{
		Name: t.name, Epoch: t.epoch, URL: t.url, Rules: t.rules,
		Licenses: uint32(len(t.licenseByNumber)), Keys: uint32(len(t.keyByNumber)),
		LeaseSequence: t.leaseSequence, OverageSequence: t.overageSequence, CreditSequence: t.creditSequence,
		AuditSequence: t.audit.sequence, AuditHead: t.audit.head,
		CheckoutsPerMinute: t.checkoutsPerMinute, Minute: t.minute.record(),
		Plan: t.plan, Status: t.status, Revision: t.revision, Country: t.country, TaxID: t.taxID, Removed: t.removed,
		Notes: t.notes,
	}
}
