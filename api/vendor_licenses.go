package api

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Licenses as their vendor sees and changes them (seed A1, B3).

// vendorLicenseRoutes are the rows of routeTable for a vendor's licenses.
func vendorLicenseRoutes() []route {
	view, manage := cloudlicenses.ActViewLicenses, cloudlicenses.ActManageLicenses
	return []route{
		{method: "POST", path: "/api/v1/licenses/generate", name: "generate", on: onVendors, action: manage, handle: (*call).serveGenerate},
		{method: "POST", path: "/api/v1/licenses/provision", name: "provision", on: onVendors, action: manage, handle: (*call).serveProvision},
		{method: "GET", path: "/api/v1/licenses", name: "vendor_licenses", on: onVendors, action: view, handle: (*call).serveVendorLicenses},
		{method: "GET", path: "/api/v1/licenses/{id}", name: "vendor_license", on: onVendors, action: view, handle: (*call).serveVendorLicense},
		{method: "PATCH", path: "/api/v1/licenses/{id}", name: "amend", on: onVendors, action: manage, handle: (*call).serveAmend},
		{method: "POST", path: "/api/v1/licenses/{id}/suspend", name: "license_suspend", on: onVendors, action: manage, handle: (*call).serveSuspend},
		{method: "POST", path: "/api/v1/licenses/{id}/resume", name: "license_resume", on: onVendors, action: manage, handle: (*call).serveResume},
		{method: "POST", path: "/api/v1/licenses/{id}/revoke", name: "license_revoke", on: onVendors, action: manage, handle: (*call).serveRevoke},
		{method: "GET", path: "/packages/{id}", name: "package", on: onVendors, action: view, handle: (*call).servePackage},
	}
}

// shownLicense is a license as its vendor sees it.
type shownLicense struct {
	LicenseID     cloudlicenses.LicenseID     `json:"license_id"`
	OpportunityID string                      `json:"crm_opportunity_id"`
	Status        cloudlicenses.LicenseStatus `json:"status"`
	Customer      shownLicensee               `json:"customer"`
	Product       licensedProduct             `json:"product"`
	Entitlement   shownEntitlement            `json:"entitlement"`
	Contract      shownContract               `json:"contract"`
	Pool          *shownPool                  `json:"pool,omitempty"`
	ThisMonth     *shownMonth                 `json:"this_month,omitempty"`
	PackageURL    string                      `json:"package_url"`
	CreatedAt     *string                     `json:"created_at"`
	ProvisionedAt *string                     `json:"provisioned_at"`
	SuspendedAt   *string                     `json:"suspended_at"`
	RevokedAt     *string                     `json:"revoked_at"`
}

type shownLicensee struct {
	CRMAccount string                 `json:"crm_account_id"`
	Name       string                 `json:"name"`
	TenantID   cloudlicenses.TenantID `json:"tenant_id"`
	TenantURL  string                 `json:"tenant_url"`
}

type licensedProduct struct {
	ID      cloudlicenses.ProductID `json:"id"`
	Name    string                  `json:"name"`
	Version *string                 `json:"version"`
}

type shownEntitlement struct {
	Total      int64        `json:"total_licenses"`
	CommitQty  int64        `json:"commit_qty"`
	MaxOverage int64        `json:"max_overage"`
	Pricing    shownPricing `json:"pricing"`
}

type shownPricing struct {
	CommitFee  json.Number            `json:"commit_fee_monthly"`
	OverageFee json.Number            `json:"overage_per_use"`
	Currency   cloudlicenses.Currency `json:"currency"`
}

type shownContract struct {
	Start     *string                    `json:"start_date"`
	End       *string                    `json:"end_date"`
	AutoRenew bool                       `json:"auto_renew"`
	Cycle     cloudlicenses.BillingCycle `json:"billing_cycle"`
}

// shownPool is what is in use of a license, as the tenant's group says.
type shownPool struct {
	InUse        int64 `json:"in_use"`
	CommitInUse  int64 `json:"commit_in_use"`
	OverageInUse int64 `json:"overage_in_use"`
	Available    int64 `json:"available"`
}

// shownMonth is what the running month (UTC) has charged so far.
type shownMonth struct {
	OverageUses int64       `json:"overage_checkouts"`
	OverageCost json.Number `json:"overage_cost"`
}

func (c *call) packageURL(id cloudlicenses.LicenseID) string {
	return c.server.VendorsURL() + "/packages/" + string(id)
}

func (c *call) showLicense(l *directory.License) shownLicense {
	t := &l.Terms
	money := func(minor int64) json.Number {
		return json.Number(cloudlicenses.Money{Minor: minor, Currency: t.Currency}.String())
	}
	shown := shownLicense{
		LicenseID: l.ID, OpportunityID: l.OpportunityID, Status: l.Status,
		Customer:    shownLicensee{l.CRMAccount, l.Company, l.TenantID, c.server.TenantURL(l.TenantID)},
		Product:     licensedProduct{ID: l.ProductID, Name: l.ProductName},
		Entitlement: shownEntitlement{t.Total, t.CommitQty, t.MaxOverage, shownPricing{money(t.CommitFeeMinor), money(t.OverageFeeMinor), t.Currency}},
		Contract:    shownContract{dateText(t.StartMillis), nil, t.AutoRenew, t.Cycle},
		PackageURL:  c.packageURL(l.ID),
		CreatedAt:   timeText(l.CreatedMillis), ProvisionedAt: timeText(l.ProvisionedMillis),
		SuspendedAt: timeText(l.SuspendedMillis), RevokedAt: timeText(l.RevokedMillis),
	}
	if t.Constraint != "" {
		shown.Product.Version = &t.Constraint
	}
	if t.EndMillis != 0 {
		shown.Contract.End = dateText(t.EndMillis - 1) // the last day
	}
	return shown
}

// dateText is the UTC day of a moment.
func dateText(millis int64) *string {
	quoted := appendDate(nil, millis)
	if millis == 0 {
		return nil
	}
	text := string(quoted[1 : len(quoted)-1])
	return &text
}

// mayMail counts a mail to a contact against its vendor, or refuses it.
func (c *call) mayMail(contact license.Notice) bool {
	if contact.Email == "" {
		return true
	}
	wait := c.server.contactMails.take(c.vendor, time.Now())
	if wait > 0 {
		c.refuse(&problem{
			code: cloudlicenses.RateLimited, detail: "too many mails to contacts: wait, or name none",
			retryIn: wholeSeconds(wait),
		})
	}
	return wait == 0
}

// serveGenerate is POST /api/v1/licenses/generate: 201, and 200 where the
// opportunity has the license already.
func (c *call) serveGenerate() {
	var n newLicense
	if !c.decode(&n) {
		return
	}
	g, contact, w := n.check()
	if !c.valid(w) || !c.mayMail(contact) {
		return
	}
	g.VendorID = c.vendor
	g.RequestHash = hashGeneration(&g, contact)
	if !c.intend("license.generate", "", g.ProductID, g.CRMAccount) {
		return
	}
	r, written, err := c.server.shard.Generate(c.context(), g, contact)
	if !c.decidedLicense(written, err) {
		return
	}
	status := fasthttp.StatusCreated
	l := &r.License
	if r.Replayed {
		status = fasthttp.StatusOK
		c.dropNote()
	} else {
		c.note(l.ID, l.ProductID, l.CRMAccount)
	}
	c.send(status, struct {
		LicenseID     cloudlicenses.LicenseID     `json:"license_id"`
		OpportunityID string                      `json:"crm_opportunity_id"`
		PackageURL    string                      `json:"package_url"`
		Status        cloudlicenses.LicenseStatus `json:"status"`
		Tenant        string                      `json:"customer_tenant"`
		ProvisionedAt *string                     `json:"provisioned_at"`
	}{l.ID, l.OpportunityID, c.packageURL(l.ID), l.Status, c.server.TenantURL(l.TenantID), timeText(l.ProvisionedMillis)})
}

// serveProvision is POST /api/v1/licenses/provision.
func (c *call) serveProvision() {
	var in struct {
		LicenseID string `json:"license_id"`
		Customer  struct {
			CRMAccount string `json:"crm_account_id"`
		} `json:"customer"`
		Notification *struct {
			Email   string `json:"email"`
			Message string `json:"message"`
		} `json:"notification"`
	}
	if !c.decode(&in) {
		return
	}
	var w wrong
	w.check(cloudlicenses.ValidateID(in.LicenseID) != nil, "license_id", cloudlicenses.ErrID.Error())
	w.check(cloudlicenses.ValidateForeignID(in.Customer.CRMAccount) != nil, "customer/crm_account_id", cloudlicenses.ErrForeignID.Error())
	var contact license.Notice
	if in.Notification != nil {
		contact.Email = w.contact(in.Notification.Email, "notification/email")
		w.check(in.Notification.Email == "", "notification/email", "is missing")
		contact.Message = in.Notification.Message
		w.check(!validMessage(contact.Message), "notification/message", "has at most 2000 characters of text")
	}
	if !c.valid(w) || !c.mayMail(contact) {
		return
	}
	if !c.intend("license.provision", cloudlicenses.LicenseID(in.LicenseID), "", in.Customer.CRMAccount) {
		return
	}
	r, written, err := c.server.shard.ProvisionLicense(c.context(), directory.ProvisionLicense{
		VendorID: c.vendor, ID: cloudlicenses.LicenseID(in.LicenseID), CRMAccount: in.Customer.CRMAccount,
	}, contact)
	if !c.decidedLicense(written, err) {
		return
	}
	l := &r.License
	c.note(l.ID, l.ProductID, l.CRMAccount)
	c.send(fasthttp.StatusOK, struct {
		Status        cloudlicenses.LicenseStatus `json:"status"`
		TenantURL     string                      `json:"tenant_url"`
		ProvisionedAt *string                     `json:"provisioned_at"`
		Notified      bool                        `json:"customer_notified"`
	}{l.Status, c.server.TenantURL(l.TenantID), timeText(l.ProvisionedMillis), l.Notified})
}

// serveAmend is PATCH /api/v1/licenses/{id}: in force once it is answered.
func (c *call) serveAmend() {
	id := cloudlicenses.LicenseID(c.pathID)
	before, ok := c.ownLicense(id, listOptions{})
	if !ok {
		return
	}
	var n changedLicense
	if !c.decode(&n) {
		return
	}
	a, w := n.check(before.Terms.Currency)
	if !c.valid(w) {
		return
	}
	a.VendorID, a.ID = c.vendor, id
	if !c.intend("license.amend", id, before.ProductID, before.CRMAccount) {
		return
	}
	r, written, err := c.server.shard.AmendLicense(c.context(), a)
	if c.decidedLicense(written, err) {
		c.note(id, r.License.ProductID, r.License.CRMAccount)
		c.send(fasthttp.StatusOK, c.showLicense(&r.License))
	}
}

func (c *call) serveSuspend() { c.changeStatus(cloudlicenses.LicenseSuspended, "license.suspend") }
func (c *call) serveResume()  { c.changeStatus(cloudlicenses.LicenseProvisioned, "license.resume") }
func (c *call) serveRevoke()  { c.changeStatus(cloudlicenses.LicenseRevoked, "license.revoke") }

// changeStatus is POST /api/v1/licenses/{id}/suspend, resume and revoke.
func (c *call) changeStatus(to cloudlicenses.LicenseStatus, action string) {
	if cloudlicenses.ValidateID(string(c.pathID)) != nil { // it would be in the audit log
		c.refuse(&problem{code: cloudlicenses.NotFound, detail: "the vendor has no such license"})
		return
	}
	if !c.intend(action, cloudlicenses.LicenseID(c.pathID), "", "") {
		return
	}
	r, written, err := c.server.shard.SetLicenseStatus(c.context(), directory.SetLicenseStatus{
		VendorID: c.vendor, ID: cloudlicenses.LicenseID(c.pathID), Status: to,
	})
	if c.decidedLicense(written, err) {
		c.note(r.License.ID, r.License.ProductID, r.License.CRMAccount)
		c.send(fasthttp.StatusOK, c.showLicense(&r.License))
	}
}

// decidedLicense sends an error or a refusal about a license; true means there
// is none.
func (c *call) decidedLicense(written shard.Written, err error) bool {
	if written.Applied != "" {
		c.written(written)
	} else if err != nil && nothingDone(err) {
		c.dropNote()
	}
	var refusal *shard.Refusal
	switch {
	case err == nil:
		return true
	case errors.As(err, &refusal):
		c.dropNote()
		c.refuseLicense(refusal)
	case errors.Is(err, shard.ErrTenantNotFound):
		c.refuse(&problem{code: cloudlicenses.LicenseNotActive, detail: c.whoIsGone()})
	default:
		c.fail(err)
	}
	return false
}

// whoIsGone says why a group takes no commands where a vendor's account and a tenant
// are concerned: a tenant that is suspended still has its vendors' ones.
func (c *call) whoIsGone() string {
	if _, err := c.server.shard.Tenant(c.context(), c.tenant); errors.Is(err, shard.ErrTenantNotFound) {
		return "the vendor has been suspended meanwhile"
	}
	return "the tenant has been deleted"
}

func (c *call) refuseLicense(r *shard.Refusal) {
	p := decided(r.Code, cloudlicenses.LayerNone, r.Detail, "")
	p.licenseID = r.LicenseID
	if r.Use.Plan != "" {
		p.use = &r.Use
	}
	pointer := func(at, detail string) { p.invalid = []body.FieldError{{Pointer: at, Detail: detail}} }
	switch {
	case r.Code == cloudlicenses.InvalidEntitlement:
		pointer("/entitlement", r.Detail)
	case r.Code == cloudlicenses.AlreadyExists && r.LicenseID == "":
		at, detail, _ := strings.Cut(r.Detail, ": ")
		p.detail = "the CRM account " + detail
		pointer("/"+at, detail)
	}
	c.refuse(p)
}

// readDirectory answers a query of the directory. code is asked once the answer
// is there: a refusal by a replica is confirmed at the leader first.
func (c *call) readDirectory(query shard.Command, code func() cloudlicenses.Code, o listOptions) bool {
	fresh, err := c.server.shard.ReadDirectory(c.context(), query, o.read)
	if err == nil && code() != cloudlicenses.OK && !o.read.Linearizable {
		fresh, err = c.server.shard.ReadDirectory(c.context(), query, shard.ReadOptions{Linearizable: true, MinIndex: o.read.MinIndex})
	}
	if err != nil {
		c.fail(err)
		return false
	}
	c.fresh(&fresh)
	return true
}

// ownLicense reads a license of the vendor. False means that the refusal is
// sent.
func (c *call) ownLicense(id cloudlicenses.LicenseID, o listOptions) (*directory.License, bool) {
	var r directory.LicenseResult
	query := shard.Command{Op: directory.QueryLicense, Payload: &directory.GetLicense{VendorID: c.vendor, ID: id}, Result: &r}
	if !c.readDirectory(query, func() cloudlicenses.Code { return r.Code }, o) {
		return nil, false
	}
	if r.Code != cloudlicenses.OK {
		c.refuse(&problem{code: r.Code, detail: r.Detail})
		return nil, false
	}
	return &r.License, true
}

// serveVendorLicenses is GET /api/v1/licenses on the vendors' host.
func (c *call) serveVendorLicenses() {
	o, ok := c.options()
	if !ok {
		return
	}
	args := c.ctx.QueryArgs()
	status := cloudlicenses.LicenseStatus(args.Peek("status"))
	if args.Has("status") && !status.Valid() {
		c.refuseQuery("status", "is no state of a license")
		return
	}
	var page directory.LicensePage
	list := &directory.ListLicenses{
		VendorID: c.vendor, TenantID: cloudlicenses.TenantID(args.Peek("tenant_id")), Status: status,
		ProductID: cloudlicenses.ProductID(args.Peek("product_id")), CRMAccount: string(args.Peek("crm_account_id")), Cursor: o.cursor, Limit: o.limit,
	}
	query := shard.Command{Op: directory.QueryLicenses, Payload: list, Result: &page}
	if c.readDirectory(query, func() cloudlicenses.Code { return page.Code }, o) {
		shown := newPage(page.Items, page.Next, c.showLicense)
		for i := range shown.Items {
			if !c.inUse(&page.Items[i], &shown.Items[i], o) {
				return
			}
		}
		c.send(fasthttp.StatusOK, shown)
	}
}

// serveVendorLicense is GET /api/v1/licenses/{id} on the vendors' host, with
// what is in use of it as a replica of the tenant's group knows.
func (c *call) serveVendorLicense() {
	o, ok := c.options()
	if !ok {
		return
	}
	l, ok := c.ownLicense(cloudlicenses.LicenseID(c.pathID), o)
	if !ok {
		return
	}
	shown := c.showLicense(l)
	if c.inUse(l, &shown, o) {
		c.send(fasthttp.StatusOK, shown)
	}
}

// inUse adds what is in use of a license, and what the running month has charged,
// as a replica of the tenant's group knows. False means that the refusal is sent.
func (c *call) inUse(l *directory.License, shown *shownLicense, o listOptions) bool {
	if l.Synced == 0 {
		return true
	}
	var page license.LicensePage
	fresh, err := c.server.shard.Read(c.context(), l.TenantID, shard.Command{
		Op: license.QueryLicenses, Payload: &license.ListLicenses{ID: l.ID, Limit: 1}, Result: &page,
	}, o.read)
	switch {
	case errors.Is(err, shard.ErrTenantNotFound): // suspended: nothing is in use
	case err != nil:
		c.fail(err)
		return false
	case len(page.Items) == 1:
		c.fresh(&fresh)
		s := &page.Items[0]
		pool := showPool(s)
		shown.Pool = &pool
		cost := cloudlicenses.Money{Minor: s.OverageMinor, Currency: s.License.Currency}
		shown.ThisMonth = &shownMonth{s.OverageUses, json.Number(cost.String())}
	}
	return true
}

func showPool(s *license.LicenseState) shownPool {
	pool := cloudlicenses.Pool{Commit: s.CommitInUse, Overage: s.OverageInUse}
	entitlement := cloudlicenses.Entitlement{Total: s.License.Total, CommitQty: s.License.CommitQty, MaxOverage: s.License.MaxOverage}
	return shownPool{pool.InUse(), pool.Commit, pool.Overage, pool.Available(entitlement)}
}
