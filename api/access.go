package api

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/api/guard"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// The access chain at the edge. Only what needs no look-up is decided here,
// host and tenant first: the key's own prefix against the host, so that a
// tenant that does not exist and one of somebody else answer alike. What
// follows (is the key known, its scope, hostname, address, certificate,
// fingerprint, rate) the tenant's leader decides from license.Caller.

var (
	problemNoTenant    = &problem{code: cloudlicenses.TenantNotFound, layer: cloudlicenses.LayerHost, detail: "no tenant of this host"}
	problemMisdirected = &problem{
		code: cloudlicenses.MisdirectedRequest, layer: cloudlicenses.LayerHost,
		detail: "the TLS server name is not the Host",
	}
	problemNoKey         = &problem{code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey, detail: "send Authorization: Bearer <API key>"}
	problemBadKey        = &problem{code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey, detail: "the API key is not valid"}
	problemSessionForKey = &problem{
		code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey,
		detail: "this needs an API key of the tenant (clsk_…), and a user's session was sent: POST /api/v1/keys/generate makes a key",
	}
	problemWrongTenant = &problem{
		code: cloudlicenses.WrongTenant, layer: cloudlicenses.LayerHost,
		detail: "the API key is of another tenant than the host",
	}
	problemNotReady = &problem{code: cloudlicenses.NoLeader, detail: "the node has not joined its cluster yet; nothing was done"}
)

// memo is what was found out about the last request of a connection whose Host
// and key were the same: most clients send the same ones each time.
type memo struct {
	host   []byte // as sent; nil: none was of a tenant yet
	tenant cloudlicenses.TenantID

	authorization []byte // as sent
	keyTenant     cloudlicenses.TenantID
	keyHash       [32]byte
	secrets       *shard.Secrets // by which keyHash was made; nil: none was yet
}

// memory returns the connection's memo, or an empty one where it has none: requests
// side by side would get each other's key.
func (c *call) memory() *memo {
	g := guard.Of(c.ctx.Conn())
	if g == nil || g.Shared {
		return new(memo)
	}
	m, ok := g.Memo.(*memo)
	if !ok {
		m = new(memo)
		g.Memo = m
	}
	return m
}

// vendorsLabel is the vendors' host below the platform's domain.
const vendorsLabel = "vendors"

// site is what a Host stands for; the platform's own is none of these.
type site struct {
	tenant  cloudlicenses.TenantID // of a tenant's host
	vendors bool                   // the vendors' host
	vendor  cloudlicenses.VendorID // of a white-label host, which is a vendors' host as well
	// stranger is a host that is none of the platform's: nothing is served there
	// but what is served everywhere, and to browsers a page that says so.
	stranger bool
}

// host returns what the Host stands for.
func (c *call) host() (site, *problem) {
	host := c.ctx.Host()
	m := c.memory()
	if m.host != nil && bytes.Equal(host, m.host) {
		return site{tenant: m.tenant}, nil
	}
	at, p := c.siteOf(host)
	if p == nil && at.tenant != "" {
		m.host, m.tenant = append(m.host[:0], host...), at.tenant
	}
	return at, p
}

func (c *call) siteOf(host []byte) (site, *problem) {
	name, ok := hostName(host)
	if !ok {
		return site{}, problemNoTenant
	}
	if g, isTLS := c.ctx.Conn().(*guard.TLSConn); isTLS {
		if server, _ := g.Names(); server != "" && !guard.EqualFold(name, strings.ToLower(server)) {
			return site{}, problemMisdirected
		}
	}
	domain := c.server.domain
	if guard.EqualFold(name, domain) {
		return site{}, nil
	}
	cut := len(name) - len(domain) - 1
	if cut < 1 || name[cut] != '.' || !guard.EqualFold(name[cut+1:], domain) {
		return c.whiteLabel(name)
	}
	label := strings.ToLower(string(name[:cut]))
	if label == vendorsLabel {
		return site{vendors: true}, nil
	}
	tenant := cloudlicenses.TenantID(label)
	if tenant.Validate() != nil {
		return site{}, problemNoTenant
	}
	return site{tenant: tenant}, nil
}

// whiteLabel returns the vendor whose white-label host a name is.
func (c *call) whiteLabel(name []byte) (site, *problem) {
	vendor, ok := c.server.shard.VendorOfHost(c.context(), strings.ToLower(string(name)))
	if !ok {
		return site{}, problemNoTenant
	}
	return site{vendors: true, vendor: vendor}, nil
}

// hostName cuts port and trailing dot off a Host.
func hostName(host []byte) ([]byte, bool) {
	for i, c := range host {
		if c == ':' {
			host = host[:i]
			break
		}
	}
	if len(host) > 0 && host[len(host)-1] == '.' {
		host = host[:len(host)-1]
	}
	return host, len(host) > 0
}

// authenticate checks the key's form and tenant and gathers the facts that
// the leader decides by.
func (c *call) authenticate() *problem {
	header := c.ctx.Request.Header.Peek("Authorization")
	if len(header) == 0 {
		return problemNoKey
	}
	const scheme = "bearer "
	if len(header) <= len(scheme) || !guard.EqualFold(header[:len(scheme)], scheme) {
		return problemNoKey
	}
	hash, p := c.keyHash(header, header[len(scheme):])
	if p != nil {
		return p
	}
	c.caller = license.Caller{KeyHash: hash, Address: c.address(), CertName: c.certName()}
	return c.facts()
}

// certName is the common name of the verified client certificate, if any.
func (c *call) certName() (name string) {
	if g, isTLS := c.ctx.Conn().(*guard.TLSConn); isTLS {
		_, name = g.Names()
	}
	return name
}

// keyHash checks a key's form and tenant and returns its hash. What it remembers
// has passed every check, and is used for the same bytes and tenant alone.
func (c *call) keyHash(header, text []byte) ([32]byte, *problem) {
	secrets := c.server.shard.Secrets()
	m := c.memory()
	if secrets != nil && m.secrets == secrets && m.keyTenant == c.tenant && bytes.Equal(header, m.authorization) {
		return m.keyHash, nil
	}
	key := strings.Trim(string(text), " ")
	tenant, err := shard.ParseAPIKey(key)
	switch {
	case err != nil && shard.IsSessionToken(key):
		return [32]byte{}, problemSessionForKey
	case err != nil:
		return [32]byte{}, problemBadKey
	}
	if tenant != c.tenant {
		return [32]byte{}, problemWrongTenant
	}
	if secrets == nil || c.server.signer() == nil {
		return [32]byte{}, problemNotReady
	}
	hash := shard.HashAPIKey(secrets.KeyHMAC, key)
	m.authorization = append(m.authorization[:0], header...)
	m.keyTenant, m.keyHash, m.secrets = c.tenant, hash, secrets
	return hash, nil
}

// facts takes over what the client says of itself.
func (c *call) facts() *problem {
	for _, f := range [...]struct {
		name string
		into *string
	}{
		{headerHostname, &c.caller.Hostname},
		{headerFingerprint, &c.caller.Fingerprint},
		{headerLibVersion, &c.caller.LibVersion},
	} {
		value := c.ctx.Request.Header.Peek(f.name)
		if len(value) == 0 {
			continue
		}
		if len(value) > cloudlicenses.MaxHeaderFactLength || !printable(value) {
			return &problem{code: cloudlicenses.InvalidField, detail: "a header is not valid", invalid: []body.FieldError{{
				Header: f.name,
				Detail: "must be at most " + strconv.Itoa(cloudlicenses.MaxHeaderFactLength) + " bytes of UTF-8 without control characters",
			}}}
		}
		*f.into = string(value)
	}
	return nil
}

// printable reports whether b is UTF-8 without control characters.
func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// proxies are the networks whose X-Forwarded-For is believed.
type proxies []netip.Prefix

func (p proxies) trust(address netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// address returns the client's address.
func (c *call) address() string {
	var peer string
	if g := guard.Of(c.ctx.Conn()); g != nil {
		peer = g.Address()
	} else {
		peer = c.ctx.RemoteIP().String()
	}
	if len(c.server.proxies) == 0 {
		return peer
	}
	return c.server.proxies.client(peer, func() [][]byte { return c.ctx.Request.Header.PeekAll("X-Forwarded-For") })
}

// client returns whom a request is from: the peer itself, or behind trusted
// proxies the right-most hop of X-Forwarded-For that is not one of them. Of
// several such headers, forwarded returns all in order: they are one list.
func (p proxies) client(peer string, forwarded func() [][]byte) string {
	at, err := netip.ParseAddr(peer)
	if err != nil || !p.trust(at) {
		return peer
	}
	headers := forwarded()
	for i := len(headers) - 1; i >= 0; i-- {
		rest := string(headers[i])
		for more := true; more; {
			var hop string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				rest, hop = rest[:cut], rest[cut+1:]
			} else {
				hop, more = rest, false
			}
			address, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return at.String() // nonsense: the last hop that is known
			}
			if at = address; !p.trust(at) {
				return at.String()
			}
		}
	}
	return at.String()
}

// parseHop reads an address, with a port or without.
func parseHop(s string) (netip.Addr, bool) {
	if address, err := netip.ParseAddr(s); err == nil {
		return address.Unmap().WithZone(""), true
	}
	if both, err := netip.ParseAddrPort(s); err == nil {
		return both.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
