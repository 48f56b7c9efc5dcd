package license

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpPutUser, operation{name: "put user", needs: needsTenant, apply: (*Machine).applyPutUser})
	_ = register(OpUpdateUser, operation{name: "update user", needs: needsTenant, apply: (*Machine).applyUpdateUser})
	_ = register(OpRemoveUser, operation{name: "remove user", needs: needsTenant, apply: (*Machine).applyRemoveUser})
	_ = register(OpMailToken, operation{name: "mail token", needs: needsTenant, apply: (*Machine).applyMailToken})
)

// Actions of audit records about users. User is whom it is about, Actor who
// did it.
const (
	actionUserCreate   = "user.create"
	actionUserUpdate   = "user.update"
	actionUserRemove   = "user.remove"
	actionUserMail     = "user.mail"
	actionUserPassword = "user.password"
	actionUserFactor   = "user.second_factor"
	actionUserBind     = "user.sso_bind"
	actionUserUnbind   = "user.sso_unbind"
	actionLogin        = "login"
	actionLogout       = "logout"

	actorPlatform = "platform"
)

// user is a user of a tenant.
type user struct {
	userRecord
	number uint32
}

func (u *user) owns() bool {
	return u.User.Role == cloudlicenses.RoleOwner && u.User.Status != cloudlicenses.UserDisabled
}

// userTable are the users of a tenant. Its maps are nil while it has none.
type userTable struct {
	order   []*user // by number, which is in order of creation
	byID    map[cloudlicenses.UserID]*user
	byEmail map[string]*user
	// Hashes of live or lately expired sessions and tokens.
	bySession map[[32]byte]*user
	byToken   map[[32]byte]*user

	guards      guardTable
	invitations invitationTable
}

func (t *userTable) next() uint32 {
	if n := len(t.order); n > 0 {
		return t.order[n-1].number + 1
	}
	return 1
}

// admit brings a user into the tables; its number is the largest.
func (t *userTable) admit(u *user) {
	if t.byID == nil {
		t.byID = make(map[cloudlicenses.UserID]*user)
		t.byEmail = make(map[string]*user)
		t.bySession = make(map[[32]byte]*user)
		t.byToken = make(map[[32]byte]*user)
	}
	t.order = append(t.order, u)
	t.byID[u.User.ID], t.byEmail[u.User.Email] = u, u
	for i := range u.Sessions {
		t.bySession[u.Sessions[i].Hash] = u
	}
	for i := range u.Tokens {
		t.byToken[u.Tokens[i].Hash] = u
	}
}

// dropSessions ends the sessions that ends picks.
func (t *userTable) dropSessions(u *user, ends func(*sessionRecord) bool) {
	u.Sessions = slices.DeleteFunc(u.Sessions, func(s sessionRecord) bool {
		if !ends(&s) {
			return false
		}
		delete(t.bySession, s.Hash)
		return true
	})
}

func everySession(*sessionRecord) bool { return true }

// dropTokens ends the tokens that ends picks.
func (t *userTable) dropTokens(u *user, ends func(*tokenRecord) bool) {
	u.Tokens = slices.DeleteFunc(u.Tokens, func(k tokenRecord) bool {
		if !ends(&k) {
			return false
		}
		delete(t.byToken, k.Hash)
		return true
	})
}

func everyToken(*tokenRecord) bool { return true }

// otherOwner reports whether somebody else can act as an owner.
func (t *userTable) otherOwner(than *user) bool {
	return slices.ContainsFunc(t.order, func(u *user) bool {
		return u != than && u.owns() && u.User.Status == cloudlicenses.UserActive
	})
}

func (m *Machine) storeUser(t *tenant, u *user) {
	m.keyBytes = key44(m.keyBytes, prefixUser, t.number, u.number)
	m.put(m.keyBytes, &u.userRecord)
}

func refusedUser(code cloudlicenses.Code, detail string) reply {
	return &UserResult{Code: code, Detail: detail}
}

func (u *user) result() reply { return &UserResult{User: u.User} }

// auditUser records what happened to a user.
func (m *Machine) auditUser(t *tenant, action, result, actor, address string, u *user) {
	m.entry = Audit{Action: action, Result: result, User: u.User.Email, Actor: actor, Address: address}
	m.recordAudit(t)
}

// asker finds who asks and whether the role allows it. The user is nil for the
// platform itself, and for a vendor's key.
func (m *Machine) asker(t *tenant, by *By, action cloudlicenses.Action) (u *user, name string, code cloudlicenses.Code) {
	if by.Platform {
		return nil, actorPlatform, cloudlicenses.OK
	}
	u, s := t.users.session(by.Session, m.state.clock)
	switch {
	case s == nil:
		k, code := m.vendorKey(t, by.Session, action)
		if code != cloudlicenses.OK {
			return nil, "", code
		}
		return nil, string(k.ID), cloudlicenses.OK
	case !u.User.Role.May(action):
		return nil, "", cloudlicenses.ForbiddenRole
	}
	return u, u.User.Email, cloudlicenses.OK
}

// over is the action that managing somebody of these roles is.
func over(roles ...cloudlicenses.Role) cloudlicenses.Action {
	if slices.Contains(roles, cloudlicenses.RoleOwner) {
		return cloudlicenses.ActManageOwners
	}
	return cloudlicenses.ActManageUsers
}

// applyPutUser creates a user; one that is there already is left as it is, or
// invited again.
func (m *Machine) applyPutUser(t *tenant, payload []byte) (reply, error) {
	var p PutUser
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, over(p.Role))
	same, taken := t.users.byID[p.ID], t.users.byEmail[p.Email]
	switch {
	case code != cloudlicenses.OK:
		return refusedUser(code, ""), nil
	case same != nil && same.User.Email == p.Email:
		return same.result(), nil
	case same != nil:
		return refusedUser(cloudlicenses.AlreadyExists, "another user has this id"), nil
	case p.ID == "" || p.Email == "":
		return refusedUser(cloudlicenses.InvalidField, "email: is missing"), nil
	case taken != nil && (taken.User.Status != cloudlicenses.UserInvited || p.Mail.Token == ""):
		return refusedUser(cloudlicenses.AlreadyExists, "a user has this e-mail address"), nil
	case !p.Role.Valid():
		return refusedUser(cloudlicenses.InvalidField, "role: must be owner, admin, billing or viewer"), nil
	case p.Mail.Token != "" && !p.Mail.Purpose.Valid():
		return refusedUser(cloudlicenses.InvalidField, "purpose: is unknown"), nil
	case taken != nil:
		return m.inviteAgain(t, taken, &p), nil
	case len(t.users.order) >= cloudlicenses.MaxUsers:
		return refusedUser(cloudlicenses.PlanLimitExceeded, "there are as many users as there may be"), nil
	}
	if wait := m.invitedLately(t, p.Email, &p.Mail); wait > 0 {
		return m.refusedInvitation(wait), nil
	}
	u := &user{number: t.users.next()}
	u.User = User{
		ID: p.ID, Email: p.Email, Name: p.Name, Role: p.Role,
		Status: cloudlicenses.UserInvited, CreatedMillis: m.state.clock,
	}
	if len(p.PasswordHash) > 0 {
		u.PasswordHash, u.User.Status = bytes.Clone(p.PasswordHash), cloudlicenses.UserActive
	}
	t.users.admit(u)
	m.auditUser(t, actionUserCreate, resultSuccess, actor, p.By.Address, u)
	m.userEvent(t, cloudlicenses.EventUserCreated, u)
	if p.Mail.Token != "" {
		m.mail(t, u, &p.Mail, actor)
	}
	m.storeUser(t, u)
	return u.result(), nil
}

// applyUpdateUser changes a user's name, role or status.
func (m *Machine) applyUpdateUser(t *tenant, payload []byte) (reply, error) {
	var p UpdateUser
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	asker, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageUsers)
	if code != cloudlicenses.OK {
		return refusedUser(code, ""), nil
	}
	u := t.users.byID[p.ID]
	switch {
	case u == nil:
		return refusedUser(cloudlicenses.NotFound, "no such user"), nil
	case p.DropFactor && u == asker:
		return refusedUser(cloudlicenses.InvalidField, "totp: your own second factor ends by DELETE /api/v1/me/totp"), nil
	}
	changed := u.User
	changed.SecondFactor = u.User.SecondFactor && !p.DropFactor
	changed.SSO = u.User.SSO && !p.DropIdentity
	if p.Name != "" {
		changed.Name = p.Name
	}
	if p.Role != "" {
		changed.Role = p.Role
	}
	switch {
	case p.Status == cloudlicenses.UserDisabled:
		changed.Status = p.Status
	case p.Status == cloudlicenses.UserActive && len(u.PasswordHash) > 0:
		changed.Status = p.Status
	case p.Status == cloudlicenses.UserActive:
		changed.Status = cloudlicenses.UserInvited // active once there is a password
	case p.Status != "":
		return refusedUser(cloudlicenses.InvalidField, "status: must be active or disabled"), nil
	}
	_, _, code = m.asker(t, &p.By, over(u.User.Role, changed.Role))
	after := user{userRecord: userRecord{User: changed}}
	switch {
	case code != cloudlicenses.OK:
		return refusedUser(code, ""), nil
	case !changed.Role.Valid():
		return refusedUser(cloudlicenses.InvalidField, "role: must be owner, admin, billing or viewer"), nil
	case u.owns() && !after.owns() && !t.users.otherOwner(u):
		return refusedUser(cloudlicenses.ForbiddenRole, lastOwner), nil
	case changed == u.User:
		return u.result(), nil
	}
	unbound := changed.SSO != u.User.SSO
	if changed.Role != u.User.Role || changed.Status == cloudlicenses.UserDisabled || changed.SecondFactor != u.User.SecondFactor || unbound {
		t.users.dropSessions(u, everySession)
	}
	if p.DropFactor { // the step stays, so that no code counts twice
		u.Secret = nil
	}
	if changed.Status == cloudlicenses.UserDisabled {
		t.users.dropTokens(u, everyToken)
	}
	if unbound {
		u.Identity = identityRecord{}
		m.auditUser(t, actionUserUnbind, resultSuccess, actor, p.By.Address, u)
	}
	u.User = changed
	m.auditUser(t, actionUserUpdate, resultSuccess, actor, p.By.Address, u)
	m.storeUser(t, u)
	return u.result(), nil
}

const lastOwner = "the last owner can't be removed, disabled or given another role"

// applyRemoveUser removes a user with its sessions and tokens.
func (m *Machine) applyRemoveUser(t *tenant, payload []byte) (reply, error) {
	var p RemoveUser
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageUsers)
	if code != cloudlicenses.OK {
		return refusedUser(code, ""), nil
	}
	u := t.users.byID[p.ID]
	if u == nil {
		return refusedUser(cloudlicenses.NotFound, "no such user"), nil
	}
	_, _, code = m.asker(t, &p.By, over(u.User.Role))
	switch {
	case code != cloudlicenses.OK:
		return refusedUser(code, ""), nil
	case u.owns() && !t.users.otherOwner(u):
		return refusedUser(cloudlicenses.ForbiddenRole, lastOwner), nil
	}
	t.users.dropSessions(u, everySession)
	t.users.dropTokens(u, everyToken)
	t.users.order = slices.DeleteFunc(t.users.order, func(other *user) bool { return other == u })
	delete(t.users.byID, u.User.ID)
	delete(t.users.byEmail, u.User.Email)
	m.store.Delete(key44(nil, prefixUser, t.number, u.number))
	m.auditUser(t, actionUserRemove, resultSuccess, actor, p.By.Address, u)
	m.userEvent(t, cloudlicenses.EventUserRemoved, u)
	return u.result(), nil
}

// again is how soon a reset may be mailed again to who asks by address alone.
const again = int64(time.Minute / time.Millisecond)

// applyMailToken mails a one-time token. By address alone it says nothing:
// not whether there is such a user, nor whether a mail went out lately.
func (m *Machine) applyMailToken(t *tenant, payload []byte) (reply, error) {
	var p MailToken
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageUsers)
	switch {
	case code != cloudlicenses.OK:
		return refusedUser(code, ""), nil
	case p.Mail.Token == "" || !p.Mail.Purpose.Valid():
		return refusedUser(cloudlicenses.InvalidField, "purpose: is unknown"), nil
	case p.ID == "":
		u := t.users.byEmail[p.Email]
		if u != nil && u.User.Status != cloudlicenses.UserDisabled && u.tooSoon(&p.Mail, again) == 0 {
			m.mail(t, u, &p.Mail, actor)
			m.storeUser(t, u)
		}
		return &UserResult{}, nil
	}
	u := t.users.byID[p.ID]
	if u == nil {
		return refusedUser(cloudlicenses.NotFound, "no such user"), nil
	}
	_, _, code = m.asker(t, &p.By, over(u.User.Role))
	switch {
	case code != cloudlicenses.OK:
		return refusedUser(code, ""), nil
	case u.User.Status == cloudlicenses.UserDisabled:
		return refusedUser(cloudlicenses.InvalidField, "status: a disabled user gets no mail"), nil
	}
	if t.users.byToken[sha256.Sum256([]byte(p.Mail.Token))] != u { // else it is this command again
		m.mail(t, u, &p.Mail, actor)
		m.storeUser(t, u)
	}
	return u.result(), nil
}

// tooSoon is how long, in ms, a mail is to wait yet that comes pause after the last
// of its kind, 0 where it may go: all of one kind live equally long.
func (u *user) tooSoon(mail *Mail, pause int64) (wait int64) {
	for i := range u.Tokens {
		if k := &u.Tokens[i]; k.Purpose == mail.Purpose {
			wait = max(wait, k.ExpiresMillis+pause-mail.ExpiresMillis)
		}
	}
	return wait
}

// tokenMail is the JSON payload of mail.welcome, mail.invite and mail.reset.
type tokenMail struct {
	TenantID  cloudlicenses.TenantID `json:"tenant_id,omitempty"`
	VendorID  cloudlicenses.VendorID `json:"vendor_id,omitempty"` // of a vendor's user, who has no tenant
	TenantURL string                 `json:"tenant_url"`          // of a vendor's: the vendors' host
	Company   string                 `json:"company,omitempty"`
	UserID    cloudlicenses.UserID   `json:"user_id"`
	Email     string                 `json:"email"`
	Name      string                 `json:"name"`
	Role      cloudlicenses.Role     `json:"role"`
	InvitedBy string                 `json:"invited_by,omitempty"`
	Token     string                 `json:"token"`
	ExpiresAt string                 `json:"expires_at"`
}

// mail leaves a token in the outbox and keeps its hash. It takes the place of
// an earlier one of its kind.
func (m *Machine) mail(t *tenant, u *user, mail *Mail, actor string) {
	t.users.dropTokens(u, func(k *tokenRecord) bool {
		return k.Purpose == mail.Purpose || k.ExpiresMillis <= m.state.clock
	})
	if mail.Purpose == cloudlicenses.TokenInvite {
		m.invited(t, u.User.Email, mail.ExpiresMillis)
	}
	token := tokenRecord{sha256.Sum256([]byte(mail.Token)), mail.Purpose, mail.ExpiresMillis}
	u.Tokens = append(u.Tokens, token)
	t.users.byToken[token.Hash] = u
	letter := tokenMail{
		TenantID: t.name, TenantURL: t.url, Company: mail.Company, UserID: u.User.ID, Email: u.User.Email, Name: u.User.Name,
		Role: u.User.Role, Token: mail.Token, ExpiresAt: time.UnixMilli(mail.ExpiresMillis).UTC().Format(time.RFC3339),
	}
	if vendor, ok := t.name.Vendor(); ok {
		letter.TenantID, letter.VendorID = "", vendor
	}
	if actor != actorPlatform {
		letter.InvitedBy = actor
	}
	m.auditUser(t, actionUserMail, resultSuccess, actor, "", u)
	m.send(t, mailPrefix+string(mail.Purpose), mustJSON(&letter))
}
