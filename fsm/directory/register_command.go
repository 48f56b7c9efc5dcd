package directory

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=register_command.go -o=register_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim RegistrationStatus as:string using:string/RegistrationStatus mode:cast

// The commands of sign-ups. Append only, as those of command.go.
const (
	OpRegister   fsm.Op = 7  // Register → RegistrationResult
	OpUnregister fsm.Op = 8  // Unregister → Ack
	OpAdmit      fsm.Op = 9  // AdmitTenant → TenantResult: of a vendor, its account
	OpAdmitted   fsm.Op = 10 // TenantAdmitted → Ack: the saga's end
)

// The queries of sign-ups.
const (
	QueryRegistration  fsm.Op = 6 // GetTenant → RegistrationResult
	QueryRegistrations fsm.Op = 7 // no payload → Unfinished
)

// RegistrationStatus is how far a sign-up has come.
type RegistrationStatus string

// The states of a registration, in their order.
const (
	RegistrationPending  RegistrationStatus = "pending_verification" // the domain is not verified yet
	RegistrationVerified RegistrationStatus = "verified"             // the tenant is being made
	RegistrationDone     RegistrationStatus = "done"
)

// Register reserves a tenant id and a domain until RegistrationLife is over. A
// vendor's names its account; domains of vendors are reserved apart from those
// of tenants, since a company may be both. Personal data is not the
// directory's: it lives in a group of the region.
//
//msgp:tuple Register
type Register struct {
	Intent    [16]byte // makes it idempotent
	ID        cloudlicenses.TenantID
	Company   string
	Domain    string // A-labels, lower case
	Region    string
	Plan      string   // of a tenant
	Prefix    string   // of a vendor's licenses
	EmailHash [32]byte // keyed hash of the administrator's e-mail address
	// Groups are the license groups all of whose replicas are in Region, in
	// order.
	Groups []uint32
}

// Unregister takes back a pending registration whose second step failed.
//
//msgp:tuple Unregister
type Unregister struct {
	Intent [16]byte
	ID     cloudlicenses.TenantID
}

// AdmitTenant makes the tenant, or the vendor, of a registration whose domain is
// verified: pending, until its group knows it. Idempotent.
//
//msgp:tuple AdmitTenant
type AdmitTenant struct {
	Intent [16]byte
	ID     cloudlicenses.TenantID
}

// TenantAdmitted ends the saga of a registration.
//
//msgp:tuple TenantAdmitted
type TenantAdmitted struct {
	ID cloudlicenses.TenantID
}

// Registration is a sign-up. One whose tenant was made is kept: the domain is
// that tenant's.
//
//msgp:tuple Registration
type Registration struct {
	Intent        [16]byte
	ID            cloudlicenses.TenantID
	Company       string
	Domain        string
	Region        string
	Plan          string
	Prefix        string
	EmailHash     [32]byte
	Group         uint32 // that holds the personal data, and is to hold the tenant
	Status        RegistrationStatus
	CreatedMillis int64
	ExpiresMillis int64 // of the token
}

// RegistrationResult is a registration, or why not. Of a conflict Detail is
// the name of the member that is taken: "id", "domain" or "license_prefix".
//
//msgp:tuple RegistrationResult
type RegistrationResult struct {
	Code         cloudlicenses.Code
	Detail       string
	Registration Registration
}

// Unfinished lists tenants and accounts of vendors whose sagas are under way, in order of id.
//
//msgp:tuple Unfinished
type Unfinished struct {
	Code  cloudlicenses.Code
	Items []Tenant
}
