package directory

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

func init() { register(OpVendorTold, (*state).vendorTold) }

// vendorEvents are what vendors' accounts have not been told of yet, by
// sequence. The directory decides what happens to a license; the account, in a
// group of its own, has the endpoints. docs/adr/0021 says why it is in between.
type vendorEvents struct {
	ofVendor map[cloudlicenses.VendorID][]*VendorEvent // each by sequence
	vendors  []cloudlicenses.VendorID                  // sorted: those that have events
}

func newVendorEvents() vendorEvents {
	return vendorEvents{ofVendor: map[cloudlicenses.VendorID][]*VendorEvent{}}
}

func keyVendorEvent(sequence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindVendorEvent}, sequence)
}

func (e *vendorEvents) add(one *VendorEvent) {
	if len(e.ofVendor[one.VendorID]) == 0 {
		e.vendors = insertSorted(e.vendors, one.VendorID)
	}
	e.ofVendor[one.VendorID] = append(e.ofVendor[one.VendorID], one)
}

// all returns the events of all vendors by sequence.
func (e *vendorEvents) all() []*VendorEvent {
	var all []*VendorEvent
	for _, id := range e.vendors {
		all = append(all, e.ofVendor[id]...)
	}
	slices.SortFunc(all, func(a, b *VendorEvent) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return all
}

// after is where a vendor's events begin that are later than a sequence.
func (e *vendorEvents) after(id cloudlicenses.VendorID, sequence uint64) int {
	at, found := slices.BinarySearchFunc(e.ofVendor[id], sequence, func(one *VendorEvent, s uint64) int { return cmp.Compare(one.Sequence, s) })
	if found {
		at++
	}
	return at
}

// dropVendorEvents forgets a vendor's oldest events.
func (s *state) dropVendorEvents(id cloudlicenses.VendorID, count int) {
	e := &s.events
	gone := e.ofVendor[id][:count]
	for _, one := range gone {
		s.out.Delete(keyVendorEvent(one.Sequence))
	}
	clear(gone) // what is left holds the array
	if e.ofVendor[id] = e.ofVendor[id][count:]; len(e.ofVendor[id]) == 0 {
		delete(e.ofVendor, id)
		if at, found := slices.BinarySearch(e.vendors, id); found {
			e.vendors = slices.Delete(e.vendors, at, at+1)
		}
	}
}

// tellVendor leaves an event for its vendor. Of a vendor that can't be told for
// long, as it is suspended, the oldest go.
func (s *state) tellVendor(e VendorEvent) {
	if s.vendors[e.VendorID] == nil {
		return
	}
	if waiting := len(s.events.ofVendor[e.VendorID]); waiting >= cloudlicenses.MaxVendorEvents {
		s.dropVendorEvents(e.VendorID, waiting-cloudlicenses.MaxVendorEvents+1)
	}
	s.meta.VendorEvents++
	e.Sequence, e.AtMillis = s.meta.VendorEvents, s.meta.ClockMillis
	s.events.add(&e)
	s.put(keyVendorEvent(e.Sequence), &e)
}

// licenseEvent tells a license's vendor of it.
func (s *state) licenseEvent(kind cloudlicenses.EventKind, l *License) {
	s.tellVendor(VendorEvent{
		VendorID: l.VendorID, Kind: kind, TenantID: l.TenantID, CRMAccount: l.CRMAccount, LicenseID: l.ID, ProductID: l.ProductID,
	})
}

// vendorTold forgets what an account has; said again, it changes nothing.
func (s *state) vendorTold(c *VendorTold) msgp.Marshaler {
	if count := s.events.after(c.VendorID, c.UpTo); count > 0 {
		s.dropVendorEvents(c.VendorID, count)
	}
	return Ack{}
}

// vendorEventPage answers QueryVendorEvents.
func (s *state) vendorEventPage(q *ListVendorEvents) msgp.Marshaler {
	page, size := &VendorEvents{}, pageSize(q.Limit)
	from, _ := slices.BinarySearch(s.events.vendors, q.VendorID)
	for _, id := range s.events.vendors[from:] {
		if v := s.vendors[id]; v == nil || v.Status != cloudlicenses.TenantActive {
			continue
		}
		events := s.events.ofVendor[id]
		if id == q.VendorID {
			events = events[s.events.after(id, q.After):]
		}
		for _, e := range events[:min(len(events), size-len(page.Items))] {
			page.Items = append(page.Items, *e)
		}
		if len(page.Items) == size {
			break
		}
	}
	return page
}
