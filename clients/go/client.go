package licenseclient

import (
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Client speaks to one tenant's license server with one API key. It is safe
// for concurrent use; make one for a process.
type Client struct {
	options Options
	home    *url.URL // ServerURL, parsed
	http    *http.Client
	routes  router
	// seen is what reads must reach: the last write answered or refused, or a
	// read since, so that a caller sees its own writes and what a refusal was
	// for, and never goes back in time. nil: none yet.
	seen atomic.Pointer[sighting]
}

// sighting is an X-Applied-Index that an answer came with. Two of them cannot
// be compared: which is the later one is known only of calls that did not
// overlap.
type sighting struct {
	index string
	// contested: another answer came while this call was under way, so the
	// last of what was seen may be either's. Only the leader is then sure to
	// know both.
	contested bool
}

// FromEnv returns a client of the server and with the key that the
// environment names (EnvServerURL, EnvAPIKey). Errors wrap ErrConfig.
func FromEnv() (*Client, error) {
	options, err := optionsFromEnv()
	if err != nil {
		return nil, err
	}
	return New(options)
}

// New returns a client. It sends nothing: a wrong URL or key shows with the
// first call. Errors wrap ErrConfig.
func New(options Options) (*Client, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	home, err := parseBase("ServerURL", options.ServerURL)
	if err != nil {
		return nil, err
	}
	httpClient, direct, err := ownHTTPClient(options.HTTPClient, home)
	if err != nil {
		return nil, err
	}
	if !direct && len(options.Endpoints) > 0 {
		return nil, fmt.Errorf("%w: Endpoints need a direct connection: not through a proxy, nor a RoundTripper of one's own", ErrConfig)
	}
	homes := []*url.URL{home}
	for i, endpoint := range options.Endpoints {
		u, err := parseBase(fmt.Sprintf("Endpoints[%d]", i), endpoint)
		if err != nil {
			return nil, err
		}
		if u.Scheme != home.Scheme {
			return nil, fmt.Errorf("%w: Endpoints[%d] is %s, ServerURL is %s", ErrConfig, i, u.Scheme, home.Scheme)
		}
		homes = append(homes, u)
	}
	c := &Client{options: options, home: home, http: httpClient}
	c.routes.homes, c.routes.follow = homes, direct
	c.routes.avoid = make(map[string]time.Time)
	return c, nil
}

// ownHTTPClient copies given (nil: the defaults of net/http) for calls to
// home. direct tells that nodes other than home may be asked in its name.
func ownHTTPClient(given *http.Client, home *url.URL) (own *http.Client, direct bool, err error) {
	own = &http.Client{}
	if given != nil {
		*own = *given
	}
	// The API never redirects, and a key must not follow where a stranger
	// points.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Jar = nil

	base := own.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	transport, ok := base.(*http.Transport)
	if !ok {
		return own, false, nil
	}
	direct = !proxied(newTransport(transport, ""), home)
	serverName := ""
	if direct && home.Scheme == "https" {
		serverName = home.Hostname()
	}
	own.Transport = newTransport(transport, serverName)
	return own, direct, nil
}

// Close closes idle connections. Leases stay as they are: return them first.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ServerURL returns the URL that the client was made for, without a slash at
// its end.
func (c *Client) ServerURL() string { return c.home.String() }
