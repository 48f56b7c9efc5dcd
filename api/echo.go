package api

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/api/guard"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// Echo answers the requests of ln until it is closed, each as if it had been
// granted: the guard, the HTTP server, the decoder and the encoder of the edge,
// with nothing behind them and nobody asked who he is. It is what the
// benchmarks hold the cluster against.
//
// A path that ends in /return is a return, any other a checkout; a body that
// does not decode is a 400.
func Echo(ln net.Listener) error {
	refuse := func(*guard.Refusal) []byte {
		return []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	}
	e := &echo{}
	e.replies.New = func() any { return &echoReply{} }
	return newHTTP(e.handle).Serve(&guard.Listener{Listener: ln, Refuse: refuse})
}

// echo grants leases that exist nowhere.
type echo struct {
	leases  atomic.Uint64
	replies sync.Pool
}

// echoReply is the working space of one reply.
type echoReply struct {
	dec   body.Decoder
	op    body.Operation
	lease license.Lease
	out   []byte
}

func (e *echo) handle(ctx *fasthttp.RequestCtx) {
	r, _ := e.replies.Get().(*echoReply) // the pool holds nothing else
	defer e.replies.Put(r)
	kind := body.Checkout
	if strings.HasSuffix(string(ctx.Path()), "/return") {
		kind = body.Return
	}
	r.dec.DecodeOperation(ctx.Request.Body(), kind, &r.op)
	if r.dec.Failed() || len(r.dec.Invalid) > 0 {
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
		return
	}
	now := time.Now().UnixMilli()
	if kind == body.Return {
		r.lease = license.Lease{ID: r.op.Lease, LicenseID: "lic-echo-bench-2026-001", EndedMillis: now}
		r.out = append(appendReturned(append(r.out[:0], '{'), &r.lease), '}')
		ctx.SetStatusCode(fasthttp.StatusOK)
	} else {
		r.lease = license.Lease{
			ID: cloudlicenses.LeaseID(e.leases.Add(1)), LicenseID: "lic-echo-bench-2026-001",
			ProductID: cloudlicenses.ProductID(r.op.Product), User: string(r.op.User), Count: r.op.Count,
			TTLMillis: r.op.TTLSeconds * 1000, IssuedMillis: now, ExpiresMillis: now + r.op.TTLSeconds*1000,
		}
		r.out = append(appendGrant(append(r.out[:0], '{'), &r.lease), '}')
		ctx.SetStatusCode(fasthttp.StatusCreated)
	}
	// Of the length that the headers of a real reply have.
	h := &ctx.Response.Header
	h.SetContentType(typeJSON)
	h.Set(headerRequestID, "00000000-0000-7000-8000-000000000000")
	h.Set(headerApplied, "g1:1000000")
	ctx.Response.SetBody(r.out)
}
