package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses"
)

// Environment variables of the operator's commands.
const (
	adminURLEnv   = "CLOUDLICENSES_ADMIN_URL"
	adminTokenEnv = "CLOUDLICENSES_ADMIN_TOKEN"
)

const (
	defaultAdminURL = "http://127.0.0.1:8081"
	// operatorTimeout bounds a call to the admin address; making a million
	// licenses is the longest one.
	operatorTimeout = 15 * time.Minute
	// operatorPatience is how long a call goes on while there is no leader.
	operatorPatience = 15 * time.Second
	// maxAdminReply bounds what is read of a reply.
	maxAdminReply = 64 << 20
)

// operator is a client of the admin address, with the flags that every
// operator's command shares.
type operator struct {
	url       string
	tokenFile string
	caFile    string
	output    outputFormat

	token string
	http  *http.Client
}

const operatorEnvironment = `
The admin token is read from CLOUDLICENSES_ADMIN_TOKEN or --admin-token-file; every
node keeps it in admin.token in its data folder.`

// addTo adds the shared flags to a command.
func (o *operator) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.url, "admin", "", "URL of a node's admin address (default: "+adminURLEnv+", else "+defaultAdminURL+")")
	cmd.Flags().StringVar(&o.tokenFile, "admin-token-file", "", "file with the admin token (default: "+adminTokenEnv+")")
	cmd.Flags().StringVar(&o.caFile, "ca-file", "", "CA of a secured cluster: ca.crt of 'cert create-ca'")
	o.output.addTo(cmd.Flags())
}

// connect reads the token and makes the client. It sends nothing.
func (o *operator) connect() error {
	from := "--admin"
	if o.url == "" && os.Getenv(adminURLEnv) != "" {
		o.url, from = os.Getenv(adminURLEnv), adminURLEnv
	}
	o.url = strings.TrimSuffix(orElse(o.url, defaultAdminURL), "/")
	u, err := url.Parse(o.url)
	switch {
	case !strings.Contains(o.url, "://"):
		return usagef("%s %q: want a URL: https://%s, or http://%s of a cluster that runs with --insecure", from, o.url, o.url, o.url)
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return usagef("%s %q: want a URL such as %s", from, o.url, defaultAdminURL)
	}
	o.token = os.Getenv(adminTokenEnv)
	if o.tokenFile != "" {
		data, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return missingFile("--admin-token-file", err)
		}
		o.token = strings.TrimSpace(string(data))
	}
	if o.token == "" {
		return usagef("no admin token: set %s or name its file with --admin-token-file (a node keeps it in admin.token in its data folder)", adminTokenEnv)
	}
	transport, err := newHTTPTransport(o.caFile)
	if err != nil {
		return err
	}
	o.http = &http.Client{Transport: transport}
	return nil
}

// newHTTPTransport is Go's own with the CA of a secured cluster, where given.
func newHTTPTransport(caFile string) (*http.Transport, error) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("http.DefaultTransport was replaced")
	}
	transport = transport.Clone()
	if caFile == "" {
		return transport, nil
	}
	data, err := os.ReadFile(caFile)
	if err != nil {
		return nil, missingFile("--ca-file", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("--ca-file %s holds no PEM certificate", caFile)
	}
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	return transport, nil
}

// missingFile is the error of a file that flag names: a usage error where there
// is none.
func missingFile(flag string, err error) error {
	err = fmt.Errorf("%s: %w", flag, err)
	if errors.Is(err, os.ErrNotExist) {
		return usageError{err}
	}
	return err
}

// call sends a request with a JSON body (nil: none) and decodes the reply into
// out (nil: dropped). A refusal is a *refusal; one for want of a leader is
// asked again for a while, since what operators make is made once however often
// it is asked for.
func (o *operator) call(ctx context.Context, method, path string, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return err
		}
	}
	giveUp := time.Now().Add(operatorPatience)
	pause := time.NewTicker(patiencePause)
	defer pause.Stop()
	for {
		err := o.try(ctx, method, path, payload, out)
		var r *refusal
		if !errors.As(err, &r) || r.Status != http.StatusServiceUnavailable || time.Now().After(giveUp) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-pause.C:
		}
	}
}

// try is one attempt of call.
func (o *operator) try(ctx context.Context, method, path string, payload []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, o.url+path, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	if len(payload) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := o.http.Do(req)
	var unknownCA x509.UnknownAuthorityError
	if errors.As(err, &unknownCA) {
		return fmt.Errorf("admin address %s: its certificate is signed by an authority unknown here: name the cluster's with --ca-file certs/ca.crt", o.url)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("admin address %s speaks plain HTTP: use http://%s", o.url, req.URL.Host)
	}
	if err != nil {
		return fmt.Errorf("admin address %s: %w (is the node running, and is this its admin address?)", o.url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAdminReply))
	if err != nil {
		return fmt.Errorf("reply of %s: %w", o.url, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return o.explain(newRefusal(resp.StatusCode, data), req.URL.Host)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("reply of %s: %w", o.url, err)
	}
	return nil
}

// explain adds what to do where something else than an admin address answered.
func (o *operator) explain(r *refusal, host string) error {
	switch {
	case r.Code == "" && strings.Contains(r.Detail, "HTTP request to an HTTPS server"):
		return fmt.Errorf("admin address %s speaks TLS: use https://%s", o.url, host)
	case r.Status == http.StatusNotFound && (r.Code != cloudlicenses.TenantNotFound || r.Layer == cloudlicenses.LayerHost):
		return fmt.Errorf("admin address %s: %w (is this its admin address, and not its public one?)", o.url, r)
	}
	return r
}

// refusal is an RFC 9457 reply.
type refusal struct {
	Status int                 `json:"status"`
	Code   cloudlicenses.Code  `json:"code"`
	Title  string              `json:"title"`
	Detail string              `json:"detail"`
	Layer  cloudlicenses.Layer `json:"layer"`
	// Errors names the fields that are not valid.
	Errors []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

func newRefusal(status int, body []byte) *refusal {
	r := &refusal{}
	if err := json.Unmarshal(body, r); err != nil || r.Code == "" {
		r.Title = orElse(http.StatusText(status), "refused")
		r.Detail = strings.TrimSpace(string(body[:min(len(body), 200)]))
	}
	r.Status = status
	return r
}

// Error says what was refused, and for a bad token what to do.
func (r *refusal) Error() string {
	msg := orElse(r.Detail, r.Title)
	for i, e := range r.Errors {
		between := ", "
		if i == 0 {
			between = ": "
		}
		msg += between + strings.TrimSpace(strings.TrimPrefix(e.Pointer, "/")+" "+e.Detail)
	}
	if r.Code != "" {
		msg += fmt.Sprintf(" (%d %s)", r.Status, r.Code)
	} else {
		msg += fmt.Sprintf(" (%d)", r.Status)
	}
	if r.Code == cloudlicenses.Unauthenticated {
		msg += "; is " + adminTokenEnv + " this cluster's admin token?"
	}
	return msg
}

// page is one page of a list.
type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// listAll follows a list to its end. It asks the leader, so that an operator
// sees what the command before has made.
func listAll[T any](ctx context.Context, o *operator, path string) ([]T, error) {
	all := []T{}
	cursor := ""
	for {
		query := url.Values{"limit": {"100"}, "cursor": {cursor}, "consistency": {"linearizable"}}
		var p page[T]
		mark := "?"
		if strings.Contains(path, mark) {
			mark = "&"
		}
		if err := o.call(ctx, http.MethodGet, path+mark+query.Encode(), nil, &p); err != nil {
			return nil, err
		}
		all = append(all, p.Items...)
		if p.NextCursor == nil || *p.NextCursor == "" {
			return all, nil
		}
		cursor = *p.NextCursor
	}
}
