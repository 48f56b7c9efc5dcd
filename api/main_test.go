package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/internal/dnstxt"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// live is the node that all tests of this package share: one real node with
// real Raft and real disks, whose edge and admin address are on loopback.
var live struct {
	shard       *shard.Shard
	node        *cluster.Node
	server      *Server
	registry    *prometheus.Registry
	edge, admin string // host:port
	log         *lockedBuffer
	dns         *dnstxt.Server
}

func TestMain(m *testing.M) {
	stop, err := startLive()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the node of the tests:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the node of the tests:", err)
		code = 1
	}
	os.Exit(code)
}

// testKeys are of the key that the live node is booted with.
var testKeys = func() *shard.Keys {
	keys, err := shard.NewKeys(make([]byte, shard.KEKBytes))
	if err != nil {
		panic(err)
	}
	return keys
}()

// machine is a machine of fsm as cluster hosts it.
type machine struct {
	unchanged
	apply    func(uint64, int64, [][]byte, bool) ([][]byte, error)
	snapshot func() (fsm.Snapshot, error)
}

// unchanged are the methods that both packages know by the same types.
type unchanged interface {
	AppliedIndex() uint64
	Admit(nowMillis int64, command []byte) []byte
	Small(command []byte) bool
	Lead(node string) []byte
	Due(nowMillis int64) []byte
	Query(query []byte) ([]byte, error)
	Restore(dir string) error
	Close() error
}

func (m machine) Apply(e cluster.Entry) ([][]byte, error) {
	return m.apply(e.Index, e.StampMillis, e.Commands, e.WantResults)
}

func (m machine) Snapshot() (cluster.Snapshot, error) { return m.snapshot() }

func openMachine(group cluster.GroupID, dir string) (cluster.Machine, error) {
	if group == 0 {
		m, err := directory.Open(directory.Config{Dir: dir})
		if err != nil {
			return nil, err
		}
		return machine{m, m.Apply, m.Snapshot}, nil
	}
	m, err := license.Open(license.Config{Dir: dir, Group: uint32(group), Sealer: testKeys})
	if err != nil {
		return nil, err
	}
	return machine{m, m.Apply, m.Snapshot}, nil
}

func startLive() (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	live.log = &lockedBuffer{}
	logger := slog.New(slog.NewJSONHandler(live.log, nil))
	live.registry = prometheus.NewRegistry()
	quietLog := slog.New(slog.NewTextHandler(io.Discard, nil))
	live.node, err = cluster.Start(cluster.Config{
		NodeID: "n1", DataDir: dir, RaftAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
		BootstrapExpect: 1, Groups: 2, Replicas: 1, Region: "eu-central", Zone: "a", Version: "test",
		HTTPURL: "http://127.0.0.1:1", AdminURL: "http://127.0.0.1:2",
		NewMachine: openMachine, Fatal: func(err error) { panic(err) },
		Logger: quietLog, Metrics: live.registry,
	})
	if err != nil {
		return nil, err
	}
	edge, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	admin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	live.edge, live.admin = edge.Addr().String(), admin.Addr().String()
	if live.dns, err = dnstxt.Listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	live.shard = shard.New(shard.Config{Node: live.node, Domain: "localhost", Logger: quietLog, Resolver: live.dns.Addr()})
	live.server = New(Config{
		Shard: live.shard, Node: live.node, NodeID: "n1", Domain: "localhost", Scheme: "http",
		Port: edge.Addr().(*net.TCPAddr).Port, Logger: logger, Metrics: live.registry, DevDNS: live.dns,
		Providers: testProviders(), Webhooks: testWebhooks(live.dns.Addr()),
	})
	go func() { _ = live.server.Serve(edge) }()
	go func() { _ = live.server.ServeAdmin(admin) }()
	if err := live.shard.Boot(ctx, shard.BootConfig{KEK: make([]byte, 32), Region: "eu-central", Domain: "localhost", DataDir: dir}); err != nil {
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := live.server.Shutdown(ctx); err != nil {
			return err
		}
		if err := live.dns.Close(); err != nil {
			return err
		}
		if err := live.node.Shutdown(ctx); err != nil {
			return err
		}
		return os.RemoveAll(dir)
	}, nil
}

// pool is a tenant with one license, for one test.
type pool struct {
	t       testing.TB
	tenant  cloudlicenses.TenantID
	product string
	license cloudlicenses.LicenseID
	key     string
}

// newPool makes a tenant with a license of so many seats.
func newPool(t testing.TB, commit, overage int64) *pool {
	t.Helper()
	unique := newUUID(time.Now())
	id := cloudlicenses.TenantID(fmt.Sprintf("t%x", unique[8:]))
	created, err := live.shard.CreateTenant(context.Background(), shard.CreateTenantRequest{
		ID: id, Licenses: []shard.LicenseSpec{{ProductID: "cad", Constraint: ">=8.0.0", CommitQty: commit, MaxOverage: overage}},
	})
	require.NoError(t, err)
	return &pool{t: t, tenant: id, product: "cad", license: created.LicenseID, key: created.APIKey}
}

// reply is a response with its body decoded.
type reply struct {
	*http.Response
	raw  []byte
	body map[string]any
}

// header is one header of a request; an empty value leaves it out.
type header struct{ name, value string }

// do sends a request with the pool's key.
func (p *pool) do(method, path, body string, headers ...header) *reply {
	p.t.Helper()
	return send(p.t, live.edge, string(p.tenant)+".localhost", method, path, body,
		append([]header{{"Authorization", "Bearer " + p.key}}, headers...)...)
}

func (p *pool) post(path, body string, headers ...header) *reply {
	p.t.Helper()
	return p.do(http.MethodPost, path, body, headers...)
}

func (p *pool) checkout(user string, headers ...header) *reply {
	p.t.Helper()
	return p.post("/api/v1/licenses/checkout", fmt.Sprintf(`{"product_id":%q,"user":%q}`, p.product, user), headers...)
}

var client = &http.Client{
	Timeout:       20 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func send(t testing.TB, address, host, method, path, body string, headers ...header) *reply {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Host = host
	for _, h := range headers {
		if request.Header.Del(h.name); h.value != "" {
			request.Header.Set(h.name, h.value)
		}
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	r := &reply{Response: response}
	if response.Header.Get("Content-Type") == "text/event-stream" { // without end: the first event will do
		r.raw, err = readEvent(bufio.NewReader(response.Body))
	} else {
		r.raw, err = io.ReadAll(response.Body)
	}
	require.NoError(t, err)
	if strings.Contains(response.Header.Get("Content-Type"), "json") && method != http.MethodHead {
		decoder := json.NewDecoder(bytes.NewReader(r.raw))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&r.body), string(r.raw))
	}
	keepsContract(t, host, method, path, body, headers, r)
	return r
}

// readEvent reads a stream up to the end of an event.
func readEvent(r *bufio.Reader) (event []byte, err error) {
	for !bytes.HasSuffix(event, []byte("\n\n")) {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return event, err
		}
		event = append(event, line...)
	}
	return event, nil
}

// wants checks status and, for a problem, code and shape.
func (r *reply) wants(t testing.TB, status int, code string) *reply {
	t.Helper()
	require.Equal(t, status, r.StatusCode, string(r.raw))
	require.Len(t, r.Header.Get(headerRequestID), 36)
	if code == "" {
		return r
	}
	require.Equal(t, typeProblem, r.Header.Get("Content-Type"))
	require.Equal(t, code, r.body["code"], string(r.raw))
	require.Equal(t, json.Number(fmt.Sprint(status)), r.body["status"])
	require.Equal(t, r.Header.Get(headerRequestID), r.body["request_id"])
	require.True(t, strings.HasSuffix(r.body["type"].(string), "/problems/"+code), r.body["type"])
	require.NotEmpty(t, r.body["title"])
	require.NotEmpty(t, r.body["detail"])
	require.IsType(t, true, r.body["retryable"])
	return r
}

func (r *reply) text(member string) string { s, _ := r.body[member].(string); return s }

// adminCallTo sends a request to the admin address with the right token.
func adminDo(t testing.TB, method, path, body string, headers ...header) *reply {
	t.Helper()
	return send(t, live.admin, "", method, path, body,
		append([]header{{"Authorization", "Bearer " + live.shard.Secrets().AdminToken}}, headers...)...)
}
