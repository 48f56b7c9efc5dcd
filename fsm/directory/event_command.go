package directory

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=event_command.go -o=event_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.EventKind as:string using:string/cloudlicenses.EventKind mode:cast

// The commands and queries about events for vendors; 76–79 are theirs. Append
// only, as those of command.go.
const (
	OpVendorTold fsm.Op = 76 // VendorTold → Ack

	QueryVendorEvents fsm.Op = 76 // ListVendorEvents → VendorEvents
)

// VendorEvent is something that a vendor's account has not been told of yet. It
// is a record on disk as well.
//
//msgp:tuple VendorEvent
type VendorEvent struct {
	Sequence   uint64 // grows by each event of the cluster
	AtMillis   int64
	VendorID   cloudlicenses.VendorID
	Kind       cloudlicenses.EventKind
	TenantID   cloudlicenses.TenantID
	CRMAccount string                  // empty: of no one customer
	LicenseID  cloudlicenses.LicenseID // empty: of no license
	ProductID  cloudlicenses.ProductID
}

// VendorTold says that a vendor's account has the events up to a sequence.
//
//msgp:tuple VendorTold
type VendorTold struct {
	VendorID cloudlicenses.VendorID
	UpTo     uint64
}

// ListVendorEvents asks for events that wait: those of a vendor after a sequence,
// and those of the vendors that follow. Only active ones are among them:
// the accounts of others can't be told.
//
//msgp:tuple ListVendorEvents
type ListVendorEvents struct {
	VendorID cloudlicenses.VendorID
	After    uint64 // sequence
	Limit    int64
}

// VendorEvents is a page of them, by vendor and sequence.
//
//msgp:tuple VendorEvents
type VendorEvents struct {
	Items []VendorEvent
}
