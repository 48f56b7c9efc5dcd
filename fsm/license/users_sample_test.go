package license_test

import (
	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// userSamples has one row per command about users. Append only.
func userSamples() []sample {
	by := license.By{Platform: true, Session: sum("s"), Address: "10.0.0.1"}
	mail := license.Mail{Token: "token", Purpose: cl.TokenInvite, ExpiresMillis: epochStart + hour, Company: "Acme AG"}
	return []sample{
		{"OpPutUser", license.OpPutUser, true, &license.PutUser{
			By: by, ID: "user-1", Email: "ann@acme", Name: "Ann", Role: cl.RoleOwner, PasswordHash: []byte("$argon2id$"), Mail: mail,
		}},
		{"OpUpdateUser", license.OpUpdateUser, true, &license.UpdateUser{By: by, ID: "user-1", Name: "Anna", Role: cl.RoleAdmin, Status: cl.UserDisabled, DropFactor: true, DropIdentity: true}},
		{"OpRemoveUser", license.OpRemoveUser, true, &license.RemoveUser{By: by, ID: "user-2"}},
		{"OpMailToken", license.OpMailToken, true, &license.MailToken{By: by, ID: "user-1", Email: "ann@acme", Mail: mail}},
		{"OpSetPassword", license.OpSetPassword, true, &license.SetPassword{TokenHash: sum("token"), PasswordHash: []byte("$argon2id$"), Address: "10.0.0.1"}},
		{"OpLogin", license.OpLogin, true, &license.Login{
			Email: "ann@acme", PasswordOK: true, PasswordSum: sum("$argon2id$"), Step: 59_000_000, CodeSent: true, Session: sum("s"), Address: "10.0.0.1",
		}},
		{"OpLogout", license.OpLogout, true, &license.Logout{Session: sum("s"), Address: "10.0.0.1"}},
		{"OpTouchSession", license.OpTouchSession, true, &license.TouchSession{Session: sum("s"), Address: "10.0.0.1"}},
		{"OpSecondFactor", license.OpSecondFactor, true, &license.SecondFactor{By: by, Step: 59_000_000, Secret: []byte("sealed")}},
	}
}

// userQuerySamples has one row per query about users. Append only.
func userQuerySamples() []sample {
	return []sample{
		{"QueryUsers", license.QueryUsers, true, &license.ListUsers{ID: "user-1", Cursor: "user-0", Limit: 50}},
		{"QueryLogin", license.QueryLogin, true, &license.FindLogin{Email: "ann@acme"}},
		{"QuerySession", license.QuerySession, true, &license.FindSession{Session: sum("s"), NowMillis: epochStart}},
		{"QueryToken", license.QueryToken, true, &license.FindToken{TokenHash: sum("token"), NowMillis: epochStart}},
	}
}
