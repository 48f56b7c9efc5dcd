package cloudlicenses

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// UserID names a user of a tenant, such as "user-0192f…".
type UserID string

// UserStatus is where a user stands in its life.
type UserStatus string

// The states of a user. Only an active one may log in.
const (
	UserInvited  UserStatus = "invited"
	UserActive   UserStatus = "active"
	UserDisabled UserStatus = "disabled"
)

// TokenPurpose says what a one-time token was mailed for. All of them set a
// password.
type TokenPurpose string

// The purposes of a one-time token.
const (
	TokenWelcome TokenPurpose = "welcome" // a new tenant's first owner
	TokenInvite  TokenPurpose = "invite"
	TokenReset   TokenPurpose = "reset"
)

// Valid reports whether p is one of the purposes.
func (p TokenPurpose) Valid() bool {
	return p == TokenWelcome || p == TokenInvite || p == TokenReset
}

// Errors of what a person typed.
var (
	// ErrEmail: the text can't be an e-mail address.
	ErrEmail = errors.New("must be an e-mail address of at most 254 bytes in ASCII; an internationalized domain is written as xn--")
	// ErrPersonName: the text can't be a name.
	ErrPersonName = errors.New("must be 1 to 100 characters without control characters")
	// ErrPassword: the password is too short, too long, or the e-mail address.
	ErrPassword = errors.New("must be at least 12 characters and at most 256 bytes, and not the e-mail address")
)

// NormalizeEmail returns the one form in which an address is kept: lower case,
// without white space around it. An address is what mail can be sent to: a
// dot-atom of up to 64 characters, "@", and a host name (RFC 5321, 4.1.2 and
// 4.5.3.1, without what nobody uses). Who reads its mail is known once a link has
// been followed.
func NormalizeEmail(text string) (string, error) {
	email := strings.TrimSpace(text)
	local, host, _ := strings.Cut(email, "@")
	if len(local) > 64 || len(email) > MaxEmailLength || !ValidHost(host) {
		return "", ErrEmail
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool {
			return !alphanumeric(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
		}) {
			return "", ErrEmail
		}
	}
	return strings.ToLower(email), nil
}

// ValidHost reports whether host is labels of letters, digits and inner "-" (RFC
// 1123, 2.1), the last not of digits alone: that would be an address.
func ValidHost(host string) bool {
	if len(host) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return !alphanumeric(r) && r != '-' }) {
			return false
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != ""
}

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// ValidatePersonName reports whether a text may name a person.
func ValidatePersonName(name string) error {
	if n := utf8.RuneCountInString(name); !utf8.ValidString(name) || n < 1 || n > MaxPersonNameLength ||
		strings.TrimSpace(name) == "" || strings.ContainsFunc(name, unicode.IsControl) {
		return ErrPersonName
	}
	return nil
}

// ValidatePassword reports whether a password is good enough for a user.
func ValidatePassword(password, email string) error {
	if utf8.RuneCountInString(password) < MinPasswordLength || len(password) > MaxPasswordBytes ||
		!utf8.ValidString(password) || strings.EqualFold(strings.TrimSpace(password), email) {
		return ErrPassword
	}
	return nil
}
