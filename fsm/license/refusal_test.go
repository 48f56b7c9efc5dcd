package license_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// refusals provisions to a tenant whose plan can be changed.
type refusals struct {
	*rig
	revision uint64 // of the plan
}

func newRefusals(t *testing.T) *refusals {
	r := &refusals{rig: newRig(t, fastStore())}
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1, Plan: cl.PlanFree}))
	return r
}

func (r *refusals) plan(plan cl.Plan) {
	r.revision++
	r.apply(encode(license.OpTerms, "acme", 1, &license.SetTerms{Revision: r.revision, Plan: plan, Status: cl.TenantActive, Actor: "operator"}))
}

// provision returns what is said of a revision with so many seats.
func (r *refusals) provision(id cl.LicenseID, revision uint64, seats int64) license.Ack {
	l := sampleLicense()
	l.ID, l.ProductID, l.Revision, l.EndMillis = id, cl.ProductID(id), revision, 0
	l.Total, l.CommitQty, l.MaxOverage = seats, seats, 0
	return decodeAck(r.t, r.apply(encode(license.OpProvision, "acme", 1, &license.Provision{License: l}))[0])
}

// TestRefusedRevisionStaysRefused: the same Ack is said of a refused revision,
// whatever fits since and after a restart; the next one is judged anew.
func TestRefusedRevisionStaysRefused(t *testing.T) {
	r := newRefusals(t)
	refused := r.provision("lic-1", 2, 11)
	require.Equal(t, cl.PlanLimitExceeded, refused.Code)
	r.plan(cl.PlanEnterprise)
	require.Equal(t, refused, r.provision("lic-1", 2, 11))
	r.reopen()
	require.Equal(t, refused, r.provision("lic-1", 2, 11))
	require.Equal(t, refused, r.provision("lic-1", 1, 1), "what came before it")
	require.Equal(t, cl.OK, r.provision("lic-1", 3, 11).Code)

	// An amendment.
	require.Equal(t, cl.InvalidEntitlement, r.provision("lic-1", 5, -1).Code)
	require.Equal(t, cl.InvalidEntitlement, r.provision("lic-1", 5, 12).Code)
	require.Equal(t, cl.OK, r.provision("lic-1", 4, 12).Code, "the group has not refused it")
	require.Equal(t, cl.OK, r.provision("lic-1", 6, 12).Code)
	require.Equal(t, cl.InvalidEntitlement, r.provision("lic-1", 5, 12).Code, "said late")
}

// TestRefusalsAreForgotten: after a day, and of very many the oldest.
func TestRefusalsAreForgotten(t *testing.T) {
	r := newRefusals(t)
	for i := range cl.MaxRefusedRevisions + 1 {
		require.Equal(t, cl.PlanLimitExceeded, r.provision(cl.LicenseID(fmt.Sprintf("lic-%d", i)), 1, 11).Code)
	}
	r.plan(cl.PlanEnterprise)
	require.Equal(t, cl.OK, r.provision("lic-0", 1, 11).Code)
	require.Equal(t, cl.PlanLimitExceeded, r.provision("lic-1", 1, 11).Code)

	r.now += int64(cl.RefusedRevisionMemory / time.Millisecond)
	require.Equal(t, cl.InvalidEntitlement, r.provision("lic-last", 1, -1).Code)
	require.Equal(t, cl.OK, r.provision("lic-1", 1, 11).Code)
}
