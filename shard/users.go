package shard

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

var errNoSecrets = errors.New("the cluster's secrets are not open yet")

// NewUserID makes up an id.
func NewUserID() (cloudlicenses.UserID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a user id: %w", err)
	}
	return cloudlicenses.UserID("user-" + id.String()), nil
}

// DoUser has the tenant's group commit a command about users.
func (s *Shard) DoUser(ctx context.Context, tenant cloudlicenses.TenantID, op fsm.Op, payload msgp.Marshaler) (license.UserResult, Written, error) {
	var result license.UserResult
	w, err := s.Do(ctx, tenant, Command{Op: op, Payload: payload, Result: &result})
	return result, w, err
}

// readNow asks the tenant's leader.
func (s *Shard) readNow(ctx context.Context, tenant cloudlicenses.TenantID, op fsm.Op, query msgp.Marshaler, into msgp.Unmarshaler) error {
	_, err := s.Read(ctx, tenant, Command{Op: op, Payload: query, Result: into}, ReadOptions{Linearizable: true})
	return err
}

// Credentials are what a person typed to log in.
type Credentials struct {
	Email    string // normalized
	Password string
	Code     string // of the second factor; empty: none
	Address  string // of the client
}

// LoggedIn is what an attempt came to. Token is empty where it was refused.
type LoggedIn struct {
	license.UserResult
	Token string
}

// LogIn opens a session. A refusal takes as long, and reads the same, whether
// or not there is such a user.
func (s *Shard) LogIn(ctx context.Context, tenant cloudlicenses.TenantID, c Credentials) (LoggedIn, Written, error) {
	secrets := s.Secrets()
	if secrets == nil {
		return LoggedIn{}, Written{}, errNoSecrets
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	who := Asker{tenant, ClientOf(c.Address)}
	var facts license.LoginFacts
	err := s.readNow(ctx, tenant, license.QueryLogin, &license.FindLogin{Email: c.Email}, &facts)
	if noSuchVendor(tenant, err) { // reads, and takes as long, as a vendor without such a user
		_, err := PasswordFits(ctx, who, c.Password, nil)
		return LoggedIn{UserResult: license.UserResult{Code: cloudlicenses.Unauthenticated}}, Written{}, err
	}
	if err != nil {
		return LoggedIn{}, Written{}, err
	}
	if facts.LockedMillis > time.Now().UnixMilli() {
		refusal := license.UserResult{Code: cloudlicenses.LoginLocked, LockedMillis: facts.LockedMillis}
		return LoggedIn{UserResult: refusal}, Written{}, nil
	}
	fits, err := PasswordFits(ctx, who, c.Password, facts.PasswordHash)
	if err != nil {
		return LoggedIn{}, Written{}, err
	}
	attempt := &license.Login{
		Email: c.Email, PasswordOK: fits, PasswordSum: sha256.Sum256(facts.PasswordHash), CodeSent: c.Code != "", Address: c.Address,
	}
	if c.Code != "" && len(facts.Secret) > 0 {
		secret, err := secrets.openFactor(tenant, facts.UserID, facts.Secret)
		if err != nil {
			return LoggedIn{}, Written{}, err
		}
		attempt.Step = codeStep(secret, c.Code, time.Now())
	}
	token := NewSessionToken(tenant)
	attempt.Session = HashToken(token)
	result, w, err := s.DoUser(ctx, tenant, license.OpLogin, attempt)
	if err != nil || result.Code != cloudlicenses.OK {
		token = ""
	}
	return LoggedIn{result, token}, w, err
}

// Session tells whose a session is. It asks the leader: a session that was
// ended is refused on every node at once.
func (s *Shard) Session(ctx context.Context, tenant cloudlicenses.TenantID, hash [32]byte) (license.SessionFacts, error) {
	return s.session(ctx, tenant, hash, true)
}

// LookSession is Session for what goes on without anybody's doing: it is no use of
// the session, which may end for want of one.
func (s *Shard) LookSession(ctx context.Context, tenant cloudlicenses.TenantID, hash [32]byte) (license.SessionFacts, error) {
	return s.session(ctx, tenant, hash, false)
}

func (s *Shard) session(ctx context.Context, tenant cloudlicenses.TenantID, hash [32]byte, use bool) (license.SessionFacts, error) {
	var facts license.SessionFacts
	now := s.now().UnixMilli()
	err := s.readNow(ctx, tenant, license.QuerySession, &license.FindSession{Session: hash, NowMillis: now}, &facts)
	if err != nil || facts.Code != cloudlicenses.OK || !use || now-facts.Session.SeenMillis < cloudlicenses.SessionTouch.Milliseconds() {
		return facts, err
	}
	result, _, err := s.DoUser(ctx, tenant, license.OpTouchSession, &license.TouchSession{Session: hash})
	if errors.Is(err, cluster.ErrStorageFull) {
		return facts, nil // reads go on
	}
	if result.Code != cloudlicenses.OK {
		facts.Code = result.Code
	}
	return facts, err
}

// SetPassword trades a one-time token for a password that its user may have.
func (s *Shard) SetPassword(ctx context.Context, tenant cloudlicenses.TenantID, token, password, address string) (license.UserResult, Written, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	hash := HashToken(token)
	var facts license.TokenFacts
	query := &license.FindToken{TokenHash: hash, NowMillis: time.Now().UnixMilli()}
	err := s.readNow(ctx, tenant, license.QueryToken, query, &facts)
	unknown := noSuchVendor(tenant, err)
	if err != nil && !unknown {
		return license.UserResult{}, Written{}, err
	}
	if unknown || facts.Code != cloudlicenses.OK {
		return license.UserResult{Code: cloudlicenses.InvalidField, Detail: "token: is not valid, or not any more"}, Written{}, nil
	}
	if err := cloudlicenses.ValidatePassword(password, facts.Email); err != nil {
		return license.UserResult{Code: cloudlicenses.InvalidField, Detail: "password: " + err.Error()}, Written{}, nil
	}
	kept, err := HashPassword(ctx, Asker{tenant, ClientOf(address)}, password)
	if err != nil {
		return license.UserResult{}, Written{}, err
	}
	return s.DoUser(ctx, tenant, license.OpSetPassword, &license.SetPassword{TokenHash: hash, PasswordHash: kept, Address: address})
}

// MailReset mails a link for a new password, where there is such a user. It
// costs what a log-in costs, so that nobody has the cluster write at will.
func (s *Shard) MailReset(ctx context.Context, tenant cloudlicenses.TenantID, email, address string) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	if _, err := PasswordFits(ctx, Asker{tenant, ClientOf(address)}, "", nil); err != nil {
		return err
	}
	result, _, err := s.DoUser(ctx, tenant, license.OpMailToken, &license.MailToken{
		By: license.By{Platform: true, Address: address}, Email: email, Mail: NewMail(cloudlicenses.TokenReset),
	})
	switch {
	case noSuchVendor(tenant, err):
		return nil
	case err == nil:
		err = refused(result.Code, result.Detail)
	}
	return err
}

// noSuchVendor reports whether err says that a vendor's account is not there.
// All vendors share one host: strangers must not learn which ones there are.
func noSuchVendor(account cloudlicenses.TenantID, err error) bool {
	_, isAccount := account.Vendor()
	return isAccount && errors.Is(err, ErrTenantNotFound)
}

// NewMail makes up a one-time token to be mailed.
func NewMail(purpose cloudlicenses.TokenPurpose) license.Mail {
	life := cloudlicenses.InviteLife
	if purpose == cloudlicenses.TokenReset {
		life = cloudlicenses.ResetLife
	}
	return license.Mail{Token: NewOneTimeToken(), Purpose: purpose, ExpiresMillis: time.Now().Add(life).UnixMilli()}
}

// BeginFactor gives a session's user a second factor that is not in force
// before ConfirmFactor.
func (s *Shard) BeginFactor(ctx context.Context, tenant cloudlicenses.TenantID, by license.By, user *license.User) (secret, url string, result license.UserResult, w Written, err error) {
	secrets := s.Secrets()
	if secrets == nil {
		return "", "", result, w, errNoSecrets
	}
	if secret, url, err = newFactor(tenant, user.Email); err != nil {
		return "", "", result, w, err
	}
	sealed, err := secrets.sealFactor(tenant, user.ID, secret)
	if err != nil {
		return "", "", result, w, err
	}
	result, w, err = s.DoUser(ctx, tenant, license.OpSecondFactor, &license.SecondFactor{By: by, Secret: sealed})
	return secret, url, result, w, err
}

// ConfirmFactor puts a second factor into force by a code of it.
func (s *Shard) ConfirmFactor(ctx context.Context, tenant cloudlicenses.TenantID, by license.By, facts *license.SessionFacts, code string) (license.UserResult, Written, error) {
	secrets := s.Secrets()
	if secrets == nil {
		return license.UserResult{}, Written{}, errNoSecrets
	}
	if len(facts.Pending) == 0 {
		return license.UserResult{Code: cloudlicenses.InvalidField, Detail: "code: nothing was begun that it could confirm"}, Written{}, nil
	}
	secret, err := secrets.openFactor(tenant, facts.User.ID, facts.Pending)
	if err != nil {
		return license.UserResult{}, Written{}, err
	}
	step := codeStep(secret, code, time.Now())
	if step == 0 {
		return license.UserResult{Code: cloudlicenses.InvalidField, Detail: "code: is not the one of this moment"}, Written{}, nil
	}
	return s.DoUser(ctx, tenant, license.OpSecondFactor, &license.SecondFactor{By: by, Step: step, Secret: facts.Pending})
}

// Proves reports whether a session's user has shown the second factor that is in
// force, by a code of it, or the password: a session alone is not enough to do
// without it.
func (s *Shard) Proves(ctx context.Context, tenant cloudlicenses.TenantID, user *license.User, c Credentials) (bool, error) {
	secrets := s.Secrets()
	if secrets == nil {
		return false, errNoSecrets
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var facts license.LoginFacts
	err := s.readNow(ctx, tenant, license.QueryLogin, &license.FindLogin{Email: user.Email}, &facts)
	switch {
	case err != nil || facts.UserID != user.ID:
		return false, err
	case c.Code == "":
		return PasswordFits(ctx, Asker{tenant, ClientOf(c.Address)}, c.Password, facts.PasswordHash)
	case len(facts.Secret) == 0:
		return false, nil
	}
	secret, err := secrets.openFactor(tenant, user.ID, facts.Secret)
	return err == nil && codeStep(secret, c.Code, s.now()) > facts.Step, err // a code is taken once
}

// PutOwner makes an owner who logs in with a password right away, or gives the
// one of that id this password.
func (s *Shard) PutOwner(ctx context.Context, tenant cloudlicenses.TenantID, id cloudlicenses.UserID, email, name, password string) error {
	kept, err := HashPassword(ctx, Asker{Account: tenant}, password)
	if err != nil {
		return err
	}
	platform := license.By{Platform: true}
	result, _, err := s.DoUser(ctx, tenant, license.OpPutUser, &license.PutUser{
		By: platform, ID: id, Email: email, Name: name, Role: cloudlicenses.RoleOwner, PasswordHash: kept,
	})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return fmt.Errorf("create the owner of %s: %w", tenant, err)
	}
	var facts license.LoginFacts
	if err := s.readNow(ctx, tenant, license.QueryLogin, &license.FindLogin{Email: email}, &facts); err != nil {
		return err
	}
	if fits, err := PasswordFits(ctx, Asker{Account: tenant}, password, facts.PasswordHash); err != nil || fits {
		return err
	}
	mail := NewMail(cloudlicenses.TokenReset)
	result, _, err = s.DoUser(ctx, tenant, license.OpMailToken, &license.MailToken{By: platform, ID: id, Mail: mail})
	if err == nil && result.Code == cloudlicenses.OK {
		result, _, err = s.SetPassword(ctx, tenant, mail.Token, password, "")
	}
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	return err
}
