package api

import (
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
)

// front answers what is served whatever the Host, such as a node's bare
// address, and leaves every other request to handle.
func (s *Server) front(ctx *fasthttp.RequestCtx) {
	path := ctx.Path()
	for _, row := range s.everywhere {
		if row.path == string(path) {
			if s.serveStranger(ctx, row) {
				return
			}
			break
		}
	}
	s.handle(ctx)
}

// serveStranger answers a request of row for a host that is none of the
// platform's. False: it is for another one, or not to be answered so.
func (s *Server) serveStranger(ctx *fasthttp.RequestCtx, row *route) bool {
	start := time.Now()
	c := s.acquire(ctx)
	defer s.release(c)
	if _, p := c.host(); p != problemNoTenant || choose([]*route{row}, ctx.Method()) == nil || !validQuery(ctx.URI().QueryString()) {
		return false
	}
	c.route, c.site = row, site{stranger: true}
	row.handle(c)
	s.metrics.observe(c.routeIndex(), meaningIndexOrOK(cloudlicenses.OK), time.Since(start))
	return true
}

// serveWelcome is GET /: where what is; to browsers the portal.
func (c *call) serveWelcome() {
	if c.servePage(c.site, c.portalRequest()) {
		return
	}
	c.out = append(c.out[:0], `{"service":"cloudlicenses"`...)
	c.out = appendMember(c.out, `,"tenants":`, c.server.problemType.tenant)
	c.out = appendMember(c.out, `,"openapi":`, c.server.BaseURL()+"/openapi.yaml")
	c.out = append(c.out, "}\n"...)
	c.ctx.Response.Header.Set("Cache-Control", "public, max-age=300")
	c.ctx.Response.Header.Set("Vary", acceptVaries)
	c.reply(fasthttp.StatusOK)
}
