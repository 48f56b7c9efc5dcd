package cloudlicenses

// Plan is a tenant's plan (seed G, "For Customers").
type Plan string

// The plans, the smallest first.
const (
	PlanFree         Plan = "free"
	PlanStartup      Plan = "startup"
	PlanProfessional Plan = "professional"
	PlanEnterprise   Plan = "enterprise"
)

// PlanCurrency is the currency of plan fees.
const PlanCurrency Currency = "USD"

// Unlimited stands for a limit that is none.
const Unlimited int64 = -1

// PlanTerms are what a plan allows and costs.
type PlanTerms struct {
	Plan Plan
	// MaxVendors and MaxSeats bound a tenant's licenses that are neither
	// revoked nor over: the vendors they are of, and the most seats (T) that
	// are licensed at one moment, now or later (402 plan_limit_exceeded).
	MaxVendors int64
	MaxSeats   int64
	// FeeMinor is the fee of a calendar month in minor units of PlanCurrency;
	// of a Custom plan it is agreed with each tenant.
	FeeMinor int64
	Custom   bool
	Support  string
}

// plans is the one table of plans.
var plans = []PlanTerms{
	{Plan: PlanFree, MaxVendors: 1, MaxSeats: 10, FeeMinor: 0, Support: "community support"},
	{Plan: PlanStartup, MaxVendors: 3, MaxSeats: 100, FeeMinor: 49_00, Support: "email support"},
	{Plan: PlanProfessional, MaxVendors: 10, MaxSeats: 1000, FeeMinor: 199_00, Support: "priority support"},
	{Plan: PlanEnterprise, MaxVendors: Unlimited, MaxSeats: Unlimited, Custom: true, Support: "SLA, dedicated support, on-call"},
}

// Plans returns every plan, the smallest first.
func Plans() []PlanTerms { return append([]PlanTerms(nil), plans...) }

// PlanNames returns the names of every plan, the smallest first.
func PlanNames() []string {
	names := make([]string, len(plans))
	for i := range plans {
		names[i] = string(plans[i].Plan)
	}
	return names
}

// Terms returns what a plan allows and costs, or false.
func (p Plan) Terms() (PlanTerms, bool) {
	for i := range plans {
		if plans[i].Plan == p {
			return plans[i], true
		}
	}
	return PlanTerms{}, false
}

// Valid reports whether p is one of the plans.
func (p Plan) Valid() bool {
	_, known := p.Terms()
	return known
}

// Allow reports whether so many vendors and seats fit the plan.
func (t *PlanTerms) Allow(vendors, seats int64) bool {
	return (t.MaxVendors == Unlimited || vendors <= t.MaxVendors) && (t.MaxSeats == Unlimited || seats <= t.MaxSeats)
}
