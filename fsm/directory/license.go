package directory

import (
	"fmt"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

func init() {
	register(OpLicenseGenerate, (*state).generateLicense)
	register(OpLicenseProvision, (*state).provisionLicense)
	register(OpLicenseSynced, (*state).licenseSynced)
	register(OpLicenseFailed, (*state).licenseFailed)
}

func refuseLicense(code cloudlicenses.Code, detail string) *LicenseResult {
	return &LicenseResult{Code: code, Detail: detail}
}

// generateLicense makes a license and, where it is to be provisioned at once,
// the intent of the saga that does it.
func (s *state) generateLicense(c *GenerateLicense) msgp.Marshaler {
	vendor := s.vendors[c.VendorID]
	if vendor == nil {
		return refuseLicense(cloudlicenses.NotFound, fmt.Sprintf("no vendor %q", c.VendorID))
	}
	if known := s.licenses.byOpportunity[opportunityKey{c.VendorID, c.ProductID, c.OpportunityID}]; known != nil {
		if known.RequestHash != c.RequestHash {
			return &LicenseResult{
				Code: cloudlicenses.OpportunityConflict, Other: known.ID,
				Detail: "the opportunity has a license of this product by another request: amend that one, or send the same request",
			}
		}
		return s.licensed(known, true)
	}
	customer := s.customers.find(c.VendorID, c.CRMAccount)
	if c.TenantID == "" && customer != nil {
		c.TenantID = customer.TenantID
	}
	if refusal := s.refuseGeneration(c, customer); refusal != nil {
		return refusal
	}
	provision := c.AutoProvision && s.provisionsAlone(vendor, customer)
	if s.licenses.waiting[c.VendorID] >= cloudlicenses.MaxWaitingLicenses && !(provision && s.takesLicenses(c.TenantID)) {
		return refuseLicense(cloudlicenses.PlanLimitExceeded, fmt.Sprintf(
			"%d licenses wait for their tenants or for being provisioned: provision or revoke some of them first", cloudlicenses.MaxWaitingLicenses))
	}
	l := s.newLicense(vendor, c)
	s.succeed(l, &l.Terms)
	l.Terms.AutoRenew = l.Terms.AutoRenew && !s.succeeded(l, &l.Terms)
	s.licenses.add(l)
	s.admitCustomer(c.VendorID, c.CRMAccount, c.Company, c.TenantID)
	s.changeLicense(l, func() {
		if provision {
			s.want(l)
		}
	})
	return s.licensed(l, false)
}

// refuseGeneration makes every check of a generation.
func (s *state) refuseGeneration(c *GenerateLicense, customer *Customer) *LicenseResult {
	switch {
	case cloudlicenses.ValidateForeignID(c.OpportunityID) != nil:
		return refuseLicense(cloudlicenses.InvalidField, "crm_opportunity_id: "+cloudlicenses.ErrForeignID.Error())
	case cloudlicenses.ValidateForeignID(c.CRMAccount) != nil:
		return refuseLicense(cloudlicenses.InvalidField, "customer/crm_account_id: "+cloudlicenses.ErrForeignID.Error())
	case cloudlicenses.ValidateID(string(c.ProductID)) != nil:
		return refuseLicense(cloudlicenses.InvalidField, "product/id: "+cloudlicenses.ErrID.Error())
	case len(c.ProductName) > cloudlicenses.MaxNameLength, len(c.Company) > cloudlicenses.MaxNameLength:
		return refuseLicense(cloudlicenses.InvalidField, "customer/name: a name has at most 300 bytes")
	case c.TenantID == "":
		return refuseLicense(cloudlicenses.InvalidField, "customer/tenant_id: is missing, and the CRM account is not linked with a tenant yet")
	case c.TenantID.Validate() != nil:
		return refuseLicense(cloudlicenses.InvalidField, "customer/tenant_id: "+cloudlicenses.ErrTenantID.Error())
	case customer != nil && customer.TenantID != c.TenantID:
		return refuseLicense(cloudlicenses.AlreadyExists, "customer/crm_account_id: belongs to the tenant "+string(customer.TenantID))
	}
	if refusal := s.refuseTenantOf(c.TenantID, c.VendorID); refusal != nil {
		return refusal
	}
	if refusal := refuseTerms(&c.Terms); refusal != nil {
		return refusal
	}
	if other := s.licenses.inTheWay(c.TenantID, c.VendorID, c.ProductID, &c.Terms); other != nil {
		return refuseOverlap(other)
	}
	return nil
}

func refuseOverlap(other *License) *LicenseResult {
	return &LicenseResult{
		Code: cloudlicenses.AlreadyExists, Other: other.ID,
		Detail: "the tenant has a license of this product in that time: amend or revoke it, or let the new one begin after its end",
	}
}

// refuseTenantOf refuses what a tenant won't take of a vendor. One that is not
// there yet takes everything.
func (s *state) refuseTenantOf(id cloudlicenses.TenantID, vendor cloudlicenses.VendorID) *LicenseResult {
	if t := s.tenants[id]; t != nil {
		switch t.Status {
		case cloudlicenses.TenantActive, cloudlicenses.TenantPending:
		case cloudlicenses.TenantSuspended:
			return refuseLicense(cloudlicenses.LicenseNotActive, "the tenant is suspended: nothing can be provisioned until the platform resumes it")
		default:
			return refuseLicense(cloudlicenses.LicenseNotActive, "the tenant is being deleted")
		}
	}
	if s.buried(id) {
		return refuseLicense(cloudlicenses.LicenseNotActive, "the tenant was deleted, and its id is not given again")
	}
	if s.blocked(id, vendor) {
		return refuseLicense(cloudlicenses.LicenseNotActive, "the tenant has blocked this vendor: ask its administrator to unblock it")
	}
	return nil
}

// refuseTerms judges terms by themselves.
func refuseTerms(t *Terms) *LicenseResult {
	e := cloudlicenses.Entitlement{Total: t.Total, CommitQty: t.CommitQty, MaxOverage: t.MaxOverage}
	year := time.UnixMilli(t.StartMillis).UTC().Year()
	switch {
	case !e.Valid():
		return refuseLicense(cloudlicenses.InvalidEntitlement,
			"want 0 ≤ commit_qty ≤ total_licenses, max_overage ≥ 0 and total_licenses ≤ commit_qty + max_overage")
	case t.StartMillis%millisPerDay != 0, year < minYear, year > maxYear:
		return refuseLicense(cloudlicenses.InvalidField, "contract/start_date: must be a day of the years 1970 to 9999")
	case t.EndMillis%millisPerDay != 0, t.EndMillis != 0 && t.EndMillis <= t.StartMillis:
		return refuseLicense(cloudlicenses.InvalidField, "contract/end_date: is before start_date")
	case t.EndMillis == 0 && t.AutoRenew:
		return refuseLicense(cloudlicenses.InvalidField, "contract/auto_renew: a contract without an end is not renewed")
	case !t.Cycle.Valid():
		return refuseLicense(cloudlicenses.InvalidField, "contract/billing_cycle: must be monthly, quarterly or yearly")
	case t.CommitFeeMinor < 0, t.OverageFeeMinor < 0:
		return refuseLicense(cloudlicenses.InvalidField, "entitlement/pricing: want no negative amount")
	}
	if _, err := t.Currency.Decimals(); err != nil {
		return refuseLicense(cloudlicenses.InvalidField, "entitlement/pricing/currency: "+err.Error())
	}
	if t.Constraint != "" {
		if _, err := semver.NewConstraint(t.Constraint); err != nil {
			return refuseLicense(cloudlicenses.InvalidField, "product/version: "+err.Error())
		}
	}
	return nil
}

// newLicense draws the next id of vendor, tenant and year.
func (s *state) newLicense(v *Vendor, c *GenerateLicense) *License {
	year := int64(time.UnixMilli(c.Terms.StartMillis).UTC().Year())
	k := sequenceKey{vendor: v.ID, tenant: c.TenantID, year: year}
	drawn := s.sequences[k] + 1
	s.setSequence(k, drawn)
	s.put(k.key(), sequenceRecord{Drawn: drawn})
	l := &License{
		ID:       cloudlicenses.LicenseID(fmt.Sprintf("lic-%s-%s-%04d-%03d", v.LicensePrefix, c.TenantID, year, drawn)),
		VendorID: v.ID, TenantID: c.TenantID, OpportunityID: c.OpportunityID, ProductID: c.ProductID, ProductName: c.ProductName,
		CRMAccount: c.CRMAccount, Company: c.Company, RequestHash: c.RequestHash, Terms: c.Terms,
		Prices: []Price{{
			FromMillis: c.Terms.StartMillis, CommitFeeMinor: c.Terms.CommitFeeMinor, OverageFeeMinor: c.Terms.OverageFeeMinor, CommitQty: c.Terms.CommitQty,
		}},
		Status: cloudlicenses.LicenseGenerated, Fresh: true, Notice: c.Notice, NoticeKey: c.NoticeKey, CreatedMillis: s.meta.ClockMillis,
	}
	l.TermMonths, l.TermDays = term(c.Terms.StartMillis, c.Terms.EndMillis)
	return l
}

// succeed ends the renewal of the licenses that l, by these terms, follows: it
// takes their place. l is put by the caller.
func (s *state) succeed(l *License, terms *Terms) {
	for _, o := range s.licenses.byTenant[l.TenantID] {
		if o != l && o.VendorID == l.VendorID && o.ProductID == l.ProductID && o.Terms.AutoRenew && !o.over() && o.Terms.EndMillis <= terms.StartMillis {
			s.changeLicense(o, func() {
				o.Terms.AutoRenew = false
				o.revise()
			})
			l.Ended = append(l.Ended, o.ID)
		}
	}
}

// renewAgain gives the renewal back to licenses that l has ended it of, where none
// follows them any more.
func (s *state) renewAgain(l *License) {
	for _, id := range l.Ended {
		o := s.licenses.byID[id]
		if o == nil || o.over() || o.Terms.AutoRenew || o.Terms.EndMillis == 0 || s.succeeded(o, &o.Terms) {
			continue
		}
		s.changeLicense(o, func() {
			o.Terms.AutoRenew = true
			o.revise()
		})
	}
}

// keepEnded lets no refusal of another license renew l: its vendor does not want
// that any more.
func (s *state) keepEnded(l *License) {
	for _, o := range s.licenses.byTenant[l.TenantID] {
		if at := slices.Index(o.Ended, l.ID); at >= 0 {
			o.Ended = slices.Delete(slices.Clone(o.Ended), at, at+1)
			s.put(keyLicense(o.ID), o)
		}
	}
}

// revise makes a revision of what the group knows.
func (l *License) revise() {
	if l.Revision > 0 {
		l.Revision++
	}
}

// want begins to provision a license, or has it wait for its tenant. One that was
// refused takes its predecessors' place again.
func (s *state) want(l *License) {
	l.Unfit = false
	s.succeed(l, &l.Terms)
	if s.takesLicenses(l.TenantID) {
		l.Status, l.Revision = cloudlicenses.LicenseGenerated, max(l.Revision, l.Refused+1)
		return
	}
	l.Status, l.Fresh = cloudlicenses.LicenseWaitingForTenant, false
}

// takesLicenses reports whether a tenant is there for licenses to be provisioned to.
func (s *state) takesLicenses(id cloudlicenses.TenantID) bool {
	t := s.tenants[id]
	return t != nil && t.Status == cloudlicenses.TenantActive
}

// tryUnfit provisions what did not fit a tenant's plan, now that it may.
func (s *state) tryUnfit(id cloudlicenses.TenantID) {
	for _, l := range s.licenses.byTenant[id] {
		switch {
		case l.over():
		case l.Unfit && s.refuseTenantOf(id, l.VendorID) == nil && s.licenses.holder(l, &l.Terms) == nil:
			s.changeLicense(l, func() { s.want(l) })
		case l.lags() && !l.Fresh: // on its way; the group may have refused it before, for good
			s.changeLicense(l, l.revise)
		}
	}
}

// tenantAppeared provisions what waited for a tenant, and links its vendors.
func (s *state) tenantAppeared(id cloudlicenses.TenantID) {
	for _, l := range s.licenses.byTenant[id] {
		if l.over() {
			continue
		}
		if c := s.customers.find(l.VendorID, l.CRMAccount); c != nil && c.LinkedMillis == 0 && c.TenantID == id {
			s.linkCustomer(c)
			s.put(keyCustomer(c), c)
		}
		if l.Status == cloudlicenses.LicenseWaitingForTenant {
			s.changeLicense(l, func() { s.want(l) })
		}
	}
}

// provisionLicense provisions a license that was generated only. The contact of one
// that was provisioned as it was generated is told by the notice of this once more.
func (s *state) provisionLicense(c *ProvisionLicense) msgp.Marshaler {
	l := s.licenses.byID[c.ID]
	switch {
	case l == nil || l.VendorID != c.VendorID:
		return refuseLicense(cloudlicenses.NotFound, "the vendor has no such license")
	case l.CRMAccount != c.CRMAccount:
		return refuseLicense(cloudlicenses.InvalidField, "customer/crm_account_id: the license was generated for another customer")
	case l.over() || l.Status == cloudlicenses.LicenseSuspended:
		return refuseLicense(cloudlicenses.LicenseNotActive, "the license is "+string(l.Status))
	case l.Revision > 0 && (c.Notice == NoticeNowhere || l.Notice != NoticeNowhere || l.NoticeKey == c.NoticeKey ||
		s.refuseTenantOf(l.TenantID, l.VendorID) != nil):
		return s.licensed(l, true)
	case l.Revision > 0:
		s.changeLicense(l, func() {
			l.Notice, l.NoticeKey = c.Notice, c.NoticeKey
			l.revise()
		})
		return s.licensed(l, true)
	}
	if refusal := s.refuseTenantOf(l.TenantID, l.VendorID); refusal != nil {
		return refusal
	}
	if other := s.licenses.holder(l, &l.Terms); other != nil { // it was refused, and another has renewed itself
		return refuseOverlap(other)
	}
	s.changeLicense(l, func() {
		l.Fresh = false
		if c.Notice != NoticeNowhere {
			l.Notice, l.NoticeKey = c.Notice, c.NoticeKey
		}
		s.want(l)
	})
	return s.licensed(l, false)
}

// licenseSynced ends the saga for a revision; said again, it changes nothing.
func (s *state) licenseSynced(c *LicenseSynced) msgp.Marshaler {
	l := s.licenses.byID[c.ID]
	if l == nil || c.Revision > l.Revision {
		return refuseLicense(cloudlicenses.NotFound, "no such license, or revision of it")
	}
	if c.Revision <= l.Synced {
		return s.licensed(l, false)
	}
	s.changeLicense(l, func() {
		l.Synced, l.Fresh = c.Revision, false
		if b := l.Before; b != nil && b.Revision <= c.Revision {
			l.Before = nil
			s.licenseEvent(cloudlicenses.EventLicenseAmended, l)
		}
		if l.Before == nil {
			l.Ended = nil
		}
		if l.ProvisionedMillis == 0 && l.Status != cloudlicenses.LicenseRevoked {
			s.licenseEvent(cloudlicenses.EventLicenseProvisioned, l)
			l.ProvisionedMillis = s.meta.ClockMillis
			l.Notified = c.Notified
			l.Notice = NoticeNowhere
		}
		if c.Revision == l.Revision && l.Notice != NoticeNowhere {
			l.Notified, l.Notice = c.Notified, NoticeNowhere
		}
		if l.Status == cloudlicenses.LicenseGenerated {
			l.Status = cloudlicenses.LicenseProvisioned
		}
	})
	return s.licensed(l, false)
}

// licenseFailed takes back what the license's group refused: its revision, and
// none that came since.
func (s *state) licenseFailed(c *LicenseFailed) msgp.Marshaler {
	l := s.licenses.byID[c.ID]
	switch {
	case l == nil || l.Revision == 0 || c.Revision > l.Revision || c.Revision <= l.Synced:
	case l.Synced > 0:
		s.takeBack(l, c.Revision)
	case c.Revision != l.Revision: // revised since
	case l.Fresh:
		s.licenses.remove(l)
		s.out.Delete(keyLicense(l.ID))
		s.renewAgain(l)
		s.releaseCustomer(l.VendorID, l.CRMAccount)
	default:
		ended := *l
		s.changeLicense(l, func() {
			l.Refused, l.Revision, l.Before, l.Ended = l.Revision, 0, nil, nil
			l.Unfit = c.Code == cloudlicenses.PlanLimitExceeded
		})
		s.renewAgain(&ended)
	}
	return Ack{}
}

// takeBack undoes an amendment that a refused revision holds. The revision is
// not used again: it may still be on its way to the group.
func (s *state) takeBack(l *License, refused uint64) {
	b := l.Before
	if b == nil || b.Revision > refused {
		return
	}
	ended := *l
	s.changeLicense(l, func() {
		l.Terms, l.Prices, l.TermMonths, l.TermDays, l.Before = b.Terms, b.Prices, b.TermMonths, b.TermDays, nil
		l.Terms.AutoRenew = l.Terms.AutoRenew && !s.succeeded(l, &l.Terms) // another one may have followed since
		l.Ended = nil
		l.revise()
	})
	s.renewAgain(&ended)
}
