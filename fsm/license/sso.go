package license

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpPutSSO, operation{name: "put sso", needs: needsTenant, apply: (*Machine).applyPutSSO})
	_ = register(OpRemoveSSO, operation{name: "remove sso", needs: needsTenant, apply: (*Machine).applyRemoveSSO})
	_ = register(OpSSOLogin, operation{name: actionSSOLogin, needs: needsTenant, apply: (*Machine).applySSOLogin})
)

// prefixSSO begins the key of an SSO on disk: 'i' tenant(4).
const prefixSSO = 'i'

// Actions of audit records about single sign-on; User is the issuer, or who
// logs in.
const (
	actionSSOUpdate = "sso.update"
	actionSSORemove = "sso.remove"
	actionSSOLogin  = "login.sso"

	actorSSO = "sso"
)

const noSSO = "single sign-on is not set up"

func refusedSSO(code cloudlicenses.Code, detail string) reply {
	return &SSOResult{Code: code, Detail: detail}
}

// storeSSO keeps new settings, under the next revision.
func (m *Machine) storeSSO(t *tenant, s SSO, action, issuer, actor, address string) reply {
	s.Revision = t.sso.Revision + 1
	s.UpdatedMillis, s.UpdatedBy = m.state.clock, actor
	t.sso = s
	m.entry = Audit{Action: action, Result: resultSuccess, User: issuer, Actor: actor, Address: address}
	m.recordAudit(t)
	m.put(key4(prefixSSO, t.number), &t.sso)
	return &SSOResult{SSO: t.sso}
}

func (m *Machine) applyPutSSO(t *tenant, payload []byte) (reply, error) {
	var p PutSSO
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	who, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageSettings)
	if code != cloudlicenses.OK {
		return refusedSSO(code, ""), nil
	}
	known := t.sso.Issuer == p.Issuer && t.sso.ClientID == p.ClientID
	if p.ClientSecret == "" && known {
		p.ClientSecret = t.sso.ClientSecret
	}
	switch {
	case p.Issuer == "" || p.ClientID == "":
		return refusedSSO(cloudlicenses.InvalidField, "issuer: is missing"), nil
	case p.ClientSecret == "":
		return refusedSSO(cloudlicenses.InvalidField, "client_secret: is missing: it is asked for whenever issuer or client_id change"), nil
	case len(p.EmailDomains) == 0:
		return refusedSSO(cloudlicenses.InvalidField, "email_domains: is missing"), nil
	case p.DefaultRole == cloudlicenses.RoleOwner || p.DefaultRole != "" && !p.DefaultRole.Valid():
		return refusedSSO(cloudlicenses.InvalidField, "default_role: must be admin, billing, viewer or empty"), nil
	}
	next := SSO{
		Revision: t.sso.Revision, Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: p.ClientSecret,
		EmailDomains: slices.Clone(p.EmailDomains), DefaultRole: p.DefaultRole, Enforce: p.Enforce,
		ByOwner:       who == nil || who.User.Role == cloudlicenses.RoleOwner || t.sso.Issuer == p.Issuer && t.sso.ByOwner,
		UpdatedMillis: t.sso.UpdatedMillis, UpdatedBy: t.sso.UpdatedBy,
	}
	if next.same(&t.sso) {
		return &SSOResult{SSO: t.sso}, nil
	}
	return m.storeSSO(t, next, actionSSOUpdate, p.Issuer, actor, p.By.Address), nil
}

// same reports whether two settings are equal, up to who made them and when.
func (s *SSO) same(other *SSO) bool {
	return s.Issuer == other.Issuer && s.ClientID == other.ClientID && s.ClientSecret == other.ClientSecret &&
		slices.Equal(s.EmailDomains, other.EmailDomains) && s.DefaultRole == other.DefaultRole &&
		s.Enforce == other.Enforce && s.ByOwner == other.ByOwner
}

func (m *Machine) applyRemoveSSO(t *tenant, payload []byte) (reply, error) {
	var p RemoveSSO
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	_, actor, code := m.asker(t, &p.By, cloudlicenses.ActManageSettings)
	switch {
	case code != cloudlicenses.OK:
		return refusedSSO(code, ""), nil
	case t.sso.Issuer == "":
		return &SSOResult{SSO: t.sso}, nil
	}
	return m.storeSSO(t, SSO{}, actionSSORemove, t.sso.Issuer, actor, p.By.Address), nil
}

// allows reports whether an address is of one of the domains.
func (s *SSO) allows(email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	return slices.Contains(s.EmailDomains, domain)
}

// passwordsOff reports whether a user may log in by single sign-on alone.
func (t *tenant) passwordsOff(u *user) bool {
	return t.sso.Issuer != "" && t.sso.Enforce && u.User.Role != cloudlicenses.RoleOwner
}

// refuseSSO decides whether p may log in u, which is nil for nobody yet.
func (m *Machine) refuseSSO(t *tenant, u *user, p *SSOLogin) (cloudlicenses.Code, string) {
	const no = cloudlicenses.Unauthenticated
	switch {
	case t.sso.Issuer == "":
		return cloudlicenses.NotFound, noSSO
	case t.sso.Revision != p.Revision:
		return no, "the settings of single sign-on have changed meanwhile: log in again"
	case m.state.clock >= p.UntilMillis:
		return no, "the log-in took too long: log in again"
	case p.Subject == "":
		return no, "the OpenID provider has not said who it is"
	case !t.sso.allows(p.Email):
		return no, "addresses of this e-mail domain may not log in here"
	case u == nil && t.sso.DefaultRole == "":
		return no, "nobody was invited by this e-mail address: ask an administrator of the tenant"
	case u == nil && len(t.users.order) >= cloudlicenses.MaxUsers:
		return cloudlicenses.PlanLimitExceeded, "there are as many users as there may be"
	case u == nil:
		return cloudlicenses.OK, ""
	case u.User.Status == cloudlicenses.UserDisabled:
		return no, "the user is disabled: ask an administrator of the tenant"
	case u.User.Role == cloudlicenses.RoleOwner && !t.sso.ByOwner:
		return no, "an owner logs in with a password until an owner has set the issuer"
	case u.User.SSO && u.Identity != (identityRecord{t.sso.Issuer, p.Subject}):
		return no, "the user of this e-mail address is somebody else at the OpenID provider: an administrator of the tenant can unbind it"
	case slices.ContainsFunc(u.Logins, func(l loginRecord) bool { return l.State == p.State }):
		return no, "this log-in was finished before: log in again"
	case len(u.Logins) >= cloudlicenses.MaxSSOLogins:
		return cloudlicenses.RateLimited, "too many log-ins of one user: wait some minutes"
	}
	return cloudlicenses.OK, ""
}

// known finds whom an identity is bound to.
func (t *userTable) known(identity identityRecord) *user {
	for _, u := range t.order {
		if u.User.SSO && u.Identity == identity {
			return u
		}
	}
	return nil
}

// applySSOLogin decides one log-in. Who is bound is found by identity alone,
// whatever the address is by now; an address finds who is not bound yet. As with
// passwords, an address without a user leaves no trace in the audit log where it
// is refused.
func (m *Machine) applySSOLogin(t *tenant, payload []byte) (reply, error) {
	var p SSOLogin
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	now := m.state.clock
	if who, s := t.users.session(p.Session, now); s != nil { // this command again
		return &UserResult{User: who.User, Session: s.Session}, nil
	}
	u := t.users.known(identityRecord{t.sso.Issuer, p.Subject})
	if u == nil {
		u = t.users.byEmail[p.Email]
	}
	if u != nil {
		u.Logins = slices.DeleteFunc(u.Logins, func(l loginRecord) bool { return l.UntilMillis <= now })
	}
	if code, detail := m.refuseSSO(t, u, &p); code != cloudlicenses.OK {
		if u != nil {
			m.auditUser(t, actionSSOLogin, string(code), u.User.Email, p.Address, u)
			m.storeUser(t, u)
		}
		return refusedUser(code, detail), nil
	}
	if u == nil {
		if t.users.byID[p.UserID] != nil || p.UserID == "" {
			return refusedUser(cloudlicenses.AlreadyExists, "another user has this id"), nil
		}
		u = &user{number: t.users.next()}
		u.User = User{ID: p.UserID, Email: p.Email, Name: p.Name, Role: t.sso.DefaultRole, CreatedMillis: now}
		t.users.admit(u)
		m.auditUser(t, actionUserCreate, resultSuccess, actorSSO, p.Address, u)
		m.userEvent(t, cloudlicenses.EventUserCreated, u)
	}
	if !u.User.SSO {
		u.Identity, u.User.SSO = identityRecord{t.sso.Issuer, p.Subject}, true
		m.auditUser(t, actionUserBind, resultSuccess, actorSSO, p.Address, u)
	}
	u.User.Status = cloudlicenses.UserActive
	u.Logins = append(u.Logins, loginRecord{State: p.State, UntilMillis: p.UntilMillis})
	return m.logIn(t, u, actionSSOLogin, p.Session, p.Address), nil
}

// sso answers QuerySSO.
func (q *question) sso() (reply, error) {
	var ask GetSSO
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	r := &SSOResult{}
	code, err := q.read(func(v view) error {
		r.SSO = v.tenant.sso
		r.SSO.EmailDomains = slices.Clone(r.SSO.EmailDomains)
		return nil
	})
	if r.Code = code; code == cloudlicenses.OK && r.SSO.Issuer == "" {
		r.Code, r.Detail = cloudlicenses.NotFound, noSSO
	}
	return r, err
}

func (l *loader) sso(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 5)
	if err != nil {
		return err
	}
	if err := decode(&t.sso, value); err != nil {
		return err
	}
	if t.sso.Revision < 1 {
		return fmt.Errorf("settings of revision %d make no sense", t.sso.Revision)
	}
	return nil
}
