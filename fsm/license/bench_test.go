package license_test

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// BenchmarkApply measures checkouts and returns through Apply alone, with
// audit, usage, idempotency and the write-behind to a real disk: entries of
// 128 checkouts, each followed by one that returns them. An operation is one
// command. commands/cpu-s counts the processor time of the whole process, with
// Pebble's flushes and compactions and the making of the commands, and so
// means something on a busy machine too.
func BenchmarkApply(b *testing.B) {
	m, err := license.Open(license.Config{Dir: b.TempDir(), Store: fsm.Options{}, Group: 1})
	require.NoError(b, err)
	defer func() { require.NoError(b, m.Close()) }()
	const pools, perEntry = 64, 128
	licenses := license.PutLicenses{}
	for i := range pools {
		product := cl.ProductID("cad-" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
		licenses.Licenses = append(licenses.Licenses, license.License{
			ID: "lic-" + cl.LicenseID(product), VendorID: "vector", ProductID: product, Total: 1000, CommitQty: 1000, MaxOverage: 0,
			Currency: "EUR", Status: cl.LicenseProvisioned,
		})
	}
	key := license.Key{ID: "key-1", Hash: keyHash("bench"), Scopes: cl.ScopeCheckout | cl.ScopeReturn}
	_, err = m.Apply(1, epochStart, [][]byte{
		encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}),
		encode(license.OpLicenses, "acme", 1, &licenses),
		encode(license.OpKey, "acme", 1, &license.PutKey{By: platform, Key: key}),
	}, true)
	require.NoError(b, err)

	caller := license.Caller{KeyHash: key.Hash, Hostname: "workstation-17", Address: "10.1.2.3", LibVersion: "go/1.0"}
	checkouts, returns := make([][]byte, perEntry), make([][]byte, perEntry)
	index, lease := uint64(1), uint64(0)
	b.ReportAllocs()
	began := cpuSeconds(b)
	for done := 0; b.Loop(); done++ {
		if done%(2*perEntry) != 0 {
			continue
		}
		b.StopTimer()
		for i := range perEntry {
			lease++
			checkout := license.Checkout{
				Caller: caller, ProductID: licenses.Licenses[lease%pools].ProductID, User: "alice@example.com", Count: 1, TTLMillis: 300_000, AllowOverage: true,
			}
			binary.BigEndian.PutUint64(checkout.Intent[:], lease)
			checkouts[i] = encode(license.OpCheckout, "acme", 1, &checkout)
			returns[i] = encode(license.OpReturn, "acme", 1, &license.Return{Caller: caller, LeaseID: cl.LeaseID(lease)})
		}
		b.StartTimer()
		for _, commands := range [][][]byte{checkouts, returns} {
			index++
			results, err := m.Apply(index, epochStart+int64(index), commands, true)
			if err != nil || len(results) != perEntry {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
	b.ReportMetric(float64(b.N)/(cpuSeconds(b)-began), "commands/cpu-s")
}

// cpuSeconds is the processor time that the process has taken.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
