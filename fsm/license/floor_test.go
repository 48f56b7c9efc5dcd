package license_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestFloor: the catalog's lowest library decides, whichever came first, it or the
// license; an older word of the catalog changes nothing, and a restart neither.
func TestFloor(t *testing.T) {
	r := newRig(t, fastStore())
	key := license.Key{ID: "key-1", Hash: keyHash("k"), Scopes: cl.ScopeCheckout | cl.ScopeReturn}
	put := func(id cl.LicenseID, vendor cl.VendorID, product cl.ProductID) []byte {
		return encode(license.OpLicenses, "acme", 1, &license.PutLicenses{Licenses: []license.License{{
			ID: id, VendorID: vendor, ProductID: product, Total: 100, CommitQty: 100, Currency: "EUR", Status: cl.LicenseProvisioned,
		}}})
	}
	floor := func(lowest string, at int64) []byte {
		return encode(license.OpSetFloor, "acme", 1, &license.Floor{VendorID: "vector", ProductID: "cad", MinLibVersion: lowest, AtMillis: at})
	}
	intent := byte(0)
	outcome := func(vendor cl.VendorID, library string) cl.Code {
		intent++
		results := r.apply(encode(license.OpCheckout, "acme", 1, &license.Checkout{
			Caller: license.Caller{KeyHash: key.Hash, LibVersion: library}, VendorID: vendor, ProductID: "cad", User: "u", Count: 1, TTLMillis: 60_000, Intent: [16]byte{intent},
		}))
		return decodeLease(t, results[0]).Code
	}
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}), encode(license.OpKey, "acme", 1, &license.PutKey{By: platform, Key: key}))
	r.apply(floor("1.2.0", 10), put("lic-1", "vector", "cad"), put("lic-2", "other", "cad"))
	for range 2 {
		require.Equal(t, cl.VersionNotAllowed, outcome("vector", ""))
		require.Equal(t, cl.VersionNotAllowed, outcome("vector", "go/1.9"))
		require.Equal(t, cl.VersionNotAllowed, outcome("vector", "1.2.0-rc.1"))
		require.Equal(t, cl.VersionNotAllowed, outcome("vector", "1.1.9"))
		require.Equal(t, cl.OK, outcome("vector", "1.2.0"))
		require.Equal(t, cl.OK, outcome("vector", "v2"))
		require.Equal(t, cl.OK, outcome("other", ""), "another vendor's product of the same id")
		r.reopen()
	}
	r.apply(floor("3.0.0", 9))
	require.Equal(t, cl.OK, outcome("vector", "1.2.0"), "that was older")
	r.apply(floor("3.0.0", 11))
	require.Equal(t, cl.VersionNotAllowed, outcome("vector", "2.9.9"))
	r.apply(floor("", 12))
	require.Equal(t, cl.OK, outcome("vector", ""))
	r.reopen()
	require.Equal(t, cl.OK, outcome("vector", ""))
	ack := decodeAck(t, r.apply(floor("new", 13))[0])
	require.Equal(t, cl.InvalidField, ack.Code)
}
