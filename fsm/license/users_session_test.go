package license_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// sum is the hash that a session or token of this name is known by.
func sum(text string) [32]byte { return sha256.Sum256([]byte(text)) }

func (a arguments) by() license.By {
	by := license.By{Address: "10.0.0.1", Platform: !a.has("by")}
	if !by.Platform {
		by.Session = sum(a.text("by", ""))
	}
	if a.has("by-key") {
		by.Platform, by.Session = false, keyHash(a.text("by-key", ""))
	}
	return by
}

func (s *session) mail(a arguments) license.Mail {
	if !a.has("token") {
		return license.Mail{}
	}
	return license.Mail{
		Token: a.text("token", ""), Purpose: cl.TokenPurpose(a.text("purpose", "invite")),
		ExpiresMillis: s.r.now + a.duration("life", hour), Company: a.text("company", ""),
	}
}

// userCommand builds the body of a command line about users.
func (s *session) userCommand(name string, a arguments) (op fsm.Op, body msgp.Marshaler, known bool) {
	id := cl.UserID("user-" + a.text("id", "1"))
	email := a.text("email", "ann@acme")
	switch name {
	case "put-user":
		put := &license.PutUser{
			By: a.by(), ID: id, Email: email, Name: a.text("name", "Ann"), Role: cl.Role(a.text("role", "owner")), Mail: s.mail(a),
		}
		if a.has("password") {
			put.PasswordHash = []byte(a.text("password", ""))
		}
		return license.OpPutUser, put, true
	case "update-user":
		return license.OpUpdateUser, &license.UpdateUser{
			By: a.by(), ID: id, Name: a.text("name", ""), Role: cl.Role(a.text("role", "")), Status: cl.UserStatus(a.text("status", "")), DropIdentity: a.has("unbind"),
		}, true
	case "remove-user":
		return license.OpRemoveUser, &license.RemoveUser{By: a.by(), ID: id}, true
	case "mail-token":
		mail := &license.MailToken{By: a.by(), Mail: s.mail(a)}
		if a.has("email") {
			mail.Email = email
		} else {
			mail.ID = id
		}
		return license.OpMailToken, mail, true
	case "set-password":
		return license.OpSetPassword, &license.SetPassword{TokenHash: sum(a.text("token", "")), PasswordHash: []byte(a.text("password", ""))}, true
	case "login":
		password := a.text("password", "secret")
		return license.OpLogin, &license.Login{
			Email: email, PasswordOK: password != "wrong", PasswordSum: sum(password), Step: a.number("step", 0), CodeSent: a.has("step"),
			Session: sum(a.text("session", "")), Address: "10.0.0.1",
		}, true
	case "logout":
		return license.OpLogout, &license.Logout{Session: sum(a.text("session", ""))}, true
	case "touch":
		return license.OpTouchSession, &license.TouchSession{Session: sum(a.text("session", ""))}, true
	case "second-factor":
		return license.OpSecondFactor, &license.SecondFactor{By: a.by(), Step: a.number("step", 0), Secret: []byte(a.text("secret", ""))}, true
	}
	return 0, nil, false
}

func isUserOp(op fsm.Op) bool {
	return op >= license.OpPutUser && op <= license.OpSecondFactor || op == license.OpSSOLogin
}

func decodeUser(t rapid.TB, b []byte) license.UserResult {
	t.Helper()
	var u license.UserResult
	if bytes.Equal(b, mustMarshal(&license.Ack{Code: cl.StalePlacement})) {
		return license.UserResult{Code: cl.StalePlacement}
	}
	decode(t, b, &u)
	return u
}

func mustMarshal(m msgp.Marshaler) []byte {
	b, err := m.MarshalMsg(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func (s *session) showUser(out *strings.Builder, u license.UserResult) {
	switch {
	case u.Code == cl.LoginLocked || u.Code == cl.RateLimited && u.LockedMillis > 0:
		fmt.Fprintf(out, "%s until %s\n", u.Code, clock(u.LockedMillis))
	case u.Code != cl.OK && u.NeedsSSO:
		fmt.Fprintf(out, "%s: single sign-on wanted\n", u.Code)
	case u.Code != cl.OK && u.NeedsCode:
		fmt.Fprintf(out, "%s: code wanted\n", u.Code)
	case u.Code != cl.OK && u.Detail != "":
		fmt.Fprintf(out, "%s: %s\n", u.Code, u.Detail)
	case u.Code != cl.OK:
		fmt.Fprintln(out, u.Code)
	case u.User.ID == "":
		fmt.Fprintln(out, "ok")
	default:
		fmt.Fprintln(out, userLine(&u.User))
		if u.Session.ExpiresMillis != 0 {
			fmt.Fprintf(out, "session from %s to %s, seen %s\n", clock(u.Session.IssuedMillis), clock(u.Session.ExpiresMillis), clock(u.Session.SeenMillis))
		}
	}
}

func userLine(u *license.User) string {
	line := fmt.Sprintf("%s %s %q %s %s", u.ID, u.Email, u.Name, u.Role, u.Status)
	if u.SecondFactor {
		line += " second-factor"
	}
	if u.SSO {
		line += " bound"
	}
	if u.LastLoginMillis != 0 {
		line += " last " + clock(u.LastLoginMillis)
	}
	return line
}

func init() {
	shows["users"] = (*session).users
	shows["who"] = (*session).who
	shows["token"] = (*session).tokenOf
	shows["login-facts"] = (*session).loginFacts
}

func (s *session) users(a arguments) string {
	var out strings.Builder
	var page license.UserPage
	ask(s.r.t, s.r.m, s.tenant, license.QueryUsers, &license.ListUsers{ID: cl.UserID(a.text("id", "")), Cursor: a.text("cursor", ""), Limit: a.number("limit", 0)}, &page)
	if page.Code != cl.OK {
		return fmt.Sprintln(page.Code)
	}
	for i := range page.Items {
		fmt.Fprintln(&out, userLine(&page.Items[i]))
	}
	if page.Next != "" {
		fmt.Fprintln(&out, "next", page.Next)
	}
	return out.String()
}

func (s *session) who(a arguments) string {
	var facts license.SessionFacts
	ask(s.r.t, s.r.m, s.tenant, license.QuerySession, &license.FindSession{Session: sum(a.text("session", "")), NowMillis: s.r.now}, &facts)
	if facts.Code != cl.OK {
		return fmt.Sprintln(facts.Code)
	}
	return fmt.Sprintf("%s pending=%q\n", userLine(&facts.User), facts.Pending)
}

func (s *session) tokenOf(a arguments) string {
	var facts license.TokenFacts
	ask(s.r.t, s.r.m, s.tenant, license.QueryToken, &license.FindToken{TokenHash: sum(a.text("token", "")), NowMillis: s.r.now}, &facts)
	return fmt.Sprintln(facts.Code, facts.Email)
}

func (s *session) loginFacts(a arguments) string {
	var facts license.LoginFacts
	ask(s.r.t, s.r.m, s.tenant, license.QueryLogin, &license.FindLogin{Email: a.text("email", "")}, &facts)
	locked := "no"
	if facts.LockedMillis > 0 {
		locked = clock(facts.LockedMillis)
	}
	return fmt.Sprintf("user=%q password=%q secret=%q locked=%s\n", facts.UserID, facts.PasswordHash, facts.Secret, locked)
}
