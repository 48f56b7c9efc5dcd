package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

const testPassword = "correct horse battery"

// testHash is of testPassword: a hash costs some time.
var testHash = sync.OnceValue(func() []byte {
	hash, err := shard.HashPassword(context.Background(), shard.Asker{}, testPassword)
	if err != nil {
		panic(err)
	}
	return hash
})

// userDo commits a command about users.
func (p *pool) userDo(op fsm.Op, payload interface {
	MarshalMsg([]byte) ([]byte, error)
	Msgsize() int
}) license.UserResult {
	p.t.Helper()
	result, _, err := live.shard.DoUser(context.Background(), p.tenant, op, payload)
	require.NoError(p.t, err)
	require.Equal(p.t, cloudlicenses.OK, result.Code, result.Detail)
	return result
}

// newUser gives the tenant a user with testPassword.
func (p *pool) newUser(name string, role cloudlicenses.Role) license.User {
	p.t.Helper()
	id, err := shard.NewUserID()
	require.NoError(p.t, err)
	return p.userDo(license.OpPutUser, &license.PutUser{
		By: license.By{Platform: true}, ID: id, Email: name + "@acme.example", Name: name, Role: role, PasswordHash: testHash(),
	}).User
}

// ageInvitation mails a user an invitation of so long ago that another may follow.
func (p *pool) ageInvitation(id string) {
	p.t.Helper()
	mail := shard.NewMail(cloudlicenses.TokenInvite)
	mail.ExpiresMillis -= cloudlicenses.InviteAgain.Milliseconds()
	p.userDo(license.OpMailToken, &license.MailToken{By: license.By{Platform: true}, ID: cloudlicenses.UserID(id), Mail: mail})
}

// newSession opens a session without the work of a password.
func (p *pool) newSession(u license.User) string {
	p.t.Helper()
	token := shard.NewSessionToken(p.tenant)
	p.userDo(license.OpLogin, &license.Login{Email: u.Email, PasswordOK: true, PasswordSum: sha(testHash()), Session: shard.HashToken(token)})
	return token
}

func (p *pool) as(token, method, path, body string, headers ...header) *reply {
	p.t.Helper()
	if token != "" {
		headers = append([]header{{"Authorization", "Bearer " + token}}, headers...)
	}
	return send(p.t, live.edge, string(p.tenant)+".localhost", method, path, body, headers...)
}

// userRow is what a route for users needs in the access test. Routes whose
// success ends something make it anew for each call.
type userRow struct {
	path func() string
	body func() string
	ok   int
}

func userRows(p *pool, fresh func() license.User) map[string]userRow {
	path := func(s string) func() string { return func() string { return s } }
	one := func(format string) func() string { return func() string { return fmt.Sprintf(format, fresh().ID) } }
	key := func(format string) func() string {
		return func() string {
			_, id := p.newKey(cloudlicenses.ScopeCheckout, time.Time{})
			return fmt.Sprintf(format, id)
		}
	}
	n := 0
	hooked := func(format string) func() string {
		return func() string { return fmt.Sprintf(format, p.newEndpoint()) }
	}
	rows := map[string]userRow{
		"POST /api/v1/logout":          {path("/api/v1/logout"), path(""), 204},
		"GET /api/v1/me":               {path("/api/v1/me"), path(""), 200},
		"POST /api/v1/me/totp":         {path("/api/v1/me/totp"), path(""), 200},
		"DELETE /api/v1/me/totp":       {path("/api/v1/me/totp"), path(""), 204},
		"POST /api/v1/me/totp/confirm": {path("/api/v1/me/totp/confirm"), path(`{"code":"000000"}`), 422},
		"GET /api/v1/users":            {path("/api/v1/users"), path(""), 200},
		"POST /api/v1/users":           {path("/api/v1/users"), func() string { n++; return fmt.Sprintf(`{"email":"i%d@acme.example","name":"I","role":"viewer"}`, n) }, 201},
		"PATCH /api/v1/users/{id}":     {one("/api/v1/users/%s"), path(`{"name":"New"}`), 200},
		"DELETE /api/v1/users/{id}":    {one("/api/v1/users/%s"), path(""), 204},
		"POST /api/v1/leases/{id}/release": {func() string {
			return "/api/v1/leases/" + p.checkout("held").wants(p.t, 201, "").text("lease_id") + "/release"
		}, path(""), 200},
		"GET /api/v1/keys":                    {path("/api/v1/keys"), path(""), 200},
		"POST /api/v1/keys/generate":          {path("/api/v1/keys/generate"), path(`{"app_name":"CI"}`), 201},
		"POST /api/v1/keys/{id}/restrictions": {key("/api/v1/keys/%s/restrictions"), path(`{"allowed_hostnames":["ws-1"]}`), 200},
		"POST /api/v1/keys/{id}/rotate":       {key("/api/v1/keys/%s/rotate"), path(""), 200},
		"POST /api/v1/keys/{id}/revoke":       {key("/api/v1/keys/%s/revoke"), path(`{"release_leases":true}`), 200},
		"GET /api/v1/audit":                   {path("/api/v1/audit"), path(""), 200},
		"GET /api/v1/audit/verify":            {path("/api/v1/audit/verify"), path(""), 200},
		"GET /api/v1/licenses":                {path("/api/v1/licenses"), path(""), 200},
		"GET /api/v1/licenses/{id}":           {path("/api/v1/licenses/" + string(p.license)), path(""), 200},
		"GET /api/v1/licenses/{id}/usage":     {path("/api/v1/licenses/" + string(p.license) + "/usage?start_date=2026-11-01&end_date=2026-11-30"), path(""), 200},
		"GET /api/v1/leases":                  {path("/api/v1/leases"), path(""), 200},
		"GET /api/v1/webhooks":                {path("/api/v1/webhooks"), path(""), 200},
		"POST /api/v1/webhooks":               {path("/api/v1/webhooks"), func() string { p.pruneEndpoints(); return `{"url":"https://acme.example/hook"}` }, 201},
		"GET /api/v1/webhooks/{id}":           {hooked("/api/v1/webhooks/%s"), path(""), 200},
		"PATCH /api/v1/webhooks/{id}":         {hooked("/api/v1/webhooks/%s"), path(`{"enabled":false}`), 200},
		"DELETE /api/v1/webhooks/{id}":        {hooked("/api/v1/webhooks/%s"), path(""), 204},
		"POST /api/v1/webhooks/{id}/rotate":   {hooked("/api/v1/webhooks/%s/rotate"), path(""), 200},
		"GET /api/v1/webhooks/deliveries":     {path("/api/v1/webhooks/deliveries"), path(""), 200},
		"GET /api/v1/sso":                     {func() string { p.setSSO(nil); return "/api/v1/sso" }, path(""), 200},
		"PUT /api/v1/sso":                     {path("/api/v1/sso"), func() string { return newIssuer(p.t).settings("") }, 200},
		"DELETE /api/v1/sso":                  {func() string { p.setSSO(nil); return "/api/v1/sso" }, path(""), 204},
		"POST /api/v1/webhooks/deliveries/{id}/replay": {func() string {
			return "/api/v1/webhooks/deliveries/" + p.newDelivery() + "/replay"
		}, path(""), 202},
		"GET /api/v1/events":      {path("/api/v1/events"), path(""), 200},
		"GET /api/v1/costs":       {path("/api/v1/costs?period=2026-11"), path(""), 200},
		"GET /api/v1/settings":    {path("/api/v1/settings"), path(""), 200},
		"PATCH /api/v1/settings":  {path("/api/v1/settings"), path(`{"overage":{"deny":false}}`), 200},
		"GET /api/v1/plan":        {path("/api/v1/plan"), path(""), 200},
		"PATCH /api/v1/plan":      {path("/api/v1/plan"), path(`{"plan":"enterprise"}`), 200},
		"GET /api/v1/deletion":    {path("/api/v1/deletion"), path(""), 200},
		"POST /api/v1/deletion":   {path("/api/v1/deletion"), path(`{"tenant_id":"` + string(p.tenant) + `"}`), 202},
		"DELETE /api/v1/deletion": {path("/api/v1/deletion"), path(""), 200},
	}
	maps.Copy(rows, linkedVendorRows(p))
	return rows
}

// TestUserAccess asks every route of users with no session, one that has
// ended, another tenant's, an API key, and each role.
func TestUserAccess(t *testing.T) {
	p, other := newPool(t, 500, 0), newPool(t, 1, 0)
	n := 0
	fresh := func() license.User {
		n++
		return p.newUser(fmt.Sprint("fresh", n), cloudlicenses.RoleViewer)
	}
	rows := userRows(p, fresh)
	theirs := other.newSession(other.newUser("owner", cloudlicenses.RoleOwner))
	people := map[cloudlicenses.Role]license.User{}
	for _, role := range cloudlicenses.Roles {
		people[role] = p.newUser(string(role), role)
	}
	ended := p.newSession(people[cloudlicenses.RoleOwner])
	p.userDo(license.OpLogout, &license.Logout{Session: shard.HashToken(ended)})
	for _, route := range routeTable() {
		if route.action == 0 || route.on.ofVendors() {
			continue
		}
		name := route.method + " " + route.path
		row, ok := rows[name]
		require.True(t, ok, "route %s has no row in userRows", name)
		t.Run(name, func(t *testing.T) {
			path := row.path()
			for _, token := range []string{"", "x", "clus_", shard.NewSessionToken(p.tenant), shard.NewSessionToken("@acme"), ended, theirs} {
				p.as(token, route.method, path, row.body()).wants(t, 401, "unauthenticated")
			}
			cookie := header{"Cookie", cookiePlain + "=" + ended}
			p.as("", route.method, path, row.body(), cookie).wants(t, 401, "unauthenticated")
			if route.on == forUsers {
				p.as(p.key, route.method, path, row.body()).wants(t, 401, "unauthenticated")
			}
			for _, role := range cloudlicenses.Roles {
				session := p.newSession(people[role])
				if !role.May(route.action) {
					p.as(session, route.method, path, row.body()).wants(t, 403, "forbidden_role")
					continue
				}
				code := ""
				if row.ok >= 400 {
					code = "invalid_field"
				}
				p.as(session, route.method, row.path(), row.body()).wants(t, row.ok, code)
				byCookie := header{"Cookie", cookiePlain + "=" + p.newSession(people[role])}
				origin := header{"Origin", "http://" + string(p.tenant) + ".localhost"}
				if route.method != http.MethodGet {
					for _, foreign := range []header{{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {}} {
						headers := []header{byCookie}
						if foreign.name != "" {
							headers = append(headers, foreign)
						}
						p.as("", route.method, path, row.body(), headers...).wants(t, 401, "unauthenticated")
					}
					p.as("", route.method, path, row.body(), byCookie, origin, header{"Sec-Fetch-Site", "cross-site"}).wants(t, 401, "unauthenticated")
				}
				p.as("", route.method, row.path(), row.body(), byCookie, origin).wants(t, row.ok, code)
			}
		})
	}
	owner := p.newSession(people[cloudlicenses.RoleOwner])
	for _, at := range []struct{ method, path, body string }{
		{"PATCH", "/api/v1/users/", `{"name":"N"}`}, {"DELETE", "/api/v1/users/", ""},
	} {
		foreign := other.newUser("x"+strings.ToLower(at.method), cloudlicenses.RoleViewer).ID
		for _, id := range []string{string(foreign), "user-none"} {
			p.as(owner, at.method, at.path+id, at.body).wants(t, 404, "not_found")
		}
	}
	_, foreignKey := other.newKey(cloudlicenses.ScopeCheckout, time.Time{})
	for _, action := range []string{"restrictions", "rotate", "revoke"} {
		for _, id := range []string{string(foreignKey), "key-none"} {
			p.as(owner, "POST", "/api/v1/keys/"+id+"/"+action, "{}").wants(t, 404, "not_found")
		}
	}
	theirEndpoint := other.newEndpoint()
	for _, at := range []struct{ method, path, body string }{
		{"GET", "", ""}, {"PATCH", "", `{}`}, {"DELETE", "", ""}, {"POST", "/rotate", ""},
	} {
		for _, id := range []string{string(theirEndpoint), "wh-none"} {
			p.as(owner, at.method, "/api/v1/webhooks/"+id+at.path, at.body).wants(t, 404, "not_found")
		}
	}
	for _, id := range []string{other.newDelivery(), "wh-none-1", "x"} {
		p.as(owner, "POST", "/api/v1/webhooks/deliveries/"+id+"/replay", "").wants(t, 404, "not_found")
	}
	for _, id := range []string{"lease-999999", "x", "lease-01"} {
		p.as(owner, "POST", "/api/v1/leases/"+id+"/release", "").wants(t, 404, "lease_not_found")
	}
	for _, route := range routeTable() {
		if route.on != forUsers && route.on != onTenantOpen {
			continue
		}
		send(t, live.edge, "localhost", route.method, strings.ReplaceAll(route.path, "{id}", "x"), "{}").wants(t, 404, "not_found")
		send(t, live.edge, "example.com", route.method, strings.ReplaceAll(route.path, "{id}", "x"), "{}").wants(t, 404, "tenant_not_found")
	}
}
