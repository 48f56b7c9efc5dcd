package licenseclient

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	good := Options{ServerURL: "https://mercedes.example.com", APIKey: testKey}
	if c, err := New(good); err != nil || c.ServerURL() != good.ServerURL {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no URL":             func(o *Options) { o.ServerURL = "" },
		"no scheme":          func(o *Options) { o.ServerURL = "mercedes.example.com" },
		"another scheme":     func(o *Options) { o.ServerURL = "ftp://mercedes.example.com" },
		"no host":            func(o *Options) { o.ServerURL = "https://:8080" },
		"a path":             func(o *Options) { o.ServerURL += "/api/v1" },
		"a query":            func(o *Options) { o.ServerURL += "?a=b" },
		"a password":         func(o *Options) { o.ServerURL = "https://me:secret@mercedes.example.com" },
		"no URL at all":      func(o *Options) { o.ServerURL = "https://[::1" },
		"no key":             func(o *Options) { o.APIKey = "" },
		"a key with a break": func(o *Options) { o.APIKey = testKey + "\n" },
		"a hostname broken":  func(o *Options) { o.Hostname = "a\r\nX-Evil: 1" },
		"a negative timeout": func(o *Options) { o.Timeout = -1 },
		"mixed schemes":      func(o *Options) { o.Endpoints = []string{"http://10.0.0.1"} },
		"a bad endpoint":     func(o *Options) { o.Endpoints = []string{"10.0.0.1:8080"} },
	} {
		o := good
		change(&o)
		_, err := New(o)
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), testKey)) {
			t.Errorf("%s: the message tells a secret: %v", name, err)
		}
	}
}

func TestFromEnv(t *testing.T) {
	for _, test := range []struct{ url, key, want string }{
		{"", "", EnvServerURL + " and " + EnvAPIKey + " are not set"},
		{"", testKey, EnvServerURL + " is not set"},
		{"https://mercedes.example.com/", "", EnvAPIKey + " is not set"},
		{"mercedes.example.com:8080", testKey, "want https://mercedes.example.com:8080, or http://mercedes.example.com:8080"},
	} {
		t.Setenv(EnvServerURL, test.url)
		t.Setenv(EnvAPIKey, test.key)
		if _, err := FromEnv(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q, %q: %v", test.url, test.key, err)
		}
	}
	t.Setenv(EnvServerURL, "https://mercedes.example.com/")
	t.Setenv(EnvAPIKey, testKey)
	if c, err := FromEnv(); err != nil || c.ServerURL() != "https://mercedes.example.com" {
		t.Error(err)
	}
}

func TestFingerprint(t *testing.T) {
	one, err := ExecutableFingerprint("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	again, err := ExecutableFingerprint("1.2.3")
	if err != nil || one != again || !strings.HasPrefix(one, "sha256:") || len(one) != len("sha256:")+64 {
		t.Errorf("%q and %q, %v", one, again, err)
	}
	if other, err := ExecutableFingerprint("1.2.4"); err != nil || other == one {
		t.Errorf("another version has the same fingerprint, %v", err)
	}
}

// A user of a RoundTripper of their own gets no leader hints, and all else.
func TestOwnRoundTripper(t *testing.T) {
	s := newTestServer(t, 2)
	s.leader = 1
	via := roundTripper{newTransport(&http.Transport{}, "")}
	t.Cleanup(via.inner.CloseIdleConnections)
	c := s.client(func(o *Options) { o.HTTPClient = &http.Client{Transport: via} })
	for range 2 {
		mustCheckout(t, c, ask("alice"))
	}
	for _, r := range s.seen() {
		if r.Node != 0 {
			t.Errorf("node %d was asked", r.Node)
		}
	}
	_, err := c.Checkout(canceled(), ask("alice"))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

type roundTripper struct{ inner *http.Transport }

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	return r.inner.RoundTrip(req)
}
