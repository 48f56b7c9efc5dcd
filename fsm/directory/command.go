package directory

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=command.go -o=command_gen.go -io=false -tests=false
//msgp:limit arrays:1048576 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.TenantStatus as:string using:string/cloudlicenses.TenantStatus mode:cast
//msgp:shim VendorMember as:uint8 using:uint8/VendorMember mode:cast

// The commands of the directory. Append only: a number is never reused. The
// header names no tenant and epoch 0. Every payload is at version 1.
const (
	OpLead     fsm.Op = 1 // Lead
	OpInit     fsm.Op = 2 // Init → Ack: the first one wins
	OpVendor   fsm.Op = 3 // PutVendor → VendorResult
	OpTenant   fsm.Op = 4 // CreateTenant → TenantResult
	OpTenantUp fsm.Op = 5 // SetTenantStatus → TenantResult
	OpReserve  fsm.Op = 6 // ReserveLicenses → Reserved

	OpVendorStatus fsm.Op = 20 // SetVendorStatus → VendorResult
	OpVendorSet    fsm.Op = 21 // SetVendor → VendorResult
	OpVendorHost   fsm.Op = 22 // VerifyVendorHost → VendorResult
	OpVendorShare  fsm.Op = 50 // SetVendorShare → VendorResult
)

// The queries of the directory.
const (
	QueryCluster fsm.Op = 1 // no payload → ClusterResult
	QueryTenant  fsm.Op = 2 // GetTenant → TenantResult
	QueryTenants fsm.Op = 3 // ListTenants → TenantPage
	QueryVendor  fsm.Op = 4 // GetVendor → VendorResult
	QueryVendors fsm.Op = 5 // ListVendors → VendorPage
	QueryHash    fsm.Op = 9 // no payload → StateHash

	QueryVendorHosts fsm.Op = 20 // no payload → VendorHosts
)

// Version is the payload version of every command and query above.
const Version = 1

// Lead opens a leader's term.
//
//msgp:tuple Lead
type Lead struct {
	Node string
}

// Init is the birth of a cluster: made up by the directory's first leader,
// kept as the first one applied. Another cluster's is already_exists.
//
//msgp:tuple Init
type Init struct {
	ClusterID string // UUID
	Domain    string
	// Groups lists the license groups and the region and nodes of each.
	Groups []Group
	// Secrets are wrapped by the key of --kek-file (AES-256-GCM, bound to the
	// cluster id): HMAC secret of API keys, Ed25519 seed of lease tokens,
	// admin token.
	Secrets []byte
	// JoinTokenHash is SHA-256 of the join token the cluster was started
	// with; empty where there is none.
	JoinTokenHash []byte
	AtMillis      int64
}

// Group is a license group as placed.
//
//msgp:tuple Group
type Group struct {
	ID     uint32
	Region string
	Nodes  []string
}

// Vendor is a software vendor and the placement of its account, which is that
// of a tenant. Nothing personal is here.
//
//msgp:tuple Vendor
type Vendor struct {
	ID             cloudlicenses.VendorID
	Name           string
	LicensePrefix  string // "vector" of lic-vector-mercedes-2025-001: 1–30 of a–z and 0–9
	Region         string
	Status         cloudlicenses.TenantStatus
	Group          uint32
	Epoch          uint32 // grows with every move
	CreatedMillis  int64
	VerifiedMillis int64
	Settings       VendorSettings
	ShareRate      int64 // the platform's share of overage, in hundredths of a percent; 0: the default
}

// VendorSettings are a vendor's own, so far as they are not secret.
//
//msgp:tuple VendorSettings
type VendorSettings struct {
	AutoProvision bool // licenses are provisioned as they are generated
	BrandName     string
	BrandColor    string // #rrggbb
	BrandLogo     string // URL
	// Host is the white-label host in A-labels; empty: none. Verified, it
	// stands for the vendors' host for this vendor alone.
	Host         string
	HostVerified bool
}

// Account is a vendor's account as a tenant: its name and its placement.
func (v *Vendor) Account() Tenant {
	return Tenant{
		ID: v.ID.Account(), Company: v.Name, Region: v.Region, Status: v.Status, Group: v.Group, Epoch: v.Epoch,
		CreatedMillis: v.CreatedMillis, VerifiedMillis: v.VerifiedMillis,
	}
}

// PutVendor creates a vendor and places its account in the group of its region
// that has the fewest. Status pending until SetVendorStatus, so that the saga
// (directory → group → active) can resume. Another vendor of that id or prefix
// is already_exists, with the one of that id in the result; the same one again
// is not.
//
//msgp:tuple PutVendor
type PutVendor struct {
	ID            cloudlicenses.VendorID
	Name          string
	LicensePrefix string
	Region        string // empty, where there is such a vendor: its own
	AtMillis      int64  // 0: the entry's time
}

// SetVendorShare sets the platform's share of a vendor's overage revenue, in
// hundredths of a percent: 200 to 500 (seed G), 0 for the default. Idempotent.
//
//msgp:tuple SetVendorShare
type SetVendorShare struct {
	ID   cloudlicenses.VendorID
	Rate int64
}

// SetVendorStatus moves a vendor to another state. Idempotent.
//
//msgp:tuple SetVendorStatus
type SetVendorStatus struct {
	ID       cloudlicenses.VendorID
	Status   cloudlicenses.TenantStatus
	AtMillis int64
}

// VendorMember is a set of a vendor's members that a SetVendor is to change.
type VendorMember uint8

// The members of a vendor that can be changed.
const (
	VendorName          VendorMember = 1 << 0
	VendorAutoProvision VendorMember = 1 << 1
	VendorBrandName     VendorMember = 1 << 2
	VendorBrandColor    VendorMember = 1 << 3
	VendorBrandLogo     VendorMember = 1 << 4
	VendorHost          VendorMember = 1 << 5 // another one is not verified
)

// SetVendor changes what is set. Idempotent. A host that another vendor has
// verified is already_exists.
//
//msgp:tuple SetVendor
type SetVendor struct {
	ID       cloudlicenses.VendorID
	Set      VendorMember
	Name     string
	Settings VendorSettings // HostVerified is not looked at
	Check    bool           // make every check and change nothing
}

// VerifyVendorHost puts a vendor's white-label host into force, if it is still
// this one. Idempotent.
//
//msgp:tuple VerifyVendorHost
type VerifyVendorHost struct {
	ID   cloudlicenses.VendorID
	Host string
}

// Tenant is a customer's tenant and its placement.
//
//msgp:tuple Tenant
type Tenant struct {
	ID             cloudlicenses.TenantID
	CustomerID     string // CUST-00001, from the platform's own sequence
	Company        string
	Region         string
	Plan           string
	Status         cloudlicenses.TenantStatus
	Group          uint32
	Epoch          uint32 // grows with every move
	CreatedMillis  int64
	VerifiedMillis int64
}

// CreateTenant creates a tenant, places it in the group of its region that has
// the fewest tenants and gives it its customer id. Status pending until
// SetTenantStatus, so that the saga (directory → group → active) can resume.
// A tenant of that id is already_exists, with that tenant in the result.
//
//msgp:tuple CreateTenant
type CreateTenant struct {
	ID       cloudlicenses.TenantID
	Company  string
	Region   string
	Plan     string
	AtMillis int64
}

// SetTenantStatus moves a tenant to another state. Idempotent.
//
//msgp:tuple SetTenantStatus
type SetTenantStatus struct {
	ID       cloudlicenses.TenantID
	Status   cloudlicenses.TenantStatus
	AtMillis int64
}

// ReserveLicenses draws Count license ids lic-<prefix>-<tenant>-<year>-<nnn>
// from the sequence of vendor, tenant and year. Idempotent by Intent.
//
//msgp:tuple ReserveLicenses
type ReserveLicenses struct {
	Intent   string // the request's own id
	VendorID cloudlicenses.VendorID
	TenantID cloudlicenses.TenantID
	Year     int64
	Count    int64
}

// Every result is a tuple whose first element is its Code.

// Ack is the result of a command that returns nothing more.
//
//msgp:tuple Ack
type Ack struct {
	Code   cloudlicenses.Code
	Detail string
}

// TenantResult is a tenant, or why not.
//
//msgp:tuple TenantResult
type TenantResult struct {
	Code   cloudlicenses.Code
	Detail string
	Tenant Tenant
}

// Reserved names the ids First … First+Count-1 under Prefix, each written
// with at least three digits.
//
//msgp:tuple Reserved
type Reserved struct {
	Code   cloudlicenses.Code
	Detail string
	Prefix string // "lic-vector-mercedes-2025-"
	First  int64
	Count  int64
}

// GetTenant asks for one tenant, or for a vendor's account by its name.
//
//msgp:tuple GetTenant
type GetTenant struct {
	ID cloudlicenses.TenantID
}

// GetVendor asks for one vendor.
//
//msgp:tuple GetVendor
type GetVendor struct {
	ID cloudlicenses.VendorID
}

// List asks for a page in order of id, after Cursor.
//
//msgp:tuple List
type List struct {
	Cursor string
	Limit  int64
}

// ClusterResult is the cluster's birth record; not_found before it.
//
//msgp:tuple ClusterResult
type ClusterResult struct {
	Code cloudlicenses.Code
	Init Init
}

// VendorResult is a vendor, or why not.
//
//msgp:tuple VendorResult
type VendorResult struct {
	Code   cloudlicenses.Code
	Detail string
	Vendor Vendor
}

// WhiteLabel is a verified white-label host.
//
//msgp:tuple WhiteLabel
type WhiteLabel struct {
	Host     string
	VendorID cloudlicenses.VendorID
}

// VendorHosts lists every verified white-label host, in order of vendor.
//
//msgp:tuple VendorHosts
type VendorHosts struct {
	Code  cloudlicenses.Code
	Items []WhiteLabel
}

// TenantPage is a page of tenants; Next is empty on the last.
//
//msgp:tuple TenantPage
type TenantPage struct {
	Code  cloudlicenses.Code
	Items []Tenant
	Next  string
}

// VendorPage is a page of vendors.
//
//msgp:tuple VendorPage
type VendorPage struct {
	Code  cloudlicenses.Code
	Items []Vendor
	Next  string
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
