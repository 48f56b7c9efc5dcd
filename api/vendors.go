package api

import (
	"slices"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// vendorRoutes are the rows of routeTable for the vendors' host.
func vendorRoutes() []route {
	return append(slices.Concat(vendorUserRoutes(), vendorSignUpRoutes(onVendorsOpen), vendorSignUpRoutes(onApex),
		vendorKeyRoutes(), vendorSettingsRoutes(), vendorProductRoutes(), vendorWebhookRoutes()),
		route{method: "GET", path: "/api/v1/me", name: "vendor_me", on: onVendors, action: cloudlicenses.ActOwnAccount, handle: (*call).serveVendorMe},
	)
}

// vendorUserRoutes are userRoutes on the vendors' host: its people are users of
// a vendor's account.
func vendorUserRoutes() []route {
	var rows []route
	for _, row := range userRoutes() {
		switch {
		case row.name == "me", row.name == "release":
			continue // of keys as well; of tenants alone
		case row.on == forUsers:
			row.on = forVendorUsers
		case row.on == onTenantOpen:
			row.on = onVendorsOpen
		}
		row.name = "vendor_" + row.name
		rows = append(rows, row)
	}
	return rows
}

// vendorWebhookRoutes are webhookRoutes on the vendors' host.
func vendorWebhookRoutes() []route {
	rows := webhookRoutes()
	for i := range rows {
		rows[i].on, rows[i].name = onVendors, "vendor_"+rows[i].name
	}
	return rows
}

// serveVendorMe is GET /api/v1/me on the vendors' host.
func (c *call) serveVendorMe() {
	o, ok := c.options()
	if !ok {
		return
	}
	vendor, fresh, err := c.server.shard.Vendor(c.context(), c.vendor, o.read)
	if err != nil {
		c.refuseVendor(err)
		return
	}
	c.fresh(&fresh)
	me := shownMe{VendorID: c.vendor, Company: vendor.Name, May: permissions(cloudlicenses.VendorKeyMay), Branding: brandingOf(&vendor)}
	if c.user != nil {
		me.Role, me.May = c.user.User.Role, permissions(c.user.User.Role.May)
		user := showUser(&c.user.User)
		me.ExpiresAt, me.User = timeText(c.user.Session.ExpiresMillis), &user
	} else {
		me.ExpiresAt, me.KeyID, me.AppName = timeText(c.key.ExpiresMillis), c.key.ID, c.key.AppName
	}
	c.send(fasthttp.StatusOK, me)
}

// serveVendorLoginWays is GET /api/v1/login on the vendors' host: a white-label
// host says whose users log in there.
func (c *call) serveVendorLoginWays() {
	ways := shownLoginWays{Password: true}
	if c.site.vendor != "" {
		vendor, fresh, err := c.server.shard.Vendor(c.context(), c.site.vendor, shard.ReadOptions{})
		if err != nil {
			c.refuseVendor(err)
			return
		}
		c.fresh(&fresh)
		ways.VendorID, ways.Company, ways.Branding = c.site.vendor, vendor.Name, brandingOf(&vendor)
	}
	c.send(fasthttp.StatusOK, ways)
}
