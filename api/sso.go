package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tinylib/msgp/msgp"
	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

const (
	pathSSOLogin    = "/api/v1/sso/login"
	pathSSOCallback = "/api/v1/sso/callback"

	// ssoCookie, behind the name of the session's, holds a log-in that was begun.
	ssoCookie = "-sso"
)

// ssoRoutes are the rows of routeTable for single sign-on.
func ssoRoutes() []route {
	const view, manage = cloudlicenses.ActViewSettings, cloudlicenses.ActManageSettings
	return []route{
		{method: "GET", path: "/api/v1/sso", name: "sso", on: forUsers, action: view, handle: (*call).serveSSO},
		{method: "PUT", path: "/api/v1/sso", name: "sso_set", on: forUsers, action: manage, handle: (*call).serveSetSSO},
		{method: "DELETE", path: "/api/v1/sso", name: "sso_remove", on: forUsers, action: manage, handle: (*call).serveRemoveSSO},
		{method: "GET", path: pathSSOLogin, name: "sso_login", on: onTenantOpen, handle: (*call).serveSSOLogin},
		{method: "GET", path: pathSSOCallback, name: "sso_callback", on: onTenantOpen, handle: (*call).serveSSOCallback},
	}
}

// shownSSO are the settings as replies have them.
type shownSSO struct {
	Issuer       string              `json:"issuer"`
	ClientID     string              `json:"client_id"`
	RedirectURI  string              `json:"redirect_uri"` // to be registered at the provider
	LoginURL     string              `json:"login_url"`
	EmailDomains []string            `json:"email_domains"`
	DefaultRole  *cloudlicenses.Role `json:"default_role"` // null: people have to be invited
	Enforce      bool                `json:"enforce"`
	Owners       bool                `json:"owners"` // log in by it as well
	UpdatedAt    *string             `json:"updated_at"`
	UpdatedBy    string              `json:"updated_by"`
}

func (c *call) showSSO(s *license.SSO) shownSSO {
	shown := shownSSO{
		Issuer: s.Issuer, ClientID: s.ClientID, RedirectURI: c.redirectURI(), LoginURL: c.server.TenantURL(c.tenant) + pathSSOLogin,
		EmailDomains: s.EmailDomains, Enforce: s.Enforce, Owners: s.ByOwner,
		UpdatedAt: timeText(s.UpdatedMillis), UpdatedBy: s.UpdatedBy,
	}
	if s.DefaultRole != "" {
		shown.DefaultRole = &s.DefaultRole
	}
	return shown
}

func (c *call) redirectURI() string { return c.server.TenantURL(c.tenant) + pathSSOCallback }

// serveSSO is GET /api/v1/sso.
func (c *call) serveSSO() {
	o, ok := c.options()
	if !ok {
		return
	}
	var r license.SSOResult
	switch {
	case !c.read(license.QuerySSO, &license.GetSSO{}, &r, o):
	case r.Code == cloudlicenses.NotFound:
		c.refuse(&problem{code: r.Code, detail: r.Detail + ": PUT it here; the redirect_uri to register at the provider is " + c.redirectURI()})
	case c.found(r.Code):
		c.send(fasthttp.StatusOK, c.showSSO(&r.SSO))
	}
}

// ssoBody is the body of PUT /api/v1/sso.
type ssoBody struct {
	Issuer       *string            `json:"issuer"`
	ClientID     *string            `json:"client_id"`
	ClientSecret string             `json:"client_secret"`
	EmailDomains []string           `json:"email_domains"`
	DefaultRole  cloudlicenses.Role `json:"default_role"`
	Enforce      bool               `json:"enforce"`
}

// check judges the members and returns them as a command.
func (b *ssoBody) check(w *wrong, allowHTTP bool) *license.PutSSO {
	put := &license.PutSSO{ClientSecret: b.ClientSecret, DefaultRole: b.DefaultRole, Enforce: b.Enforce}
	if w.check(b.Issuer == nil, "issuer", "is missing"); b.Issuer != nil {
		put.Issuer = *b.Issuer
		err := notify.CheckURL(put.Issuer, allowHTTP)
		switch {
		case err != nil:
			w.check(true, "issuer", detailOfURL(err))
		case strings.Contains(put.Issuer, "?"): // OpenID Connect Discovery 1.0, 2
			w.check(true, "issuer", "can't be used: it has a query")
		}
	}
	if w.check(b.ClientID == nil, "client_id", "is missing"); b.ClientID != nil {
		put.ClientID = *b.ClientID
		w.check(!visible(put.ClientID) || put.ClientID == "" || len(put.ClientID) > cloudlicenses.MaxClientIDLength, "client_id",
			"must be 1 to "+strconv.Itoa(cloudlicenses.MaxClientIDLength)+" characters of ASCII")
	}
	w.check(!visible(b.ClientSecret) || len(b.ClientSecret) > cloudlicenses.MaxClientSecretLength, "client_secret",
		"must be at most "+strconv.Itoa(cloudlicenses.MaxClientSecretLength)+" characters of ASCII")
	w.check(len(b.EmailDomains) < 1 || len(b.EmailDomains) > cloudlicenses.MaxSSODomains, "email_domains",
		"must be 1 to "+strconv.Itoa(cloudlicenses.MaxSSODomains)+" domains")
	if len(b.EmailDomains) <= cloudlicenses.MaxSSODomains {
		for i, text := range b.EmailDomains {
			domain := strings.ToLower(text)
			email, err := cloudlicenses.NormalizeEmail("x@" + domain)
			w.check(err != nil || email != "x@"+domain, "email_domains/"+strconv.Itoa(i), "must be what stands behind the @ of an e-mail address")
			put.EmailDomains = append(put.EmailDomains, domain)
		}
	}
	slices.Sort(put.EmailDomains)
	put.EmailDomains = slices.Compact(put.EmailDomains)
	w.check(b.DefaultRole == cloudlicenses.RoleOwner || b.DefaultRole != "" && !b.DefaultRole.Valid(), "default_role",
		"must be admin, billing or viewer, or left out where people have to be invited")
	return put
}

// visible reports whether a text is of the characters that RFC 6749 lets an id
// or secret of a client have.
func visible(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// serveSetSSO is PUT /api/v1/sso.
func (c *call) serveSetSSO() {
	var in ssoBody
	if !c.decode(&in) {
		return
	}
	var w wrong
	put := in.check(&w, c.server.cfg.Providers.AllowHTTP)
	if !c.valid(w) {
		return
	}
	if err := c.server.shard.PlanHasSSO(c.context(), c.tenant); err != nil {
		c.refuseVendor(err)
		return
	}
	ctx, cancel := context.WithTimeout(c.context(), cloudlicenses.SSOTimeout)
	defer cancel()
	if err := c.server.openID.of(put.Issuer).check(ctx); err != nil {
		c.refuseIssuer(err)
		return
	}
	put.By = c.by()
	if r, ok := c.doSSO(license.OpPutSSO, put); ok {
		c.send(fasthttp.StatusOK, c.showSSO(&r.SSO))
	}
}

// refuseIssuer says what is wrong with one that a caller names; not more than
// that it gives no proper answer, for it is not for callers to look around by.
func (c *call) refuseIssuer(err error) {
	detail := "is no OpenID provider that can be reached: its /.well-known/openid-configuration must name this very issuer, and endpoints of https"
	switch {
	case errors.Is(err, errProviderBusy):
		c.refuseProvider(err)
		return
	case errors.Is(err, notify.ErrAddress):
		detail = "is not at a public address"
	}
	c.valid(wrong{body.FieldError{Pointer: "/issuer", Detail: detail}})
}

// serveRemoveSSO is DELETE /api/v1/sso.
func (c *call) serveRemoveSSO() {
	if _, ok := c.doSSO(license.OpRemoveSSO, &license.RemoveSSO{By: c.by()}); ok {
		c.done()
	}
}

// doSSO is decidedUser of a command about the settings.
func (c *call) doSSO(op fsm.Op, command msgp.Marshaler) (r license.SSOResult, ok bool) {
	w, err := c.server.shard.Do(c.context(), c.tenant, shard.Command{Op: op, Payload: command, Result: &r})
	return r, c.decidedUser(&license.UserResult{Code: r.Code, Detail: r.Detail}, w, err)
}

// refuseProvider sends what an error of a provider amounts to.
func (c *call) refuseProvider(err error) {
	switch {
	case errors.Is(err, errIdentity):
		_, what, _ := strings.Cut(err.Error(), ": ")
		c.refuse(&problem{
			code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey,
			detail: "the OpenID provider did not say who you are: " + what,
		})
	case errors.Is(err, errProviderBusy):
		c.refuse(&problem{code: cloudlicenses.Overloaded, detail: errProviderBusy.Error()})
	case errors.Is(err, errProvider):
		c.err = err
		c.refuse(&problem{code: cloudlicenses.Overloaded, detail: "the tenant's OpenID provider gives no proper answer at the moment; nothing was done, ask again"})
	default:
		c.refuseVendor(err)
	}
}

// serveSSOLogin is GET /api/v1/sso/login: it sends the browser to the tenant's
// OpenID provider.
func (c *call) serveSSOLogin() {
	settings, err := c.server.shard.SSO(c.context(), c.tenant)
	if err != nil {
		c.refuseVendor(err)
		return
	}
	ctx, cancel := context.WithTimeout(c.context(), cloudlicenses.SSOTimeout)
	defer cancel()
	pending := shard.NewPendingSSO(settings.Revision)
	to, err := c.server.openID.of(settings.Issuer).begin(ctx, &settings, &pending, c.redirectURI())
	if err != nil {
		c.refuseProvider(err)
		return
	}
	sealed, err := c.server.shard.SealSSO(c.tenant, pending)
	if err != nil {
		c.fail(err)
		return
	}
	c.setPending(sealed)
	c.redirect(to)
}

// serveSSOCallback is GET /api/v1/sso/callback, to which the provider sends the
// browser back.
func (c *call) serveSSOCallback() {
	cookie := string(c.ctx.Request.Header.Cookie(c.server.cookieName() + ssoCookie))
	c.setPending("")
	pending, ok, err := c.server.shard.OpenSSO(c.tenant, cookie)
	if err != nil {
		c.fail(err)
		return
	}
	args := c.ctx.QueryArgs()
	if !ok || subtle.ConstantTimeCompare([]byte(pending.State), args.Peek("state")) != 1 {
		c.refuse(&problem{
			code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey,
			detail: "this browser has begun no such log-in, or too long ago: begin by GET " + pathSSOLogin,
		})
		return
	}
	settings, err := c.server.shard.SSO(c.context(), c.tenant)
	if err != nil {
		c.refuseVendor(err)
		return
	}
	code, issuer := string(args.Peek("code")), string(args.Peek("iss"))
	switch {
	case settings.Revision != pending.Revision:
		err = identityError("the settings of single sign-on have changed meanwhile: log in again")
	case issuer != "" && issuer != settings.Issuer: // RFC 9207
		err = identityError("the answer is of another issuer")
	case code == "":
		err = identityError("it answered " + shownCode(string(args.Peek("error"))))
	}
	if err != nil {
		c.refuseProvider(err)
		return
	}
	c.finishSSO(&settings, pending, code)
}

func identityError(what string) error { return fmt.Errorf("%w: %s", errIdentity, what) }

// finishSSO opens the session, as POST /api/v1/login does.
func (c *call) finishSSO(settings *license.SSO, pending shard.PendingSSO, code string) {
	ctx, cancel := context.WithTimeout(c.context(), 2*cloudlicenses.SSOTimeout)
	defer cancel()
	who, err := c.server.openID.of(settings.Issuer).identify(ctx, settings, &pending, c.redirectURI(), code)
	if err != nil {
		c.refuseProvider(err)
		return
	}
	who.Address = c.address()
	opened, written, err := c.server.shard.FinishSSO(c.context(), c.tenant, pending, who)
	if !c.decidedUser(&opened.UserResult, written, err) {
		return
	}
	c.setCookie(opened.Token)
	c.redirect("/")
}

// redirect sends the browser somewhere. No cache may keep that, and no page may
// learn what led there.
func (c *call) redirect(to string) {
	h := &c.ctx.Response.Header
	h.Set("Location", to)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.SetBytesV(headerRequestID, c.id.text[:])
	c.ctx.SetStatusCode(fasthttp.StatusFound)
}

// setPending gives a log-in that was begun to the browser, or takes it away
// (empty). SameSite=Lax lets it come back with the provider's redirection.
func (c *call) setPending(sealed string) {
	var cookie fasthttp.Cookie
	cookie.SetKey(c.server.cookieName() + ssoCookie)
	cookie.SetValue(sealed)
	cookie.SetPath("/")
	cookie.SetHTTPOnly(true)
	cookie.SetSameSite(fasthttp.CookieSameSiteLaxMode)
	cookie.SetSecure(c.server.secure())
	if sealed == "" {
		cookie.SetExpire(fasthttp.CookieExpireDelete)
	} else {
		cookie.SetMaxAge(int(cloudlicenses.SSOLoginLife.Seconds()))
	}
	c.ctx.Response.Header.SetCookie(&cookie)
}
