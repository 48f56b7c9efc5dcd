package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=users_query.go -o=users_query_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.Layer as:string using:string/cloudlicenses.Layer mode:cast
//msgp:shim cloudlicenses.UserID as:string using:string/cloudlicenses.UserID mode:cast
//msgp:shim cloudlicenses.Role as:string using:string/cloudlicenses.Role mode:cast
//msgp:shim cloudlicenses.UserStatus as:string using:string/cloudlicenses.UserStatus mode:cast
//msgp:shim cloudlicenses.TokenPurpose as:string using:string/cloudlicenses.TokenPurpose mode:cast

// The queries about a tenant's users; 15–29 are theirs.
const (
	QueryUsers   fsm.Op = 15 // ListUsers → UserPage
	QueryLogin   fsm.Op = 16 // FindLogin → LoginFacts
	QuerySession fsm.Op = 17 // FindSession → SessionFacts
	QueryToken   fsm.Op = 18 // FindToken → TokenFacts
)

// ListUsers asks for users in order of id, after Cursor.
//
//msgp:tuple ListUsers
type ListUsers struct {
	ID     cloudlicenses.UserID // not empty: this one alone (not_found where missing)
	Cursor string
	Limit  int64
}

// UserPage is a page of users.
//
//msgp:tuple UserPage
type UserPage struct {
	Code  cloudlicenses.Code
	Items []User
	Next  string
}

// FindLogin asks for what an attempt to log in is checked against. An address
// without a user is answered, not refused.
//
//msgp:tuple FindLogin
type FindLogin struct {
	Email string
}

// LoginFacts never leave the cluster.
//
//msgp:tuple LoginFacts
type LoginFacts struct {
	Code         cloudlicenses.Code
	UserID       cloudlicenses.UserID // empty: nobody
	PasswordHash []byte
	Secret       []byte // of the second factor; empty: none
	LockedMillis int64  // locked out until then, in Unix ms
	Step         int64  // last time step of which a code was taken
}

// FindSession asks whose a session is.
//
//msgp:tuple FindSession
type FindSession struct {
	Session   [32]byte
	NowMillis int64 // of who asks: the machine's clock stands still where nothing is written
}

// SessionFacts is unauthenticated where there is no such session (any more).
//
//msgp:tuple SessionFacts
type SessionFacts struct {
	Code    cloudlicenses.Code
	User    User
	Session Session
	Pending []byte // secret of a second factor that is not confirmed yet
}

// FindToken asks whose a one-time token is, so that a password can be held
// against the user's address.
//
//msgp:tuple FindToken
type FindToken struct {
	TokenHash [32]byte
	NowMillis int64
}

// TokenFacts is not_found where there is no such token (any more).
//
//msgp:tuple TokenFacts
type TokenFacts struct {
	Code  cloudlicenses.Code
	Email string
}
