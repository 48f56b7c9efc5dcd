package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=kept_command.go -o=kept_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.Currency as:string using:string/cloudlicenses.Currency mode:cast

// What vendors' accounts keep of tenants that are removed.
const (
	OpKeepOverage fsm.Op = 113 // KeepOverage → Ack

	QueryKept        fsm.Op = 123 // ListKept → KeptPage
	QueryOverageDays fsm.Op = 124 // SumOverage → OverageDays
)

// DaySum is the sum of a license's overage records of one day, currency and price.
//
//msgp:tuple DaySum
type DaySum struct {
	Day        uint32 // Unix days
	Currency   cloudlicenses.Currency
	PriceMinor int64
	Uses       int64
	Minor      int64 // never wrapped: it stops at the largest amount
	Adjustment bool  // as in OverageSum
}

// OverageDay is a day's sum with its license.
//
//msgp:tuple OverageDay
type OverageDay struct {
	LicenseID cloudlicenses.LicenseID
	Sum       DaySum
}

// OverageDays are OverageSums day by day.
//
//msgp:tuple OverageDays
type OverageDays struct {
	Code        cloudlicenses.Code
	Items       []OverageDay
	Next        string
	ClockMillis int64
}

// Kept is what an account keeps of a tenant that is removed. It is one of
//
//	a license's overage of a month      LicenseID, Month, Days
//	a license that no directory knows   LicenseID, Company, Own, EndMillis
//	the word that nothing is missing    neither
//
//msgp:tuple Kept
type Kept struct {
	TenantID  cloudlicenses.TenantID
	LicenseID cloudlicenses.LicenseID
	Month     uint32   // year × 12 + month, January = 0; 0: none
	Days      []DaySum // in order of day
	Company   string   // of the tenant
	Own       License
	EndMillis int64 // when the tenant was to go
}

// KeepOverage keeps records in place of those that were kept before for the same
// tenant, license and month. The word that nothing is missing comes last.
//
//msgp:tuple KeepOverage
type KeepOverage struct {
	Items []Kept
}

// ListKept asks for what is kept of the months [From, To] after Cursor; of month 0
// are licenses and the word that a tenant is kept as a whole.
//
//msgp:tuple ListKept
type ListKept struct {
	From   uint32
	To     uint32
	Cursor string
	Limit  int64
}

// KeptPage is a page of it, in order of month, tenant and license.
//
//msgp:tuple KeptPage
type KeptPage struct {
	Code  cloudlicenses.Code
	Items []Kept
	Next  string // empty on the last one
}
