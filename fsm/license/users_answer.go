package license

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// users answers QueryUsers.
func (q *question) users() (reply, error) {
	var ask ListUsers
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	page := &UserPage{}
	code, err := q.read(func(v view) error {
		for _, u := range v.tenant.users.order {
			if id := u.User.ID; ask.ID == id || ask.ID == "" && string(id) > ask.Cursor {
				page.Items = append(page.Items, u.User)
			}
		}
		return nil
	})
	if page.Code = code; code == cloudlicenses.OK && ask.ID != "" && len(page.Items) == 0 {
		page.Code = cloudlicenses.NotFound
	}
	slices.SortFunc(page.Items, func(a, b User) int { return strings.Compare(string(a.ID), string(b.ID)) })
	if limit := pageSize(ask.Limit); len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = string(page.Items[limit-1].ID)
	}
	return page, err
}

// login answers QueryLogin.
func (q *question) login() (reply, error) {
	var ask FindLogin
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	facts := &LoginFacts{}
	code, err := q.read(func(v view) error {
		if g := v.tenant.users.guards.byEmail[sha256.Sum256([]byte(ask.Email))]; g != nil {
			facts.LockedMillis = g.LockedMillis
		}
		if u := v.tenant.users.byEmail[ask.Email]; u != nil && u.User.Status == cloudlicenses.UserActive {
			facts.UserID, facts.Step = u.User.ID, u.Step
			facts.PasswordHash, facts.Secret = bytes.Clone(u.PasswordHash), bytes.Clone(u.Secret)
		}
		return nil
	})
	facts.Code = code
	return facts, err
}

// session answers QuerySession.
func (q *question) session() (reply, error) {
	var ask FindSession
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	facts := &SessionFacts{}
	code, err := q.read(func(v view) error {
		u, s := v.tenant.users.session(ask.Session, max(v.state.clock, ask.NowMillis))
		if s == nil {
			facts.Code = cloudlicenses.Unauthenticated
			return nil
		}
		facts.User, facts.Session, facts.Pending = u.User, s.Session, bytes.Clone(u.Pending)
		return nil
	})
	if code != cloudlicenses.OK {
		facts.Code = code
	}
	return facts, err
}

// token answers QueryToken.
func (q *question) token() (reply, error) {
	var ask FindToken
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	facts := &TokenFacts{}
	code, err := q.read(func(v view) error {
		u := v.tenant.users.token(ask.TokenHash, max(v.state.clock, ask.NowMillis))
		if u == nil {
			facts.Code = cloudlicenses.NotFound
			return nil
		}
		facts.Email = u.User.Email
		return nil
	})
	if code != cloudlicenses.OK {
		facts.Code = code
	}
	return facts, err
}
