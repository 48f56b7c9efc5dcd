package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// lookupTimeout bounds what a name may take to resolve where an answer waits for it.
const lookupTimeout = 2 * time.Second

// ErrAddress: a webhook's host is at an address that nobody outside may make us
// talk to. Permanent.
var ErrAddress = errors.New("not a public address")

// closed are the networks inside of what is unicast that no stranger's server is
// in: IANA's special-purpose registries (RFC 6890 and after), and clouds' services.
var closed = prefixes(
	"0.0.0.0/8",         // this network
	"10.0.0.0/8",        // private
	"100.64.0.0/10",     // carriers' NAT; a cloud's metadata at 100.100.100.200
	"127.0.0.0/8",       // loopback
	"168.63.129.16/32",  // a cloud's metadata at an address that looks public
	"169.254.0.0/16",    // link-local; clouds' metadata at 169.254.169.254
	"172.16.0.0/12",     // private
	"192.0.0.0/24",      // protocol assignments
	"192.0.2.0/24",      // documentation
	"192.31.196.0/24",   // AS112
	"192.52.193.0/24",   // AMT
	"192.88.99.0/24",    // 6to4 relays
	"192.168.0.0/16",    // private
	"192.175.48.0/24",   // AS112
	"198.18.0.0/15",     // benchmarks
	"198.51.100.0/24",   // documentation
	"203.0.113.0/24",    // documentation
	"224.0.0.0/3",       // multicast, reserved, broadcast
	"2001::/23",         // protocol assignments, Teredo among them
	"2001:db8::/32",     // documentation
	"2002::/16",         // 6to4: an IPv4 address inside
	"2620:4f:8000::/48", // AS112
	"3fff::/20",         // documentation
)

// unicast6 is all of IPv6 that is given out. What is outside is loopback,
// link-local, private (fd00:ec2::254 is a cloud's metadata), multicast, or wraps an
// IPv4 address (::/96, 64:ff9b::/96).
var unicast6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// checkAddress refuses an address, with an [ErrAddress], that is neither public
// nor in one of the networks allowed. An IPv4 address mapped into IPv6 is what it
// maps.
func checkAddress(addr netip.Addr, allowed []netip.Prefix) error {
	addr = addr.Unmap().WithZone("")
	for _, p := range allowed {
		if p.Contains(addr) {
			return nil
		}
	}
	if !addr.IsValid() || addr.Is6() && !unicast6.Contains(addr) {
		return fmt.Errorf("%w: %s", ErrAddress, addr)
	}
	for _, p := range closed {
		if p.Contains(addr) {
			return fmt.Errorf("%w: %s", ErrAddress, addr)
		}
	}
	return nil
}

// looseAddress reports whether a host is what some resolvers take for an address
// though it is none as RFC 3986 has it: its last label is a number (as the URL
// Standard, "ends in a number", tells), such as 127.1, 2130706433 and 0x7f000001. No
// top-level domain is one.
func looseAddress(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, is := strings.CutPrefix(last, "0x"); is {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// CheckHost refuses a URL, with an [ErrAddress], whose host is, or resolves to, an
// address that a client of c would not reach: so that its owner learns of it at once.
// The error names an address that the URL has itself, and none that a name resolves
// to here: who sets a URL is not to learn the names of this network. A name that does
// not resolve passes, for it may do so later. Nothing rests on the answer: each
// address is checked as it is dialed.
func (c *WebhookConfig) CheckHost(ctx context.Context, text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("%w: not a URL", ErrURL)
	}
	host := u.Hostname()
	if looseAddress(host) {
		return ErrAddress
	}
	if name := strings.ToLower(strings.TrimSuffix(host, ".")); name == "localhost" || strings.HasSuffix(name, ".localhost") {
		host = "127.0.0.1" // whatever a resolver says (RFC 6761, 6.3)
	}
	addresses, err := c.addresses(ctx, host)
	if err != nil {
		return nil
	}
	for _, a := range addresses {
		if err := checkAddress(a, c.AllowNetworks); err != nil {
			if _, isName := netip.ParseAddr(u.Hostname()); isName != nil {
				return ErrAddress
			}
			return err
		}
	}
	return nil
}

func (c *WebhookConfig) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil
	}
	resolver := c.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return resolver.LookupNetIP(ctx, "ip", host)
}
