package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

func testWebhook(to string) *Webhook {
	return &Webhook{ID: "g1-42", URL: to, Body: []byte(`{"test": 2432232314}`), Secrets: []Secret{NewSecret()}}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// toLoopback is a client that reaches this machine, by http:// too.
func toLoopback(roots *x509.CertPool) *WebhookClient {
	return NewWebhookClient(WebhookConfig{Timeout: 10 * time.Second, AllowNetworks: loopback, AllowHTTP: true, RootCAs: roots})
}

// TestPostOverTLS: a receiver of the specification's own library takes it.
func TestPostOverTLS(t *testing.T) {
	ca := newAuthority(t)
	w := testWebhook("")
	verifier, err := standardwebhooks.NewWebhook(w.Secrets[0].Reveal())
	require.NoError(t, err)
	var ids []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		body, err := io.ReadAll(in.Body)
		if err != nil || verifier.Verify(body, in.Header) != nil || string(body) != string(w.Body) || in.URL.String() != "/hook?a=b" {
			out.WriteHeader(http.StatusBadRequest)
		}
		ids = append(ids, in.Header.Get("webhook-id"))
	}))
	server.TLS = ca.server(t, "127.0.0.1")
	server.StartTLS()
	defer server.Close()
	w.URL = server.URL + "/hook?a=b"
	for range 2 {
		require.Equal(t, Reply{Status: 200}, toLoopback(ca.pool).Post(context.Background(), w, time.Now()))
	}
	require.Equal(t, []string{"g1-42", "g1-42"}, ids)
}

func TestPostVerifiesTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	for name, c := range map[string]struct {
		server *tls.Config
		roots  *x509.CertPool
	}{
		"unknown authority": {ca.server(t, "127.0.0.1"), other.pool},
		"the system's":      {ca.server(t, "127.0.0.1"), nil},
		"another name":      {ca.server(t, "evil.test"), ca.pool},
	} {
		var called atomic.Bool
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
		server.TLS = c.server
		server.Config.ErrorLog = discard
		server.StartTLS()
		reply := toLoopback(c.roots).Post(context.Background(), testWebhook(server.URL), time.Now())
		server.Close()
		var certificate *tls.CertificateVerificationError
		require.ErrorAs(t, reply.Err, &certificate, name)
		require.Equal(t, Retry, reply.outcome().Result, "a certificate gets renewed")
		require.False(t, called.Load())
	}
}

func TestPostRefusesURLs(t *testing.T) {
	c := NewWebhookClient(WebhookConfig{AllowNetworks: loopback})
	for _, bad := range []string{"http://127.0.0.1:1/", "https://u:p@127.0.0.1/", "file:///etc/passwd", ""} {
		reply := c.Post(context.Background(), testWebhook(bad), time.Now())
		require.ErrorIs(t, reply.Err, ErrURL)
		require.Equal(t, Failed, reply.outcome().Result)
	}
	w := testWebhook("https://127.0.0.1:1/")
	w.Secrets = nil
	require.Equal(t, Failed, c.Post(context.Background(), w, time.Now()).outcome().Result)
}

func TestPostFollowsNoRedirect(t *testing.T) {
	var called atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer target.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(target.URL, status))
		require.Equal(t, Reply{Status: status}, toLoopback(nil).Post(context.Background(), testWebhook(server.URL), time.Now()))
		server.Close()
	}
	require.Zero(t, called.Load())
}

// answer is a server over a bare socket: it reads a request's head and then
// writes until nobody listens.
func answer(t *testing.T, head string, on string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 64<<10))
			_, err = io.WriteString(c, head)
			for err == nil && on != "" {
				_, err = io.WriteString(c, on)
			}
			_, _ = io.Copy(io.Discard, c) // until the client hangs up
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return "http://" + listener.Addr().String()
}

// TestPostBoundsAnswers: nobody keeps us busy by talking, or by saying nothing.
func TestPostBoundsAnswers(t *testing.T) {
	client := NewWebhookClient(WebhookConfig{Timeout: time.Second, AllowNetworks: loopback, AllowHTTP: true})
	for name, c := range map[string]struct {
		head, on string
		want     int
	}{
		"endless body":      {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", strings.Repeat("x", 8192), 200},
		"endless chunks":    {"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n", "1000\r\n" + strings.Repeat("x", 4096) + "\r\n", 503},
		"body that stalls":  {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", "", 200},
		"another protocol":  {"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "", 101},
		"endless header":    {"HTTP/1.1 200 OK\r\n", "X-Y: " + strings.Repeat("x", 1000) + "\r\n", 0},
		"endless 100s":      {"", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", 0},
		"nothing":           {"", "", 0},
		"something else":    {"220 mail.test\r\n", "", 0},
		"head that stalls":  {"HTTP/1.1 200 OK\r\nX-Y: ", "", 0},
		"a bomb of nothing": {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789", "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := client.Post(context.Background(), testWebhook(answer(t, c.head, c.on)), time.Now())
			require.Equal(t, c.want, reply.Status, "%v", reply.Err)
			require.Equal(t, c.want == 0, reply.Err != nil)
			if c.want == 0 || c.want == 101 {
				require.Equal(t, Retry, reply.outcome().Result)
			}
		})
	}
}

// TestPostErrorsHoldNoURL: it may carry a token, and errors go into logs.
func TestPostErrorsHoldNoURL(t *testing.T) {
	reply := toLoopback(nil).Post(context.Background(), testWebhook("http://127.0.0.1:1/hook?token=canary"), time.Now())
	require.Error(t, reply.Err)
	require.NotContains(t, reply.Err.Error(), "canary")
	reply = toLoopback(nil).Post(context.Background(), testWebhook("http://127.0.0.1:1/%zz?token=canary"), time.Now())
	require.ErrorIs(t, reply.Err, ErrURL)
	require.NotContains(t, reply.Err.Error(), "canary")
}

func TestPostEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	reply := toLoopback(nil).Post(ctx, testWebhook(server.URL), time.Now())
	require.ErrorIs(t, reply.Err, context.Canceled)
	require.Equal(t, Retry, reply.outcome().Result)
}

func TestAddresses(t *testing.T) {
	for _, public := range []string{"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8"} {
		require.NoError(t, checkAddress(netip.MustParseAddr(public), nil), public)
	}
	private := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.169.254", "169.254.0.1",
		"172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::2", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
		"2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::", "3fff::1", "4000::1", "5f00::1",
	}
	for _, text := range private {
		addr := netip.MustParseAddr(text)
		require.ErrorIs(t, checkAddress(addr, nil), ErrAddress, text)
		if addr.Is4() {
			mapped := netip.AddrFrom16(addr.As16())
			require.True(t, mapped.Is4In6())
			require.ErrorIs(t, checkAddress(mapped, nil), ErrAddress, mapped)
		}
	}
	require.ErrorIs(t, checkAddress(netip.Addr{}, nil), ErrAddress)
	require.NoError(t, checkAddress(netip.MustParseAddr("::ffff:127.0.0.1"), loopback))
	require.NoError(t, checkAddress(netip.MustParseAddr("::1"), loopback))
	require.ErrorIs(t, checkAddress(netip.MustParseAddr("10.0.0.1"), loopback), ErrAddress)

	for url, says := range map[string]string{
		"https://10.0.0.1/hook": "10.0.0.1", "https://[::1]:8443/hook": "::1", "https://[::ffff:169.254.169.254]/": "169.254.169.254",
		"https://[0:0::ffff]/": "::ffff",
	} {
		closed, open := WebhookConfig{}, WebhookConfig{AllowNetworks: prefixes("0.0.0.0/0", "::/0")}
		err := closed.CheckHost(t.Context(), url)
		require.ErrorIs(t, err, ErrAddress, url)
		require.ErrorContains(t, err, says)
		require.NoError(t, open.CheckHost(t.Context(), url), url)
	}
	require.NoError(t, (&WebhookConfig{}).CheckHost(t.Context(), "https://8.8.8.8/hook"))

	// Of a name nothing is said but that it is not public.
	names := &WebhookConfig{Resolver: zone(t, func(name string, _ int) []string {
		switch name {
		case "db.internal.":
			return []string{"10.20.30.40"}
		case "vector.com.":
			return []string{"8.8.8.8"}
		}
		return nil
	})}
	for _, url := range []string{
		"https://db.internal/", "https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://127.1/", "https://2130706433/", "https://0x7f000001/",
	} {
		require.Equal(t, ErrAddress, names.CheckHost(t.Context(), url), url)
	}
	for _, url := range []string{"https://vector.com/", "https://not-there-yet.vector.com/"} {
		require.NoError(t, names.CheckHost(t.Context(), url), url)
	}
}

// zone is a resolver that holds what the test says: name → addresses, and which
// answers from one question to the next.
func zone(t *testing.T, lookup func(name string, question int) []string) *net.Resolver {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	var asked atomic.Int32
	started, ended := make(chan struct{}), make(chan struct{})
	server := &dns.Server{PacketConn: packets, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		reply := new(dns.Msg).SetReply(query)
		question := query.Question[0]
		if question.Qtype == dns.TypeA {
			asked.Add(1)
		}
		for _, text := range lookup(question.Name, int(asked.Load())) {
			ip := net.ParseIP(text)
			header := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET}
			switch {
			case question.Qtype == dns.TypeA && !strings.Contains(text, ":"):
				reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: ip})
			case question.Qtype == dns.TypeAAAA && strings.Contains(text, ":"):
				reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: ip})
			}
		}
		_ = w.WriteMsg(reply)
	})}
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", packets.LocalAddr().String())
	}}
}

// TestNamesOfPrivateAddressesAreRefused: nothing connects to this machine, by
// whatever name and in whatever form, and trying again would not help.
func TestNamesOfPrivateAddressesAreRefused(t *testing.T) {
	listener, err := net.Listen("tcp", ":0") // on every address there is
	require.NoError(t, err)
	defer listener.Close()
	var connected atomic.Int32
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			connected.Add(1)
			_ = c.Close()
		}
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "localhost",
		"a.rebind.test", "aaaa.rebind.test", "mapped.rebind.test", "both.rebind.test", "metadata.rebind.test", "unspecified.rebind.test",
	} {
		c := NewWebhookClient(WebhookConfig{Timeout: 10 * time.Second, AllowHTTP: true, Resolver: zone(t, func(name string, _ int) []string {
			return map[string][]string{
				"a.rebind.test.": {"127.0.0.1"}, "aaaa.rebind.test.": {"::1"}, "mapped.rebind.test.": {"::ffff:127.0.0.1"},
				"both.rebind.test.": {"127.0.0.1", "::1", "10.0.0.1"}, "metadata.rebind.test.": {"169.254.169.254"}, "unspecified.rebind.test.": {"0.0.0.0"},
			}[name]
		})})
		for _, scheme := range []string{"http", "https"} {
			reply := c.Post(context.Background(), testWebhook(fmt.Sprintf("%s://%s:%d/", scheme, host, port)), time.Now())
			require.ErrorIs(t, reply.Err, ErrAddress, host)
			require.Equal(t, Failed, reply.outcome().Result)
		}
	}
	require.Zero(t, connected.Load())
}

// TestRebinding: a name that was allowed at first is checked anew at each dial.
func TestRebinding(t *testing.T) {
	var called atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer server.Close()
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	c := NewWebhookClient(WebhookConfig{
		Timeout: 10 * time.Second, AllowHTTP: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Resolver: zone(t, func(_ string, question int) []string {
			if question <= 1 {
				return []string{"127.0.0.1"}
			}
			return []string{"127.0.0.2"}
		}),
	})
	w := testWebhook("http://hook.rebind.test:" + at.Port())
	require.Equal(t, Reply{Status: 200}, c.Post(context.Background(), w, time.Now()))
	reply := c.Post(context.Background(), w, time.Now())
	require.True(t, errors.Is(reply.Err, ErrAddress), "%v", reply.Err)
	require.EqualValues(t, 1, called.Load())
}

// TestNamesThatDoNotResolve may do so tomorrow.
func TestNamesThatDoNotResolve(t *testing.T) {
	c := NewWebhookClient(WebhookConfig{Timeout: 10 * time.Second, Resolver: zone(t, func(string, int) []string { return nil })})
	reply := c.Post(context.Background(), testWebhook("https://gone.test/"), time.Now())
	var notFound *net.DNSError
	require.ErrorAs(t, reply.Err, &notFound)
	require.Equal(t, Retry, reply.outcome().Result)
}

// TestClientForOthers: the same rules hold for what is no webhook.
func TestClientForOthers(t *testing.T) {
	const most = 1 << 10
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/fits", http.StatusFound)
		case "/fits":
			_, _ = io.WriteString(w, strings.Repeat("x", most))
		default:
			_, _ = io.WriteString(w, strings.Repeat("x", most+1))
		}
	}))
	defer server.Close()
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	get := func(c *http.Client, url string) (int, int, error) {
		response, err := c.Get(url)
		if err != nil {
			return 0, 0, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, len(body), err
	}
	open := NewClient(WebhookConfig{RootCAs: roots, AllowNetworks: loopback}, most)
	status, n, err := get(open, server.URL+"/fits")
	require.NoError(t, err)
	require.Equal(t, []int{200, most}, []int{status, n})
	_, _, err = get(open, server.URL+"/more")
	require.ErrorContains(t, err, "too large")
	status, _, err = get(open, server.URL+"/away")
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, status, "no redirect is followed")
	_, _, err = get(open, strings.Replace(server.URL, "https:", "http:", 1))
	require.ErrorIs(t, err, ErrURL)
	_, _, err = get(NewClient(WebhookConfig{RootCAs: roots}, most), server.URL+"/fits")
	require.ErrorIs(t, err, ErrAddress)
}
