package api

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// adminRoute is one row of the operators' table.
type adminRoute struct {
	pattern string // of http.ServeMux
	open    bool   // without a token
	handle  func(*adminCall) error
}

// adminTable returns every route of the admin address.
func adminTable() []adminRoute {
	return []adminRoute{
		{"GET /healthz", true, (*adminCall).health},
		{"GET /readyz", true, (*adminCall).ready},
		{"GET /problems/{id}", true, (*adminCall).problem},
		{"GET /v1/cluster", false, (*adminCall).cluster},
		{"POST /v1/cluster/join", false, (*adminCall).join},
		{"GET /v1/groups/{group}/hash", false, (*adminCall).stateHash},
		{"GET /v1/outbox", false, (*adminCall).outbox},
		{"GET /v1/groups/{group}/dead-mails", false, (*adminCall).deadMails},
		{"PUT /v1/dev/dns", false, (*adminCall).setDNS},
		{"POST /v1/vendors", false, (*adminCall).createVendor},
		{"GET /v1/vendors", false, (*adminCall).listVendors},
		{"GET /v1/vendors/{vendor}", false, (*adminCall).showVendor},
		{"PATCH /v1/vendors/{vendor}", false, (*adminCall).setVendor},
		{"PUT /v1/vendors/{vendor}/revenue-share", false, (*adminCall).setShare},
		{"GET /v1/billing/revenue-share", false, (*adminCall).revenueShare},
		{"GET /v1/billing/plans", false, (*adminCall).planFees},
		{"POST /v1/tenants", false, (*adminCall).createTenant},
		{"GET /v1/tenants", false, (*adminCall).listTenants},
		{"GET /v1/tenants/{tenant}", false, (*adminCall).showTenant},
		{"PATCH /v1/tenants/{tenant}", false, (*adminCall).setTenant},
		{"POST /v1/tenants/{tenant}/deletion", false, (*adminCall).deleteTenant},
		{"DELETE /v1/tenants/{tenant}/deletion", false, (*adminCall).keepTenant},
		{"GET /v1/plans", false, (*adminCall).listPlans},
		{"GET /v1/tenants/{tenant}/licenses", false, (*adminCall).tenantLicenses},
		{"GET /v1/tenants/{tenant}/leases", false, (*adminCall).tenantLeases},
		{"GET /v1/tenants/{tenant}/usage", false, (*adminCall).tenantUsage},
		{"GET /v1/tenants/{tenant}/overage", false, (*adminCall).tenantOverage},
		{"GET /v1/tenants/{tenant}/audit", false, (*adminCall).tenantAudit},
		{"GET /v1/tenants/{tenant}/audit/verify", false, (*adminCall).verifyAudit},
		{"PUT /v1/tenants/{tenant}/limits", false, (*adminCall).limitTenant},
		{"GET /v1/refusals", false, (*adminCall).listRefusals},
	}
}

// newAdmin returns the operators' server. There is no bound on how long an
// answer may take: a profile, or a tenant of a million licenses, takes long.
func (s *Server) newAdmin() *http.Server {
	mux := http.NewServeMux()
	for _, row := range adminTable() {
		mux.Handle(row.pattern, s.adminHandler(row))
	}
	mux.HandleFunc("GET /{$}", s.adminWelcome)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{}))
	mux.Handle("/debug/pprof/", s.withToken(http.HandlerFunc(pprof.Index)))
	mux.Handle("/debug/pprof/cmdline", s.withToken(http.HandlerFunc(pprof.Cmdline)))
	mux.Handle("/debug/pprof/mutex", s.withToken(http.HandlerFunc(profileMutex)))
	mux.Handle("/debug/pprof/profile", s.withToken(http.HandlerFunc(pprof.Profile)))
	mux.Handle("/debug/pprof/symbol", s.withToken(http.HandlerFunc(pprof.Symbol)))
	mux.Handle("/debug/pprof/trace", s.withToken(http.HandlerFunc(pprof.Trace)))
	return &http.Server{
		Handler:           s.problems(mux),
		ReadHeaderTimeout: cloudlicenses.HeaderTimeout,
		ReadTimeout:       cloudlicenses.HeaderTimeout + cloudlicenses.BodyTimeout,
		IdleTimeout:       cloudlicenses.IdleTimeout,
		MaxHeaderBytes:    cloudlicenses.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
}

// adminWelcome is GET /: what is where; to browsers the operators' portal.
func (s *Server) adminWelcome(w http.ResponseWriter, r *http.Request) {
	if s.netCall(w, r).servePortal() {
		return
	}
	w.Header().Set("Vary", acceptVaries)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "The admin address of a cloudlicenses node: /healthz, /readyz and /metrics are open, the rest takes the admin token.\n")
}

// mutexFraction is how many contended locks stand behind one that is sampled.
const mutexFraction = 20

// profileMutex is /debug/pprof/mutex. Contention is sampled only while it is
// asked for (?seconds=), since that has its price.
func profileMutex(w http.ResponseWriter, r *http.Request) {
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(mutexFraction))
	pprof.Handler("mutex").ServeHTTP(w, r)
}

// problems answers what no route matches: by the portal, or in the form of
// every other refusal.
func (s *Server) problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var methods []string
		for _, method := range [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "" {
				methods = append(methods, method)
			}
		}
		c := s.netCall(w, r)
		if len(methods) == 0 && c.servePortal() {
			return
		}
		if len(methods) == 0 {
			c.refuse(&problem{code: cloudlicenses.NotFound, detail: "nothing is served at this path of the admin address"})
			return
		}
		allow := strings.Join(methods, ", ")
		w.Header().Set("Allow", allow)
		c.refuse(&problem{code: cloudlicenses.MethodNotAllowed, detail: "this path takes " + allow})
	})
}

// adminCall is one request on net/http: of the admin address, or one of
// HTTP/2 that is refused before it is a call.
type adminCall struct {
	server *Server
	w      http.ResponseWriter
	r      *http.Request
	id     requestID
}

// netCall begins a call on net/http.
func (s *Server) netCall(w http.ResponseWriter, r *http.Request) *adminCall {
	c := &adminCall{server: s, w: w, r: r}
	c.id.next()
	w.Header().Set(headerRequestID, string(c.id.text[:]))
	return c
}

// Error makes a problem usable as the error of an admin handler.
func (p *problem) Error() string { return string(p.code) + ": " + p.detail }

func (s *Server) adminHandler(row adminRoute) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := s.netCall(w, r)
		if !row.open {
			if p := c.authorized(); p != nil {
				c.refuse(p)
				return
			}
		}
		defer func() {
			if broken := recover(); broken != nil {
				s.logger.Error("admin request panicked", "path", r.URL.Path, "request_id", string(c.id.text[:]),
					"panic", broken, "stack", string(debug.Stack()))
				c.refuse(&problem{code: cloudlicenses.Internal, detail: detailOf(cloudlicenses.Internal)})
			}
		}()
		start := time.Now()
		if err := row.handle(c); err != nil {
			p := c.problemOf(err)
			c.refuse(p)
			if meanings[meaningOf(p.code)].status >= http.StatusInternalServerError {
				s.logger.Warn("admin request failed", "path", r.URL.Path, "request_id", string(c.id.text[:]),
					"code", string(p.code), "took_ms", time.Since(start).Milliseconds(), "error", err.Error())
			}
		}
	})
}

// withToken guards a handler that is not ours.
func (s *Server) withToken(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := s.netCall(w, r)
		if p := c.authorized(); p != nil {
			c.refuse(p)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// authorized compares the bearer token with the cluster's admin token, in a
// time that tells nothing of it.
func (c *adminCall) authorized() *problem {
	secrets := c.server.shard.Secrets()
	if secrets == nil || secrets.AdminToken == "" {
		return problemNotReady
	}
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	given, wanted := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(secrets.AdminToken))
	if strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare(given[:], wanted[:]) == 1 {
		return nil
	}
	return &problem{code: cloudlicenses.Unauthenticated, layer: cloudlicenses.LayerKey, detail: "send Authorization: Bearer <admin token>"}
}

// problemOf turns a handler's error into what the client sees.
func (c *adminCall) problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var refusal *shard.Refusal
	if errors.As(err, &refusal) {
		p = &problem{code: refusal.Code, detail: refusal.Detail, licenseID: refusal.LicenseID}
		if refusal.Code == cloudlicenses.PlanLimitExceeded && refusal.Use.Plan != "" {
			p.use = &refusal.Use
		}
		return p
	}
	code := codeOf(err)
	p = &problem{code: code, detail: detailOf(code)}
	if code == cloudlicenses.InvalidField {
		p.invalid = []body.FieldError{{Header: headerMinIndex, Detail: shard.ErrAppliedIndex.Error()}}
	}
	return p
}

// refuse sends a problem.
func (c *adminCall) refuse(p *problem) {
	m := &meanings[meaningOf(p.code)]
	status := p.status
	if status == 0 {
		status = m.status
	}
	h := c.w.Header()
	h.Set("Content-Type", typeProblem)
	if m.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(m.retryAfter))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="admin"`)
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(appendProblem(nil, c.server.problemType, p, c.id.text[:]))
}

// reply sends v as JSON.
func (c *adminCall) reply(status int, v any) error {
	b, err := appendJSON(nil, v)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", typeJSON)
	h.Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(b, '\n'))
	return nil
}

// decode reads the body into v as strictly as the hot path does.
func (c *adminCall) decode(v any) error {
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, cloudlicenses.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &problem{code: cloudlicenses.BodyTooLarge, detail: bodyTooLarge}
	case err != nil:
		return &problem{code: cloudlicenses.MalformedRequest, detail: "the body could not be read"}
	}
	if p := strictly(text, v); p != nil {
		return p
	}
	return nil
}

// strictly decodes a JSON object into v as strictly as the hot path does.
func strictly(text []byte, v any) *problem {
	var reader body.Reader
	reader.Reset(text)
	reader.Skip()
	reader.End()
	if reader.Failed() {
		return &problem{code: cloudlicenses.MalformedRequest, detail: reader.Problem}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var wrongType *json.UnmarshalTypeError
	switch err := decoder.Decode(v); {
	case errors.As(err, &wrongType):
		return invalid("/"+strings.ReplaceAll(wrongType.Field, ".", "/"), "must be "+wrongType.Type.String())
	case err != nil:
		return &problem{code: cloudlicenses.MalformedRequest, detail: strings.TrimPrefix(err.Error(), "json: ")}
	}
	return nil
}

// invalid is a 422 about one member of the body.
func invalid(pointer, detail string) *problem {
	return &problem{
		code: cloudlicenses.InvalidField, detail: "the body has invalid fields",
		invalid: []body.FieldError{{Pointer: pointer, Detail: detail}},
	}
}
