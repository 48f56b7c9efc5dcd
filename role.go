package cloudlicenses

// Role says what a user of a tenant may do.
type Role string

// The roles, from most to least.
const (
	RoleOwner   Role = "owner"   // everything; there is always one
	RoleAdmin   Role = "admin"   // everything but owners
	RoleBilling Role = "billing" // looks at licenses and costs
	RoleViewer  Role = "viewer"  // looks at licenses and leases
)

// Roles lists every role, from most to least.
var Roles = []Role{RoleOwner, RoleAdmin, RoleBilling, RoleViewer}

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool {
	switch r {
	case RoleOwner, RoleAdmin, RoleBilling, RoleViewer:
		return true
	}
	return false
}

// Action is something a user of a tenant may ask for.
type Action uint8

// The actions of a tenant's side.
const (
	ActOwnAccount         Action = iota + 1 // its own account: who am I, log out, second factor
	ActViewLicenses                         // licenses and their pools
	ActViewLeases                           // live leases
	ActReleaseLease                         // end somebody's lease
	ActViewUsers                            // users and their roles
	ActManageUsers                          // invite, change, disable and remove users that are no owners
	ActManageOwners                         // the same for owners, and make somebody one
	ActViewKeys                             // API keys, never their secrets
	ActManageKeys                           // generate, restrict, rotate and revoke API keys
	ActViewCosts                            // costs and overage
	ActViewAudit                            // the audit log and its verification
	ActViewAlerts                           // alerts
	ActManageAlerts                         // acknowledge them
	ActViewFingerprints                     // fingerprints seen
	ActManageFingerprints                   // allow and block them
	ActViewSettings                         // settings of the tenant
	ActManageSettings                       // change them
	ActViewEvents                           // the stream of events
	ActManageLicenses                       // of a vendor: generate, provision, amend, suspend and revoke licenses; its customers
	ActManageBilling                        // of a vendor: run, send again and void invoices
	ActDeleteTenant                         // delete the tenant, and take that back
)

// Actions lists every action.
var Actions = []Action{
	ActOwnAccount, ActViewLicenses, ActViewLeases, ActReleaseLease, ActViewUsers, ActManageUsers, ActManageOwners,
	ActViewKeys, ActManageKeys, ActViewCosts, ActViewAudit, ActViewAlerts, ActManageAlerts, ActViewFingerprints,
	ActManageFingerprints, ActViewSettings, ActManageSettings, ActViewEvents,
	ActManageLicenses, ActManageBilling,
	ActDeleteTenant,
}

// actionNames are the actions as replies name them, in the order of Actions.
// They never change: clients go by them.
var actionNames = [...]string{
	"own_account", "view_licenses", "view_leases", "release_lease", "view_users", "manage_users", "manage_owners",
	"view_keys", "manage_keys", "view_costs", "view_audit", "view_alerts", "manage_alerts", "view_fingerprints",
	"manage_fingerprints", "view_settings", "manage_settings", "view_events",
	"manage_licenses", "manage_billing",
	"delete_tenant",
}

// String returns the action as replies name it, such as "view_costs".
func (a Action) String() string {
	if a == 0 || int(a) > len(actionNames) {
		return "unknown"
	}
	return actionNames[a-1]
}

// May reports whether a role may do an action: the one table of who may what.
// What stands in neither list is refused.
func (r Role) May(a Action) bool {
	switch a {
	case ActOwnAccount, ActViewLicenses, ActViewLeases, ActViewAlerts, ActViewEvents:
		return r.Valid()
	case ActViewCosts, ActManageBilling:
		return r == RoleOwner || r == RoleAdmin || r == RoleBilling
	case ActReleaseLease, ActViewUsers, ActManageUsers, ActViewKeys, ActManageKeys, ActViewAudit, ActManageAlerts,
		ActViewFingerprints, ActManageFingerprints, ActViewSettings, ActManageSettings,
		ActManageLicenses:
		return r == RoleOwner || r == RoleAdmin
	case ActManageOwners, ActDeleteTenant:
		return r == RoleOwner
	}
	return false
}

// VendorKeyMay reports whether a vendor's API key may do an action: what an
// administrator may, except what is about people.
func VendorKeyMay(a Action) bool {
	switch a {
	case ActOwnAccount, ActViewUsers, ActManageUsers, ActManageOwners:
		return false
	default:
		return RoleAdmin.May(a)
	}
}
