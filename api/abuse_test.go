package api

import (
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

// TestSlowConnections: a thousand connections that never finish a head, or a
// body, take nothing from those that do.
func TestSlowConnections(t *testing.T) {
	p := newPool(t, 1000, 0)
	beginnings := []string{
		"", "POST /api/v1/lic", "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\nX: ",
		post("Content-Length: 1000000\r\n", "{"), post("Transfer-Encoding: chunked\r\n", "fff\r\n{"),
	}
	for i := range 1000 {
		conn, err := net.Dial("tcp", live.edge)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, beginnings[i%len(beginnings)])
		require.NoError(t, err)
	}
	start := time.Now()
	for range 50 {
		p.checkout("u").wants(t, 201, "")
	}
	require.Less(t, time.Since(start), 20*time.Second, "good requests wait for slow ones")
}

// TestLog: a 5xx leaves one line with what is needed to find it, and without
// the key; a client's own mistakes leave none.
func TestLog(t *testing.T) {
	log := &lockedBuffer{}
	_, address := newEdge(t, func(cfg *Config) { cfg.Logger = slog.New(slog.NewJSONHandler(log, nil)) })
	key := shard.NewAPIKey("mercedes")
	send(t, address, "mercedes.localhost", http.MethodGet, "/nope", "").wants(t, 404, "not_found")
	send(t, address, "mercedes.localhost", http.MethodPost, pathCheckout, "{", header{"Authorization", "Bearer x"}).wants(t, 401, "unauthenticated")
	require.Empty(t, log.String())
	r := send(t, address, "mercedes.localhost", http.MethodPost, pathCheckout, `{"product_id":"p","user":"canary-user"}`,
		header{"Authorization", "Bearer " + key}).wants(t, 503, "no_leader")
	require.Eventually(t, func() bool { return strings.Contains(log.String(), r.text("request_id")) }, 5*time.Second, time.Millisecond)
	for _, want := range []string{`"tenant":"mercedes"`, `"route":"checkout"`, `"status":503`, `"code":"no_leader"`} {
		require.Contains(t, log.String(), want)
	}
	require.Equal(t, 1, strings.Count(log.String(), "\n"))
	require.NotContains(t, log.String(), key[len("clsk_mercedes_"):])
	require.NotContains(t, log.String(), "canary-user")
	require.NotContains(t, live.log.String(), "clsk_")
}
