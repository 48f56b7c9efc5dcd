package api

import (
	"errors"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Sign-up of vendors: as that of tenants, on the vendors' host and on the
// platform's own.

// vendorSignUpRoutes are its rows of routeTable.
func vendorSignUpRoutes(on audience) []route {
	return []route{
		{method: "POST", path: "/api/v1/vendors/register", name: "vendor_register", on: on, handle: (*call).serveVendorRegister},
		{method: "POST", path: "/api/v1/vendors/verify", name: "vendor_verify", on: on, handle: (*call).serveVendorVerify},
	}
}

// defaultPrefix is a vendor's license prefix where none is named: its id up to
// the first hyphen, "vector" of "vector-de".
func defaultPrefix(vendor string) string {
	prefix, _, _ := strings.Cut(vendor, "-")
	return prefix
}

// serveVendorRegister is POST /api/v1/vendors/register.
func (c *call) serveVendorRegister() {
	var n struct {
		Company companyFields `json:"company"`
		Vendor  struct {
			ID            string `json:"id"`
			Region        string `json:"region"`
			LicensePrefix string `json:"license_prefix"`
		} `json:"vendor"`
		Admin adminFields `json:"admin"`
	}
	if !c.decode(&n) {
		return
	}
	var w wrong
	in := w.signUp(&n.Company, n.Vendor.Region, &n.Admin)
	id := cloudlicenses.VendorID(n.Vendor.ID)
	if err := id.ValidateSignUp(); err != nil {
		w.check(true, "vendor/id", err.Error())
	}
	w.check(cloudlicenses.ValidateID(in.Region) != nil, "vendor/region", "must be a region, such as eu-central")
	in.ID, in.Prefix = id.Account(), n.Vendor.LicensePrefix
	if in.Prefix == "" {
		in.Prefix = defaultPrefix(n.Vendor.ID)
	} else if err := cloudlicenses.ValidateLicensePrefix(in.Prefix); err != nil {
		w.check(true, "vendor/license_prefix", err.Error())
	}
	if !c.valid(w) || !c.mayRegister() {
		return
	}
	r, err := c.server.shard.Register(c.context(), in)
	if err != nil {
		c.refuseSignUp(err, "/vendor")
		return
	}
	c.out = appendMember(c.out[:0], `{"vendor_id":`, string(id))
	c.out = appendMember(c.out, `,"license_prefix":`, in.Prefix)
	c.out = appendMember(c.out, `,"vendor_url":`, c.server.VendorsURL())
	c.registered(&in, &r)
}

// serveVendorVerify is POST /api/v1/vendors/verify.
func (c *call) serveVendorVerify() {
	var n struct {
		VendorID string `json:"vendor_id"`
		Token    string `json:"verification_token"`
	}
	if !c.decode(&n) {
		return
	}
	n.Token = bareToken(n.Token)
	var w wrong
	w.verification("vendor_id", "a vendor id", n.VendorID, n.Token)
	if !c.valid(w) {
		return
	}
	account, written, err := c.server.shard.Verify(c.context(), cloudlicenses.VendorID(n.VendorID).Account(), n.Token)
	if err != nil {
		var refusal *shard.Refusal
		if errors.As(err, &refusal) && refusal.Code == cloudlicenses.TenantNotFound {
			refusal.Code = cloudlicenses.NotFound
		}
		c.refuseSignUp(err, "/vendor")
		return
	}
	url := c.server.VendorsURL()
	c.out = appendMember(c.out[:0], `{"vendor_id":`, n.VendorID)
	c.out = appendMember(c.out, `,"status":`, "verified")
	c.out = appendMember(c.out, `,"vendor_url":`, url)
	c.out = appendMember(c.out, `,"admin_login":`, url+"/login")
	c.out = append(appendMember(c.out, `,"created_at":`, *timeText(account.CreatedMillis)), '}')
	c.unstored()
	c.written(written)
	c.reply(fasthttp.StatusOK)
}
