package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=billing_query.go -o=billing_query_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.Currency as:string using:string/cloudlicenses.Currency mode:cast

// The queries about what is billed; 80–89 are theirs.
const (
	QueryOverageSums fsm.Op = 80 // SumOverage → OverageSums
	QueryRules       fsm.Op = 81 // GetRules → RulesResult
)

// SumOverage asks for the sums of overage records that were charged in
// [FromMillis, ToMillis), after Cursor.
//
//msgp:tuple SumOverage
type SumOverage struct {
	VendorID   cloudlicenses.VendorID // empty: of every vendor
	FromMillis int64
	ToMillis   int64
	Cursor     string
	Limit      int64 // records read for a page; 0: as many as there may be
}

// OverageSum is the sum of a license's records of one month, currency and price.
//
//msgp:tuple OverageSum
type OverageSum struct {
	LicenseID  cloudlicenses.LicenseID
	Month      uint32 // year × 12 + month, January = 0
	Currency   cloudlicenses.Currency
	PriceMinor int64
	Uses       int64
	Minor      int64 // never wrapped: it stops at the largest amount
	// Adjustment: what was taken back, summed apart from what was charged.
	Adjustment bool
}

// OverageSums are the sums of a stretch of records: those of one license, month,
// currency and price may come again on the next page. Next is empty on the last.
//
//msgp:tuple OverageSums
type OverageSums struct {
	Code  cloudlicenses.Code
	Items []OverageSum // in order of month, then of first use
	Next  string
	// ClockMillis is the replica's clock: nothing will ever be charged before it.
	ClockMillis int64
}

// GetRules asks for the tenant's rules on overage.
//
//msgp:tuple GetRules
type GetRules struct{ Reserved bool }

// RulesResult is the tenant's rules, with the currency of each cap's amount.
//
//msgp:tuple RulesResult
type RulesResult struct {
	Code  cloudlicenses.Code
	Rules Rules
}
