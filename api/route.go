package api

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
)

// audience says on which hosts a route is served.
type audience uint8

const (
	onTenant     audience = iota // <tenant>.<domain>, with a key of that tenant
	onApex                       // <domain> itself, without a key
	onAnywhere                   // every host of the platform, without a key
	forUsers                     // <tenant>.<domain>, with the session of a user
	onTenantOpen                 // <tenant>.<domain>, without key or session
	everywhere                   // whatever the Host, without a key

	onVendors      // vendors.<domain>, with a key of a vendor or the session of one of its users
	forVendorUsers // vendors.<domain>, with such a session
	onVendorsOpen  // vendors.<domain>, without key or session
)

// ofTenant reports whether a route is served on tenants' hosts alone.
func (a audience) ofTenant() bool { return a == onTenant || a == forUsers || a == onTenantOpen }

// ofVendors reports whether a route is served on the vendors' host alone.
func (a audience) ofVendors() bool {
	return a == onVendors || a == forVendorUsers || a == onVendorsOpen
}

// route is one row of the table that the dispatcher, openapi.yaml and the
// access tests are held against.
type route struct {
	method string
	path   string // as in openapi.yaml; one {id} at most
	name   string // in metrics and logs
	on     audience
	// scope a key must have. The tenant's leader decides it; it stands here
	// for the table's readers.
	scope  cloudlicenses.Scope
	handle func(*call)
	index  int // its place in the table, set by newRouters
	// action that a user's role must allow; 0 on a tenant's or the vendors'
	// host: for keys alone.
	action cloudlicenses.Action
}

// routeTable returns every route of the public address. A route without a row
// here is not served, and one without a row in the access test does not pass.
func routeTable() []route {
	return slices.Concat([]route{
		{"POST", "/api/v1/licenses/checkout", "checkout", onTenant, cloudlicenses.ScopeCheckout, (*call).serveCheckout, 0, 0},
		{"POST", "/api/v1/licenses/heartbeat", "heartbeat", onTenant, cloudlicenses.ScopeCheckout, (*call).serveHeartbeat, 0, 0},
		{"POST", "/api/v1/licenses/return", "return", onTenant, cloudlicenses.ScopeReturn, (*call).serveReturn, 0, 0},
		{"POST", "/api/v1/licenses/batch", "batch", onTenant, cloudlicenses.ScopeCheckout, (*call).serveBatch, 0, 0},
		{"GET", "/api/v1/licenses", "licenses", onTenant, cloudlicenses.ScopeCheckout, (*call).serveLicenses, 0, cloudlicenses.ActViewLicenses},
		{"GET", "/api/v1/licenses/{id}", "license", onTenant, cloudlicenses.ScopeCheckout, (*call).serveLicense, 0, cloudlicenses.ActViewLicenses},
		{"GET", "/api/v1/leases", "leases", onTenant, cloudlicenses.ScopeCheckout, (*call).serveLeases, 0, cloudlicenses.ActViewLeases},
		{"POST", "/api/v1/tenants/register", "register", onApex, 0, (*call).serveRegister, 0, 0},
		{"POST", "/api/v1/tenants/verify", "verify", onApex, 0, (*call).serveVerify, 0, 0},
		{"GET", "/.well-known/jwks.json", "jwks", onAnywhere, 0, (*call).serveJWKS, 0, 0},
		{"GET", "/openapi.yaml", "openapi", everywhere, 0, (*call).serveOpenAPI, 0, 0},
		{"GET", "/api/v1/plans", "plans", onAnywhere, 0, (*call).servePlans, 0, 0},
		{"GET", "/problems/{id}", "problem", onAnywhere, 0, (*call).serveProblem, 0, 0},
		{"GET", "/", "welcome", everywhere, 0, (*call).serveWelcome, 0, 0},
	}, userRoutes(), lifeRoutes(), keyRoutes(), auditRoutes(), webhookRoutes(), ssoRoutes(), vendorRoutes(), vendorLicenseRoutes(), customerRoutes(),
		costRoutes(), billingRoutes(), invoiceRoutes(), analyticsRoutes(), eventRoutes(), recordRoutes(), vendorMonthRoutes())
}

// router finds routes by path.
type router struct {
	exact    map[string][]*route
	prefixed []prefixed
}

// prefixed are the routes of a path with an {id}.
type prefixed struct {
	prefix, suffix string // before and after the {id}
	routes         []*route
}

// newRouters returns the router of the vendors' host and that of the others.
func newRouters(table []route) (vendors, others *router) {
	for i := range table {
		table[i].index = i
	}
	vendors = newRouter(table, func(a audience) bool { return a.ofVendors() || a == onAnywhere || a == everywhere })
	others = newRouter(table, func(a audience) bool { return !a.ofVendors() })
	return vendors, others
}

func newRouter(table []route, serves func(audience) bool) *router {
	r := &router{exact: make(map[string][]*route)}
	for i := range table {
		row := &table[i]
		if !serves(row.on) {
			continue
		}
		prefix, suffix, isPrefixed := strings.Cut(row.path, "{id}")
		if !isPrefixed {
			r.exact[row.path] = append(r.exact[row.path], row)
			continue
		}
		at := -1
		for j := range r.prefixed {
			if r.prefixed[j].prefix == prefix && r.prefixed[j].suffix == suffix {
				at = j
			}
		}
		if at < 0 {
			at, r.prefixed = len(r.prefixed), append(r.prefixed, prefixed{prefix: prefix, suffix: suffix})
		}
		r.prefixed[at].routes = append(r.prefixed[at].routes, row)
	}
	return r
}

// find returns the routes of a path, and its {id} where it has one. The exact
// path wins over {id}.
func (r *router) find(path []byte) (rows []*route, id []byte) {
	if rows = r.exact[string(path)]; rows != nil {
		return rows, nil
	}
	for i := range r.prefixed {
		p := &r.prefixed[i]
		if len(path) <= len(p.prefix)+len(p.suffix) || string(path[:len(p.prefix)]) != p.prefix ||
			string(path[len(path)-len(p.suffix):]) != p.suffix {
			continue
		}
		id = path[len(p.prefix) : len(path)-len(p.suffix)]
		if bytes.IndexByte(id, '/') < 0 {
			return p.routes, id
		}
	}
	return nil, nil
}

// choose returns the row for a method; GET answers HEAD as well.
func choose(rows []*route, method []byte) *route {
	for _, row := range rows {
		if row.method == string(method) || (row.method == "GET" && string(method) == "HEAD") {
			return row
		}
	}
	return nil
}

// allowed is the Allow header of rows.
func allowed(rows []*route) string {
	var methods []string
	for _, row := range rows {
		methods = append(methods, row.method)
		if row.method == "GET" {
			methods = append(methods, "HEAD")
		}
	}
	return strings.Join(methods, ", ")
}
