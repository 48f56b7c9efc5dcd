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
	// maxUnfinished bounds an answer to QueryRegistrations.
	maxUnfinished = 100
)

// registrations are the sign-ups and what they reserve.
type registrations struct {
	byID     map[cloudlicenses.TenantID]*Registration
	ids      []cloudlicenses.TenantID          // sorted
	byDomain map[string]cloudlicenses.TenantID // by domainKey
	byPrefix map[string]cloudlicenses.TenantID // of vendors
	pending  []*Registration                   // not verified, by expiry, then id
	vendors  int                               // of pending
	// looks counts the ids of tenants and of registrations by skeleton.
	looks map[string]int
}

func newRegistrations() registrations {
	return registrations{
		byID:     map[cloudlicenses.TenantID]*Registration{},
		byDomain: map[string]cloudlicenses.TenantID{},
		byPrefix: map[string]cloudlicenses.TenantID{},
		looks:    map[string]int{},
	}
}

func (r *Registration) compareExpiry(other *Registration) int {
	return cmp.Or(cmp.Compare(r.ExpiresMillis, other.ExpiresMillis), cmp.Compare(r.ID, other.ID))
}

// domainKey keeps domains of vendors apart from those of tenants.
func domainKey(id cloudlicenses.TenantID, domain string) string {
	if _, isVendor := id.Vendor(); isVendor {
		return "@" + domain
	}
	return domain
}

// vendors is 1 where a vendor signs up.
func (r *Registration) vendors() int {
	if _, isVendor := r.ID.Vendor(); isVendor {
		return 1
	}
	return 0
}

// waiting counts the pending sign-ups of vendors, or of tenants.
func (g *registrations) waiting(vendors bool) int {
	if vendors {
		return g.vendors
	}
	return len(g.pending) - g.vendors
}

func (g *registrations) add(r *Registration) {
	g.byID[r.ID] = r
	g.ids = insertSorted(g.ids, r.ID)
	g.byDomain[domainKey(r.ID, r.Domain)] = r.ID
	if r.Prefix != "" {
		g.byPrefix[r.Prefix] = r.ID
	}
	g.looks[r.ID.Skeleton()]++
	if r.Status == RegistrationPending {
		at, _ := slices.BinarySearchFunc(g.pending, r, (*Registration).compareExpiry)
		g.pending = slices.Insert(g.pending, at, r)
		g.vendors += r.vendors()
	}
}

// settle takes r out of those that expire.
func (g *registrations) settle(r *Registration) {
	if at, found := slices.BinarySearchFunc(g.pending, r, (*Registration).compareExpiry); found {
		g.pending = slices.Delete(g.pending, at, at+1)
		g.vendors -= r.vendors()
	}
}

func (s *state) removeRegistration(r *Registration) {
	g := &s.registrations
	g.settle(r)
	delete(g.byID, r.ID)
	if at, found := slices.BinarySearch(g.ids, r.ID); found {
		g.ids = slices.Delete(g.ids, at, at+1)
	}
	if key := domainKey(r.ID, r.Domain); g.byDomain[key] == r.ID {
		delete(g.byDomain, key)
	}
	if g.byPrefix[r.Prefix] == r.ID {
		delete(g.byPrefix, r.Prefix)
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
	if refusal := s.refuseRegistration(c); refusal != nil {
		return refusal
	}
	held := s.perGroup
	if _, isVendor := c.ID.Vendor(); isVendor {
		held = s.vendorsPerGroup
	}
	group := s.place(c.Region, append([]uint32{}, c.Groups...), held)
	if group == 0 {
		return &RegistrationResult{Code: cloudlicenses.RegionUnavailable, Detail: fmt.Sprintf("no license group lies wholly in region %q", c.Region)}
	}
	r := &Registration{
		Intent: c.Intent, ID: c.ID, Company: c.Company, Domain: c.Domain, Region: c.Region, Plan: c.Plan, Prefix: c.Prefix,
		EmailHash: c.EmailHash, Group: group, Status: RegistrationPending,
		CreatedMillis: s.meta.ClockMillis, ExpiresMillis: s.meta.ClockMillis + RegistrationLifeMillis,
	}
	g.add(r)
	s.put(keyRegistration(r.ID), r)
	return &RegistrationResult{Registration: *r}
}

// refuseRegistration says why there can be no such registration, or nil.
func (s *state) refuseRegistration(c *Register) msgp.Marshaler {
	g := &s.registrations
	refuse := func(code cloudlicenses.Code, detail string) msgp.Marshaler {
		return &RegistrationResult{Code: code, Detail: detail}
	}
	vendor, isVendor := c.ID.Vendor()
	err, valid := c.ID.ValidateSignUp(), cloudlicenses.ValidateID(c.Plan) == nil && c.Prefix == ""
	if isVendor {
		err, valid = vendor.ValidateSignUp(), c.Plan == "" && cloudlicenses.ValidateLicensePrefix(c.Prefix) == nil
	}
	switch {
	case err != nil:
		return refuse(cloudlicenses.InvalidField, "id: "+err.Error())
	case c.Company == "" || len(c.Company) > cloudlicenses.MaxNameLength, c.Domain == "" || len(c.Domain) > 253, !valid:
		return refuse(cloudlicenses.InvalidField, "company, domain, plan or license prefix: empty, too long or not valid")
	case g.looks[c.ID.Skeleton()] > 0:
		return refuse(cloudlicenses.AlreadyExists, "id")
	case g.byDomain[domainKey(c.ID, c.Domain)] != "":
		return refuse(cloudlicenses.AlreadyExists, "domain")
	case isVendor && s.prefixTaken(c.Prefix):
		return refuse(cloudlicenses.AlreadyExists, "license_prefix")
	case g.waiting(isVendor) >= cloudlicenses.MaxPendingRegistrations:
		return refuse(cloudlicenses.Overloaded, "too many registrations wait for their verification")
	}
	return nil
}

// prefixTaken reports whether a license prefix is a vendor's, or reserved for
// one that has signed up.
func (s *state) prefixTaken(prefix string) bool {
	return s.prefixes[prefix] != "" || s.registrations.byPrefix[prefix] != ""
}

// unregister takes a registration back.
func (s *state) unregister(c *Unregister) msgp.Marshaler {
	if r := s.registrations.byID[c.ID]; r != nil && r.Intent == c.Intent && r.Status == RegistrationPending {
		s.removeRegistration(r)
	}
	return Ack{}
}

// admitTenant makes the tenant of a verified registration, with the next
// customer id, or the vendor.
func (s *state) admitTenant(c *AdmitTenant) msgp.Marshaler {
	r := s.registrations.byID[c.ID]
	if r == nil || r.Intent != c.Intent {
		return refuseTenant(cloudlicenses.TenantNotFound, "there is no such registration, or it has expired")
	}
	if made := s.account(c.ID); made != nil {
		return &TenantResult{Tenant: *made} // an operator can't make one of a registered id
	}
	s.registrations.settle(r)
	r.Status = RegistrationVerified
	s.put(keyRegistration(r.ID), r)
	if id, isVendor := r.ID.Vendor(); isVendor {
		v := &Vendor{
			ID: id, Name: r.Company, LicensePrefix: r.Prefix, Region: r.Region,
			Status: cloudlicenses.TenantPending, Group: r.Group, Epoch: firstEpoch, CreatedMillis: s.meta.ClockMillis,
			Settings: newVendorSettings(),
		}
		s.addVendor(v)
		s.put(keyVendor(v.ID), v)
		return &TenantResult{Tenant: v.Account()}
	}
	s.meta.Customers++
	t := &Tenant{
		ID: r.ID, CustomerID: fmt.Sprintf("CUST-%05d", s.meta.Customers), Company: r.Company, Region: r.Region, Plan: r.Plan,
		Status: cloudlicenses.TenantPending, Group: r.Group, Epoch: firstEpoch, CreatedMillis: s.meta.ClockMillis,
	}
	s.addTenant(t)
	s.put(keyTenant(t.ID), t)
	return &TenantResult{Tenant: *t}
}

// account finds a tenant by its id, or a vendor's account by its name; nil
// where there is none.
func (s *state) account(id cloudlicenses.TenantID) *Tenant {
	if vendor, ok := id.Vendor(); ok {
		if v := s.vendors[vendor]; v != nil {
			account := v.Account()
			return &account
		}
		return nil
	}
	return s.tenants[id]
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
		if s.registrations.byID[id].Status != RegistrationVerified || len(result.Items) == maxUnfinished {
			continue
		}
		if t := s.account(id); t != nil {
			result.Items = append(result.Items, *t)
		}
	}
	return result
}

func keyRegistration(id cloudlicenses.TenantID) []byte {
	return append([]byte{kindRegistration}, id...)
}
