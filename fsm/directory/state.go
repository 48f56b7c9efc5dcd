package directory

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

// intentMemoryMillis is how long a reservation's intent is remembered, by the
// machine's clock: longer than anything that repeats a request.
const intentMemoryMillis = 24 * 60 * 60 * 1000

// errTrailing refuses bytes after a payload: a command means one thing only.
var errTrailing = errors.New("bytes after the end of the payload")

// sink takes the records that an entry changed; *fsm.Store is one.
type sink interface {
	Set(key, value []byte)
	Delete(key []byte)
}

// state is the whole directory. It is a pure function of the entries applied:
// no clock but the entries' own, and no map is ever iterated.
type state struct {
	out  sink // takes changed records; never nil
	meta metaRecord

	cluster *Init // nil before Init

	vendors   map[cloudlicenses.VendorID]*Vendor
	vendorIDs []cloudlicenses.VendorID          // sorted
	prefixes  map[string]cloudlicenses.VendorID // by LicensePrefix

	vendorsPerGroup map[uint32]int64
	hosts           map[string]cloudlicenses.VendorID // verified white-label ones

	tenants   map[cloudlicenses.TenantID]*Tenant
	tenantIDs []cloudlicenses.TenantID // sorted
	perGroup  map[uint32]int64         // tenants by group

	sequences     map[sequenceKey]int64
	sequenceOrder []sequenceKey // in order of their keys on disk

	registrations registrations
	licenses      licenseTable
	customers     customerTable
	lives         lives
	events        vendorEvents

	intents     map[string]*intentRecord
	intentOrder []*intentRecord // by Sequence: oldest first
}

func newState(out sink) *state {
	return &state{
		out:       out,
		vendors:   map[cloudlicenses.VendorID]*Vendor{},
		prefixes:  map[string]cloudlicenses.VendorID{},
		tenants:   map[cloudlicenses.TenantID]*Tenant{},
		perGroup:  map[uint32]int64{},
		sequences: map[sequenceKey]int64{},
		intents:   map[string]*intentRecord{},

		vendorsPerGroup: map[uint32]int64{},
		hosts:           map[string]cloudlicenses.VendorID{},

		registrations: newRegistrations(),
		licenses:      newLicenseTable(),
		customers:     newCustomerTable(),
		lives:         newLives(),
		events:        newVendorEvents(),
	}
}

// put hands a changed record to the write-behind.
func (s *state) put(key []byte, record msgp.Marshaler) {
	s.out.Set(key, encoded(record))
}

// encoded returns a record's bytes. A tuple of strings and numbers always
// encodes; anything else is a programming error.
func encoded(record msgp.Marshaler) []byte {
	b, err := record.MarshalMsg(nil)
	if err != nil {
		panic(fmt.Sprintf("directory: %T does not encode: %v", record, err))
	}
	return b
}

// advance moves the clock, which never goes back, and forgets what is old.
func (s *state) advance(stampMillis int64) {
	s.meta.ClockMillis = max(s.meta.ClockMillis, stampMillis)
	for len(s.intentOrder) > 0 && s.intentOrder[0].AtMillis+intentMemoryMillis <= s.meta.ClockMillis {
		old := s.intentOrder[0]
		s.intentOrder[0] = nil
		s.intentOrder = s.intentOrder[1:]
		delete(s.intents, old.Request.Intent)
		s.out.Delete(keyIntent(old.Sequence))
	}
	s.expireRegistrations()
}

// insertSorted puts v into its place of a sorted slice that lacks it.
func insertSorted[T ~string](sorted []T, v T) []T {
	at, _ := slices.BinarySearch(sorted, v)
	return slices.Insert(sorted, at, v)
}

func (s *state) addVendor(v *Vendor) {
	s.vendors[v.ID] = v
	s.vendorIDs = insertSorted(s.vendorIDs, v.ID)
	s.prefixes[v.LicensePrefix] = v.ID
	s.vendorsPerGroup[v.Group]++
	s.registrations.looks[v.ID.Account().Skeleton()]++
	s.addHost(v)
}

func (s *state) addTenant(t *Tenant) {
	s.tenants[t.ID] = t
	s.tenantIDs = insertSorted(s.tenantIDs, t.ID)
	s.perGroup[t.Group]++
	s.registrations.looks[t.ID.Skeleton()]++
}

func (s *state) setSequence(k sequenceKey, drawn int64) {
	if _, known := s.sequences[k]; !known {
		at, _ := slices.BinarySearchFunc(s.sequenceOrder, k, sequenceKey.compare)
		s.sequenceOrder = slices.Insert(s.sequenceOrder, at, k)
	}
	s.sequences[k] = drawn
}

func (s *state) addIntent(r *intentRecord) {
	s.intents[r.Request.Intent] = r
	s.intentOrder = append(s.intentOrder, r)
}

// load takes one record from disk. Records come in order of key.
func (s *state) load(key, value []byte) error {
	if len(key) == 0 {
		return errors.New("record with an empty key")
	}
	var err error
	switch key[0] {
	case kindCluster:
		s.cluster = &Init{}
		err = decode(value, s.cluster)
	case kindIntent:
		err = loadInto(value, s.addIntent)
	case kindLicense:
		l := &License{}
		if err = decode(value, l); err == nil && len(l.Prices) == 0 {
			err = errors.New("a license without a price")
		}
		if err == nil {
			s.licenses.add(l)
		}
	case kindCustomer:
		err = loadInto(value, s.customers.add)
	case kindLink:
		err = loadInto(value, s.customers.addLink)
	case kindVendorEvent:
		err = loadInto(value, s.events.add)
	case kindLife:
		err = loadInto(value, s.addLife)
	case kindMeta:
		err = decode(value, &s.meta)
	case kindRegistration:
		err = loadInto(value, s.registrations.add)
	case kindSequence:
		var k sequenceKey
		var r sequenceRecord
		if k, err = parseSequenceKey(key); err == nil {
			if err = decode(value, &r); err == nil {
				s.setSequence(k, r.Drawn)
			}
		}
	case kindTenant:
		err = loadInto(value, s.addTenant)
	case kindVendor:
		err = loadInto(value, s.addVendor)
	default:
		err = fmt.Errorf("unknown kind of record %q", key[0])
	}
	if err != nil {
		return fmt.Errorf("directory record %q: %w", key, err)
	}
	return nil
}

// loadInto decodes a record and adds it.
func loadInto[T any, P interface {
	*T
	msgp.Unmarshaler
}](value []byte, add func(P)) error {
	r := P(new(T))
	if err := decode(value, r); err != nil {
		return err
	}
	add(r)
	return nil
}

// decode reads exactly one value from b.
func decode(b []byte, into msgp.Unmarshaler) error {
	rest, err := into.UnmarshalMsg(b)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errTrailing
	}
	return nil
}

// records calls visit with every record, in order of key: what the disk holds
// once the write-behind is through.
func (s *state) records(visit func(key []byte, record msgp.Marshaler)) {
	for _, l := range s.customers.links {
		visit(keyLink(l), l)
	}
	if s.cluster != nil {
		visit([]byte{kindCluster}, s.cluster)
	}
	for _, e := range s.events.all() {
		visit(keyVendorEvent(e.Sequence), e)
	}
	for _, id := range s.lives.ids {
		visit(keyLife(id), s.lives.byID[id])
	}
	for _, r := range s.intentOrder {
		visit(keyIntent(r.Sequence), r)
	}
	for _, c := range s.customers.order {
		visit(keyCustomer(c), c)
	}
	for _, l := range s.licenses.order {
		visit(keyLicense(l.ID), l)
	}
	visit([]byte{kindMeta}, &s.meta)
	for _, id := range s.registrations.ids {
		visit(keyRegistration(id), s.registrations.byID[id])
	}
	for _, k := range s.sequenceOrder {
		visit(k.key(), sequenceRecord{Drawn: s.sequences[k]})
	}
	for _, id := range s.tenantIDs {
		visit(keyTenant(id), s.tenants[id])
	}
	for _, id := range s.vendorIDs {
		visit(keyVendor(id), s.vendors[id])
	}
}

// hash is SHA-256 over all records, each with the lengths of its key and value.
func (s *state) hash() [32]byte {
	h := sha256.New()
	var buf []byte
	s.records(func(key []byte, record msgp.Marshaler) {
		value := encoded(record)
		buf = binary.BigEndian.AppendUint32(buf[:0], uint32(len(key)))
		buf = append(buf, key...)
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(value)))
		buf = append(buf, value...)
		h.Write(buf)
	})
	return [32]byte(h.Sum(nil))
}
