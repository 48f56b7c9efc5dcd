package dnstxt_test

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
)

const name = "_cloudlicenses.mercedes.com"

func listen(t *testing.T) *dnstxt.Server {
	t.Helper()
	s, err := dnstxt.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// ask puts a question as any client would.
func ask(t *testing.T, network, addr, name string, qtype uint16, edns uint16) *dns.Msg {
	t.Helper()
	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	if edns > 0 {
		query.SetEdns0(edns, false)
	}
	reply, _, err := (&dns.Client{Net: network}).Exchange(query, addr)
	require.NoError(t, err)
	return reply
}

func TestSetAndLookup(t *testing.T) {
	s := listen(t)
	_, err := dnstxt.Lookup(context.Background(), s.Addr(), name)
	require.ErrorIs(t, err, dnstxt.ErrNoRecord)

	require.NoError(t, s.Set("_CloudLicenses.Mercedes.COM.", "cloudlicenses-verify=abc123xyz789"))
	for _, asked := range []string{name, name + ".", strings.ToUpper(name)} {
		values, err := dnstxt.Lookup(context.Background(), s.Addr(), asked)
		require.NoError(t, err)
		require.Equal(t, []string{"cloudlicenses-verify=abc123xyz789"}, values)
	}

	require.NoError(t, s.Set(name, "one", "two", ""))
	values, err := dnstxt.Lookup(context.Background(), s.Addr(), name)
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two", ""}, values)

	require.NoError(t, s.Set(name))
	_, err = dnstxt.Lookup(context.Background(), s.Addr(), name)
	require.ErrorIs(t, err, dnstxt.ErrNoRecord)
}

// TestEveryByteComesThrough: zone files' escapes never reach a caller, and the
// strings that a long value is cut into are joined again.
func TestEveryByteComesThrough(t *testing.T) {
	s := listen(t)
	var all bytes.Buffer
	for b := range 256 {
		all.WriteByte(byte(b))
	}
	for _, value := range []string{all.String(), `a"b\c\"\\`, `\065`, `\`, "ü✓", strings.Repeat("x", 255), strings.Repeat("y", 256), strings.Repeat(`\9`, 1000)} {
		require.NoError(t, s.Set(name, value))
		values, err := dnstxt.Lookup(context.Background(), s.Addr(), name)
		require.NoError(t, err)
		require.Equal(t, []string{value}, values)
	}
}

func TestServerRefusesWhatItCannotHold(t *testing.T) {
	s := listen(t)
	for _, bad := range []string{"", ".", "a..b", "a b.com", `a\.com`, "ä.com", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "com"} {
		require.ErrorIs(t, s.Set(bad, "v"), dnstxt.ErrName, "%q", bad)
	}
	require.Error(t, s.Set(name, strings.Repeat("x", 4097)))
	require.Error(t, s.Set(name, "1", "2", "3", "4", "5", "6", "7", "8", "9"))

	for _, addr := range []string{"0.0.0.0:0", "192.0.2.1:0", "example.com:0", "127.0.0.1"} {
		_, err := dnstxt.Listen(addr)
		require.Error(t, err, addr)
	}
}

// TestServerIsAuthoritative asks the server as strangers do.
func TestServerIsAuthoritative(t *testing.T) {
	s := listen(t)
	require.NoError(t, s.Set(name, strings.Repeat("x", 600)))

	for _, network := range []string{"udp", "tcp"} {
		reply := ask(t, network, s.Addr(), "mercedes.com", dns.TypeTXT, 0)
		require.Equal(t, dns.RcodeSuccess, reply.Rcode, "a name above one that exists exists")
		require.Empty(t, reply.Answer)
		reply = ask(t, network, s.Addr(), "bmw.com", dns.TypeTXT, 0)
		require.Equal(t, dns.RcodeNameError, reply.Rcode)
		require.True(t, reply.Authoritative)
		reply = ask(t, network, s.Addr(), name, dns.TypeA, 0)
		require.Equal(t, dns.RcodeSuccess, reply.Rcode)
		require.Empty(t, reply.Answer)
	}

	require.True(t, ask(t, "udp", s.Addr(), name, dns.TypeTXT, 0).Truncated, "past 512 bytes without EDNS")
	require.False(t, ask(t, "udp", s.Addr(), name, dns.TypeTXT, 1232).Truncated)
	require.False(t, ask(t, "tcp", s.Addr(), name, dns.TypeTXT, 0).Truncated)

	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeTXT)
	query.Question[0].Qclass = dns.ClassCHAOS
	reply, err := dns.Exchange(query, s.Addr())
	require.NoError(t, err)
	require.Equal(t, dns.RcodeRefused, reply.Rcode)
}

// TestSetWhileAsked is for the race detector: records change under look-ups.
func TestSetWhileAsked(t *testing.T) {
	s := listen(t)
	require.NoError(t, s.Set(name, "0"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 25 {
				require.NoError(t, s.Set(name, strconv.Itoa(i)))
				_, err := dnstxt.Lookup(context.Background(), s.Addr(), name)
				require.NoError(t, err)
			}
		})
	}
	all.Wait()
}
