package license_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestHoursAreForgotten: what happened in an hour is known for HourSeriesKept, by
// day for good, and a restart changes neither.
func TestHoursAreForgotten(t *testing.T) {
	r := newRig(t, fastStore())
	key := license.Key{ID: "key-1", Hash: keyHash("k"), Scopes: cl.ScopeCheckout | cl.ScopeReturn}
	caller := license.Caller{KeyHash: key.Hash}
	r.apply(
		encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpLicenses, "acme", 1, &license.PutLicenses{Licenses: []license.License{{
			ID: "lic-1", VendorID: "vector", ProductID: "cad", Total: 1, CommitQty: 1, Currency: "EUR", Status: cl.LicenseProvisioned, StartMillis: epochStart,
		}}}),
		encode(license.OpKey, "acme", 1, &license.PutKey{By: platform, Key: key}))
	lease := cl.LeaseID(0)
	use := func(at int64) {
		lease++
		r.now = at
		r.apply(
			encode(license.OpCheckout, "acme", 1, &license.Checkout{Caller: caller, ProductID: "cad", User: "u", Count: 1, TTLMillis: 60_000, Intent: [16]byte{byte(lease)}}),
			encode(license.OpReturn, "acme", 1, &license.Return{Caller: caller, LeaseID: lease}))
	}
	periods := func(grain uint8, at int64) int {
		first := license.PeriodOf(grain, time.UnixMilli(epochStart))
		var page license.Series
		ask(t, r.m, "acme", license.QuerySeries, &license.GetSeries{LicenseID: "lic-1", Grain: grain, From: first, To: first + 5}, &page)
		require.Equal(t, cl.OK, page.Code)
		return len(page.Points)
	}
	kept := cl.HourSeriesKept.Milliseconds()
	use(epochStart)
	use(epochStart + hour)
	for _, step := range []struct {
		at   int64
		left int // of the two hours
	}{{epochStart + kept - hour, 2}, {epochStart + kept, 2}, {epochStart + kept + hour, 1}, {epochStart + kept + 24*hour, 0}} {
		use(step.at)
		require.Equal(t, step.left, periods(license.ByHour, step.at), "after %d hours", (step.at-epochStart)/hour)
		r.reopen()
		require.Equal(t, step.left, periods(license.ByHour, step.at), "after a restart")
		require.Equal(t, 1, periods(license.ByDay, step.at))
	}
}
