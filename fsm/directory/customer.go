package directory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

func init() {
	register(OpCustomer, (*state).setCustomer)
	register(OpVendorBlock, (*state).blockVendor)
	register(OpLinkTold, (*state).linkTold)
}

// customerTable are vendors' customers and tenants' links with vendors.
type customerTable struct {
	byVendor map[cloudlicenses.VendorID][]*Customer // each in order of CRM account
	order    []*Customer                            // by vendor, then CRM account
	byTenant map[cloudlicenses.TenantID][]*Link     // each in order of vendor
	links    []*Link                                // by tenant, then vendor
	untold   []*Link                                // those that tenants don't know of, in the same order
}

func newCustomerTable() customerTable {
	return customerTable{
		byVendor: map[cloudlicenses.VendorID][]*Customer{},
		byTenant: map[cloudlicenses.TenantID][]*Link{},
	}
}

func (c *Customer) compare(other *Customer) int {
	return cmp.Or(cmp.Compare(c.VendorID, other.VendorID), cmp.Compare(c.CRMAccount, other.CRMAccount))
}

func (l *Link) compare(other *Link) int {
	return cmp.Or(cmp.Compare(l.TenantID, other.TenantID), cmp.Compare(l.VendorID, other.VendorID))
}

func (t *customerTable) find(vendor cloudlicenses.VendorID, account string) *Customer {
	of := t.byVendor[vendor]
	at, found := slices.BinarySearchFunc(of, account, func(c *Customer, account string) int { return cmp.Compare(c.CRMAccount, account) })
	if !found {
		return nil
	}
	return of[at]
}

func (t *customerTable) link(tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID) *Link {
	of := t.byTenant[tenant]
	at, found := slices.BinarySearchFunc(of, vendor, func(l *Link, vendor cloudlicenses.VendorID) int { return cmp.Compare(l.VendorID, vendor) })
	if !found {
		return nil
	}
	return of[at]
}

func (t *customerTable) add(c *Customer) {
	t.byVendor[c.VendorID] = insertBy(t.byVendor[c.VendorID], c, (*Customer).compare)
	t.order = insertBy(t.order, c, (*Customer).compare)
}

func (t *customerTable) remove(c *Customer) {
	t.byVendor[c.VendorID] = removeBy(t.byVendor[c.VendorID], c, (*Customer).compare)
	t.order = removeBy(t.order, c, (*Customer).compare)
}

func (t *customerTable) addLink(l *Link) {
	t.byTenant[l.TenantID] = insertBy(t.byTenant[l.TenantID], l, (*Link).compare)
	t.links = insertBy(t.links, l, (*Link).compare)
	if !l.Told {
		t.untold = insertBy(t.untold, l, (*Link).compare)
	}
}

// removeLink is the inverse of addLink.
func (t *customerTable) removeLink(l *Link) {
	t.byTenant[l.TenantID] = removeBy(t.byTenant[l.TenantID], l, (*Link).compare)
	t.links = removeBy(t.links, l, (*Link).compare)
	t.untold = removeBy(t.untold, l, (*Link).compare)
}

// keyCustomer names a customer on disk; neither id holds a byte 0.
func keyCustomer(c *Customer) []byte {
	key := append([]byte{kindCustomer}, c.VendorID...)
	return append(append(key, 0), c.CRMAccount...)
}

func keyLink(l *Link) []byte {
	key := append([]byte{kindLink}, l.TenantID...)
	return append(append(key, 0), l.VendorID...)
}

// admitCustomer makes a customer known, and links it where its tenant is
// there. The caller has checked that the CRM account belongs to no other.
func (s *state) admitCustomer(vendor cloudlicenses.VendorID, account, company string, tenant cloudlicenses.TenantID) *Customer {
	c := s.customers.find(vendor, account)
	if c == nil {
		c = &Customer{VendorID: vendor, CRMAccount: account, TenantID: tenant, Company: company}
		s.customers.add(c)
	}
	if t := s.tenants[tenant]; c.LinkedMillis == 0 && t != nil && t.Status == cloudlicenses.TenantActive {
		s.linkCustomer(c)
	}
	s.put(keyCustomer(c), c)
	return c
}

// linkCustomer links a customer with its tenant, which is there.
func (s *state) linkCustomer(c *Customer) {
	c.LinkedMillis = s.meta.ClockMillis
	s.tellVendor(VendorEvent{VendorID: c.VendorID, Kind: cloudlicenses.EventCustomerLinked, TenantID: c.TenantID, CRMAccount: c.CRMAccount})
	if s.customers.link(c.TenantID, c.VendorID) == nil {
		l := &Link{TenantID: c.TenantID, VendorID: c.VendorID, LinkedMillis: s.meta.ClockMillis}
		s.customers.addLink(l)
		s.put(keyLink(l), l)
	}
}

// releaseCustomer forgets a customer that is not linked and that no license
// waits for any more: a mistyped tenant id must not hold a CRM account for good.
func (s *state) releaseCustomer(vendor cloudlicenses.VendorID, account string) {
	c := s.customers.find(vendor, account)
	if c == nil || c.LinkedMillis != 0 {
		return
	}
	for _, l := range s.licenses.byTenant[c.TenantID] {
		if l.VendorID == vendor && l.CRMAccount == account && !l.over() {
			return
		}
	}
	s.customers.remove(c)
	s.out.Delete(keyCustomer(c))
}

// partCustomers forgets who knew a tenant that is removed: its customers' CRM
// accounts are free for another tenant.
func (s *state) partCustomers(id cloudlicenses.TenantID) {
	for _, l := range slices.Clone(s.customers.byTenant[id]) {
		for _, c := range slices.Clone(s.customers.byVendor[l.VendorID]) {
			if c.TenantID == id {
				s.customers.remove(c)
				s.out.Delete(keyCustomer(c))
			}
		}
		s.customers.removeLink(l)
		s.out.Delete(keyLink(l))
	}
}

// blocked reports whether a tenant has blocked a vendor.
func (s *state) blocked(tenant cloudlicenses.TenantID, vendor cloudlicenses.VendorID) bool {
	l := s.customers.link(tenant, vendor)
	return l != nil && l.BlockedMillis != 0
}

// provisionsAlone reports whether licenses of a customer (nil: a new one) are
// provisioned as they are generated.
func (s *state) provisionsAlone(v *Vendor, c *Customer) bool {
	if c != nil && c.AutoProvision != SwitchUnset {
		return c.AutoProvision == SwitchOn
	}
	return v.provisionsAlone()
}

func (s *state) found(c *Customer) FoundCustomer {
	f := FoundCustomer{Customer: *c, Blocked: s.blocked(c.TenantID, c.VendorID)}
	if t := s.tenants[c.TenantID]; t != nil {
		f.Tenant = *t
	}
	return f
}

// setCustomer sets a customer's auto-provisioning.
func (s *state) setCustomer(p *SetCustomer) msgp.Marshaler {
	c := s.customers.find(p.VendorID, p.CRMAccount)
	if c == nil || c.LinkedMillis == 0 {
		return &CustomerResult{Code: cloudlicenses.NotFound, Detail: "no customer of this CRM account is linked"}
	}
	if p.AutoProvision > SwitchOff {
		return &CustomerResult{Code: cloudlicenses.InvalidField, Detail: "auto_provision: must be true, false or null"}
	}
	if c.AutoProvision != p.AutoProvision {
		c.AutoProvision = p.AutoProvision
		s.put(keyCustomer(c), c)
	}
	return &CustomerResult{Customer: s.found(c)}
}

// blockVendor blocks or unblocks a vendor.
func (s *state) blockVendor(p *BlockVendor) msgp.Marshaler {
	l := s.customers.link(p.TenantID, p.VendorID)
	if l == nil {
		return &LinkResult{Code: cloudlicenses.NotFound, Detail: "no such vendor is linked with the tenant"}
	}
	if (l.BlockedMillis != 0) != p.Blocked {
		if l.BlockedMillis = 0; p.Blocked {
			l.BlockedMillis = s.meta.ClockMillis
			s.tellBlocked(l)
		}
		s.put(keyLink(l), l)
	}
	return &LinkResult{Link: s.linked(l)}
}

// tellBlocked leaves a vendor the event that a tenant has blocked it: one an hour at
// most, and one that waits. A tenant that goes on blocking and unblocking tells
// nothing new by it, and would else fill the vendor's endpoints until they are shut.
func (s *state) tellBlocked(l *Link) {
	now := s.meta.ClockMillis
	if l.NotifiedMillis != 0 && now < l.NotifiedMillis+cloudlicenses.BlockedEventPause.Milliseconds() {
		return
	}
	l.NotifiedMillis = now
	s.dropVendorEvent(l.VendorID, func(e *VendorEvent) bool {
		return e.Kind == cloudlicenses.EventCustomerBlocked && e.TenantID == l.TenantID
	})
	s.tellVendor(VendorEvent{VendorID: l.VendorID, Kind: cloudlicenses.EventCustomerBlocked, TenantID: l.TenantID})
}

// linkTold ends the saga of a link; said again, it changes nothing.
func (s *state) linkTold(p *LinkTold) msgp.Marshaler {
	l := s.customers.link(p.TenantID, p.VendorID)
	if l == nil {
		return Ack{Code: cloudlicenses.NotFound, Detail: "no such vendor is linked with the tenant"}
	}
	if !l.Told {
		s.customers.untold = removeBy(s.customers.untold, l, (*Link).compare)
		l.Told = true
		s.put(keyLink(l), l)
	}
	return Ack{}
}

func (s *state) linked(l *Link) LinkedVendor {
	v := LinkedVendor{Link: *l}
	if vendor := s.vendors[l.VendorID]; vendor != nil {
		v.Name = vendor.Name
	}
	for _, license := range s.licenses.byTenant[l.TenantID] {
		if license.VendorID == l.VendorID && license.Synced > 0 {
			v.Licenses++
		}
	}
	return v
}

// customerPage answers QueryCustomers.
func (s *state) customerPage(q *ListCustomers) msgp.Marshaler {
	page := &CustomerPage{}
	of := s.customers.byVendor[q.VendorID]
	if q.CRMAccount != "" {
		if of = nil; s.customers.find(q.VendorID, q.CRMAccount) != nil {
			of = []*Customer{s.customers.find(q.VendorID, q.CRMAccount)}
		}
	}
	from, found := slices.BinarySearchFunc(of, q.Cursor, func(c *Customer, cursor string) int { return cmp.Compare(c.CRMAccount, cursor) })
	if found {
		from++
	}
	limit, name := pageSize(q.Limit), strings.ToLower(q.Name)
	for n, c := range of[from:] {
		if len(page.Items) == limit || n == maxScanned {
			page.Next = of[from+n-1].CRMAccount
			break
		}
		if c.LinkedMillis == 0 || (q.TenantID != "" && c.TenantID != q.TenantID) {
			continue
		}
		if f := s.found(c); name == "" || strings.Contains(strings.ToLower(c.Company), name) || strings.Contains(strings.ToLower(f.Tenant.Company), name) {
			page.Items = append(page.Items, f)
		}
	}
	return page
}

// linkPage answers QueryLinks.
func (s *state) linkPage(q *ListLinks) msgp.Marshaler {
	page := &LinkPage{}
	of := s.customers.byTenant[q.TenantID]
	from, found := slices.BinarySearchFunc(of, q.Cursor, func(l *Link, cursor string) int { return cmp.Compare(string(l.VendorID), cursor) })
	if found {
		from++
	}
	for _, l := range of[from:] {
		if q.VendorID != "" && l.VendorID != q.VendorID {
			continue
		}
		if len(page.Items) == pageSize(q.Limit) {
			page.Next = string(page.Items[len(page.Items)-1].Link.VendorID)
			break
		}
		page.Items = append(page.Items, s.linked(l))
	}
	return page
}
