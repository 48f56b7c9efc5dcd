package licenseclient

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	// dialTimeout bounds one connection attempt; longer would eat an
	// attempt's whole time on an address that drops packets.
	dialTimeout = 3 * time.Second
	// idleTimeout is below the server's 120 s, so that the client closes
	// first and meets no connection that is just being closed.
	idleTimeout = 90 * time.Second
	// idlePerHost is how many connections wait for the next call. The
	// default of net/http, 2, closes nearly all of a busy process's.
	idlePerHost = 64
)

// dialFunc is the type of http.Transport.DialContext.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newTransport returns a transport for one tenant's server: names under
// .localhost go to loopback, and every TLS connection, to whatever address,
// must prove to be serverName (empty: the address itself).
func newTransport(from *http.Transport, serverName string) *http.Transport {
	t := from.Clone()
	t.DialContext = dialLoopbackNames(t.DialContext)
	t.Proxy = proxyExceptLoopback(t.Proxy)
	t.ForceAttemptHTTP2 = true
	t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, idlePerHost)
	if t.MaxIdleConns > 0 {
		t.MaxIdleConns = max(t.MaxIdleConns, 4*idlePerHost)
	}
	if t.IdleConnTimeout == 0 || t.IdleConnTimeout > idleTimeout {
		t.IdleConnTimeout = idleTimeout
	}
	if serverName != "" {
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if t.TLSClientConfig.ServerName == "" {
			t.TLSClientConfig.ServerName = serverName
		}
	}
	return t
}

// isLoopbackName reports whether host is under .localhost, which RFC 6761
// (6.3) gives to loopback, whatever the system's resolver says.
func isLoopbackName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// isLoopback reports whether host is a name or an address of loopback.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return isLoopbackName(host) || (err == nil && address.Unmap().IsLoopback())
}

// isUnspecified reports whether host is 0.0.0.0 or ::, which a server listens
// on and nobody can be reached at.
func isUnspecified(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsUnspecified()
}

// dialLoopbackNames wraps dial so that names under .localhost are never
// looked up: many resolvers know only "localhost" itself.
func dialLoopbackNames(dial dialFunc) dialFunc {
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil || !isLoopbackName(host) {
			return dial(ctx, network, address)
		}
		conn, err := dial(ctx, network, net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			return conn, nil
		}
		if conn, err6 := dial(ctx, network, net.JoinHostPort("::1", port)); err6 == nil {
			return conn, nil
		}
		return nil, err
	}
}

// proxyExceptLoopback wraps proxy so that names under .localhost are reached
// directly; net/http excepts only "localhost" itself.
func proxyExceptLoopback(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(req *http.Request) (*url.URL, error) {
		if isLoopbackName(req.URL.Hostname()) {
			return nil, nil
		}
		return proxy(req)
	}
}

// proxied reports whether a request to base would go through a proxy.
func proxied(t *http.Transport, base *url.URL) bool {
	if t.Proxy == nil {
		return false
	}
	through, err := t.Proxy(&http.Request{Method: http.MethodGet, URL: base, Header: http.Header{}})
	return err == nil && through != nil
}
