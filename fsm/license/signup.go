package license

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpPutSignUp, operation{name: "put sign-up", needs: needsName, create: (*Machine).applyPutSignUp})
	_ = register(OpTrySignUp, operation{name: "try sign-up", needs: needsName, create: (*Machine).applyTrySignUp})
	_ = register(OpOwnSignUp, operation{name: "own sign-up", needs: needsTenant, apply: (*Machine).applyOwnSignUp})
)

// prefixSignUp begins the key of a signUpRecord: 'R' number(8).
const prefixSignUp = 'R'

// signUps are the sign-ups whose tokens have not expired.
type signUps struct {
	byTenant map[cloudlicenses.TenantID]*signUp
	order    []*signUp // by number; as good as by expiry
}

type signUp struct {
	signUpRecord
	number uint64
}

// next is the number of the next sign-up.
func (g *signUps) next() uint64 {
	if len(g.order) == 0 {
		return 1
	}
	return g.order[len(g.order)-1].number + 1
}

func (g *signUps) admit(u *signUp) {
	if g.byTenant == nil {
		g.byTenant = make(map[cloudlicenses.TenantID]*signUp)
	}
	g.byTenant[u.Tenant] = u
	g.order = append(g.order, u)
}

// removeSignUp forgets a sign-up, and its personal data with it.
func (m *Machine) removeSignUp(u *signUp) {
	g := &m.state.signUps
	delete(g.byTenant, u.Tenant)
	at, found := slices.BinarySearchFunc(g.order, u.number, func(o *signUp, n uint64) int {
		switch {
		case o.number < n:
			return -1
		case o.number > n:
			return 1
		}
		return 0
	})
	if found {
		g.order = slices.Delete(g.order, at, at+1)
	}
	m.store.Delete(key8(prefixSignUp, u.number))
}

// expireSignUps forgets those whose tokens have expired.
func (m *Machine) expireSignUps() {
	s := m.state
	for len(s.signUps.order) > 0 && s.signUps.order[0].Put.ExpiresMillis <= s.clock {
		m.removeSignUp(s.signUps.order[0])
	}
}

func (m *Machine) applyPutSignUp(name cloudlicenses.TenantID, payload []byte) (reply, error) {
	var p PutSignUp
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	s := m.state
	known := s.signUps.byTenant[name]
	switch {
	case known != nil && known.Put.TokenHash == p.TokenHash:
		return m.acked(cloudlicenses.OK, ""), nil
	case p.ExpiresMillis <= s.clock:
		return m.acked(cloudlicenses.VerificationFailed, "the registration has expired"), nil
	case known != nil:
		m.removeSignUp(known)
	}
	u := &signUp{number: s.signUps.next(), signUpRecord: signUpRecord{Tenant: name, Put: p}}
	s.signUps.admit(u)
	m.put(key8(prefixSignUp, u.number), &u.signUpRecord)
	return m.acked(cloudlicenses.OK, ""), nil
}

func (m *Machine) applyTrySignUp(name cloudlicenses.TenantID, payload []byte) (reply, error) {
	var p TrySignUp
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	s := m.state
	u := s.signUps.byTenant[name]
	if u == nil || u.Put.ExpiresMillis <= s.clock {
		return m.acked(cloudlicenses.VerificationFailed, "the token is not the registration's, or has expired"), nil
	}
	if s.clock-u.HourMillis >= millisPerHour {
		u.HourMillis, u.Wrong, u.Right = s.clock, 0, 0
	}
	right := subtle.ConstantTimeCompare(p.TokenHash, u.Put.TokenHash[:]) == 1
	tries, limit := &u.Wrong, int64(cloudlicenses.MaxWrongTries)
	if right {
		tries, limit = &u.Right, cloudlicenses.MaxRightTries
	}
	if *tries >= limit {
		return m.acked(cloudlicenses.RateLimited, "too many tries; wait an hour"), nil
	}
	*tries++
	m.put(key8(prefixSignUp, u.number), &u.signUpRecord)
	if !right {
		return m.acked(cloudlicenses.VerificationFailed, "the token is not the registration's, or has expired"), nil
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

func (m *Machine) applyOwnSignUp(t *tenant, payload []byte) (reply, error) {
	var p OwnSignUp
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	s := m.state
	signUp := s.signUps.byTenant[t.name]
	if signUp == nil || signUp.Put.Email == "" {
		return m.acked(cloudlicenses.OK, ""), nil
	}
	who := &signUp.Put
	if t.users.byEmail[who.Email] == nil && t.users.byID[cloudlicenses.UserID(p.UserID)] == nil {
		u := &user{number: t.users.next()}
		u.User = User{
			ID: cloudlicenses.UserID(p.UserID), Email: who.Email, Name: who.Name, Role: cloudlicenses.RoleOwner,
			Status: cloudlicenses.UserInvited, CreatedMillis: s.clock,
		}
		t.users.admit(u)
		m.auditUser(t, actionUserCreate, resultSuccess, actorPlatform, "", u)
		m.mail(t, u, &Mail{Token: p.Token, Purpose: cloudlicenses.TokenWelcome, ExpiresMillis: p.ExpiresMillis, Company: p.Company}, actorPlatform)
		m.storeUser(t, u)
	}
	t.country, t.taxID = who.Country, who.TaxID
	s.touchTenant(t)
	who.Email, who.Name, who.Country, who.TaxID = "", "", "", ""
	m.put(key8(prefixSignUp, signUp.number), &signUp.signUpRecord)
	return m.acked(cloudlicenses.OK, ""), nil
}

func (l *loader) signUp(key, value []byte) error {
	if len(key) != 9 {
		return fmt.Errorf("want 9 bytes")
	}
	u := &signUp{number: binary.BigEndian.Uint64(key[1:])}
	if err := decode(&u.signUpRecord, value); err != nil {
		return err
	}
	if u.number < l.s.signUps.next() || l.s.signUps.byTenant[u.Tenant] != nil {
		return fmt.Errorf("sign-up %d makes no sense", u.number)
	}
	l.s.signUps.admit(u)
	return nil
}

// signUps adds all sign-ups.
func (h *stateHasher) signUps(g *signUps) {
	for _, u := range g.order {
		h.number(u.number)
		h.add(&u.signUpRecord)
	}
}
