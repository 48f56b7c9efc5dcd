package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
	"github.com/cloudlicenses/cloudlicenses/internal/mailbox"
)

// ask sends a request to an address under a Host until a leader has answered it,
// and decodes the reply.
func ask(t *testing.T, address, host, method, path, token, body string, want int) map[string]any {
	t.Helper()
	var reply map[string]any
	waitFor(t, 30*time.Second, method+" "+path, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			request.Host = host
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode == http.StatusServiceUnavailable {
			return false
		}
		if response.StatusCode != want {
			t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, text)
		}
		reply = nil
		if len(text) > 0 {
			if err := json.Unmarshal(text, &reply); err != nil {
				t.Fatal(err)
			}
		}
		return true
	})
	return reply
}

// leaderOf asks node `by` which node leads a tenant's group.
func (s *servers) leaderOf(by int, tenant string) int {
	s.t.Helper()
	leader := -1
	waitFor(s.t, 30*time.Second, "a leader", func() bool {
		shown := ask(s.t, s.ready[by].Nodes[0].Admin, "", "GET", "/v1/tenants/"+tenant, s.ready[0].AdminToken, "", 200)
		status := ask(s.t, s.ready[by].Nodes[0].Admin, "", "GET", "/v1/cluster", s.ready[0].AdminToken, "", 200)
		groups, _ := status["groups"].([]any)
		for _, g := range groups {
			group, _ := g.(map[string]any)
			if name, ok := group["leader"].(string); ok && group["id"] == shown["group"] {
				leader = int(name[1]-'0') - 1
			}
		}
		return leader >= 0
	})
	return leader
}

var linkInMail = regexp.MustCompile(`https?://[^\s"]*/welcome\?token=[^\s"<]+`)

// linkOf finds the link of a mail.
func linkOf(t *testing.T, data []byte) *url.URL {
	t.Helper()
	text, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(data)))
	if err != nil && len(text) == 0 {
		t.Fatal(err)
	}
	link, err := url.Parse(linkInMail.FindString(string(text)))
	if err != nil || link.Query().Get("token") == "" {
		t.Fatalf("no link in the mail: %v\n%s", err, text)
	}
	return link
}

// TestOutboxOutlivesItsLeader: a customer signs up at three processes; the leader
// is killed once the mail server has the welcome, before it says so, and later
// once a receiver has a webhook. Each comes again under its id, from the next
// leader, and nothing is lost.
func TestOutboxOutlivesItsLeader(t *testing.T) {
	dns, err := dnstxt.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	box, err := mailbox.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	var welcomed atomic.Bool
	taken, release := make(chan struct{}, 1), make(chan struct{})
	box.Taken = func(*mail.Message) error {
		if welcomed.CompareAndSwap(false, true) {
			taken <- struct{}{}
			<-release
		}
		return nil
	}
	s := startServers(t, func(int) []string {
		return []string{"--insecure", "--dns-resolver", dns.Addr(), "--smtp-addr", box.Addr(), "--smtp-tls", "optional", "--webhook-allow-private"}
	})
	at := func(i int) string { return "http://" + s.address(i, 0) }

	registered := ask(t, at(0), "localhost", "POST", "/api/v1/tenants/register", "", `{
		"company": {"name": "Globex AG", "domain": "globex.example", "country": "DE", "tax_id": "DE123456789"},
		"tenant": {"id": "globex", "region": "eu-central", "plan": "enterprise"},
		"admin": {"email": "carla@globex.example", "name": "Carla Test"}}`, 201)
	verification, _ := registered["verification"].(map[string]any)
	record, _ := verification["dns_record"].(map[string]any)
	value := fmt.Sprint(record["value"])
	if err := dns.Set(fmt.Sprint(record["name"]), value); err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(value, "=")
	ask(t, at(0), "localhost", "POST", "/api/v1/tenants/verify", "", fmt.Sprintf(`{"tenant_id":"globex","verification_token":%q}`, token), 200)

	<-taken
	dead := s.leaderOf(0, "globex")
	s.processes[dead].kill()
	close(release)
	alive := (dead + 1) % nodes
	waitFor(t, 60*time.Second, "the mail once more", func() bool { return len(box.To("carla@globex.example")) == 2 })
	mails := box.To("carla@globex.example")
	if mails[0].ID != mails[1].ID || mails[0].ID == "" {
		t.Errorf("the repetition has another Message-ID: %s and %s", mails[0].ID, mails[1].ID)
	}
	link := linkOf(t, mails[1].Data)
	ask(t, at(alive), link.Host, "POST", "/api/v1/password", "", fmt.Sprintf(`{"token":%q,"password":"a long enough password"}`, link.Query().Get("token")), 200)
	login := ask(t, at(alive), link.Host, "POST", "/api/v1/login", "", `{"email":"carla@globex.example","password":"a long enough password"}`, 200)
	session, _ := login["token"].(string)
	s.start(dead)
	s.ready[dead] = s.processes[dead].await()

	var first atomic.Bool
	posted, answer := make(chan struct{}, 1), make(chan struct{})
	requests := make(chan *http.Request, 10)
	bodies := make(chan []byte, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- r
		bodies <- body
		if first.CompareAndSwap(false, true) {
			posted <- struct{}{}
			<-answer
		}
	}))
	defer receiver.Close()
	made := ask(t, at(dead), link.Host, "POST", "/api/v1/webhooks", session, fmt.Sprintf(`{"url":%q,"events":["user.created"]}`, receiver.URL), 201)
	ask(t, at(alive), link.Host, "POST", "/api/v1/users", session, `{"email":"dora@globex.example","name":"Dora","role":"viewer"}`, 201)
	<-posted
	dead = s.leaderOf(dead, "globex")
	s.processes[dead].kill()
	close(answer)
	alive = (dead + 1) % nodes
	verifier, err := standardwebhooks.NewWebhook(fmt.Sprint(made["secret"]))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 2 {
		select {
		case r := <-requests:
			body := <-bodies
			if err := verifier.Verify(body, r.Header); err != nil || !bytes.Contains(body, []byte(`"email":"dora@globex.example"`)) {
				t.Errorf("%v: %s", err, body)
			}
			ids = append(ids, r.Header.Get("Webhook-Id"))
		case <-time.After(60 * time.Second):
			t.Fatal("the webhook did not come once more")
		}
	}
	if ids[0] != ids[1] || ids[0] != fmt.Sprint(made["id"], "-1") {
		t.Errorf("webhook ids %v of endpoint %v", ids, made["id"])
	}
	waitFor(t, 30*time.Second, "the delivery in the list", func() bool {
		list := ask(t, at(alive), link.Host, "GET", "/api/v1/webhooks/deliveries?consistency=linearizable", session, "", 200)
		items, _ := list["items"].([]any)
		return len(items) == 1 && items[0].(map[string]any)["state"] == "delivered" && items[0].(map[string]any)["id"] == ids[0]
	})
	waitFor(t, 60*time.Second, "the invitation", func() bool { return len(box.To("dora@globex.example")) > 0 })
}
