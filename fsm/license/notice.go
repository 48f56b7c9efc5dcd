package license

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpPutNotice, operation{name: "put notice", needs: needsTenant, apply: (*Machine).applyPutNotice})
	_ = register(OpDropNotice, operation{name: "drop notice", needs: needsTenant, apply: (*Machine).applyDropNotice})
)

// prefixNotice begins the key of a notice, a PutNotice: 'N' tenant(4) number(8).
const prefixNotice = 'N'

// notice is a mail that waits for its license.
type notice struct {
	PutNotice
	number uint64
}

// findNotice returns the place of a notice, or −1. There are as many as
// licenses that wait: few.
func (t *tenant) findNotice(key []byte) int {
	return slices.IndexFunc(t.notices, func(n *notice) bool { return bytes.Equal(n.Key[:], key) })
}

func (m *Machine) removeNotice(t *tenant, at int) {
	m.store.Delete(key48(nil, prefixNotice, t.number, t.notices[at].number))
	t.notices = slices.Delete(t.notices, at, at+1)
}

func (m *Machine) applyPutNotice(t *tenant, payload []byte) (reply, error) {
	var p PutNotice
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if at := t.findNotice(p.Key[:]); at >= 0 {
		if t.notices[at].PutNotice == p {
			return m.acked(cloudlicenses.OK, ""), nil
		}
		m.removeNotice(t, at)
	}
	for i := len(t.notices) - 1; i >= 0; i-- {
		if t.notices[i].ExpiresMillis <= m.state.clock {
			m.removeNotice(t, i)
		}
	}
	if len(t.notices) >= cloudlicenses.MaxNotices || t.noticesOf(p.VendorID) >= cloudlicenses.MaxVendorNotices {
		return m.acked(cloudlicenses.Overloaded, "too many licenses with a contact wait to be provisioned"), nil
	}
	n := &notice{PutNotice: p, number: t.nextNotice()}
	t.notices = append(t.notices, n)
	m.put(key48(nil, prefixNotice, t.number, n.number), &n.PutNotice)
	return m.acked(cloudlicenses.OK, ""), nil
}

// noticesOf counts those of a vendor at a tenant, which they must not fill; in its
// own account a vendor has them all.
func (t *tenant) noticesOf(vendor cloudlicenses.VendorID) (count int) {
	if _, own := t.name.Vendor(); own {
		return 0
	}
	for _, n := range t.notices {
		if n.VendorID == vendor {
			count++
		}
	}
	return count
}

func (t *tenant) nextNotice() uint64 {
	if n := len(t.notices); n > 0 {
		return t.notices[n-1].number + 1
	}
	return 1
}

func (m *Machine) applyDropNotice(t *tenant, payload []byte) (reply, error) {
	var p DropNotice
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if at := t.findNotice(p.Key); at >= 0 {
		m.removeNotice(t, at)
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

// takeNotice returns the notice that came along, else the one that is kept
// here and has not expired, and forgets that one.
func (m *Machine) takeNotice(t *tenant, key [16]byte, along Notice) Notice {
	at := t.findNotice(key[:])
	if at < 0 {
		return along
	}
	kept, over := t.notices[at].Notice, t.notices[at].ExpiresMillis <= m.state.clock
	m.removeNotice(t, at)
	if along.Email != "" || over {
		return along
	}
	return kept
}

// notice answers QueryNotice.
func (q *question) notice() (reply, error) {
	var ask FindNotice
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	result := &NoticeResult{Code: cloudlicenses.NotFound}
	code, err := q.read(func(v view) error {
		if at := v.tenant.findNotice(ask.Key); at >= 0 && v.tenant.notices[at].ExpiresMillis > v.state.clock {
			result.Code, result.Notice = cloudlicenses.OK, v.tenant.notices[at].Notice
		}
		return nil
	})
	if code != cloudlicenses.OK {
		result.Code = code
	}
	return result, err
}

func (l *loader) notice(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 13)
	if err != nil {
		return err
	}
	n := &notice{number: binary.BigEndian.Uint64(key[5:])}
	if err := decode(&n.PutNotice, value); err != nil {
		return err
	}
	if n.number < t.nextNotice() {
		return fmt.Errorf("notice %d makes no sense", n.number)
	}
	t.notices = append(t.notices, n)
	return nil
}

func (l *loader) link(key, value []byte) error {
	t, number, err := l.keyNumbers(key, 9)
	if err != nil {
		return err
	}
	var r linkRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	if int(number) != len(t.links)+1 {
		return fmt.Errorf("want link %d of the tenant", len(t.links)+1)
	}
	t.links = append(t.links, r)
	return nil
}

// provisioning adds a tenant's floors, links, notices and refusals.
func (h *stateHasher) provisioning(t *tenant) {
	for _, f := range t.floors {
		h.add(&f.Floor)
	}
	for i := range t.links {
		h.add(&t.links[i])
	}
	for _, n := range t.notices {
		h.number(n.number)
		h.add(&n.PutNotice)
	}
	for _, r := range t.refusals {
		h.number(r.number)
		h.add(&r.refusalRecord)
	}
}
