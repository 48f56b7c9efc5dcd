package shard

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

func TestPasswords(t *testing.T) {
	ctx := context.Background()
	kept, err := HashPassword(ctx, Asker{}, "correct horse battery")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(kept), "$argon2id$v=19$m=19456,t=2,p=1$"))
	again, err := HashPassword(ctx, Asker{}, "correct horse battery")
	require.NoError(t, err)
	require.NotEqual(t, kept, again)
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterY": false, "": false} {
		fits, err := PasswordFits(ctx, Asker{}, password, kept)
		require.NoError(t, err)
		require.Equal(t, want, fits, password)
	}
	fits, err := PasswordFits(ctx, Asker{}, "", nil)
	require.NoError(t, err)
	require.False(t, fits, "nobody has no password")
	for _, damaged := range []string{"x", argonForm, argonForm + "$", argonForm + "AAAA$AAAA", string(kept[:len(kept)-2])} {
		_, err := PasswordFits(ctx, Asker{}, "p", []byte(damaged))
		require.Error(t, err, damaged)
	}
}

func TestHashingIsCapped(t *testing.T) {
	for range cap(hashing) {
		hashing <- struct{}{}
	}
	defer func() {
		for range cap(hashing) {
			<-hashing
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := HashPassword(ctx, Asker{}, "correct horse battery")
	require.ErrorIs(t, err, ErrHashing)
}

// TestHashingIsShared: whoever floods an account, or comes from one address, shuts
// nobody else out.
func TestHashingIsShared(t *testing.T) {
	for range cap(hashing) {
		hashing <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		asking.Wait()
		for range cap(hashing) {
			<-hashing
		}
	})
	s := &Shard{}
	// ask reports whether the request for a reset waits; one that may not is answered.
	ask := func(tenant cloudlicenses.TenantID, address string) bool {
		waits := func() int {
			waiting.mu.Lock()
			defer waiting.mu.Unlock()
			return waiting.all
		}
		before, answer := waits(), make(chan error, 1)
		asking.Go(func() { answer <- s.MailReset(ctx, tenant, "a@b.example", address) })
		require.Eventually(t, func() bool { return waits() > before || len(answer) > 0 }, 5*time.Second, time.Millisecond)
		if len(answer) == 0 {
			return true
		}
		require.ErrorIs(t, <-answer, ErrHashing)
		return false
	}
	for n := range cloudlicenses.MaxPasswordsOfOne { // one address, and the same as IPv4 in IPv6
		require.True(t, ask(cloudlicenses.TenantID(fmt.Sprint("t", n)), "192.0.2.1"))
	}
	require.False(t, ask("other", "::ffff:192.0.2.1"))
	for n := range cloudlicenses.MaxPasswordsOfOne { // one account
		require.True(t, ask("bmw", fmt.Sprintf("2001:db8:0:%x::1", n)))
	}
	require.False(t, ask("bmw", "198.51.100.1"))
	require.True(t, ask("mercedes", "198.51.100.1"))
}

// TestLookingIsNoUse: a session that is only looked at ends for want of use.
func TestLookingIsNoUse(t *testing.T) {
	c := newTrio(t)
	var ahead atomic.Int64
	c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c.start(0, 1, 2)
	ctx, s := t.Context(), c.shards[0]
	_, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	require.NoError(t, s.PutOwner(ctx, "mercedes", "user-1", "admin@mercedes.com", "Admin", "correct horse battery"))
	in, _, err := s.LogIn(ctx, "mercedes", Credentials{Email: "admin@mercedes.com", Password: "correct horse battery"})
	require.NoError(t, err)
	hash := HashToken(in.Token)

	ahead.Add(int64(cloudlicenses.SessionTouch))
	_, err = s.Session(ctx, "mercedes", hash)
	require.NoError(t, err)
	used, err := s.LookSession(ctx, "mercedes", hash)
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, used.Code)
	for range 2 {
		ahead.Add(int64(cloudlicenses.SessionIdle) / 3)
		looked, err := s.LookSession(ctx, "mercedes", hash)
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, looked.Code)
		require.Equal(t, used.Session.SeenMillis, looked.Session.SeenMillis)
	}
	ahead.Add(int64(cloudlicenses.SessionIdle) / 3)
	over, err := s.LookSession(ctx, "mercedes", hash)
	require.NoError(t, err)
	require.NotEqual(t, cloudlicenses.OK, over.Code)
}

func TestTokensOfSessions(t *testing.T) {
	session, once := NewSessionToken("mercedes"), NewOneTimeToken()
	require.True(t, IsSessionToken(session))
	require.True(t, IsOneTimeToken(once))
	require.NotEqual(t, session, NewSessionToken("mercedes"))
	for _, bad := range []string{"", "clus_", session[:47], session + "0", "clus_" + once[:42] + "!", "clsk" + session[4:]} {
		require.False(t, IsSessionToken(bad), bad)
		require.False(t, IsOneTimeToken(bad), bad)
	}
}

func TestSecondFactor(t *testing.T) {
	secret, url, err := newFactor("acme", "ann@acme")
	require.NoError(t, err)
	require.Contains(t, url, "otpauth://totp/cloudlicenses%20acme:ann@acme?")
	require.Contains(t, url, secret)
	now := time.Unix(1_800_000_000, 0)
	for offset, want := range map[int64]bool{-61: false, -30: true, 0: true, 29: true, 30: true, 61: false} {
		at := now.Add(time.Duration(offset) * time.Second)
		code, err := totp.GenerateCode(secret, at)
		require.NoError(t, err)
		step := codeStep(secret, code, now)
		require.Equal(t, want, step != 0, offset)
		if want {
			require.Equal(t, at.Unix()/30, step)
		}
	}
	require.Zero(t, codeStep(secret, "", now))

	s := newSecrets()
	sealed, err := s.sealFactor("acme", "user-1", secret)
	require.NoError(t, err)
	require.NotContains(t, string(sealed), secret)
	opened, err := s.openFactor("acme", "user-1", sealed)
	require.NoError(t, err)
	require.Equal(t, secret, opened)
	_, err = s.openFactor("acme", "user-2", sealed)
	require.Error(t, err, "sealed for another user")
	_, err = newSecrets().openFactor("acme", "user-1", sealed)
	require.Error(t, err, "sealed by another cluster")
	for cut := range len(sealed) {
		_, err = s.openFactor("acme", "user-1", sealed[:cut])
		require.Error(t, err)
	}
}
