package license

import (
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

// What an account's people and keys do to licenses, customers and vendors is done by
// the directory, or in another tenant's group; the account's audit log is here. So
// the account is told first who is about to do what, then what came of it. Where a
// node is lost in between nothing is missing, and nothing is claimed that did not
// happen; and the directory learns nothing of persons and addresses.

var (
	_ = register(OpNote, operation{name: "note", needs: needsTenant, apply: (*Machine).applyNote})
	_ = register(OpIntend, operation{name: "intend", needs: needsTenant, apply: (*Machine).applyIntend})
	_ = register(OpDropNote, operation{name: "drop note", needs: needsTenant, apply: (*Machine).applyDropNote})
)

// noteMemory is how long what is about to be done waits for what came of it.
const noteMemory = int64(time.Minute / time.Millisecond)

// applyIntend keeps who is about to do what elsewhere: if nobody says what came of
// it, since a node was lost, the audit log has it nevertheless (see forgetIntended).
func (m *Machine) applyIntend(t *tenant, payload []byte) (reply, error) {
	var p Note
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActViewLicenses)
	switch {
	case code != cloudlicenses.OK:
		return m.acked(code, ""), nil
	case p.ID == [16]byte{}:
		return m.acked(cloudlicenses.InvalidField, "id: is missing"), nil
	case t.intended(p.ID) >= 0:
		return m.acked(cloudlicenses.OK, ""), nil
	case len(t.notes) >= cloudlicenses.MaxIntended:
		return m.acked(cloudlicenses.Overloaded, "the account has too much under way"), nil
	}
	s := m.state
	if len(t.notes) == 0 {
		s.noting = append(s.noting, t)
	}
	t.notes = append(t.notes, noteRecord{
		ID: p.ID, AtMillis: s.clock, Action: p.Action, LicenseID: p.LicenseID, ProductID: p.ProductID, Subject: p.Subject, Actor: actor, Address: p.By.Address,
	})
	s.touchTenant(t)
	return m.acked(cloudlicenses.OK, ""), nil
}

// intended finds what is about to be done; -1: it is not known, or no longer.
func (t *tenant) intended(id [16]byte) int {
	return slices.IndexFunc(t.notes, func(n noteRecord) bool { return n.ID == id })
}

// takeIntended forgets what was about to be done.
func (m *Machine) takeIntended(t *tenant, at int) noteRecord {
	n := t.notes[at]
	t.notes = slices.Delete(t.notes, at, at+1)
	if len(t.notes) == 0 {
		m.state.noting = slices.DeleteFunc(m.state.noting, func(other *tenant) bool { return other == t })
	}
	m.state.touchTenant(t)
	return n
}

// applyNote leaves in the audit log what was done elsewhere. Who asked is all that
// is to be known, and known already where it was intended.
func (m *Machine) applyNote(t *tenant, payload []byte) (reply, error) {
	var p Note
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if p.ID != [16]byte{} {
		if at := t.intended(p.ID); at >= 0 {
			n := m.takeIntended(t, at)
			n.LicenseID, n.ProductID, n.Subject = p.LicenseID, p.ProductID, p.Subject
			n.AtMillis = 0
			m.recordNote(t, &n, resultSuccess)
		}
		return m.acked(cloudlicenses.OK, ""), nil // said again, it is there
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActViewLicenses)
	if code == cloudlicenses.OK {
		m.recordNote(t, &noteRecord{
			Action: p.Action, LicenseID: p.LicenseID, ProductID: p.ProductID, Subject: p.Subject, Actor: actor, Address: p.By.Address,
		}, resultSuccess)
	}
	return m.acked(code, ""), nil
}

// applyDropNote forgets what was intended and refused: nothing came of it.
func (m *Machine) applyDropNote(t *tenant, payload []byte) (reply, error) {
	var p DropNote
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if at := t.intended(p.ID); at >= 0 {
		m.takeIntended(t, at)
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

// recordNote leaves a note in the audit log, under its own time where it has one.
func (m *Machine) recordNote(t *tenant, n *noteRecord, result string) {
	m.entry = Audit{
		AtMillis: n.AtMillis, Action: n.Action, Result: result, LicenseID: n.LicenseID, ProductID: n.ProductID, User: n.Subject, Actor: n.Actor, Address: n.Address,
	}
	m.recordAudit(t)
}

// noteDue is when the next note is due to be written down; never where there is none.
func (s *state) noteDue() int64 {
	due := never
	for _, t := range s.noting {
		due = min(due, t.notes[0].AtMillis+noteMemory)
	}
	return due
}

// forgetIntended writes down, at the beginning of an entry, what nobody has said the
// outcome of, under the time that it was intended at.
func (m *Machine) forgetIntended() {
	for _, t := range slices.Clone(m.state.noting) {
		for len(t.notes) > 0 && m.state.clock-t.notes[0].AtMillis >= noteMemory {
			n := m.takeIntended(t, 0)
			m.recordNote(t, &n, string(cloudlicenses.OutcomeUnknown))
		}
	}
}
