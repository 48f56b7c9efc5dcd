package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=users_command.go -o=users_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.Layer as:string using:string/cloudlicenses.Layer mode:cast
//msgp:shim cloudlicenses.UserID as:string using:string/cloudlicenses.UserID mode:cast
//msgp:shim cloudlicenses.Role as:string using:string/cloudlicenses.Role mode:cast
//msgp:shim cloudlicenses.UserStatus as:string using:string/cloudlicenses.UserStatus mode:cast
//msgp:shim cloudlicenses.TokenPurpose as:string using:string/cloudlicenses.TokenPurpose mode:cast

// The commands about a tenant's users; 15–29 are theirs. Append only.
const (
	OpPutUser      fsm.Op = 15 // PutUser
	OpUpdateUser   fsm.Op = 16 // UpdateUser
	OpRemoveUser   fsm.Op = 17 // RemoveUser
	OpMailToken    fsm.Op = 18 // MailToken
	OpSetPassword  fsm.Op = 19 // SetPassword: by a one-time token
	OpLogin        fsm.Op = 20 // Login
	OpLogout       fsm.Op = 21 // Logout
	OpTouchSession fsm.Op = 22 // TouchSession
	OpSecondFactor fsm.Op = 23 // SecondFactor
)

// By is who asks for a change: a session, whose user's role decides, or the
// platform itself. In a vendor's account it may be one of its keys, which is
// known by its hash as a session is.
//
//msgp:tuple By
type By struct {
	Platform bool
	Session  [32]byte // SHA-256 of the session's token, or the hash of a vendor's key
	Address  string   // of the client, for the audit log
}

// User is a user as the outside sees one. Times are Unix milliseconds.
//
//msgp:tuple User
type User struct {
	ID              cloudlicenses.UserID
	Email           string // normalized; unique in the tenant
	Name            string
	Role            cloudlicenses.Role
	Status          cloudlicenses.UserStatus
	SecondFactor    bool // a code is asked for at log-in
	CreatedMillis   int64
	LastLoginMillis int64 // 0: never
	SSO             bool  // bound to an identity at an OpenID provider
}

// PutUser creates a user; idempotent by id. The sender has checked e-mail and
// name. A user without a password hash is invited and needs a token. An address
// that was invited and has not come yet is invited again, by the token, under the
// id that it has.
//
//msgp:tuple PutUser
type PutUser struct {
	By           By
	ID           cloudlicenses.UserID
	Email        string
	Name         string
	Role         cloudlicenses.Role
	PasswordHash []byte // as made outside; empty: none yet
	Mail         Mail   // Token empty: nothing is mailed
}

// Mail is a one-time token that leaves by mail. The machine keeps its hash
// alone; the text stays in the outbox until it is delivered.
//
//msgp:tuple Mail
type Mail struct {
	Token         string
	Purpose       cloudlicenses.TokenPurpose
	ExpiresMillis int64
	Company       string // for the mail's words
}

// UpdateUser changes what is set. A change of role, a disabling or the end of the
// second factor or of the identity ends the user's sessions; so does a disabling
// its tokens.
//
//msgp:tuple UpdateUser
type UpdateUser struct {
	By     By
	ID     cloudlicenses.UserID
	Name   string                   // empty: as it is
	Role   cloudlicenses.Role       // empty: as it is
	Status cloudlicenses.UserStatus // active, disabled, or empty: as it is
	// DropFactor ends somebody else's second factor: who has lost it can't.
	DropFactor bool
	// DropIdentity unbinds the user: the next single sign-on under its address
	// binds it anew.
	DropIdentity bool
}

// RemoveUser removes a user and all that it has.
//
//msgp:tuple RemoveUser
type RemoveUser struct {
	By By
	ID cloudlicenses.UserID
}

// MailToken mails a token to a user found by ID, or by Email where ID is
// empty: an address without a user then answers as one with.
//
//msgp:tuple MailToken
type MailToken struct {
	By    By
	ID    cloudlicenses.UserID
	Email string
	Mail  Mail
}

// SetPassword trades a one-time token for a password: it makes an invited user
// active, ends all sessions and tokens of the user, and its lock-out.
//
//msgp:tuple SetPassword
type SetPassword struct {
	TokenHash    [32]byte // SHA-256 of the token
	PasswordHash []byte
	Address      string
}

// Login is one attempt, with what was found out outside: whether the password
// fits the hash that was read, and which time step the code is of. The machine
// decides. It is identified by Session, which is fresh for every attempt.
//
//msgp:tuple Login
type Login struct {
	Email      string
	PasswordOK bool
	// PasswordSum is SHA-256 of the hash that the password was held against:
	// one that was changed meanwhile does not fit any more.
	PasswordSum [32]byte
	Step        int64 // of the code; 0: no code, or a wrong one
	CodeSent    bool
	Session     [32]byte // SHA-256 of the session's token
	Address     string
}

// Logout ends a session; one that is gone is fine.
//
//msgp:tuple Logout
type Logout struct {
	Session [32]byte
	Address string
}

// TouchSession records that a session is in use.
//
//msgp:tuple TouchSession
type TouchSession struct {
	Session [32]byte
	Address string
}

// SecondFactor begins, confirms or removes the second factor of a session's
// own user.
//
//msgp:tuple SecondFactor
type SecondFactor struct {
	By     By
	Step   int64  // > 0: confirms what was begun, by a code of this time step
	Secret []byte // not empty, Step 0: begins with it; with Step: that it was
}

// UserResult is the result of every command above.
//
//msgp:tuple UserResult
type UserResult struct {
	Code         cloudlicenses.Code
	Detail       string
	User         User
	Session      Session
	LockedMillis int64 // with login_locked and rate_limited: until when
	NeedsCode    bool  // of a refused log-in: the password was right, the code is missing
	NeedsSSO     bool  // of a refused log-in: the password was right, but only single sign-on opens sessions
}

// Session is a session as its own user sees it. Times are Unix milliseconds.
//
//msgp:tuple Session
type Session struct {
	IssuedMillis  int64
	ExpiresMillis int64 // whatever happens
	SeenMillis    int64 // last use on record
}
