package license_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestIntendedNotes: what is about to be done elsewhere comes into the audit log
// once: as done, or after a minute as something whose outcome nobody knows; what was
// refused does not. The machine restarts after every command.
func TestIntendedNotes(t *testing.T) {
	r := newRig(t, fastStore())
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}))
	do := func(op fsm.Op, body msgp.Marshaler) cl.Code {
		ack := decodeAck(t, r.apply(encode(op, "acme", 1, body))[0])
		r.reopen()
		return ack.Code
	}
	note := func(id uint64, action string, lic cl.LicenseID) *license.Note {
		return &license.Note{By: license.By{Platform: true, Address: "10.0.0.1"}, Action: action, LicenseID: lic, ID: serial(id)}
	}
	log := func() (all []string) {
		var page license.AuditPage
		ask(t, r.m, "acme", license.QueryAudit, &license.ListAudit{Limit: 100}, &page)
		for _, a := range page.Items {
			require.Equal(t, "10.0.0.1", a.Address)
			require.NotEmpty(t, a.Actor)
			all = append(all, a.Action+" "+string(a.LicenseID)+" "+a.Result)
		}
		var proof license.AuditProof
		ask(t, r.m, "acme", license.QueryVerify, &license.VerifyAudit{}, &proof)
		require.True(t, proof.Valid)
		return all
	}
	require.Equal(t, cl.Unauthenticated, do(license.OpIntend, &license.Note{Action: "x", ID: serial(1)}))
	require.Equal(t, cl.InvalidField, do(license.OpIntend, &license.Note{By: license.By{Platform: true}, Action: "x"}))
	for range 2 { // each said twice
		require.Equal(t, cl.OK, do(license.OpIntend, note(1, "license.generate", "")))
	}
	require.Equal(t, cl.OK, do(license.OpIntend, note(2, "license.amend", "lic-2")))
	require.Equal(t, cl.OK, do(license.OpIntend, note(3, "license.revoke", "lic-3")))
	require.Empty(t, log())
	for range 2 {
		require.Equal(t, cl.OK, do(license.OpNote, note(1, "license.generate", "lic-1")))
		require.Equal(t, cl.OK, do(license.OpDropNote, &license.DropNote{ID: serial(2)}))
	}
	require.Equal(t, []string{"license.generate lic-1 success"}, log())

	begun := r.now
	r.now += minute - 1
	require.Equal(t, cl.OK, do(license.OpDropNote, &license.DropNote{ID: serial(9)}))
	require.Len(t, log(), 1)
	require.Nil(t, r.m.Due(r.now))
	r.now += minute
	due := r.m.Due(r.now)
	require.NotNil(t, due, "nobody else has to come by")
	r.apply(due)
	r.reopen()
	require.Nil(t, r.m.Due(r.now))
	for _, newest := range []bool{false, true} { // under the time that it was begun at, and found by its cursor
		var page license.AuditPage
		ask(t, r.m, "acme", license.QueryAudit, &license.ListAudit{Limit: 1, Newest: newest}, &page)
		first := page.Items[0]
		ask(t, r.m, "acme", license.QueryAudit, &license.ListAudit{Limit: 1, Newest: newest, Cursor: page.Next}, &page)
		if newest {
			page.Items[0] = first
		}
		require.Equal(t, string(cl.OutcomeUnknown), page.Items[0].Result)
		require.Equal(t, begun, page.Items[0].AtMillis)
		require.Empty(t, page.Next)
	}
	require.Equal(t, cl.OK, do(license.OpDropNote, &license.DropNote{ID: serial(3)}), "too late")
	require.Equal(t, cl.OK, do(license.OpNote, note(3, "license.revoke", "lic-3")))
	require.Equal(t, []string{"license.generate lic-1 success", "license.revoke lic-3 outcome_unknown"}, log())
}
