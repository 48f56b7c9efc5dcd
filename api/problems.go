package api

import (
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
)

// explanation is what a problem's URL tells: the type of every problem is one.
type explanation struct {
	meaning string // what has happened
	toDo    string // by whom, and whether asking again helps
}

// explanations has every code of meanings.
var explanations = map[cloudlicenses.Code]explanation{
	cloudlicenses.MalformedRequest: {"The request can't be read: its head, its query or its JSON is not well-formed, or has a member that this call does not know.", "Mend the request as the detail says; openapi.yaml describes each body."},

	cloudlicenses.Unauthenticated: {"The call needs an API key or a session, and none that is valid came with it.", "Send Authorization: Bearer with a key of this host's tenant or vendor, or log in again."},
	cloudlicenses.KeyExpired:      {"The API key was valid until a day that is over.", "Generate a new key in the portal, or rotate keys before they expire."},
	cloudlicenses.KeyRevoked:      {"The API key was revoked.", "Ask an administrator of the tenant for a new key."},

	cloudlicenses.PlanLimitExceeded: {"The tenant's plan allows fewer vendors or seats than this would need, or does not have the feature.", "Change to a larger plan, or end licenses that are no longer needed; limits says what is in use."},

	cloudlicenses.WrongTenant:               {"The API key belongs to another tenant than the host.", "Use the URL of the tenant that the key was generated for."},
	cloudlicenses.MissingScope:              {"The API key was generated without the scope that this call needs.", "Generate a key with that scope: license:checkout to use licenses, license:return to return them."},
	cloudlicenses.HostnameNotAllowed:        {"The API key is bound to hostnames, and X-Hostname is none of them.", "Run the program on an allowed machine, or have an administrator change the key's restrictions."},
	cloudlicenses.IPNotAllowed:              {"The API key is bound to networks that the caller's address is not in.", "Call from an allowed network, or have an administrator change the key's restrictions."},
	cloudlicenses.ClientCertificateRequired: {"The API key is bound to a client certificate, and none was shown.", "Call over HTTPS with a client certificate of the cluster's CA."},
	cloudlicenses.ClientCertificateMismatch: {"The API key is bound to a client certificate of another common name.", "Use the certificate that the key is bound to, or have an administrator change the key's restrictions."},
	cloudlicenses.FingerprintBlocked:        {"The program's fingerprint is blocked by the tenant.", "Ask an administrator of the tenant to allow it."},
	cloudlicenses.ForbiddenRole:             {"The user's role does not allow this.", "Ask an owner or administrator to do it, or for another role."},
	cloudlicenses.VendorMismatch:            {"The key or session is of another vendor than X-Vendor-ID or the host names.", "Leave X-Vendor-ID out, or use a key of that vendor."},
	cloudlicenses.VerificationFailed:        {"The registration, or the token that its domain is verified by, is not valid or has expired.", "Register again, and publish the TXT record that the reply shows."},

	cloudlicenses.NotFound:        {"Nothing is served at this path, or what it names is not there or is somebody else's.", "Check the path, the host and the id."},
	cloudlicenses.ProductNotFound: {"The tenant has no license of this product.", "Check product_id (and vendor_id); GET /api/v1/licenses lists what there is."},
	cloudlicenses.LeaseNotFound:   {"The API key holds no such lease.", "Use the key that took the lease; one that ended more than 24 hours ago is forgotten."},
	cloudlicenses.TenantNotFound:  {"The host is that of no tenant, or of one that is not verified yet.", "Check the host's name; a new tenant has to finish its sign-up first."},

	cloudlicenses.MethodNotAllowed:     {"The path is served, but not for this method.", "Use a method that the Allow header names."},
	cloudlicenses.UnsupportedMediaType: {"The body is of a type that the call does not take.", "Send JSON, with Content-Type: application/json."},
	cloudlicenses.MisdirectedRequest:   {"The TLS server name of the connection is not the request's host.", "Open a connection for each host; a proxy in between must keep the two alike."},

	cloudlicenses.OpportunityConflict: {"A license was generated for this opportunity and product before, with another body.", "Amend that license, or use another opportunity."},
	cloudlicenses.LicenseUnavailable:  {"Fewer seats are free than were asked for, and the license has no overage.", "Wait until a lease is returned or expires, or have the license extended."},
	cloudlicenses.OverageMaxExceeded:  {"Fewer seats are free than were asked for, overage included.", "Wait until a lease is returned or expires, or have the license extended."},
	cloudlicenses.OverageDeclined:     {"The committed seats are in use, and overage is declined by the caller or by a rule of the tenant.", "Wait for a committed seat, or allow overage in the request and in the tenant's settings."},
	cloudlicenses.OverageCapReached:   {"The committed seats are in use, and the month's overage cap would be passed.", "Wait for a committed seat, or have an administrator raise the cap in the tenant's settings."},
	cloudlicenses.AlreadyExists:       {"There is one already: a license of that period, a tenant, vendor, user or product of that name.", "Use what is there, or choose another name or period."},
	cloudlicenses.VerificationPending: {"The domain's TXT record is not there yet, or the sign-up is not finished.", "Publish the record exactly as it was shown, and verify again after some minutes."},
	cloudlicenses.LicenseNotActive:    {"The license is suspended, revoked, or outside its contract's dates.", "Ask the vendor of the license."},
	cloudlicenses.RegionUnavailable:   {"No nodes of the cluster are in that region.", "Choose another region."},

	cloudlicenses.LeaseExpired:  {"The lease was not kept alive in time, and its seat is free again.", "Check out again; send heartbeats every heartbeat_seconds."},
	cloudlicenses.LeaseReleased: {"The lease was returned, or an administrator released it.", "Check out again."},

	cloudlicenses.BodyTooLarge: {"The body is larger than 1 MiB.", "Split the request: a batch takes up to 1,000 operations."},

	cloudlicenses.InvalidField:         {"A member of the body, a parameter or a header has a value that it can't have.", "Mend what errors points to."},
	cloudlicenses.InvalidEntitlement:   {"Total, committed and overage seats do not fit together.", "Keep to 0 ≤ commit ≤ total ≤ commit + overage."},
	cloudlicenses.VersionNotAllowed:    {"The license does not cover this version of the product, or the client library is older than the vendor allows.", "Use a version that the license covers, or update the library."},
	cloudlicenses.IdempotencyKeyReused: {"The Idempotency-Key belongs to a checkout with another body.", "Use a new key for each new checkout, and the same one only to repeat it."},

	cloudlicenses.RateLimited: {"The key or the tenant asks more often than its limit allows.", "Wait for as many seconds as Retry-After says; heartbeats and returns never count."},
	cloudlicenses.LoginLocked: {"Too many attempts to log in failed.", "Wait for as many seconds as Retry-After says, or ask for a new password."},

	cloudlicenses.Internal: {"The request failed for a reason inside the platform.", "Ask again; if it stays so, tell the operators the request_id."},

	cloudlicenses.NoLeader:       {"No leader of the tenant's group is reachable at the moment; nothing was done.", "Ask again after a second: a new leader is elected by itself."},
	cloudlicenses.Overloaded:     {"Too many requests are waiting; nothing was done.", "Ask again after a second, and slower."},
	cloudlicenses.TenantMoving:   {"The tenant is being moved to other nodes.", "Ask again after a second."},
	cloudlicenses.StorageFull:    {"The nodes' disks are full; nothing was done.", "Ask again later; operators have to make room."},
	cloudlicenses.NotCaughtUp:    {"The node has not applied what X-Min-Index names in time.", "Ask again, or another node."},
	cloudlicenses.OutcomeUnknown: {"The write may have happened: the cluster did not say in time.", "Repeat it with the same Idempotency-Key; it takes effect once."},
}

// shownExplanation is the reply to a problem's URL.
type shownExplanation struct {
	Code      cloudlicenses.Code `json:"code"`
	Title     string             `json:"title"`
	Status    int                `json:"status"`
	Retryable bool               `json:"retryable"`
	Meaning   string             `json:"meaning"`
	ToDo      string             `json:"to_do"`
}

// serveProblem is GET /problems/{id}: what a code means; to browsers a page.
func (c *call) serveProblem() {
	if c.servePage(c.site, c.portalRequest()) {
		return
	}
	told, p := explain(cloudlicenses.Code(c.pathID))
	if p != nil {
		c.refuse(p)
		return
	}
	c.sendPublic(told)
}

// problem is the same on the admin address.
func (c *adminCall) problem() error {
	if c.servePortal() {
		return nil
	}
	told, p := explain(cloudlicenses.Code(c.r.PathValue("id")))
	if p != nil {
		return p
	}
	c.w.Header().Set("Vary", acceptVaries)
	return c.reply(http.StatusOK, told)
}

func explain(code cloudlicenses.Code) (shownExplanation, *problem) {
	told, known := explanations[code]
	if !known {
		return shownExplanation{}, &problem{code: cloudlicenses.NotFound, detail: "no problem has this code"}
	}
	m := &meanings[meaningOf(code)]
	return shownExplanation{m.code, m.title, m.status, m.retryable, told.meaning, told.toDo}, nil
}

// servePlans is GET /api/v1/plans.
func (c *call) servePlans() { c.sendPublic(showPlans()) }

// sendPublic replies with v as JSON that is the same for everybody until the
// next release.
func (c *call) sendPublic(v any) {
	var err error
	if c.out, err = appendJSON(c.out[:0], v); err != nil {
		c.fail(err)
		return
	}
	h := &c.ctx.Response.Header
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Vary", acceptVaries)
	c.reply(fasthttp.StatusOK)
}
