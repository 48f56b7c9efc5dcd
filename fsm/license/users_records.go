package license

import "github.com/cloudlicenses/cloudlicenses"

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=users_records.go -o=users_records_gen.go -io=false -tests=false -unexported
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.Layer as:string using:string/cloudlicenses.Layer mode:cast
//msgp:shim cloudlicenses.UserID as:string using:string/cloudlicenses.UserID mode:cast
//msgp:shim cloudlicenses.Role as:string using:string/cloudlicenses.Role mode:cast
//msgp:shim cloudlicenses.UserStatus as:string using:string/cloudlicenses.UserStatus mode:cast
//msgp:shim cloudlicenses.TokenPurpose as:string using:string/cloudlicenses.TokenPurpose mode:cast

// The records of users on disk, as in records.go:
//
//	'W' tenant(4) user(4)       userRecord, its sessions and tokens within
//	'G' tenant(4) sequence(8)   guardRecord
//	'y' tenant(4) sequence(8)   invitationRecord
//
// The next number is one more than the last that is there: numbers are keys
// alone, and may be given again.
const (
	prefixUser       = 'W'
	prefixGuard      = 'G'
	prefixInvitation = 'y'
)

// userRecord is a user with all that it has.
//
//msgp:tuple userRecord
type userRecord struct {
	User         User
	PasswordHash []byte
	Secret       []byte // of the second factor, as sealed outside
	Pending      []byte // a secret that is not confirmed yet
	Step         int64  // last time step of which a code was taken
	LastToken    [32]byte
	Tokens       []tokenRecord   // oldest first
	Sessions     []sessionRecord // oldest first
	Logins       []loginRecord   // oldest first
	Identity     identityRecord
}

// identityRecord is who a user is at an OpenID provider, from the first single
// sign-on: an address can get another owner there, a subject can't (OpenID
// Connect Core 1.0, 5.7). Empty: none yet.
//
//msgp:tuple identityRecord
type identityRecord struct {
	Issuer  string
	Subject string
}

// loginRecord is a single sign-on that may not be finished once more.
//
//msgp:tuple loginRecord
type loginRecord struct {
	State       [32]byte
	UntilMillis int64 // when it would be refused as too old anyway
}

// tokenRecord is a one-time token that was mailed.
//
//msgp:tuple tokenRecord
type tokenRecord struct {
	Hash          [32]byte // SHA-256
	Purpose       cloudlicenses.TokenPurpose
	ExpiresMillis int64
}

// sessionRecord is a live session.
//
//msgp:tuple sessionRecord
type sessionRecord struct {
	Hash    [32]byte // SHA-256 of its token
	Session Session
}

// guardRecord counts failed log-ins of one address, whether or not it is a
// user's.
//
//msgp:tuple guardRecord
type guardRecord struct {
	Email        [32]byte // SHA-256 of the address
	Last         [16]byte // the latest attempt, so that none counts twice
	Known        bool     // it is, or was, a user's
	Failures     int64    // since SinceMillis
	SinceMillis  int64
	LockedMillis int64 // until then; 0: not
}

// invitationRecord is the last invitation that was mailed to an address, whether or
// not it still has a user.
//
//msgp:tuple invitationRecord
type invitationRecord struct {
	Email         [32]byte // SHA-256 of the address
	ExpiresMillis int64    // of its token
}
