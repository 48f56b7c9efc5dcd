package license

import (
	"encoding/binary"
	"fmt"
)

func (l *loader) user(key, value []byte) error {
	t, number, err := l.keyNumbers(key, 9)
	if err != nil {
		return err
	}
	u := &user{number: number}
	if err := decode(&u.userRecord, value); err != nil {
		return err
	}
	if number < t.users.next() || t.users.byID[u.User.ID] != nil || t.users.byEmail[u.User.Email] != nil {
		return fmt.Errorf("user %d makes no sense", number)
	}
	t.users.admit(u)
	return nil
}

func (l *loader) guard(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 13)
	if err != nil {
		return err
	}
	g := &guard{sequence: binary.BigEndian.Uint64(key[5:])}
	if err := decode(&g.guardRecord, value); err != nil {
		return err
	}
	if table := &t.users.guards; g.sequence < table.next() || table.byEmail[g.Email] != nil {
		return fmt.Errorf("guard %d makes no sense", g.sequence)
	}
	t.users.guards.admit(g)
	return nil
}

func (l *loader) invitation(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 13)
	if err != nil {
		return err
	}
	i := &invitation{sequence: binary.BigEndian.Uint64(key[5:])}
	if err := decode(&i.invitationRecord, value); err != nil {
		return err
	}
	if table := &t.users.invitations; i.sequence < table.next() || table.byEmail[i.Email] != nil {
		return fmt.Errorf("invitation %d makes no sense", i.sequence)
	}
	t.users.invitations.admit(i)
	return nil
}

// users adds a tenant's users, their failed log-ins, and who was invited lately.
func (h *stateHasher) users(t *userTable) {
	for _, u := range t.order {
		h.number(uint64(u.number))
		h.add(&u.userRecord)
	}
	for _, g := range t.guards.order {
		h.number(g.sequence)
		h.add(&g.guardRecord)
	}
	for _, i := range t.invitations.order {
		h.number(i.sequence)
		h.add(&i.invitationRecord)
	}
}
