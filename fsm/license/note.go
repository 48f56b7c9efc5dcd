package license

import "github.com/cloudlicenses/cloudlicenses"

var _ = register(OpNote, operation{name: "note", needs: needsTenant, apply: (*Machine).applyNote})

func (m *Machine) applyNote(t *tenant, payload []byte) (reply, error) {
	var p Note
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	// The directory has let it happen: who asked is all that is to be known.
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActViewLicenses)
	if code != cloudlicenses.OK {
		return m.acked(code, ""), nil
	}
	m.entry = Audit{
		Action: p.Action, Result: resultSuccess, LicenseID: p.LicenseID, ProductID: p.ProductID, User: p.Subject, Actor: actor, Address: p.By.Address,
	}
	m.recordAudit(t)
	return m.acked(cloudlicenses.OK, ""), nil
}
