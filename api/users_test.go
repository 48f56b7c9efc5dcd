package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

func sha(b []byte) [32]byte { return sha256.Sum256(b) }

func (p *pool) login(email, password, more string, headers ...header) *reply {
	p.t.Helper()
	return p.as("", "POST", "/api/v1/login", fmt.Sprintf(`{"email":%q,"password":%q%s}`, email, password, more), headers...)
}

// mailed returns the latest mail of a kind to an address.
func mailed(t *testing.T, tenant cloudlicenses.TenantID, kind, email string) map[string]string {
	t.Helper()
	var found map[string]string
	for group := 1; group <= 2; group++ {
		var page license.OutboxPage
		_, err := live.shard.ReadGroup(context.Background(), cluster.GroupID(group), shard.Command{
			Op: license.QueryOutbox, Payload: &license.ListOutbox{Limit: 10_000}, Result: &page,
		}, shard.ReadOptions{Linearizable: true})
		require.NoError(t, err)
		for _, o := range page.Items {
			mail := map[string]string{}
			if o.Kind == kind && o.TenantID == tenant && json.Unmarshal(o.Payload, &mail) == nil && mail["email"] == email {
				found = mail
			}
		}
	}
	require.NotNil(t, found, "no %s to %s", kind, email)
	return found
}

// TestUserStory: an owner invites somebody, who sets a password, logs in, and
// is promoted, disabled and removed.
func TestUserStory(t *testing.T) {
	p := newPool(t, 5, 0)
	owner := p.newUser("ann", cloudlicenses.RoleOwner)
	in := p.login(" ANN@acme.example", testPassword, "").wants(t, 200, "")
	session := in.text("token")
	cookie := in.Header.Get("Set-Cookie")
	for _, part := range []string{cookiePlain + "=" + session, "HttpOnly", "SameSite=Lax", "path=/", "max-age="} {
		require.Contains(t, cookie, part)
	}
	require.NotContains(t, strings.ToLower(cookie), "secure")
	require.Equal(t, "no-store", in.Header.Get("Cache-Control"))
	me := p.as(session, "GET", "/api/v1/me", "").wants(t, 200, "")
	require.Equal(t, string(p.tenant), me.text("tenant_id"))
	require.Equal(t, in.body["user"], me.body["user"])

	bob := p.as(session, "POST", "/api/v1/users", `{"email":"Bob@acme.example","name":"Bob","role":"viewer"}`).wants(t, 201, "")
	require.Equal(t, "bob@acme.example", bob.text("email"))
	require.Equal(t, "invited", bob.text("status"))
	lost := mailed(t, p.tenant, "mail.invite", "bob@acme.example")
	soon := p.as(session, "POST", "/api/v1/users", `{"email":"bob@acme.example","name":"Bob","role":"billing"}`).wants(t, 429, "rate_limited")
	require.Regexp(t, `^(59\d|600)$`, soon.Header.Get("Retry-After"))
	require.Equal(t, lost["token"], mailed(t, p.tenant, "mail.invite", "bob@acme.example")["token"], "nothing was mailed")
	p.ageInvitation(bob.text("id"))
	again := p.as(session, "POST", "/api/v1/users", `{"email":"bob@acme.example","name":"Bob","role":"billing"}`).wants(t, 200, "")
	require.Equal(t, []string{bob.text("id"), "billing", "invited"}, []string{again.text("id"), again.text("role"), again.text("status")})
	p.ageInvitation(bob.text("id"))
	p.as(session, "POST", "/api/v1/users", `{"email":"bob@acme.example","name":"Bob","role":"viewer"}`).wants(t, 200, "")
	mail := mailed(t, p.tenant, "mail.invite", "bob@acme.example")
	require.NotEqual(t, lost["token"], mail["token"])
	require.Equal(t, "ann@acme.example", mail["invited_by"])
	require.Equal(t, "Bob", mail["name"])
	require.NotEmpty(t, mail["tenant_url"])
	p.login("bob@acme.example", testPassword, "").wants(t, 401, "unauthenticated")

	set := func(token, password string) *reply {
		return p.as("", "POST", "/api/v1/password", fmt.Sprintf(`{"token":%q,"password":%q}`, token, password))
	}
	for _, bad := range []string{"short", "Bob@acme.example", strings.Repeat("x", 257)} {
		set(mail["token"], bad).wants(t, 422, "invalid_field")
	}
	set(shard.NewOneTimeToken(), testPassword).wants(t, 422, "invalid_field")
	set(lost["token"], testPassword).wants(t, 422, "invalid_field")
	set(mail["token"], "another good one").wants(t, 200, "")
	set(mail["token"], "yet another one").wants(t, 422, "invalid_field")
	p.as(session, "POST", "/api/v1/users", `{"email":"bob@acme.example","name":"Bob","role":"viewer"}`).wants(t, 409, "already_exists")
	bobs := p.login("bob@acme.example", "another good one", "").wants(t, 200, "").text("token")
	p.as(bobs, "GET", "/api/v1/licenses", "").wants(t, 200, "")
	p.checkout("u").wants(t, 201, "")
	leases := p.as(bobs, "GET", "/api/v1/leases", "").wants(t, 200, "")
	require.Len(t, leases.body["items"], 1, "a user sees the leases of every key")
	p.as(bobs, "POST", "/api/v1/licenses/checkout", `{"product_id":"cad","user":"u"}`).wants(t, 401, "unauthenticated")

	at := "/api/v1/users/" + bob.text("id")
	p.as(session, "PATCH", at, `{"role":"admin"}`).wants(t, 200, "")
	p.as(bobs, "GET", "/api/v1/me", "").wants(t, 401, "unauthenticated")
	bobs = p.login("bob@acme.example", "another good one", "").wants(t, 200, "").text("token")
	p.as(bobs, "PATCH", "/api/v1/users/"+string(owner.ID), `{"role":"viewer"}`).wants(t, 403, "forbidden_role")
	p.as(session, "PATCH", "/api/v1/users/"+string(owner.ID), `{"role":"viewer"}`).wants(t, 403, "forbidden_role")
	p.as(session, "DELETE", "/api/v1/users/"+string(owner.ID), "").wants(t, 403, "forbidden_role")
	released := p.as(bobs, "POST", "/api/v1/leases/lease-1/release", "").wants(t, 200, "")
	require.Equal(t, "released", released.text("reason"))
	p.as(session, "PATCH", at, `{"status":"disabled"}`).wants(t, 200, "")
	p.as(bobs, "GET", "/api/v1/me", "").wants(t, 401, "unauthenticated")
	p.login("bob@acme.example", "another good one", "").wants(t, 401, "unauthenticated")
	p.as(session, "DELETE", at, "").wants(t, 204, "")
	p.as(session, "DELETE", at, "").wants(t, 404, "not_found")
	page := p.as(session, "GET", "/api/v1/users?limit=1&consistency=linearizable", "").wants(t, 200, "")
	require.Len(t, page.body["items"], 1)
	require.Nil(t, page.body["next_cursor"])

	out := p.as(session, "POST", "/api/v1/logout", "").wants(t, 204, "")
	require.Contains(t, out.Header.Get("Set-Cookie"), cookiePlain+"=;")
	p.as(session, "GET", "/api/v1/me", "").wants(t, 401, "unauthenticated")
}

// TestReset: a mailed link ends what was, and who asks learns nothing.
func TestReset(t *testing.T) {
	p := newPool(t, 1, 0)
	session := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	ask := func(email string) *reply {
		return p.as("", "POST", "/api/v1/password/reset", fmt.Sprintf(`{"email":%q}`, email)).wants(t, 202, "")
	}
	require.Equal(t, ask("Ann@acme.example").raw, ask("eve@acme.example").raw)
	token := mailed(t, p.tenant, "mail.reset", "ann@acme.example")["token"]
	ask("ann@acme.example")
	require.Equal(t, token, mailed(t, p.tenant, "mail.reset", "ann@acme.example")["token"], "one mail a minute")
	p.as("", "POST", "/api/v1/password/reset", `{"email":"nonsense"}`).wants(t, 422, "invalid_field")
	p.as(session, "GET", "/api/v1/me", "").wants(t, 200, "")
	p.as("", "POST", "/api/v1/password", fmt.Sprintf(`{"token":%q,"password":"a fresh password"}`, token)).wants(t, 200, "")
	p.as(session, "GET", "/api/v1/me", "").wants(t, 401, "unauthenticated")
	p.login("ann@acme.example", testPassword, "").wants(t, 401, "unauthenticated")
	p.login("ann@acme.example", "a fresh password", "").wants(t, 200, "")
}

// TestLoginTellsNothing: an address without a user reads as one with, up to
// the lock-out.
func TestLoginTellsNothing(t *testing.T) {
	p := newPool(t, 1, 0)
	p.newUser("ann", cloudlicenses.RoleOwner)
	for i := range cloudlicenses.LoginFailures + 1 {
		known := p.login("ann@acme.example", "wrong password", "")
		nobody := p.login("eve@acme.example", "wrong password", "")
		if i < cloudlicenses.LoginFailures {
			known.wants(t, 401, "unauthenticated")
		} else {
			known.wants(t, 429, "login_locked")
			require.NotEmpty(t, known.Header.Get("Retry-After"))
			require.Greater(t, len(known.Header.Get("Retry-After")), 2, "about 900 seconds")
		}
		delete(known.body, "request_id")
		delete(nobody.body, "request_id")
		require.Equal(t, known.body, nobody.body)
	}
	p.login("ann@acme.example", testPassword, "").wants(t, 429, "login_locked")
}

func TestLoginBodies(t *testing.T) {
	p := newPool(t, 1, 0)
	p.newUser("ann", cloudlicenses.RoleOwner)
	for body, status := range map[string]int{
		``: 400, `{`: 400, `[]`: 422, `{"email":"a@b","password":"p","x":1}`: 400, `{"email":"a@b","email":"a@b","password":"p"}`: 400,
		`{"email":"a@b"}`: 422, `{"password":"p"}`: 422, `{"email":"nonsense","password":"p"}`: 422, `{"email":1,"password":"p"}`: 422,
		`{"email":"a@b","password":"` + strings.Repeat("p", 257) + `"}`: 422,
	} {
		r := p.as("", "POST", "/api/v1/login", body)
		require.Equal(t, status, r.StatusCode, "%s → %s", body, r.raw)
	}
	for _, foreign := range []header{{"Origin", "http://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		p.login("ann@acme.example", testPassword, "", foreign).wants(t, 401, "unauthenticated")
	}
	p.login("ann@acme.example", testPassword, "", header{"Sec-Fetch-Site", "same-origin"}).wants(t, 200, "")
	secure := New(Config{Shard: live.shard, Node: live.node, NodeID: "n1", Domain: "localhost"})
	require.Equal(t, "__Host-cloudlicenses", secure.cookieName())
}

func TestSecondFactor(t *testing.T) {
	p := newPool(t, 1, 0)
	session := p.newSession(p.newUser("ann", cloudlicenses.RoleOwner))
	begun := p.as(session, "POST", "/api/v1/me/totp", "").wants(t, 200, "")
	require.True(t, strings.HasPrefix(begun.text("otpauth_url"), "otpauth://totp/"))
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(begun.text("secret"), at)
		require.NoError(t, err)
		return c
	}
	p.login("ann@acme.example", testPassword, "").wants(t, 200, "")
	used := code(time.Now())
	p.as(session, "POST", "/api/v1/me/totp/confirm", `{"code":"`+used+`"}`).wants(t, 200, "")
	p.as(session, "POST", "/api/v1/me/totp", "").wants(t, 409, "already_exists")

	r := p.login("ann@acme.example", testPassword, "").wants(t, 401, "unauthenticated")
	require.Equal(t, "/totp", r.body["errors"].([]any)[0].(map[string]any)["pointer"])
	require.NotContains(t, p.login("ann@acme.example", "wrong password", "").wants(t, 401, "unauthenticated").body, "errors")
	p.login("ann@acme.example", testPassword, `,"totp":"`+used+`"`).wants(t, 401, "unauthenticated") // replayed
	next := code(time.Now().Add(30 * time.Second))
	p.login("ann@acme.example", testPassword, `,"totp":"`+next+`"`).wants(t, 200, "")
	p.login("ann@acme.example", testPassword, `,"totp":"`+next+`"`).wants(t, 401, "unauthenticated")
	// Who has lost it is helped by somebody else who may manage that role.
	ann := p.as(session, "GET", "/api/v1/me", "").wants(t, 200, "").body["user"].(map[string]any)["id"].(string)
	admin := p.newSession(p.newUser("adam", cloudlicenses.RoleAdmin))
	other := p.newSession(p.newUser("olga", cloudlicenses.RoleOwner))
	p.as(session, "PATCH", "/api/v1/users/"+ann, `{"totp":false}`).wants(t, 422, "invalid_field")
	p.as(other, "PATCH", "/api/v1/users/"+ann, `{"totp":true}`).wants(t, 422, "invalid_field")
	p.as(admin, "PATCH", "/api/v1/users/"+ann, `{"totp":false}`).wants(t, 403, "forbidden_role")
	require.Equal(t, false, p.as(other, "PATCH", "/api/v1/users/"+ann, `{"totp":false}`).wants(t, 200, "").body["totp"])
	p.as(session, "GET", "/api/v1/me", "").wants(t, 401, "unauthenticated")
	session = p.login("ann@acme.example", testPassword, "").wants(t, 200, "").text("token")
	begun = p.as(session, "POST", "/api/v1/me/totp", "").wants(t, 200, "")
	p.as(session, "POST", "/api/v1/me/totp/confirm", `{"code":"`+code(time.Now().Add(30*time.Second))+`"}`).wants(t, 200, "")
	remove := func(body string) *reply { return p.as(session, http.MethodDelete, "/api/v1/me/totp", body) }
	for _, body := range []string{"", `{}`, `{"code":"","password":""}`, `{"code":"1","password":"p"}`} { // a session alone is not enough
		require.Equal(t, "/code", remove(body).wants(t, 422, "invalid_field").body["errors"].([]any)[0].(map[string]any)["pointer"])
	}
	remove(`{"code":"12345x"}`).wants(t, 422, "invalid_field")
	remove(`{"password":"wrong password"}`).wants(t, 422, "invalid_field")
	require.Equal(t, true, p.as(session, "GET", "/api/v1/me", "").wants(t, 200, "").body["user"].(map[string]any)["totp"])
	remove(`{"password":"`+testPassword+`"}`).wants(t, 204, "")
	p.login("ann@acme.example", testPassword, "").wants(t, 200, "")

	begun = p.as(session, "POST", "/api/v1/me/totp", "").wants(t, 200, "")
	p.as(session, "POST", "/api/v1/me/totp/confirm", `{"code":"`+code(time.Now())+`"}`).wants(t, 200, "")
	remove(`{"code":"`+code(time.Now().Add(30*time.Second))+`"}`).wants(t, 204, "")
	begun = p.as(session, "POST", "/api/v1/me/totp", "").wants(t, 200, "")
	p.as(session, "POST", "/api/v1/me/totp/confirm", `{"code":"`+code(time.Now())+`"}`).wants(t, 200, "")
	remove(`{"code":"`+code(time.Now())+`"}`).wants(t, 422, "invalid_field") // replayed
	require.NotEmpty(t, remove(`{"code":"`+code(time.Now())+`"}`).wants(t, 429, "rate_limited").Header.Get("Retry-After"))
}

// TestInvitedAnew: who is removed and invited at once gets no second mail.
func TestInvitedAnew(t *testing.T) {
	p := newPool(t, 1, 0)
	owner := p.newSession(p.newUser("owner", cloudlicenses.RoleOwner))
	const victim = `{"email":"victim@loop.example","name":"V","role":"viewer"}`
	id := p.as(owner, "POST", "/api/v1/users", victim).wants(t, 201, "").text("id")
	p.as(owner, "DELETE", "/api/v1/users/"+id, "").wants(t, 204, "")
	require.NotEmpty(t, p.as(owner, "POST", "/api/v1/users", victim).wants(t, 429, "rate_limited").Header.Get("Retry-After"))
}
