package shard

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"

	"github.com/cloudlicenses/cloudlicenses"
)

// Passwords are kept as argon2id (RFC 9106) with 19 MiB, two passes and one
// lane, written
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
//
// with 16 bytes of salt and 32 of hash in base64 without padding.
const (
	argonMemory = 19 << 10 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonSalt   = 16
	argonHash   = 32
	argonForm   = "$argon2id$v=19$m=19456,t=2,p=1$"
)

// ErrHashing means that too many passwords wait to be hashed. Nothing was
// done.
var ErrHashing = errors.New("too many passwords wait to be hashed")

// One hash costs some 50 ms of a core and 19 MiB: the process computes a few
// at a time, and lets few wait.
var (
	hashing = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	waiting = waiters{byAccount: make(map[cloudlicenses.TenantID]int), byClient: make(map[netip.Addr]int)}
)

// Asker is for whom a password is hashed: the account whose user it is, and the
// client that sent it, as ClientOf returns it; the zero one is this process.
type Asker struct {
	Account cloudlicenses.TenantID
	Client  netip.Addr
}

// waiters count who waits, and who is served. A share each keeps whoever floods
// one account, or comes from one address, from shutting out everybody else.
type waiters struct {
	mu        sync.Mutex
	all       int
	byAccount map[cloudlicenses.TenantID]int
	byClient  map[netip.Addr]int
}

func (w *waiters) enter(who Asker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all >= cloudlicenses.MaxPasswordsWaiting || w.byAccount[who.Account] >= cloudlicenses.MaxPasswordsOfOne ||
		who.Client.IsValid() && w.byClient[who.Client] >= cloudlicenses.MaxPasswordsOfOne {
		return false
	}
	w.all++
	w.byAccount[who.Account]++
	w.byClient[who.Client]++
	return true
}

func (w *waiters) leave(who Asker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.byAccount[who.Account]--; w.byAccount[who.Account] == 0 {
		delete(w.byAccount, who.Account)
	}
	if w.byClient[who.Client]--; w.byClient[who.Client] == 0 {
		delete(w.byClient, who.Client)
	}
}

// ClientOf is what counts as one client of an address: of IPv6 its /64, for
// whoever has one address has all of that.
func ClientOf(address string) netip.Addr {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		if prefix, err := a.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return a
}

// derive computes argon2id when it is this one's turn.
func derive(ctx context.Context, who Asker, password string, salt []byte) ([]byte, error) {
	if !waiting.enter(who) {
		return nil, ErrHashing
	}
	defer waiting.leave(who)
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return nil, ErrHashing
	}
	return argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonHash), nil
}

// HashPassword returns what is kept of a password.
func HashPassword(ctx context.Context, who Asker, password string) ([]byte, error) {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the process first
	hash, err := derive(ctx, who, password, salt)
	if err != nil {
		return nil, err
	}
	return []byte(argonForm + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(hash)), nil
}

// nobody is held against the password of an address without a user, so that
// its refusal costs what any other does.
var nobody = argonForm + base64.RawStdEncoding.EncodeToString(make([]byte, argonSalt)) + "$" + base64.RawStdEncoding.EncodeToString(make([]byte, argonHash))

// PasswordFits reports whether a password is the one that was hashed. An empty
// hash is nobody's: it takes as long, and fits nothing.
func PasswordFits(ctx context.Context, who Asker, password string, kept []byte) (bool, error) {
	text := string(kept)
	if text == "" {
		text = nobody
	}
	rest, ok := strings.CutPrefix(text, argonForm)
	saltText, hashText, found := strings.Cut(rest, "$")
	salt, saltErr := base64.RawStdEncoding.DecodeString(saltText)
	want, hashErr := base64.RawStdEncoding.DecodeString(hashText)
	if !ok || !found || len(want) != argonHash || errors.Join(saltErr, hashErr) != nil {
		return false, fmt.Errorf("a password's hash of %d bytes is not of the form %s…", len(kept), argonForm)
	}
	got, err := derive(ctx, who, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && len(kept) > 0, nil
}
