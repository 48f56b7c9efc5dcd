package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Errors of OpenID providers.
var (
	// errProvider: it can't be reached, or isn't one.
	errProvider = errors.New("the OpenID provider")
	// errProviderBusy: too many log-ins ask it at once.
	errProviderBusy = errors.New("too many log-ins wait for the OpenID provider")
	// errIdentity: it does not say who somebody is, or not so that it counts.
	errIdentity = errors.New("no identity")
)

// providers are the OpenID providers that this node has to do with (OpenID
// Connect Core 1.0, authorization code flow with PKCE). What strangers can have
// it ask is bounded: what a provider says of itself is remembered for a while,
// and so is that it could not be read.
type providers struct {
	http *http.Client

	mu    sync.Mutex
	known map[string]*provider // by issuer
}

// provider is one of them.
type provider struct {
	issuer string
	http   *http.Client
	slots  chan struct{} // who asks it now

	mu    sync.Mutex
	found *discovery // nil with err
	err   error
	until time.Time // of found or err
}

// discovery is what a provider says of itself.
type discovery struct {
	provider *oidc.Provider
	endpoint oauth2.Endpoint
}

func newProviders(cfg notify.WebhookConfig) *providers {
	cfg.Timeout = cloudlicenses.SSOTimeout
	return &providers{http: notify.NewClient(cfg, cloudlicenses.MaxSSOReply), known: make(map[string]*provider)}
}

// of returns the provider of an issuer.
func (p *providers) of(issuer string) *provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.known[issuer]
	if one != nil {
		return one
	}
	for name := range p.known { // whichever: it is read again when it is wanted
		if len(p.known) < cloudlicenses.MaxSSOProviders {
			break
		}
		delete(p.known, name)
	}
	one = &provider{issuer: issuer, http: p.http, slots: make(chan struct{}, cloudlicenses.MaxSSORequests)}
	p.known[issuer] = one
	return one
}

// enter takes a slot; leave gives it back.
func (p *provider) enter() error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
		return errProviderBusy
	}
}

func (p *provider) leave() { <-p.slots }

// discover returns what the provider says of itself, as read a while ago at
// most; anew where fresh is asked for. A slot is held.
func (p *provider) discover(ctx context.Context, fresh bool) (*discovery, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !fresh && time.Now().Before(p.until) {
		return p.found, p.err
	}
	p.found, p.err = p.read(ctx)
	life := cloudlicenses.SSOProviderLife
	if p.err != nil {
		life = cloudlicenses.SSOProviderRetry
	}
	p.until = time.Now().Add(life)
	return p.found, p.err
}

// read asks the provider (OpenID Connect Discovery 1.0).
func (p *provider) read(ctx context.Context) (*discovery, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), p.issuer)
	if err != nil {
		return nil, providerError(err)
	}
	var says struct {
		Keys        string   `json:"jwks_uri"`
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&says); err != nil {
		return nil, providerError(err)
	}
	d := &discovery{provider: found, endpoint: found.Endpoint()}
	for _, u := range []string{d.endpoint.AuthURL, d.endpoint.TokenURL, says.Keys} {
		// A browser is sent to the first one; for whether http:// may be, the
		// issuer's own scheme speaks, which was checked.
		if err := notify.CheckURL(u, strings.HasPrefix(p.issuer, "http://")); err != nil {
			return nil, providerError(fmt.Errorf("it names an endpoint that can't be used: %w", err))
		}
	}
	// Trying both would spend the code on the wrong one.
	d.endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(says.AuthMethods) > 0 && !slices.Contains(says.AuthMethods, "client_secret_basic") {
		d.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return d, nil
}

// maxErrorText bounds what a provider's answer adds to logs and replies, in bytes:
// anybody may have it asked.
const maxErrorText = 300

// providerError is an errProvider, and a notify.ErrAddress where err is one.
func providerError(err error) error {
	if errors.Is(err, notify.ErrAddress) {
		return fmt.Errorf("%w: %w", errProvider, notify.ErrAddress)
	}
	return fmt.Errorf("%w: %s", errProvider, shorten(err.Error()))
}

func shorten(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "")
}

// check reads the provider anew.
func (p *provider) check(ctx context.Context) error {
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	_, err := p.discover(ctx, true)
	return err
}

// config is the client that a tenant is for its provider.
func (d *discovery) config(s *license.SSO, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: s.ClientID, ClientSecret: s.ClientSecret, Endpoint: d.endpoint, RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
}

// begin returns where the browser is sent to log in.
func (p *provider) begin(ctx context.Context, s *license.SSO, pending *shard.PendingSSO, redirect string) (string, error) {
	if err := p.enter(); err != nil {
		return "", err
	}
	defer p.leave()
	d, err := p.discover(ctx, false)
	if err != nil {
		return "", err
	}
	return d.config(s, redirect).AuthCodeURL(pending.State, oidc.Nonce(pending.Nonce), oauth2.S256ChallengeOption(pending.Verifier)), nil
}

// identify trades the code that the browser came back with for whom it is of.
func (p *provider) identify(ctx context.Context, s *license.SSO, pending *shard.PendingSSO, redirect, code string) (shard.Person, error) {
	if err := p.enter(); err != nil {
		return shard.Person{}, err
	}
	defer p.leave()
	d, err := p.discover(ctx, false)
	if err != nil {
		return shard.Person{}, err
	}
	ctx = oidc.ClientContext(ctx, p.http)
	token, err := d.config(s, redirect).Exchange(ctx, code, oauth2.VerifierOption(pending.Verifier))
	var answered *oauth2.RetrieveError
	switch {
	case errors.As(err, &answered) && answered.ErrorCode != "":
		return shard.Person{}, fmt.Errorf("%w: it refused the code: %s", errIdentity, shownCode(answered.ErrorCode))
	case err != nil:
		return shard.Person{}, providerError(err)
	}
	text, _ := token.Extra("id_token").(string)
	if text == "" {
		return shard.Person{}, fmt.Errorf("%w: it sent no ID token", errIdentity)
	}
	verified, err := d.provider.Verifier(&oidc.Config{ClientID: s.ClientID}).Verify(ctx, text)
	switch {
	case err != nil && strings.Contains(err.Error(), "fetching keys"): // the library's words: it wraps nothing
		return shard.Person{}, providerError(err)
	case err != nil:
		return shard.Person{}, fmt.Errorf("%w: its ID token does not hold: %s", errIdentity, shorten(strings.TrimPrefix(err.Error(), "oidc: ")))
	case verified.Nonce != pending.Nonce:
		return shard.Person{}, fmt.Errorf("%w: its ID token is of another log-in", errIdentity)
	}
	return person(verified, s.ClientID)
}

// person reads the claims of an ID token that was verified.
func person(token *oidc.IDToken, clientID string) (shard.Person, error) {
	var claims struct {
		Email    string   `json:"email"`
		Verified verified `json:"email_verified"`
		Name     string   `json:"name"`
		Party    string   `json:"azp"`
	}
	if err := token.Claims(&claims); err != nil {
		return shard.Person{}, fmt.Errorf("%w: its ID token can't be read: %s", errIdentity, shorten(err.Error()))
	}
	email, err := cloudlicenses.NormalizeEmail(claims.Email)
	switch {
	// OpenID Connect Core 1.0, 3.1.3.7, 4 and 5.
	case claims.Party != "" && claims.Party != clientID, claims.Party == "" && len(token.Audience) > 1:
		return shard.Person{}, fmt.Errorf("%w: its ID token is for another party", errIdentity)
	// The same, 2.
	case token.Subject == "" || len(token.Subject) > cloudlicenses.MaxSubjectLength || !visible(token.Subject):
		return shard.Person{}, fmt.Errorf("%w: its ID token has no proper subject", errIdentity)
	case err != nil:
		return shard.Person{}, fmt.Errorf("%w: its ID token has no e-mail address", errIdentity)
	case !bool(claims.Verified):
		return shard.Person{}, fmt.Errorf("%w: it has not verified the e-mail address", errIdentity)
	case cloudlicenses.ValidatePersonName(claims.Name) != nil:
		claims.Name, _, _ = strings.Cut(email, "@")
	}
	return shard.Person{Subject: token.Subject, Email: email, Name: claims.Name}, nil
}

// verified is a boolean that some providers send as text.
type verified bool

// UnmarshalJSON takes true and "true"; anything else is not.
func (v *verified) UnmarshalJSON(text []byte) error {
	*v = string(text) == "true" || string(text) == `"true"`
	return nil
}

var _ json.Unmarshaler = (*verified)(nil)

// shownCode is a code of RFC 6749 as it may be shown: what a stranger sends is
// not repeated at length.
func shownCode(code string) string {
	const longest = 40
	if code == "" || len(code) > longest || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "an error of no known name"
	}
	return code
}
