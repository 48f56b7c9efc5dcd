package license

import (
	"math"
	"net/netip"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/cloudlicenses/cloudlicenses"
)

// state is the machine's working copy in memory. Guarded by Machine.mu; what
// Admit reads is guarded by Machine.admission besides.
type state struct {
	clock     int64 // Unix ms, never falls
	leadSince int64 // clock at the latest OpLead
	applied   uint64

	tenants  map[cloudlicenses.TenantID]*tenant // admission
	byNumber []*tenant                          // [number − 1]; of removed ones, their tombstones
	removed  map[cloudlicenses.TenantID]bool

	outboxSequence uint64
	outbox         outboxCounts
	endedFloor     int64 // Unix hours

	due     poolHeap // pools with live leases, and idle ones, by a lower bound of their next expiry
	idle    int      // pools in due that have none
	intents intents
	voids   voids
	credits fifo[*credit] // in order of expiry
	signUps signUps
	noting  []*tenant // with notes, in any order

	now [grains]period // that the clock is in

	// What memory has and the store has not.
	dirtyTenants  []*tenant
	dirtyLicenses []*license
	dirtyLeases   []*lease
	dirtyKeys     []*key

	// One copy of what many licenses share.
	texts       map[string]string
	constraints map[string]*semver.Constraints
}

func newState() *state {
	s := &state{
		tenants:     make(map[cloudlicenses.TenantID]*tenant),
		removed:     make(map[cloudlicenses.TenantID]bool),
		intents:     newIntents(),
		texts:       make(map[string]string),
		constraints: make(map[string]*semver.Constraints),
	}
	s.setClock(0)
	return s
}

// tenant is one tenant with all that is live.
type tenant struct {
	number uint32
	name   cloudlicenses.TenantID
	epoch  uint32 // admission
	url    string
	rules  Rules

	plan     cloudlicenses.Plan
	status   cloudlicenses.TenantStatus
	revision uint64 // of both
	country  string
	taxID    string
	removed  bool // a tombstone: in byNumber alone

	licenses        map[cloudlicenses.LicenseID]*license
	products        map[cloudlicenses.ProductID][]*license // in order of creation
	licenseByNumber []*license                             // [number − 1]
	licenseOrder    []*license                             // by id

	keyByHash   map[[32]byte]*key // admission
	keyByID     map[cloudlicenses.KeyID]*key
	keyByNumber []*key // [number − 1]

	leases leaseTable
	users  userTable
	sso    SSO
	hooks  []*endpoint // by number, which is in order of creation
	vendor catalog     // of a vendor's account alone

	floors []*floor // by number, which is in order of creation

	links   []linkRecord // vendors that the tenant knows of, in order of creation
	notes   []noteRecord // of what is about to be done elsewhere, in order of time
	notices []*notice    // to contacts of licenses that wait, by number

	refusals []*refusal // of revisions of licenses, by number, which is in order of time

	leaseSequence   uint64
	overageSequence uint64
	creditSequence  uint64
	credits         map[creditKey][]*credit // oldest first

	audit auditChain

	checkoutsPerMinute int64   // of all keys; 0: no limit
	minute             *window // nil: no checkouts counted

	dirty bool
}

// license is a license with its pool.
type license struct {
	License
	number uint32
	tenant *tenant

	pool   cloudlicenses.Pool
	usage  usageRecord // of the month
	taken  takenRecord // of the latest month whose charges were taken back in it
	recent *recent     // nil: never used

	floor       *floor              // nil: any client library
	constraint  *semver.Constraints // nil: any version
	lastVersion string              // whose verdict is lastVerdict
	lastVerdict cloudlicenses.Code

	leases  []*lease // heap by lower bound of expiry, see expiry.go
	bound   int64    // lower bound of that of the first lease, the key in state.due
	heapPos int32    // in state.due; −1: not there
	dirty   bool
}

func (l *license) entitlement() cloudlicenses.Entitlement {
	return cloudlicenses.Entitlement{Total: l.Total, CommitQty: l.CommitQty, MaxOverage: l.MaxOverage}
}

// key is an API key with what it was charged and how it was used.
type key struct {
	Key
	number   uint32
	tenant   *tenant
	networks []netip.Prefix // Restrictions.Networks
	spent    spendRecord
	lastUsed int64 // Unix ms, to the minute

	minute, hour *window   // of checkouts, while there is a limit; nil: none counted
	reads        readCount // this replica's own, no part of the state

	dirty bool
}

// lease is a live lease. A million of them is usual: no maps, no slices.
type lease struct {
	id      uint64
	license *license
	key     *key

	user        string
	hostname    string
	fingerprint string
	metadata    string

	issued  int64 // Unix ms
	expires int64 // Unix ms, without the grace after a leaderless time
	bound   int64 // lower bound of its expiry, the heap's key

	intent   intentKey // as sent, not scoped
	bodyHash uint64

	commit  int32 // seats, ≤ MaxSeatsPerCheckout
	overage int32
	ttl     int32 // ms, ≤ MaxTTL
	heapPos int32 // in license.leases
	slot    int32 // in leaseTable.order

	byClient bool
	ended    bool
	dirty    bool
	stored   bool // in a cut that was sealed
}

func (l *lease) seats() int64 { return int64(l.commit) + int64(l.overage) }

// setClock moves the clock on to at least now.
func (s *state) setClock(now int64) {
	s.clock = max(s.clock, now)
	if s.clock >= s.now[grainHour].end { // days and months end with an hour
		s.turn()
	}
}

const (
	millisPerHour = int64(time.Hour / time.Millisecond)
	never         = int64(math.MaxInt64)
)

// monthOf returns the UTC month of a time in Unix milliseconds.
func monthOf(millis int64) uint32 {
	t := time.UnixMilli(millis).UTC()
	return uint32(t.Year()*12 + int(t.Month()) - 1)
}

// monthBounds returns the first moment of a month and of the one after it.
func monthBounds(month uint32) (start, end int64) {
	year, m := int(month/12), time.Month(month%12+1)
	return time.Date(year, m, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
		time.Date(year, m+1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}

// monthText is a month's public form, such as "2025-11".
func monthText(month uint32) string {
	return time.Date(int(month/12), time.Month(month%12+1), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
}

// parseMonth is the reverse of monthText.
func parseMonth(text string) (uint32, bool) {
	t, err := time.Parse("2006-01", text)
	if err != nil || monthText(monthOf(t.UnixMilli())) != text {
		return 0, false
	}
	return monthOf(t.UnixMilli()), true
}

// share returns the one copy of a text that many licenses have in common.
func (s *state) share(text string) string {
	if shared, ok := s.texts[text]; ok {
		return shared
	}
	s.texts[text] = text
	return text
}

func (s *state) touchTenant(t *tenant) {
	if !t.dirty {
		t.dirty = true
		s.dirtyTenants = append(s.dirtyTenants, t)
	}
}

func (s *state) touchLicense(l *license) {
	if !l.dirty {
		l.dirty = true
		s.dirtyLicenses = append(s.dirtyLicenses, l)
	}
}

func (s *state) touchLease(l *lease) {
	if !l.dirty {
		l.dirty = true
		s.dirtyLeases = append(s.dirtyLeases, l)
	}
}

func (s *state) touchKey(k *key) {
	if !k.dirty {
		k.dirty = true
		s.dirtyKeys = append(s.dirtyKeys, k)
	}
}

// dirtyBytes estimates what WriteDirty would write.
func (s *state) dirtyBytes() int64 {
	return int64(len(s.dirtyTenants)+len(s.dirtyLicenses)+len(s.dirtyKeys))*256 + int64(len(s.dirtyLeases))*384
}
