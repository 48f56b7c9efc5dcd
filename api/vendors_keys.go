package api

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// vendorKeyRoutes are the rows of routeTable for a vendor's API keys and its
// audit log.
func vendorKeyRoutes() []route {
	const view, manage = cloudlicenses.ActViewKeys, cloudlicenses.ActManageKeys
	return []route{
		{method: "GET", path: "/api/v1/keys", name: "vendor_keys", on: onVendors, action: view, handle: (*call).serveKeys},
		{method: "POST", path: "/api/v1/keys", name: "vendor_key_create", on: onVendors, action: manage, handle: (*call).serveGenerateVendorKey},
		{method: "POST", path: "/api/v1/keys/generate", name: "vendor_key_generate", on: onVendors, action: manage, handle: (*call).serveGenerateVendorKey},
		{method: "POST", path: "/api/v1/keys/rotate", name: "vendor_key_rotate_own", on: onVendors, action: manage, handle: (*call).serveRotateOwnKey},
		{method: "POST", path: "/api/v1/keys/{id}/rotate", name: "vendor_key_rotate", on: onVendors, action: manage, handle: (*call).serveRotateVendorKey},
		{method: "POST", path: "/api/v1/keys/{id}/restrictions", name: "vendor_key_restrict", on: onVendors, action: manage, handle: (*call).serveRestrictKey},
		{method: "POST", path: "/api/v1/keys/{id}/revoke", name: "vendor_key_revoke", on: onVendors, action: manage, handle: (*call).serveRevokeKey},
		{method: "GET", path: "/api/v1/audit", name: "vendor_audit", on: onVendors, action: cloudlicenses.ActViewAudit, handle: (*call).serveAudit},
		{method: "GET", path: "/api/v1/audit/verify", name: "vendor_audit_verify", on: onVendors, action: cloudlicenses.ActViewAudit, handle: (*call).serveVerifyAudit},
	}
}

// handedOutToVendor is a reply with a key's text, which is shown this once.
type handedOutToVendor struct {
	ID        cloudlicenses.KeyID    `json:"key_id"`
	APIKey    string                 `json:"api_key"`
	VendorID  cloudlicenses.VendorID `json:"vendor_id"`
	VendorURL string                 `json:"vendor_url"`
	ExpiresAt *string                `json:"expires_at"`
	CreatedAt *string                `json:"created_at"`
	RotatedAt *string                `json:"rotated_at,omitempty"`
	Previous  *string                `json:"previous_valid_until,omitempty"`
}

func (c *call) handOutToVendor(k *license.KeyState, text string) handedOutToVendor {
	shown := showKey(k)
	return handedOutToVendor{
		ID: shown.ID, APIKey: text, VendorID: c.vendor, VendorURL: c.server.VendorsURL(),
		ExpiresAt: shown.ExpiresAt, CreatedAt: shown.CreatedAt, RotatedAt: shown.RotatedAt, Previous: shown.Previous,
	}
}

// ofVendorKey refuses what a vendor's key has not: it checks nothing out.
func (r *restrictionsRequest) ofVendorKey(w *wrong) {
	w.check(r.PerMinute != nil, "checkouts_per_minute", "is for tenants' keys alone")
	w.check(r.PerHour != nil, "requests_per_hour", "is for tenants' keys alone")
}

// asker names who asks: a user, or a vendor's key.
func (c *call) asker() cloudlicenses.UserID {
	if c.user != nil {
		return c.user.User.ID
	}
	return cloudlicenses.UserID(c.key.ID)
}

// serveGenerateVendorKey is POST /api/v1/keys on the vendors' host. With an
// Idempotency-Key it makes one key, however often it is asked.
func (c *call) serveGenerateVendorKey() {
	var in keyRequest
	if !c.decode(&in) {
		return
	}
	header := c.ctx.Request.Header.Peek(headerIdempotency)
	if !validIdempotencyKey(header) {
		c.refuse(problemIdempotencyKey)
		return
	}
	var w wrong
	key := in.key(&w, time.Now().Truncate(time.Second))
	w.check(in.Scopes != nil, "scopes", "are for tenants' keys alone: a vendor's key acts as an administrator, but not for people")
	in.ofVendorKey(&w)
	if !c.valid(w) {
		return
	}
	key.Scopes, key.Restrictions.CheckoutsPerMinute, key.Restrictions.RequestsPerHour = 0, 0, 0
	if len(header) > 0 {
		key.ID = shard.RepeatableKeyID(c.tenant, c.asker(), header)
	}
	text := shard.NewAPIKey(c.tenant)
	result, written, err := c.server.shard.GenerateKey(c.context(), c.tenant, c.by(), text, key)
	if c.decidedKey(&result, written, err) {
		c.send(fasthttp.StatusCreated, c.handOutToVendor(&result.Key, text))
	}
}

// serveRotateVendorKey is POST /api/v1/keys/{id}/rotate on the vendors' host.
func (c *call) serveRotateVendorKey() {
	var in struct {
		Overlap *int64 `json:"overlap_seconds"`
	}
	if c.decodeOptional(&in) {
		c.rotateVendorKey(cloudlicenses.KeyID(c.pathID), in.Overlap)
	}
}

// serveRotateOwnKey is POST /api/v1/keys/rotate: of the key that asks, or of
// the one that the body names.
func (c *call) serveRotateOwnKey() {
	var in struct {
		ID      *string `json:"key_id"`
		Overlap *int64  `json:"overlap_seconds"`
	}
	if !c.decodeOptional(&in) {
		return
	}
	var w wrong
	w.check(in.ID == nil && c.key == nil, "key_id", "is missing: say which key is to be rotated")
	if !c.valid(w) {
		return
	}
	var id cloudlicenses.KeyID
	if in.ID != nil {
		id = cloudlicenses.KeyID(*in.ID)
	} else {
		id = c.key.ID
	}
	c.rotateVendorKey(id, in.Overlap)
}

// rotateVendorKey gives a key a new text; the one before goes on working for
// overlap seconds.
func (c *call) rotateVendorKey(id cloudlicenses.KeyID, seconds *int64) {
	overlap := cloudlicenses.DefaultKeyOverlap
	var w wrong
	if seconds != nil {
		limit := int64(cloudlicenses.MaxKeyOverlap / time.Second)
		w.check(*seconds < 0 || *seconds > limit, "overlap_seconds", "must be 0 to "+strconv.FormatInt(limit, 10))
		overlap = time.Duration(min(*seconds, limit)) * time.Second
	}
	if !c.valid(w) {
		return
	}
	text := shard.NewAPIKey(c.tenant)
	result, written, err := c.server.shard.RotateKey(c.context(), c.tenant, c.by(), id, text, overlap)
	if c.decidedKey(&result, written, err) {
		c.send(fasthttp.StatusOK, c.handOutToVendor(&result.Key, text))
	}
}
