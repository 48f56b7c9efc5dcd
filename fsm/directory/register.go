package directory

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

func init() {
	register(OpRegister, (*state).register)
	register(OpUnregister, (*state).unregister)
	register(OpAdmit, (*state).admitTenant)
	register(OpAdmitted, (*state).tenantAdmitted)
}

const (
	// RegistrationLifeMillis is how long a token is good for. After it the id
	// and the domain are free again.
	RegistrationLifeMillis = 7 * 24 * 60 * 60 * 1000
	// maxPendingRegistrations bounds what strangers may leave behind.
	maxPendingRegistrations = 10_000
	// maxUnfinished bounds an answer to QueryRegistrations.
	maxUnfinished = 100
)

// registrations are the sign-ups and what they reserve.
type registrations struct {
	byID     map[cloudlicenses.TenantID]*Registration
	ids      []cloudlicenses.TenantID          // sorted
	byDomain map[string]cloudlicenses.TenantID // by Domain
	pending  []*Registration                   // not verified, by expiry, then id
	// looks counts the ids of tenants and of registrations by skeleton.
	looks map[string]int
}

func newRegistrations() registrations {
	return registrations{
		byID:     map[cloudlicenses.TenantID]*Registration{},
		byDomain: map[string]cloudlicenses.TenantID{},
		looks:    map[string]int{},
	}
}

func (r *Registration) compareExpiry(other *Registration) int {
	return cmp.Or(cmp.Compare(r.ExpiresMillis, other.ExpiresMillis), cmp.Compare(r.ID, other.ID))
}

func (g *registrations) add(r *Registration) {
	g.byID[r.ID] = r
	g.ids = insertSorted(g.ids, r.ID)
	g.byDomain[r.Domain] = r.ID
	g.looks[r.ID.Skeleton()]++
	if r.Status == RegistrationPending {
		at, _ := slices.BinarySearchFunc(g.pending, r, (*Registration).compareExpiry)
		g.pending = slices.Insert(g.pending, at, r)
	}
}

// settle takes r out of those that expire.
func (g *registrations) settle(r *Registration) {
	if at, found := slices.BinarySearchFunc(g.pending, r, (*Registration).compareExpiry); found {
		g.pending = slices.Delete(g.pending, at, at+1)
	}
}

func (s *state) removeRegistration(r *Registration) {
	g := &s.registrations
	g.settle(r)
	delete(g.byID, r.ID)
	if at, found := slices.BinarySearch(g.ids, r.ID); found {
		g.ids = slices.Delete(g.ids, at, at+1)
	}
	if g.byDomain[r.Domain] == r.ID {
		delete(g.byDomain, r.Domain)
	}
	look := r.ID.Skeleton()
	if g.looks[look]--; g.looks[look] <= 0 {
		delete(g.looks, look)
	}
	s.out.Delete(keyRegistration(r.ID))
}

// expireRegistrations forgets the pending ones whose tokens have expired.
func (s *state) expireRegistrations() {
	for pending := s.registrations.pending; len(pending) > 0 && pending[0].ExpiresMillis <= s.meta.ClockMillis; pending = s.registrations.pending {
		s.removeRegistration(pending[0])
	}
}

// register reserves id and domain, and chooses the group.
func (s *state) register(c *Register) msgp.Marshaler {
	g := &s.registrations
	if known := g.byID[c.ID]; known != nil && known.Intent == c.Intent {
		return &RegistrationResult{Registration: *known}
	}
	if err := c.ID.ValidateSignUp(); err != nil {
		return &RegistrationResult{Code: cloudlicenses.InvalidField, Detail: "id: " + err.Error()}
	}
	switch {
	case c.Company == "" || len(c.Company) > maxNameLength, c.Domain == "" || len(c.Domain) > 253, !cloudlicenses.Plan(c.Plan).Valid():
		return &RegistrationResult{Code: cloudlicenses.InvalidField, Detail: "company, domain or plan: empty, too long or unknown"}
	case g.looks[c.ID.Skeleton()] > 0:
		return &RegistrationResult{Code: cloudlicenses.AlreadyExists, Detail: "id"}
	case g.byDomain[c.Domain] != "":
		return &RegistrationResult{Code: cloudlicenses.AlreadyExists, Detail: "domain"}
	case len(g.pending) >= maxPendingRegistrations:
		return &RegistrationResult{Code: cloudlicenses.Overloaded, Detail: "too many registrations wait for their verification"}
	}
	group := s.place(c.Region, append([]uint32{}, c.Groups...))
	if group == 0 {
		return &RegistrationResult{Code: cloudlicenses.RegionUnavailable, Detail: fmt.Sprintf("no license group lies wholly in region %q", c.Region)}
	}
	r := &Registration{
		Intent: c.Intent, ID: c.ID, Company: c.Company, Domain: c.Domain, Region: c.Region, Plan: c.Plan, EmailHash: c.EmailHash,
		Group: group, Status: RegistrationPending,
		CreatedMillis: s.meta.ClockMillis, ExpiresMillis: s.meta.ClockMillis + RegistrationLifeMillis,
	}
	g.add(r)
	s.put(keyRegistration(r.ID), r)
	return &RegistrationResult{Registration: *r}
}

// unregister takes a registration back.
func (s *state) unregister(c *Unregister) msgp.Marshaler {
	if r := s.registrations.byID[c.ID]; r != nil && r.Intent == c.Intent && r.Status == RegistrationPending {
		s.removeRegistration(r)
	}
	return Ack{}
}

// admitTenant makes the tenant of a verified registration, with the next
// customer id.
func (s *state) admitTenant(c *AdmitTenant) msgp.Marshaler {
	r := s.registrations.byID[c.ID]
	if r == nil || r.Intent != c.Intent {
		return refuseTenant(cloudlicenses.TenantNotFound, "there is no such registration, or it has expired")
	}
	if t := s.tenants[c.ID]; t != nil {
		return &TenantResult{Tenant: *t} // an operator can't make one of a registered id
	}
	s.meta.Customers++
	t := &Tenant{
		ID: r.ID, CustomerID: fmt.Sprintf("CUST-%05d", s.meta.Customers), Company: r.Company, Region: r.Region, Plan: r.Plan,
		Status: cloudlicenses.TenantPending, Group: r.Group, Epoch: firstEpoch, CreatedMillis: s.meta.ClockMillis,
	}
	s.registrations.settle(r)
	r.Status = RegistrationVerified
	s.addTenant(t)
	s.put(keyTenant(t.ID), t)
	s.put(keyRegistration(r.ID), r)
	return &TenantResult{Tenant: *t}
}

// tenantAdmitted ends the saga; said again, it changes nothing.
func (s *state) tenantAdmitted(c *TenantAdmitted) msgp.Marshaler {
	r := s.registrations.byID[c.ID]
	if r == nil || r.Status == RegistrationPending {
		return Ack{Code: cloudlicenses.TenantNotFound, Detail: "no saga of this tenant is under way"}
	}
	if r.Status == RegistrationVerified {
		r.Status = RegistrationDone
		s.put(keyRegistration(r.ID), r)
	}
	return Ack{}
}

// registration answers QueryRegistration.
func (s *state) registration(q *GetTenant) msgp.Marshaler {
	if r := s.registrations.byID[q.ID]; r != nil {
		return &RegistrationResult{Registration: *r}
	}
	return &RegistrationResult{Code: cloudlicenses.TenantNotFound}
}

// unfinished answers QueryRegistrations.
func (s *state) unfinished() msgp.Marshaler {
	result := &Unfinished{}
	for _, id := range s.registrations.ids {
		t := s.tenants[id]
		if t != nil && s.registrations.byID[id].Status == RegistrationVerified && len(result.Items) < maxUnfinished {
			result.Items = append(result.Items, *t)
		}
	}
	return result
}

func keyRegistration(id cloudlicenses.TenantID) []byte {
	return append([]byte{kindRegistration}, id...)
}
