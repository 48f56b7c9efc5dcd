package api

import (
	"errors"
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses/portal"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// The portal is what browsers get where the API has no route, and where a path
// is of both: by their Accept alone, so that no client of the API ever gets it.

// acceptVaries is the Vary of replies that browsers get a page instead of.
const acceptVaries = "Accept"

// portalRequest is the request as the portal judges it.
func (c *call) portalRequest() *portal.Request {
	h := &c.ctx.Request.Header
	return &portal.Request{
		Method: string(c.ctx.Method()), Path: string(c.ctx.URI().Path()),
		Accept: string(h.Peek("Accept")), AcceptEncoding: string(h.Peek("Accept-Encoding")), IfNoneMatch: string(h.Peek("If-None-Match")),
	}
}

// servePortal answers with a file of the portal, or a page where a browser goes
// to one. False: it is neither.
func (c *call) servePortal(at site) bool {
	r := c.portalRequest()
	if file := c.server.portal.File(r); file != nil {
		c.sendPortal(file)
		return true
	}
	return c.servePage(at, r)
}

// servePage answers a browser that goes to a page of at. False: it does not.
func (c *call) servePage(at site, r *portal.Request) bool {
	if !r.Navigates() {
		return false
	}
	c.sendPortal(c.server.portal.Page(c.place(at), r))
	return true
}

// place is what a page is told of its host.
func (c *call) place(at site) *portal.Place {
	place := c.server.portalPlace(portal.Apex)
	switch {
	case at.stranger:
		place.Site = portal.Unknown
	case at.vendors:
		place.Site = portal.Vendors
	case at.tenant != "":
		// Where nobody can say now whether there is such a tenant, its page can't
		// either: it asks the API again.
		if _, err := c.server.shard.Tenant(c.context(), at.tenant); errors.Is(err, shard.ErrTenantNotFound) {
			place.Site = portal.Unknown
			break
		}
		place.Site, place.Tenant = portal.Tenant, string(at.tenant)
	}
	return place
}

func (s *Server) portalPlace(of portal.Site) *portal.Place {
	return &portal.Place{Site: of, Domain: s.domain, Secure: s.cfg.Scheme == "https"}
}

// sendPortal sends what the portal answers.
func (c *call) sendPortal(a *portal.Answer) {
	c.route = c.server.portalRoute
	h := &c.ctx.Response.Header
	h.SetBytesV(headerRequestID, c.id.text[:])
	for _, field := range a.Headers {
		h.Set(field.Name, field.Value)
	}
	c.ctx.SetStatusCode(a.Status)
	if a.Status != fasthttp.StatusNotModified {
		c.ctx.Response.SetBodyRaw(a.Body)
	}
}

// servePortal is the same on the admin address, for the operators' portal.
func (c *adminCall) servePortal() bool {
	h := c.r.Header
	r := &portal.Request{
		Method: c.r.Method, Path: c.r.URL.Path,
		Accept: h.Get("Accept"), AcceptEncoding: h.Get("Accept-Encoding"), IfNoneMatch: h.Get("If-None-Match"),
	}
	app := c.server.portal
	answer := app.File(r)
	if answer == nil && r.Navigates() {
		answer = app.Page(c.server.portalPlace(portal.Admin), r)
	}
	if answer == nil {
		return false
	}
	for _, field := range answer.Headers {
		c.w.Header().Set(field.Name, field.Value)
	}
	c.w.WriteHeader(answer.Status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(answer.Body)
	}
	return true
}
