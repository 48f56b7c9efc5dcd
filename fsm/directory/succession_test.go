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
