package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
)

// flagAddress is a listen address with the flag that set it, for messages.
type flagAddress struct{ flag, value string }

func (c *serverConfig) addresses() []flagAddress {
	return []flagAddress{
		{"--http", c.HTTP}, {"--admin", c.Admin}, {"--raft", c.Raft}, {"--gossip", c.Gossip},
	}
}

// validateAddresses checks the form of every address.
func (c *serverConfig) validateAddresses() error {
	for _, a := range c.addresses() {
		if _, _, err := splitAddress(a.value); err != nil {
			return usagef("%s %q: %w", a.flag, a.value, err)
		}
	}
	for _, a := range []flagAddress{{"--raft", c.Raft}, {"--gossip", c.Gossip}} {
		host, _, err := splitAddress(a.value)
		if err != nil || isUnspecified(host) {
			return usagef("%s %s: name the address under which the other nodes reach this one, not every address", a.flag, a.value)
		}
	}
	for _, u := range []flagAddress{{"--advertise-http", c.AdvertiseHTTP}, {"--advertise-admin", c.AdvertiseAdmin}} {
		if u.value == "" {
			continue
		}
		parsed, err := url.Parse(u.value)
		if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
			return usagef("%s %q: want a base URL such as https://n1.example.com:8080", u.flag, u.value)
		}
	}
	for _, j := range c.Join {
		if _, _, err := splitAddress(j); err != nil {
			return usagef("--join %q: %w", j, err)
		}
	}
	return nil
}

var errAddress = errors.New("want host:port")

// splitAddress splits host:port with a numeric port.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, errAddress
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, errAddress
	}
	return host, port, nil
}

// isLoopback reports whether a listen address stays on this machine. A name
// counts only as "localhost": others may resolve to anything.
func isLoopback(address string) bool {
	host, _, err := splitAddress(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func isUnspecified(host string) bool {
	if host == "" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsUnspecified()
}

// listen opens a TCP listener; a port in use is reported with its flag.
func listen(flag, address string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, explainListen(flag, address, err)
	}
	return ln, nil
}

// explainListen says of a failed listen which port, which flag and what to do.
func explainListen(flag, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, _ := splitAddress(address)
		return fmt.Errorf("port %d is in use: %s %s can't be opened; stop what listens there ('ss -ltnp sport = :%d' shows it) or choose another with %s", port, flag, address, port, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s %s is not an address of this machine", flag, address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s %s: no permission to open this port; ports below 1024 need CAP_NET_BIND_SERVICE", flag, address)
	default:
		return fmt.Errorf("%s %s: %w", flag, address, err)
	}
}

// checkFree finds out early, with the flag's name in the message, that an
// address which another package will open is taken.
func checkFree(flag, address string) error {
	ln, err := listen(flag, address)
	if err != nil {
		return err
	}
	return ln.Close()
}

// baseURL is the URL under which a listener is reached; an unspecified host is
// replaced by fallback's (the raft address is always a reachable one).
func baseURL(scheme string, ln net.Listener, fallback string) string {
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return scheme + "://" + ln.Addr().String()
	}
	if isUnspecified(host) {
		if h, _, err := splitAddress(fallback); err == nil {
			host = h
		}
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
