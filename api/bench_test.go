package api

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

// BenchmarkCheckout is a checkout and its return through guard, fasthttp and
// a real group of one replica, by one caller per connection.
func BenchmarkCheckout(b *testing.B) {
	p := newPool(b, 1_000_000, 0)
	uri := "http://" + live.edge
	checkout := `{"product_id":"cad","user":"alice@example.com"}`
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		client := &fasthttp.HostClient{Addr: live.edge, Dial: func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }}
		var request fasthttp.Request
		var response fasthttp.Response
		ask := func(path string, body []byte, status int) []byte {
			request.Reset()
			request.SetRequestURI(uri + path)
			request.Header.SetMethod("POST")
			request.SetHost(string(p.tenant) + ".localhost")
			request.UseHostHeader = true
			request.Header.Set("Authorization", "Bearer "+p.key)
			request.SetBody(body)
			if err := client.Do(&request, &response); err != nil {
				b.Error(err)
			}
			if response.StatusCode() != status {
				b.Errorf("%d %s", response.StatusCode(), response.Body())
			}
			return response.Body()
		}
		back := make([]byte, 0, 64)
		for pb.Next() {
			body := ask(pathCheckout, []byte(checkout), 201)
			// {"lease_id":"lease-N",…
			id := body[len(`{"lease_id":"`):]
			for i, c := range id {
				if c == '"' {
					id = id[:i]
					break
				}
			}
			back = append(append(append(back[:0], `{"lease_id":"`...), id...), `"}`...)
			ask(pathReturn, back, 200)
		}
	})
}

// BenchmarkEdge is a checkout as far as the edge alone goes: routing, host,
// key, decoding and a reply, with the group's answer made up.
func BenchmarkEdge(b *testing.B) {
	p := newPool(b, 10, 0)
	p.checkout("u").wants(b, 201, "")
	var ctx fasthttp.RequestCtx
	var request fasthttp.Request
	request.SetRequestURI(pathCheckout)
	request.Header.SetMethod("POST")
	request.SetHost(string(p.tenant) + ".localhost")
	request.Header.Set("Authorization", "Bearer "+p.key)
	request.SetBodyString(`{"product_id":"cad","user":"alice@example.com"}`)
	ctx.Init(&request, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, quiet{})
	b.ReportAllocs()
	for b.Loop() {
		c := live.server.acquire(&ctx)
		at, refused := c.host()
		require.Nil(b, refused)
		rows, _ := live.server.router.find(ctx.URI().Path())
		c.route, c.tenant = choose(rows, ctx.Method()), at.tenant
		if p := c.authenticate(); p != nil {
			b.Fatal(p)
		}
		c.dec.DecodeOperation(ctx.Request.Body(), 1, &c.op)
		if !c.decoded() {
			b.Fatal("not decoded")
		}
		c.fillCheckout(&c.checkout, &c.op)
		c.out = appendGrant(append(c.out[:0], '{'), &c.lease.Lease)
		c.finishLease(201)
		live.server.release(c)
	}
}
