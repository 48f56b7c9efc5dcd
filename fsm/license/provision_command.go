package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=provision_command.go -o=provision_command_gen.go -io=false -tests=false -unexported
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.Code as:string using:string/cloudlicenses.Code mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast

// The commands by which vendors' licenses come to a tenant; 60–69 are theirs.
// Append only.
const (
	OpProvision  fsm.Op = 60 // Provision → Ack
	OpLinkVendor fsm.Op = 61 // LinkVendor → Ack
	OpPutNotice  fsm.Op = 62 // PutNotice → Ack
	OpDropNotice fsm.Op = 63 // DropNotice → Ack
)

// The queries of the same; 60–69 are theirs.
const (
	QueryNotice fsm.Op = 60 // FindNotice → NoticeResult
)

// Provision brings a license up to its Revision, which the directory counts:
// it is made, or its terms and status are replaced. One that has that revision
// is left as it is, so that the saga may repeat itself. A new license may be
// refused with already_exists (LicenseID: one in the way that the directory
// does not know of), never a later revision of it. What was refused once stays
// refused, with the same Ack: a next try is a next revision.
//
// A license that is made is told to its contact, by the notice that is kept
// here under NoticeKey, or by one that was kept elsewhere and comes along.
//
//msgp:tuple Provision
type Provision struct {
	License    License
	VendorName string
	NoticeKey  [16]byte
	Notice     Notice
}

// Notice is a mail to a license's contact. An empty Email is none.
//
//msgp:tuple Notice
type Notice struct {
	Email   string
	Message string // may be empty
}

// LinkVendor tells a tenant of a vendor that may provision to it. Idempotent.
//
//msgp:tuple LinkVendor
type LinkVendor struct {
	VendorID cloudlicenses.VendorID
	Name     string
}

// PutNotice keeps a notice until it is sent, dropped or has expired. One of
// the same key is replaced.
//
//msgp:tuple PutNotice
type PutNotice struct {
	Key           [16]byte
	VendorID      cloudlicenses.VendorID
	Notice        Notice
	ExpiresMillis int64
}

// DropNotice forgets a notice. Idempotent.
//
//msgp:tuple DropNotice
type DropNotice struct {
	Key []byte // 16 bytes
}

// FindNotice asks for a notice.
//
//msgp:tuple FindNotice
type FindNotice struct {
	Key []byte // 16 bytes
}

// NoticeResult is a notice; not_found where there is none.
//
//msgp:tuple NoticeResult
type NoticeResult struct {
	Code   cloudlicenses.Code
	Notice Notice
}

// linkRecord is a vendor that the tenant has been told of. Its key is its
// number, in order of creation.
//
//msgp:tuple linkRecord
type linkRecord struct {
	VendorID cloudlicenses.VendorID
	Name     string
	AtMillis int64
}

// refusalRecord is the latest refusal of a license. Its key is its number, in order
// of time.
//
//msgp:tuple refusalRecord
type refusalRecord struct {
	LicenseID cloudlicenses.LicenseID
	Revision  uint64
	AtMillis  int64
	Ack       Ack
}
