package directory

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=records.go -o=records_gen.go -io=false -tests=false -unexported
//msgp:limit arrays:1048576 maps:0
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.VendorID as:string using:string/cloudlicenses.VendorID mode:cast

// Keys of the directory's records on disk. The first byte is the kind; kinds
// are append only. Values are the msgpack tuples of the named types. Ids hold
// no byte 0.
//
//	'B' tenant 0 vendor                            Link
//	'C'                                            Init         the cluster's birth
//	'E' sequence (uint64, big endian)              VendorEvent  a vendor's account has not been told of
//	'F' tenant                                     Life         its tombstone in the end
//	'I' sequence (uint64, big endian)              intentRecord a reservation, in order of time
//	'K' vendor 0 CRM account                       Customer
//	'L' license                                    License
//	'M'                                            metaRecord   clock and sequences
//	'R' tenant                                     Registration
//	'S' vendor 0 tenant 0 year (uint32, b. e.)     sequenceRecord
//	'T' tenant                                     Tenant
//	'V' vendor                                     Vendor
const (
	kindLink         = 'B'
	kindCluster      = 'C'
	kindVendorEvent  = 'E'
	kindLife         = 'F'
	kindIntent       = 'I'
	kindCustomer     = 'K'
	kindLicense      = 'L'
	kindMeta         = 'M'
	kindRegistration = 'R'
	kindSequence     = 'S'
	kindTenant       = 'T'
	kindVendor       = 'V'
)

// metaRecord holds what belongs to no other record.
//
//msgp:tuple metaRecord
type metaRecord struct {
	ClockMillis int64
	Customers   uint64 // the last customer number drawn
	Intents     uint64 // the last intent's sequence
	// VendorEvents is the sequence of the last event for a vendor.
	VendorEvents uint64
}

// sequenceRecord is how many license ids of a vendor, tenant and year are
// drawn. Its key says which.
//
//msgp:tuple sequenceRecord
type sequenceRecord struct {
	Drawn int64
}

// intentRecord remembers a reservation by its intent.
//
//msgp:tuple intentRecord
type intentRecord struct {
	Sequence uint64
	AtMillis int64
	Request  ReserveLicenses
	Prefix   string
	First    int64
}

// sequenceKey names a sequence of license ids.
type sequenceKey struct {
	vendor cloudlicenses.VendorID
	tenant cloudlicenses.TenantID
	year   int64
}

func keyIntent(sequence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindIntent}, sequence)
}

func (k sequenceKey) key() []byte {
	b := append([]byte{kindSequence}, k.vendor...)
	b = append(append(b, 0), k.tenant...)
	return binary.BigEndian.AppendUint32(append(b, 0), uint32(k.year))
}

// compare orders as the keys on disk do.
func (k sequenceKey) compare(other sequenceKey) int {
	return bytes.Compare(k.key(), other.key())
}

// parseSequenceKey is the inverse of sequenceKey.key.
func parseSequenceKey(key []byte) (sequenceKey, error) {
	vendor, rest, ok := bytes.Cut(key[1:], []byte{0})
	if !ok {
		return sequenceKey{}, fmt.Errorf("sequence key %q is damaged", key)
	}
	tenant, rest, ok := bytes.Cut(rest, []byte{0})
	if !ok || len(rest) != 4 {
		return sequenceKey{}, fmt.Errorf("sequence key %q is damaged", key)
	}
	return sequenceKey{
		vendor: cloudlicenses.VendorID(vendor),
		tenant: cloudlicenses.TenantID(tenant),
		year:   int64(binary.BigEndian.Uint32(rest)),
	}, nil
}

func keyTenant(id cloudlicenses.TenantID) []byte { return append([]byte{kindTenant}, id...) }

func keyVendor(id cloudlicenses.VendorID) []byte { return append([]byte{kindVendor}, id...) }
