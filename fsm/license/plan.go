package license

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cloudlicenses/cloudlicenses"
)

// planUse is what a tenant has against a plan's limits, with some licenses more
// and one of them (nil: none) left out. A tenant without a plan has no limits.
func (s *state) planUse(t *tenant, plan cloudlicenses.Plan, without *license, with ...*License) PlanUse {
	u := PlanUse{Plan: plan, MaxVendors: cloudlicenses.Unlimited, MaxSeats: cloudlicenses.Unlimited}
	if terms, known := plan.Terms(); known {
		u.MaxVendors, u.MaxSeats = terms.MaxVendors, terms.MaxSeats
	}
	var c planCount
	for _, l := range t.licenseByNumber {
		if l != without {
			c.add(&l.License, s.clock)
		}
	}
	for _, l := range with {
		c.add(l, s.clock)
	}
	u.Vendors, u.Seats = int64(len(c.vendors)), c.peak()
	return u
}

// planCount counts vendors, and the seats over time.
type planCount struct {
	vendors map[cloudlicenses.VendorID]bool
	changes []seatChange
}

// seatChange is so many seats more, or less, from a moment on.
type seatChange struct{ at, seats int64 }

func (c *planCount) add(l *License, clock int64) {
	end := l.EndMillis
	if l.AutoRenew {
		end = 0 // it goes on past it
	}
	if l.Status == cloudlicenses.LicenseRevoked || (end != 0 && end <= clock) {
		return
	}
	if c.vendors == nil {
		c.vendors = make(map[cloudlicenses.VendorID]bool)
	}
	c.vendors[l.VendorID] = true
	c.changes = append(c.changes, seatChange{max(clock, l.StartMillis), l.Total})
	if end != 0 {
		c.changes = append(c.changes, seatChange{end, -l.Total})
	}
}

// peak is the most seats at one moment: a renewal that follows a license does
// not count beside it.
func (c *planCount) peak() (most int64) {
	slices.SortFunc(c.changes, func(a, b seatChange) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seats, b.seats)) })
	var seats int64
	for _, change := range c.changes {
		seats += change.seats
		most = max(most, seats)
	}
	return most
}

// over reports whether the use does not fit the plan.
func (u *PlanUse) over() bool {
	limits := cloudlicenses.PlanTerms{MaxVendors: u.MaxVendors, MaxSeats: u.MaxSeats}
	return !limits.Allow(u.Vendors, u.Seats)
}

// detail says which limit a use would pass, and who can do what. Those who ask for
// licenses are the tenant's vendors and the operators.
func (u *PlanUse) detail(id cloudlicenses.TenantID) string {
	if u.MaxVendors != cloudlicenses.Unlimited && u.Vendors > u.MaxVendors {
		return fmt.Sprintf("the plan %s of %s allows licenses of %d vendors, and these would be of %d: the customer has to choose a larger plan", u.Plan, id, u.MaxVendors, u.Vendors)
	}
	return fmt.Sprintf("the plan %s of %s allows %d seats in all, and these would be %d: the customer has to choose a larger plan", u.Plan, id, u.MaxSeats, u.Seats)
}

// overPlan finds what would pass a limit of the tenant's plan: licenses that
// come, in the place of one where it is amended. What makes nothing worse never
// does. It returns what is in use, and what would be.
func (s *state) overPlan(t *tenant, without *license, with ...*License) (before, after PlanUse, over bool) {
	if terms, known := t.plan.Terms(); !known || (terms.MaxVendors == cloudlicenses.Unlimited && terms.MaxSeats == cloudlicenses.Unlimited) {
		return before, after, false
	}
	if after = s.planUse(t, t.plan, without, with...); !after.over() {
		return before, after, false
	}
	before = s.planUse(t, t.plan, nil)
	return before, after, after.Vendors > before.Vendors || after.Seats > before.Seats
}

func (m *Machine) refuseOverPlan(t *tenant, before, after PlanUse) reply {
	m.ack = Ack{Code: cloudlicenses.PlanLimitExceeded, Detail: after.detail(t.name), Use: before}
	return &m.ack
}
