package directory

import (
	"cmp"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

// licenseTable are the licenses, by all that asks for them. Whatever changes a
// license takes it out of the orders first (unlist) and puts it back (list).
type licenseTable struct {
	byID          map[cloudlicenses.LicenseID]*License
	byOpportunity map[opportunityKey]*License
	byVendor      map[cloudlicenses.VendorID][]*License // each in order of id
	byTenant      map[cloudlicenses.TenantID][]*License // each in order of id
	order         []*License                            // by id
	ending        []*License                            // those whose contract ends, by its end, then id
	unfinished    []*License                            // those whose group lags behind, by id
	waiting       map[cloudlicenses.VendorID]int        // how many wait
}

// opportunityKey is what generation is idempotent by.
type opportunityKey struct {
	vendor      cloudlicenses.VendorID
	product     cloudlicenses.ProductID
	opportunity string
}

func newLicenseTable() licenseTable {
	return licenseTable{
		byID:          map[cloudlicenses.LicenseID]*License{},
		byOpportunity: map[opportunityKey]*License{},
		byVendor:      map[cloudlicenses.VendorID][]*License{},
		byTenant:      map[cloudlicenses.TenantID][]*License{},
		waiting:       map[cloudlicenses.VendorID]int{},
	}
}

func (l *License) opportunity() opportunityKey {
	return opportunityKey{l.VendorID, l.ProductID, l.OpportunityID}
}

func (l *License) compare(other *License) int { return cmp.Compare(l.ID, other.ID) }

func (l *License) compareEnd(other *License) int {
	return cmp.Or(cmp.Compare(l.Terms.EndMillis, other.Terms.EndMillis), cmp.Compare(l.ID, other.ID))
}

// over reports whether a license has come to its end for good.
func (l *License) over() bool {
	return l.Status == cloudlicenses.LicenseRevoked || l.Status == cloudlicenses.LicenseExpired
}

// refused reports whether a license's group would not have it: it holds no time
// against others until it is provisioned again.
func (l *License) refused() bool {
	return l.Refused > 0 && l.Revision == 0 && l.Status != cloudlicenses.LicenseWaitingForTenant
}

// lags reports whether the license's group is to be told something.
func (l *License) lags() bool { return l.Revision > l.Synced }

// waits reports whether no group has been told of the license: its tenant is not
// there, or its vendor has not provisioned it.
func (l *License) waits() bool { return l.Revision == 0 && !l.over() }

// ends reports whether time will bring something about. A license that is
// being provisioned comes first to its group, then to its end.
func (l *License) ends() bool {
	return l.Terms.EndMillis != 0 && !l.over() && (l.Synced > 0 || l.Revision == 0)
}

// insertBy puts v into its place of a sorted slice that lacks it.
func insertBy[T any](sorted []T, v T, compare func(T, T) int) []T {
	at, _ := slices.BinarySearchFunc(sorted, v, compare)
	return slices.Insert(sorted, at, v)
}

// removeBy takes v out of a sorted slice, where it is in it.
func removeBy[T any](sorted []T, v T, compare func(T, T) int) []T {
	if at, found := slices.BinarySearchFunc(sorted, v, compare); found {
		return slices.Delete(sorted, at, at+1)
	}
	return sorted
}

// add brings a new license into the table.
func (t *licenseTable) add(l *License) {
	t.byID[l.ID] = l
	t.byOpportunity[l.opportunity()] = l
	t.byVendor[l.VendorID] = insertBy(t.byVendor[l.VendorID], l, (*License).compare)
	t.byTenant[l.TenantID] = insertBy(t.byTenant[l.TenantID], l, (*License).compare)
	t.order = insertBy(t.order, l, (*License).compare)
	t.list(l)
}

// remove is the inverse of add.
func (t *licenseTable) remove(l *License) {
	t.unlist(l)
	t.order = removeBy(t.order, l, (*License).compare)
	t.byTenant[l.TenantID] = removeBy(t.byTenant[l.TenantID], l, (*License).compare)
	t.byVendor[l.VendorID] = removeBy(t.byVendor[l.VendorID], l, (*License).compare)
	delete(t.byOpportunity, l.opportunity())
	delete(t.byID, l.ID)
}

// list puts l where its state says it belongs.
func (t *licenseTable) list(l *License) {
	if l.ends() {
		t.ending = insertBy(t.ending, l, (*License).compareEnd)
	}
	if l.lags() {
		t.unfinished = insertBy(t.unfinished, l, (*License).compare)
	}
	if l.waits() {
		t.waiting[l.VendorID]++
	}
}

// unlist is the inverse of list.
func (t *licenseTable) unlist(l *License) {
	if l.ends() {
		t.ending = removeBy(t.ending, l, (*License).compareEnd)
	}
	if l.lags() {
		t.unfinished = removeBy(t.unfinished, l, (*License).compare)
	}
	if l.waits() {
		t.waiting[l.VendorID]--
	}
}

func keyLicense(id cloudlicenses.LicenseID) []byte { return append([]byte{kindLicense}, id...) }

// changeLicense has change alter l and keeps table and disk in step. The
// identity of a license (ids, vendor, tenant, opportunity, product) never
// changes.
func (s *state) changeLicense(l *License, change func()) {
	s.licenses.unlist(l)
	change()
	s.licenses.list(l)
	s.put(keyLicense(l.ID), l)
}

// overlap compares times [start, end), with end 0 for none.
func overlap(a, b *Terms) bool {
	return (a.EndMillis == 0 || b.StartMillis < a.EndMillis) && (b.EndMillis == 0 || a.StartMillis < b.EndMillis)
}

// inTheWay returns the license of the same tenant, vendor and product whose
// contract overlaps these terms, or nil. One that was refused may yet be
// provisioned, and is in the way of a new one.
func (t *licenseTable) inTheWay(tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID, product cloudlicenses.ProductID, terms *Terms) *License {
	for _, o := range t.byTenant[tenant] {
		if o.VendorID == vendor && o.ProductID == product && o.Status != cloudlicenses.LicenseRevoked && overlap(terms, &o.Terms) {
			return o
		}
	}
	return nil
}

// holder returns another license of l's product that has the time of these terms,
// or nil. One that was refused has none.
func (t *licenseTable) holder(l *License, terms *Terms) *License {
	for _, o := range t.byTenant[l.TenantID] {
		if o != l && o.VendorID == l.VendorID && o.ProductID == l.ProductID && o.Status != cloudlicenses.LicenseRevoked && !o.refused() && overlap(terms, &o.Terms) {
			return o
		}
	}
	return nil
}
