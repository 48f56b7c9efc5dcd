package directory

import (
	"cmp"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

const (
	// maxScanned bounds how many records one page of a filtered list looks
	// at; the page then ends early and its cursor goes on.
	maxScanned = 10_000
	// maxUntold bounds the links of an Unprovisioned.
	maxUntold = 100
)

func pageSize(limit int64) int {
	if limit < 1 || limit > cloudlicenses.MaxListLimit {
		return cloudlicenses.DefaultListLimit
	}
	return int(limit)
}

// queryLicenses answers the queries about licenses, customers and links.
func (s *state) queryLicenses(op fsm.Op, payload []byte) (msgp.Marshaler, error) {
	switch op {
	case QueryLicense:
		return queryOne(payload, func(q *GetLicense) msgp.Marshaler {
			l := s.licenses.byID[q.ID]
			if l == nil || (q.VendorID != "" && l.VendorID != q.VendorID) {
				return refuseLicense(cloudlicenses.NotFound, "the vendor has no such license")
			}
			return s.licensed(l, false)
		})
	case QueryLicenses:
		return queryOne(payload, s.licensePage)
	case QueryCustomers:
		return queryOne(payload, s.customerPage)
	case QueryLinks:
		return queryOne(payload, s.linkPage)
	case QueryUnprovisioned:
		return queryOne(payload, s.unprovisioned)
	}
	return s.queryLife(op, payload)
}

// licensePage answers QueryLicenses.
func (s *state) licensePage(q *ListLicenses) msgp.Marshaler {
	page := &LicensePage{}
	of := s.licenses.byVendor[q.VendorID]
	if q.VendorID == "" {
		of = s.licenses.byTenant[q.TenantID]
	}
	from, found := slices.BinarySearchFunc(of, q.Cursor, func(l *License, cursor string) int { return cmp.Compare(string(l.ID), cursor) })
	if found {
		from++
	}
	for n, l := range of[from:] {
		if len(page.Items) == pageSize(q.Limit) || n == maxScanned {
			page.Next = string(of[from+n-1].ID)
			break
		}
		if (q.TenantID == "" || l.TenantID == q.TenantID) && (q.Status == "" || l.Status == q.Status) &&
			(q.ProductID == "" || l.ProductID == q.ProductID) && (q.CRMAccount == "" || l.CRMAccount == q.CRMAccount) {
			page.Items = append(page.Items, *l)
		}
	}
	return page
}

// unprovisioned answers QueryUnprovisioned. What a tenant that is suspended
// is to be told waits until it is back.
func (s *state) unprovisioned(q *List) msgp.Marshaler {
	u := &Unprovisioned{}
	active := func(id cloudlicenses.TenantID) bool {
		t := s.tenants[id]
		return t != nil && t.Status == cloudlicenses.TenantActive
	}
	of := s.licenses.unfinished
	from, found := slices.BinarySearchFunc(of, q.Cursor, func(l *License, cursor string) int { return cmp.Compare(string(l.ID), cursor) })
	if found {
		from++
	}
	for n, l := range of[from:] {
		if len(u.Licenses) == pageSize(q.Limit) || n == maxScanned {
			u.Next = string(of[from+n-1].ID)
			break
		}
		if active(l.TenantID) {
			u.Licenses = append(u.Licenses, *s.licensed(l, true))
		}
	}
	for _, l := range s.customers.untold {
		if q.Cursor == "" && len(u.Links) < maxUntold && active(l.TenantID) {
			u.Links = append(u.Links, s.linked(l))
		}
	}
	return u
}

// licensed is a license as an answer, with what its saga needs.
func (s *state) licensed(l *License, replayed bool) *LicenseResult {
	r := &LicenseResult{License: *l, Replayed: replayed}
	if v := s.vendors[l.VendorID]; v != nil {
		r.VendorName = v.Name
	}
	if link := s.customers.link(l.TenantID, l.VendorID); link != nil {
		r.Untold = !link.Told
	}
	return r
}
