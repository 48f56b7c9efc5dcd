package cloudlicenses

// LicenseStatus is where a license stands in its life.
type LicenseStatus string

// The states of a license (contract "States and rules the seed leaves open").
const (
	LicenseGenerated        LicenseStatus = "generated"
	LicenseWaitingForTenant LicenseStatus = "waiting_for_tenant"
	LicenseProvisioned      LicenseStatus = "provisioned"
	LicenseSuspended        LicenseStatus = "suspended"
	LicenseRevoked          LicenseStatus = "revoked"
	LicenseExpired          LicenseStatus = "expired"
)

// BillingCycle is how often a license's commit fee is billed.
type BillingCycle string

// The billing cycles (seed A1).
const (
	BillingMonthly   BillingCycle = "monthly"
	BillingQuarterly BillingCycle = "quarterly"
	BillingYearly    BillingCycle = "yearly"
)

// Valid reports whether c is one of the cycles.
func (c BillingCycle) Valid() bool {
	switch c {
	case BillingMonthly, BillingQuarterly, BillingYearly:
		return true
	}
	return false
}

// TenantStatus is where a tenant stands in its life.
type TenantStatus string

// The states of a tenant.
const (
	TenantPending   TenantStatus = "pending_verification"
	TenantActive    TenantStatus = "active"
	TenantSuspended TenantStatus = "suspended"
	TenantDeleting  TenantStatus = "deleting"
)

// LeaseType says what a lease's seats were granted as: overage when at least
// one of them is.
type LeaseType string

// The types of a lease.
const (
	LeaseCommit  LeaseType = "commit"
	LeaseOverage LeaseType = "overage"
)

// EndReason says how a lease ended.
type EndReason uint8

// How a lease ended. Live leases have EndNone. Values are stored: append only.
const (
	EndNone     EndReason = 0
	EndReturned EndReason = 1 // by its holder; its return repeats its reply
	EndExpired  EndReason = 2 // answers 410 lease_expired
	EndReleased EndReason = 3 // by an administrator or with its key: 410 lease_released
)

// Scope is a bit set of what an API key may do.
type Scope uint8

// The scopes of an API key. Values are stored: append only.
const (
	ScopeCheckout Scope = 1 << 0 // license:checkout: checkout, heartbeat, batch, licenses, own leases
	ScopeReturn   Scope = 1 << 1 // license:return
)

// Has reports whether s holds all of want.
func (s Scope) Has(want Scope) bool { return s&want == want }

var scopeNames = []struct {
	scope Scope
	name  string
}{{ScopeCheckout, "license:checkout"}, {ScopeReturn, "license:return"}}

// Names returns the public names of the scopes in s, in a fixed order.
func (s Scope) Names() []string {
	names := make([]string, 0, len(scopeNames))
	for _, n := range scopeNames {
		if s.Has(n.scope) {
			names = append(names, n.name)
		}
	}
	return names
}

// ParseScope returns the scope of a public name, or false.
func ParseScope(name string) (Scope, bool) {
	for _, n := range scopeNames {
		if n.name == name {
			return n.scope, true
		}
	}
	return 0, false
}
