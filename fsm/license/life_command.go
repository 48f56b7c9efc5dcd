package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=life_command.go -o=life_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.Plan as:string using:string/cloudlicenses.Plan mode:cast
//msgp:shim cloudlicenses.TenantStatus as:string using:string/cloudlicenses.TenantStatus mode:cast

// The commands about a tenant's life; 90–99 are theirs. Append only. All of
// them are steps of sagas that the directory keeps, and may be repeated.
const (
	OpTerms        fsm.Op = 90 // SetTerms → TermsResult
	OpEndTenant    fsm.Op = 91 // EndTenant → EndedTenant
	OpRemoveTenant fsm.Op = 92 // RemoveTenant → Ack; the tenant need not be here any more
)

// The queries about a tenant's life; 90–99 are theirs.
const (
	QueryTerms fsm.Op = 90 // GetTerms → TermsResult
)

// SetTerms brings a tenant's plan and standing to what the directory says. A
// revision that was taken already, or an older one, changes nothing.
//
//msgp:tuple SetTerms
type SetTerms struct {
	Revision uint64 // of the directory's record, grows by every change
	Plan     cloudlicenses.Plan
	Status   cloudlicenses.TenantStatus // active, suspended or deleting
	Actor    string                     // a user's id, or who else it was
}

// PlanUse is what a tenant has in use, against what its plan allows
// (cloudlicenses.Unlimited: no limit).
//
//msgp:tuple PlanUse
type PlanUse struct {
	Plan       cloudlicenses.Plan
	Vendors    int64
	MaxVendors int64
	Seats      int64
	MaxSeats   int64
}

// TermsResult is a tenant's terms. A plan that is too small for what is in use
// is plan_limit_exceeded, with the use against the plan that was asked for; the
// standing is taken nevertheless.
//
//msgp:tuple TermsResult
type TermsResult struct {
	Code     cloudlicenses.Code
	Detail   string
	Revision uint64
	Status   cloudlicenses.TenantStatus
	Use      PlanUse
	Country  string // of the company, as it signed up
	TaxID    string
}

// GetTerms asks for a tenant's terms.
//
//msgp:tuple GetTerms
type GetTerms struct{ Reserved bool }

// EndTenant begins the end of a tenant that is being deleted: it revokes its
// keys and ends at most Limit of its leases.
//
//msgp:tuple EndTenant
type EndTenant struct {
	Limit int64
}

// EndedTenant says how many leases are left, and what was charged.
//
//msgp:tuple EndedTenant
type EndedTenant struct {
	Code   cloudlicenses.Code
	Detail string
	Left   int64
	// Charged is the number of the tenant's latest overage record.
	Charged uint64
}

// RemoveTenant removes all that a tenant has, its data key with it. What stays
// is its name, which this group never takes again.
//
//msgp:tuple RemoveTenant
type RemoveTenant struct {
	Epoch uint32
	// Charged is the number of the latest overage record that the vendors'
	// accounts keep: where there is a later one, nothing is removed.
	Charged uint64
}
