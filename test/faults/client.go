package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// tenant is one customer with its API key and its pools, all alike.
type tenant struct {
	id          string
	apiKey      string
	entitlement entitlement
	pools       []*pool
	// group is the license group that owns the tenant, as X-Applied-Index
	// names it.
	group string
	// beacon is a lease that the prober keeps alive.
	beacon string
}

// fate is what is certain about an attempt.
type fate uint8

const (
	definite fate = iota // answered: granted, done or refused
	denied               // answered, or never sent: it had no effect and may be tried again
	unknown              // it may have had an effect, now or later
)

// attempt is one HTTP request of a tenant.
type attempt struct {
	tenant   *tenant
	method   string
	path     string
	body     map[string]any
	key      string // Idempotency-Key
	minIndex string // X-Min-Index
	hostname string // X-Hostname
}

// answer is what came back.
type answer struct {
	fate     fate
	status   int
	code     string // of a problem; empty on success
	body     []byte
	replayed bool
	applied  string // X-Applied-Index
	err      error  // why the fate is not definite
}

// gateway is how clients reach the nodes.
type gateway struct {
	domain string
	nodes  []*process
	tls    *tls.Config // nil: plain HTTP

	mu sync.Mutex
	// clients by node and, where TLS wants the tenant's name, by tenant.
	clients map[gatewayKey]*fasthttp.HostClient
}

type gatewayKey struct {
	node   int
	tenant string
}

// newGateway returns clients for the nodes' HTTP addresses; tlsConfig nil: plain.
func newGateway(domain string, nodes []*process, tlsConfig *tls.Config) *gateway {
	return &gateway{domain: domain, nodes: nodes, tls: tlsConfig, clients: map[gatewayKey]*fasthttp.HostClient{}}
}

// client returns the connections to a node, under TLS one set for each tenant:
// the server name must be the Host's.
func (g *gateway) client(node int, tenant string) *fasthttp.HostClient {
	key := gatewayKey{node: node}
	if g.tls != nil {
		key.tenant = tenant
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.clients[key]; c != nil {
		return c
	}
	addr := g.nodes[node].http
	c := &fasthttp.HostClient{
		Addr:     addr[strings.Index(addr, "://")+3:],
		MaxConns: 512,
		// A retry is a decision of the history, never of the library.
		MaxIdemponentCallAttempts: 1,
		RetryIfErr:                func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
		MaxIdleConnDuration:       20 * time.Second,
		Dial:                      func(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, time.Second) },
	}
	if g.tls != nil {
		c.IsTLS, c.TLSConfig = true, g.tls.Clone()
		c.TLSConfig.ServerName = tenant + "." + g.domain
	}
	g.clients[key] = c
	return c
}

// do sends one attempt to a node and classifies what came of it.
func (g *gateway) do(node int, a attempt, within time.Duration) answer {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(g.nodes[node].http + a.path)
	req.UseHostHeader = true
	req.Header.SetHost(a.tenant.id + "." + g.domain)
	req.Header.SetMethod(a.method)
	req.Header.Set("Authorization", "Bearer "+a.tenant.apiKey)
	for name, value := range map[string]string{"Idempotency-Key": a.key, "X-Min-Index": a.minIndex, "X-Hostname": a.hostname} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if a.body != nil {
		body, err := json.Marshal(a.body)
		if err != nil {
			return answer{fate: denied, err: err}
		}
		req.Header.SetContentType("application/json")
		req.SetBody(body)
	}
	if err := g.client(node, a.tenant.id).DoTimeout(req, resp, within); err != nil {
		return answer{fate: fateOfError(err), err: err}
	}
	return classify(resp)
}

// fateOfError tells a request that was never sent from one that may have been.
func fateOfError(err error) fate {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" || errors.Is(err, fasthttp.ErrNoFreeConns) || errors.Is(err, fasthttp.ErrDialTimeout) {
		return denied
	}
	return unknown
}

func classify(resp *fasthttp.Response) answer {
	ans := answer{
		status:   resp.StatusCode(),
		body:     append([]byte(nil), resp.Body()...),
		replayed: string(resp.Header.Peek("Idempotency-Replayed")) == "true",
		applied:  string(resp.Header.Peek("X-Applied-Index")),
	}
	if ans.status < 300 {
		return ans
	}
	ans.code, ans.fate = refusal(ans.status, ans.body)
	if ans.fate != definite {
		ans.err = errors.New(ans.code)
	}
	return ans
}

// refusal reads a problem's code and says what the contract lets a client
// conclude from it: only outcome_unknown (and what is no proper answer at all)
// leaves the effect open.
func refusal(status int, body []byte) (code string, f fate) {
	var problem struct{ Code string }
	if err := json.Unmarshal(body, &problem); err != nil || problem.Code == "" {
		return "no problem body", unknown
	}
	switch {
	case problem.Code == "outcome_unknown" || problem.Code == "internal":
		return problem.Code, unknown
	case status == fasthttp.StatusServiceUnavailable:
		return problem.Code, denied
	}
	return problem.Code, definite
}

// sleep waits for d or until ctx ends, whichever comes first.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
