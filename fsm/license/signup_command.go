package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=signup_command.go -o=signup_command_gen.go -io=false -tests=false -unexported
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast

// The commands about sign-ups; 30–39 are theirs. Append only. They name the
// tenant that is to be, which need not be here.
const (
	OpPutSignUp fsm.Op = 30 // PutSignUp → Ack
	OpTrySignUp fsm.Op = 31 // TrySignUp → Ack
	OpOwnSignUp fsm.Op = 32 // OwnSignUp → Ack: of a tenant that is here
)

// PutSignUp keeps what a sign-up says of persons, in its region, until the
// token expires. Another sign-up of that tenant is replaced: the directory
// decides whose the id is.
//
//msgp:tuple PutSignUp
type PutSignUp struct {
	TokenHash     [32]byte // keyed
	Country       string
	TaxID         string
	Email         string
	Name          string
	ExpiresMillis int64
}

// TrySignUp tries a token. Refusals: verification_failed, also where there is
// no sign-up; rate_limited.
//
//msgp:tuple TrySignUp
type TrySignUp struct {
	TokenHash []byte
}

// OwnSignUp makes the administrator of a sign-up the tenant's owner, mails the
// welcome and forgets who it was. Said again, or without a sign-up, it changes
// nothing.
//
//msgp:tuple OwnSignUp
type OwnSignUp struct {
	UserID        string
	Token         string // one-time
	ExpiresMillis int64
	Company       string
}

// signUpRecord is a sign-up on disk. Its key is its number, in order of
// creation.
//
//msgp:tuple signUpRecord
type signUpRecord struct {
	Tenant cloudlicenses.TenantID
	Put    PutSignUp
	// Tries since HourMillis, by whether the token was right.
	HourMillis int64
	Wrong      int64
	Right      int64
}
