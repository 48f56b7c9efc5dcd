package directory

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=life_command.go -o=life_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.TenantStatus as:string using:string/cloudlicenses.TenantStatus mode:cast
//msgp:shim cloudlicenses.Plan as:string using:string/cloudlicenses.Plan mode:cast

// The commands about a tenant's life; 60–69 are theirs. Append only, as those
// of command.go.
const (
	OpChangeTenant  fsm.Op = 60 // ChangeTenant → LifeResult
	OpTenantSettled fsm.Op = 61 // TenantSettled → LifeResult
	OpBeginRemoval  fsm.Op = 62 // BeginRemoval → LifeResult
	OpTenantRemoved fsm.Op = 63 // TenantRemoved → Ack: the saga's end
)

// The queries about a tenant's life; 60–69 are theirs.
const (
	QueryLife      fsm.Op = 60 // GetTenant → LifeResult
	QueryUnsettled fsm.Op = 61 // ListUnsettled → Unsettled
	QueryPlans     fsm.Op = 62 // List → PlanPage
)

// ChangeTenant asks for another plan or standing, which the tenant's group is
// to take next. Said again, it changes nothing.
//
//msgp:tuple ChangeTenant
type ChangeTenant struct {
	ID   cloudlicenses.TenantID
	Plan cloudlicenses.Plan // empty: as it is
	// Status is active (resume), suspended or deleting; empty: as it is.
	Status cloudlicenses.TenantStatus
	// GraceMillis is how long a deletion can be taken back.
	GraceMillis int64
	// Cancel takes a deletion back: the tenant is again what it was before.
	Cancel bool
	Actor  string // a user's id, or who else asked
}

// TenantSettled says that the tenant's group has a revision. Where it refused
// the plan, the old one stays.
//
//msgp:tuple TenantSettled
type TenantSettled struct {
	ID          cloudlicenses.TenantID
	Revision    uint64
	PlanRefused bool
}

// BeginRemoval ends the time in which a deletion can be taken back, once it is
// over.
//
//msgp:tuple BeginRemoval
type BeginRemoval struct {
	ID cloudlicenses.TenantID
}

// TenantRemoved ends a removal: the tenant is a tombstone, its domain is free.
//
//msgp:tuple TenantRemoved
type TenantRemoved struct {
	ID cloudlicenses.TenantID
}

// PlanSpan is a plan from a moment on, until the next span.
//
//msgp:tuple PlanSpan
type PlanSpan struct {
	Plan       cloudlicenses.Plan
	FromMillis int64
}

// Life is what became of a tenant since it was made. It outlives the tenant:
// its id is not given again.
//
//msgp:tuple Life
type Life struct {
	ID       cloudlicenses.TenantID
	Revision uint64             // of the latest change
	Settled  uint64             // the revision that the tenant's group has
	Plan     cloudlicenses.Plan // that the group is to take; Tenant.Plan is in force
	Plans    []PlanSpan         // that were in force, by time
	Actor    string             // of the latest change
	// Of a tenant that is being deleted:
	Before       cloudlicenses.TenantStatus // what it is again if that is taken back
	DeleteMillis int64                      // it is removed from then on
	Removing     bool                       // it can't be taken back any more
	// RemovedMillis is when nothing was left of it; 0: it is there.
	RemovedMillis int64
}

// LifeResult is a tenant with its life, or why not.
//
//msgp:tuple LifeResult
type LifeResult struct {
	Code   cloudlicenses.Code
	Detail string
	Tenant Tenant
	Life   Life
}

// ListUnsettled asks for the tenants that a saga has to go on with.
//
//msgp:tuple ListUnsettled
type ListUnsettled struct {
	NowMillis int64
	Cursor    cloudlicenses.TenantID // those after it
}

// Unsettled lists them, in order of id.
//
//msgp:tuple Unsettled
type Unsettled struct {
	Code  cloudlicenses.Code
	Items []LifeResult
	Next  cloudlicenses.TenantID // where to go on; empty: those were all
}

// PlanHistory is which plans a tenant had, for the statement of their fees.
//
//msgp:tuple PlanHistory
type PlanHistory struct {
	ID            cloudlicenses.TenantID
	Plans         []PlanSpan
	RemovedMillis int64 // 0: it is there
}

// PlanPage is a page of tenants, removed ones too, in order of id.
//
//msgp:tuple PlanPage
type PlanPage struct {
	Code  cloudlicenses.Code
	Items []PlanHistory
	Next  string
}
