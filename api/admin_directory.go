package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// page is a list's reply.
type page[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next_cursor"`
}

// newPage shows items; next is empty on the last page.
func newPage[S, T any](items []S, next string, show func(*S) T) page[T] {
	p := page[T]{Items: make([]T, len(items))}
	for i := range items {
		p.Items[i] = show(&items[i])
	}
	if next != "" {
		p.Next = &next
	}
	return p
}

// listed reads limit and cursor.
func (c *adminCall) listed() (limit int64, cursor string, err error) {
	query := c.r.URL.Query()
	limit = cloudlicenses.DefaultListLimit
	if text := query.Get("limit"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || n > cloudlicenses.MaxListLimit {
			return 0, "", &problem{
				code: cloudlicenses.InvalidField, detail: "the query has invalid parameters",
				invalid: []body.FieldError{{Parameter: "limit", Detail: "must be 1 to " + strconv.Itoa(cloudlicenses.MaxListLimit)}},
			}
		}
		limit = n
	}
	return limit, query.Get("cursor"), nil
}

// timeText is an RFC 3339 time in UTC, or nil for none.
func timeText(millis int64) *string {
	if millis == 0 {
		return nil
	}
	quoted := appendTime(nil, millis)
	text := string(quoted[1 : len(quoted)-1])
	return &text
}

type vendorView struct {
	ID            cloudlicenses.VendorID     `json:"id"`
	Name          string                     `json:"name"`
	LicensePrefix string                     `json:"license_prefix"`
	Region        string                     `json:"region"`
	Status        cloudlicenses.TenantStatus `json:"status"`
	Group         uint32                     `json:"group"`
	Epoch         uint32                     `json:"epoch"`
	AutoProvision bool                       `json:"auto_provision"`
	Host          string                     `json:"white_label_host,omitempty"` // verified
	CreatedAt     *string                    `json:"created_at"`
	APIKey        string                     `json:"api_key,omitempty"` // one that was just made
}

func showVendor(v *directory.Vendor) vendorView {
	view := vendorView{
		ID: v.ID, Name: v.Name, LicensePrefix: v.LicensePrefix, Region: v.Region, Status: v.Status,
		Group: v.Group, Epoch: v.Epoch, AutoProvision: v.Settings.AutoProvision, CreatedAt: timeText(v.CreatedMillis),
	}
	if v.Settings.HostVerified {
		view.Host = v.Settings.Host
	}
	return view
}

// createVendor is POST /v1/vendors. Without a prefix it is the id up to its
// first hyphen: "vector" of "vector-de". Repeated with the same attributes it
// answers 200 with the vendor as it is stored. A vendor that did not sign up itself
// has no users: with_key gives it an API key, another one each time.
func (c *adminCall) createVendor() error {
	var body struct {
		ID            string `json:"id"`
		Name          string `json:"name"`
		LicensePrefix string `json:"license_prefix"`
		Region        string `json:"region"`
		WithKey       bool   `json:"with_key"`
	}
	if err := c.decode(&body); err != nil {
		return err
	}
	if cloudlicenses.ValidateID(body.ID) != nil {
		return invalid("/id", cloudlicenses.ErrID.Error())
	}
	if body.LicensePrefix == "" {
		body.LicensePrefix = defaultPrefix(body.ID)
	}
	if body.Name == "" {
		body.Name = body.ID
	}
	if len(body.Name) > cloudlicenses.MaxUserLength {
		return invalid("/name", "must be at most "+strconv.Itoa(cloudlicenses.MaxUserLength)+" bytes")
	}
	id := cloudlicenses.VendorID(body.ID)
	status := http.StatusCreated
	if known, err := c.knowsVendor(id); err != nil {
		return err
	} else if known {
		status = http.StatusOK
	}
	vendor, w, err := c.server.shard.CreateVendor(c.r.Context(), shard.CreateVendorRequest{
		ID: id, Name: body.Name, LicensePrefix: body.LicensePrefix, Region: body.Region,
	})
	if err != nil {
		return err
	}
	shown := showVendor(&vendor)
	if body.WithKey {
		if shown.APIKey, err = c.server.shard.NewVendorKey(c.r.Context(), &vendor, "operator"); err != nil {
			return err
		}
	}
	c.w.Header().Set(headerApplied, w.Applied)
	return c.reply(status, shown)
}

// knowsVendor asks the directory's leader.
func (c *adminCall) knowsVendor(id cloudlicenses.VendorID) (bool, error) {
	_, _, err := c.server.shard.Vendor(c.r.Context(), id, shard.ReadOptions{Linearizable: true})
	if refusal := (*shard.Refusal)(nil); errors.As(err, &refusal) && refusal.Code == cloudlicenses.NotFound {
		return false, nil
	}
	return err == nil, err
}

// showVendor is GET /v1/vendors/{vendor}.
func (c *adminCall) showVendor() error {
	vendor, fresh, err := c.server.shard.Vendor(c.r.Context(), cloudlicenses.VendorID(c.r.PathValue("vendor")), c.readOptions())
	if err != nil {
		return err
	}
	c.fresh(fresh)
	return c.reply(http.StatusOK, showVendor(&vendor))
}

// setVendor is PATCH /v1/vendors/{vendor}: its name, and whether it may come in.
func (c *adminCall) setVendor() error {
	var body struct {
		Name   *string                     `json:"name"`
		Status *cloudlicenses.TenantStatus `json:"status"`
	}
	if err := c.decode(&body); err != nil {
		return err
	}
	var name string
	if body.Name != nil {
		if name = *body.Name; name == "" || len(name) > cloudlicenses.MaxUserLength {
			return invalid("/name", "must be 1–"+strconv.Itoa(cloudlicenses.MaxUserLength)+" bytes")
		}
	}
	var status cloudlicenses.TenantStatus
	if body.Status != nil {
		if status = *body.Status; status != cloudlicenses.TenantActive && status != cloudlicenses.TenantSuspended {
			return invalid("/status", "must be active or suspended")
		}
	}
	vendor, w, err := c.server.shard.SetVendor(c.r.Context(), cloudlicenses.VendorID(c.r.PathValue("vendor")), name, status)
	if err != nil {
		return err
	}
	c.w.Header().Set(headerApplied, w.Applied)
	return c.reply(http.StatusOK, showVendor(&vendor))
}

// listVendors is GET /v1/vendors.
func (c *adminCall) listVendors() error {
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	var result directory.VendorPage
	fresh, err := c.server.shard.ReadDirectory(c.r.Context(), shard.Command{
		Op: directory.QueryVendors, Payload: &directory.List{Cursor: cursor, Limit: limit}, Result: &result,
	}, c.readOptions())
	if err != nil {
		return err
	}
	if result.Code != cloudlicenses.OK {
		return &problem{code: result.Code}
	}
	c.fresh(fresh)
	return c.reply(http.StatusOK, newPage(result.Items, result.Next, showVendor))
}

type tenantView struct {
	ID         cloudlicenses.TenantID     `json:"id"`
	CustomerID string                     `json:"customer_id"`
	Company    string                     `json:"company"`
	Region     string                     `json:"region"`
	Plan       string                     `json:"plan"`
	Status     cloudlicenses.TenantStatus `json:"status"`
	URL        string                     `json:"url"`
	Group      uint32                     `json:"group"`
	Epoch      uint32                     `json:"epoch"`
	CreatedAt  *string                    `json:"created_at"`
	VerifiedAt *string                    `json:"verified_at"`
}

func (s *Server) showTenant(t *directory.Tenant) tenantView {
	return tenantView{
		ID: t.ID, CustomerID: t.CustomerID, Company: t.Company, Region: t.Region, Plan: t.Plan, Status: t.Status,
		URL: s.TenantURL(t.ID), Group: t.Group, Epoch: t.Epoch,
		CreatedAt: timeText(t.CreatedMillis), VerifiedAt: timeText(t.VerifiedMillis),
	}
}

// newTenant is the body of POST /v1/tenants.
type newTenant struct {
	ID       string `json:"id"`
	Company  string `json:"company"`
	Region   string `json:"region"`
	Plan     string `json:"plan"`
	Owner    string `json:"owner_email"`
	Licenses *struct {
		Product    string `json:"product"`
		Commit     int64  `json:"commit"`
		MaxOverage int64  `json:"max_overage"`
		Count      int64  `json:"count"` // 0: one, of Product itself
	} `json:"licenses"`
}

// createTenant is POST /v1/tenants: a verified tenant with a first key and,
// where asked, licenses of the operator's own vendor. Interrupted, it is
// resumed by the same call.
func (c *adminCall) createTenant() error {
	var body newTenant
	if err := c.decode(&body); err != nil {
		return err
	}
	id := cloudlicenses.TenantID(body.ID)
	if err := id.Validate(); err != nil {
		return invalid("/id", err.Error())
	}
	if body.Plan != "" && !slices.Contains(cloudlicenses.PlanNames(), body.Plan) {
		return invalid("/plan", "must be one of "+strings.Join(cloudlicenses.PlanNames(), ", "))
	}
	for _, member := range [...]struct{ pointer, value string }{{"/company", body.Company}, {"/region", body.Region}} {
		if len(member.value) > cloudlicenses.MaxUserLength {
			return invalid(member.pointer, "must be at most "+strconv.Itoa(cloudlicenses.MaxUserLength)+" bytes")
		}
	}
	request := shard.CreateTenantRequest{ID: id, Company: body.Company, Region: body.Region, Plan: body.Plan}
	if body.Owner != "" {
		email, err := cloudlicenses.NormalizeEmail(body.Owner)
		if err != nil {
			return invalid("/owner_email", err.Error())
		}
		request.OwnerEmail = email
	}
	if l := body.Licenses; l != nil {
		if cloudlicenses.ValidateID(l.Product) != nil {
			return invalid("/licenses/product", cloudlicenses.ErrID.Error())
		}
		request.Licenses = []shard.LicenseSpec{{
			ProductID: cloudlicenses.ProductID(l.Product), CommitQty: l.Commit, MaxOverage: l.MaxOverage, Count: l.Count,
		}}
	}
	created, err := c.server.shard.CreateTenant(c.r.Context(), request)
	if err != nil {
		return err
	}
	return c.reply(http.StatusCreated, struct {
		shard.CreatedTenant
		URL string `json:"tenant_url"`
	}{created, c.server.TenantURL(id)})
}

// listTenants is GET /v1/tenants.
func (c *adminCall) listTenants() error {
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	var result directory.TenantPage
	fresh, err := c.server.shard.ReadDirectory(c.r.Context(), shard.Command{
		Op: directory.QueryTenants, Payload: &directory.List{Cursor: cursor, Limit: limit}, Result: &result,
	}, c.readOptions())
	if err != nil {
		return err
	}
	if result.Code != cloudlicenses.OK {
		return &problem{code: result.Code}
	}
	c.fresh(fresh)
	return c.reply(http.StatusOK, newPage(result.Items, result.Next, c.server.showTenant))
}

// showTenant is GET /v1/tenants/{tenant}.
func (c *adminCall) showTenant() error {
	id := cloudlicenses.TenantID(c.r.PathValue("tenant"))
	if id.Validate() != nil {
		return &problem{code: cloudlicenses.TenantNotFound, detail: "there is no such tenant"}
	}
	var result directory.TenantResult
	query := shard.Command{Op: directory.QueryTenant, Payload: &directory.GetTenant{ID: id}, Result: &result}
	options := c.readOptions()
	fresh, err := c.server.shard.ReadDirectory(c.r.Context(), query, options)
	if err == nil && result.Code != cloudlicenses.OK && !options.Linearizable {
		options.Linearizable = true // a lagging replica never refuses what exists
		fresh, err = c.server.shard.ReadDirectory(c.r.Context(), query, options)
	}
	if err != nil {
		return err
	}
	switch result.Code {
	case cloudlicenses.OK:
	case cloudlicenses.NotFound, cloudlicenses.TenantNotFound:
		return &problem{code: cloudlicenses.TenantNotFound, detail: "there is no such tenant"}
	default:
		return &problem{code: result.Code, detail: result.Detail}
	}
	c.fresh(fresh)
	return c.reply(http.StatusOK, c.server.showTenant(&result.Tenant))
}

// limitTenant is PUT /v1/tenants/{tenant}/limits.
func (c *adminCall) limitTenant() error {
	var body struct {
		PerMinute *int64 `json:"checkouts_per_minute"`
	}
	if err := c.decode(&body); err != nil {
		return err
	}
	if body.PerMinute == nil {
		return invalid("/checkouts_per_minute", "is missing: 0 for no limit")
	}
	id := cloudlicenses.TenantID(c.r.PathValue("tenant"))
	if id.Validate() != nil {
		return &problem{code: cloudlicenses.TenantNotFound, detail: "there is no such tenant"}
	}
	var ack license.Ack
	w, err := c.server.shard.Do(c.r.Context(), id, shard.Command{
		Op: license.OpLimitTenant, Payload: &license.LimitTenant{By: license.By{Platform: true}, CheckoutsPerMinute: *body.PerMinute}, Result: &ack,
	})
	if err != nil {
		return err
	}
	c.w.Header().Set(headerApplied, w.Applied)
	if ack.Code != cloudlicenses.OK {
		return decided(ack.Code, cloudlicenses.LayerNone, ack.Detail, "")
	}
	return c.reply(http.StatusOK, struct {
		ID        cloudlicenses.TenantID `json:"id"`
		PerMinute int64                  `json:"checkouts_per_minute"`
	}{id, *body.PerMinute})
}
