package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/shard"
)

// newEdge serves an edge without a cluster behind it on loopback: what needs
// no cluster is answered, the rest is no_leader.
func newEdge(t testing.TB, change func(*Config)) (*Server, string) {
	t.Helper()
	cfg := Config{
		NodeID: "n1", Domain: "localhost", Scheme: "http", Port: 8080,
		Shard:  shard.New(shard.Config{Domain: "localhost"}),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	s := New(cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.NoError(t, <-done)
	})
	return s, ln.Addr().String()
}

// exchange sends raw bytes, in the given pieces, and returns every response
// up to the end of the connection.
func exchange(t testing.TB, address string, pieces ...string) []*http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(2 * time.Millisecond) // so that it is a read of its own, mostly
		}
		if _, err := io.WriteString(conn, piece); err != nil {
			break // refused before everything was sent
		}
	}
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	var responses []*http.Response
	reader := bufio.NewReader(conn)
	for {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return responses
		}
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body = io.NopCloser(bytes.NewReader(body))
		responses = append(responses, response)
	}
}

const goodGet = "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n"

// smuggled must never be answered with 200: it stands behind a request whose
// framing is in doubt.
const smuggled = "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nX-Smuggled: 1\r\n\r\n"

func post(headers, body string) string {
	return "POST /api/v1/licenses/checkout HTTP/1.1\r\nHost: acme.localhost\r\n" + headers + "\r\n" + body
}

// refusedRaw is the corpus: each request is refused, and nothing behind it is
// answered.
var refusedRaw = []struct {
	name, raw string
	status    int
}{
	{"both lengths", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
	{"both lengths, other order", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
	{"coding identity", post("Transfer-Encoding: identity\r\n", ""), 400},
	{"coding gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400},
	{"coding chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400},
	{"coding xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400},
	{"coding quoted", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
	{"coding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
	{"coding empty", post("Transfer-Encoding:\r\n", ""), 400},
	{"coding with vertical tab", post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"), 400},
	{"coding name with space", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
	{"length twice, same", post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), 400},
	{"length twice, other", post("Content-Length: 2\r\nContent-Length: 0\r\n", "{}"), 400},
	{"length list", post("Content-Length: 2, 2\r\n", "{}"), 400},
	{"length signed", post("Content-Length: +2\r\n", "{}"), 400},
	{"length negative", post("Content-Length: -2\r\n", "{}"), 400},
	{"length hexadecimal", post("Content-Length: 0x2\r\n", "{}"), 400},
	{"length empty", post("Content-Length:\r\n", ""), 400},
	{"length too long a number", post("Content-Length: 99999999999999999999\r\n", ""), 400},
	{"length with inner space", post("Content-Length: 1 2\r\n", "{}"), 400},
	{"body too large", post("Content-Length: 1048577\r\n", ""), 413},
	{"host missing", "GET /openapi.yaml HTTP/1.1\r\n\r\n", 400},
	{"host empty", "GET /openapi.yaml HTTP/1.1\r\nHost:\r\n\r\n", 400},
	{"host twice", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
	{"host twice, case", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nhOST: evil\r\n\r\n", 400},
	{"host with user", "GET /openapi.yaml HTTP/1.1\r\nHost: a@localhost\r\n\r\n", 400},
	{"host list", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost, evil\r\n\r\n", 400},
	{"host with path", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400},
	{"key twice", post("Authorization: Bearer a\r\nauthorization: Bearer b\r\nContent-Length: 2\r\n", "{}"), 400},
	{"intent twice", post("Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 2\r\n", "{}"), 400},
	{"bare LF in headers", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n", 400},
	{"bare LF throughout", "GET /openapi.yaml HTTP/1.1\nHost: localhost\n\n", 400},
	{"bare CR in a value", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n", 400},
	{"NUL in a value", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n", 400},
	{"NUL in the target", "GET /openapi.yaml\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"folded", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", 400},
	{"folded first", "GET /openapi.yaml HTTP/1.1\r\n Host: localhost\r\n\r\n", 400},
	{"folded with tab", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\tb\r\n\r\n", 400},
	{"header without colon", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nfoo\r\n\r\n", 400},
	{"header without name", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n: foo\r\n\r\n", 400},
	{"header name with space", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nfoo bar: x\r\n\r\n", 400},
	{"target of another host", "GET http://evil.localhost/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"target of another port", "GET http://localhost:1/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"target with user", "GET http://localhost@evil/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"target of another scheme", "GET ftp://localhost/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"target without slash", "GET openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"target star", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"target authority", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"target with fragment", "GET /openapi.yaml#x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"target of 8-bit bytes", "GET /openapi\xff.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path dot dot", "GET /api/../openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path dot", "GET /./openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path ends in dot dot", "GET /openapi.yaml/.. HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path encoded dot dot", "GET /api/%2e%2e/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path half-encoded dot dot", "GET /api/.%2E/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path encoded slash", "GET /api%2fv1/licenses HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path encoded backslash", "GET /api%5cv1/licenses HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path backslash", "GET /api\\v1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path encoded NUL", "GET /openapi.yaml%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path doubly encoded", "GET /%252e%252e/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path broken escape", "GET /openapi%2 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path broken escape digits", "GET /openapi%zz.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path double slash", "GET //openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"path double slash inside", "GET /api//v1/licenses HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"version 2.0", "GET /openapi.yaml HTTP/2.0\r\nHost: localhost\r\n\r\n", 505},
	{"version 0.9", "GET /openapi.yaml\r\nHost: localhost\r\n\r\n", 400},
	{"version lower case", "GET /openapi.yaml http/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"version with more", "GET /openapi.yaml HTTP/1.1 x\r\nHost: localhost\r\n\r\n", 400},
	{"version 1.0 chunked", "POST /api/v1/licenses/checkout HTTP/1.0\r\nHost: acme.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"two spaces", "GET  /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"tab for space", "GET\t/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"method not a token", "G(T /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"empty line first", "\r\nGET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
	{"TLS on the plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n\n", 400},
	{"headers too large", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("a", 17<<10) + "\r\n\r\n", 431},
	{"headers too many", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X: a\r\n", 4<<10) + "\r\n", 431},
	{"target too long", "GET /" + strings.Repeat("a", 17<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
	{"chunk size empty", post("Transfer-Encoding: chunked\r\n", "\r\n{}\r\n0\r\n\r\n"), 400},
	{"chunk size signed", post("Transfer-Encoding: chunked\r\n", "+2\r\n{}\r\n0\r\n\r\n"), 400},
	{"chunk size prefixed", post("Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n"), 400},
	{"chunk size overflows", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), 400},
	{"chunk extension", post("Transfer-Encoding: chunked\r\n", "2;a=b\r\n{}\r\n0\r\n\r\n"), 400},
	{"chunk bare LF", post("Transfer-Encoding: chunked\r\n", "2\n{}\r\n0\r\n\r\n"), 400},
	{"chunk longer than its size", post("Transfer-Encoding: chunked\r\n", "1\r\n{}\r\n0\r\n\r\n"), 400},
	{"chunk trailer", post("Transfer-Encoding: chunked\r\n", "0\r\nHost: evil\r\n\r\n"), 400},
	{"chunk end bare LF", post("Transfer-Encoding: chunked\r\n", "0\r\n\n"), 400},
	{"chunks too large", post("Transfer-Encoding: chunked\r\n", "100001\r\n"), 413},
}

func TestGuardRefuses(t *testing.T) {
	_, address := newEdge(t, nil)
	for _, c := range refusedRaw {
		t.Run(c.name, func(t *testing.T) {
			for way, pieces := range map[string][]string{
				"at once":       {c.raw + smuggled},
				"behind a good": {goodGet + c.raw + smuggled},
				"in two pieces": {c.raw[:len(c.raw)/2], c.raw[len(c.raw)/2:] + smuggled},
			} {
				responses := exchange(t, address, pieces...)
				if way == "behind a good" {
					require.NotEmpty(t, responses, way)
					require.Equal(t, 200, responses[0].StatusCode, way)
					responses = responses[1:]
				}
				require.Len(t, responses, 1, way)
				last := responses[0]
				require.Equal(t, c.status, last.StatusCode, way)
				require.True(t, last.Close, "%s: connection must close", way)
				require.Equal(t, typeProblem, last.Header.Get("Content-Type"), way)
				require.NotEmpty(t, last.Header.Get(headerRequestID), way)
			}
		})
	}
}

// TestGuardPasses: what is right must not be refused, whole, in pieces and
// pipelined.
func TestGuardPasses(t *testing.T) {
	_, address := newEdge(t, nil)
	body := `{"product_id":"p","user":"u"}`
	chunked := fmt.Sprintf("%x\r\n%s\r\n%X\r\n%s\r\n0\r\n\r\n", 10, body[:10], len(body)-10, body[10:])
	for _, c := range []struct {
		name, raw string
		status    int
	}{
		{"path", goodGet, 200},
		{"port in the host", "GET /openapi.yaml HTTP/1.1\r\nHost: LOCALHOST.:8080\r\n\r\n", 200},
		{"absolute target", "GET http://Localhost/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
		{"query with escapes", "GET /openapi.yaml?a=%2f..%00//x HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
		{"encoded letter", "GET /openap%69.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
		{"no space after the colon", "GET /openapi.yaml HTTP/1.1\r\nHost:localhost\r\n\r\n", 200},
		{"header of 15 KiB", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("a", 15<<10) + "\r\n\r\n", 200},
		{"GET with a body", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nGET /", 200},
		{"body by length", post(fmt.Sprintf("Content-Length: %d\r\n", len(body)), body), 401},
		{"body by chunks", post("Transfer-Encoding: Chunked\r\n", chunked), 401},
		{"body of no bytes", post("Content-Length: 0\r\n", ""), 401},
		{"body of 1 MiB", post("Content-Length: 1048576\r\n", strings.Repeat("x", 1<<20)), 401},
		{"a body like a head", post("Content-Length: 22\r\n", "GET / HTTP/1.1\nHost:\n\n"), 401},
		{"dots in a name", "GET /..a HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
		{"unknown path", "GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
		{"unknown host", "GET /.well-known/jwks.json HTTP/1.1\r\nHost: example.com\r\n\r\n", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			byByte := make([]string, 0, 64)
			for i := 0; i < len(c.raw) && i < 63; i++ {
				byByte = append(byByte, c.raw[i:i+1])
			}
			byByte = append(byByte, c.raw[len(byByte):]+goodGet)
			for way, pieces := range map[string][]string{
				"at once": {c.raw + goodGet}, "pipelined": {goodGet + c.raw + goodGet},
				"in halves": {c.raw[:len(c.raw)/2], c.raw[len(c.raw)/2:] + goodGet}, "byte by byte": byByte,
			} {
				responses := exchange(t, address, pieces...)
				want := []int{c.status, 200}
				if way == "pipelined" {
					want = []int{200, c.status, 200}
				}
				var got []int
				for _, r := range responses {
					got = append(got, r.StatusCode)
				}
				require.Equal(t, want, got, way)
			}
		})
	}
}
