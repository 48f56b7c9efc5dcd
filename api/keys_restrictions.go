package api

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// restrictionsRequest is the body of POST /api/v1/keys/{id}/restrictions, and
// part of that of generate. A member that is left out says nothing; an empty
// list lifts the restriction.
type restrictionsRequest struct {
	Hostnames *[]string `json:"allowed_hostnames"`
	Networks  *[]string `json:"allowed_ip_ranges"`
	MTLS      *bool     `json:"require_mtls"`
	CertName  *string   `json:"client_cert_cn"`
	PerMinute *int64    `json:"checkouts_per_minute"`
	PerHour   *int64    `json:"requests_per_hour"`
}

const (
	maxHostnameLength = 253 // RFC 1123
	maxCertName       = 64  // ub-common-name of RFC 5280
)

// restrictions returns what is asked for, in the form in which it is kept, and
// which members those are. What is wrong goes to w.
func (r *restrictionsRequest) restrictions(w *wrong) (out license.Restrictions, set license.Restricted) {
	if r.Hostnames != nil {
		set |= license.RestrictHostnames
		w.check(len(*r.Hostnames) > cloudlicenses.MaxKeyHostnames, "allowed_hostnames", "must be at most "+strconv.Itoa(cloudlicenses.MaxKeyHostnames))
		for i, text := range *r.Hostnames {
			w.check(!validHostname(text), "allowed_hostnames/"+strconv.Itoa(i), "must be a hostname of letters, digits, '-', '_' and '.'")
			if name := strings.ToLower(text); !slices.Contains(out.Hostnames, name) {
				out.Hostnames = append(out.Hostnames, name)
			}
		}
	}
	if r.Networks != nil {
		set |= license.RestrictNetworks
		w.check(len(*r.Networks) > cloudlicenses.MaxKeyNetworks, "allowed_ip_ranges", "must be at most "+strconv.Itoa(cloudlicenses.MaxKeyNetworks))
		for i, text := range *r.Networks {
			network, ok := parseNetwork(text)
			w.check(!ok, "allowed_ip_ranges/"+strconv.Itoa(i), "must be an IPv4 or IPv6 network, such as 10.0.0.0/8, or an address")
			if ok && !slices.Contains(out.Networks, network.String()) {
				out.Networks = append(out.Networks, network.String())
			}
		}
	}
	if r.MTLS != nil || r.CertName != nil {
		set |= license.RestrictCertificate
		out.CertRequired = r.MTLS != nil && *r.MTLS
		if r.CertName != nil {
			out.CertName = *r.CertName
			w.check(!out.CertRequired && out.CertName != "", "client_cert_cn", "needs require_mtls to be true")
			w.check(len(out.CertName) > maxCertName || !printable([]byte(out.CertName)), "client_cert_cn",
				"must be a common name of at most "+strconv.Itoa(maxCertName)+" bytes")
		}
	}
	out.CheckoutsPerMinute, set = rateLimit(w, r.PerMinute, "checkouts_per_minute", set, license.RestrictMinute)
	out.RequestsPerHour, set = rateLimit(w, r.PerHour, "requests_per_hour", set, license.RestrictHour)
	return out, set
}

func rateLimit(w *wrong, limit *int64, member string, set, bit license.Restricted) (int64, license.Restricted) {
	if limit == nil {
		return 0, set
	}
	w.check(*limit < 1 || *limit > cloudlicenses.MaxRateLimit, member, "must be 1 to "+strconv.Itoa(cloudlicenses.MaxRateLimit))
	return *limit, set | bit
}

func validHostname(text string) bool {
	if len(text) < 1 || len(text) > maxHostnameLength {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// parseNetwork reads a network in CIDR form, or an address alone. One of IPv4
// within IPv6 is the IPv4 one, as addresses are compared.
func parseNetwork(text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if address := prefix.Addr(); address.Is4In6() {
		const mapped = 96
		if prefix.Bits() < mapped {
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(address.Unmap(), prefix.Bits()-mapped)
	}
	return prefix.Masked(), true
}
