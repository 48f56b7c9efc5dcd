package directory

import (
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

func init() {
	register(OpLicenseAmend, (*state).amendLicense)
	register(OpLicenseStatus, (*state).setLicenseStatus)
	register(OpLicensesEnd, (*state).endLicenses)
}

const (
	// MaxEndings bounds how many licenses one EndLicenses ends.
	MaxEndings = 1024
	// maxPrices bounds how often a license's price may change.
	maxPrices = cloudlicenses.MaxPrices
)

// amend returns the terms with the fields of an amendment.
func (c *AmendLicense) amend(t Terms) Terms {
	set := func(field AmendFields) bool { return c.Fields&field != 0 }
	if set(AmendConstraint) {
		t.Constraint = c.Terms.Constraint
	}
	if set(AmendTotal) {
		t.Total = c.Terms.Total
	}
	if set(AmendCommitQty) {
		t.CommitQty = c.Terms.CommitQty
	}
	if set(AmendMaxOverage) {
		t.MaxOverage = c.Terms.MaxOverage
	}
	if set(AmendCommitFee) {
		t.CommitFeeMinor = c.Terms.CommitFeeMinor
	}
	if set(AmendOverageFee) {
		t.OverageFeeMinor = c.Terms.OverageFeeMinor
	}
	if set(AmendStart) {
		t.StartMillis = c.Terms.StartMillis
	}
	if set(AmendEnd) {
		t.EndMillis = c.Terms.EndMillis
	}
	if set(AmendAutoRenew) {
		t.AutoRenew = c.Terms.AutoRenew
	}
	if set(AmendCycle) {
		t.Cycle = c.Terms.Cycle
	}
	return t
}

// amendLicense changes a license's terms from now on. Said again, it changes
// nothing more.
func (s *state) amendLicense(c *AmendLicense) msgp.Marshaler {
	l := s.licenses.byID[c.ID]
	if l == nil || l.VendorID != c.VendorID {
		return refuseLicense(cloudlicenses.NotFound, "the vendor has no such license")
	}
	if l.over() {
		return refuseLicense(cloudlicenses.LicenseNotActive, "the license is "+string(l.Status)+": generate a new one")
	}
	terms := c.amend(l.Terms)
	if terms != l.Terms {
		if refusal := s.refuseAmendment(l, &terms); refusal != nil {
			return refusal
		}
	}
	if c.Fields&AmendAutoRenew != 0 && !c.Terms.AutoRenew {
		s.keepEnded(l)
	}
	if terms == l.Terms {
		return s.licensed(l, false)
	}
	if !l.refused() {
		s.succeed(l, &terms)
	}
	s.changeLicense(l, func() {
		if l.Revision > 0 { // else its group has no say
			l.Before = &Amended{l.Revision + 1, l.Terms, slices.Clone(l.Prices), l.TermMonths, l.TermDays}
		} else {
			s.licenseEvent(cloudlicenses.EventLicenseAmended, l)
		}
		s.reprice(l, &terms)
		if terms.StartMillis != l.Terms.StartMillis || terms.EndMillis != l.Terms.EndMillis {
			l.TermMonths, l.TermDays = term(terms.StartMillis, terms.EndMillis)
		}
		l.Terms = terms
		l.revise()
	})
	return s.licensed(l, false)
}

// refuseAmendment makes every check of an amendment to these terms.
func (s *state) refuseAmendment(l *License, terms *Terms) *LicenseResult {
	if refusal := s.refuseTenantOf(l.TenantID, l.VendorID); refusal != nil {
		return refusal
	}
	if refusal := refuseTerms(terms); refusal != nil {
		return refusal
	}
	if terms.StartMillis != l.Terms.StartMillis && l.Terms.StartMillis < s.meta.ClockMillis {
		return refuseLicense(cloudlicenses.InvalidField, "contract/start_date: has passed: a contract that has begun keeps its start")
	}
	if other := s.licenses.holder(l, terms); other != nil {
		return refuseOverlap(other)
	}
	if terms.AutoRenew && s.succeeded(l, terms) {
		return refuseLicense(cloudlicenses.InvalidField, "contract/auto_renew: another license follows this one")
	}
	if len(l.Prices) >= maxPrices {
		return refuseLicense(cloudlicenses.Overloaded, "the license was amended too often: generate a new one")
	}
	if l.Before != nil {
		return refuseLicense(cloudlicenses.Overloaded, "another amendment of the license is on its way; ask again")
	}
	return nil
}

// succeeded reports whether a license of the same product, and none that was
// refused, begins after terms.
func (s *state) succeeded(l *License, terms *Terms) bool {
	for _, o := range s.licenses.byTenant[l.TenantID] {
		if o != l && o.VendorID == l.VendorID && o.ProductID == l.ProductID && !o.over() && !o.refused() && o.Terms.StartMillis >= terms.EndMillis {
			return true
		}
	}
	return false
}

// reprice remembers from when on which price holds. Before the contract has
// begun there is but one price.
func (s *state) reprice(l *License, terms *Terms) {
	last := &l.Prices[len(l.Prices)-1]
	price := Price{FromMillis: s.meta.ClockMillis, CommitFeeMinor: terms.CommitFeeMinor, OverageFeeMinor: terms.OverageFeeMinor, CommitQty: terms.CommitQty}
	if terms.StartMillis >= s.meta.ClockMillis {
		price.FromMillis = terms.StartMillis
		l.Prices = []Price{price}
		return
	}
	l.Prices[0].FromMillis = min(l.Prices[0].FromMillis, terms.StartMillis)
	switch {
	case last.FromMillis == price.FromMillis: // changed twice in one moment
		*last = price
	case last.CommitFeeMinor != price.CommitFeeMinor || last.OverageFeeMinor != price.OverageFeeMinor || last.CommitQty != price.CommitQty:
		l.Prices = append(l.Prices, price)
	}
}

// setLicenseStatus suspends, resumes or revokes. What waits can be revoked too.
func (s *state) setLicenseStatus(c *SetLicenseStatus) msgp.Marshaler {
	l := s.licenses.byID[c.ID]
	if l == nil || l.VendorID != c.VendorID {
		return refuseLicense(cloudlicenses.NotFound, "the vendor has no such license")
	}
	if l.Status == c.Status {
		return s.licensed(l, false)
	}
	inForce := l.Revision > 0 && !l.over()
	switch c.Status {
	case cloudlicenses.LicenseSuspended, cloudlicenses.LicenseProvisioned:
		if !inForce {
			return refuseLicense(cloudlicenses.LicenseNotActive, "the license is "+string(l.Status))
		}
	case cloudlicenses.LicenseRevoked:
		if l.over() {
			return refuseLicense(cloudlicenses.LicenseNotActive, "the license is "+string(l.Status))
		}
	default:
		return refuseLicense(cloudlicenses.InvalidField, "status: want suspended, provisioned or revoked")
	}
	if c.Status == cloudlicenses.LicenseProvisioned && l.Status == cloudlicenses.LicenseGenerated {
		return s.licensed(l, false) // on its way
	}
	if c.Status == cloudlicenses.LicenseProvisioned {
		if refusal := s.refuseTenantOf(l.TenantID, l.VendorID); refusal != nil {
			return refusal
		}
	}
	s.changeLicense(l, func() {
		l.Status, l.SuspendedMillis = c.Status, 0
		switch c.Status {
		case cloudlicenses.LicenseSuspended:
			l.SuspendedMillis = s.meta.ClockMillis
			s.licenseEvent(cloudlicenses.EventLicenseSuspended, l)
		case cloudlicenses.LicenseRevoked:
			l.RevokedMillis = s.meta.ClockMillis
			s.licenseEvent(cloudlicenses.EventLicenseRevoked, l)
		default:
			s.licenseEvent(cloudlicenses.EventLicenseResumed, l)
		}
		l.Fresh = false
		l.revise()
	})
	if l.Status == cloudlicenses.LicenseRevoked && l.Synced == 0 { // it has never taken anybody's place
		s.renewAgain(l)
	}
	s.releaseCustomer(l.VendorID, l.CRMAccount)
	return s.licensed(l, false)
}

// endLicensesOf revokes the licenses of a tenant that is removed. There is no
// group left to be told; what was agreed stays, for the vendors' bills.
func (s *state) endLicensesOf(id cloudlicenses.TenantID) {
	for _, l := range slices.Clone(s.licenses.byTenant[id]) {
		if l.over() && !l.lags() {
			continue
		}
		s.changeLicense(l, func() {
			if !l.over() {
				l.Status, l.RevokedMillis = cloudlicenses.LicenseRevoked, s.meta.ClockMillis
				s.licenseEvent(cloudlicenses.EventLicenseRevoked, l)
			}
			l.SuspendedMillis, l.Before, l.Fresh = 0, nil, false
			l.Notice, l.Synced = NoticeNowhere, l.Revision
		})
	}
}

// Due returns an EndLicenses to propose where a contract has ended, else nil.
func (m *Machine) Due(nowMillis int64) []byte {
	m.mu.RLock()
	defer m.mu.RUnlock()
	ending := m.state.licenses.ending
	if len(ending) == 0 || ending[0].Terms.EndMillis > max(nowMillis, m.state.meta.ClockMillis) {
		return nil
	}
	command := fsm.Header{Op: OpLicensesEnd, Version: Version}.Append(nil)
	return append(command, encoded(&EndLicenses{Limit: MaxEndings})...)
}

// endLicenses renews or expires what has come to its end. The group needs no
// word of an expiry: it has the dates. Of a renewal it needs the new end; until
// that comes, a license that renews itself stays in force there.
func (s *state) endLicenses(c *EndLicenses) msgp.Marshaler {
	now := s.meta.ClockMillis
	for range min(c.Limit, MaxEndings) {
		ending := s.licenses.ending
		if len(ending) == 0 || ending[0].Terms.EndMillis > now {
			break
		}
		l := ending[0]
		end := l.Terms.EndMillis
		if l.Terms.AutoRenew {
			end = renewed(l.Terms.StartMillis, end, l.TermMonths, l.TermDays, now)
		}
		longer := l.Terms
		if longer.EndMillis = end; s.licenses.holder(l, &longer) != nil {
			end = now // what is in the way has taken its place
		}
		s.changeLicense(l, func() {
			if end <= now {
				l.Status = cloudlicenses.LicenseExpired
				s.licenseEvent(cloudlicenses.EventLicenseExpired, l)
				return
			}
			s.licenseEvent(cloudlicenses.EventLicenseRenewed, l)
			l.Terms.EndMillis = end
			l.revise()
		})
		if l.over() {
			s.releaseCustomer(l.VendorID, l.CRMAccount)
		}
	}
	return Ack{}
}
