package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=query.go -o=query_gen.go -io=false -tests=false
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
//msgp:shim cloudlicenses.LeaseID as:uint64 using:uint64/cloudlicenses.LeaseID mode:cast
//msgp:shim cloudlicenses.EndpointID as:string using:string/cloudlicenses.EndpointID mode:cast
//msgp:shim cloudlicenses.DeliveryState as:string using:string/cloudlicenses.DeliveryState mode:cast
//msgp:shim cloudlicenses.Scope as:uint8 using:uint8/cloudlicenses.Scope mode:cast

// The queries of the tenant machine; a number space of its own. A query
// changes nothing and is answered by any replica. Every reply is a tuple
// whose first element is its Code.
const (
	QueryLicenses fsm.Op = 1 // ListLicenses → LicensePage
	QueryLeases   fsm.Op = 2 // ListLeases → LeasePage
	QueryKeys     fsm.Op = 3 // ListKeys → KeyPage
	QueryUsage    fsm.Op = 4 // ListUsage → UsagePage
	QueryOverage  fsm.Op = 5 // ListOverage → OveragePage
	QueryAudit    fsm.Op = 6 // ListAudit → AuditPage
	QueryVerify   fsm.Op = 7 // VerifyAudit → AuditProof
	QueryOutbox   fsm.Op = 8 // ListOutbox → OutboxPage
	QueryHash     fsm.Op = 9 // no tenant → StateHash: of the whole machine
)

// Access is what a query by an API key must pass; a zero KeyHash is the
// platform itself asking, which may see the whole tenant.
//
//msgp:tuple Access
type Access struct {
	Caller    Caller
	ByKey     bool
	NowMillis int64 // of the asking node: a machine's own clock may stand still
	Uncounted bool  // does not count against the key's rate
}

// ListLicenses asks for licenses in order of id, after Cursor.
//
//msgp:tuple ListLicenses
type ListLicenses struct {
	Access Access
	ID     cloudlicenses.LicenseID // not empty: this one alone (not_found where missing)
	Cursor string
	Limit  int64
}

// LicenseState is a license with its pool.
//
//msgp:tuple LicenseState
type LicenseState struct {
	License      License
	CommitInUse  int64
	OverageInUse int64
	OverageUses  int64 // charged in the running month
	OverageMinor int64 // and what they cost
}

// LicensePage is a page of licenses; Next is the cursor of the next one, empty
// on the last.
//
//msgp:tuple LicensePage
type LicensePage struct {
	Code   cloudlicenses.Code
	Layer  cloudlicenses.Layer
	Detail string
	Items  []LicenseState
	Next   string
	Rate   Rate // that refused
}

// ListLeases asks for live leases in order of lease id, after Cursor (a
// decimal number). A key sees its own leases only.
//
//msgp:tuple ListLeases
type ListLeases struct {
	Access    Access
	LicenseID cloudlicenses.LicenseID // empty: all
	User      string                  // empty: all
	Cursor    string
	Limit     int64
}

// LeasePage is a page of leases.
//
//msgp:tuple LeasePage
type LeasePage struct {
	Code   cloudlicenses.Code
	Layer  cloudlicenses.Layer
	Detail string
	Items  []Lease
	Next   string
	Rate   Rate // that refused
}

// ListKeys asks for the tenant's keys, in order of id, after Cursor.
//
//msgp:tuple ListKeys
type ListKeys struct {
	Cursor string
	Limit  int64
}

// KeyPage is a page of keys.
//
//msgp:tuple KeyPage
type KeyPage struct {
	Code  cloudlicenses.Code
	Items []KeyState
	Next  string
}

// ListUsage asks for the usage counters of a month ("2025-11"), by license.
//
//msgp:tuple ListUsage
type ListUsage struct {
	Month  string
	Cursor string
	Limit  int64
}

// Refusals counts refusals with one code.
//
//msgp:tuple Refusals
type Refusals struct {
	Code  cloudlicenses.Code
	Count int64
}

// Usage is what a license was used for in a month (UTC).
//
//msgp:tuple Usage
type Usage struct {
	LicenseID        cloudlicenses.LicenseID
	Month            string
	CommitCheckouts  int64      // granted without overage
	OverageCheckouts int64      // granted with at least one overage seat
	OverageUses      int64      // overage seats charged
	Refusals         []Refusals // in order of code
	PeakInUse        int64
	SeatMillis       int64 // seats × milliseconds held, up to the machine's clock
}

// UsagePage is a page of counters.
//
//msgp:tuple UsagePage
type UsagePage struct {
	Code  cloudlicenses.Code
	Items []Usage
	Next  string
}

// ListOverage asks for overage records of a month, oldest first.
//
//msgp:tuple ListOverage
type ListOverage struct {
	LicenseID cloudlicenses.LicenseID // empty: of every license
	Month     string
	Cursor    string
	Limit     int64
}

// Overage is one immutable overage record: Uses seats charged at once or, of an
// adjustment, taken back from an earlier one.
//
//msgp:tuple Overage
type Overage struct {
	Sequence   uint64 // of the tenant, from 1
	LicenseID  cloudlicenses.LicenseID
	LeaseID    cloudlicenses.LeaseID
	KeyID      cloudlicenses.KeyID
	Uses       int64
	PriceMinor int64 // of one use
	Currency   cloudlicenses.Currency
	AtMillis   int64
	// Adjusts is the Sequence of the record that Uses, negative then, are taken
	// back from, and AdjustsMonth the month it is of; 0: a charge.
	Adjusts      uint64
	AdjustsMonth uint32
}

// OveragePage is a page of overage records.
//
//msgp:tuple OveragePage
type OveragePage struct {
	Code  cloudlicenses.Code
	Items []Overage
	Next  string
}

// ListAudit asks for audit records, oldest first, or newest first.
//
//msgp:tuple ListAudit
type ListAudit struct {
	FromMillis int64
	ToMillis   int64 // 0: up to now
	User       string
	KeyID      cloudlicenses.KeyID
	Result     string
	Newest     bool
	Cursor     string
	Limit      int64
}

// Audit is one record of the audit log (seed D7).
//
//msgp:tuple Audit
type Audit struct {
	Sequence     uint64
	AtMillis     int64
	Action       string // checkout, return, heartbeat, expire, release, …
	Result       string // "success" or the code of the refusal
	KeyID        cloudlicenses.KeyID
	LicenseID    cloudlicenses.LicenseID
	ProductID    cloudlicenses.ProductID
	LeaseID      cloudlicenses.LeaseID
	User         string
	Hostname     string
	Address      string
	Fingerprint  string
	LibVersion   string
	Count        int64
	OverageCount int64
	Actor        string // who released; empty: the key
}

// AuditPage is a page of audit records.
//
//msgp:tuple AuditPage
type AuditPage struct {
	Code  cloudlicenses.Code
	Items []Audit
	Next  string
}

// VerifyAudit recomputes the tenant's audit chain from its first block.
//
//msgp:tuple VerifyAudit
type VerifyAudit struct{ Reserved bool }

// AuditProof is what recomputing the chain found.
//
//msgp:tuple AuditProof
type AuditProof struct {
	Code    cloudlicenses.Code
	Valid   bool
	Records int64
	Head    [32]byte
	Detail  string // what is wrong, where it is not valid
}

// ListOutbox asks for undelivered records of all tenants of the group, oldest
// first (the header names no tenant).
//
//msgp:tuple ListOutbox
type ListOutbox struct {
	Limit int64
}

// Outgoing is one delivery to make: a mail, or a webhook to one endpoint. It is
// made at least once, by the group's leader.
//
//msgp:tuple Outgoing
type Outgoing struct {
	Sequence     uint64 // of the group; a replay gets a new one
	TenantID     cloudlicenses.TenantID
	Kind         string // such as "mail.welcome", or an event's
	AtMillis     int64  // when what it tells of was
	QueuedMillis int64
	Payload      []byte // JSON: what a mail says, or an event's data

	EndpointID cloudlicenses.EndpointID // of a webhook; empty: a mail
	Number     uint64                   // of the endpoint's deliveries, from 1; a replay keeps it

	State       cloudlicenses.DeliveryState
	Lane        uint8 // of the schedule, while it is pending
	Attempts    int64 // made so far
	TriedMillis int64 // the last one; 0: none
	NextMillis  int64 // the next one of what is pending, not before
	Status      int64 // what the receiver answered last: HTTP status, SMTP reply; 0: nothing
	Error       string
}

// OutboxPage is a page of the outbox.
//
//msgp:tuple OutboxPage
type OutboxPage struct {
	Code  cloudlicenses.Code
	Items []Outgoing
}

// StateHash is a hash over the whole logical state: equal on every replica
// that has applied the same entries.
//
//msgp:tuple StateHash
type StateHash struct {
	Code         cloudlicenses.Code
	AppliedIndex uint64
	Hash         [32]byte
}
