package license

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpSetPassword, operation{name: "set password", needs: needsTenant, apply: (*Machine).applySetPassword})
	_ = register(OpLogin, operation{name: actionLogin, needs: needsTenant, apply: (*Machine).applyLogin})
	_ = register(OpLogout, operation{name: actionLogout, needs: needsTenant, apply: (*Machine).applyLogout})
	_ = register(OpTouchSession, operation{name: "touch session", needs: needsTenant, apply: (*Machine).applyTouchSession})
	_ = register(OpSecondFactor, operation{name: "second factor", needs: needsTenant, apply: (*Machine).applySecondFactor})
)

var (
	sessionLife = cloudlicenses.SessionLife.Milliseconds()
	sessionIdle = cloudlicenses.SessionIdle.Milliseconds()
	loginWindow = cloudlicenses.LoginWindow.Milliseconds()
	loginLock   = cloudlicenses.LoginLock.Milliseconds()
)

func (s *Session) live(now int64) bool {
	return now < s.ExpiresMillis && now < s.SeenMillis+sessionIdle
}

// session finds a live session.
func (t *userTable) session(hash [32]byte, now int64) (*user, *sessionRecord) {
	u := t.bySession[hash]
	if u == nil {
		return nil, nil
	}
	for i := range u.Sessions {
		if s := &u.Sessions[i]; s.Hash == hash && s.Session.live(now) {
			return u, s
		}
	}
	return nil, nil
}

// token finds whose a live token is.
func (t *userTable) token(hash [32]byte, now int64) *user {
	u := t.byToken[hash]
	if u == nil || !slices.ContainsFunc(u.Tokens, func(k tokenRecord) bool { return k.Hash == hash && now < k.ExpiresMillis }) {
		return nil
	}
	return u
}

// applySetPassword trades a token for a password.
func (m *Machine) applySetPassword(t *tenant, payload []byte) (reply, error) {
	var p SetPassword
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	u := t.users.token(p.TokenHash, m.state.clock)
	switch {
	case len(p.PasswordHash) == 0:
		return refusedUser(cloudlicenses.InvalidField, "password: is missing"), nil
	case u == nil:
		for _, done := range t.users.order { // this command again
			if done.LastToken == p.TokenHash && bytes.Equal(done.PasswordHash, p.PasswordHash) {
				return done.result(), nil
			}
		}
		return refusedUser(cloudlicenses.InvalidField, "token: is not valid, or not any more"), nil
	}
	t.users.dropSessions(u, everySession)
	t.users.dropTokens(u, everyToken)
	u.PasswordHash, u.LastToken = bytes.Clone(p.PasswordHash), p.TokenHash
	u.User.Status = cloudlicenses.UserActive // a disabled one has no tokens
	m.forgive(t, sha256.Sum256([]byte(u.User.Email)))
	m.auditUser(t, actionUserPassword, resultSuccess, u.User.Email, p.Address, u)
	m.storeUser(t, u)
	return u.result(), nil
}

// applyLogin decides one attempt. An address without a user is counted and
// locked out as one with, and leaves no trace in the audit log.
func (m *Machine) applyLogin(t *tenant, payload []byte) (reply, error) {
	var p Login
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	now := m.state.clock
	sum := sha256.Sum256([]byte(p.Email))
	u := t.users.byEmail[p.Email]
	if who, s := t.users.session(p.Session, now); s != nil { // this command again
		return &UserResult{User: who.User, Session: s.Session}, nil
	}
	if g := t.users.guards.byEmail[sum]; g != nil {
		switch {
		case g.LockedMillis > now && g.Last != [16]byte(p.Session[:16]):
			return &UserResult{Code: cloudlicenses.LoginLocked, LockedMillis: g.LockedMillis}, nil
		case g.Last == [16]byte(p.Session[:16]):
			return refusedUser(cloudlicenses.Unauthenticated, ""), nil
		}
	}
	fits := u != nil && u.User.Status == cloudlicenses.UserActive && p.PasswordOK &&
		len(u.PasswordHash) > 0 && sha256.Sum256(u.PasswordHash) == p.PasswordSum
	if fits && t.passwordsOff(u) {
		m.auditUser(t, actionLogin, string(cloudlicenses.Unauthenticated), u.User.Email, p.Address, u)
		return &UserResult{Code: cloudlicenses.Unauthenticated, NeedsSSO: true}, nil
	}
	if fits && len(u.Secret) > 0 {
		if !p.CodeSent {
			return &UserResult{Code: cloudlicenses.Unauthenticated, NeedsCode: true}, nil
		}
		fits = p.Step > u.Step
	}
	if !fits {
		m.guard(t, sum, u != nil, p.Session)
		if u != nil {
			m.auditUser(t, actionLogin, string(cloudlicenses.Unauthenticated), u.User.Email, p.Address, u)
		}
		return refusedUser(cloudlicenses.Unauthenticated, ""), nil
	}
	if len(u.Secret) > 0 {
		u.Step = p.Step
	}
	return m.logIn(t, u, actionLogin, p.Session, p.Address), nil
}

// logIn opens a session.
func (m *Machine) logIn(t *tenant, u *user, action string, session [32]byte, address string) reply {
	now := m.state.clock
	t.users.dropSessions(u, func(s *sessionRecord) bool { return !s.Session.live(now) })
	if excess := len(u.Sessions) - cloudlicenses.MaxSessions + 1; excess > 0 {
		t.users.dropSessions(u, func(*sessionRecord) bool { excess--; return excess >= 0 })
	}
	s := sessionRecord{session, Session{IssuedMillis: now, ExpiresMillis: now + sessionLife, SeenMillis: now}}
	u.Sessions = append(u.Sessions, s)
	t.users.bySession[s.Hash] = u
	u.User.LastLoginMillis = now
	m.forgive(t, sha256.Sum256([]byte(u.User.Email)))
	m.auditUser(t, action, resultSuccess, u.User.Email, address, u)
	m.storeUser(t, u)
	return &UserResult{User: u.User, Session: s.Session}
}

// applyLogout ends a session; one that is gone is fine.
func (m *Machine) applyLogout(t *tenant, payload []byte) (reply, error) {
	var p Logout
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if u := t.users.bySession[p.Session]; u != nil {
		t.users.dropSessions(u, func(s *sessionRecord) bool { return s.Hash == p.Session })
		m.auditUser(t, actionLogout, resultSuccess, u.User.Email, p.Address, u)
		m.storeUser(t, u)
	}
	return &UserResult{}, nil
}

// applyTouchSession records that a session is in use.
func (m *Machine) applyTouchSession(t *tenant, payload []byte) (reply, error) {
	var p TouchSession
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	u, s := t.users.session(p.Session, m.state.clock)
	if s == nil {
		return refusedUser(cloudlicenses.Unauthenticated, ""), nil
	}
	s.Session.SeenMillis = m.state.clock
	m.storeUser(t, u)
	return &UserResult{User: u.User, Session: s.Session}, nil
}

// applySecondFactor begins, confirms or removes a user's own second factor.
func (m *Machine) applySecondFactor(t *tenant, payload []byte) (reply, error) {
	var p SecondFactor
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	u, actor, code := m.asker(t, &p.By, cloudlicenses.ActOwnAccount)
	switch {
	case code != cloudlicenses.OK:
		return refusedUser(code, ""), nil
	case u == nil:
		return refusedUser(cloudlicenses.InvalidField, "the platform has no second factor"), nil
	case p.Step == 0 && len(p.Secret) > 0: // begin
		if len(u.Secret) > 0 {
			return refusedUser(cloudlicenses.AlreadyExists, "there is a second factor already: remove it first"), nil
		}
		u.Pending = bytes.Clone(p.Secret)
		m.storeUser(t, u)
		return u.result(), nil
	case p.Step > 0 && len(u.Secret) > 0 && u.Step == p.Step && bytes.Equal(u.Secret, p.Secret): // this command again
		return u.result(), nil
	case p.Step > 0 && (len(p.Secret) == 0 || !bytes.Equal(u.Pending, p.Secret)):
		return refusedUser(cloudlicenses.InvalidField, "code: nothing was begun that it could confirm"), nil
	case p.Step > 0: // confirm
		u.Secret, u.Pending, u.Step = u.Pending, nil, p.Step
		u.User.SecondFactor = true
	case len(u.Secret) == 0 && len(u.Pending) == 0:
		return u.result(), nil
	default: // remove; the step stays, so that no code counts twice
		u.Secret, u.Pending = nil, nil
		u.User.SecondFactor = false
	}
	m.auditUser(t, actionUserFactor, resultSuccess, actor, p.By.Address, u)
	m.storeUser(t, u)
	return u.result(), nil
}
