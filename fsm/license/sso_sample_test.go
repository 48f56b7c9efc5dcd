package license_test

import (
	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// ssoSamples has one row per command about single sign-on. Append only.
func ssoSamples() []sample {
	by := license.By{Platform: true, Session: sum("s"), Address: "10.0.0.1"}
	return []sample{
		{"OpPutSSO", license.OpPutSSO, true, &license.PutSSO{
			By: by, Issuer: "https://id.acme", ClientID: "cloudlicenses", ClientSecret: "secret", EmailDomains: []string{"acme"},
			DefaultRole: cl.RoleViewer, Enforce: true,
		}},
		{"OpRemoveSSO", license.OpRemoveSSO, true, &license.RemoveSSO{By: by}},
		{"OpSSOLogin", license.OpSSOLogin, true, &license.SSOLogin{
			Revision: 1, Subject: "0b3f", Email: "ann@acme", UserID: "user-1", Name: "Ann", State: sum("state"), UntilMillis: epochStart + hour,
			Session: sum("s"), Address: "10.0.0.1",
		}},
	}
}

// ssoQuerySamples has one row per query about single sign-on. Append only.
func ssoQuerySamples() []sample {
	return []sample{{"QuerySSO", license.QuerySSO, true, &license.GetSSO{}}}
}
