package licenseclient

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Version is the version of this package, sent as X-Lib-Version.
const Version = "0.1.0"

// Environment variables that FromEnv reads.
const (
	EnvServerURL = "LICENSE_SERVER_URL"
	EnvAPIKey    = "LICENSE_API_KEY"
)

// Defaults of Options.
const (
	DefaultTimeout        = 30 * time.Second
	DefaultAttemptTimeout = 7 * time.Second // the server settles or gives up within 5 s
)

// Options configure a Client. ServerURL and APIKey are required.
type Options struct {
	// ServerURL is the tenant's own URL, such as
	// https://mercedes.cloudlicenses.com. A name under .localhost is reached
	// on loopback without asking a resolver.
	ServerURL string
	// APIKey is a key of that tenant, "clsk_…".
	APIKey string

	// Endpoints are base URLs of single nodes to try in turn when ServerURL
	// does not answer; they are asked under ServerURL's host name. Without a
	// load balancer in front they let a client survive the loss of any node.
	Endpoints []string
	// HTTPClient's transport, certificates and timeout are used; it is
	// copied, not changed. Leader hints are followed and Endpoints allowed
	// only where its Transport is nil or an *http.Transport without a proxy
	// for ServerURL, because only then is the server's name kept in TLS.
	HTTPClient *http.Client
	// Hostname is sent as X-Hostname: empty means os.Hostname.
	Hostname string
	// Fingerprint is sent as X-App-Fingerprint where it is not empty. See
	// ExecutableFingerprint.
	Fingerprint string
	// LibVersion is sent as X-Lib-Version: a vendor's own library built on
	// this one gives its own. Empty means Version.
	LibVersion string
	// UserAgent is sent in front of this package's own.
	UserAgent string

	// Timeout bounds a call with all its retries where the context has no
	// deadline. 0 means DefaultTimeout.
	Timeout time.Duration
	// AttemptTimeout bounds one attempt. 0 means DefaultAttemptTimeout.
	AttemptTimeout time.Duration
}

// optionsFromEnv reads the two variables every application is given.
func optionsFromEnv() (Options, error) {
	o := Options{ServerURL: os.Getenv(EnvServerURL), APIKey: os.Getenv(EnvAPIKey)}
	if o.ServerURL == "" && o.APIKey == "" {
		return o, fmt.Errorf("%w: %s and %s are not set: want the tenant's URL, such as https://mercedes.cloudlicenses.com, and a key of the tenant, clsk_…",
			ErrConfig, EnvServerURL, EnvAPIKey)
	}
	if o.ServerURL == "" {
		return o, fmt.Errorf("%w: %s is not set: want the tenant's URL, such as https://mercedes.cloudlicenses.com", ErrConfig, EnvServerURL)
	}
	if o.APIKey == "" {
		return o, fmt.Errorf("%w: %s is not set: want a key of the tenant, clsk_…", ErrConfig, EnvAPIKey)
	}
	return o, nil
}

// withDefaults checks o and fills what was left empty.
func (o Options) withDefaults() (Options, error) {
	if o.APIKey == "" {
		return o, fmt.Errorf("%w: APIKey is empty", ErrConfig)
	}
	if o.Hostname == "" {
		// Without a name the server decides by what else it knows.
		o.Hostname, _ = os.Hostname()
	}
	if o.LibVersion == "" {
		o.LibVersion = Version
	}
	agent := "cloudlicenses-go/" + Version
	if o.UserAgent != "" {
		agent = o.UserAgent + " " + agent
	}
	o.UserAgent = agent
	for name, value := range map[string]string{
		"APIKey": o.APIKey, "Hostname": o.Hostname, "Fingerprint": o.Fingerprint,
		"LibVersion": o.LibVersion, "UserAgent": o.UserAgent,
	} {
		// Never the value: it may be the key.
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) || value != strings.TrimSpace(value) {
			return o, fmt.Errorf("%w: %s has white space around it or control characters in it", ErrConfig, name)
		}
	}
	if o.Timeout < 0 || o.AttemptTimeout < 0 {
		return o, fmt.Errorf("%w: a timeout is negative", ErrConfig)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = DefaultAttemptTimeout
	}
	return o, nil
}

// parseBase parses the URL of a server: scheme, host and port alone.
func parseBase(name, text string) (*url.URL, error) {
	if text != "" && !strings.Contains(text, "://") {
		return nil, fmt.Errorf("%w: %s is %q: want https://%s, or http://%s of a server without TLS", ErrConfig, name, text, text, text)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, name, err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, fmt.Errorf("%w: %s is %q: want https://<tenant>.<domain>", ErrConfig, name, u.Redacted())
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return nil, fmt.Errorf("%w: %s is %q: want a scheme, a host and a port, nothing after it", ErrConfig, name, u.Redacted())
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}
