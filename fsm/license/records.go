package license

import (
	"encoding/binary"

	"github.com/cloudlicenses/cloudlicenses"
)

//go:generate go run github.com/tinylib/msgp@v1.6.5 -file=records.go -o=records_gen.go -io=false -tests=false -unexported
//msgp:limit arrays:65536 maps:0
//msgp:shim cloudlicenses.TenantID as:string using:string/cloudlicenses.TenantID mode:cast
//msgp:shim cloudlicenses.LicenseID as:string using:string/cloudlicenses.LicenseID mode:cast
//msgp:shim cloudlicenses.ProductID as:string using:string/cloudlicenses.ProductID mode:cast
//msgp:shim cloudlicenses.KeyID as:string using:string/cloudlicenses.KeyID mode:cast
//msgp:shim cloudlicenses.Currency as:string using:string/cloudlicenses.Currency mode:cast
//msgp:shim cloudlicenses.Plan as:string using:string/cloudlicenses.Plan mode:cast
//msgp:shim cloudlicenses.TenantStatus as:string using:string/cloudlicenses.TenantStatus mode:cast
//msgp:shim cloudlicenses.EndReason as:uint8 using:uint8/cloudlicenses.EndReason mode:cast

// The records on disk. Keys hold numbers only, never what a user sent; all
// numbers are big endian, so that keys sort as the numbers do:
//
//	'M'                                        meta
//	'T' tenant(4)                              tenantRecord, of a removed one too
//	'k' tenant(4)                              the tenant's data key, wrapped
//	'P' tenant(4) license(4)                   License
//	'V' tenant(4) license(4)                   latestRecord
//	'v' tenant(4) license(4) grain(1)          users of the running day or month, see userset.go
//	'v' tenant(4) license(4) 3 hour(4) number(4)  some that the running hour has seen
//	'U' tenant(4) month(4) license(4)          usageRecord of an earlier month
//	'u' tenant(4) license(4) hour(4)           usageRecord of an earlier hour
//	'd' tenant(4) license(4) day(4)            usageRecord of an earlier day
//	'K' tenant(4) key(4)                       Key
//	'S' tenant(4) key(4)                       spendRecord of the latest month charged
//	'Y' tenant(4) key(4)                       keyUseRecord
//	'L' tenant(4) lease(8)                     leaseRecord, live
//	'E' hour(4) tenant(4) lease/64(8)          leaseRecords, ended in that hour: a list
//	'C' tenant(4) credit(8)                    creditRecord
//	'O' tenant(4) month(4) sequence(8)         Overage
//	'A' tenant(4) millis(8) sequence(8)        audit block, see audit.go
//	'f' request(16)                            voidRecord
//	'X' sequence(8)                            Outgoing, pending
//	'Q', 'Z'                                   of the outbox, see outbox.go
//	'H'                                        of webhooks, see webhooks_records.go
//	'W', 'G'                                   of users, see users_records.go
//	'i' tenant(4)                              SSO
//	'R'                                        of sign-ups, see signup.go
//	'a' tenant(4) record(8)                    adjustedRecord
//	'b'                                        of tenants that are gone, see kept.go
//	'w'                                        of catalogs' floors, see floor.go
//	'J', 'N', 'r'                              of provisioning, see provision.go, notice.go and refusal.go
//	'F', 'I'                                   of invoices, see invoice.go
//	'B', 'D'                                   of vendors' accounts, see vendor.go
//
// tenant, license and key are numbers in their order of creation, from 1;
// recordKinds (remove.go) has a row for each; what is sealed there is sealed on
// disk. month is year × 12 + month (January = 0); hour is Unix hours, day Unix
// days.
const (
	prefixMeta    = 'M'
	prefixTenant  = 'T'
	prefixDataKey = 'k'
	prefixLicense = 'P'
	prefixLatest  = 'V'
	prefixUsers   = 'v'
	prefixUsage   = 'U'
	prefixHour    = 'u'
	prefixDay     = 'd'
	prefixKey     = 'K'
	prefixSpend   = 'S'
	prefixKeyUse  = 'Y'
	prefixLease   = 'L'
	prefixEnded   = 'E'
	prefixCredit  = 'C'
	prefixOverage = 'O'
	prefixAudit   = 'A'
	prefixOutbox  = 'X'
	prefixVoid    = 'f'
)

// diskKind is this machine's disk format.
const diskKind = "license/8"

// metaRecord is the machine's own state.
//
//msgp:tuple metaRecord
type metaRecord struct {
	ClockMillis     int64
	LeadSinceMillis int64
	Tenants         uint32 // last tenant number
	OutboxSequence  uint64 // last one given
	Outbox          outboxCounts
	EndedFloor      int64 // hour below which buckets of ended leases are gone
}

// outboxCounts is how many records there are of each kind.
//
//msgp:tuple outboxCounts
type outboxCounts struct {
	Mails        int64 // pending
	Webhooks     int64 // pending
	DeadMails    int64 // failed for good
	DeadWebhooks int64 // failed for good
}

// tenantRecord is a tenant without what belongs to it.
//
//msgp:tuple tenantRecord
type tenantRecord struct {
	Name            cloudlicenses.TenantID
	Epoch           uint32
	URL             string
	Rules           Rules
	Licenses        uint32 // last number of each kind
	Keys            uint32
	LeaseSequence   uint64
	OverageSequence uint64
	CreditSequence  uint64
	AuditSequence   uint64
	AuditHead       [32]byte
	// CheckoutsPerMinute limits all keys together; 0: no limit.
	CheckoutsPerMinute int64
	Minute             windowRecord
	Plan               cloudlicenses.Plan
	Status             cloudlicenses.TenantStatus
	Revision           uint64 // of the plan and the status, as the directory counts
	Country            string
	TaxID              string
	Removed            bool // nothing but its name is left
	Notes              []noteRecord
}

// noteRecord is what somebody is about to do elsewhere, see note.go.
//
//msgp:tuple noteRecord
type noteRecord struct {
	ID        [16]byte
	AtMillis  int64
	Action    string
	LicenseID cloudlicenses.LicenseID
	ProductID cloudlicenses.ProductID
	Subject   string
	Actor     string
	Address   string
}

// keyUseRecord is how a key was used lately.
//
//msgp:tuple keyUseRecord
type keyUseRecord struct {
	LastUsedMillis int64
	Minute         windowRecord // checkouts
	Hour           windowRecord // the same, by minutes
}

// windowRecord counts events by slot from First on, see window.go. Neither its
// first count is 0 nor its last.
//
//msgp:tuple windowRecord
type windowRecord struct {
	First  int64
	Counts []uint32
}

// latestRecord is what a license was used for in the month, the day and the hour
// of its latest use. Day and Hour are of period 0 where it was never used.
//
//msgp:tuple latestRecord
type latestRecord struct {
	Month usageRecord
	Day   usageRecord
	Hour  usageRecord
	Taken takenRecord
}

// takenRecord is what was taken back of what was charged in a month.
//
//msgp:tuple takenRecord
type takenRecord struct {
	Month uint32
	Uses  int64
	Minor int64
}

// usersRecord is a userSet.
//
//msgp:tuple usersRecord
type usersRecord struct {
	Sparse []uint32
	Dense  []byte
}

// usageRecord is what a license was used for in a period, see grain.
//
//msgp:tuple usageRecord
type usageRecord struct {
	Period           uint32
	CommitCheckouts  int64
	OverageCheckouts int64
	OverageUses      int64
	OverageMinor     int64 // charged, in the license's currency
	PeakInUse        int64
	OveragePeak      int64 // most overage seats in use; of a month: after one of its grants
	SeatMillis       int64 // up to ChangedMillis
	ChangedMillis    int64
	Users            int64      // different ones that checked out; 0 while the period runs
	Refusals         []Refusals // in order of code
}

// spendRecord sums what a key was charged in a month, by currency.
//
//msgp:tuple spendRecord
type spendRecord struct {
	Month uint32
	Sums  []spend // in order of first use
}

// spend is a sum in one currency.
//
//msgp:tuple spend
type spend struct {
	Currency cloudlicenses.Currency
	Uses     int64
	Minor    int64
}

// leaseRecord is a lease, live or ended.
//
//msgp:tuple leaseRecord
type leaseRecord struct {
	ID             uint64
	License        uint32
	Key            uint32
	User           string
	Hostname       string
	Fingerprint    string
	Metadata       string
	CommitSeats    int64
	OverageSeats   int64
	TTLMillis      int64
	IssuedMillis   int64
	ExpiresMillis  int64
	EndedMillis    int64
	End            cloudlicenses.EndReason
	Intent         [16]byte
	IntentByClient bool
	BodyHash       uint64
}

// creditRecord is overage seats of an expired use that may be continued.
//
//msgp:tuple creditRecord
type creditRecord struct {
	Sequence    uint64
	License     uint32
	Key         uint32
	User        string
	Hostname    string
	Seats       int64
	EndedMillis int64
}

// adjustedRecord is what was taken back of an overage record.
//
//msgp:tuple adjustedRecord
type adjustedRecord struct {
	Uses int64
	Made []adjustment
}

// adjustment is one that took back, for who asks again.
//
//msgp:tuple adjustment
type adjustment struct {
	ID     [16]byte
	Record Overage
}

// voidRecord is the latest try of a request that was refused. AtMillis is when
// it is forgotten.
//
//msgp:tuple voidRecord
type voidRecord struct {
	Try      uint8
	AtMillis int64
}

func key4(prefix byte, a uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefix}, a)
}

func key44(b []byte, prefix byte, a, c uint32) []byte {
	b = binary.BigEndian.AppendUint32(append(b[:0], prefix), a)
	return binary.BigEndian.AppendUint32(b, c)
}

func key48(b []byte, prefix byte, a uint32, c uint64) []byte {
	b = binary.BigEndian.AppendUint32(append(b[:0], prefix), a)
	return binary.BigEndian.AppendUint64(b, c)
}

func key444(b []byte, prefix byte, a, c, d uint32) []byte {
	return binary.BigEndian.AppendUint32(key44(b, prefix, a, c), d)
}

func key448(b []byte, prefix byte, a, c uint32, d uint64) []byte {
	return binary.BigEndian.AppendUint64(key44(b, prefix, a, c), d)
}

func key488(b []byte, prefix byte, a uint32, c, d uint64) []byte {
	return binary.BigEndian.AppendUint64(key48(b, prefix, a, c), d)
}

func key8(prefix byte, a uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, a)
}

// successor returns the first key after all that begin with prefix.
func successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return []byte{0xFF, 0xFF}
}
