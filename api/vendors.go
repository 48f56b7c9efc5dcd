package api

import (
	"slices"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
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
	me := shownMe{VendorID: c.vendor}
	if c.user != nil {
		user := showUser(&c.user.User)
		me.ExpiresAt, me.User = timeText(c.user.Session.ExpiresMillis), &user
	} else {
		me.ExpiresAt, me.KeyID, me.AppName = timeText(c.key.ExpiresMillis), c.key.ID, c.key.AppName
	}
	c.send(fasthttp.StatusOK, me)
}
