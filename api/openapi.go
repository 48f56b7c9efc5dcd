package api

import (
	_ "embed"

	"github.com/valyala/fasthttp"
)

// openAPI is the machine-readable contract of every served route; a test
// holds it against the routes and real replies.
//
//go:embed openapi.yaml
var openAPI []byte

// serveOpenAPI is GET /openapi.yaml.
func (c *call) serveOpenAPI() {
	h := &c.ctx.Response.Header
	h.Set("Cache-Control", "public, max-age=300")
	h.SetContentType("application/yaml")
	h.SetBytesV(headerRequestID, c.id.text[:])
	c.ctx.SetStatusCode(fasthttp.StatusOK)
	c.ctx.Response.SetBodyRaw(openAPI)
}
