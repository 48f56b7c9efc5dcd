package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=note_command.go -o=note_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast

// Commands that what happens elsewhere leaves in an account; 110–112
// and 114–115 are theirs.
// Append only.
const (
	OpNote     fsm.Op = 110 // Note → Ack
	OpSetFloor fsm.Op = 111 // Floor → Ack
	OpAdjust   fsm.Op = 112 // Adjust → AdjustResult
	OpIntend   fsm.Op = 114 // Note → Ack: before it is done
	OpDropNote fsm.Op = 115 // DropNote → Ack: it was refused
)

// Note leaves in an account's audit log what one of its people, or one of its
// keys, has done in the directory.
//
//msgp:tuple Note
type Note struct {
	// ID is that of OpIntend, which has the asker; zero: it was not intended.
	ID        [16]byte
	By        By
	Action    string // license.generate, license.amend, vendor.block, …
	LicenseID cloudlicenses.LicenseID
	ProductID cloudlicenses.ProductID
	Subject   string // what else it was done to: a CRM account, a vendor
}

// DropNote forgets what was intended.
//
//msgp:tuple DropNote
type DropNote struct {
	ID       [16]byte
	Reserved bool // what comes last is no array: msgp takes one that is cut short
}

// Floor is the lowest version of client libraries that may check a product out,
// as the vendor's catalog says. An older one than what is there changes nothing.
//
//msgp:tuple Floor
type Floor struct {
	VendorID      cloudlicenses.VendorID
	ProductID     cloudlicenses.ProductID
	MinLibVersion string // semver; empty: any
	AtMillis      int64  // when the catalog was changed
}

// Adjust takes uses of an overage record back. Idempotent by ID.
//
//msgp:tuple Adjust
type Adjust struct {
	ID        [16]byte
	VendorID  cloudlicenses.VendorID  // whose license it must be
	LicenseID cloudlicenses.LicenseID // that the record must be of
	Month     uint32                  // that the record was charged in: year × 12 + month, January = 0
	Sequence  uint64                  // of the record
	Uses      int64                   // to take back
	Reason    string                  // for the tenant's audit log
}

// AdjustResult is the record that adjusts, or why there is none.
//
//msgp:tuple AdjustResult
type AdjustResult struct {
	Code     cloudlicenses.Code
	Detail   string
	Record   Overage
	Left     int64 // uses that may still be taken back
	Replayed bool
}
