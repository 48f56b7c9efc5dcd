package license_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// users draws commands about a few users, sessions and tokens, so that all
// meet all.
type users struct {
	t      *rapid.T
	r      *rig
	serial int
	tokens int // mailed so far: no two are alike
}

func (u *users) pick(name string, n int) int { return rapid.IntRange(0, n-1).Draw(u.t, name) }

func (u *users) one() (fsm.Op, msgp.Marshaler) {
	id := cl.UserID(fmt.Sprint("user-", u.pick("id", 4)))
	email := fmt.Sprint("u", u.pick("email", 5), "@acme")
	session := sum(fmt.Sprint("s", u.pick("session", max(1, u.serial))))
	role := cl.Roles[u.pick("role", 4)]
	by := license.By{Platform: u.pick("platform", 2) == 0, Session: session}
	mail := license.Mail{Token: fmt.Sprint("t", u.tokens), Purpose: cl.TokenInvite, ExpiresMillis: u.r.now + hour}
	switch u.pick("op", 12) {
	case 0, 1:
		put := &license.PutUser{By: by, ID: id, Email: email, Name: "N", Role: role}
		if u.pick("active", 3) > 0 {
			put.PasswordHash = []byte("p0")
		} else {
			put.Mail = mail
			u.tokens++
		}
		return license.OpPutUser, put
	case 2, 3:
		return license.OpUpdateUser, &license.UpdateUser{By: by, ID: id, Role: []cl.Role{"", role}[u.pick("change", 2)],
			Status: []cl.UserStatus{"", cl.UserActive, cl.UserDisabled}[u.pick("status", 3)]}
	case 4:
		return license.OpRemoveUser, &license.RemoveUser{By: by, ID: id}
	case 5:
		u.tokens++
		return license.OpMailToken, &license.MailToken{By: by, ID: id, Mail: mail}
	case 6:
		token := fmt.Sprint("t", max(0, u.tokens-1-u.pick("token", 4)))
		return license.OpSetPassword, &license.SetPassword{TokenHash: sum(token), PasswordHash: []byte("p0")}
	case 7:
		return license.OpLogout, &license.Logout{Session: session}
	case 8:
		return license.OpTouchSession, &license.TouchSession{Session: session}
	default:
		u.serial++
		password := fmt.Sprint("p", u.pick("password", 3)/2)
		return license.OpLogin, &license.Login{Email: email, PasswordOK: true, PasswordSum: sum(password), Session: sum(fmt.Sprint("s", u.serial))}
	}
}

func (u *users) list() []license.User {
	var page license.UserPage
	ask(u.t, u.r.m, "acme", license.QueryUsers, &license.ListUsers{Limit: 100}, &page)
	require.Equal(u.t, cl.OK, page.Code)
	return page.Items
}

// TestUsersProperties: whatever is asked for, addresses stay unique, an owner
// who can log in stays once there was one, a session is its user's and ends
// with a change of role or a disabling, a command repeated at once changes
// nothing, and a restart or a move neither.
func TestUsersProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := &users{t: t, r: newRig(t, smallStore())}
		defer func() { _ = u.r.m.Close() }()
		u.r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1, URL: "https://acme.localhost"}))
		owned := false
		before := map[cl.UserID]license.User{}
		for step := range rapid.IntRange(5, 40).Draw(t, "steps") {
			u.r.now += int64(u.pick("pause", 20)) * minute
			op, body := u.one()
			result := decodeUser(t, u.r.apply(encode(op, "acme", 1, body))[0])
			after := map[cl.UserID]license.User{}
			emails := map[string]bool{}
			owners := 0
			for _, one := range u.list() {
				require.False(t, emails[one.Email], "%s twice", one.Email)
				emails[one.Email], after[one.ID] = true, one
				if one.Role == cl.RoleOwner && one.Status == cl.UserActive {
					owners++
				}
			}
			require.True(t, owners > 0 || !owned, "the last owner went by %T %+v", body, body)
			owned = owned || owners > 0
			u.checkSessions(before, after)
			before = after

			if op == license.OpPutUser || op == license.OpLogin && result.Code == cl.OK || op == license.OpSetPassword && result.Code == cl.OK {
				again := decodeUser(t, u.r.apply(encode(op, "acme", 1, body))[0])
				require.Equal(t, result, again)
				require.Equal(t, len(after), len(u.list()))
			}
			switch u.pick("then", 12) {
			case 0:
				u.r.reopen()
			case 1:
				u.r.move(fmt.Sprint("moved-", step))
			}
		}
	})
}

func (u *users) checkSessions(before, after map[cl.UserID]license.User) {
	for i := range u.serial + 1 {
		var facts license.SessionFacts
		ask(u.t, u.r.m, "acme", license.QuerySession, &license.FindSession{Session: sum(fmt.Sprint("s", i)), NowMillis: u.r.now}, &facts)
		if facts.Code != cl.OK {
			continue
		}
		now := after[facts.User.ID]
		require.Equal(u.t, now, facts.User)
		require.Equal(u.t, cl.UserActive, now.Status)
		require.Greater(u.t, facts.Session.ExpiresMillis, u.r.now)
		if was, ok := before[now.ID]; ok && was.Role != now.Role {
			u.t.Fatalf("a session outlived the change from %s to %s", was.Role, now.Role)
		}
	}
}

// TestGuardsAreBounded: strangers fill neither memory nor disk, and users'
// own lock-outs outlive them.
func TestGuardsAreBounded(t *testing.T) {
	r := newRig(t, smallStore())
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}))
	r.apply(encode(license.OpPutUser, "acme", 1, &license.PutUser{
		By: license.By{Platform: true}, ID: "user-1", Email: "ann@acme", Name: "Ann", Role: cl.RoleOwner, PasswordHash: []byte("p"),
	}))
	attempt := func(email string, n int) []byte {
		return encode(license.OpLogin, "acme", 1, &license.Login{Email: email, Session: sum(fmt.Sprint(email, n))})
	}
	for i := range cl.LoginFailures {
		r.apply(attempt("ann@acme", i), attempt("first@nowhere", i))
	}
	locked := func(email string) bool {
		var facts license.LoginFacts
		ask(t, r.m, "acme", license.QueryLogin, &license.FindLogin{Email: email}, &facts)
		return facts.LockedMillis > r.now
	}
	require.True(t, locked("ann@acme"))
	require.True(t, locked("first@nowhere"), "an address without a user is locked out all the same")
	var flood [][]byte
	for i := range cl.MaxLoginGuards {
		flood = append(flood, attempt(fmt.Sprint(i, "@nowhere"), 0))
	}
	r.apply(flood...)
	require.True(t, locked("ann@acme"))
	require.False(t, locked("first@nowhere"))
	r.reopen()
	r.now += cl.LoginLock.Milliseconds() + 1
	r.apply(attempt("late@nowhere", 0))
	require.Equal(t, cl.OK, decodeUser(t, r.apply(encode(license.OpLogin, "acme", 1, &license.Login{
		Email: "ann@acme", PasswordOK: true, PasswordSum: sum("p"), Session: sum("in"),
	}))[0]).Code)
	r.reopen()
}

// TestInvitationsAreBounded: who is removed and invited anew, before and after a
// restart, waits as who is invited again does, and so does who would be one of too many.
func TestInvitationsAreBounded(t *testing.T) {
	r := newRig(t, smallStore())
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}))
	platform, tokens := license.By{Platform: true}, 0
	invite := func(n int) cl.Code {
		tokens++
		put := &license.PutUser{By: platform, ID: cl.UserID(fmt.Sprint("user-", tokens)), Email: fmt.Sprint(n, "@loop"), Name: "V", Role: cl.RoleViewer, Mail: license.Mail{
			Token: fmt.Sprint("t", tokens), Purpose: cl.TokenInvite, ExpiresMillis: r.now + cl.InviteLife.Milliseconds(),
		}}
		code := decodeUser(t, r.apply(encode(license.OpPutUser, "acme", 1, put))[0]).Code
		if code == cl.OK {
			r.apply(encode(license.OpRemoveUser, "acme", 1, &license.RemoveUser{By: platform, ID: put.ID}))
		}
		return code
	}
	require.Equal(t, cl.OK, invite(0))
	require.Equal(t, cl.RateLimited, invite(0))
	r.reopen()
	require.Equal(t, cl.RateLimited, invite(0))
	for n := 1; n < cl.MaxUsers; n++ {
		require.Equal(t, cl.OK, invite(n))
	}
	require.Equal(t, cl.RateLimited, invite(cl.MaxUsers))
	r.now += cl.InviteAgain.Milliseconds()
	require.Equal(t, cl.OK, invite(0))
	require.Equal(t, cl.OK, invite(cl.MaxUsers))
	r.reopen()
}
