package shard

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// A session's token is clus_ and 43 base62 characters (256 random bits); that
// of a vendor's user is clvs_<vendor>_ and the characters, since the host does
// not say which vendor. A one-time token, which is mailed, is the characters
// alone. The cluster keeps their SHA-256: with that many random bits it needs
// no secret.
const (
	sessionPrefix       = "clus_"
	vendorSessionPrefix = "clvs_"
	tokenRandom         = 43
)

// NewSessionToken returns the token of a fresh session with a tenant, or with a
// vendor by the name of its account.
func NewSessionToken(account cloudlicenses.TenantID) string {
	prefix := sessionPrefix
	if vendor, ok := account.Vendor(); ok {
		prefix = vendorSessionPrefix + string(vendor) + "_"
	}
	return string(appendRandom62([]byte(prefix), tokenRandom))
}

// ParseVendorSession returns the vendor of a text that has the form of the token
// of a vendor's session.
func ParseVendorSession(text string) (cloudlicenses.VendorID, bool) {
	rest, ok := strings.CutPrefix(text, vendorSessionPrefix)
	cut := len(rest) - tokenRandom - 1
	if !ok || cut < 1 || rest[cut] != '_' || !isRandom62(rest[cut+1:]) || cloudlicenses.ValidateID(rest[:cut]) != nil {
		return "", false
	}
	return cloudlicenses.VendorID(rest[:cut]), true
}

// NewOneTimeToken returns a fresh token to be mailed.
func NewOneTimeToken() string { return string(appendRandom62(nil, tokenRandom)) }

// IsSessionToken reports whether a text has the form of the token of a session
// with a tenant.
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

// leaderPatience is how long a read waits for the leader's word on its session; a
// failover takes some 400 ms.
const leaderPatience = time.Second

// ReadSession is Session for what a replica answers. That goes on while no leader can be
// reached from here: then the replica at hand tells whose the session was, as long as it
// is known to be no further behind than MaxSessionStaleness. One that was ended meanwhile,
// out of this node's reach, still reads what this node has.
func (s *Shard) ReadSession(ctx context.Context, tenant cloudlicenses.TenantID, hash [32]byte) (license.SessionFacts, error) {
	soon, cancel := context.WithTimeout(ctx, leaderPatience)
	defer cancel()
	facts, err := s.Session(soon, tenant, hash)
	if !errors.Is(err, cluster.ErrNoLeader) && !errors.Is(err, cluster.ErrOutcomeUnknown) {
		return facts, err
	}
	var kept license.SessionFacts
	query := &license.FindSession{Session: hash, NowMillis: time.Now().UnixMilli()}
	fresh, failed := s.Read(ctx, tenant, Command{Op: license.QuerySession, Payload: query, Result: &kept}, ReadOptions{})
	if failed != nil || fresh.StalenessMillis < 0 || fresh.StalenessMillis > cloudlicenses.MaxSessionStaleness.Milliseconds() {
		return facts, err
	}
	return kept, nil
}
