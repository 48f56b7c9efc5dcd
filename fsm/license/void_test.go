package license_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// A later try of a request was refused and its client told so; then a seat comes
// free, and the first try turns up. It must not take that seat, after a restart
// neither.
func TestRefusedRetryVoidsWhatIsOnItsWay(t *testing.T) {
	const tenant = cl.TenantID("acme")
	r := newRig(t, fastStore())
	r.apply(
		encode(license.OpTenant, tenant, 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpLicenses, tenant, 1, &license.PutLicenses{Licenses: []license.License{sampleLicense()}}),
		encode(license.OpKey, tenant, 1, &license.PutKey{Key: license.Key{
			ID: "key-1", Hash: keyHash("k1"), Scopes: cl.ScopeCheckout | cl.ScopeReturn, CreatedMillis: epochStart,
		}}),
	)
	checkout := func(c license.Checkout) license.LeaseResult {
		return decodeLease(t, r.apply(encode(license.OpCheckout, tenant, 1, &c))[0])
	}
	ask := license.Checkout{
		Caller: sampleCaller(), VendorID: "vector", ProductID: "cad", User: "alice", Count: 1, TTLMillis: 3600 * second, AllowOverage: true,
	}
	var leases []cl.LeaseID
	for n := uint64(1); ; n++ {
		ask.Intent, ask.Request = serial(n), serial(n)
		got := checkout(ask)
		if got.Code != cl.OK {
			require.Equal(t, cl.OverageMaxExceeded, got.Code)
			break
		}
		leases = append(leases, got.Lease.ID)
	}
	first := ask
	first.Intent, first.Request = serial(1000), serial(1000)
	second := first
	second.Try = 1
	require.Equal(t, cl.OverageMaxExceeded, checkout(second).Code)
	r.apply(encode(license.OpReturn, tenant, 1, &license.Return{Caller: ask.Caller, LeaseID: leases[0]}))
	before := pools(t, r.m)
	require.Equal(t, cl.OutcomeUnknown, checkout(first).Code)
	r.reopen()
	require.Equal(t, cl.OutcomeUnknown, checkout(first).Code)
	require.Equal(t, before, pools(t, r.m))

	other := first
	other.Request = serial(1001) // the client asks again by the same key: decided anew
	require.Equal(t, cl.OK, checkout(other).Code)
	require.True(t, checkout(first).Replayed, "what was granted since is its answer")

	r.now += cl.RequestIDMemory.Milliseconds()
	hash := hashOf(t, r.m)
	r.apply(encode(license.OpLead, "", 0, &license.Lead{Node: "n1"}))
	r.reopen()
	require.NotEqual(t, hash, hashOf(t, r.m), "it is forgotten")
}
