package api

import (
	"bytes"
	"encoding/json"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// customerRoutes are the rows of routeTable for a vendor's customers and, on
// the other side, a tenant's vendors.
func customerRoutes() []route {
	view, manage := cloudlicenses.ActViewLicenses, cloudlicenses.ActManageLicenses
	return []route{
		{method: "GET", path: "/api/v1/customers", name: "customers", on: onVendors, action: view, handle: (*call).serveCustomers},
		{method: "GET", path: "/api/v1/customers/search", name: "customer_search", on: onVendors, action: view, handle: (*call).serveCustomerSearch},
		{method: "PATCH", path: "/api/v1/customers/{id}", name: "customer_update", on: onVendors, action: manage, handle: (*call).serveUpdateCustomer},
		{method: "GET", path: "/api/v1/vendors", name: "linked_vendors", on: forUsers, action: cloudlicenses.ActViewSettings, handle: (*call).serveVendors},
		{method: "POST", path: "/api/v1/vendors/{id}/block", name: "vendor_block", on: forUsers, action: cloudlicenses.ActManageSettings, handle: (*call).serveBlockVendor},
		{method: "POST", path: "/api/v1/vendors/{id}/unblock", name: "vendor_unblock", on: forUsers, action: cloudlicenses.ActManageSettings, handle: (*call).serveUnblockVendor},
	}
}

// foundCustomer is a customer as a search finds it (seed B3).
type foundCustomer struct {
	CRMAccount   string                     `json:"crm_account_id"`
	CustomerID   string                     `json:"platform_customer_id"`
	TenantID     cloudlicenses.TenantID     `json:"tenant_id"`
	TenantURL    string                     `json:"tenant_url"`
	Company      string                     `json:"company_name"`
	Status       cloudlicenses.TenantStatus `json:"status"`
	RegisteredAt *string                    `json:"registered_at"`
}

// shownCustomer is a customer with what the vendor has set and what the tenant
// has.
type shownCustomer struct {
	foundCustomer
	Name          string  `json:"name"` // as the vendor calls it
	LinkedAt      *string `json:"linked_at"`
	AutoProvision *bool   `json:"auto_provision"` // null: as the vendor's own setting
	Blocked       bool    `json:"blocked"`
}

func (c *call) showFound(f *directory.FoundCustomer) foundCustomer {
	t := &f.Tenant
	return foundCustomer{f.Customer.CRMAccount, t.CustomerID, t.ID, c.server.TenantURL(t.ID), t.Company, t.Status, timeText(t.CreatedMillis)}
}

func (c *call) showCustomer(f *directory.FoundCustomer) shownCustomer {
	shown := shownCustomer{c.showFound(f), f.Customer.Company, timeText(f.Customer.LinkedMillis), nil, f.Blocked}
	if f.Customer.AutoProvision != directory.SwitchUnset {
		on := f.Customer.AutoProvision == directory.SwitchOn
		shown.AutoProvision = &on
	}
	return shown
}

// serveCustomers is GET /api/v1/customers.
func (c *call) serveCustomers() {
	o, ok := c.options()
	if !ok {
		return
	}
	var page directory.CustomerPage
	query := shard.Command{
		Op: directory.QueryCustomers, Payload: &directory.ListCustomers{VendorID: c.vendor, Cursor: o.cursor, Limit: o.limit}, Result: &page,
	}
	if c.readDirectory(query, func() cloudlicenses.Code { return page.Code }, o) {
		c.send(fasthttp.StatusOK, newPage(page.Items, page.Next, c.showCustomer))
	}
}

// serveCustomerSearch is GET /api/v1/customers/search, by one of three.
func (c *call) serveCustomerSearch() {
	o, ok := c.options()
	if !ok {
		return
	}
	args := c.ctx.QueryArgs()
	list := &directory.ListCustomers{
		VendorID: c.vendor, CRMAccount: string(args.Peek("crm_account_id")), TenantID: cloudlicenses.TenantID(args.Peek("tenant_id")),
		Name: string(args.Peek("name")), Limit: cloudlicenses.MaxListLimit,
	}
	if list.CRMAccount == "" && list.TenantID == "" && list.Name == "" {
		c.refuse(&problem{code: cloudlicenses.InvalidField, detail: "nothing to look for", invalid: []body.FieldError{
			{Parameter: "crm_account_id", Detail: "send this, tenant_id or name"},
		}})
		return
	}
	var all []directory.FoundCustomer
	for more := true; more && len(all) < cloudlicenses.MaxListLimit; {
		var page directory.CustomerPage
		query := shard.Command{Op: directory.QueryCustomers, Payload: list, Result: &page}
		missing := func() cloudlicenses.Code { // nothing found is confirmed at the leader
			if len(page.Items) == 0 && page.Next == "" {
				return cloudlicenses.NotFound
			}
			return page.Code
		}
		if !c.readDirectory(query, missing, o) {
			return
		}
		all = append(all, page.Items...)
		list.Cursor, more = page.Next, page.Next != ""
	}
	c.sendFound(all[:min(len(all), cloudlicenses.MaxListLimit)], list.Name != "")
}

// sendFound answers a search. One by name lists everybody.
func (c *call) sendFound(all []directory.FoundCustomer, byName bool) {
	reply := struct {
		Found     bool            `json:"found"`
		Customer  *foundCustomer  `json:"customer,omitempty"`
		Customers []foundCustomer `json:"customers,omitempty"`
	}{Found: len(all) > 0}
	for i := range all {
		found := c.showFound(&all[i])
		if i == 0 {
			reply.Customer = &found
		}
		if byName {
			reply.Customers = append(reply.Customers, found)
		}
	}
	c.send(fasthttp.StatusOK, reply)
}

// serveUpdateCustomer is PATCH /api/v1/customers/{id}, by CRM account.
func (c *call) serveUpdateCustomer() {
	var in struct {
		AutoProvision json.RawMessage `json:"auto_provision"` // true, false or null
	}
	if !c.decode(&in) {
		return
	}
	set := directory.SetCustomer{VendorID: c.vendor, CRMAccount: string(c.pathID)}
	var w wrong
	switch value := string(bytes.TrimSpace(in.AutoProvision)); value {
	case "true":
		set.AutoProvision = directory.SwitchOn
	case "false":
		set.AutoProvision = directory.SwitchOff
	case "null":
	default:
		w.check(true, "auto_provision", "must be true, false, or null for the vendor's own setting")
	}
	if !c.valid(w) {
		return
	}
	if cloudlicenses.ValidateForeignID(set.CRMAccount) != nil { // it would be in the audit log
		c.refuse(&problem{code: cloudlicenses.NotFound, detail: "no customer of this CRM account is linked"})
		return
	}
	if !c.intend("customer.update", "", "", set.CRMAccount) {
		return
	}
	r, written, err := c.server.shard.SetCustomer(c.context(), set)
	if c.decidedLicense(written, err) {
		c.note("", "", set.CRMAccount)
		c.send(fasthttp.StatusOK, c.showCustomer(&r.Customer))
	}
}

// shownLink is a vendor as a tenant sees it.
type shownLink struct {
	VendorID  cloudlicenses.VendorID `json:"vendor_id"`
	Name      string                 `json:"name"`
	Licenses  int64                  `json:"licenses"`
	LinkedAt  *string                `json:"linked_at"`
	Blocked   bool                   `json:"blocked"`
	BlockedAt *string                `json:"blocked_at"`
}

func showLink(l *directory.LinkedVendor) shownLink {
	return shownLink{
		l.Link.VendorID, l.Name, l.Licenses, timeText(l.Link.LinkedMillis), l.Link.BlockedMillis != 0, timeText(l.Link.BlockedMillis),
	}
}

// serveVendors is GET /api/v1/vendors: who may provision to the tenant.
func (c *call) serveVendors() {
	o, ok := c.options()
	if !ok {
		return
	}
	var page directory.LinkPage
	query := shard.Command{Op: directory.QueryLinks, Payload: &directory.ListLinks{TenantID: c.tenant, Cursor: o.cursor, Limit: o.limit}, Result: &page}
	if c.readDirectory(query, func() cloudlicenses.Code { return page.Code }, o) {
		c.send(fasthttp.StatusOK, newPage(page.Items, page.Next, showLink))
	}
}

func (c *call) serveBlockVendor()   { c.blockVendor(true) }
func (c *call) serveUnblockVendor() { c.blockVendor(false) }

// blockVendor is POST /api/v1/vendors/{id}/block and unblock.
func (c *call) blockVendor(blocked bool) {
	action := "vendor.unblock"
	if blocked {
		action = "vendor.block"
	}
	if cloudlicenses.ValidateID(string(c.pathID)) != nil { // it would be in the audit log
		c.refuse(&problem{code: cloudlicenses.NotFound, detail: "no such vendor is linked with the tenant"})
		return
	}
	if !c.intend(action, "", "", string(c.pathID)) {
		return
	}
	r, written, err := c.server.shard.BlockVendor(c.context(), directory.BlockVendor{
		TenantID: c.tenant, VendorID: cloudlicenses.VendorID(c.pathID), Blocked: blocked,
	})
	if c.decidedLicense(written, err) {
		c.note("", "", string(c.pathID))
		c.send(fasthttp.StatusOK, showLink(&r.Link))
	}
}
