package guard

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

const goodGet = "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n"

// FuzzHead compares the guard with net/http: a head that the guard lets
// pass, net/http reads as the same request.
func FuzzHead(f *testing.F) {
	f.Add([]byte(goodGet))
	for _, fields := range []string{
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n",
		"Content-Length: +5\r\n", "Host: b\r\n", "X: a\r\n b\r\n", "X: \x00\r\n", "X : a\r\n", "Transfer-Encoding: \tChunked \r\n",
	} {
		f.Add([]byte("POST /a?b HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n0\r\n\r\n"))
	}
	f.Add([]byte("GET http://localhost/%2e%2e/a HTTP/1.0\r\nHost: localhost\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		from := 0
		end, r := headEnd(raw, &from)
		if r != nil || end == 0 {
			return
		}
		frame, r := parseHead(raw[:end])
		if r != nil {
			return
		}
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return // stricter than the guard is fine: fasthttp refuses as well or it is not framing
		}
		if frame.chunked {
			require.Equal(t, []string{"chunked"}, request.TransferEncoding)
		} else {
			require.Equal(t, frame.length, request.ContentLength)
			require.Empty(t, request.TransferEncoding)
		}
	})
}

// FuzzChunks compares the chunk scanner with net/http's reader.
func FuzzChunks(f *testing.F) {
	for _, seed := range []string{"0\r\n\r\n", "2\r\n{}\r\n0\r\n\r\n", "a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\nrest", "1;a\r\nx\r\n0\r\n\r\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, raw []byte, cut int) {
		var whole chunkScanner
		n, done, r := whole.scan(raw)
		// In two pieces it must come to the same.
		if cut > 0 && cut < len(raw) && r == nil {
			var pieces chunkScanner
			first, firstDone, r := pieces.scan(raw[:cut])
			require.Nil(t, r)
			if !firstDone {
				second, secondDone, r := pieces.scan(raw[cut:])
				require.Nil(t, r)
				first, firstDone = first+second, secondDone
			}
			require.Equal(t, n, first)
			require.Equal(t, done, firstDone)
		}
		if r != nil || !done {
			return
		}
		head := "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		reader := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(raw)))
		request, err := http.ReadRequest(reader)
		require.NoError(t, err)
		body, err := io.ReadAll(request.Body)
		require.NoError(t, err)
		require.Equal(t, whole.size, int64(len(body)))
		rest, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, string(raw[n:]), string(rest))
	})
}

func TestDeadlines(t *testing.T) {
	require.Equal(t, 10*time.Second, cloudlicenses.HeaderTimeout)
	client, server := net.Pipe()
	defer client.Close()
	conn := &deadlineConn{Conn: server}
	g := &Conn{Conn: conn, refuse: func(*Refusal) []byte { return nil }}
	read := func(piece string) {
		go func() { _, _ = io.WriteString(client, piece) }()
		buf := make([]byte, 4096)
		for got := 0; got == 0; {
			n, err := g.Read(buf)
			require.NoError(t, err)
			got += n
		}
	}
	read(goodGet)
	require.Empty(t, conn.set, "the first head's deadline is set by Accept")
	go func() {
		_, _ = io.WriteString(client, goodGet[:20])
		_, _ = io.WriteString(client, goodGet[20:])
	}()
	_, err := g.Read(make([]byte, 4096))
	require.NoError(t, err)
	require.Equal(t, []time.Duration{cloudlicenses.IdleTimeout, cloudlicenses.HeaderTimeout}, conn.set)
	conn.set = nil
	head := "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"
	read(head + "ab")
	require.Equal(t, []time.Duration{cloudlicenses.IdleTimeout, cloudlicenses.BodyTimeout}, conn.set)
	conn.set = nil
	read("c")
	read("d")
	require.Empty(t, conn.set, "a body's deadline is for the whole of it")
}

// deadlineConn notes the read deadlines that are set, as from now.
type deadlineConn struct {
	net.Conn
	set []time.Duration
}

func (c *deadlineConn) SetReadDeadline(at time.Time) error {
	c.set = append(c.set, time.Until(at).Round(time.Second))
	return nil
}

// BenchmarkGuard measures what the guard costs on a request that came in one
// read.
func BenchmarkGuard(b *testing.B) {
	raw := []byte("POST /api/v1/licenses/checkout HTTP/1.1\r\nHost: acme.localhost\r\nAuthorization: Bearer clsk_acme_0123456789012345678901234567\r\nContent-Type: application/json\r\nUser-Agent: x\r\nAccept: */*\r\nContent-Length: 29\r\n\r\n" + `{"product_id":"p","user":"u"}`)
	g := &Conn{Conn: &repeatConn{raw: raw}}
	buf := make([]byte, cloudlicenses.MaxHeaderBytes+512)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if n, err := g.Read(buf); n != len(raw) || err != nil {
			b.Fatal(n, err)
		}
	}
}

// repeatConn returns the same bytes on every read.
type repeatConn struct {
	net.Conn
	raw []byte
}

func (c *repeatConn) Read(p []byte) (int, error)        { return copy(p, c.raw), nil }
func (c *repeatConn) SetReadDeadline(_ time.Time) error { return nil }
