package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=sso_command.go -o=sso_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.UserID as:string using:string/cloudlicenses.UserID mode:cast
//msgp:shim cloudlicenses.Role as:string using:string/cloudlicenses.Role mode:cast

// The commands and queries about single sign-on; 100–109 are theirs. Append
// only.
const (
	OpPutSSO    fsm.Op = 100 // PutSSO → SSOResult
	OpRemoveSSO fsm.Op = 101 // RemoveSSO → SSOResult
	OpSSOLogin  fsm.Op = 102 // SSOLogin → UserResult

	QuerySSO fsm.Op = 100 // GetSSO → SSOResult
)

// SSO is the OpenID provider at which a tenant's people log in. It is a record
// on disk as well, which outlives its removal: without an Issuer there is none,
// but its Revision is never given again.
//
//msgp:tuple SSO
type SSO struct {
	Revision     int64  // grows by each change; 0: there never was one
	Issuer       string // its URL; empty: there is none
	ClientID     string
	ClientSecret string   // as given; never leaves the cluster
	EmailDomains []string // whose addresses count, in lower case and order
	// DefaultRole is that of who appears without being a user; empty: nobody
	// may.
	DefaultRole cloudlicenses.Role
	Enforce     bool // only owners log in by password
	// ByOwner tells that an owner has named the issuer: one that an
	// administrator has named may not say who is an owner.
	ByOwner       bool
	UpdatedMillis int64
	UpdatedBy     string // e-mail address
}

// PutSSO names the provider, or changes what is said of it; the sender has
// checked every field. Where the issuer or the client's id changes, the secret
// has to be sent along: nobody shall have it sent to a server of his own.
//
//msgp:tuple PutSSO
type PutSSO struct {
	By           By
	Issuer       string
	ClientID     string
	ClientSecret string // empty: the one there is
	EmailDomains []string
	DefaultRole  cloudlicenses.Role
	Enforce      bool
}

// RemoveSSO ends single sign-on. Sessions go on.
//
//msgp:tuple RemoveSSO
type RemoveSSO struct {
	By By
}

// SSOLogin opens a session for whom the provider named, whose ID token the
// sender has verified against the settings of this Revision, which name the
// issuer. It is identified by Session.
//
//msgp:tuple SSOLogin
type SSOLogin struct {
	Revision int64
	Subject  string               // `sub`, the provider's own name of the person
	Email    string               // normalized; the provider has verified it
	UserID   cloudlicenses.UserID // of who becomes a user by it
	Name     string               // the same
	// State is the SHA-256 of the state that the log-in was begun with. It
	// opens one session, before UntilMillis.
	State       [32]byte
	UntilMillis int64
	Session     [32]byte // SHA-256 of the session's token
	Address     string
}

// GetSSO asks for the settings.
//
//msgp:tuple GetSSO
type GetSSO struct{}

// SSOResult is not_found where there are none. Its secret is not to be shown.
//
//msgp:tuple SSOResult
type SSOResult struct {
	Code   cloudlicenses.Code
	Detail string
	SSO    SSO
}
