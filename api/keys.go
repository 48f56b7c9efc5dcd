package api

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// keyRoutes are the rows of routeTable for a tenant's API keys.
func keyRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/keys", name: "keys", on: forUsers, action: cloudlicenses.ActViewKeys, handle: (*call).serveKeys},
		{method: "POST", path: "/api/v1/keys/generate", name: "key_generate", on: forUsers, action: cloudlicenses.ActManageKeys, handle: (*call).serveGenerateKey},
		{method: "POST", path: "/api/v1/keys/{id}/restrictions", name: "key_restrict", on: forUsers, action: cloudlicenses.ActManageKeys, handle: (*call).serveRestrictKey},
		{method: "POST", path: "/api/v1/keys/{id}/rotate", name: "key_rotate", on: forUsers, action: cloudlicenses.ActManageKeys, handle: (*call).serveRotateKey},
		{method: "POST", path: "/api/v1/keys/{id}/revoke", name: "key_revoke", on: forUsers, action: cloudlicenses.ActManageKeys, handle: (*call).serveRevokeKey},
	}
}

// shownKey is a key as lists have it: never its text, nor a hash of it.
type shownKey struct {
	ID         cloudlicenses.KeyID `json:"key_id"`
	AppName    string              `json:"app_name"`
	AppType    string              `json:"app_type"`
	Status     string              `json:"status"` // active, expired, revoked
	Scopes     []string            `json:"scopes"`
	CreatedAt  *string             `json:"created_at"`
	ExpiresAt  *string             `json:"expires_at"`
	RevokedAt  *string             `json:"revoked_at"`
	RotatedAt  *string             `json:"rotated_at"`
	Previous   *string             `json:"previous_valid_until"` // the latest end of an earlier secret
	LastUsedAt *string             `json:"last_used_at"`
	Metadata   json.RawMessage     `json:"metadata"`
	Hostnames  []string            `json:"allowed_hostnames"`
	Networks   []string            `json:"allowed_ip_ranges"`
	MTLS       bool                `json:"require_mtls"`
	CertName   string              `json:"client_cert_cn"`
	PerMinute  *int64              `json:"checkouts_per_minute"` // null: no limit
	PerHour    *int64              `json:"requests_per_hour"`    // null: no limit
}

func showKey(k *license.KeyState) shownKey {
	now := time.Now().UnixMilli()
	r := &k.Key.Restrictions
	shown := shownKey{
		ID: k.Key.ID, AppName: k.Key.AppName, AppType: k.Key.AppType, Status: "active", Scopes: k.Key.Scopes.Names(),
		CreatedAt: timeText(k.Key.CreatedMillis), ExpiresAt: timeText(k.Key.ExpiresMillis), RevokedAt: timeText(k.Key.RevokedMillis),
		RotatedAt: timeText(k.Key.RotatedMillis), LastUsedAt: timeText(k.LastUsedMillis), Metadata: k.Key.Metadata,
		Hostnames: append([]string{}, r.Hostnames...), Networks: append([]string{}, r.Networks...),
		MTLS: r.CertRequired, CertName: r.CertName, PerMinute: limitOrNone(r.CheckoutsPerMinute), PerHour: limitOrNone(r.RequestsPerHour),
	}
	if len(shown.Metadata) == 0 {
		shown.Metadata = json.RawMessage("{}")
	}
	switch {
	case k.Key.RevokedMillis != 0:
		shown.Status = "revoked"
	case k.Key.ExpiresMillis != 0 && now >= k.Key.ExpiresMillis:
		shown.Status = "expired"
	}
	latest := int64(0)
	for _, secret := range k.Key.Earlier {
		latest = max(latest, secret.UntilMillis)
	}
	if latest > now {
		shown.Previous = timeText(latest)
	}
	return shown
}

func limitOrNone(limit int64) *int64 {
	if limit == 0 {
		return nil
	}
	return &limit
}

// handedOut is a reply with a key's text, which is shown this once (seed B5).
type handedOut struct {
	ID        cloudlicenses.KeyID `json:"key_id"`
	APIKey    string              `json:"api_key"`
	TenantURL string              `json:"tenant_url"`
	Scopes    []string            `json:"scopes"`
	ExpiresAt *string             `json:"expires_at"`
	CreatedAt *string             `json:"created_at"`
	RotatedAt *string             `json:"rotated_at,omitempty"`
	Previous  *string             `json:"previous_valid_until,omitempty"`
	Snippet   snippet             `json:"integration_snippet"`
}

// snippet is what an application's configuration takes, in both usual forms.
type snippet struct {
	Environment struct {
		URL string `json:"LICENSE_SERVER_URL"`
		Key string `json:"LICENSE_API_KEY"`
	} `json:"environment_variables"`
	ConfigFile struct {
		Server struct {
			URL string `json:"url"`
			Key string `json:"api_key"`
		} `json:"license_server"`
	} `json:"config_file"`
}

func (c *call) handOut(k *license.KeyState, text string) handedOut {
	shown := showKey(k)
	out := handedOut{
		ID: k.Key.ID, APIKey: text, TenantURL: c.server.TenantURL(c.tenant), Scopes: shown.Scopes,
		ExpiresAt: shown.ExpiresAt, CreatedAt: shown.CreatedAt, RotatedAt: shown.RotatedAt, Previous: shown.Previous,
	}
	out.Snippet.Environment.URL, out.Snippet.Environment.Key = out.TenantURL, text
	out.Snippet.ConfigFile.Server.URL, out.Snippet.ConfigFile.Server.Key = out.TenantURL, text
	return out
}

// decidedKey sends an error or a refusal of a command about keys; true means
// there is none.
func (c *call) decidedKey(r *license.KeyResult, w shard.Written, err error) bool {
	return c.decidedUser(&license.UserResult{Code: r.Code, Detail: r.Detail}, w, err)
}

// serveKeys is GET /api/v1/keys.
func (c *call) serveKeys() {
	o, ok := c.options()
	if !ok {
		return
	}
	var list license.KeyPage
	if !c.read(license.QueryKeys, &license.ListKeys{Cursor: o.cursor, Limit: o.limit}, &list, o) {
		return
	}
	if list.Code != cloudlicenses.OK {
		c.refuse(decided(list.Code, cloudlicenses.LayerNone, "", inQuery))
		return
	}
	c.send(fasthttp.StatusOK, newPage(list.Items, list.Next, showKey))
}

// serveGenerateKey is POST /api/v1/keys/generate. With an Idempotency-Key it
// makes one key, however often it is asked; the text is in the first reply
// alone.
func (c *call) serveGenerateKey() {
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
	if !c.valid(w) {
		return
	}
	if len(header) > 0 {
		key.ID = shard.RepeatableKeyID(c.tenant, c.user.User.ID, header)
	}
	text := shard.NewAPIKey(c.tenant)
	result, written, err := c.server.shard.GenerateKey(c.context(), c.tenant, c.by(), text, key)
	if c.decidedKey(&result, written, err) {
		c.send(fasthttp.StatusCreated, c.handOut(&result.Key, text))
	}
}

// serveRestrictKey is POST /api/v1/keys/{id}/restrictions: what is left out of
// the body stays as it is.
func (c *call) serveRestrictKey() {
	var in restrictionsRequest
	if !c.decode(&in) {
		return
	}
	var w wrong
	restrict := &license.RestrictKey{By: c.by(), ID: cloudlicenses.KeyID(c.pathID)}
	restrict.Restrictions, restrict.Set = in.restrictions(&w)
	if c.site.vendors {
		in.ofVendorKey(&w)
	}
	if !c.valid(w) {
		return
	}
	c.changeKey(license.OpRestrictKey, restrict)
}

// serveRotateKey is POST /api/v1/keys/{id}/rotate.
func (c *call) serveRotateKey() {
	var in struct {
		Overlap *int64 `json:"overlap_seconds"`
	}
	if !c.decodeOptional(&in) {
		return
	}
	overlap := cloudlicenses.DefaultKeyOverlap
	var w wrong
	if in.Overlap != nil {
		limit := int64(cloudlicenses.MaxKeyOverlap / time.Second)
		w.check(*in.Overlap < 0 || *in.Overlap > limit, "overlap_seconds", "must be 0 to "+strconv.FormatInt(limit, 10))
		overlap = time.Duration(*in.Overlap) * time.Second
	}
	if !c.valid(w) {
		return
	}
	text := shard.NewAPIKey(c.tenant)
	result, written, err := c.server.shard.RotateKey(c.context(), c.tenant, c.by(), cloudlicenses.KeyID(c.pathID), text, overlap)
	if c.decidedKey(&result, written, err) {
		c.send(fasthttp.StatusOK, c.handOut(&result.Key, text))
	}
}

// serveRevokeKey is POST /api/v1/keys/{id}/revoke.
func (c *call) serveRevokeKey() {
	var in struct {
		ReleaseLeases bool `json:"release_leases"`
	}
	if !c.decodeOptional(&in) {
		return
	}
	c.changeKey(license.OpRevokeKey, &license.RevokeKey{By: c.by(), ID: cloudlicenses.KeyID(c.pathID), ReleaseLeases: in.ReleaseLeases})
}

// changeKey has a command about a key committed and shows the key.
func (c *call) changeKey(op fsm.Op, command interface {
	MarshalMsg([]byte) ([]byte, error)
	Msgsize() int
}) {
	result, written, err := c.server.shard.DoKey(c.context(), c.tenant, op, command)
	if c.decidedKey(&result, written, err) {
		c.send(fasthttp.StatusOK, showKey(&result.Key))
	}
}

// decodeOptional is decode of a body that may be left out.
func (c *call) decodeOptional(v any) bool {
	return len(c.ctx.Request.Body()) == 0 || c.decode(v)
}

// keyRequest is the body of POST /api/v1/keys/generate.
type keyRequest struct {
	AppName  *string          `json:"app_name"`
	AppType  *string          `json:"app_type"`
	Scopes   *[]string        `json:"scopes"`
	Days     *int64           `json:"expires_in_days"`
	Metadata *json.RawMessage `json:"metadata"`
	restrictionsRequest
}

// Types of applications that a key may be for.
var appTypes = map[string]bool{"desktop": true, "ci_cd": true, "cloud_service": true}

const defaultAppType = "desktop"

// key is what is asked for, made at a time. What is wrong goes to w.
func (r *keyRequest) key(w *wrong, now time.Time) license.Key {
	key := license.Key{AppType: defaultAppType, Scopes: cloudlicenses.ScopeCheckout | cloudlicenses.ScopeReturn, CreatedMillis: now.UnixMilli()}
	if w.check(r.AppName == nil, "app_name", "is missing"); r.AppName != nil {
		key.AppName = *r.AppName
		w.check(!validAppName(key.AppName), "app_name", "must be 1 to "+strconv.Itoa(cloudlicenses.MaxAppNameLength)+" characters without control characters")
	}
	if r.AppType != nil {
		key.AppType = *r.AppType
		w.check(!appTypes[key.AppType], "app_type", "must be desktop, ci_cd or cloud_service")
	}
	if r.Scopes != nil {
		key.Scopes = 0
		w.check(len(*r.Scopes) == 0, "scopes", "must name a scope: license:checkout, license:return")
		for i, name := range *r.Scopes {
			scope, known := cloudlicenses.ParseScope(name)
			w.check(!known, "scopes/"+strconv.Itoa(i), "must be license:checkout or license:return")
			key.Scopes |= scope
		}
	}
	if r.Days != nil {
		w.check(*r.Days < 1 || *r.Days > cloudlicenses.MaxKeyDays, "expires_in_days", "must be 1 to "+strconv.Itoa(cloudlicenses.MaxKeyDays))
		key.ExpiresMillis = now.Add(time.Duration(min(*r.Days, cloudlicenses.MaxKeyDays)) * 24 * time.Hour).UnixMilli()
	}
	if r.Metadata != nil {
		key.Metadata = *r.Metadata
		w.check(key.Metadata[0] != '{' || len(key.Metadata) > cloudlicenses.MaxMetadataBytes, "metadata",
			"must be an object of at most "+strconv.Itoa(cloudlicenses.MaxMetadataBytes)+" bytes")
	}
	restrictions, set := r.restrictions(w)
	key.Restrictions = shard.DefaultRestrictions()
	key.Restrictions.Hostnames, key.Restrictions.Networks = restrictions.Hostnames, restrictions.Networks
	key.Restrictions.CertRequired, key.Restrictions.CertName = restrictions.CertRequired, restrictions.CertName
	if set&license.RestrictMinute != 0 {
		key.Restrictions.CheckoutsPerMinute = restrictions.CheckoutsPerMinute
	}
	if set&license.RestrictHour != 0 {
		key.Restrictions.RequestsPerHour = restrictions.RequestsPerHour
	}
	return key
}

func validAppName(name string) bool {
	n := utf8.RuneCountInString(name)
	return n >= 1 && n <= cloudlicenses.MaxAppNameLength && printable([]byte(name))
}
