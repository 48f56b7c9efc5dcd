package shard

import (
	"errors"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// maxDomain leaves room for the label of the verification's record in a name
// of 253 bytes (RFC 1035, 2.3.4).
const maxDomain = 253 - len(verificationLabel)

// ErrDomain is returned for a text that is no domain somebody can own.
var ErrDomain = errors.New("must be a domain of your own, such as mercedes.com, without https:// and www., and no public suffix alone")

// NormalizeDomain returns a domain in lower case and A-labels (RFC 5891), the
// one form it is known by.
func NormalizeDomain(domain string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(domain, "."))
	if err != nil || ascii == "" || len(ascii) > maxDomain || !strings.Contains(ascii, ".") {
		return "", ErrDomain
	}
	last := ascii[strings.LastIndexByte(ascii, '.')+1:]
	if last == "" || last[0] >= '0' && last[0] <= '9' {
		return "", ErrDomain // an address, or what some would read as one
	}
	if _, err := publicsuffix.EffectiveTLDPlusOne(ascii); err != nil {
		return "", ErrDomain
	}
	return ascii, nil
}
