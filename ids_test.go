package cloudlicenses_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
)

func TestParseLeaseID(t *testing.T) {
	for _, id := range []cl.LeaseID{1, 9, 10, 1 << 40, math.MaxUint64} {
		again, err := cl.ParseLeaseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
	for _, s := range []string{
		"", "lease", "lease-", "lease-0", "lease-01", "lease-+1", "lease--1", "lease- 1", "lease-1 ",
		"Lease-1", "lease-1a", "lease-0x1", "lease-1_000", "lease-18446744073709551616", "1", "lease-lease-1",
	} {
		id, err := cl.ParseLeaseID(s)
		require.ErrorIs(t, err, cl.ErrLeaseID, "%q", s)
		require.Zero(t, id)
	}
}

// FuzzParseLeaseID: an accepted text is the one name of its lease.
func FuzzParseLeaseID(f *testing.F) {
	for _, s := range []string{"lease-1", "lease-18446744073709551615", "lease-0", "lease-+1", "lease-1_0", "lease-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := cl.ParseLeaseID(s)
		if err != nil {
			require.Zero(t, id)
			return
		}
		require.NotZero(t, id)
		require.Equal(t, s, id.String())
	})
}

func TestTenantID(t *testing.T) {
	for _, id := range []cl.TenantID{"a", "mercedes", "bmw-group", "a1", cl.TenantID(strings.Repeat("a", 50))} {
		require.NoError(t, id.Validate(), "%q", id)
	}
	for _, id := range []cl.TenantID{
		"", "-a", "a-", "1a", "A", "a_b", "a.b", "a--b", "xn--bcher-kva", "ä", "vendors", "www", "admin", "localhost",
		cl.TenantID(strings.Repeat("a", 51)), "a b", "a\x00",
	} {
		require.ErrorIs(t, id.Validate(), cl.ErrTenantID, "%q", id)
	}
	require.EqualError(t, cl.TenantID("www").Validate(), "www is reserved")
}

// TestVendorOfAccount: a tenant's id names no vendor, however it is used.
func TestVendorOfAccount(t *testing.T) {
	if id, ok := cl.VendorID("vector-de").Account().Vendor(); !ok || id != "vector-de" {
		t.Errorf("%q, %t", id, ok)
	}
	for _, tenant := range []cl.TenantID{"mercedes", "", "@", "@a b", "x@vector-de"} {
		if id, ok := tenant.Vendor(); ok || id != "" {
			t.Errorf("%q is the account of vendor %q, %t", tenant, id, ok)
		}
	}
}

func TestValidateID(t *testing.T) {
	for _, s := range []string{"vector-de", "davinci-configurator-se", "lic-vector-mercedes-2025-001", "A", "9", "a.b_c:d", strings.Repeat("a", cl.MaxIDLength)} {
		require.NoError(t, cl.ValidateID(s), "%q", s)
	}
	for _, s := range []string{"", ".a", "-a", "_a", ":a", "a b", "a/b", "a\x00", "ä", strings.Repeat("a", cl.MaxIDLength+1)} {
		require.ErrorIs(t, cl.ValidateID(s), cl.ErrID, "%q", s)
	}
}

// FuzzIDs: whatever passes as an id is safe as a host label, path segment and
// key of a store.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"mercedes", "a--b", "vendors", "a.b_c:d", "..", "%2f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if cl.TenantID(s).Validate() == nil {
			require.NoError(t, cl.ValidateID(s), "a tenant id is an id")
			require.LessOrEqual(t, len(s), 50)
			require.Equal(t, strings.ToLower(s), s)
		}
		if cl.ValidateID(s) == nil {
			require.LessOrEqual(t, len(s), cl.MaxIDLength)
			require.False(t, strings.ContainsAny(s, "/\\%?# \x00\n\""))
			require.NotEqual(t, "..", s)
		}
	})
}

func TestScopes(t *testing.T) {
	all := cl.ScopeCheckout | cl.ScopeReturn
	require.Equal(t, []string{"license:checkout", "license:return"}, all.Names())
	for _, name := range all.Names() {
		s, ok := cl.ParseScope(name)
		require.True(t, ok)
		require.True(t, all.Has(s))
		require.Equal(t, []string{name}, s.Names())
	}
	_, ok := cl.ParseScope("license:everything")
	require.False(t, ok)
	require.False(t, cl.ScopeReturn.Has(all))
}
