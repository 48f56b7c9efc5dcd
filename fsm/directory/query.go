package directory

import (
	"fmt"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// query answers one query. An error means that it does not decode.
func (s *state) query(query []byte, applied uint64) (msgp.Marshaler, error) {
	h, _, payload, err := fsm.SplitHeader(query)
	if err != nil {
		return nil, err
	}
	if h.Version != Version {
		return nil, fmt.Errorf("query %d version %d: unknown to this release", h.Op, h.Version)
	}
	switch h.Op {
	case QueryCluster:
		if len(payload) > 0 {
			return nil, errTrailing
		}
		if s.cluster == nil {
			return &ClusterResult{Code: cloudlicenses.NotFound}, nil
		}
		return &ClusterResult{Init: *s.cluster}, nil
	case QueryTenant:
		return queryOne(payload, func(q *GetTenant) msgp.Marshaler {
			if t := s.account(q.ID); t != nil {
				return &TenantResult{Tenant: *t}
			}
			return refuseTenant(cloudlicenses.TenantNotFound, "")
		})
	case QueryTenants:
		return queryOne(payload, s.tenantPage)
	case QueryVendor:
		return queryOne(payload, s.vendor)
	case QueryVendors:
		return queryOne(payload, s.vendorPage)
	case QueryRegistration:
		return queryOne(payload, s.registration)
	case QueryRegistrations:
		if len(payload) > 0 {
			return nil, errTrailing
		}
		return s.unfinished(), nil
	case QueryVendorHosts:
		if len(payload) > 0 {
			return nil, errTrailing
		}
		return s.vendorHosts(), nil
	case QueryVendorEvents:
		return queryOne(payload, s.vendorEventPage)
	case QueryHash:
		if len(payload) > 0 {
			return nil, errTrailing
		}
		return &StateHash{AppliedIndex: applied, Hash: s.hash()}, nil
	}
	return s.queryLicenses(h.Op, payload)
}

func (s *state) tenantPage(q *List) msgp.Marshaler {
	page := &TenantPage{}
	ids, more := after(s.tenantIDs, q)
	for _, id := range ids {
		page.Items = append(page.Items, *s.tenants[id])
	}
	if more {
		page.Next = string(ids[len(ids)-1])
	}
	return page
}

func (s *state) vendorPage(q *List) msgp.Marshaler {
	page := &VendorPage{}
	ids, more := after(s.vendorIDs, q)
	for _, id := range ids {
		page.Items = append(page.Items, *s.vendors[id])
	}
	if more {
		page.Next = string(ids[len(ids)-1])
	}
	return page
}

func queryOne[T any, P unmarshaler[T]](payload []byte, answer func(P) msgp.Marshaler) (msgp.Marshaler, error) {
	var q T
	if err := decode(payload, P(&q)); err != nil {
		return nil, err
	}
	return answer(&q), nil
}

// pageLimit is how many items a page has at most.
func pageLimit(q *List) int {
	if q.Limit < 1 || q.Limit > cloudlicenses.MaxListLimit {
		return cloudlicenses.DefaultListLimit
	}
	return int(q.Limit)
}

// after returns a page of sorted ids and whether more follow.
func after[T ~string](sorted []T, q *List) (page []T, more bool) {
	limit := pageLimit(q)
	from, found := slices.BinarySearch(sorted, T(q.Cursor))
	if found {
		from++
	}
	rest := sorted[from:]
	if len(rest) <= limit {
		return rest, false
	}
	return rest[:limit], true
}
