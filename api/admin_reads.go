package api

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// The operators' reads of one tenant, or of a vendor's account by its name. Each is answered by the node's own
// replica where it has one, so that replicas can be compared.

// readTenant answers a query of the path's tenant into result. refusal is
// called once the result is there.
func (c *adminCall) readTenant(op fsm.Op, query msgp.Marshaler, result msgp.Unmarshaler, refusal func() cloudlicenses.Code) error {
	tenant := cloudlicenses.TenantID(c.r.PathValue("tenant"))
	if _, isAccount := tenant.Vendor(); !isAccount && tenant.Validate() != nil {
		return &problem{code: cloudlicenses.TenantNotFound, detail: "there is no such tenant"}
	}
	fresh, err := c.server.shard.Read(c.r.Context(), tenant, shard.Command{Op: op, Payload: query, Result: result}, c.readOptions())
	if err != nil {
		return err
	}
	if code := refusal(); code != cloudlicenses.OK {
		return &problem{code: code}
	}
	c.fresh(fresh)
	return nil
}

// month is ?month=YYYY-MM, or the running one.
func (c *adminCall) month() (string, error) {
	text := c.r.URL.Query().Get("month")
	if text == "" {
		return time.Now().UTC().Format("2006-01"), nil
	}
	if _, err := time.Parse("2006-01", text); err != nil {
		return "", badParameter("month", "must be YYYY-MM")
	}
	return text, nil
}

func badParameter(name, detail string) *problem {
	return &problem{
		code: cloudlicenses.InvalidField, detail: "the query has invalid parameters",
		invalid: []body.FieldError{{Parameter: name, Detail: detail}},
	}
}

// tenantLicenses is GET /v1/tenants/{tenant}/licenses.
func (c *adminCall) tenantLicenses() error {
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	var result license.LicensePage
	query := &license.ListLicenses{Cursor: cursor, Limit: limit}
	if err := c.readTenant(license.QueryLicenses, query, &result, func() cloudlicenses.Code { return result.Code }); err != nil {
		return err
	}
	return c.reply(http.StatusOK, newPage(result.Items, result.Next, func(l *license.LicenseState) json.RawMessage {
		return appendLicense(nil, l)
	}))
}

type leaseView struct {
	ID           string                  `json:"lease_id"`
	LicenseID    cloudlicenses.LicenseID `json:"license_id"`
	VendorID     cloudlicenses.VendorID  `json:"vendor_id"`
	ProductID    cloudlicenses.ProductID `json:"product_id"`
	KeyID        cloudlicenses.KeyID     `json:"key_id"`
	User         string                  `json:"user"`
	Type         cloudlicenses.LeaseType `json:"type"`
	Count        int64                   `json:"count"`
	OverageCount int64                   `json:"overage_count"`
	Hostname     string                  `json:"hostname"`
	Fingerprint  string                  `json:"fingerprint"`
	IssuedAt     *string                 `json:"issued_at"`
	ExpiresAt    *string                 `json:"expires_at"`
}

func showLease(l *license.Lease) leaseView {
	return leaseView{
		ID: l.ID.String(), LicenseID: l.LicenseID, VendorID: l.VendorID, ProductID: l.ProductID, KeyID: l.KeyID,
		User: l.User, Type: l.Type(), Count: l.Count, OverageCount: l.OverageCount, Hostname: l.Hostname,
		Fingerprint: l.Fingerprint, IssuedAt: timeText(l.IssuedMillis), ExpiresAt: timeText(l.ExpiresMillis),
	}
}

// tenantLeases is GET /v1/tenants/{tenant}/leases: every live lease.
func (c *adminCall) tenantLeases() error {
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	var result license.LeasePage
	query := &license.ListLeases{
		LicenseID: cloudlicenses.LicenseID(c.r.URL.Query().Get("license_id")),
		User:      c.r.URL.Query().Get("user"),
		Cursor:    cursor, Limit: limit,
	}
	if err := c.readTenant(license.QueryLeases, query, &result, func() cloudlicenses.Code { return result.Code }); err != nil {
		return err
	}
	return c.reply(http.StatusOK, newPage(result.Items, result.Next, showLease))
}

type usageView struct {
	LicenseID        cloudlicenses.LicenseID      `json:"license_id"`
	Month            string                       `json:"month"`
	CommitCheckouts  int64                        `json:"commit_checkouts"`
	OverageCheckouts int64                        `json:"overage_checkouts"`
	OverageUses      int64                        `json:"overage_uses"`
	Refusals         map[cloudlicenses.Code]int64 `json:"refusals"`
	PeakInUse        int64                        `json:"peak_in_use"`
	SeatSeconds      json.Number                  `json:"seat_seconds"`
}

func showUsage(u *license.Usage) usageView {
	refusals := make(map[cloudlicenses.Code]int64, len(u.Refusals))
	for _, r := range u.Refusals {
		refusals[r.Code] = r.Count
	}
	return usageView{
		LicenseID: u.LicenseID, Month: u.Month, CommitCheckouts: u.CommitCheckouts, OverageCheckouts: u.OverageCheckouts,
		OverageUses: u.OverageUses, Refusals: refusals, PeakInUse: u.PeakInUse,
		SeatSeconds: json.Number(strconv.FormatInt(u.SeatMillis/1000, 10)),
	}
}

// tenantUsage is GET /v1/tenants/{tenant}/usage?month=.
func (c *adminCall) tenantUsage() error {
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	month, err := c.month()
	if err != nil {
		return err
	}
	var result license.UsagePage
	query := &license.ListUsage{Month: month, Cursor: cursor, Limit: limit}
	if err := c.readTenant(license.QueryUsage, query, &result, func() cloudlicenses.Code { return result.Code }); err != nil {
		return err
	}
	return c.reply(http.StatusOK, newPage(result.Items, result.Next, showUsage))
}

type overageView struct {
	Sequence  uint64                  `json:"sequence"`
	LicenseID cloudlicenses.LicenseID `json:"license_id"`
	LeaseID   string                  `json:"lease_id"`
	KeyID     cloudlicenses.KeyID     `json:"key_id"`
	Uses      int64                   `json:"uses"`
	UnitPrice json.Number             `json:"unit_price"`
	Currency  cloudlicenses.Currency  `json:"currency"`
	At        *string                 `json:"at"`
}

func showOverage(o *license.Overage) overageView {
	price := cloudlicenses.Money{Minor: o.PriceMinor, Currency: o.Currency}
	return overageView{
		Sequence: o.Sequence, LicenseID: o.LicenseID, LeaseID: o.LeaseID.String(), KeyID: o.KeyID, Uses: o.Uses,
		UnitPrice: json.Number(price.String()), Currency: o.Currency, At: timeText(o.AtMillis),
	}
}

// tenantOverage is GET /v1/tenants/{tenant}/overage?month=.
func (c *adminCall) tenantOverage() error {
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	month, err := c.month()
	if err != nil {
		return err
	}
	var result license.OveragePage
	query := &license.ListOverage{Month: month, Cursor: cursor, Limit: limit}
	if err := c.readTenant(license.QueryOverage, query, &result, func() cloudlicenses.Code { return result.Code }); err != nil {
		return err
	}
	return c.reply(http.StatusOK, newPage(result.Items, result.Next, showOverage))
}

type auditView struct {
	Sequence     uint64                  `json:"sequence"`
	At           *string                 `json:"timestamp"`
	Action       string                  `json:"action"`
	Result       string                  `json:"result"`
	KeyID        cloudlicenses.KeyID     `json:"api_key_id"`
	LicenseID    cloudlicenses.LicenseID `json:"license_id"`
	ProductID    cloudlicenses.ProductID `json:"product"`
	LeaseID      *string                 `json:"lease_id"`
	User         string                  `json:"user"`
	Hostname     string                  `json:"hostname"`
	Address      string                  `json:"ip_address"`
	Fingerprint  string                  `json:"fingerprint"`
	LibVersion   string                  `json:"lib_version"`
	Count        int64                   `json:"count"`
	OverageCount int64                   `json:"overage_count"`
	Actor        string                  `json:"actor"`
}

func showAudit(a *license.Audit) auditView {
	view := auditView{
		Sequence: a.Sequence, At: timeText(a.AtMillis), Action: a.Action, Result: a.Result, KeyID: a.KeyID,
		LicenseID: a.LicenseID, ProductID: a.ProductID, User: a.User, Hostname: a.Hostname, Address: a.Address,
		Fingerprint: a.Fingerprint, LibVersion: a.LibVersion, Count: a.Count, OverageCount: a.OverageCount, Actor: a.Actor,
	}
	if a.LeaseID != 0 {
		id := a.LeaseID.String()
		view.LeaseID = &id
	}
	return view
}

// tenantAudit is GET /v1/tenants/{tenant}/audit?from=&to=&user=&key_id=&result=.
func (c *adminCall) tenantAudit() error {
	limit, cursor, err := c.listed()
	if err != nil {
		return err
	}
	values := c.r.URL.Query()
	query := &license.ListAudit{
		User: values.Get("user"), KeyID: cloudlicenses.KeyID(values.Get("key_id")), Result: values.Get("result"),
		Cursor: cursor, Limit: limit,
	}
	for _, bound := range [...]struct {
		name string
		into *int64
	}{{"from", &query.FromMillis}, {"to", &query.ToMillis}} {
		text := values.Get(bound.name)
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return badParameter(bound.name, "must be an RFC 3339 time")
		}
		*bound.into = at.UnixMilli()
	}
	var result license.AuditPage
	if err := c.readTenant(license.QueryAudit, query, &result, func() cloudlicenses.Code { return result.Code }); err != nil {
		return err
	}
	return c.reply(http.StatusOK, newPage(result.Items, result.Next, showAudit))
}

// verifyAudit is GET /v1/tenants/{tenant}/audit/verify.
func (c *adminCall) verifyAudit() error {
	var proof license.AuditProof
	if err := c.readTenant(license.QueryVerify, &license.VerifyAudit{}, &proof, func() cloudlicenses.Code { return proof.Code }); err != nil {
		return err
	}
	return c.reply(http.StatusOK, struct {
		Valid   bool   `json:"valid"`
		Records int64  `json:"records"`
		Head    string `json:"head"`
		Detail  string `json:"detail,omitempty"`
	}{proof.Valid, proof.Records, hex.EncodeToString(proof.Head[:]), proof.Detail})
}
