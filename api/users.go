package api

import (
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"
	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// userRoutes are the rows of routeTable for the people of a tenant.
func userRoutes() []route {
	return []route{
		{method: "POST", path: "/api/v1/password", name: "password", on: onTenantOpen, handle: (*call).servePassword},
		{method: "POST", path: "/api/v1/password/reset", name: "password_reset", on: onTenantOpen, handle: (*call).serveReset},
		{method: "GET", path: "/api/v1/login", name: "login_ways", on: onTenantOpen, handle: (*call).serveLoginWays},
		{method: "POST", path: "/api/v1/login", name: "login", on: onTenantOpen, handle: (*call).serveLogin},
		{method: "POST", path: "/api/v1/logout", name: "logout", on: forUsers, action: cloudlicenses.ActOwnAccount, handle: (*call).serveLogout},
		{method: "GET", path: "/api/v1/me", name: "me", on: forUsers, action: cloudlicenses.ActOwnAccount, handle: (*call).serveMe},
		{method: "POST", path: "/api/v1/me/totp", name: "totp_begin", on: forUsers, action: cloudlicenses.ActOwnAccount, handle: (*call).serveBeginFactor},
		{method: "DELETE", path: "/api/v1/me/totp", name: "totp_remove", on: forUsers, action: cloudlicenses.ActOwnAccount, handle: (*call).serveRemoveFactor},
		{method: "POST", path: "/api/v1/me/totp/confirm", name: "totp_confirm", on: forUsers, action: cloudlicenses.ActOwnAccount, handle: (*call).serveConfirmFactor},
		{method: "GET", path: "/api/v1/users", name: "users", on: forUsers, action: cloudlicenses.ActViewUsers, handle: (*call).serveUsers},
		{method: "POST", path: "/api/v1/users", name: "user_invite", on: forUsers, action: cloudlicenses.ActManageUsers, handle: (*call).serveInvite},
		{method: "PATCH", path: "/api/v1/users/{id}", name: "user_update", on: forUsers, action: cloudlicenses.ActManageUsers, handle: (*call).serveUpdateUser},
		{method: "DELETE", path: "/api/v1/users/{id}", name: "user_remove", on: forUsers, action: cloudlicenses.ActManageUsers, handle: (*call).serveRemoveUser},
		{method: "POST", path: "/api/v1/leases/{id}/release", name: "release", on: forUsers, action: cloudlicenses.ActReleaseLease, handle: (*call).serveRelease},
	}
}

// shownUser is a user as replies have it.
type shownUser struct {
	ID        cloudlicenses.UserID     `json:"id"`
	Email     string                   `json:"email"`
	Name      string                   `json:"name"`
	Role      cloudlicenses.Role       `json:"role"`
	Status    cloudlicenses.UserStatus `json:"status"`
	TOTP      bool                     `json:"totp"`
	CreatedAt *string                  `json:"created_at"`
	LastLogin *string                  `json:"last_login_at"`
	SSO       bool                     `json:"sso"`
}

func showUser(u *license.User) shownUser {
	return shownUser{u.ID, u.Email, u.Name, u.Role, u.Status, u.SecondFactor, timeText(u.CreatedMillis), timeText(u.LastLoginMillis), u.SSO}
}

// send replies with v as JSON, which no cache may keep.
func (c *call) send(status int, v any) {
	var err error
	if c.out, err = appendJSON(c.out[:0], v); err != nil {
		c.fail(err)
		return
	}
	c.ctx.Response.Header.Set("Cache-Control", "no-store")
	c.reply(status)
}

// done replies that something was done, without a body.
func (c *call) done() {
	c.ctx.Response.Header.SetBytesV(headerRequestID, c.id.text[:])
	c.ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// decode reads the body. False means that the refusal is sent.
func (c *call) decode(v any) bool {
	if p := strictly(c.ctx.Request.Body(), v); p != nil {
		c.refuse(p)
		return false
	}
	return true
}

// wrong collects what is wrong with the members of a body.
type wrong []body.FieldError

func (w *wrong) check(bad bool, member, detail string) {
	if bad {
		*w = append(*w, body.FieldError{Pointer: "/" + member, Detail: detail})
	}
}

func (w *wrong) email(text *string) (email string) {
	if text == nil {
		w.check(true, "email", "is missing")
		return ""
	}
	email, err := cloudlicenses.NormalizeEmail(*text)
	w.check(err != nil, "email", cloudlicenses.ErrEmail.Error())
	return email
}

// valid refuses a body with wrong members; true means there are none.
func (c *call) valid(w wrong) bool {
	if len(w) > 0 {
		c.refuse(&problem{code: cloudlicenses.InvalidField, detail: "the body has invalid fields", invalid: w})
	}
	return len(w) == 0
}

// decidedUser sends an error or a refusal of a command about users; true
// means there is none.
func (c *call) decidedUser(r *license.UserResult, w shard.Written, err error) bool {
	if err != nil {
		c.fail(err)
		return false
	}
	if w.Applied != "" {
		c.written(w)
	}
	if r.Code == cloudlicenses.OK {
		return true
	}
	p := decided(r.Code, cloudlicenses.LayerNone, r.Detail, "")
	if r.Detail == "" && r.Code == cloudlicenses.Unauthenticated {
		p = problemNoSession
	} else if r.Detail == "" && r.Code == cloudlicenses.ForbiddenRole {
		p = problemRole
	} else if r.Code == cloudlicenses.RateLimited && r.LockedMillis > 0 {
		p.retryIn = secondsUntil(r.LockedMillis)
	}
	c.refuse(p)
	return false
}

// doUser is decidedUser of a command.
func (c *call) doUser(op fsm.Op, command msgp.Marshaler) (license.UserResult, bool) {
	result, w, err := c.server.shard.DoUser(c.context(), c.tenant, op, command)
	return result, c.decidedUser(&result, w, err)
}

// serveUsers is GET /api/v1/users.
func (c *call) serveUsers() {
	o, ok := c.options()
	if !ok {
		return
	}
	var list license.UserPage
	if !c.read(license.QueryUsers, &license.ListUsers{Cursor: o.cursor, Limit: o.limit}, &list, o) {
		return
	}
	if list.Code != cloudlicenses.OK {
		c.refuse(decided(list.Code, cloudlicenses.LayerNone, "", inQuery))
		return
	}
	c.send(fasthttp.StatusOK, newPage(list.Items, list.Next, showUser))
}

// serveInvite is POST /api/v1/users: the invitation leaves by mail. Who has not
// come yet is sent a fresh one (200).
func (c *call) serveInvite() {
	var in struct {
		Email *string            `json:"email"`
		Name  *string            `json:"name"`
		Role  cloudlicenses.Role `json:"role"`
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	email := w.email(in.Email)
	w.check(in.Name == nil || cloudlicenses.ValidatePersonName(*in.Name) != nil, "name", cloudlicenses.ErrPersonName.Error())
	w.check(!in.Role.Valid(), "role", "must be owner, admin, billing or viewer")
	if !c.valid(w) {
		return
	}
	id, err := shard.NewUserID()
	if err != nil {
		c.fail(err)
		return
	}
	result, ok := c.doUser(license.OpPutUser, &license.PutUser{
		By: c.by(), ID: id, Email: email, Name: *in.Name, Role: in.Role, Mail: shard.NewMail(cloudlicenses.TokenInvite),
	})
	switch {
	case !ok:
	case result.User.ID == id:
		c.send(fasthttp.StatusCreated, showUser(&result.User))
	default:
		c.send(fasthttp.StatusOK, showUser(&result.User))
	}
}

// serveUpdateUser is PATCH /api/v1/users/{id}.
func (c *call) serveUpdateUser() {
	var in struct {
		Name   *string                   `json:"name"`
		Role   *cloudlicenses.Role       `json:"role"`
		Status *cloudlicenses.UserStatus `json:"status"`
		TOTP   *bool                     `json:"totp"`
		SSO    *bool                     `json:"sso"`
	}
	if !c.decode(&in) {
		return
	}
	update := &license.UpdateUser{By: c.by(), ID: cloudlicenses.UserID(c.pathID)}
	var w wrong
	if in.Name != nil {
		update.Name = *in.Name
		w.check(cloudlicenses.ValidatePersonName(update.Name) != nil, "name", cloudlicenses.ErrPersonName.Error())
	}
	if in.Role != nil {
		update.Role = *in.Role
		w.check(!update.Role.Valid(), "role", "must be owner, admin, billing or viewer")
	}
	if in.Status != nil {
		update.Status = *in.Status
		w.check(update.Status != cloudlicenses.UserActive && update.Status != cloudlicenses.UserDisabled, "status", "must be active or disabled")
	}
	if in.TOTP != nil {
		update.DropFactor = !*in.TOTP
		w.check(*in.TOTP, "totp", "may only be false: people set up a second factor themselves")
	}
	if in.SSO != nil {
		update.DropIdentity = !*in.SSO
		w.check(*in.SSO, "sso", "may only be false: people are bound by their first single sign-on")
	}
	if !c.valid(w) {
		return
	}
	if result, ok := c.doUser(license.OpUpdateUser, update); ok {
		c.send(fasthttp.StatusOK, showUser(&result.User))
	}
}

// serveRemoveUser is DELETE /api/v1/users/{id}.
func (c *call) serveRemoveUser() {
	if _, ok := c.doUser(license.OpRemoveUser, &license.RemoveUser{By: c.by(), ID: cloudlicenses.UserID(c.pathID)}); ok {
		c.done()
	}
}

// serveRelease is POST /api/v1/leases/{id}/release.
func (c *call) serveRelease() {
	id, err := cloudlicenses.ParseLeaseID(string(c.pathID))
	if err != nil {
		c.refuse(&problem{code: cloudlicenses.LeaseNotFound, detail: "the tenant has no such lease"})
		return
	}
	if !c.do(license.OpRelease, &license.Release{Actor: c.user.User.Email, LeaseID: id}) {
		return
	}
	l := &c.lease.Lease
	c.out = appendLeaseID(append(c.out[:0], `{"lease_id":`...), l.ID)
	c.out = appendMember(c.out, `,"license_id":`, string(l.LicenseID))
	c.out = appendMember(c.out, `,"type":`, string(l.Type()))
	c.out = appendTime(append(c.out, `,"released_at":`...), l.EndedMillis)
	c.out = append(c.out, `,"reason":"released"}`...)
	c.reply(fasthttp.StatusOK)
}

// secondsUntil is a Retry-After.
func secondsUntil(millis int64) int {
	return max(1, int((time.Until(time.UnixMilli(millis))+time.Second-1)/time.Second))
}

var invalidPassword = "must be at most " + strconv.Itoa(cloudlicenses.MaxPasswordBytes) + " bytes"
