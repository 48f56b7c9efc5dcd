package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/shard"
)

// TestShutdownAnswersWhatIsInFlight: a request whose body is still arriving
// when Shutdown begins is answered, with Connection: close, and idle
// connections end.
func TestShutdownAnswersWhatIsInFlight(t *testing.T) {
	s := New(Config{Domain: "localhost", Scheme: "http", Shard: shard.New(shard.Config{Domain: "localhost"})})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()

	idle, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer idle.Close()
	_, err = io.WriteString(idle, goodGet)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(idle), nil)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)

	busy, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer busy.Close()
	_, err = io.WriteString(busy, post("Content-Length: 4\r\n", "12"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.http.GetOpenConnectionsCount() == 2 }, 5*time.Second, time.Millisecond)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(ctx) }()
	require.NoError(t, <-served)
	_, err = io.WriteString(busy, "34")
	require.NoError(t, err)
	response, err = http.ReadResponse(bufio.NewReader(busy), nil)
	require.NoError(t, err)
	require.Equal(t, 401, response.StatusCode)
	require.True(t, response.Close)
	require.NoError(t, <-down)
	_, err = net.Dial("tcp", ln.Addr().String())
	require.Error(t, err)
}
