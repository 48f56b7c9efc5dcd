package api

import (
	"errors"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// On the vendors' host the key or the session itself says which vendor asks. A
// key acts as an administrator of its vendor in everything but people: users,
// sessions and passwords are for users alone.

const headerVendorID = "X-Vendor-Id"

var (
	problemNoVendorKey = &problem{
		code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey,
		detail: "send Authorization: Bearer <API key of a vendor>, or log in by POST /api/v1/login",
	}
	problemBadVendorKey = &problem{
		code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey, detail: "the API key is not valid for a vendor",
	}
	problemVendorMismatch = &problem{
		code: cloudlicenses.VendorMismatch, layer: cloudlicenses.LayerHost,
		detail: "the key or session is of another vendor than X-Vendor-ID or the white-label host",
	}
)

// authenticateVendor finds out which vendor asks, by a key or, where the route
// is for users, by a session alone.
func (c *call) authenticateVendor() *problem {
	token, byCookie := c.sessionToken()
	vendor, isSession := shard.ParseVendorSession(token)
	if !isSession {
		var err error
		if vendor, err = shard.ParseVendorKey(token); c.route.on == forVendorUsers {
			return noSession(token)
		} else if token == "" || byCookie {
			return problemNoVendorKey
		} else if err != nil {
			return problemBadVendorKey
		}
	}
	if p := c.ofVendor(vendor); p != nil {
		return p
	}
	if isSession {
		return c.authenticateSession(token, byCookie)
	}
	return c.authenticateVendorKey(token)
}

// ofVendor makes the request one of vendor's, unless it names another one.
func (c *call) ofVendor(vendor cloudlicenses.VendorID) *problem {
	if c.site.vendor != "" && c.site.vendor != vendor {
		return problemVendorMismatch
	}
	for _, named := range c.ctx.Request.Header.PeekAll(headerVendorID) {
		if string(named) != string(vendor) {
			return problemVendorMismatch
		}
	}
	c.vendor, c.tenant = vendor, vendor.Account()
	return nil
}

// authenticateVendorKey asks the access chain of the vendor's account.
func (c *call) authenticateVendorKey(key string) *problem {
	secrets := c.server.shard.Secrets()
	if secrets == nil || c.server.signer() == nil {
		return problemNotReady
	}
	c.caller = license.Caller{KeyHash: shard.HashAPIKey(secrets.KeyHMAC, key), Address: c.address(), CertName: c.certName()}
	if p := c.facts(); p != nil {
		return p
	}
	facts, err := c.server.shard.VendorKey(c.context(), c.vendor, &c.caller, !c.ctx.IsGet() && !c.ctx.IsHead())
	switch {
	case errors.Is(err, shard.ErrTenantNotFound):
		return problemBadVendorKey
	case err != nil:
		return c.broken(err)
	case facts.Code == cloudlicenses.Unauthenticated:
		return problemBadVendorKey
	case facts.Code != cloudlicenses.OK:
		return decided(facts.Code, facts.Layer, facts.Detail, "")
	}
	c.key, c.session = &facts.Key.Key, c.caller.KeyHash
	return nil
}

// whose reads the vendor_id of a body that comes without key or session. On a
// tenant's host there is none: the host says it.
func (c *call) whose(w *wrong, id *string) {
	switch {
	case !c.site.vendors:
		w.check(id != nil, "vendor_id", "is for the vendors' host alone")
	case id == nil && c.site.vendor == "":
		w.check(true, "vendor_id", "is missing: say which vendor's user it is")
	case id != nil && cloudlicenses.ValidateID(*id) != nil:
		w.check(true, "vendor_id", cloudlicenses.ErrID.Error())
	case id != nil && c.site.vendor != "" && *id != string(c.site.vendor):
		w.check(true, "vendor_id", "is another vendor than that of the white-label host")
	default:
		if c.vendor = c.site.vendor; id != nil {
			c.vendor = cloudlicenses.VendorID(*id)
		}
		c.tenant = c.vendor.Account()
	}
}
