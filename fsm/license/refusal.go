package license

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

// A revision that was refused once is refused for good, whatever has changed since:
// the directory takes it back when it hears of that, and two nodes may be at the
// same revision. If only one of them were refused, the other one's license would be
// one that the directory does not know of.

// prefixRefusal begins the key of a refusalRecord: 'r' tenant(4) number(8).
const prefixRefusal = 'r'

// refusalMemory is how long a refusal holds, in ms.
const refusalMemory = int64(cloudlicenses.RefusedRevisionMemory / time.Millisecond)

// refusal is the latest one of a license.
type refusal struct {
	refusalRecord
	number uint64
}

// refusal returns why a revision was refused, or nil. With a license that is not
// known the revisions before it are refused too: the directory may have none of it
// any more.
func (m *Machine) refusal(t *tenant, l *License, known *license) *refusal {
	at := t.findRefusal(l.ID)
	if at < 0 {
		return nil
	}
	r := t.refusals[at]
	if m.state.clock-r.AtMillis >= refusalMemory {
		return nil
	}
	if l.Revision == r.Revision || known == nil && l.Revision < r.Revision {
		return r
	}
	return nil
}

func (t *tenant) findRefusal(id cloudlicenses.LicenseID) int {
	return slices.IndexFunc(t.refusals, func(r *refusal) bool { return r.LicenseID == id })
}

// keepRefusal keeps m.ack as what is said of a revision, and forgets what is too
// old, or too much.
func (m *Machine) keepRefusal(t *tenant, l *License) {
	if at := t.findRefusal(l.ID); at >= 0 {
		m.removeRefusal(t, at)
	}
	for len(t.refusals) >= cloudlicenses.MaxRefusedRevisions || len(t.refusals) > 0 && m.state.clock-t.refusals[0].AtMillis >= refusalMemory {
		m.removeRefusal(t, 0)
	}
	r := &refusal{refusalRecord{LicenseID: l.ID, Revision: l.Revision, AtMillis: m.state.clock, Ack: m.ack}, t.nextRefusal()}
	t.refusals = append(t.refusals, r)
	m.put(key48(nil, prefixRefusal, t.number, r.number), &r.refusalRecord)
}

func (t *tenant) nextRefusal() uint64 {
	if n := len(t.refusals); n > 0 {
		return t.refusals[n-1].number + 1
	}
	return 1
}

func (m *Machine) removeRefusal(t *tenant, at int) {
	m.store.Delete(key48(nil, prefixRefusal, t.number, t.refusals[at].number))
	t.refusals = slices.Delete(t.refusals, at, at+1)
}

func (l *loader) refusal(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 13)
	if err != nil {
		return err
	}
	r := &refusal{number: binary.BigEndian.Uint64(key[5:])}
	if err := decode(&r.refusalRecord, value); err != nil {
		return err
	}
	if r.number < t.nextRefusal() {
		return fmt.Errorf("refusal %d makes no sense", r.number)
	}
	t.refusals = append(t.refusals, r)
	return nil
}
