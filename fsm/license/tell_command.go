package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=tell_command.go -o=tell_command_gen.go -io=false -tests=false -unexported
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.EventKind as:string using:string/cloudlicenses.EventKind mode:cast

// OpTellVendor brings a vendor's account what the directory has decided;
// 116–119 are its family's. Append only.
const OpTellVendor fsm.Op = 116 // TellVendor → Ack

// TellVendor tells a vendor's account of events in order of Sequence. One that
// is not after the last that it was told of changes nothing.
//
//msgp:tuple TellVendor
type TellVendor struct {
	Events []VendorEvent
}

// VendorEvent is something that happened to a license, or with a customer, of a
// vendor. It holds ids, and no person.
//
//msgp:tuple VendorEvent
type VendorEvent struct {
	Sequence   uint64 // the directory's
	AtMillis   int64
	Kind       cloudlicenses.EventKind
	TenantID   cloudlicenses.TenantID
	CRMAccount string                  // empty: of no one customer
	LicenseID  cloudlicenses.LicenseID // empty: of no license
	ProductID  cloudlicenses.ProductID
}

// toldRecord is how far a vendor's account was told.
//
//msgp:tuple toldRecord
type toldRecord struct {
	Sequence uint64
}
