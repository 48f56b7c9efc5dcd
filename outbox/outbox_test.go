package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
	"go.uber.org/goleak"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/internal/mailbox"
	"github.com/cloudlicenses/cloudlicenses/notify"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testGroup cluster.GroupID = 7

// group is a license group without Raft: a real machine, on a real disk, which
// applies at once what is proposed.
type group struct {
	t       *testing.T
	machine *license.Machine

	mu    sync.Mutex
	index uint64
}

func newGroup(t *testing.T) *group {
	machine, err := license.Open(license.Config{Dir: t.TempDir(), Group: uint32(testGroup)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, machine.Close()) })
	g := &group{t: t, machine: machine}
	g.do("acme", license.OpTenant, &license.PutTenant{Epoch: 1, URL: "https://acme.example.test"}, &license.Ack{})
	return g
}

func (g *group) apply(command []byte) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.index++
	results, err := g.machine.Apply(g.index, time.Now().UnixMilli(), [][]byte{command}, true)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(results[0]), nil
}

func encode(header fsm.Header, payload msgp.Marshaler) []byte {
	b := header.Append(nil)
	if payload == nil {
		return b
	}
	b, err := payload.MarshalMsg(b)
	if err != nil {
		panic(err)
	}
	return b
}

// do commits a tenant's command.
func (g *group) do(tenant cloudlicenses.TenantID, op fsm.Op, payload msgp.Marshaler, result msgp.Unmarshaler) {
	g.t.Helper()
	b, err := g.apply(encode(fsm.Header{Op: op, Version: license.Version, Epoch: 1, Tenant: tenant}, payload))
	require.NoError(g.t, err)
	_, err = result.UnmarshalMsg(b)
	require.NoError(g.t, err)
}

func (g *group) query(tenant cloudlicenses.TenantID, op fsm.Op, payload msgp.Marshaler, result msgp.Unmarshaler) error {
	header := fsm.Header{Op: op, Version: license.Version, Tenant: tenant}
	if tenant != "" {
		header.Epoch = 1
	}
	b, err := g.machine.Query(encode(header, payload))
	if err != nil {
		return err
	}
	_, err = result.UnmarshalMsg(b)
	return err
}

func (g *group) state() license.OutboxState {
	g.t.Helper()
	var state license.OutboxState
	require.NoError(g.t, g.query("", license.QueryOutboxState, nil, &state))
	return state
}

// settled waits until nothing is pending.
func (g *group) settled() license.OutboxState {
	g.t.Helper()
	require.Eventually(g.t, func() bool { s := g.state(); return s.Mails == 0 && s.Webhooks == 0 }, 10*time.Second, time.Millisecond)
	return g.state()
}

func (g *group) deliveries() []license.Outgoing {
	g.t.Helper()
	var page license.DeliveryPage
	require.NoError(g.t, g.query("acme", license.QueryDeliveries, &license.ListDeliveries{Limit: 1000}, &page))
	return page.Items
}

// invite mails an invitation.
func (g *group) invite(n int, expires time.Time) {
	g.t.Helper()
	var r license.UserResult
	g.do("acme", license.OpPutUser, &license.PutUser{
		By: license.By{Platform: true}, ID: cloudlicenses.UserID(fmt.Sprint("user-", n)), Email: fmt.Sprintf("u%d@acme.example", n), Name: "U", Role: cloudlicenses.RoleViewer,
		Mail: license.Mail{Token: fmt.Sprint("canary-token-", n), Purpose: cloudlicenses.TokenInvite, ExpiresMillis: expires.UnixMilli()},
	}, &r)
	require.Equal(g.t, cloudlicenses.OK, r.Code, r.Detail)
}

// endpoint makes an endpoint of the group's tenant, or of another one.
func (g *group) endpoint(id, url string) notify.Secret {
	g.t.Helper()
	secret := notify.NewSecret()
	var r license.EndpointResult
	g.do("acme", license.OpPutEndpoint, &license.PutEndpoint{
		By: license.By{Platform: true}, ID: cloudlicenses.EndpointID(id), URL: url, Secret: secret.Reveal(),
		Kinds: []cloudlicenses.EventKind{cloudlicenses.EventLicenseAmended},
	}, &r)
	require.Equal(g.t, cloudlicenses.OK, r.Code, r.Detail)
	return secret
}

// events tells every endpoint that a license was amended, n times: the total
// counts up from 1.
func (g *group) events(n int) {
	g.t.Helper()
	l := license.License{ID: "lic-1", VendorID: "vector", ProductID: "cad", ProductName: "CAD", MaxOverage: 1000, Total: 1, Currency: "EUR"}
	var ack license.Ack
	g.do("acme", license.OpLicenses, &license.PutLicenses{Licenses: []license.License{l}}, &ack)
	for i := range n {
		l.Total = int64(i + 1)
		g.do("acme", license.OpAmend, &license.AmendLicense{License: l}, &ack)
		require.Equal(g.t, cloudlicenses.OK, ack.Code, ack.Detail)
	}
}

// node is one replica's way to the group.
type node struct {
	*group
	leads  atomic.Bool
	reads  atomic.Int64
	refuse atomic.Bool // commands get lost
}

func (n *node) Leads(id cluster.GroupID) bool { return id == testGroup && n.leads.Load() }

func (n *node) ReadGroup(_ context.Context, _ cluster.GroupID, q shard.Command, _ shard.ReadOptions) (shard.Freshness, error) {
	n.reads.Add(1)
	return shard.Freshness{}, n.query("", q.Op, q.Payload, q.Result)
}

func (n *node) DoGroup(_ context.Context, _ cluster.GroupID, cmd shard.Command) error {
	if n.refuse.Load() {
		return errors.New("no leader")
	}
	b, err := n.apply(encode(fsm.Header{Op: cmd.Op, Version: license.Version}, cmd.Payload))
	if err == nil {
		_, err = cmd.Result.UnmarshalMsg(b)
	}
	return err
}

func (n *node) MailID(id cluster.GroupID, sequence uint64, email string) (string, error) {
	return string(notify.ID(fmt.Sprintf("g%d-%d", id, sequence)).For(email)), nil
}

// leader starts a drainer on a node that leads, with the pulse of a leader.
type leader struct {
	*Drainer
	node *node
	log  *bytes.Buffer // read after stop
	stop func()        // as a crash does: nothing is waited for, nothing recorded
}

func (g *group) leader(change func(*Config)) *leader {
	g.t.Helper()
	n := &node{group: g}
	n.leads.Store(true)
	log := &bytes.Buffer{}
	cfg := Config{
		From:   notify.Address{Email: "no-reply@example.test"},
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Sender: &notify.Sender{
			Webhooks: notify.NewWebhookClient(notify.WebhookConfig{AllowHTTP: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}),
			// Ten seconds ago, the first retry is due by now.
			Now: func() time.Time { return time.Now().Add(-10 * time.Second) },
		},
	}
	if change != nil {
		change(&cfg)
	}
	l := &leader{Drainer: New(cfg), node: n, log: log}
	l.Start(n)
	ended, pulsed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(pulsed)
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				if n.leads.Load() {
					l.Pulse(testGroup, g.machine.OutboxHead(), time.Now().UnixMilli())
				}
			}
		}
	}()
	l.stop = sync.OnceFunc(func() {
		n.leads.Store(false)
		n.refuse.Store(true)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		l.Close(ctx)
		close(ended)
		<-pulsed
	})
	g.t.Cleanup(l.stop)
	return l
}

func smtpTo(t *testing.T, box *mailbox.Server) notify.Mailer {
	t.Helper()
	mailer, err := notify.NewSMTP(notify.SMTPConfig{Host: "127.0.0.1", Port: box.Port(), TLS: notify.StartTLSOptional, Hello: "node.test", Timeout: 10 * time.Second})
	require.NoError(t, err)
	return mailer
}

func newBox(t *testing.T, taken func(*mail.Message) error) *mailbox.Server {
	t.Helper()
	box, err := mailbox.Start()
	require.NoError(t, err)
	box.Taken = taken
	t.Cleanup(box.Close)
	return box
}

// hook is a receiver of webhooks, which keeps what it gets.
type hook struct {
	*httptest.Server
	mu    sync.Mutex
	got   []string // webhook-id: total of the license
	heads []http.Header
	body  [][]byte
}

func newHook(t *testing.T, answer func(n int, w http.ResponseWriter)) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, total, _ := strings.Cut(string(body), `"total_licenses":`)
		total, _, _ = strings.Cut(total, ",")
		h.mu.Lock()
		h.got = append(h.got, r.Header.Get("Webhook-Id")+": "+total)
		h.heads, h.body = append(h.heads, r.Header.Clone()), append(h.body, body)
		n := len(h.got)
		h.mu.Unlock()
		if answer != nil {
			answer(n, w)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) received() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.got...)
}

// TestArrives: a mail over SMTP, webhooks in order and signed so that the
// specification's own library takes them.
func TestArrives(t *testing.T) {
	g, box, receiver := newGroup(t), newBox(t, nil), newHook(t, nil)
	secret := g.endpoint("wh-1", receiver.URL)
	registry := prometheus.NewRegistry()
	l := g.leader(func(c *Config) { c.Sender.Mail, c.Metrics, c.Sender.Now = smtpTo(t, box), registry, nil })
	g.invite(1, time.Now().Add(time.Hour))
	g.events(100)
	state := g.settled()
	require.Zero(t, state.DeadMails+state.DeadWebhooks)

	mails := box.To("u1@acme.example")
	require.Len(t, mails, 1)
	require.Contains(t, string(mails[0].Data), "canary-token-1")
	require.Contains(t, string(mails[0].Data), "You are invited to acme.example.test")
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprintf("wh-1-%d: %d", i+1, i+1))
	}
	require.Equal(t, want, receiver.received(), "each once, and in order")
	verifier, err := standardwebhooks.NewWebhook(secret.Reveal())
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(receiver.body[0], receiver.heads[0]))
	require.Contains(t, string(receiver.body[0]), `{"type":"license.amended","timestamp":"`)
	for _, o := range g.deliveries() {
		require.Equal(t, cloudlicenses.DeliveryDelivered, o.State)
		require.EqualValues(t, 1, o.Attempts)
		require.EqualValues(t, 200, o.Status)
	}
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP cloudlicenses_outbox_attempts_total Attempts to deliver mails and webhooks, by result (delivered, retry, disabled, failed).
# TYPE cloudlicenses_outbox_attempts_total counter
cloudlicenses_outbox_attempts_total{result="delivered",type="mail"} 1
cloudlicenses_outbox_attempts_total{result="delivered",type="webhook"} 100
cloudlicenses_outbox_attempts_total{result="disabled",type="mail"} 0
cloudlicenses_outbox_attempts_total{result="disabled",type="webhook"} 0
cloudlicenses_outbox_attempts_total{result="failed",type="mail"} 0
cloudlicenses_outbox_attempts_total{result="failed",type="webhook"} 0
cloudlicenses_outbox_attempts_total{result="retry",type="mail"} 0
cloudlicenses_outbox_attempts_total{result="retry",type="webhook"} 0
# HELP cloudlicenses_outbox_pending Deliveries that have not arrived yet, told by the group's leader.
# TYPE cloudlicenses_outbox_pending gauge
cloudlicenses_outbox_pending{group="7",type="mail"} 0
cloudlicenses_outbox_pending{group="7",type="webhook"} 0
# HELP cloudlicenses_mail_configured 1 where this node can send mail.
# TYPE cloudlicenses_mail_configured gauge
cloudlicenses_mail_configured 1
`), "cloudlicenses_outbox_attempts_total", "cloudlicenses_outbox_pending", "cloudlicenses_mail_configured"))
	l.stop()
	require.NotContains(t, l.log.String(), "canary")
	require.NotContains(t, l.log.String(), secret.Reveal())
}

// boundary is all that differs between two copies of a mail.
var boundary = regexp.MustCompile(`[0-9a-f]{60}`)

// TestLeaderDies between what it sends and what it records: the next one sends
// the same again, under the same ids, and nothing is lost.
func TestLeaderDies(t *testing.T) {
	g := newGroup(t)
	taken, posted, release := make(chan struct{}, 10), make(chan struct{}, 10), make(chan struct{})
	box := newBox(t, func(*mail.Message) error {
		taken <- struct{}{}
		<-release
		return nil
	})
	receiver := newHook(t, func(int, http.ResponseWriter) {
		posted <- struct{}{}
		<-release
	})
	g.endpoint("wh-1", receiver.URL)
	withMail := func(c *Config) { c.Sender.Mail = smtpTo(t, box) }
	first := g.leader(withMail)
	g.invite(1, time.Now().Add(time.Hour))
	g.events(1)
	<-taken
	<-posted
	first.stop()
	require.EqualValues(t, 1, g.state().Mails, "nobody knows whether it arrived")
	require.EqualValues(t, 1, g.state().Webhooks)
	close(release)
	g.leader(withMail)
	g.settled()
	mails := box.To("u1@acme.example")
	require.Len(t, mails, 2)
	require.Equal(t, mails[0].ID, mails[1].ID)
	plain := func(m mailbox.Message) string { return boundary.ReplaceAllString(string(m.Data), "") }
	require.True(t, plain(mails[0]) == plain(mails[1]), "a repetition says the same")
	require.Equal(t, []string{"wh-1-1: 1", "wh-1-1: 1"}, receiver.received())
}

// TestNextLeaderGoesOnWithTheSchedule: attempts are counted by the group, not by
// a node.
func TestNextLeaderGoesOnWithTheSchedule(t *testing.T) {
	g := newGroup(t)
	var down atomic.Bool
	down.Store(true)
	receiver := newHook(t, func(_ int, w http.ResponseWriter) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	g.endpoint("wh-1", receiver.URL)
	first := g.leader(nil)
	g.events(1)
	attempts := func() int64 { return g.deliveries()[0].Attempts }
	require.Eventually(t, func() bool { return attempts() == 2 }, 10*time.Second, time.Millisecond, "5 s later, as it counts time, and then after a minute")
	o := g.deliveries()[0]
	require.EqualValues(t, 503, o.Status)
	require.Equal(t, "the receiver answered 503", o.Error)
	require.InDelta(t, float64(time.Now().Add(44*time.Second).UnixMilli()), float64(o.NextMillis), 15_000)
	first.stop()
	down.Store(false)
	var r license.EndpointResult
	second := g.leader(nil)
	g.do("acme", license.OpReplay, &license.Replay{By: license.By{Platform: true}, EndpointID: "wh-1", Sequence: o.Sequence}, &r)
	require.Equal(t, cloudlicenses.OK, r.Code)
	g.settled()
	require.EqualValues(t, 3, attempts())
	require.Equal(t, []string{"wh-1-1: 1", "wh-1-1: 1", "wh-1-1: 1"}, receiver.received())
	require.True(t, second.node.leads.Load())
}

// TestSlowReceiversHoldUpNobody: as many as have room in their lane, and each
// gets one at a time.
func TestSlowReceiversHoldUpNobody(t *testing.T) {
	g := newGroup(t)
	release := make(chan struct{})
	var open, most atomic.Int64
	slow := newHook(t, func(int, http.ResponseWriter) {
		most.Store(max(most.Load(), open.Add(1)))
		<-release
		open.Add(-1)
	})
	fast := newHook(t, nil)
	g.endpoint("wh-slow", slow.URL)
	g.endpoint("wh-fast", fast.URL)
	g.leader(nil)
	g.events(200)
	require.Eventually(t, func() bool { return len(fast.received()) == 200 }, 10*time.Second, time.Millisecond)
	require.Len(t, slow.received(), 1)
	close(release)
	g.settled()
	require.Len(t, slow.received(), 200)
	require.EqualValues(t, 1, most.Load())
	require.Equal(t, "wh-slow-200: 200", slow.received()[199])
}

// TestFailingReceiversHaveALaneOfTheirOwn: once they have failed, they take no
// room of those who answer, however many they are.
func TestFailingReceiversHaveALaneOfTheirOwn(t *testing.T) {
	g := newGroup(t)
	release := make(chan struct{})
	failing := make([]*hook, cloudlicenses.MaxWebhookEndpoints-1)
	for i := range failing {
		failing[i] = newHook(t, func(n int, w http.ResponseWriter) {
			if n > 1 {
				<-release
			}
			w.WriteHeader(http.StatusInternalServerError)
		})
		g.endpoint(fmt.Sprint("wh-bad", i), failing[i].URL)
	}
	l := g.leader(nil)
	g.events(1)
	require.Eventually(t, func() bool { // each has failed, and the lane is full of seconds
		seconds := 0
		for _, f := range failing {
			if len(f.received()) == 0 {
				return false
			}
			seconds += len(f.received()) - 1
		}
		return seconds == slots[license.LaneFailing]
	}, 10*time.Second, time.Millisecond)
	fast := newHook(t, nil)
	g.endpoint("wh-good", fast.URL)
	g.events(50)
	require.Eventually(t, func() bool { return len(fast.received()) == 50 }, 10*time.Second, time.Millisecond)
	l.stop()
	close(release)
}

// TestGone: 410 disables the endpoint, and what was pending for it is given up
// unsent, but kept to be replayed.
func TestGone(t *testing.T) {
	g := newGroup(t)
	receiver := newHook(t, func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusGone) })
	g.endpoint("wh-1", receiver.URL)
	g.events(20)
	g.leader(nil)
	require.EqualValues(t, 20, g.settled().DeadWebhooks)
	require.Len(t, receiver.received(), 1)
	all := g.deliveries()
	require.Len(t, all, 20)
	require.EqualValues(t, 410, all[19].Status)
	require.Equal(t, "the endpoint is disabled", all[0].Error)
	require.Zero(t, all[0].Attempts)
}

// TestPrivateAddress: nobody makes the platform talk to its own network.
func TestPrivateAddress(t *testing.T) {
	g, receiver := newGroup(t), newHook(t, nil)
	g.endpoint("wh-1", receiver.URL)
	g.events(1)
	g.leader(func(c *Config) { c.Sender.Webhooks = notify.NewWebhookClient(notify.WebhookConfig{AllowHTTP: true}) })
	require.EqualValues(t, 1, g.settled().DeadWebhooks)
	require.Empty(t, receiver.received())
	require.Equal(t, "the URL's host has no public address", g.deliveries()[0].Error, "and not which one it has")
}

// TestMailThatIsNotSetUp is kept, and said once; webhooks go out all the same.
func TestMailThatIsNotSetUp(t *testing.T) {
	g, receiver := newGroup(t), newHook(t, nil)
	g.endpoint("wh-1", receiver.URL)
	l := g.leader(nil)
	for n := range 3 {
		g.invite(n, time.Now().Add(time.Hour))
	}
	g.events(1)
	require.Eventually(t, func() bool { return g.state().Webhooks == 0 }, 10*time.Second, time.Millisecond)
	require.EqualValues(t, 3, g.state().Mails)
	l.stop()
	require.Equal(t, 1, strings.Count(l.log.String(), "mails are kept, and not sent"))

	box := newBox(t, nil)
	g.leader(func(c *Config) { c.Sender.Mail = smtpTo(t, box) })
	g.settled()
	require.Len(t, box.Messages(), 3)
}

// TestMailThatFails for good is remembered without its link, as is one whose
// link had expired.
func TestMailThatFails(t *testing.T) {
	g := newGroup(t)
	box := newBox(t, func(*mail.Message) error { return fmt.Errorf("<u2@acme.example>: User unknown") })
	refusing := newBox(t, nil)
	refusing.Close()
	g.invite(1, time.Now().Add(-time.Minute))
	l := g.leader(func(c *Config) { c.Sender.Mail, c.Sender.Now = smtpTo(t, box), nil })
	require.EqualValues(t, 1, g.settled().DeadMails)
	require.Empty(t, box.Messages())
	g.invite(2, time.Now().Add(time.Hour))
	require.EqualValues(t, 2, g.settled().DeadMails)
	var dead license.DeliveryPage
	require.NoError(t, g.query("", license.QueryDeadMails, &license.ListDeadMails{}, &dead))
	require.Equal(t, errExpired.Error(), dead.Items[0].Error)
	require.EqualValues(t, 554, dead.Items[1].Status)
	for _, o := range dead.Items {
		require.NotContains(t, string(o.Payload), "canary")
	}
	l.stop()
	require.Contains(t, dead.Items[1].Error, "<u2@acme.example>", "kept where it is sealed")
	require.NotContains(t, l.log.String(), "canary")
	require.NotContains(t, l.log.String(), "@acme.example")
	require.Contains(t, l.log.String(), "refuses it for good")
}

// TestLetters: every kind that a machine leaves has its words; one of a newer
// version waits for it.
func TestLetters(t *testing.T) {
	in := letter{
		TenantURL: "https://acme.example.test", Company: "Acme", Email: "ann@acme.example", Name: "Ann", Role: "owner", InvitedBy: "bob@acme.example",
		Token: "t", ExpiresAt: time.Now().Add(time.Hour), VendorID: "vector-de", Vendor: "Vector", Count: 1,
		LicenseID: "lic-1", Product: "CAD", Meter: "cost", Percent: 80, Used: "8000.00", Limit: "10000.00", Currency: "EUR",
	}
	for kind, subject := range map[string]string{
		"mail.welcome": "is ready", "mail.invite": "invited", "mail.reset": "new password", "mail.provisioned": "from Vector", "mail.vendor_linked": "Vector is now linked",
		license.MailOverage: "80 %",
	} {
		words, err := in.words(kind, "")
		require.NoError(t, err, kind)
		require.Contains(t, words.Subject, subject)
		require.NotContains(t, words.Text, "vendor_id=", "a tenant's host says whose user it is")
	}
	words, err := in.words("mail.welcome", "vector-de")
	require.NoError(t, err)
	require.Contains(t, words.Text, "vendor_id=vector-de")
	_, err = in.words("mail.of_tomorrow", "")
	require.ErrorIs(t, err, errUnknown)
}

// TestErrorsTellNothingOfTheNetwork that a node is in: accounts see them.
func TestErrorsTellNothingOfTheNetwork(t *testing.T) {
	lookup := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "hooks.acme.example", Server: "10.1.2.3:53"}}
	require.Equal(t, "the URL's host: no such host", textOf(fmt.Errorf("webhook: %w", lookup)))
	require.Equal(t, "the receiver answered 500", textOf(errors.New("the receiver answered 500")))
}

// TestDocumentation: receivers read in docs/webhooks.md which events there are
// and when a delivery is tried again, operators the same in docs/operations.md.
func TestDocumentation(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return strings.Join(strings.Fields(string(text)), " ")
	}
	webhooks := read("../docs/webhooks.md")
	for _, kind := range cloudlicenses.EventKinds {
		require.Contains(t, webhooks, "`"+string(kind)+"`")
	}
	var waits []string
	for _, wait := range notify.Schedule() {
		text := strings.NewReplacer("m0s", " min", "h0m0s", " h", "s", " s").Replace(wait.String())
		waits = append(waits, text)
	}
	require.Contains(t, read("../docs/operations.md"), "(after "+strings.Join(waits, ", ")+")")
	last := len(waits) - 1
	require.Contains(t, webhooks, "after "+strings.Join(waits[:last], ", ")+" and "+waits[last])
}

// TestOutcomeIsKeptUntilRecorded: as long as the group takes no command, its
// leader sends nothing twice.
func TestOutcomeIsKeptUntilRecorded(t *testing.T) {
	g, receiver := newGroup(t), newHook(t, nil)
	g.endpoint("wh-1", receiver.URL)
	l := g.leader(nil)
	l.node.refuse.Store(true)
	g.events(3)
	require.Eventually(t, func() bool { return len(receiver.received()) == 1 }, 10*time.Second, time.Millisecond)
	for range 3 {
		l.Pulse(testGroup, g.machine.OutboxHead()+1, time.Now().UnixMilli())
	}
	l.node.refuse.Store(false)
	g.settled()
	require.Equal(t, []string{"wh-1-1: 1", "wh-1-2: 2", "wh-1-3: 3"}, receiver.received())
}

// TestIdleCostsNothing: a pulse in which nothing is new or due reads nothing,
// and wakes nobody.
func TestIdleCostsNothing(t *testing.T) {
	n := &node{group: newGroup(t)}
	n.leads.Store(true)
	d := New(Config{Sender: &notify.Sender{Mail: noMailer{}}})
	defer d.Close(t.Context())
	d.Start(n)
	g := newDrain(d, n, testGroup) // without its loop
	now := time.Now().UnixMilli()
	g.pulse(n.machine.OutboxHead(), now)
	require.Len(t, g.wake, 1)
	<-g.wake
	require.NoError(t, g.pass())
	reads := n.reads.Load()
	for i := range int64(1000) {
		g.pulse(n.machine.OutboxHead(), now+i*60_000)
	}
	require.Empty(t, g.wake)
	require.Equal(t, reads, n.reads.Load())
	n.invite(1, time.Now().Add(time.Hour))
	g.pulse(n.machine.OutboxHead(), now)
	require.Len(t, g.wake, 1)
}

type noMailer struct{}

func (noMailer) Send(context.Context, *notify.Message) error { return errors.New("not now") }

// TestDescribedError: the text that an account sees of an error has no address
// of the node's in it.
func TestDescribedError(t *testing.T) {
	err := fmt.Errorf("webhook: %w", &net.OpError{
		Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 40_000},
		Addr: &net.TCPAddr{IP: net.IPv4(93, 184, 216, 34), Port: 443}, Err: errors.New("connection reset by peer"),
	})
	var tried license.OutboxTried
	describe(&tried, notify.Outcome{Result: notify.Retry, Err: err})
	require.Equal(t, "read: connection reset by peer", tried.Error)
}
