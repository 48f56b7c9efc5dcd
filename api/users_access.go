package api

import (
	"errors"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/guard"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// A user's session comes as a bearer token or in a cookie. A browser sends the
// cookie with whatever page asks, so that a change by cookie must also come
// from a page of the tenant itself.

var (
	problemNoSession = &problem{
		code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey,
		detail: "no live session: log in by POST /api/v1/login",
	}
	problemKeyForUser = &problem{
		code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey,
		detail: "this needs a user's session, and an API key was sent: log in by POST /api/v1/login, and send the token that it replies with",
	}
	problemCrossSite = &problem{
		code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey,
		detail: "the cookie counts only for pages of the tenant's own host: send Origin or Sec-Fetch-Site",
	}
	problemRole = &problem{
		code: cloudlicenses.ForbiddenRole, layer: cloudlicenses.LayerScope,
		detail: "the role of the session's user does not allow this",
	}
)

// Names of the cookie. The prefix makes browsers hold it to the very host.
const (
	cookieSecure = "__Host-cloudlicenses"
	cookiePlain  = "cloudlicenses"
)

func (s *Server) secure() bool { return s.cfg.Scheme == "https" }

func (s *Server) cookieName() string {
	if s.secure() {
		return cookieSecure
	}
	return cookiePlain
}

// bearer returns the text behind "Bearer", where there is one.
func (c *call) bearer() (string, bool) {
	header := c.ctx.Request.Header.Peek("Authorization")
	const scheme = "bearer "
	if len(header) <= len(scheme) || !guard.EqualFold(header[:len(scheme)], scheme) {
		return "", len(header) > 0
	}
	return strings.Trim(string(header[len(scheme):]), " "), true
}

// sessionToken returns the token of a session as sent. An Authorization header
// decides alone.
func (c *call) sessionToken() (token string, byCookie bool) {
	if text, sent := c.bearer(); sent {
		return text, false
	}
	return string(c.ctx.Request.Header.Cookie(c.server.cookieName())), true
}

// hasSession reports whether the request came with what may be a session.
func (c *call) hasSession() bool {
	token, _ := c.sessionToken()
	return shard.IsSessionToken(token)
}

// authenticateUser finds the session's user and asks the role.
func (c *call) authenticateUser() *problem {
	token, byCookie := c.sessionToken()
	if !shard.IsSessionToken(token) {
		return noSession(token)
	}
	return c.authenticateSession(token, byCookie)
}

// noSession refuses what was sent in place of a session.
func noSession(token string) *problem {
	_, notKey := shard.ParseAPIKey(token)
	_, notVendorKey := shard.ParseVendorKey(token)
	if notKey == nil || notVendorKey == nil {
		return problemKeyForUser
	}
	return problemNoSession
}

// authenticateSession is authenticateUser where the token's form is right.
func (c *call) authenticateSession(token string, byCookie bool) *problem {
	if byCookie && !c.ctx.IsGet() && !c.ctx.IsHead() && !c.sameOrigin() {
		return problemCrossSite
	}
	hash := shard.HashToken(token)
	session := c.server.shard.Session
	if c.ctx.IsGet() || c.ctx.IsHead() {
		session = c.server.shard.ReadSession
	}
	facts, err := session(c.context(), c.tenant, hash)
	switch {
	case errors.Is(err, shard.ErrTenantNotFound) && c.vendor != "":
		return problemNoSession
	case err != nil:
		return c.broken(err)
	case facts.Code != cloudlicenses.OK:
		return problemNoSession
	case !facts.User.Role.May(c.route.action):
		return problemRole
	}
	c.user, c.session = &facts, hash
	c.caller.Address = c.address()
	return nil
}

// broken is the problem that an error of the machinery amounts to.
func (c *call) broken(err error) *problem {
	c.err = err
	code := codeOf(err)
	return &problem{code: code, detail: detailOf(code)}
}

// by is who asks, for a command about users.
func (c *call) by() license.By { return license.By{Session: c.session, Address: c.address()} }

// sameOrigin reports whether the request says that a page of this very host
// made it.
func (c *call) sameOrigin() bool {
	h := &c.ctx.Request.Header
	if site := h.Peek("Sec-Fetch-Site"); len(site) > 0 {
		return string(site) == "same-origin"
	}
	return c.ownOrigin(h.Peek("Origin"))
}

func (c *call) ownOrigin(origin []byte) bool {
	return len(origin) > 0 && strings.EqualFold(string(origin), c.server.cfg.Scheme+"://"+string(c.ctx.Host()))
}

// sameSite refuses what another site's page sends: it must not log somebody in
// to an account of its choice. What is no page says nothing of a site.
func (c *call) sameSite() *problem {
	h := &c.ctx.Request.Header
	site, origin := string(h.Peek("Sec-Fetch-Site")), h.Peek("Origin")
	if site == "same-origin" || site == "none" || site == "" && (len(origin) == 0 || c.ownOrigin(origin)) {
		return nil
	}
	return problemCrossSite
}

// setCookie gives the session to a browser, or takes it away (empty).
func (c *call) setCookie(token string) {
	var cookie fasthttp.Cookie
	cookie.SetKey(c.server.cookieName())
	cookie.SetValue(token)
	cookie.SetPath("/")
	cookie.SetHTTPOnly(true)
	cookie.SetSameSite(fasthttp.CookieSameSiteLaxMode)
	cookie.SetSecure(c.server.secure())
	if token == "" {
		cookie.SetExpire(fasthttp.CookieExpireDelete)
	} else {
		cookie.SetMaxAge(int(cloudlicenses.SessionLife.Seconds()))
	}
	c.ctx.Response.Header.SetCookie(&cookie)
}
