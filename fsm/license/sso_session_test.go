package license_test

import (
	"fmt"
	"strings"

	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// ssoCommand builds the body of a command line about single sign-on.
func (s *session) ssoCommand(name string, a arguments) (op fsm.Op, body msgp.Marshaler, known bool) {
	switch name {
	case "put-sso":
		return license.OpPutSSO, &license.PutSSO{
			By: a.by(), Issuer: a.text("issuer", "https://id.acme"), ClientID: a.text("client", "c1"), ClientSecret: a.text("secret", ""),
			EmailDomains: a.list("domains"), DefaultRole: cl.Role(a.text("default", "")), Enforce: a.has("enforce"),
		}, true
	case "remove-sso":
		return license.OpRemoveSSO, &license.RemoveSSO{By: a.by()}, true
	case "sso-login":
		return license.OpSSOLogin, &license.SSOLogin{
			Revision: a.number("revision", 1), Subject: a.text("sub", a.text("email", "ann@acme")), Email: a.text("email", "ann@acme"), UserID: cl.UserID("user-" + a.text("id", "1")), Name: a.text("name", "Ann"),
			State: sum(a.text("state", a.text("session", ""))), UntilMillis: s.r.now + a.duration("life", 10*minute),
			Session: sum(a.text("session", "")), Address: "10.0.0.1",
		}, true
	}
	return 0, nil, false
}

func isSSOOp(op fsm.Op) bool { return op == license.OpPutSSO || op == license.OpRemoveSSO }

func (s *session) showSSO(out *strings.Builder, b []byte) {
	var r license.SSOResult
	decode(s.r.t, b, &r)
	switch {
	case r.Code != cl.OK && r.Detail != "":
		fmt.Fprintf(out, "%s: %s\n", r.Code, r.Detail)
	case r.Code != cl.OK:
		fmt.Fprintln(out, r.Code)
	case r.SSO.Issuer == "":
		fmt.Fprintf(out, "revision %d: none\n", r.SSO.Revision)
	default:
		fmt.Fprintf(out, "revision %d: %s as %s (%s) for %v default=%q enforce=%v by-owner=%v, %s by %s\n", r.SSO.Revision, r.SSO.Issuer, r.SSO.ClientID,
			r.SSO.ClientSecret, r.SSO.EmailDomains, r.SSO.DefaultRole, r.SSO.Enforce, r.SSO.ByOwner, clock(r.SSO.UpdatedMillis), r.SSO.UpdatedBy)
	}
}

func init() { shows["sso"] = (*session).sso }

func (s *session) sso(arguments) string {
	var out strings.Builder
	var r license.SSOResult
	ask(s.r.t, s.r.m, s.tenant, license.QuerySSO, &license.GetSSO{}, &r)
	s.showSSO(&out, mustMarshal(&r))
	return out.String()
}
