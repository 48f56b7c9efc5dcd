package license_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// BenchmarkYear reads a year of a license by day, and three months of
// hours as a heat map: an operation is one license. Each was used in every hour.
func BenchmarkYear(b *testing.B) {
	m, err := license.Open(license.Config{Dir: b.TempDir(), Store: fsm.Options{}, Group: 1})
	require.NoError(b, err)
	defer func() { require.NoError(b, m.Close()) }()
	const licensed, days = 50, 365
	key := license.Key{ID: "key-1", Hash: keyHash("bench"), Scopes: cl.ScopeCheckout | cl.ScopeReturn}
	put := license.PutLicenses{}
	for i := range licensed {
		id := fmt.Sprintf("lic-%04d", i)
		put.Licenses = append(put.Licenses, license.License{
			ID: cl.LicenseID(id), VendorID: "vector", ProductID: cl.ProductID(id), Total: 1000, CommitQty: 1000, Currency: "EUR", Status: cl.LicenseProvisioned,
		})
	}
	_, err = m.Apply(1, epochStart, [][]byte{
		encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpLicenses, "acme", 1, &put),
		encode(license.OpKey, "acme", 1, &license.PutKey{By: platform, Key: key}),
	}, false)
	require.NoError(b, err)
	caller := license.Caller{KeyHash: key.Hash}
	commands := make([][]byte, 0, licensed)
	for i := range licensed { // held for a year, and touched once more at its end
		commands = append(commands, encode(license.OpCheckout, "acme", 1, &license.Checkout{
			Caller: caller, ProductID: put.Licenses[i].ProductID, User: "alice@example.com", Count: 1, TTLMillis: 86_400_000, Intent: [16]byte{1, byte(i), byte(i >> 8)},
		}))
	}
	_, err = m.Apply(2, epochStart, commands, false)
	require.NoError(b, err)
	index, now := uint64(2), epochStart
	for range days {
		now += 24 * hour
		index++
		for i := range commands {
			commands[i] = encode(license.OpHeartbeat, "acme", 1, &license.Heartbeat{Caller: caller, LeaseID: cl.LeaseID(i + 1)})
		}
		_, err = m.Apply(index, now-hour, commands, false)
		require.NoError(b, err)
	}
	for i := range commands {
		commands[i] = encode(license.OpReturn, "acme", 1, &license.Return{Caller: caller, LeaseID: cl.LeaseID(i + 1)})
	}
	_, err = m.Apply(index+1, now, commands, false)
	require.NoError(b, err)

	today := uint32(now / (24 * hour))
	b.Run("days", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			var page license.Series
			ask(b, m, "acme", license.QuerySeries, &license.GetSeries{LicenseID: put.Licenses[i%licensed].ID, Grain: license.ByDay, From: today - 364, To: today + 1}, &page)
			require.Len(b, page.Points, days)
		}
	})
	b.Run("heatmap", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			var sum license.Heatmap
			ask(b, m, "acme", license.QueryHeatmap, &license.SumHeatmap{LicenseID: put.Licenses[i%licensed].ID, From: (today - 91) * 24, To: (today + 1) * 24}, &sum)
			require.Len(b, sum.Cells, 168)
		}
	})
}
