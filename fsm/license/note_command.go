package license

import (
	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=note_command.go -o=note_command_gen.go -io=false -tests=false
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast

// The commands that leave something in an account's audit log; 110–114 are
// theirs. Append only.
const (
	OpNote fsm.Op = 110 // Note → Ack
)

// Note leaves in an account's audit log what one of its people, or one of its
// keys, has done in the directory.
//
//msgp:tuple Note
type Note struct {
	By        By
	Action    string // license.generate, license.amend, vendor.block, …
	LicenseID cloudlicenses.LicenseID
	ProductID cloudlicenses.ProductID
	Subject   string // what else it was done to: a CRM account, a vendor
}
