package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const (
	defaultWebhookTimeout = 20 * time.Second // the specification's 15–30 s
	connectTimeout        = 5 * time.Second
	// Of an answer, its status counts: the rest is read only so that the receiver
	// can finish, and bounded.
	maxResponseHeader = 32 << 10
	maxResponseBody   = 16 << 10
)

// WebhookConfig says whom webhooks may reach, and how.
type WebhookConfig struct {
	Timeout time.Duration // of a whole attempt; 0: 20 s
	// AllowNetworks are reached though they are not public. Nil for none.
	AllowNetworks []netip.Prefix
	// AllowHTTP lets http:// through, which anybody on the way can read: for dev.
	AllowHTTP bool
	RootCAs   *x509.CertPool // nil: the system's
	Resolver  *net.Resolver  // nil: the system's
}

// WebhookClient posts webhooks. It follows no redirect, uses no proxy, keeps no
// connection and no cookie, verifies TLS, and reaches public addresses only: each
// address is checked as it is dialed, so that it does not matter what a name
// resolved to before. Safe for concurrent use.
type WebhookClient struct {
	http      *http.Client
	allowHTTP bool
}

// NewWebhookClient returns a client; it connects to nothing.
func NewWebhookClient(c WebhookConfig) *WebhookClient {
	return &WebhookClient{allowHTTP: c.AllowHTTP, http: c.client()}
}

// NewClient returns a client for talking to servers that a tenant has named, under
// a webhook's rules: no redirect is followed, no proxy, connection or cookie kept,
// and only public addresses are reached. A URL that [CheckURL] refuses is not
// asked, nor is more than maxReply bytes of an answer's body read: that is an error.
func NewClient(c WebhookConfig, maxReply int64) *http.Client {
	client := c.client()
	client.Transport = &bounded{next: client.Transport, allowHTTP: c.AllowHTTP, maxReply: maxReply}
	return client
}

// bounded checks URLs, and bounds answers.
type bounded struct {
	next      http.RoundTripper
	allowHTTP bool
	maxReply  int64
}

// RoundTrip sends one request.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := CheckURL(r.URL.String(), b.allowHTTP); err != nil {
		return nil, err
	}
	response, err := b.next.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, b.maxReply)
	}
	return response, err
}

// client returns what all clients here are made of.
func (c WebhookConfig) client() *http.Client {
	if c.Timeout <= 0 {
		c.Timeout = defaultWebhookTimeout
	}
	allowed := slices.Clone(c.AllowNetworks)
	dialer := &net.Dialer{
		Timeout:  connectTimeout,
		Resolver: c.Resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			dialed, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrAddress, err)
			}
			return checkAddress(dialed.Addr(), allowed)
		},
	}
	transport := &http.Transport{
		Proxy:                  nil, // a proxy would dial for us, unchecked
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponseHeader,
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Reply is what came back of one attempt.
type Reply struct {
	Status     int           // of the receiver; 0: there was no answer
	RetryAfter time.Duration // as it has asked for with 429 or 503; else 0
	Err        error         // why there was no answer, or none was asked for
}

// Post sends w, signed for at, which is now. The error is an [ErrWebhook],
// [ErrURL] or [ErrAddress] where nothing can come of it, else the network's; no
// error holds the URL, which may carry a token.
func (c *WebhookClient) Post(ctx context.Context, w *Webhook, at time.Time) Reply {
	if err := CheckURL(w.URL, c.allowHTTP); err != nil {
		return Reply{Err: err}
	}
	request, err := w.request(ctx, at)
	if err != nil {
		return Reply{Err: err}
	}
	response, err := c.http.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return Reply{Err: fmt.Errorf("webhook: %w", err)}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols { // no time-out would hold for that
		_, _ = io.CopyN(io.Discard, response.Body, maxResponseBody)
	}
	reply := Reply{Status: response.StatusCode}
	if reply.Status == http.StatusTooManyRequests || reply.Status == http.StatusServiceUnavailable {
		reply.RetryAfter = retryAfter(response.Header.Get("Retry-After"), at)
	}
	return reply
}

// outcome judges an attempt; a Retry's time is the schedule's. A receiver's 4xx
// are tried again like its 5xx, as the specification has it: whoever runs it has
// three days to mend it.
func (r Reply) outcome() Outcome {
	o := Outcome{Result: Retry, Status: r.Status, Err: r.Err}
	switch {
	case errors.Is(r.Err, ErrWebhook), errors.Is(r.Err, ErrURL), errors.Is(r.Err, ErrAddress):
		o.Result = Failed
	case r.Err != nil:
	case r.Status >= 200 && r.Status < 300:
		o.Result = Delivered
	case r.Status == http.StatusGone:
		o.Result, o.Err = Disabled, errors.New("the receiver wants no more: 410 Gone")
	default:
		o.Err = fmt.Errorf("the receiver answered %d", r.Status)
	}
	return o
}

// retryAfter reads the header (RFC 9110, 10.2.3): seconds, or a date. What cannot
// be read, or is past, is 0.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
