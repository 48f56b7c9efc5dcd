package license

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

// inviteAgain sends a fresh link to u, who was invited and has not come yet: who
// has lost the mail, or let it lapse, needs no other user. What the new
// invitation says of name and role is what counts; the links before it are dead. It
// has to wait for InviteAgain: whose address it is has not asked for any of them.
func (m *Machine) inviteAgain(t *tenant, u *user, p *PutUser) reply {
	if t.users.byToken[sha256.Sum256([]byte(p.Mail.Token))] == u { // this command again
		return u.result()
	}
	_, actor, code := m.asker(t, &p.By, over(u.User.Role, p.Role))
	switch {
	case code != cloudlicenses.OK:
		return refusedUser(code, "")
	case u.owns() && p.Role != cloudlicenses.RoleOwner && !t.users.otherOwner(u):
		return refusedUser(cloudlicenses.ForbiddenRole, lastOwner)
	}
	if wait := max(u.tooSoon(&p.Mail, inviteAgain), m.invitedLately(t, p.Email, &p.Mail)); wait > 0 {
		return m.refusedInvitation(wait)
	}
	if u.User.Name != p.Name || u.User.Role != p.Role {
		u.User.Name, u.User.Role = p.Name, p.Role
		m.auditUser(t, actionUserUpdate, resultSuccess, actor, p.By.Address, u)
	}
	t.users.dropTokens(u, everyToken)
	m.mail(t, u, &p.Mail, actor)
	m.storeUser(t, u)
	return u.result()
}

// inviteAgain and inviteLife in milliseconds.
const (
	inviteAgain = int64(cloudlicenses.InviteAgain / time.Millisecond)
	inviteLife  = int64(cloudlicenses.InviteLife / time.Millisecond)
)

func (m *Machine) refusedInvitation(wait int64) reply {
	return &UserResult{Code: cloudlicenses.RateLimited, Detail: "invited a moment ago: wait before inviting again", LockedMillis: m.state.clock + wait}
}

// invitation is the last one to an address.
type invitation struct {
	invitationRecord
	sequence uint64
}

// invitationTable holds those of the last InviteAgain: who is removed and invited
// anew gets no mail sooner than who is invited again.
type invitationTable struct {
	byEmail map[[32]byte]*invitation
	order   []*invitation // by sequence, which is in order of their mails
}

func (i *invitationTable) next() uint64 {
	if n := len(i.order); n > 0 {
		return i.order[n-1].sequence + 1
	}
	return 1
}

func (i *invitationTable) admit(one *invitation) {
	if i.byEmail == nil {
		i.byEmail = make(map[[32]byte]*invitation)
	}
	i.byEmail[one.Email] = one
	i.order = append(i.order, one)
}

// invitedLately is how long, in ms, an invitation is to wait yet: for the last one
// to the same address, or for room. 0: it may go.
func (m *Machine) invitedLately(t *tenant, email string, mail *Mail) int64 {
	table := &t.users.invitations
	if mail.Token == "" || mail.Purpose != cloudlicenses.TokenInvite {
		return 0
	}
	m.forgetInvitations(t, func(i *invitation) bool { return i.ExpiresMillis-inviteLife+inviteAgain <= m.state.clock })
	if last := table.byEmail[sha256.Sum256([]byte(email))]; last != nil {
		return max(0, last.ExpiresMillis+inviteAgain-mail.ExpiresMillis)
	}
	if len(table.order) >= cloudlicenses.MaxUsers {
		return max(1, table.order[0].ExpiresMillis-inviteLife+inviteAgain-m.state.clock)
	}
	return 0
}

// invited remembers an invitation.
func (m *Machine) invited(t *tenant, email string, expires int64) {
	sum := sha256.Sum256([]byte(email))
	m.forgetInvitations(t, func(i *invitation) bool { return i.Email == sum })
	one := &invitation{invitationRecord{sum, expires}, t.users.invitations.next()}
	t.users.invitations.admit(one)
	m.put(key48(nil, prefixInvitation, t.number, one.sequence), &one.invitationRecord)
}

func (m *Machine) forgetInvitations(t *tenant, which func(*invitation) bool) {
	table := &t.users.invitations
	table.order = slices.DeleteFunc(table.order, func(i *invitation) bool {
		if !which(i) {
			return false
		}
		delete(table.byEmail, i.Email)
		m.store.Delete(key48(nil, prefixInvitation, t.number, i.sequence))
		return true
	})
}
