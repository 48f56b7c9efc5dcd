package shard

import (
	"crypto/sha256"
	"strings"
)

// A session's token is clus_ and 43 base62 characters (256 random bits); a
// one-time token, which is mailed, is the characters alone. The cluster keeps
// their SHA-256: with that many random bits it needs no secret.
const (
	sessionPrefix = "clus_"
	tokenRandom   = 43
)

// NewSessionToken returns the token of a fresh session.
func NewSessionToken() string { return string(appendRandom62([]byte(sessionPrefix), tokenRandom)) }

// NewOneTimeToken returns a fresh token to be mailed.
func NewOneTimeToken() string { return string(appendRandom62(nil, tokenRandom)) }

// IsSessionToken reports whether a text has the form of a session's token.
func IsSessionToken(text string) bool {
	random, ok := strings.CutPrefix(text, sessionPrefix)
	return ok && isRandom62(random)
}

// IsOneTimeToken reports whether a text has the form of a one-time token.
func IsOneTimeToken(text string) bool { return isRandom62(text) }

func isRandom62(text string) bool {
	if len(text) != tokenRandom {
		return false
	}
	for i := range len(text) {
		if base62Digit[text[i]] == 0xff {
			return false
		}
	}
	return true
}

// HashToken returns what the cluster knows a session's or one-time token by.
func HashToken(token string) [32]byte { return sha256.Sum256([]byte(token)) }
