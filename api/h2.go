package api

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/guard"
)

// fasthttp speaks HTTP/1.1 only. A connection on the TLS port whose ALPN chose
// h2 is handed to a net/http server, which frames by itself and leaves the
// guard nothing to do; its requests go through the same handler as all others.

// maxStreams bounds the requests that one HTTP/2 connection may have open.
const maxStreams = 250

// h2 is the HTTP/2 half of the edge, and the listener that its server accepts
// from: connections come from fasthttp's, which has done their handshake.
type h2 struct {
	server *http.Server
	start  sync.Once
	handed chan net.Conn
	closed chan struct{}
	close  sync.Once
	conns  sync.Map // net.Conn → *h2Conn
}

// h2Conn is a connection that was handed over.
type h2Conn struct {
	guard *guard.TLSConn
	done  chan struct{} // closed when net/http is through with it
}

type h2Key struct{}

func (s *Server) newH2() *h2 {
	h := &h2{handed: make(chan net.Conn), closed: make(chan struct{})}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	h.server = &http.Server{
		Handler:           http.HandlerFunc(s.handleH2),
		Protocols:         protocols,
		ReadHeaderTimeout: cloudlicenses.HeaderTimeout,
		IdleTimeout:       cloudlicenses.IdleTimeout,
		MaxHeaderBytes:    cloudlicenses.MaxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      cloudlicenses.BodyTimeout,
			WriteByteTimeout:     guard.WriteTimeout,
		},
		ErrorLog: discardLog,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			known, _ := h.conns.Load(conn)
			return context.WithValue(ctx, h2Key{}, known)
		},
		ConnState: func(conn net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				if known, ok := h.conns.LoadAndDelete(conn); ok {
					close(known.(*h2Conn).done)
				}
			}
		},
	}
	return h
}

// serve serves one connection to its end.
func (h *h2) serve(conn net.Conn) error {
	g, ok := conn.(*guard.TLSConn)
	if !ok {
		return conn.Close()
	}
	g.Names() // from here on it is only read, by all streams
	guard.Of(g).Shared = true
	bare := g.Bare()
	if err := bare.SetDeadline(time.Time{}); err != nil {
		return err
	}
	h.start.Do(func() { go func() { _ = h.server.Serve(h) }() })
	known := &h2Conn{guard: g, done: make(chan struct{})}
	h.conns.Store(bare, known)
	select {
	case h.handed <- bare:
		<-known.done
		return nil
	case <-h.closed:
		h.conns.Delete(bare)
		return bare.Close()
	}
}

// Accept implements net.Listener.
func (h *h2) Accept() (net.Conn, error) {
	select {
	case conn := <-h.handed:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *h2) Close() error {
	h.close.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *h2) Addr() net.Addr { return &net.TCPAddr{} }

// shutdown ends every connection once its requests are answered.
func (h *h2) shutdown(ctx context.Context) error {
	_ = h.Close()
	return h.server.Shutdown(ctx)
}

// handleH2 answers one HTTP/2 request by the handler of all requests.
func (s *Server) handleH2(w http.ResponseWriter, r *http.Request) {
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
	case slices.ContainsFunc(r.Header[fasthttp.HeaderHost], func(host string) bool { return host != r.Host }): // RFC 9113, 8.3.1
		s.netCall(w, r).refuse(&problem{code: cloudlicenses.MalformedRequest, detail: "the host field is not the :authority"})
		return
	}
	r.Header.Del(fasthttp.HeaderHost)
	var ctx fasthttp.RequestCtx
	ctx.Init2(r.Context().Value(h2Key{}).(*h2Conn).guard, quiet{}, false)
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
	s.front(&ctx)
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
	if response.IsBodyStream() {
		copyStream(w, r, response)
		return
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(response.Body())
	}
}

// copyStream sends what a handler streams as it comes.
func copyStream(w http.ResponseWriter, r *http.Request, response *fasthttp.Response) {
	stop := context.AfterFunc(r.Context(), func() { _ = response.CloseBodyStream() })
	defer func() {
		if stop() {
			_ = response.CloseBodyStream()
		}
	}()
	control, stream, b := http.NewResponseController(w), response.BodyStream(), make([]byte, 16<<10)
	for {
		n, err := stream.Read(b)
		if n > 0 {
			if _, failed := w.Write(b[:n]); failed != nil || control.Flush() != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
