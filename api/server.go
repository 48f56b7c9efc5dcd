package api

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/guard"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/portal"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Config is what a node's edge needs.
type Config struct {
	Shard *shard.Shard
	// Node is asked for members and groups on the admin address, and to join.
	Node   *cluster.Node
	NodeID string
	// Domain is the platform's, such as "cloudlicenses.com"; tenants are
	// <tenant>.<Domain>.
	Domain string
	// Scheme and Port are of the URLs in replies: "https" where empty, and 0
	// for the scheme's own port.
	Scheme string
	Port   int
	// TrustedProxies may say in X-Forwarded-For for whom they ask.
	TrustedProxies []netip.Prefix
	// Logger gets 5xx and slow requests; nil: the default one.
	Logger *slog.Logger
	// Metrics takes the edge's metrics and is what /metrics shows; nil: a
	// registry of its own.
	Metrics *prometheus.Registry
	// Webhooks is what delivers them: a URL that it would not reach is refused
	// when it is set.
	Webhooks notify.WebhookConfig
	// Providers says where OpenID providers of tenants may be; its Timeout is
	// not looked at.
	Providers notify.WebhookConfig
	// DevDNS is the DNS server of dev, whose records PUT /v1/dev/dns sets; nil:
	// that path is not served.
	DevDNS *dnstxt.Server
	// Portal is what browsers get; nil: the one that is built in.
	Portal *portal.App
}

// Server is the edge of one node. It is safe for concurrent use.
type Server struct {
	cfg     Config
	shard   *shard.Shard
	logger  *slog.Logger
	router  *router // of every host but the vendors'
	vendors *router // of the vendors' host
	metrics *metrics
	portal  *portal.App
	refused refusals
	proxies proxies
	tokens  tokens
	openID  *providers

	registrations registrations
	contactMails  contactMails
	proofs        proofs
	events        *hub

	http  *fasthttp.Server
	admin *http.Server
	h2    *h2

	domain      string // lower case, no port
	portSuffix  string // ":8080", or empty
	problemType problemURLs
	everywhere  []*route // those of every host
	portalRoute *route   // what requests for the portal are counted and logged as
	calls       sync.Pool

	// ctx ends when Shutdown gives up waiting.
	ctx    context.Context
	cancel context.CancelFunc
}

// New returns the edge of a node; Serve and ServeAdmin open it.
func New(cfg Config) *Server {
	if cfg.Scheme == "" {
		cfg.Scheme = "https"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	if cfg.Portal == nil {
		cfg.Portal = portal.Embedded()
	}
	table := routeTable()
	s := &Server{
		cfg:     cfg,
		shard:   cfg.Shard,
		logger:  cfg.Logger,
		portal:  cfg.Portal,
		proxies: proxies(cfg.TrustedProxies),
		openID:  newProviders(cfg.Providers),
		domain:  strings.ToLower(strings.TrimSuffix(cfg.Domain, ".")),
	}
	s.vendors, s.router = newRouters(table)
	s.portalRoute = &route{name: "portal", index: len(table)}
	s.metrics = newMetrics(cfg.Metrics, table, s.portalRoute)
	if cfg.Port != 0 {
		s.portSuffix = ":" + strconv.Itoa(cfg.Port)
	}
	s.problemType = problemURLs{prefix: s.BaseURL() + "/problems/", tenant: s.TenantURL("{tenant}")}
	for i := range table {
		if table[i].on == everywhere {
			s.everywhere = append(s.everywhere, &table[i])
		}
	}
	s.events = newHub(s)
	s.metrics.streams(cfg.Metrics, s.events)
	s.calls.New = func() any { return &call{server: s} }
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = newHTTP(s.front)
	s.http.ErrorHandler = s.handleError
	s.h2 = s.newH2()
	s.http.NextProto("h2", s.h2.serve)
	s.admin = s.newAdmin()
	return s
}

// newHTTP returns the HTTP server of the edge. It has no deadlines: the guard
// sets every one, for fasthttp has one for head and body.
func newHTTP(handler fasthttp.RequestHandler) *fasthttp.Server {
	return &fasthttp.Server{
		Handler: handler,
		// Room for any head the guard lets pass.
		ReadBufferSize:               cloudlicenses.MaxHeaderBytes + 512,
		MaxRequestBodySize:           cloudlicenses.MaxBodyBytes,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
		TCPKeepalive:                 true,
		Logger:                       quiet{},
	}
}

// quiet drops fasthttp's own log lines: each is about a connection that a
// client broke.
type quiet struct{}

// Printf drops a line.
func (quiet) Printf(string, ...any) {}

// discardLog drops net/http's lines about broken connections.
var discardLog = log.New(io.Discard, "", 0)

// Serve answers the public address until Shutdown. ln may be of TLS; where its
// ALPN offers h2 besides http/1.1, both are served.
func (s *Server) Serve(ln net.Listener) error {
	return s.http.Serve(&guard.Listener{Listener: ln, Refuse: s.refuseRaw})
}

// ServeAdmin answers the operators' address until Shutdown.
func (s *Server) ServeAdmin(ln net.Listener) error {
	if err := s.admin.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops accepting, answers what is in flight with "Connection:
// close" and returns when all connections are closed, or with ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	s.events.close() // streams never end by themselves
	// First, for fasthttp waits for the connections it gave away.
	err := s.h2.shutdown(ctx)
	return errors.Join(err, s.http.ShutdownWithContext(ctx), s.admin.Shutdown(ctx))
}

// BaseURL returns that of the platform itself.
func (s *Server) BaseURL() string { return s.cfg.Scheme + "://" + s.domain + s.portSuffix }

// TenantURL returns the base URL of a tenant, as replies and tokens name it.
func (s *Server) TenantURL(tenant cloudlicenses.TenantID) string {
	return s.cfg.Scheme + "://" + string(tenant) + "." + s.domain + s.portSuffix
}

// VendorsURL returns the base URL of the vendors' host.
func (s *Server) VendorsURL() string {
	return s.cfg.Scheme + "://" + vendorsLabel + "." + s.domain + s.portSuffix
}

// handleError answers what fasthttp could not read.
func (s *Server) handleError(ctx *fasthttp.RequestCtx, err error) {
	p := problem{code: cloudlicenses.MalformedRequest, detail: "the request could not be read"}
	var timeout net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p.code, p.detail = cloudlicenses.BodyTooLarge, bodyTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		p.status, p.detail = fasthttp.StatusRequestTimeout, "the request did not arrive in time"
	case errors.Is(err, io.ErrUnexpectedEOF):
		p.detail = "the connection ended before the body did"
	}
	if g := guard.Of(ctx.Conn()); g != nil {
		g.Linger()
	}
	c := s.acquire(ctx)
	defer s.release(c)
	c.refuse(&p)
	s.metrics.count(s.metrics.unrouted, meaningOf(p.code))
}

// refuseRaw is a refusal of the guard as a whole HTTP response.
func (s *Server) refuseRaw(r *guard.Refusal) []byte {
	var id requestID
	id.next()
	body := appendProblem(nil, s.problemType, &problem{code: r.Code, status: r.Status, detail: r.Detail}, id.text[:])
	b := make([]byte, 0, 256+len(body))
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(r.Status), 10)
	b = append(append(b, ' '), http.StatusText(r.Status)...)
	b = append(b, "\r\nDate: "...)
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\nContent-Type: application/problem+json\r\nConnection: close\r\nX-Request-Id: "...)
	b = append(b, id.text[:]...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	s.metrics.count(s.metrics.unrouted, meaningOf(r.Code))
	return append(b, body...)
}
