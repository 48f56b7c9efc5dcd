package directory

import (
	"fmt"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

// firstEpoch is the placement epoch of a tenant that never moved.
const firstEpoch = 1

// place returns the group of the region that holds the fewest, the lowest of
// those where several hold as few; 0 where the region has none. Where allowed
// is not nil, it is one of those.
func (s *state) place(region string, allowed []uint32, held map[uint32]int64) uint32 {
	if s.cluster == nil {
		return 0
	}
	var best uint32
	for _, g := range s.cluster.Groups { // in order of id
		if g.Region == region && (allowed == nil || slices.Contains(allowed, g.ID)) && (best == 0 || held[g.ID] < held[best]) {
			best = g.ID
		}
	}
	return best
}

// createTenant creates and places a tenant.
func (s *state) createTenant(c *CreateTenant) msgp.Marshaler {
	if err := c.ID.Validate(); err != nil {
		return refuseTenant(cloudlicenses.InvalidField, err.Error())
	}
	if known := s.tenants[c.ID]; known != nil {
		return &TenantResult{Code: cloudlicenses.AlreadyExists, Detail: "there is a tenant of this id", Tenant: *known}
	}
	if s.buried(c.ID) {
		return refuseTenant(cloudlicenses.AlreadyExists, "the id was a tenant's that was deleted, and is not given again")
	}
	if s.registrations.byID[c.ID] != nil {
		return refuseTenant(cloudlicenses.AlreadyExists, "somebody has signed up under this id")
	}
	switch {
	case len(c.Company) > cloudlicenses.MaxNameLength:
		return refuseTenant(cloudlicenses.InvalidField, "the company's name is longer than 300 bytes")
	case !cloudlicenses.Plan(c.Plan).Valid():
		return refuseTenant(cloudlicenses.InvalidField, "plan: is none of the plans")
	}
	group := s.place(c.Region, nil, s.perGroup)
	if group == 0 {
		return refuseTenant(cloudlicenses.RegionUnavailable, fmt.Sprintf("no license group is in region %q", c.Region))
	}
	s.meta.Customers++
	t := &Tenant{
		ID:            c.ID,
		CustomerID:    fmt.Sprintf("CUST-%05d", s.meta.Customers),
		Company:       c.Company,
		Region:        c.Region,
		Plan:          c.Plan,
		Status:        cloudlicenses.TenantPending,
		Group:         group,
		Epoch:         firstEpoch,
		CreatedMillis: c.AtMillis,
	}
	if t.CreatedMillis == 0 {
		t.CreatedMillis = s.meta.ClockMillis
	}
	s.addTenant(t)
	s.put(keyTenant(t.ID), t)
	return &TenantResult{Tenant: *t}
}

// setTenantStatus moves a tenant to another state; ChangeTenant is for one that
// was active already. Deleting is final.
func (s *state) setTenantStatus(c *SetTenantStatus) msgp.Marshaler {
	t := s.tenants[c.ID]
	if t == nil {
		return refuseTenant(cloudlicenses.TenantNotFound, "")
	}
	if detail := refuseStatus(t.Status, c.Status); detail != "" {
		return refuseTenant(cloudlicenses.InvalidField, detail)
	}
	if t.Status == c.Status {
		return &TenantResult{Tenant: *t}
	}
	t.Status = c.Status
	if c.Status == cloudlicenses.TenantActive && t.VerifiedMillis == 0 {
		t.VerifiedMillis = c.AtMillis
		if t.VerifiedMillis == 0 {
			t.VerifiedMillis = s.meta.ClockMillis
		}
	}
	s.put(keyTenant(t.ID), t)
	if t.Status == cloudlicenses.TenantActive {
		s.tenantAppeared(t.ID)
	}
	return &TenantResult{Tenant: *t}
}

func refuseTenant(code cloudlicenses.Code, detail string) *TenantResult {
	return &TenantResult{Code: code, Detail: detail}
}

// refuseStatus says why a tenant or a vendor can't go from one state to
// another, or nothing.
func refuseStatus(from, to cloudlicenses.TenantStatus) string {
	switch to {
	case cloudlicenses.TenantPending, cloudlicenses.TenantActive, cloudlicenses.TenantSuspended, cloudlicenses.TenantDeleting:
	default:
		return fmt.Sprintf("%q is no state of a tenant or vendor", to)
	}
	if from == cloudlicenses.TenantDeleting && to != from {
		return "it is being deleted"
	}
	return ""
}
