package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sync/errgroup"

	"github.com/cloudlicenses/cloudlicenses"
)

// serveH2 serves a port whose connections are of HTTP/2 where the client wants, until
// stop, or the end of the test. A connection that is open, or idle, does not hold that
// up.
func serveH2(t *testing.T) (addr string, roots *x509.CertPool, stop func()) {
	t.Helper()
	certificate, roots := selfSigned(t, "*.localhost")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := New(Config{Shard: live.shard, Node: live.node, NodeID: "n1", Domain: "localhost"})
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(tls.NewListener(ln, &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
		}))
	}()
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.NoError(t, <-served)
	})
	t.Cleanup(stop)
	return ln.Addr().String(), roots, stop
}

// TestStreamsSideBySide: requests that share a connection at the same time are each
// answered to their own key.
func TestStreamsSideBySide(t *testing.T) {
	addr, roots, _ := serveH2(t)
	p := newPool(t, 10, 0)
	host := string(p.tenant) + ".localhost"
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{ServerName: host, RootCAs: roots}}
	defer transport.CloseIdleConnections()
	var group errgroup.Group
	for i := range 8 {
		key, _ := p.newKey(cloudlicenses.ScopeCheckout|cloudlicenses.ScopeReturn, time.Time{})
		user := fmt.Sprintf(`"user-%d"`, i)
		send(t, live.edge, host, "POST", pathCheckout, `{"product_id":"cad","user":`+user+`}`, header{"Authorization", "Bearer " + key}).wants(t, 201, "")
		group.Go(func() error {
			for range 500 {
				request, err := http.NewRequest("GET", "https://"+addr+"/api/v1/leases", nil)
				if err != nil {
					return err
				}
				request.Host = host
				request.Header.Set("Authorization", "Bearer "+key)
				response, err := transport.RoundTrip(request)
				if err != nil {
					return err
				}
				leases, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || response.StatusCode != 200 || !bytes.Contains(leases, []byte(user)) || bytes.Count(leases, []byte(`"lease_id"`)) != 1 {
					return fmt.Errorf("asked for the lease of %s: %d %s %w", user, response.StatusCode, leases, err)
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}

// TestH2HasOneHost: a host field that is not the :authority is no second opinion on
// whose tenant is asked.
func TestH2HasOneHost(t *testing.T) {
	addr, _, _ := serveH2(t)
	one, other := newPool(t, 5, 0), newPool(t, 5, 0)
	for _, c := range []struct {
		host   string
		key    string
		status string
	}{
		{string(other.tenant) + ".localhost", other.key, "400"},
		{string(other.tenant) + ".localhost", one.key, "400"},
		{string(one.tenant) + ".localhost", one.key, "200"},
	} {
		require.Equal(t, c.status, askH2(t, addr, [][2]string{
			{":method", "GET"}, {":scheme", "https"}, {":authority", string(one.tenant) + ".localhost"}, {":path", "/api/v1/leases"},
			{"host", c.host}, {"authorization", "Bearer " + c.key},
		}))
	}
}

// askH2 sends a head of its own over a connection that names no server, and returns
// the status.
func askH2(t *testing.T, addr string, head [][2]string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(t, framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, h := range head {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}))
	}
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
	for {
		frame, err := framer.ReadFrame()
		require.NoError(t, err)
		if answer, ok := frame.(*http2.MetaHeadersFrame); ok {
			return answer.PseudoValue("status")
		}
	}
}
