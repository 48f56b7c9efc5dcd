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
	order    []*VendorEvent
	ofVendor map[cloudlicenses.VendorID]int
}

func keyVendorEvent(sequence uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindVendorEvent}, sequence)
}

func (e *vendorEvents) add(one *VendorEvent) {
	e.order = append(e.order, one)
	e.ofVendor[one.VendorID]++
}

// drop forgets the events that forget picks.
func (s *state) dropVendorEvents(forget func(*VendorEvent) bool) {
	s.events.order = slices.DeleteFunc(s.events.order, func(e *VendorEvent) bool {
		if !forget(e) {
			return false
		}
		if s.events.ofVendor[e.VendorID]--; s.events.ofVendor[e.VendorID] == 0 {
			delete(s.events.ofVendor, e.VendorID)
		}
		s.out.Delete(keyVendorEvent(e.Sequence))
		return true
	})
}

// tellVendor leaves an event for its vendor. Of a vendor that can't be told for
// long, as it is suspended, the oldest go.
func (s *state) tellVendor(e VendorEvent) {
	if s.vendors[e.VendorID] == nil {
		return
	}
	if s.events.ofVendor[e.VendorID] >= cloudlicenses.MaxVendorEvents {
		first := true
		s.dropVendorEvents(func(old *VendorEvent) bool {
			oldest := first && old.VendorID == e.VendorID
			first = first && !oldest
			return oldest
		})
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
	s.dropVendorEvents(func(e *VendorEvent) bool { return e.VendorID == c.VendorID && e.Sequence <= c.UpTo })
	return Ack{}
}

// vendorEventPage answers QueryVendorEvents.
func (s *state) vendorEventPage(q *ListVendorEvents) msgp.Marshaler {
	page := &VendorEvents{}
	from, found := slices.BinarySearchFunc(s.events.order, q.After, func(e *VendorEvent, after uint64) int { return cmp.Compare(e.Sequence, after) })
	if found {
		from++
	}
	for _, e := range s.events.order[from:] {
		if len(page.Items) == pageSize(q.Limit) {
			break
		}
		page.Items = append(page.Items, *e)
	}
	return page
}
