package directory

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// find reads a license; nil: there is none.
func (s *session) find(id cloudlicenses.LicenseID) *License {
	var r LicenseResult
	ask(s.t, s.m, QueryLicense, &GetLicense{ID: id}, &r)
	if r.Code != cloudlicenses.OK {
		return nil
	}
	return &r.License
}

// TestRefusedSuccessorGivesTheRenewalBack: a license whose successor is refused
// renews itself again, unless its vendor has said no or another one follows.
func TestRefusedSuccessorGivesTheRenewalBack(t *testing.T) {
	renews := func(s *session, id cloudlicenses.LicenseID) bool {
		return s.find(id).Terms.AutoRenew
	}
	amend := func(s *session, c *AmendLicense) (r LicenseResult) {
		c.VendorID = "vector-de"
		s.apply(OpLicenseAmend, c, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		return r
	}
	synced := func(s *session, l *License) {
		var r LicenseResult
		s.apply(OpLicenseSynced, &LicenseSynced{ID: l.ID, Revision: l.Revision}, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	}
	begin := func() (*session, cloudlicenses.LicenseID) {
		s, id := agreed(t)
		r := amend(s, &AmendLicense{ID: id, Fields: AmendAutoRenew, Terms: Terms{AutoRenew: true}})
		synced(s, &r.License)
		require.True(t, renews(s, id))
		return s, id
	}
	follow := func(s *session, opportunity, from, to string) *License {
		terms := sampleTerms()
		terms.StartMillis, terms.EndMillis = dayMillisOf(from), dayMillisOf(to)
		var r LicenseResult
		s.apply(OpLicenseGenerate, &GenerateLicense{
			VendorID: "vector-de", OpportunityID: opportunity, ProductID: "davinci", CRMAccount: "ACC-1", Company: "C", TenantID: "mercedes",
			Terms: terms, AutoProvision: true,
		}, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		return &r.License
	}
	refuse := func(s *session, l *License) {
		s.apply(OpLicenseFailed, &LicenseFailed{ID: l.ID, Revision: l.Revision}, &Ack{})
	}

	s, id := begin()
	next := follow(s, "SF-2", "2026-01-01", "2027-01-01")
	require.False(t, renews(s, id), "the next one takes its place")
	revision := s.find(id).Revision
	refuse(s, next)
	require.Nil(t, s.find(next.ID))
	require.True(t, renews(s, id))
	require.Equal(t, revision+1, s.find(id).Revision, "its group is to know")

	s, id = begin() // its vendor says no meanwhile
	next = follow(s, "SF-2", "2026-01-01", "2027-01-01")
	amend(s, &AmendLicense{ID: id, Fields: AmendAutoRenew})
	refuse(s, next)
	require.False(t, renews(s, id))

	s, id = begin() // another one follows
	follow(s, "SF-3", "2027-01-01", "2028-01-01")
	next = follow(s, "SF-2", "2026-01-01", "2027-01-01")
	refuse(s, next)
	require.False(t, renews(s, id))

	s, id = begin() // taken: it stays off, whatever is refused later
	next = follow(s, "SF-2", "2026-01-01", "2027-01-01")
	synced(s, next)
	more := amend(s, &AmendLicense{ID: next.ID, Fields: AmendTotal, Terms: Terms{Total: 12}})
	refuse(s, &more.License)
	require.False(t, renews(s, id))
}

// TestRefusedDatesGiveTheRenewalBack: so does an amendment that had made a license
// a successor; and what is taken back does not renew where another one follows.
func TestRefusedDatesGiveTheRenewalBack(t *testing.T) {
	s, id := agreed(t)
	apply := func(op fsm.Op, payload msgp.Marshaler) *License {
		var r LicenseResult
		s.apply(op, payload, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		return &r.License
	}
	synced := func(l *License) { apply(OpLicenseSynced, &LicenseSynced{ID: l.ID, Revision: l.Revision}) }
	terms := sampleTerms()
	terms.StartMillis, terms.EndMillis, terms.AutoRenew = dayMillisOf("2025-07-01"), dayMillisOf("2026-01-01"), false
	apply(OpLicenseStatus, &SetLicenseStatus{VendorID: "vector-de", ID: id, Status: cloudlicenses.LicenseRevoked}) // in the way of the others
	generate := &GenerateLicense{
		VendorID: "vector-de", OpportunityID: "SF-2", ProductID: "davinci", CRMAccount: "ACC-1", Company: "C", TenantID: "mercedes", Terms: terms, AutoProvision: true,
	}
	later := apply(OpLicenseGenerate, generate)
	synced(later)
	generate.OpportunityID = "SF-3"
	generate.Terms.StartMillis, generate.Terms.EndMillis, generate.Terms.AutoRenew = dayMillisOf("2026-01-01"), dayMillisOf("2026-02-01"), true
	first := apply(OpLicenseGenerate, generate)
	synced(first)
	require.True(t, s.find(first.ID).Terms.AutoRenew)

	moved := apply(OpLicenseAmend, &AmendLicense{VendorID: "vector-de", ID: later.ID, Fields: AmendStart | AmendEnd, Terms: Terms{
		StartMillis: dayMillisOf("2026-06-01"), EndMillis: dayMillisOf("2027-01-01"),
	}})
	require.False(t, s.find(first.ID).Terms.AutoRenew, "it follows now")
	s.apply(OpLicenseFailed, &LicenseFailed{ID: later.ID, Revision: moved.Revision}, &Ack{})
	require.True(t, s.find(first.ID).Terms.AutoRenew)
	require.Equal(t, dayMillisOf("2025-07-01"), s.find(later.ID).Terms.StartMillis)

	// The amendment of one that is followed meanwhile.
	synced(s.find(first.ID))
	amended := apply(OpLicenseAmend, &AmendLicense{VendorID: "vector-de", ID: first.ID, Fields: AmendTotal, Terms: Terms{Total: 12}})
	generate.OpportunityID, generate.Terms.AutoRenew = "SF-4", false
	generate.Terms.StartMillis, generate.Terms.EndMillis = dayMillisOf("2026-02-01"), dayMillisOf("2026-03-01")
	apply(OpLicenseGenerate, generate)
	s.apply(OpLicenseFailed, &LicenseFailed{ID: first.ID, Revision: amended.Revision}, &Ack{})
	require.EqualValues(t, sampleTerms().Total, s.find(first.ID).Terms.Total)
	require.False(t, s.find(first.ID).Terms.AutoRenew)
}

// TestSuccessorThatDoesNotCome: a license renews itself again also when its
// successor, generated only, is refused later or revoked; and one that is provisioned
// after all takes its place, while there is room for it.
func TestSuccessorThatDoesNotCome(t *testing.T) {
	var s *session
	apply := func(op fsm.Op, payload msgp.Marshaler) *License {
		t.Helper()
		var r LicenseResult
		s.apply(op, payload, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		return &r.License
	}
	synced := func(l *License) { apply(OpLicenseSynced, &LicenseSynced{ID: l.ID, Revision: l.Revision}) }
	provision := func(l *License) *License {
		return apply(OpLicenseProvision, &ProvisionLicense{VendorID: "vector-de", ID: l.ID, CRMAccount: "ACC-1"})
	}
	refuse := func(l *License, code cloudlicenses.Code) {
		s.apply(OpLicenseFailed, &LicenseFailed{ID: l.ID, Revision: l.Revision, Code: code}, &Ack{})
	}
	terms := sampleTerms()
	terms.StartMillis, terms.EndMillis, terms.AutoRenew = dayMillisOf("2026-01-01"), dayMillisOf("2026-02-01"), false
	begin := func() (first, next *License) {
		var id cloudlicenses.LicenseID
		s, id = agreed(t)
		synced(apply(OpLicenseAmend, &AmendLicense{VendorID: "vector-de", ID: id, Fields: AmendAutoRenew, Terms: Terms{AutoRenew: true}}))
		next = apply(OpLicenseGenerate, &GenerateLicense{
			VendorID: "vector-de", OpportunityID: "SF-2", ProductID: "davinci", CRMAccount: "ACC-1", Company: "C", TenantID: "mercedes", Terms: terms,
		})
		require.False(t, s.find(id).Terms.AutoRenew)
		return s.find(id), next
	}
	renews := func(l *License) bool { return s.find(l.ID).Terms.AutoRenew }

	first, next := begin() // refused, then revoked: given back once
	refuse(provision(next), cloudlicenses.AlreadyExists)
	require.True(t, renews(first))
	revision := s.find(first.ID).Revision
	apply(OpLicenseStatus, &SetLicenseStatus{VendorID: "vector-de", ID: next.ID, Status: cloudlicenses.LicenseRevoked})
	require.Equal(t, revision, s.find(first.ID).Revision)

	first, next = begin() // it fits when the plan has grown
	refuse(provision(next), cloudlicenses.PlanLimitExceeded)
	require.True(t, renews(first))
	life := func(op fsm.Op, payload msgp.Marshaler) {
		var r LifeResult
		s.apply(op, payload, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	}
	life(OpChangeTenant, &ChangeTenant{ID: "mercedes", Plan: cloudlicenses.PlanStartup})
	life(OpTenantSettled, &TenantSettled{ID: "mercedes", Revision: 1})
	require.EqualValues(t, 2, s.find(next.ID).Revision, "it is tried again")
	require.False(t, renews(first))
	refuse(s.find(next.ID), cloudlicenses.PlanLimitExceeded)
	require.True(t, renews(first))

	s.stamp = terms.StartMillis + millisPerDay // the first one renews itself over it
	s.apply(OpLicensesEnd, &EndLicenses{Limit: 10}, &Ack{})
	require.Equal(t, dayMillisOf("2027-01-01"), s.find(first.ID).Terms.EndMillis)
	var r LicenseResult
	s.apply(OpLicenseProvision, &ProvisionLicense{VendorID: "vector-de", ID: next.ID, CRMAccount: "ACC-1"}, &r)
	require.Equal(t, cloudlicenses.AlreadyExists, r.Code)
	require.Equal(t, first.ID, r.Other)
	apply(OpLicenseAmend, &AmendLicense{VendorID: "vector-de", ID: first.ID, Fields: AmendTotal, Terms: Terms{Total: 12}})

	first, next = begin() // revoked, whether it was on its way or not
	apply(OpLicenseStatus, &SetLicenseStatus{VendorID: "vector-de", ID: next.ID, Status: cloudlicenses.LicenseRevoked})
	require.True(t, renews(first))
	first, next = begin()
	provision(next)
	apply(OpLicenseStatus, &SetLicenseStatus{VendorID: "vector-de", ID: next.ID, Status: cloudlicenses.LicenseRevoked})
	require.True(t, renews(first))
	first, next = begin() // but not once it was there
	synced(provision(next))
	apply(OpLicenseStatus, &SetLicenseStatus{VendorID: "vector-de", ID: next.ID, Status: cloudlicenses.LicenseRevoked})
	require.False(t, renews(first))
}

// TestRefusedAmendmentLeavesNoTrace: nor does it keep a license from renewing itself
// when its successor is refused.
func TestRefusedAmendmentLeavesNoTrace(t *testing.T) {
	for _, refused := range []bool{true, false} {
		s, id := agreed(t)
		var r LicenseResult
		s.apply(OpLicenseAmend, &AmendLicense{VendorID: "vector-de", ID: id, Fields: AmendAutoRenew, Terms: Terms{AutoRenew: true}}, &r)
		s.apply(OpLicenseSynced, &LicenseSynced{ID: id, Revision: r.License.Revision}, &r)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
		terms := sampleTerms()
		terms.StartMillis, terms.EndMillis = dayMillisOf("2026-01-01"), dayMillisOf("2026-02-01")
		var next LicenseResult
		s.apply(OpLicenseGenerate, &GenerateLicense{
			VendorID: "vector-de", OpportunityID: "SF-2", ProductID: "davinci", CRMAccount: "ACC-1", Company: "C", TenantID: "mercedes",
			Terms: terms, AutoProvision: true,
		}, &next)
		require.Equal(t, cloudlicenses.OK, next.Code, next.Detail)
		amend := &AmendLicense{VendorID: "vector-de", ID: id, Fields: AmendAutoRenew | AmendTotal, Terms: Terms{Total: 12}}
		if refused {
			amend.Terms.Total = 1 << 40
		}
		s.apply(OpLicenseAmend, amend, &r)
		require.Equal(t, refused, r.Code == cloudlicenses.InvalidEntitlement, r.Detail)
		s.apply(OpLicenseFailed, &LicenseFailed{ID: next.License.ID, Revision: next.License.Revision, Code: cloudlicenses.AlreadyExists}, &Ack{})
		require.Nil(t, s.find(next.License.ID))
		require.Equal(t, refused, s.find(id).Terms.AutoRenew)
	}
}
