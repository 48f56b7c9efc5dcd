package directory

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

// TestVendorEvents: what happens to a vendor's licenses and customers waits for
// its account, in order, over a restart, until that was told.
func TestVendorEvents(t *testing.T) {
	s := newState(discard{})
	s.advance(1000)
	peopled(s)
	s.vendors["vector-de"].Status = cloudlicenses.TenantActive
	waiting := func(vendor cloudlicenses.VendorID) (kinds []cloudlicenses.EventKind) {
		for _, e := range s.events.all() {
			if e.VendorID == vendor {
				kinds = append(kinds, e.Kind)
			}
		}
		return kinds
	}
	had := len(waiting("vector-de"))
	l := s.licenses.order[0]
	if l.Synced < l.Revision {
		s.licenseSynced(&LicenseSynced{ID: l.ID, Revision: l.Revision})
	}
	s.amendLicense(&AmendLicense{VendorID: "vector-de", ID: l.ID, Fields: AmendTotal, Terms: Terms{Total: l.Terms.Total - 1}})
	require.Empty(t, waiting("nobody"))
	before := len(waiting("vector-de"))
	s.licenseSynced(&LicenseSynced{ID: l.ID, Revision: l.Revision})
	s.licenseSynced(&LicenseSynced{ID: l.ID, Revision: l.Revision})
	s.setLicenseStatus(&SetLicenseStatus{VendorID: "vector-de", ID: l.ID, Status: cloudlicenses.LicenseSuspended})
	s.setLicenseStatus(&SetLicenseStatus{VendorID: "vector-de", ID: l.ID, Status: cloudlicenses.LicenseSuspended})
	s.setLicenseStatus(&SetLicenseStatus{VendorID: "vector-de", ID: l.ID, Status: cloudlicenses.LicenseProvisioned})
	s.blockVendor(&BlockVendor{TenantID: l.TenantID, VendorID: "vector-de", Blocked: true})
	s.blockVendor(&BlockVendor{TenantID: l.TenantID, VendorID: "vector-de", Blocked: true})
	s.setLicenseStatus(&SetLicenseStatus{VendorID: "vector-de", ID: l.ID, Status: cloudlicenses.LicenseRevoked})
	require.Equal(t, []cloudlicenses.EventKind{
		cloudlicenses.EventLicenseAmended, cloudlicenses.EventLicenseSuspended, cloudlicenses.EventLicenseResumed,
		cloudlicenses.EventCustomerBlocked, cloudlicenses.EventLicenseRevoked,
	}, waiting("vector-de")[before:])
	require.Contains(t, waiting("vector-de"), cloudlicenses.EventCustomerLinked)
	require.GreaterOrEqual(t, before, had)

	// One event of a blocking waits, and one an hour comes, however often it is said.
	blocked := func() (n int) {
		for _, kind := range waiting("vector-de") {
			if kind == cloudlicenses.EventCustomerBlocked {
				n++
			}
		}
		return n
	}
	again := func() {
		for _, on := range []bool{false, true, false, true} {
			s.blockVendor(&BlockVendor{TenantID: l.TenantID, VendorID: "vector-de", Blocked: on})
		}
	}
	link, last := s.customers.link(l.TenantID, "vector-de"), s.meta.VendorEvents
	again()
	s.advance(link.NotifiedMillis + cloudlicenses.BlockedEventPause.Milliseconds() - 1)
	again()
	require.Equal(t, []uint64{1, last}, []uint64{uint64(blocked()), s.meta.VendorEvents}, "within an hour")
	s.advance(link.NotifiedMillis + cloudlicenses.BlockedEventPause.Milliseconds())
	again()
	require.Equal(t, []uint64{1, last + 1}, []uint64{uint64(blocked()), s.meta.VendorEvents}, "an hour later: in the place of the other")
	all := s.events.all()
	require.Equal(t, last+1, all[len(all)-1].Sequence)
	require.Equal(t, 1, blocked())

	first := s.events.all()[0].Sequence
	s.vendorTold(&VendorTold{VendorID: "other", UpTo: 100})
	require.Equal(t, first, s.events.all()[0].Sequence)
	s.vendorTold(&VendorTold{VendorID: "vector-de", UpTo: first})
	require.Equal(t, first+1, s.events.all()[0].Sequence)
	page, _ := s.vendorEventPage(&ListVendorEvents{VendorID: "vector-de", After: first + 1, Limit: 1}).(*VendorEvents)
	require.Len(t, page.Items, 1)
	require.Equal(t, first+2, page.Items[0].Sequence)

	for range cloudlicenses.MaxVendorEvents + 3 {
		s.licenseEvent(cloudlicenses.EventLicenseAmended, l)
	}
	require.Len(t, s.events.all(), cloudlicenses.MaxVendorEvents, "the oldest are lost")
	require.Equal(t, s.meta.VendorEvents, s.events.all()[cloudlicenses.MaxVendorEvents-1].Sequence)
	s.vendorTold(&VendorTold{VendorID: "vector-de", UpTo: s.meta.VendorEvents})
	require.Empty(t, s.events.all())
	require.Empty(t, s.events.ofVendor)
	require.Empty(t, s.events.vendors)
}

// TestVendorEventPages: pages go through the vendors' events, each once and each
// vendor's in order, without those of vendors that can't be told.
func TestVendorEventPages(t *testing.T) {
	s := newState(discard{})
	s.advance(1000)
	for i, status := range []cloudlicenses.TenantStatus{
		cloudlicenses.TenantActive, cloudlicenses.TenantSuspended, cloudlicenses.TenantActive, cloudlicenses.TenantPending, cloudlicenses.TenantActive,
	} {
		id := cloudlicenses.VendorID(fmt.Sprintf("v%d", i))
		s.vendors[id] = &Vendor{ID: id, Status: status}
	}
	for i := range 35 {
		s.tellVendor(VendorEvent{VendorID: cloudlicenses.VendorID(fmt.Sprintf("v%d", i%5)), Kind: cloudlicenses.EventCustomerBlocked, TenantID: "mercedes"})
	}
	for i, e := range s.events.all() {
		require.EqualValues(t, i+1, e.Sequence, "by sequence, as on the disk")
	}
	walk := func(limit int64) (seen []string) {
		for list := (&ListVendorEvents{Limit: limit}); ; {
			page, _ := s.vendorEventPage(list).(*VendorEvents)
			if len(page.Items) == 0 {
				return seen
			}
			require.LessOrEqual(t, len(page.Items), int(limit))
			for _, e := range page.Items {
				seen = append(seen, fmt.Sprintf("%s %02d", e.VendorID, e.Sequence))
				list.VendorID, list.After = e.VendorID, e.Sequence
			}
		}
	}
	all := walk(100)
	require.Len(t, all, 21)
	require.True(t, slices.IsSorted(all))
	for _, limit := range []int64{1, 3, 7, 8} {
		require.Equal(t, all, walk(limit))
	}
	s.vendorTold(&VendorTold{VendorID: "v2", UpTo: 30})
	require.NotContains(t, walk(100), "v2 28")
	require.Contains(t, walk(100), "v2 33")
	require.Len(t, walk(100), 15)
}
