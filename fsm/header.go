package fsm

import (
	"encoding/binary"
	"errors"

	"github.com/cloudlicenses/cloudlicenses"
)

// Op numbers a command or query of a machine. A number is never used again
// for something else.
type Op uint8

// Header precedes the payload of every command and query:
//
//	 0         1         2..5              6          7..7+n       7+n..
//	+---------+---------+-----------------+----------+------------+---------+
//	| op      | version | epoch (uint32,  | n tenant | tenant id  | payload |
//	| (uint8) | (uint8) | big endian)     | (uint8)  | (n bytes)  | msgpack |
//	+---------+---------+-----------------+----------+------------+---------+
//
// The epoch is the placement the sender believes in; a machine refuses a
// tenant's command with another epoch than its own (StalePlacement). Commands
// that concern no tenant have an empty one and epoch 0.
type Header struct {
	Op      Op
	Version uint8 // of the payload; a new field is a new version
	Epoch   uint32
	Tenant  cloudlicenses.TenantID
}

const headerFixed = 7

// ErrHeader is returned for bytes too short to hold a header.
var ErrHeader = errors.New("command too short for its header")

// Append appends the encoded header to b.
func (h Header) Append(b []byte) []byte {
	b = append(b, byte(h.Op), h.Version)
	b = binary.BigEndian.AppendUint32(b, h.Epoch)
	b = append(b, byte(len(h.Tenant)))
	return append(b, h.Tenant...)
}

// SplitHeader decodes the header of b. tenant and payload alias b, so that a
// look-up by string(tenant) allocates nothing; Header.Tenant stays empty.
func SplitHeader(b []byte) (h Header, tenant, payload []byte, err error) {
	if len(b) < headerFixed || len(b) < headerFixed+int(b[6]) {
		return Header{}, nil, nil, ErrHeader
	}
	h = Header{Op: Op(b[0]), Version: b[1], Epoch: binary.BigEndian.Uint32(b[2:6])}
	cut := headerFixed + int(b[6])
	return h, b[headerFixed:cut], b[cut:], nil
}
