package portal

import (
	"bytes"
	"compress/gzip"
	"html"
	"net/http"
	"strings"
)

// Site is which of the portals a page is.
type Site string

// The portals. Unknown is the page of a host that is nobody's.
const (
	Apex    Site = "apex"
	Tenant  Site = "tenant"
	Vendors Site = "vendors"
	Admin   Site = "admin"
	Unknown Site = "unknown"
)

// Place is what a page is told of the host that it is asked of.
type Place struct {
	Site   Site
	Tenant string // of a tenant's host: its id
	Domain string // the platform's
	Secure bool   // over HTTPS, and never otherwise
}

// Request is what of an HTTP request decides its answer.
type Request struct {
	Method         string
	Path           string // decoded
	Accept         string
	AcceptEncoding string
	IfNoneMatch    string
}

// Header is one header field of an answer.
type Header struct{ Name, Value string }

// Answer is a whole response. Body must not be changed; that of a HEAD is
// what GET would get, for the HTTP server to leave out.
type Answer struct {
	Status  int
	Headers []Header
	Body    []byte
}

// reserved are paths that no page has, on any host.
var reserved = [...]string{"/api/", "/v1/", "/.well-known/", "/packages/", assets, "/debug/"}

// reads reports whether a request changes nothing.
func (r *Request) reads() bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// Navigates reports whether a browser goes to a page: what the client-side
// router shows at a path, the server need not know.
func (r *Request) Navigates() bool {
	if !r.reads() || !strings.Contains(r.Accept, "text/html") {
		return false
	}
	for _, prefix := range reserved {
		if strings.HasPrefix(r.Path, prefix) {
			return false
		}
	}
	return true
}

// Built reports whether the application is built in.
func (a *App) Built() bool { return a.index != nil }

// File answers a request for a file of the application; nil: there is none.
func (a *App) File(r *Request) *Answer {
	f := a.files[r.Path]
	if f == nil || !r.reads() {
		return nil
	}
	return r.answer(f, Header{"X-Content-Type-Options", "nosniff"}, Header{"Vary", "Accept-Encoding"})
}

// csp lets a page load from its own host alone. Mantine writes style elements
// as it runs, hence 'unsafe-inline' for styles; scripts have none. Pictures may
// be a vendor's logo, from wherever it keeps it.
const csp = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; " +
	"font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"

// notBuilt is what a browser sees of a binary that was built without npm.
const notBuilt = "The portal is not built in: run `make build`.\n"

// Page answers a request that Navigates with the application.
func (a *App) Page(at *Place, r *Request) *Answer {
	secured := []Header{
		{"Content-Security-Policy", csp},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "same-origin"},
		{"X-Frame-Options", "DENY"},
		{"Vary", "Accept, Accept-Encoding"},
	}
	if at.Secure {
		secured = append(secured, Header{"Strict-Transport-Security", "max-age=31536000"})
	}
	if !a.Built() {
		return &Answer{
			Status: http.StatusServiceUnavailable, Body: []byte(notBuilt),
			Headers: append(secured, Header{"Content-Type", contentTypes[".txt"]}, Header{"Cache-Control", "no-store"}),
		}
	}
	page := a.index.fill(at)
	f := &file{contentType: typeHTML, cacheControl: "no-cache", etag: etagOf(page), plain: page}
	if acceptsGzip(r.AcceptEncoding) {
		f.packed = pack(page)
	}
	if at.Site != Unknown {
		return r.answer(f, secured...)
	}
	whole := *r
	whole.IfNoneMatch = "" // what is not found has no conditions (RFC 9110, 13.2.1)
	answer := whole.answer(f, secured...)
	answer.Status = http.StatusNotFound
	return answer
}

// fill returns the page of a place.
func (t *template) fill(at *Place) []byte {
	var b bytes.Buffer
	b.Grow(len(t.before) + len(t.after) + 256)
	b.Write(t.before)
	b.WriteString(`data-site="` + html.EscapeString(string(at.Site)))
	b.WriteString(`" data-tenant="` + html.EscapeString(at.Tenant))
	b.WriteString(`" data-domain="` + html.EscapeString(at.Domain) + `"`)
	b.Write(t.after)
	return b.Bytes()
}

// answer sends f, or says that the client has it.
func (r *Request) answer(f *file, headers ...Header) *Answer {
	a := &Answer{Status: http.StatusOK, Body: f.plain, Headers: append(headers,
		Header{"Cache-Control", f.cacheControl}, Header{"ETag", f.etag})}
	if has(r.IfNoneMatch, f.etag) {
		a.Status, a.Body = http.StatusNotModified, nil
		return a
	}
	a.Headers = append(a.Headers, Header{"Content-Type", f.contentType})
	if f.packed != nil && acceptsGzip(r.AcceptEncoding) {
		a.Body, a.Headers = f.packed, append(a.Headers, Header{"Content-Encoding", "gzip"})
	}
	return a
}

// has reports whether an If-None-Match names etag (RFC 9110, 13.1.2: weakly
// compared).
func has(ifNoneMatch, etag string) bool {
	for tag := range strings.SplitSeq(ifNoneMatch, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// acceptsGzip reads an Accept-Encoding as far as it is about gzip.
func acceptsGzip(accepted string) bool {
	for coding := range strings.SplitSeq(accepted, ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, isWeight := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			return !isWeight || strings.Trim(q, "0.") != ""
		}
	}
	return false
}

// pack compresses content as far as gzip can.
func pack(content []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil { // the level is valid, and a buffer takes everything
		panic(err)
	}
	return b.Bytes()
}
