package main

import (
	"fmt"
	"strings"
)

// judge holds a replica against what clients were told.
type judge struct {
	found  *findings
	tenant *tenant
	grants []grant // acknowledged, of this tenant
	doubts map[string]doubt
}

// newJudge gathers what was acknowledged and what is in doubt at a tenant.
func newJudge(found *findings, t *tenant, grants []grant) *judge {
	j := &judge{found: found, tenant: t, doubts: map[string]doubt{}}
	for _, g := range grants {
		if g.tenant == t.id {
			j.grants = append(j.grants, g)
		}
	}
	for _, p := range t.pools {
		for _, d := range p.doubts {
			j.doubts[d.request.User] = d
		}
	}
	return j
}

// look checks one replica's whole view and returns the checkouts that took
// effect without anybody being told, by user.
func (j *judge) look(node string, v *replicaView) map[string]auditRecord {
	at := fmt.Sprintf("%s on %s", j.tenant.id, node)
	granted, late := j.auditedGrants(at, v)
	j.acknowledgedAreThere(at, v, granted)
	j.poolsAddUp(at, v)
	j.charges(at, v, granted)
	if !v.proof.Valid {
		j.found.add(flawChain, "%s: chain of %d records does not verify", at, v.proof.Records)
	}
	return late
}

// auditedGrants maps users to their grant in the audit log: one at most, and
// none that was neither acknowledged nor in doubt.
func (j *judge) auditedGrants(at string, v *replicaView) (granted, late map[string]auditRecord) {
	granted, late = map[string]auditRecord{}, map[string]auditRecord{}
	acknowledged := map[string]bool{}
	for _, g := range j.grants {
		acknowledged[g.user] = true
	}
	leases := map[string]string{}
	for _, a := range v.audit {
		if a.Action != "checkout" || a.Result != "success" || strings.HasPrefix(a.User, untracked) {
			continue
		}
		if was, twice := granted[a.User]; twice {
			j.found.add(flawDoubled, "%s: %s was granted %s and %s", at, a.User, was.LeaseID, a.LeaseID)
		}
		if other, twice := leases[a.LeaseID]; twice {
			j.found.add(flawDoubled, "%s: %s was given to %s and %s", at, a.LeaseID, other, a.User)
		}
		granted[a.User], leases[a.LeaseID] = a, a.User
		if acknowledged[a.User] {
			continue
		}
		d, doubted := j.doubts[a.User]
		switch {
		case !doubted:
			j.found.add(flawDoubled, "%s: %s holds %s, which nobody asked for or which was refused", at, a.User, a.LeaseID)
		case d.denied:
			j.found.add(flawPromise, "%s: %s was told that nothing happened, and has %s: %q", at, a.User, a.LeaseID, d.trail)
		}
		late[a.User] = a
	}
	return granted, late
}

// untracked begins the users of leases that are outside the histories.
const untracked = "beacon"

// acknowledgedAreThere: each acknowledged lease is in the audit log as it was
// granted, and is live or has ended by the log.
func (j *judge) acknowledgedAreThere(at string, v *replicaView, granted map[string]auditRecord) {
	ended := map[string]bool{}
	for _, a := range v.audit {
		if a.Result == "success" && (a.Action == "return" || a.Action == "expire" || a.Action == "release") {
			ended[a.LeaseID] = true
		}
	}
	for _, g := range j.grants {
		a, ok := granted[g.user]
		if !ok {
			j.found.add(flawLost, "%s: %s of %s is not in the audit log", at, g.lease, g.user)
			continue
		}
		if a.LeaseID != g.lease || a.Count != g.count || a.OverageCount != g.overage || a.LicenseID != g.license {
			j.found.add(flawLost, "%s: %s of %s was acknowledged as %+v and is recorded as %+v", at, g.lease, g.user, g, a)
		}
		if _, live := v.leases[g.lease]; !live && !ended[g.lease] {
			j.found.add(flawLost, "%s: %s of %s is neither live nor ended", at, g.lease, g.user)
		} else if live && ended[g.lease] {
			j.found.add(flawLost, "%s: %s of %s is live and has ended", at, g.lease, g.user)
		}
	}
}

// poolsAddUp: the seats of live leases are what the counters say, within the
// entitlement.
func (j *judge) poolsAddUp(at string, v *replicaView) {
	commit, overage := map[string]int64{}, map[string]int64{}
	for _, l := range v.leases {
		commit[l.LicenseID] += l.Count - l.OverageCount
		overage[l.LicenseID] += l.OverageCount
	}
	for _, p := range j.tenant.pools {
		row, ok := v.licenses[p.license]
		if !ok {
			j.found.add(flawLost, "%s: license %s is gone", at, p.license)
			continue
		}
		c, o, e := commit[p.license], overage[p.license], p.entitlement
		if row.CommitInUse != c || row.OverageInUse != o || row.InUse != c+o || row.AvailableSeats != e.Commit+e.Overage-c-o {
			j.found.add(flawOver, "%s: live leases of %s hold %d+%d seats, its counters say %+v", at, p.license, c, o, row)
		}
		if c > e.Commit || o > e.Overage {
			j.found.add(flawOver, "%s: %s has %d+%d seats live of %d+%d", at, p.license, c, o, e.Commit, e.Overage)
		}
	}
}

// charges: one overage record for each grant with overage, with its uses, and
// counters that say the same.
func (j *judge) charges(at string, v *replicaView, granted map[string]auditRecord) {
	charged := map[string]int64{}
	uses := map[string]int64{}
	for _, o := range v.overage {
		if _, twice := charged[o.LeaseID]; twice {
			j.found.add(flawDoubled, "%s: %s is charged twice", at, o.LeaseID)
		}
		charged[o.LeaseID] += o.Uses
		uses[o.LicenseID] += o.Uses
	}
	for user, a := range granted {
		if charged[a.LeaseID] != a.OverageCount {
			j.found.add(flawCharge, "%s: %s of %s took %d overage seats and is charged %d", at, a.LeaseID, user, a.OverageCount, charged[a.LeaseID])
		}
		delete(charged, a.LeaseID)
	}
	for lease, n := range charged {
		j.found.add(flawCharge, "%s: %s is charged %d uses and was never granted", at, lease, n)
	}
	for _, p := range j.tenant.pools {
		if v.usage[p.license].OverageUses != uses[p.license] {
			j.found.add(flawCharge, "%s: %s has %d uses recorded and %d counted", at, p.license, uses[p.license], v.usage[p.license].OverageUses)
		}
	}
}
