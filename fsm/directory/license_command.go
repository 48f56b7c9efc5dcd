package directory

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=license_command.go -o=license_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.LicenseStatus as:string using:string/cloudlicenses.LicenseStatus mode:cast
//msgp:shim cloudlicenses.Currency as:string using:string/cloudlicenses.Currency mode:cast
//msgp:shim cloudlicenses.BillingCycle as:string using:string/cloudlicenses.BillingCycle mode:cast
//msgp:shim NoticePlace as:uint8 using:uint8/NoticePlace mode:cast
//msgp:shim Switch as:uint8 using:uint8/Switch mode:cast
//msgp:shim AmendFields as:uint32 using:uint32/AmendFields mode:cast

// The commands about licenses, customers and links; 30–49 are theirs. Append
// only, as those of command.go.
const (
	OpLicenseGenerate  fsm.Op = 30 // GenerateLicense → LicenseResult: the saga's intent
	OpLicenseProvision fsm.Op = 31 // ProvisionLicense → LicenseResult: the same, later
	OpLicenseSynced    fsm.Op = 32 // LicenseSynced → LicenseResult: the saga's end
	OpLicenseFailed    fsm.Op = 33 // LicenseFailed → Ack: the saga's other end
	OpLicenseAmend     fsm.Op = 34 // AmendLicense → LicenseResult
	OpLicenseStatus    fsm.Op = 35 // SetLicenseStatus → LicenseResult
	OpLicensesEnd      fsm.Op = 36 // EndLicenses → Ack: proposed by the leader as contracts end
	OpCustomer         fsm.Op = 37 // SetCustomer → CustomerResult
	OpVendorBlock      fsm.Op = 38 // BlockVendor → LinkResult
	OpLinkTold         fsm.Op = 39 // LinkTold → Ack
)

// The queries about licenses, customers and links; 30–49 are theirs.
const (
	QueryLicense       fsm.Op = 30 // GetLicense → LicenseResult
	QueryLicenses      fsm.Op = 31 // ListLicenses → LicensePage
	QueryCustomers     fsm.Op = 32 // ListCustomers → CustomerPage
	QueryLinks         fsm.Op = 33 // ListLinks → LinkPage
	QueryUnprovisioned fsm.Op = 34 // List → Unprovisioned
)

// Terms are what a license grants, at what price and for how long.
//
//msgp:tuple Terms
type Terms struct {
	Constraint string // semver range; empty: any version
	Total      int64
	CommitQty  int64
	MaxOverage int64
	// Fees are in minor units of Currency: per calendar month, and per
	// overage use.
	CommitFeeMinor  int64
	OverageFeeMinor int64
	Currency        cloudlicenses.Currency
	StartMillis     int64 // first moment of the contract, a UTC midnight
	EndMillis       int64 // first moment after it, likewise; 0: open-ended
	AutoRenew       bool  // at its end it goes on for its own length
	Cycle           cloudlicenses.BillingCycle
}

// Price is what a license costs from a moment on: as generated, or as an
// amendment left it.
//
//msgp:tuple Price
type Price struct {
	FromMillis      int64
	CommitFeeMinor  int64
	OverageFeeMinor int64
	CommitQty       int64 // seats that the fee covers
}

// NoticePlace says where the notice to a license's contact waits. Persons are
// not the directory's: it knows no more than that.
type NoticePlace uint8

// The places of a notice. Values are stored: append only.
const (
	NoticeNowhere  NoticePlace = 0 // there is none
	NoticeAtTenant NoticePlace = 1 // in the tenant's group
	NoticeAtVendor NoticePlace = 2 // in the vendor's own account, until the tenant is there
)

// License is a license as the platform knows it: whose it is, what was agreed
// and how far it has come. The tenant's group holds a copy of what it grants:
// that of revision Synced.
//
// Revision 0 is a license that its group knows nothing of and is not to know
// yet. Every change after that is a revision, and the saga brings the group up
// to it.
//
//msgp:tuple License
type License struct {
	ID            cloudlicenses.LicenseID
	VendorID      cloudlicenses.VendorID
	TenantID      cloudlicenses.TenantID
	OpportunityID string
	ProductID     cloudlicenses.ProductID
	ProductName   string
	CRMAccount    string
	Company       string // as the vendor calls the customer
	RequestHash   [32]byte
	Terms         Terms
	Prices        []Price // oldest first, the first from the contract's start on
	// TermMonths or else TermDays is the contract's own length, by which it
	// is renewed; both 0: open-ended.
	TermMonths int64
	TermDays   int64
	Status     cloudlicenses.LicenseStatus
	Revision   uint64
	Synced     uint64
	// Fresh tells a license whose generation is not through from one that
	// was there before: it goes where its group refuses it.
	Fresh             bool
	Notice            NoticePlace
	NoticeKey         [16]byte
	Notified          bool // the notice has been handed to the tenant's outbox
	CreatedMillis     int64
	ProvisionedMillis int64 // 0: not yet
	SuspendedMillis   int64 // of the running suspension; 0: none
	RevokedMillis     int64 // 0: not
	// Refused is the last revision that the group refused: the next one is
	// larger, so that what is said late of a revision is not taken for another.
	Refused uint64
	// Before is what held before an amendment that the group has not taken
	// yet; nil: there is none.
	Before *Amended
	// Ended are the licenses whose renewal this one has ended by its generation
	// or an amendment, as long as the group may still refuse that.
	Ended []cloudlicenses.LicenseID
	// Unfit: the group refused its provisioning since it does not fit the tenant's
	// plan. It is tried again when the plan or the standing changes.
	Unfit bool
}

// Amended is what an amendment has replaced, and the revision that it made:
// where the group refuses that one, it holds again.
//
//msgp:tuple Amended
type Amended struct {
	Revision   uint64
	Terms      Terms
	Prices     []Price
	TermMonths int64
	TermDays   int64
}

// GenerateLicense makes a license, idempotent by vendor, opportunity and
// product. Refusals: opportunity_conflict, already_exists (Other: the license
// in the way; Detail "crm_account_id: …" where that one belongs to another
// tenant), invalid_entitlement, invalid_field, license_not_active (the tenant
// is suspended or has blocked the vendor), not_found (no such vendor).
//
//msgp:tuple GenerateLicense
type GenerateLicense struct {
	VendorID      cloudlicenses.VendorID
	OpportunityID string
	ProductID     cloudlicenses.ProductID
	ProductName   string
	CRMAccount    string
	Company       string
	TenantID      cloudlicenses.TenantID // empty: the one that the CRM account is linked to
	RequestHash   [32]byte               // over the decoded request
	Terms         Terms
	AutoProvision bool
	NoticeKey     [16]byte
	Notice        NoticePlace // where the contact's notice was put before
}

// ProvisionLicense has a license that was generated only provisioned. Said
// again, it changes nothing. Refusals as those of GenerateLicense.
//
//msgp:tuple ProvisionLicense
type ProvisionLicense struct {
	VendorID   cloudlicenses.VendorID
	ID         cloudlicenses.LicenseID
	CRMAccount string
	NoticeKey  [16]byte
	Notice     NoticePlace // Nowhere: the one of generation stands
}

// LicenseSynced says that the license's group knows a revision, and whether it
// has mailed the notice: one that waited for too long was not there any more.
//
//msgp:tuple LicenseSynced
type LicenseSynced struct {
	ID       cloudlicenses.LicenseID
	Revision uint64
	Notified bool
}

// LicenseFailed says that the license's group refuses a revision. If it is the
// first one, a fresh license goes, and another one is generated only again; if
// it is an amendment, that is taken back, by one more revision.
//
//msgp:tuple LicenseFailed
type LicenseFailed struct {
	ID       cloudlicenses.LicenseID
	Revision uint64
	Code     cloudlicenses.Code // of the refusal
}

// AmendFields says which fields of an amendment are set.
type AmendFields uint32

// The fields of an amendment. Values are stored: append only.
const (
	AmendConstraint AmendFields = 1 << iota
	AmendTotal
	AmendCommitQty
	AmendMaxOverage
	AmendCommitFee
	AmendOverageFee
	AmendStart
	AmendEnd
	AmendAutoRenew
	AmendCycle
)

// AmendLicense changes terms, in force from then on. The currency stays.
//
//msgp:tuple AmendLicense
type AmendLicense struct {
	VendorID cloudlicenses.VendorID
	ID       cloudlicenses.LicenseID
	Fields   AmendFields
	Terms    Terms
}

// SetLicenseStatus suspends, resumes (provisioned) or revokes a license.
//
//msgp:tuple SetLicenseStatus
type SetLicenseStatus struct {
	VendorID cloudlicenses.VendorID
	ID       cloudlicenses.LicenseID
	Status   cloudlicenses.LicenseStatus
}

// EndLicenses renews or expires at most Limit licenses whose contracts have
// ended by the entry's time.
//
//msgp:tuple EndLicenses
type EndLicenses struct {
	Limit int64
}

// Switch is a setting that may be left to a wider one.
type Switch uint8

// The positions of a switch. Values are stored: append only.
const (
	SwitchUnset Switch = 0
	SwitchOn    Switch = 1
	SwitchOff   Switch = 2
)

// Customer is a vendor's customer, named by the vendor's CRM.
//
//msgp:tuple Customer
type Customer struct {
	VendorID      cloudlicenses.VendorID
	CRMAccount    string
	TenantID      cloudlicenses.TenantID
	Company       string // as the vendor calls it
	LinkedMillis  int64  // 0: the tenant is not there yet
	AutoProvision Switch // unset: as the vendor's own setting
}

// SetCustomer sets a customer's auto-provisioning.
//
//msgp:tuple SetCustomer
type SetCustomer struct {
	VendorID      cloudlicenses.VendorID
	CRMAccount    string
	AutoProvision Switch
}

// Link is what a tenant and a vendor have with each other.
//
//msgp:tuple Link
type Link struct {
	TenantID      cloudlicenses.TenantID
	VendorID      cloudlicenses.VendorID
	LinkedMillis  int64
	BlockedMillis int64 // 0: not blocked
	// NotifiedMillis is when the vendor was last left an event that it is blocked;
	// 0: never.
	NotifiedMillis int64
	Told           bool // the tenant's group knows
}

// BlockVendor blocks a vendor that the tenant is linked with, or unblocks it:
// a blocked one can neither generate nor provision nor amend nor resume.
// Idempotent.
//
//msgp:tuple BlockVendor
type BlockVendor struct {
	TenantID cloudlicenses.TenantID
	VendorID cloudlicenses.VendorID
	Blocked  bool
}

// LinkTold says that the tenant's group knows of a link.
//
//msgp:tuple LinkTold
type LinkTold struct {
	TenantID cloudlicenses.TenantID
	VendorID cloudlicenses.VendorID
}

// LicenseResult is a license, or why not.
//
//msgp:tuple LicenseResult
type LicenseResult struct {
	Code     cloudlicenses.Code
	Detail   string // of an invalid_field "<path of the member>: <what is wrong>"
	License  License
	Other    cloudlicenses.LicenseID // in the way of an already_exists
	Replayed bool                    // it was there before
	// What the saga needs besides.
	VendorName string
	Untold     bool // the tenant is to be told of the vendor
}

// GetLicense asks for a license of a vendor (empty: of any).
//
//msgp:tuple GetLicense
type GetLicense struct {
	VendorID cloudlicenses.VendorID
	ID       cloudlicenses.LicenseID
}

// ListLicenses asks for a vendor's licenses or, where TenantID alone is set, a
// tenant's, in order of id, after Cursor. Empty filters match all.
//
//msgp:tuple ListLicenses
type ListLicenses struct {
	VendorID   cloudlicenses.VendorID
	TenantID   cloudlicenses.TenantID
	Status     cloudlicenses.LicenseStatus
	ProductID  cloudlicenses.ProductID
	CRMAccount string
	Cursor     string
	Limit      int64
}

// LicensePage is a page of licenses; Next is empty on the last.
//
//msgp:tuple LicensePage
type LicensePage struct {
	Code  cloudlicenses.Code
	Items []License
	Next  string
}

// ListCustomers asks for a vendor's linked customers in order of CRM account,
// after Cursor. Empty filters match all; Name is looked for in names, whatever
// its case.
//
//msgp:tuple ListCustomers
type ListCustomers struct {
	VendorID   cloudlicenses.VendorID
	CRMAccount string
	TenantID   cloudlicenses.TenantID
	Name       string
	Cursor     string
	Limit      int64
}

// FoundCustomer is a customer with its tenant.
//
//msgp:tuple FoundCustomer
type FoundCustomer struct {
	Customer Customer
	Tenant   Tenant
	Blocked  bool // the tenant has blocked the vendor
}

// CustomerPage is a page of customers; Next is empty on the last.
//
//msgp:tuple CustomerPage
type CustomerPage struct {
	Code  cloudlicenses.Code
	Items []FoundCustomer
	Next  string
}

// CustomerResult is a customer, or why not.
//
//msgp:tuple CustomerResult
type CustomerResult struct {
	Code     cloudlicenses.Code
	Detail   string
	Customer FoundCustomer
}

// ListLinks asks for a tenant's vendors in order of id, after Cursor.
//
//msgp:tuple ListLinks
type ListLinks struct {
	TenantID cloudlicenses.TenantID
	Cursor   string
	Limit    int64
	VendorID cloudlicenses.VendorID // not empty: this one alone
}

// LinkedVendor is a link with the vendor's name.
//
//msgp:tuple LinkedVendor
type LinkedVendor struct {
	Link     Link
	Name     string
	Licenses int64 // of the tenant by this vendor
}

// LinkPage is a page of links; Next is empty on the last.
//
//msgp:tuple LinkPage
type LinkPage struct {
	Code  cloudlicenses.Code
	Items []LinkedVendor
	Next  string
}

// LinkResult is a link, or why not.
//
//msgp:tuple LinkResult
type LinkResult struct {
	Code   cloudlicenses.Code
	Detail string
	Link   LinkedVendor
}

// Unprovisioned is a page of what sagas have left to do: licenses whose groups
// lag behind, in order of id, and with the first page links that tenants don't
// know of.
//
//msgp:tuple Unprovisioned
type Unprovisioned struct {
	Code     cloudlicenses.Code
	Licenses []LicenseResult
	Links    []LinkedVendor
	Next     string
}
