package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=command.go -o=command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.Layer as:string using:string/cloudlicenses.Layer mode:cast
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.KeyID as:string using:string/cloudlicenses.KeyID mode:cast
//msgp:shim cloudlicenses.Currency as:string using:string/cloudlicenses.Currency mode:cast
//msgp:shim cloudlicenses.LicenseStatus as:string using:string/cloudlicenses.LicenseStatus mode:cast
//msgp:shim cloudlicenses.LeaseType as:string using:string/cloudlicenses.LeaseType mode:cast
//msgp:shim cloudlicenses.LeaseID as:uint64 using:uint64/cloudlicenses.LeaseID mode:cast
//msgp:shim cloudlicenses.EndReason as:uint8 using:uint8/cloudlicenses.EndReason mode:cast
//msgp:shim RatePolicy as:uint8 using:uint8/RatePolicy mode:cast
//msgp:shim cloudlicenses.Scope as:uint8 using:uint8/cloudlicenses.Scope mode:cast
//msgp:shim cloudlicenses.Plan as:string using:string/cloudlicenses.Plan mode:cast

// The commands of the tenant machine. Append only: a number is never reused.
// Every payload is at version 1.
const (
	OpLead      fsm.Op = 1  // Lead: a leader's first command of its term
	OpExpire    fsm.Op = 2  // Expire: end what is due
	OpTenant    fsm.Op = 3  // PutTenant
	OpLicenses  fsm.Op = 4  // PutLicenses
	OpAmend     fsm.Op = 5  // AmendLicense
	OpStatus    fsm.Op = 6  // SetLicenseStatus
	OpKey       fsm.Op = 7  // PutKey
	OpRevokeKey fsm.Op = 8  // RevokeKey
	OpCheckout  fsm.Op = 9  // Checkout
	OpHeartbeat fsm.Op = 10 // Heartbeat
	OpReturn    fsm.Op = 11 // Return
	OpRelease   fsm.Op = 12 // Release: by an administrator
	OpRules     fsm.Op = 13 // SetRules
	// 14 was the removal of delivered records: see OpOutboxTried.
)

// Version is the payload version of every command and query above.
const Version = 1

// Caller is who asks, as the node that took the request saw it. The machine
// decides access from it; only the machine knows the key.
//
//msgp:tuple Caller
type Caller struct {
	KeyHash     [32]byte // HMAC-SHA-256 of the presented key under the cluster's secret
	Hostname    string   // X-Hostname
	Address     string   // client address, no port
	Fingerprint string   // X-App-Fingerprint
	LibVersion  string   // X-Lib-Version
	CertName    string   // common name of the verified client certificate
}

// Checkout asks for seats (contract "The hot path"). The sender has checked
// every field's own limits.
//
//msgp:tuple Checkout
type Checkout struct {
	Caller Caller
	// Intent identifies the request for deduplication: the first 16 bytes of
	// SHA-256 over the client's Idempotency-Key, or the server's own request
	// id. The machine scopes it to the key.
	Intent [16]byte
	// IntentByClient tells an Idempotency-Key (kept 15 minutes past the
	// lease) from the server's request id (kept RequestIDMemory).
	IntentByClient bool
	// BodyHash is a hash of the decoded body, by which a reused
	// Idempotency-Key with another body is refused.
	BodyHash     uint64
	VendorID     cloudlicenses.VendorID // empty: any
	ProductID    cloudlicenses.ProductID
	User         string
	Count        int64  // seats, ≥ 1
	AppVersion   string // empty: any
	TTLMillis    int64
	AllowOverage bool
	Metadata     []byte // the JSON object as sent, or empty
	// Request is the server's request id and Try how often its sender has sent
	// it before: a lost leader may still have an earlier try. Once a later one
	// was refused, an earlier one takes no effect.
	Request [16]byte
	Try     uint8
}

// Heartbeat extends a lease by its TTL from the entry's time.
//
//msgp:tuple Heartbeat
type Heartbeat struct {
	Caller  Caller
	LeaseID cloudlicenses.LeaseID
}

// Return ends a lease by its holder.
//
//msgp:tuple Return
type Return struct {
	Caller  Caller
	LeaseID cloudlicenses.LeaseID
}

// Release ends a lease by the tenant's administrator (Actor names who).
//
//msgp:tuple Release
type Release struct {
	Actor   string
	LeaseID cloudlicenses.LeaseID
}

// Lead opens a leader's term: from its stamp on, every live lease has at
// least one heartbeat's time (TTL / 3) before it may expire.
//
//msgp:tuple Lead
type Lead struct {
	Node string
}

// Expire ends at most Limit leases that are due at the entry's time.
//
//msgp:tuple Expire
type Expire struct {
	Limit int64
}

// PutTenant creates a tenant in this group, or raises its epoch. Idempotent.
//
//msgp:tuple PutTenant
type PutTenant struct {
	Epoch uint32
	URL   string // issuer of its lease tokens, as first known
	// CheckoutsPerMinute limits all keys together, from the tenant's creation
	// on; 0: no limit.
	CheckoutsPerMinute int64
	Plan               cloudlicenses.Plan // as it begins; empty: without limits
	// DataKey is the tenant's own key at rest, wrapped (fsm.Sealer); empty: its
	// records are kept plain. The first one stays.
	DataKey []byte
}

// License is a license as provisioned. Times are Unix milliseconds.
//
//msgp:tuple License
type License struct {
	ID          cloudlicenses.LicenseID
	VendorID    cloudlicenses.VendorID
	ProductID   cloudlicenses.ProductID
	ProductName string
	Constraint  string // semver range such as ">=8.0.0"; empty: any version
	Total       int64
	CommitQty   int64
	MaxOverage  int64
	// CommitFeeMinor per calendar month and OverageFeeMinor per overage use,
	// in minor units of Currency.
	CommitFeeMinor  int64
	OverageFeeMinor int64
	Currency        cloudlicenses.Currency
	StartMillis     int64 // first moment of the contract
	EndMillis       int64 // first moment after it; 0: open-ended
	// AutoRenew keeps the license in force past its end: the directory has
	// renewed it, or is about to.
	AutoRenew bool
	Status    cloudlicenses.LicenseStatus
	// Revision is the directory's count of changes; 0: the directory knows
	// nothing of the license.
	Revision uint64
	Notified bool // its contact's mail is in the outbox, or was
}

// PutLicenses provisions licenses. Idempotent by license id: one that is
// there already is left as it is. One per vendor and product at a time: an
// overlap in time refuses the whole command with already_exists.
//
//msgp:tuple PutLicenses
type PutLicenses struct {
	Licenses []License
}

// AmendLicense replaces quantities, dates and prices of a license, in force
// from this command on; live leases and written records keep theirs.
//
//msgp:tuple AmendLicense
type AmendLicense struct {
	License License // found by ID; VendorID, ProductID, Status and Revision are ignored
}

// SetLicenseStatus suspends (suspended), resumes (provisioned) or revokes
// (revoked, for good) a license. Live leases stay.
//
//msgp:tuple SetLicenseStatus
type SetLicenseStatus struct {
	ID     cloudlicenses.LicenseID
	Status cloudlicenses.LicenseStatus
}

// Rules are a tenant's own rules on overage. A cap of -1 is none.
//
//msgp:tuple Rules
type Rules struct {
	DenyOverage bool
	// Caps hold per calendar month (UTC).
	Caps []Cap
}

// Cap bounds the overage of a license, or of a key, in a month. Exactly one
// of LicenseID and KeyID is set.
//
//msgp:tuple Cap
type Cap struct {
	LicenseID cloudlicenses.LicenseID
	KeyID     cloudlicenses.KeyID
	MaxUses   int64 // -1: no cap
	MaxMinor  int64 // in Currency; -1: no cap
	// Currency of MaxMinor. What is charged in another one does not count
	// against it, and passes. Empty: whatever is charged.
	Currency cloudlicenses.Currency
}

// SetRules replaces the tenant's rules. A detail of its refusal begins with the
// member that is wrong, such as "caps/0/license_id: …".
//
//msgp:tuple SetRules
type SetRules struct {
	By    By
	Rules Rules
}

// Every result is a tuple whose first element is its Code, so that a caller
// can tell a refusal without knowing the command.

// Ack is the result of a command that returns nothing more.
//
//msgp:tuple Ack
type Ack struct {
	Code   cloudlicenses.Code
	Layer  cloudlicenses.Layer // the link of the access chain that refused
	Detail string              // for a person: what was wrong
	// LicenseID is the license in the way of an already_exists.
	LicenseID cloudlicenses.LicenseID
	// Use is what is in use beside what a plan_limit_exceeded refused.
	Use PlanUse
	// Notified tells of a Provision that the license's contact was mailed.
	Notified bool
}

// LeaseResult is the result of Checkout, Heartbeat, Return and Release.
// Which fields are set follows from the command and the Code.
//
//msgp:tuple LeaseResult
type LeaseResult struct {
	Code     cloudlicenses.Code
	Layer    cloudlicenses.Layer
	Detail   string
	Replayed bool // a checkout answered from its first reply
	Lease    Lease
	Rate     Rate // of a checkout that was counted, or refused for its rate
}

// RatePolicy names a rate limit.
type RatePolicy uint8

// The rate limits of a checkout; those of a read are by key alone.
const (
	RateNone         RatePolicy = 0 // no limit
	RateKeyMinute    RatePolicy = 1 // checkouts of the key in a minute
	RateTenantMinute RatePolicy = 2 // checkouts of the tenant in a minute
	RateKeyHour      RatePolicy = 3 // requests of the key in an hour
)

// Rate says how a caller stands with the limit that is nearest, or with the
// one that refused.
//
//msgp:tuple Rate
type Rate struct {
	Policy      RatePolicy
	Limit       int64
	Remaining   int64
	AfterMillis int64 // until the oldest that counts no longer does
}

// Lease is a lease as the outside sees it. Times are Unix milliseconds.
//
//msgp:tuple Lease
type Lease struct {
	ID            cloudlicenses.LeaseID
	LicenseID     cloudlicenses.LicenseID
	VendorID      cloudlicenses.VendorID
	ProductID     cloudlicenses.ProductID
	KeyID         cloudlicenses.KeyID
	User          string
	Hostname      string
	Fingerprint   string
	Count         int64 // all seats
	OverageCount  int64 // those from overage
	TTLMillis     int64
	IssuedMillis  int64
	ExpiresMillis int64 // in a checkout's result the first one, also replayed
	EndedMillis   int64
	End           cloudlicenses.EndReason
}

// Type is overage when at least one seat is.
func (l *Lease) Type() cloudlicenses.LeaseType {
	if l.OverageCount > 0 {
		return cloudlicenses.LeaseOverage
	}
	return cloudlicenses.LeaseCommit
}
