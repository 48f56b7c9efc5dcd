package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// meaning is what HTTP says of a code (contract "Requests and replies").
type meaning struct {
	code       cloudlicenses.Code
	status     int
	title      string
	retryable  bool
	retryAfter int // seconds; 0: no Retry-After
}

// meanings holds every public code once. Its order is that of the metrics.
var meanings = [...]meaning{
	{cloudlicenses.MalformedRequest, 400, "Malformed request", false, 0},
	{cloudlicenses.Unauthenticated, 401, "Not authenticated", false, 0},
	{cloudlicenses.KeyExpired, 401, "API key expired", false, 0},
	{cloudlicenses.KeyRevoked, 401, "API key revoked", false, 0},
	{cloudlicenses.PlanLimitExceeded, 402, "Plan limit exceeded", false, 0},
	{cloudlicenses.WrongTenant, 403, "API key of another tenant", false, 0},
	{cloudlicenses.MissingScope, 403, "API key lacks the scope", false, 0},
	{cloudlicenses.HostnameNotAllowed, 403, "Hostname not allowed", false, 0},
	{cloudlicenses.IPNotAllowed, 403, "IP address not allowed", false, 0},
	{cloudlicenses.ClientCertificateRequired, 403, "Client certificate required", false, 0},
	{cloudlicenses.ClientCertificateMismatch, 403, "Client certificate does not match", false, 0},
	{cloudlicenses.FingerprintBlocked, 403, "Application fingerprint blocked", false, 0},
	{cloudlicenses.ForbiddenRole, 403, "Role not sufficient", false, 0},
	{cloudlicenses.VendorMismatch, 403, "Vendor does not match the key", false, 0},
	{cloudlicenses.VerificationFailed, 403, "Verification failed", false, 0},
	{cloudlicenses.NotFound, 404, "Not found", false, 0},
	{cloudlicenses.ProductNotFound, 404, "Product not found", false, 0},
	{cloudlicenses.LeaseNotFound, 404, "Lease not found", false, 0},
	{cloudlicenses.TenantNotFound, 404, "Tenant not found", false, 0},
	{cloudlicenses.MethodNotAllowed, 405, "Method not allowed", false, 0},
	{cloudlicenses.UnsupportedMediaType, 415, "Unsupported media type", false, 0},
	{cloudlicenses.MisdirectedRequest, 421, "Misdirected request", false, 0},
	{cloudlicenses.OpportunityConflict, 409, "Opportunity was generated with another body", false, 0},
	{cloudlicenses.LicenseUnavailable, 409, "No license available", false, 0},
	{cloudlicenses.OverageMaxExceeded, 409, "Maximum overage exceeded", false, 0},
	{cloudlicenses.OverageDeclined, 409, "Overage declined", false, 0},
	{cloudlicenses.OverageCapReached, 409, "Overage cap reached", false, 0},
	{cloudlicenses.AlreadyExists, 409, "Already exists", false, 0},
	{cloudlicenses.VerificationPending, 409, "Verification pending", false, 0},
	{cloudlicenses.LicenseNotActive, 409, "License not active", false, 0},
	{cloudlicenses.RegionUnavailable, 409, "Region not available", false, 0},
	{cloudlicenses.LeaseExpired, 410, "Lease expired", false, 0},
	{cloudlicenses.LeaseReleased, 410, "Lease released", false, 0},
	{cloudlicenses.BodyTooLarge, 413, "Body too large", false, 0},
	{cloudlicenses.InvalidField, 422, "Invalid field", false, 0},
	{cloudlicenses.InvalidEntitlement, 422, "Invalid entitlement", false, 0},
	{cloudlicenses.VersionNotAllowed, 422, "Version not allowed", false, 0},
	{cloudlicenses.IdempotencyKeyReused, 422, "Idempotency-Key reused with another body", false, 0},
	{cloudlicenses.RateLimited, 429, "Rate limited", true, 1},
	{cloudlicenses.LoginLocked, 429, "Login locked", true, 60},
	{cloudlicenses.Internal, 500, "Internal error", false, 0},
	{cloudlicenses.NoLeader, 503, "No leader at the moment", true, 1},
	{cloudlicenses.Overloaded, 503, "Overloaded", true, 1},
	{cloudlicenses.TenantMoving, 503, "Tenant is moving", true, 1},
	{cloudlicenses.StorageFull, 503, "Storage full", true, 10},
	{cloudlicenses.NotCaughtUp, 503, "Replica has not caught up", true, 1},
	{cloudlicenses.OutcomeUnknown, 503, "Outcome unknown", true, 1},
}

// advice says what to do about a refusal that brings no detail of its own.
var advice = map[cloudlicenses.Code]string{
	cloudlicenses.Unauthenticated: "the API key is not known to the tenant: check LICENSE_API_KEY, or generate a new key",
	cloudlicenses.KeyExpired:      "the API key has expired: generate a new one",
	cloudlicenses.KeyRevoked:      "the API key was revoked: generate a new one",
	cloudlicenses.MissingScope:    "the API key was generated without the scope this call needs",

	cloudlicenses.HostnameNotAllowed:        "the API key is bound to hostnames, and X-Hostname is none of them: ask the tenant's administrator",
	cloudlicenses.IPNotAllowed:              "the API key is bound to networks that this address is not in: ask the tenant's administrator",
	cloudlicenses.ClientCertificateRequired: "the API key is bound to a client certificate of the cluster's CA, and none was shown: use HTTPS and a certificate of 'cert create-client'",
	cloudlicenses.ClientCertificateMismatch: "the API key is bound to a client certificate of another common name",
	cloudlicenses.RateLimited:               "too many requests: wait for as many seconds as Retry-After says; heartbeats and returns never count",

	cloudlicenses.ProductNotFound:      "the tenant has no license of this product (and vendor)",
	cloudlicenses.LicenseUnavailable:   "fewer seats are free than were asked for, and the license has no overage; a seat comes free when a lease is returned or expires",
	cloudlicenses.OverageMaxExceeded:   "fewer seats are free than were asked for, overage included; a seat comes free when a lease is returned or expires",
	cloudlicenses.OverageDeclined:      "the committed seats are in use, and overage is declined by allow_overage or by a rule of the tenant",
	cloudlicenses.OverageCapReached:    "the committed seats are in use, and the month's overage cap would be passed",
	cloudlicenses.LicenseNotActive:     "the license is suspended, revoked, or outside its contract's dates",
	cloudlicenses.LeaseNotFound:        "this API key holds no such lease",
	cloudlicenses.LeaseExpired:         "the lease was not kept alive and has expired: check out again",
	cloudlicenses.LeaseReleased:        "the lease has ended: it was returned, or released by an administrator; check out again",
	cloudlicenses.IdempotencyKeyReused: "the Idempotency-Key belongs to a checkout with another body: use a new key for a new checkout",
}

var meaningIndex = func() map[cloudlicenses.Code]int {
	m := make(map[cloudlicenses.Code]int, len(meanings))
	for i := range meanings {
		m[meanings[i].code] = i
	}
	return m
}()

// meaningOf returns the place of a code in meanings; an unknown code is
// internal.
func meaningOf(code cloudlicenses.Code) int {
	if i, ok := meaningIndex[code]; ok {
		return i
	}
	return meaningIndex[cloudlicenses.Internal]
}

// problem is one refusal on its way to a client (RFC 9457).
type problem struct {
	code      cloudlicenses.Code
	status    int // 0: that of the code
	layer     cloudlicenses.Layer
	detail    string
	invalid   []body.FieldError
	licenseID cloudlicenses.LicenseID
	use       *license.PlanUse // of a plan_limit_exceeded; nil: not known
	retryIn   int              // seconds of Retry-After; 0: those of the code
}

// bodyTooLarge is the detail of body_too_large.
const bodyTooLarge = "the body is larger than 1 MiB"

// inQuery tells decided that what is wrong is a query parameter.
const inQuery = "?"

// decided is a refusal by a machine. The detail of an invalid field begins
// with its name and a colon; where is the JSON pointer of the object that it
// is in, or inQuery.
func decided(code cloudlicenses.Code, layer cloudlicenses.Layer, detail, where string) *problem {
	p := &problem{code: code, layer: layer, detail: detail}
	if name, what, named := strings.Cut(detail, ": "); code == cloudlicenses.InvalidField && named && !strings.Contains(name, " ") {
		if where == inQuery {
			p.invalid = []body.FieldError{{Parameter: name, Detail: what}}
		} else {
			p.invalid = []body.FieldError{{Pointer: where + "/" + name, Detail: what}}
		}
	}
	return p
}

// codeOf turns an error of the machinery into a code. Only what is not
// expected in a running cluster is internal, and worth a log line.
func codeOf(err error) cloudlicenses.Code {
	switch {
	case errors.Is(err, shard.ErrTenantNotFound):
		return cloudlicenses.TenantNotFound
	case errors.Is(err, shard.ErrTenantMoving):
		return cloudlicenses.TenantMoving
	case errors.Is(err, cluster.ErrOutcomeUnknown):
		return cloudlicenses.OutcomeUnknown
	case errors.Is(err, cluster.ErrOverloaded), errors.Is(err, shard.ErrHashing):
		return cloudlicenses.Overloaded
	case errors.Is(err, cluster.ErrStorageFull):
		return cloudlicenses.StorageFull
	case errors.Is(err, cluster.ErrNotCaughtUp):
		return cloudlicenses.NotCaughtUp
	case errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrNoGroup), errors.Is(err, cluster.ErrClosed):
		return cloudlicenses.NoLeader
	case errors.Is(err, shard.ErrAppliedIndex):
		return cloudlicenses.InvalidField
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return cloudlicenses.OutcomeUnknown
	}
	return cloudlicenses.Internal
}

// details says, for a code of codeOf, what a person should know. Errors of
// the machinery themselves are not shown: they name nodes and addresses.
func detailOf(code cloudlicenses.Code) string {
	switch code {
	case cloudlicenses.TenantNotFound:
		return "no tenant of this host"
	case cloudlicenses.TenantMoving:
		return "the tenant is moving to another group; ask again"
	case cloudlicenses.OutcomeUnknown:
		return "the write may have happened: retry with the same Idempotency-Key"
	case cloudlicenses.Overloaded:
		return "too many requests wait; nothing was done"
	case cloudlicenses.StorageFull:
		return "the disk of the tenant's leader has too little room; nothing was done, reads go on"
	case cloudlicenses.NotCaughtUp:
		return "the replica did not reach X-Min-Index in time"
	case cloudlicenses.NoLeader:
		return "no leader is reachable; nothing was done"
	case cloudlicenses.Internal:
		return "the request failed; the log has its request_id"
	}
	return ""
}

// problemURLs are what the problems of a node have in common.
type problemURLs struct {
	prefix string // of a type's URL: https://<domain>/problems/
	tenant string // how a tenant's URL is written: https://{tenant}.<domain>
}

// appendProblem appends the problem body.
func appendProblem(b []byte, urls problemURLs, p *problem, requestID []byte) []byte {
	m := &meanings[meaningOf(p.code)]
	status := p.status
	if status == 0 {
		status = m.status
	}
	b = append(b, `{"type":"`...)
	b = append(b, urls.prefix...)
	b = append(b, m.code...)
	b = append(b, `","title":"`...)
	b = append(b, m.title...)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, `,"detail":`...)
	detail := p.detail
	if detail == "" {
		detail = advice[m.code]
	}
	if detail == "" {
		detail = m.title
	}
	if p.code == cloudlicenses.TenantNotFound && p.layer == cloudlicenses.LayerHost {
		detail += ": use " + urls.tenant
	}
	b = appendString(b, detail)
	b = append(b, `,"code":"`...)
	b = append(b, m.code...)
	b = append(b, `","request_id":"`...)
	b = append(b, requestID...)
	b = append(b, `","retryable":`...)
	b = strconv.AppendBool(b, m.retryable)
	if p.layer != cloudlicenses.LayerNone {
		b = append(b, `,"layer":`...)
		b = appendString(b, string(p.layer))
	}
	if p.licenseID != "" {
		b = append(b, `,"license_id":`...)
		b = appendString(b, string(p.licenseID))
	}
	if p.use != nil {
		if limits, err := json.Marshal(showLimits(p.use)); err == nil { // strings and numbers always encode
			b = append(append(b, `,"limits":`...), limits...)
		}
	}
	b = appendFieldErrors(b, p.invalid)
	return append(b, '}')
}

// appendFieldErrors appends the "errors" member, where there are any.
func appendFieldErrors(b []byte, invalid []body.FieldError) []byte {
	for i := range invalid {
		if i == 0 {
			b = append(b, `,"errors":[`...)
		} else {
			b = append(b, ',')
		}
		e := &invalid[i]
		switch {
		case e.Parameter != "":
			b = appendString(append(b, `{"parameter":`...), e.Parameter)
		case e.Header != "":
			b = appendString(append(b, `{"header":`...), e.Header)
		default:
			b = appendString(append(b, `{"pointer":`...), e.Pointer)
		}
		b = appendString(append(b, `,"detail":`...), e.Detail)
		b = append(b, '}')
	}
	if len(invalid) > 0 {
		b = append(b, ']')
	}
	return b
}
