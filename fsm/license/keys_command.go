package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=keys_command.go -o=keys_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.KeyID as:string using:string/cloudlicenses.KeyID mode:cast
//msgp:shim cloudlicenses.Scope as:uint8 using:uint8/cloudlicenses.Scope mode:cast
//msgp:shim Restricted as:uint8 using:uint8/Restricted mode:cast

// The commands about API keys besides OpKey and OpRevokeKey; 40–49 are theirs.
// Append only.
const (
	OpRestrictKey fsm.Op = 40 // RestrictKey
	OpRotateKey   fsm.Op = 41 // RotateKey
	OpLimitTenant fsm.Op = 42 // LimitTenant
)

// Key is an API key as stored: never the key itself. Its id stays through
// rotations, and so do its leases. Times are Unix milliseconds.
//
//msgp:tuple Key
type Key struct {
	ID            cloudlicenses.KeyID
	Hash          [32]byte // of the secret in force
	AppName       string
	AppType       string
	Scopes        cloudlicenses.Scope
	CreatedMillis int64
	ExpiresMillis int64 // 0: never
	RevokedMillis int64 // 0: not
	Metadata      []byte
	// Origin is the Hash the key was created with, by which its intents are
	// told from those of others through all rotations. The machine sets it.
	Origin        [32]byte
	Restrictions  Restrictions
	RotatedMillis int64 // 0: never
	// Earlier secrets, the latest last: at most MaxEarlierSecrets. One that is
	// over is still known, so that who uses it on is told and shows in the log.
	Earlier []Secret
}

// Secret is one that was rotated out.
//
//msgp:tuple Secret
type Secret struct {
	Hash          [32]byte
	UntilMillis   int64 // works before this moment
	RotatedMillis int64 // when another took its place
}

// Restrictions narrow where, by whom and how often a key may be used. What is
// zero does not restrict.
//
//msgp:tuple Restrictions
type Restrictions struct {
	Hostnames          []string // of X-Hostname, in lower case
	Networks           []string // in CIDR form, as netip.Prefix prints them
	CertRequired       bool     // a verified client certificate
	CertName           string   // its common name; only with CertRequired
	CheckoutsPerMinute int64
	RequestsPerHour    int64
}

// PutKey creates a key; idempotent by id and hash.
//
//msgp:tuple PutKey
type PutKey struct {
	By  By
	Key Key
}

// Restricted is a set of members of Restrictions.
type Restricted uint8

// The members that a RestrictKey may replace.
const (
	RestrictHostnames   Restricted = 1 << 0
	RestrictNetworks    Restricted = 1 << 1
	RestrictCertificate Restricted = 1 << 2 // both members
	RestrictMinute      Restricted = 1 << 3
	RestrictHour        Restricted = 1 << 4
)

// RestrictKey replaces the restrictions in Set and leaves the others.
//
//msgp:tuple RestrictKey
type RestrictKey struct {
	By           By
	ID           cloudlicenses.KeyID
	Set          Restricted
	Restrictions Restrictions
}

// RotateKey gives a key a new secret; the one before goes on working for
// OverlapMillis. Without an overlap every earlier secret ends at once.
// Idempotent by hash.
//
//msgp:tuple RotateKey
type RotateKey struct {
	By            By
	ID            cloudlicenses.KeyID
	Hash          [32]byte
	OverlapMillis int64
}

// RevokeKey ends a key for good and, where asked, releases its leases.
//
//msgp:tuple RevokeKey
type RevokeKey struct {
	By            By
	ID            cloudlicenses.KeyID
	ReleaseLeases bool
}

// LimitTenant limits how often all keys of a tenant together check out: an
// operator's matter.
//
//msgp:tuple LimitTenant
type LimitTenant struct {
	By                 By
	CheckoutsPerMinute int64 // 0: no limit
}

// KeyState is a key with what it was last used for.
//
//msgp:tuple KeyState
type KeyState struct {
	Key            Key
	LastUsedMillis int64 // last checkout, heartbeat or return, to the minute; 0: never
}

// KeyResult is the result of every command about keys.
//
//msgp:tuple KeyResult
type KeyResult struct {
	Code   cloudlicenses.Code
	Detail string
	Key    KeyState
}
