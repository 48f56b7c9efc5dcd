package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
	"github.com/cloudlicenses/cloudlicenses/internal/mailbox"
)

// platformDomain is the seed's own.
const platformDomain = "cloudlicenses.com"

const (
	platformURL = "https://" + platformDomain
	vendorsURL  = "https://vendors." + platformDomain
	tenantURL   = "https://mercedes." + platformDomain
)

// platform is a secured cluster of three processes under the seed's domain, with
// the DNS and mail servers of the world around it, behind a load balancer that is
// in this process.
type platform struct {
	*servers

	dns    *dnstxt.Server
	mails  *mailbox.Server
	ca     string // file
	roots  *x509.CertPool
	next   atomic.Int64 // node that the balancer tries first
	offset time.Duration
}

func startPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{offset: awayFromMonthsEnd(time.Now())}
	var err error
	if p.dns, err = dnstxt.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.dns.Close() })
	if p.mails, err = mailbox.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.mails.Close)
	certs := t.TempDir()
	run(t, nil, "cert", "create-ca", "--cert-dir", certs)
	for i := range nodes {
		run(t, nil, "cert", "create-node", "--cert-dir", certs, "--node-id", fmt.Sprintf("n%d", i+1), "--host", "127.0.0.1", "--domain", platformDomain)
	}
	p.ca = filepath.Join(certs, "ca.crt")
	authority, err := os.ReadFile(p.ca)
	if err != nil {
		t.Fatal(err)
	}
	p.roots = x509.NewCertPool()
	if !p.roots.AppendCertsFromPEM(authority) {
		t.Fatal("no certificate in the CA's file")
	}
	p.servers = startServers(t, func(i int) []string {
		return []string{
			"--cert-dir", filepath.Join(certs, fmt.Sprintf("n%d", i+1)), "--kek-file", filepath.Join(certs, "kek.key"),
			"--domain", platformDomain, "--advertise-http", platformURL, "--trusted-proxies", "127.0.0.1",
			"--dns-resolver", p.dns.Addr(), "--smtp-addr", p.mails.Addr(), "--smtp-tls", "optional", "--webhook-allow-private",
			"--clock-offset", p.offset.String(),
		}
	})
	return p
}

// awayFromMonthsEnd is how far the cluster's clock has to be ahead so that a month
// does not end in the next minutes.
func awayFromMonthsEnd(now time.Time) time.Duration {
	const margin = 15 * time.Minute
	if now.UTC().Month() != now.UTC().Add(margin).Month() {
		return margin
	}
	return 0
}

// today is the cluster's day.
func (p *platform) today() time.Time { return time.Now().Add(p.offset).UTC() }

// restart stops all nodes and starts them again when their clocks are at t.
func (p *platform) restart(at time.Time) {
	for _, node := range p.processes {
		node.stop()
	}
	p.offset = time.Until(at)
	for i := range nodes {
		p.start(i)
	}
	for i := range nodes {
		p.ready[i] = p.processes[i].await()
	}
}

// balancer is the load balancer, for somebody who calls from an address: every
// call goes to another node, and on to the next where that one is dead.
type balancer struct {
	from string
	*http.Transport
}

func (p *platform) balancer(from string) *balancer {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &balancer{from, &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS13},
		DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			if !strings.HasSuffix(address, platformDomain+":443") {
				return dialer.DialContext(ctx, network, address)
			}
			for range nodes {
				node := int(p.next.Add(1) % nodes)
				if conn, err = dialer.DialContext(ctx, network, p.address(node, 0)); err == nil {
					return conn, nil
				}
			}
			return nil, err
		},
	}}
}

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", b.from)
	return b.Transport.RoundTrip(r)
}

// answer is a reply.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

// text is a text member of the reply's object.
func (a *answer) text(t *testing.T, name string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(a.raw, &object); err != nil {
		t.Fatalf("%v: %s", err, a.raw)
	}
	text, ok := object[name].(string)
	if !ok || text == "" {
		t.Fatalf("no text %q in %s", name, a.raw)
	}
	return text
}

// refused demands a problem of a code.
func (a *answer) refused(t *testing.T, code string) {
	t.Helper()
	if got := a.text(t, "code"); got != code || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("refused with %s, want %s: %s", got, code, a.raw)
	}
}

// officeAddress is where people of all companies sit.
const officeAddress = "10.0.1.7"

// do sends a request, as long as nobody has decided it, and demands a status.
func (p *platform) do(t *testing.T, method, target, token, body string, want int, headers ...string) *answer {
	t.Helper()
	client := &http.Client{Transport: p.balancer(officeAddress), Timeout: 30 * time.Second}
	var a *answer
	waitFor(t, 30*time.Second, method+" "+target, func() bool {
		r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		response, err := client.Do(r)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		raw, err := io.ReadAll(response.Body)
		a = &answer{response.StatusCode, response.Header, raw}
		return err == nil && a.status != http.StatusServiceUnavailable
	})
	if a.status != want {
		t.Fatalf("%s %s: %d, want %d: %s", method, target, a.status, want, a.raw)
	}
	return a
}

func (p *platform) post(t *testing.T, target, token, body string, want int, headers ...string) *answer {
	t.Helper()
	return p.do(t, http.MethodPost, target, token, body, want, headers...)
}

func (p *platform) get(t *testing.T, target, token string) *answer {
	t.Helper()
	return p.do(t, http.MethodGet, target, token, "", http.StatusOK)
}

// leader is the node that leads a tenant's group.
func (p *platform) leader(t *testing.T, tenant string) (leader int) {
	t.Helper()
	admin, token := p.ready[0].Nodes[0].Admin, p.ready[0].AdminToken
	var placed struct {
		Group int `json:"group"`
	}
	if err := json.Unmarshal(p.get(t, admin+"/v1/tenants/"+tenant, token).raw, &placed); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 30*time.Second, "a leader", func() bool {
		var status struct {
			Groups []struct {
				ID     int     `json:"id"`
				Leader *string `json:"leader"`
			} `json:"groups"`
		}
		if err := json.Unmarshal(p.get(t, admin+"/v1/cluster", token).raw, &status); err != nil {
			t.Fatal(err)
		}
		for _, g := range status.Groups {
			if g.ID == placed.Group && g.Leader != nil {
				leader = int((*g.Leader)[1] - '1')
				return true
			}
		}
		return false
	})
	return leader
}

// mailTo waits for a mail to somebody whose subject begins so, and returns it as it
// is sent.
func (p *platform) mailTo(t *testing.T, address, subject string) (data []byte) {
	t.Helper()
	var others []string
	defer func() {
		if data == nil {
			t.Logf("mails to %s: %q", address, others)
		}
	}()
	waitFor(t, 30*time.Second, fmt.Sprintf("a mail %q to %s", subject, address), func() bool {
		others = nil
		for _, m := range p.mails.To(address) {
			message, err := mail.ReadMessage(bytes.NewReader(m.Data))
			if err != nil {
				t.Fatal(err)
			}
			got, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(got, subject) {
				data = m.Data
				return true
			}
			others = append(others, got)
		}
		return false
	})
	return data
}

// wordsOf are a mail's words, each after one space.
func wordsOf(t *testing.T, data []byte) string {
	t.Helper()
	text, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(data)))
	if err != nil && len(text) == 0 {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// logIn sets a password by the link in a mail, and logs in.
func (p *platform) logIn(t *testing.T, link *url.URL, email, password string) (session string) {
	t.Helper()
	site, vendor := "https://"+link.Host, ""
	if id := link.Query().Get("vendor_id"); id != "" {
		vendor = fmt.Sprintf(`"vendor_id":%q,`, id)
	}
	set := fmt.Sprintf(`{%s"token":%q,"password":%q}`, vendor, link.Query().Get("token"), password)
	p.post(t, site+"/api/v1/password", "", set, 200)
	p.post(t, site+"/api/v1/password", "", set, 422).refused(t, "invalid_field") // a link works once
	return p.post(t, site+"/api/v1/login", "", fmt.Sprintf(`{%s"email":%q,"password":%q}`, vendor, email, password), 200).text(t, "token")
}

// receiver is a billing system: it takes every POST, over TLS.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	posts []post
}

type post struct {
	path, authorization, contentType string
	body                             []byte
}

// startReceiver starts one whose certificate processes started from now on trust.
func startReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.posts = append(r.posts, post{request.URL.Path, request.Header.Get("Authorization"), request.Header.Get("Content-Type"), body})
	}))
	t.Cleanup(r.Close)
	trusted := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", trusted)
	return r
}

// of returns what was posted that holds all of these texts.
func (r *receiver) of(texts ...string) (found []post) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.posts {
		holds := true
		for _, text := range texts {
			holds = holds && bytes.Contains(p.body, []byte(text))
		}
		if holds {
			found = append(found, p)
		}
	}
	return found
}
