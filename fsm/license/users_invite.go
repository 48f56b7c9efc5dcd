package license

import (
	"crypto/sha256"

	"github.com/cloudlicenses/cloudlicenses"
)

// inviteAgain sends a fresh link to u, who was invited and has not come yet: who
// has lost the mail, or let it lapse, needs no other user. What the new
// invitation says of name and role is what counts; the links before it are dead. It has to wait for InviteAgain: whose
// address it is has not asked for any of them.
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
	if wait := u.tooSoon(&p.Mail, cloudlicenses.InviteAgain.Milliseconds()); wait > 0 {
		return &UserResult{Code: cloudlicenses.RateLimited, Detail: "invited a moment ago: wait before inviting again", LockedMillis: m.state.clock + wait}
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
