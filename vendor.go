package cloudlicenses

import (
	"errors"
	"net/url"
	"strings"
)

// What a vendor's settings may hold.

// ErrColor is returned for a text that is no color.
var ErrColor = errors.New("must be a color such as #ff8800")

// ValidateColor reports whether s is a color in six hexadecimal digits.
func ValidateColor(s string) error {
	if len(s) != 7 || s[0] != '#' || strings.Trim(s[1:], "0123456789abcdefABCDEF") != "" {
		return ErrColor
	}
	return nil
}

// ErrURL is returned for a text that is no URL of a setting.
var ErrURL = errors.New("must be an https URL of at most 2048 bytes, without credentials or fragment")

// ValidateURL reports whether s may be a URL in a vendor's settings. allowHTTP
// lets plain HTTP pass, as where the platform itself speaks it.
func ValidateURL(s string, allowHTTP bool) error {
	u, err := url.Parse(s)
	if err != nil || len(s) > MaxURLLength || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return ErrURL
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP) {
		return ErrURL
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return ErrURL
		}
	}
	return nil
}

// ErrBearerToken is returned for a text that is no bearer token.
var ErrBearerToken = errors.New("must be 1–4096 characters of A–Z, a–z, 0–9 and -._~+/=")

// ValidateBearerToken reports whether s may be sent as a bearer token (RFC 6750,
// 2.1).
func ValidateBearerToken(s string) error {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
	if s == "" || len(s) > MaxBearerToken || strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(alphabet, r) }) >= 0 {
		return ErrBearerToken
	}
	return nil
}
