package api

import (
	"cmp"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// shownLogin is the reply to a log-in.
type shownLogin struct {
	Token     string    `json:"token"`
	ExpiresAt *string   `json:"expires_at"`
	User      shownUser `json:"user"`
}

// shownMe says who asks: a user, or on the vendors' host a key.
type shownMe struct {
	TenantID  cloudlicenses.TenantID `json:"tenant_id,omitempty"`
	VendorID  cloudlicenses.VendorID `json:"vendor_id,omitempty"`
	ExpiresAt *string                `json:"expires_at"` // of the session or key
	Status    string                 `json:"tenant_status,omitempty"`
	User      *shownUser             `json:"user,omitempty"`
	KeyID     cloudlicenses.KeyID    `json:"key_id,omitempty"`
	AppName   string                 `json:"app_name,omitempty"`
	Company   string                 `json:"company_name"` // of the tenant, or the vendor's name
	Role      cloudlicenses.Role     `json:"role,omitempty"`
	May       []string               `json:"permissions"`        // the actions that role or key allow
	Branding  *shownBranding         `json:"branding,omitempty"` // of a vendor that has set any
}

// permissions lists what may be done, for pages to offer nothing else.
func permissions(may func(cloudlicenses.Action) bool) []string {
	names := make([]string, 0, len(cloudlicenses.Actions))
	for _, action := range cloudlicenses.Actions {
		if may(action) {
			names = append(names, action.String())
		}
	}
	return names
}

// companyOf is a tenant's name; its id where an operator gave it none.
func companyOf(t *directory.Tenant) string { return cmp.Or(t.Company, string(t.ID)) }

// shownLoginWays is what a page needs to know before anybody has logged in, and
// no more than a stranger may.
type shownLoginWays struct {
	TenantID cloudlicenses.TenantID `json:"tenant_id,omitempty"`
	VendorID cloudlicenses.VendorID `json:"vendor_id,omitempty"` // of a white-label host; else it is to be asked for
	Company  string                 `json:"company_name,omitempty"`
	Password bool                   `json:"password"`
	SSO      *shownSSOWay           `json:"sso"`                // null: there is none
	Branding *shownBranding         `json:"branding,omitempty"` // of a white-label host's vendor that has set any
}

type shownSSOWay struct {
	Name     string `json:"name"` // the provider's host
	LoginURL string `json:"login_url"`
	Enforced bool   `json:"enforced"` // passwords are for owners alone
}

// serveLoginWays is GET /api/v1/login.
func (c *call) serveLoginWays() {
	if c.site.vendors {
		c.serveVendorLoginWays()
		return
	}
	// Whoever asks: nobody's reads wait for an index or bother the leaders.
	tenant, err := c.server.shard.Tenant(c.context(), c.tenant)
	if err != nil {
		c.fail(err)
		return
	}
	var r license.SSOResult
	if !c.read(license.QuerySSO, &license.GetSSO{}, &r, listOptions{}) {
		return
	}
	ways := shownLoginWays{TenantID: c.tenant, Company: companyOf(&tenant), Password: true}
	if r.Code == cloudlicenses.OK && shard.HasSSO(&tenant) {
		ways.SSO = c.showSSOWay(&r.SSO)
	}
	c.send(fasthttp.StatusOK, ways)
}

func (c *call) showSSOWay(s *license.SSO) *shownSSOWay {
	way := &shownSSOWay{Name: s.Issuer, LoginURL: c.server.TenantURL(c.tenant) + pathSSOLogin, Enforced: s.Enforce}
	if issuer, err := url.Parse(s.Issuer); err == nil && issuer.Host != "" {
		way.Name = issuer.Hostname()
	}
	return way
}

// serveLogin is POST /api/v1/login.
func (c *call) serveLogin() {
	var in struct {
		VendorID *string `json:"vendor_id"`
		Email    *string `json:"email"`
		Password *string `json:"password"`
		TOTP     string  `json:"totp"`
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	c.whose(&w, in.VendorID)
	email := w.email(in.Email)
	w.check(in.Password == nil, "password", "is missing")
	w.check(in.Password != nil && len(*in.Password) > cloudlicenses.MaxPasswordBytes, "password", invalidPassword)
	w.check(len(in.TOTP) > 16, "totp", "must be a code of six digits")
	if !c.valid(w) {
		return
	}
	opened, written, err := c.server.shard.LogIn(c.context(), c.tenant, shard.Credentials{
		Email: email, Password: *in.Password, Code: in.TOTP, Address: c.address(),
	})
	if err != nil {
		c.fail(err)
		return
	}
	if written.Applied != "" {
		c.written(written)
	}
	if opened.Code != cloudlicenses.OK {
		c.refuse(refusedLogin(&opened.UserResult))
		return
	}
	c.setCookie(opened.Token)
	c.send(fasthttp.StatusOK, shownLogin{Token: opened.Token, ExpiresAt: timeText(opened.Session.ExpiresMillis), User: showUser(&opened.User)})
}

// refusedLogin never says whether there is such a user; that a code or single
// sign-on is wanted says it only to who knows the password.
func refusedLogin(r *license.UserResult) *problem {
	p := &problem{code: r.Code}
	switch {
	case r.Code == cloudlicenses.LoginLocked:
		p.detail, p.retryIn = "too many attempts failed: wait, or ask for a new password", secondsUntil(r.LockedMillis)
	case r.Code == cloudlicenses.Unauthenticated && r.NeedsSSO:
		p.detail = "passwords are turned off: log in by GET " + pathSSOLogin
	case r.Code == cloudlicenses.Unauthenticated && r.NeedsCode:
		p.detail = "the account has a second factor: send its code as totp"
		p.invalid = []body.FieldError{{Pointer: "/totp", Detail: "is missing"}}
	case r.Code == cloudlicenses.Unauthenticated:
		p.detail = "e-mail address, password or code is wrong"
	}
	return p
}

// serveLogout is POST /api/v1/logout.
func (c *call) serveLogout() {
	if _, ok := c.doUser(license.OpLogout, &license.Logout{Session: c.session, Address: c.address()}); ok {
		c.setCookie("")
		c.done()
	}
}

// servePassword is POST /api/v1/password: the link of a mail leads to it.
func (c *call) servePassword() {
	var in struct {
		VendorID *string `json:"vendor_id"`
		Token    *string `json:"token"`
		Password *string `json:"password"`
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	c.whose(&w, in.VendorID)
	w.check(in.Token == nil || !shard.IsOneTimeToken(*in.Token), "token", "is not valid, or not any more")
	w.check(in.Password == nil || cloudlicenses.ValidatePassword(*in.Password, "") != nil, "password", cloudlicenses.ErrPassword.Error())
	if !c.valid(w) {
		return
	}
	result, written, err := c.server.shard.SetPassword(c.context(), c.tenant, *in.Token, *in.Password, c.address())
	if c.decidedUser(&result, written, err) {
		c.send(fasthttp.StatusOK, showUser(&result.User))
	}
}

// serveReset is POST /api/v1/password/reset: it answers alike, whether or not a
// link leaves by mail.
func (c *call) serveReset() {
	var in struct {
		VendorID *string `json:"vendor_id"`
		Email    *string `json:"email"`
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	c.whose(&w, in.VendorID)
	email := w.email(in.Email)
	if !c.valid(w) {
		return
	}
	if err := c.server.shard.MailReset(c.context(), c.tenant, email, c.address()); err != nil {
		c.fail(err)
		return
	}
	c.send(fasthttp.StatusAccepted, struct{}{})
}

// serveMe is GET /api/v1/me.
func (c *call) serveMe() {
	tenant, err := c.server.shard.Tenant(c.context(), c.tenant)
	if err != nil {
		c.fail(err)
		return
	}
	user := showUser(&c.user.User)
	c.send(fasthttp.StatusOK, shownMe{
		TenantID: c.tenant, ExpiresAt: timeText(c.user.Session.ExpiresMillis), User: &user,
		Status: string(tenant.Status), Company: companyOf(&tenant), Role: user.Role, May: permissions(user.Role.May),
	})
}

// serveBeginFactor is POST /api/v1/me/totp.
func (c *call) serveBeginFactor() {
	secret, url, result, written, err := c.server.shard.BeginFactor(c.context(), c.tenant, c.by(), &c.user.User)
	if c.decidedUser(&result, written, err) {
		c.send(fasthttp.StatusOK, struct {
			Secret string `json:"secret"`
			URL    string `json:"otpauth_url"`
		}{secret, url})
	}
}

// serveConfirmFactor is POST /api/v1/me/totp/confirm.
func (c *call) serveConfirmFactor() {
	var in struct {
		Code *string `json:"code"`
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	w.check(in.Code == nil || len(*in.Code) != 6, "code", "must be a code of six digits")
	if !c.valid(w) {
		return
	}
	result, written, err := c.server.shard.ConfirmFactor(c.context(), c.tenant, c.by(), c.user, *in.Code)
	if c.decidedUser(&result, written, err) {
		c.send(fasthttp.StatusOK, showUser(&result.User))
	}
}

// serveRemoveFactor is DELETE /api/v1/me/totp. What is not in force yet needs no proof.
func (c *call) serveRemoveFactor() {
	if c.user.User.SecondFactor && !c.proved() {
		return
	}
	if _, ok := c.doUser(license.OpSecondFactor, &license.SecondFactor{By: c.by()}); ok {
		c.done()
	}
}

// proved reads who somebody is from a body beside the session, or refuses the request.
func (c *call) proved() bool {
	var in struct {
		Code     string `json:"code"`
		Password string `json:"password"`
	}
	if !c.decodeOptional(&in) {
		return false
	}
	var w wrong
	w.check((in.Code == "") == (in.Password == ""), "code", "is wanted, or password in its place")
	w.check(len(in.Password) > cloudlicenses.MaxPasswordBytes, "password", "is not the one of this account")
	if !c.valid(w) {
		return false
	}
	if wait := c.server.proofs.take(c.tenant, c.user.User.ID, time.Now()); wait > 0 {
		c.refuse(&problem{code: cloudlicenses.RateLimited, detail: "too many tries; wait", retryIn: wholeSeconds(wait)})
		return false
	}
	ok, err := c.server.shard.Proves(c.context(), c.tenant, &c.user.User, shard.Credentials{Code: in.Code, Password: in.Password, Address: c.address()})
	if err != nil {
		c.fail(err)
		return false
	}
	w.check(!ok && in.Code != "", "code", "is not the one of this moment")
	w.check(!ok && in.Code == "", "password", "is not the one of this account")
	return c.valid(w)
}
