package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// healthyReplica is a tenant with one pool of 1+1 seats: alice holds the
// commit seat, bob had the overage seat and returned it, carol got an answer
// from nobody and holds it now.
func healthyReplica() (*tenant, []grant, *replicaView) {
	t := &tenant{id: "acme", entitlement: entitlement{1, 1}}
	p := &pool{tenant: t, license: "lic", entitlement: t.entitlement}
	p.suspect(doubt{request: request{Kind: opCheckout, User: "carol", Count: 1}})
	t.pools = []*pool{p}
	grants := []grant{{"acme", "lic", "alice", "lease-1", 1, 0}, {"acme", "lic", "bob", "lease-2", 1, 1}}
	v := &replicaView{
		licenses: map[string]licenseRow{"lic": {LicenseID: "lic", TotalLicenses: 2, InUse: 2, CommitInUse: 1, OverageInUse: 1}},
		leases: map[string]leaseRow{
			"lease-1": {LeaseID: "lease-1", LicenseID: "lic", Count: 1},
			"lease-3": {LeaseID: "lease-3", LicenseID: "lic", Count: 1, OverageCount: 1},
		},
		usage:   map[string]usageRow{"lic": {LicenseID: "lic", OverageUses: 2}},
		overage: []overageRow{{"lic", "lease-2", 1}, {"lic", "lease-3", 1}},
		audit: []auditRecord{
			{Action: "checkout", Result: "success", LicenseID: "lic", LeaseID: "lease-1", User: "alice", Count: 1},
			{Action: "checkout", Result: "success", LicenseID: "lic", LeaseID: "lease-2", User: "bob", Count: 1, OverageCount: 1},
			{Action: "checkout", Result: "overage_max_exceeded", LicenseID: "lic", User: "dave", Count: 1},
			{Action: "return", Result: "success", LicenseID: "lic", LeaseID: "lease-2", User: "bob", Count: 1, OverageCount: 1},
			{Action: "checkout", Result: "success", LicenseID: "lic", LeaseID: "lease-3", User: "carol", Count: 1, OverageCount: 1},
		},
		proof: proof{Valid: true, Records: 5, Head: "h"},
	}
	return t, grants, v
}

// TestJudge breaks a healthy replica in one way at a time.
func TestJudge(t *testing.T) {
	cases := []struct {
		name   string
		damage func(*tenant, *replicaView)
		want   []flaw
	}{
		{"healthy", func(*tenant, *replicaView) {}, nil},
		{"grant gone from the log", func(_ *tenant, v *replicaView) { v.audit = v.audit[1:] }, []flaw{flawLost}},
		{"lease vanished", func(_ *tenant, v *replicaView) {
			delete(v.leases, "lease-1")
			v.licenses["lic"] = licenseRow{LicenseID: "lic", TotalLicenses: 2, InUse: 1, OverageInUse: 1, AvailableSeats: 1}
		}, []flaw{flawLost}},
		{"lease came back", func(_ *tenant, v *replicaView) {
			v.leases["lease-2"] = leaseRow{LeaseID: "lease-2", LicenseID: "lic", Count: 1, OverageCount: 1}
		}, []flaw{flawLost, flawOver}},
		{"counter off", func(_ *tenant, v *replicaView) { v.licenses["lic"] = licenseRow{LicenseID: "lic", InUse: 1} }, []flaw{flawOver}},
		{"charged twice", func(_ *tenant, v *replicaView) {
			v.overage = append(v.overage, v.overage[0])
		}, []flaw{flawCharge, flawDoubled}},
		{"charge lost", func(_ *tenant, v *replicaView) { v.overage = v.overage[:1] }, []flaw{flawCharge}},
		{"usage miscounted", func(_ *tenant, v *replicaView) { v.usage["lic"] = usageRow{OverageUses: 3} }, []flaw{flawCharge}},
		{"charge without a grant", func(_ *tenant, v *replicaView) {
			v.overage = append(v.overage, overageRow{"lic", "lease-9", 1})
			v.usage["lic"] = usageRow{OverageUses: 3}
		}, []flaw{flawCharge}},
		{"one intent, two leases", func(_ *tenant, v *replicaView) {
			v.audit = append(v.audit, auditRecord{Action: "checkout", Result: "success", LicenseID: "lic", LeaseID: "lease-4", User: "alice", Count: 1})
		}, []flaw{flawDoubled, flawLost}},
		{"refused and granted", func(_ *tenant, v *replicaView) {
			v.audit = append(v.audit, auditRecord{Action: "checkout", Result: "success", LicenseID: "lic", LeaseID: "lease-4", User: "dave", Count: 1})
		}, []flaw{flawDoubled}},
		{"told that nothing happened", func(tn *tenant, _ *replicaView) { tn.pools[0].doubts[0].denied = true }, []flaw{flawPromise}},
		{"broken chain", func(_ *tenant, v *replicaView) { v.proof.Valid = false }, []flaw{flawChain}},
		{"license gone", func(_ *tenant, v *replicaView) { delete(v.licenses, "lic") }, []flaw{flawLost}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tn, grants, v := healthyReplica()
			c.damage(tn, v)
			found := newFindings()
			found.quiet = true
			late := newJudge(found, tn, grants).look("n1", v)
			require.Contains(t, late, "carol")
			kinds := map[flaw]bool{}
			for _, f := range found.list() {
				kinds[f.Flaw] = true
			}
			want := map[flaw]bool{}
			for _, k := range c.want {
				want[k] = true
			}
			require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(kinds)), "%v", found.list())
		})
	}
}
