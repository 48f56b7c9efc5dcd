package api

import (
	"io"
	"net"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/net/http2"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/guard"
)

// fasthttp speaks HTTP/1.1 only. A client that asks for h2 by ALPN on the TLS
// port is served by x/net's HTTP/2, whose framing leaves a guard nothing to
// do; its requests go through the same handler as all others.

// maxStreams bounds the requests that one HTTP/2 connection may have open.
const maxStreams = 250

// newH2 returns the HTTP/2 half of the edge: the protocol, and the net/http
// server that holds its limits and tells its connections to end.
func newH2() (*http2.Server, *http.Server) {
	base := &http.Server{
		ReadHeaderTimeout: cloudlicenses.HeaderTimeout,
		IdleTimeout:       cloudlicenses.IdleTimeout,
		MaxHeaderBytes:    cloudlicenses.MaxHeaderBytes,
	}
	h2 := &http2.Server{
		MaxConcurrentStreams: maxStreams,
		IdleTimeout:          cloudlicenses.IdleTimeout,
		ReadIdleTimeout:      cloudlicenses.BodyTimeout,
		WriteByteTimeout:     guard.WriteTimeout,
	}
	if err := http2.ConfigureServer(base, h2); err != nil {
		panic("configure HTTP/2: " + err.Error()) // only a TLS configuration can be wrong, and base has none
	}
	return h2, base
}

// serveH2 serves one connection on which ALPN chose h2.
func (s *Server) serveH2(conn net.Conn) error {
	g, ok := conn.(*guard.TLSConn)
	if !ok {
		return conn.Close()
	}
	g.Names() // from here on it is only read, by all streams
	bare := g.Bare()
	if err := bare.SetDeadline(time.Time{}); err != nil {
		return err
	}
	s.h2.ServeConn(bare, &http2.ServeConnOpts{
		Context: s.ctx, BaseConfig: s.h2Base,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handleH2(g, w, r) }),
	})
	return nil
}

// handleH2 answers one HTTP/2 request by the handler of all requests.
func (s *Server) handleH2(g *guard.TLSConn, w http.ResponseWriter, r *http.Request) {
	// A body must be there in time; the connection stays for other streams.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(cloudlicenses.BodyTimeout))
	body, err := io.ReadAll(io.LimitReader(r.Body, cloudlicenses.MaxBodyBytes+1))
	refusal := guard.CheckTarget([]byte(r.RequestURI), []byte(r.Host))
	switch {
	case refusal != nil:
		s.netCall(w, r).refuse(&problem{code: refusal.Code, status: refusal.Status, detail: refusal.Detail})
		return
	case err != nil:
		s.netCall(w, r).refuse(&problem{code: cloudlicenses.MalformedRequest, detail: "the body could not be read"})
		return
	case len(body) > cloudlicenses.MaxBodyBytes:
		s.netCall(w, r).refuse(&problem{code: cloudlicenses.BodyTooLarge, detail: bodyTooLarge})
		return
	case len(r.Header["Authorization"]) > 1 || len(r.Header[headerIdempotency]) > 1:
		s.netCall(w, r).refuse(&problem{code: cloudlicenses.MalformedRequest, detail: "Authorization and Idempotency-Key may be given once"})
		return
	}
	var ctx fasthttp.RequestCtx
	ctx.Init2(g, quiet{}, false)
	request := &ctx.Request
	request.Header.SetMethod(r.Method)
	request.SetRequestURI(r.RequestURI)
	request.Header.SetHost(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			request.Header.Add(name, value)
		}
	}
	request.SetBodyRaw(body)
	s.handle(&ctx)
	copyH2(w, r, &ctx.Response)
}

// copyH2 sends what the handler answered.
func copyH2(w http.ResponseWriter, r *http.Request, response *fasthttp.Response) {
	header := w.Header()
	for name, value := range response.Header.All() {
		if string(name) != fasthttp.HeaderConnection && string(name) != fasthttp.HeaderContentLength {
			header.Add(string(name), string(value))
		}
	}
	w.WriteHeader(response.StatusCode())
	if r.Method != http.MethodHead {
		_, _ = w.Write(response.Body())
	}
}
