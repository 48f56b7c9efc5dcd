package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	licenseclient "github.com/cloudlicenses/cloudlicenses/clients/go"
)

const (
	nodes       = 3
	portsOfNode = 4 // API, admin, Raft, gossip
)

// servers are the processes of a cluster; their ports follow each other.
type servers struct {
	t         *testing.T
	port      int // the first
	flags     func(i int) []string
	processes [nodes]*process
	ready     [nodes]readyFile
	folder    string
}

func startServers(t *testing.T, flags func(i int) []string) *servers {
	t.Helper()
	s := &servers{t: t, port: freePorts(t, nodes*portsOfNode), flags: flags, folder: t.TempDir()}
	for i := range nodes {
		s.start(i)
	}
	for i := range nodes {
		s.ready[i] = s.processes[i].await()
	}
	return s
}

func (s *servers) address(i, service int) string {
	return "127.0.0.1:" + strconv.Itoa(s.port+i*portsOfNode+service)
}

// start starts node i, again where it ran before.
func (s *servers) start(i int) {
	var join []string
	for j := range nodes {
		join = append(join, s.address(j, 3))
	}
	s.processes[i] = start(s.t, append([]string{
		"server", "--node-id", fmt.Sprintf("n%d", i+1), "--data-dir", filepath.Join(s.folder, strconv.Itoa(i)),
		"--http", s.address(i, 0), "--admin", s.address(i, 1), "--raft", s.address(i, 2), "--gossip", s.address(i, 3),
		"--bootstrap-expect", strconv.Itoa(nodes), "--join", strings.Join(join, ","), "--join-token", "the-same-on-every-node",
	}, s.flags(i)...)...)
}

// tenant makes a tenant with seats of a product "cad", and returns its key.
func (s *servers) tenant(id string, commit, overage int, flags ...string) (key string) {
	s.t.Helper()
	out := run(s.t, []string{"CLOUDLICENSES_ADMIN_TOKEN=" + s.ready[0].AdminToken}, append([]string{
		"tenant", "create", "--admin", s.ready[0].Nodes[0].Admin, "--id", id, "--license", "cad",
		"--commit", strconv.Itoa(commit), "--max-overage", strconv.Itoa(overage), "--output", "json",
	}, flags...)...)
	var made struct {
		APIKey string `json:"api_key"`
	}
	if err := json.Unmarshal(out, &made); err != nil || made.APIKey == "" {
		s.t.Fatalf("tenant create printed %q: %v", out, err)
	}
	return made.APIKey
}

// seatsInUse asks the leader how many seats are taken.
func seatsInUse(t *testing.T, c *licenseclient.Client) (inUse, overage int) {
	t.Helper()
	for license, err := range c.Licenses(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		inUse += license.InUse
		overage += license.OverageInUse
	}
	return inUse, overage
}

// TestNodesDie kills each node in turn, by crash or by a stop that leaves its
// connections open, while clients check out and return without a pause. Every
// call must succeed, and at the end every seat is where the clients say.
func TestNodesDie(t *testing.T) {
	s := startServers(t, func(int) []string { return []string{"--insecure"} })
	const workers, kept = 8, 40
	key := s.tenant("acme", 10, 1000)
	var urls []string
	for i := range nodes {
		urls = append(urls, "http://"+s.address(i, 0))
	}
	home := strings.Replace(urls[0], "127.0.0.1", "acme.localhost", 1)
	c := connect(t, licenseclient.Options{
		ServerURL: home, Endpoints: urls[1:], APIKey: key, Timeout: 40 * time.Second, AttemptTimeout: 2 * time.Second,
	})

	done := make(chan struct{})
	var wait sync.WaitGroup
	var mu sync.Mutex
	held := map[string]*licenseclient.Lease{} // by id
	calls, longest := 0, time.Duration(0)
	for range workers {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				began := time.Now()
				lease, err := c.Checkout(t.Context(), seat("cad"))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if held[lease.ID] != nil {
					t.Errorf("%s was granted twice", lease.ID)
				}
				held[lease.ID] = lease
				keep := len(held) <= kept
				mu.Unlock()
				if !keep {
					if err := lease.Return(t.Context()); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					delete(held, lease.ID)
					mu.Unlock()
				}
				mu.Lock()
				calls++
				longest = max(longest, time.Since(began))
				mu.Unlock()
			}
		})
	}
	more := func(n int) {
		mu.Lock()
		want := calls + n
		mu.Unlock()
		waitFor(t, 60*time.Second, "calls after a fault", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return calls >= want || t.Failed()
		})
	}
	more(200)
	for i := range nodes {
		s.processes[i].kill()
		more(200)
		s.start(i)
		s.processes[i].await()
		more(100)
	}
	for i := range nodes {
		s.processes[i].signal(syscall.SIGSTOP)
		more(200)
		s.processes[i].signal(syscall.SIGCONT)
		more(100)
	}
	close(done)
	wait.Wait()
	t.Logf("%d calls, the longest %v", calls, longest.Round(time.Millisecond))

	if inUse, _ := seatsInUse(t, c); inUse != len(held) {
		t.Errorf("%d seats in use, the clients hold %d", inUse, len(held))
	}
	listed := 0
	for lease, err := range c.Leases(t.Context(), licenseclient.LeaseFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if held[lease.LeaseID] == nil {
			t.Errorf("%s is live, and nobody holds it", lease.LeaseID)
		}
		listed++
	}
	if listed != len(held) {
		t.Errorf("%d leases listed, the clients hold %d", listed, len(held))
	}
	for _, lease := range held {
		if err := lease.Return(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if inUse, overage := seatsInUse(t, c); inUse != 0 || overage != 0 {
		t.Errorf("%d seats in use at the end, %d of overage", inUse, overage)
	}
}

// TestSecured speaks to three nodes with certificates of their own cluster's
// CA: the leader is dialed by its address and must prove the tenant's name.
func TestSecured(t *testing.T) {
	certs := t.TempDir()
	run(t, nil, "cert", "create-ca", "--cert-dir", certs)
	for i := range nodes {
		run(t, nil, "cert", "create-node", "--cert-dir", certs, "--node-id", fmt.Sprintf("n%d", i+1),
			"--host", "127.0.0.1", "--domain", "licenses.test")
	}
	s := startServers(t, func(i int) []string {
		return []string{
			"--cert-dir", filepath.Join(certs, fmt.Sprintf("n%d", i+1)), "--kek-file", filepath.Join(certs, "kek.key"),
			"--domain", "licenses.test",
		}
	})
	ca := filepath.Join(certs, "ca.crt")
	key := s.tenant("acme", 2, 1, "--ca-file", ca)
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	var dialed []*dials
	for i := range nodes {
		d := &dials{}
		dialed = append(dialed, d)
		c := connect(t, licenseclient.Options{
			ServerURL: "https://acme.licenses.test", APIKey: key,
			HTTPClient: &http.Client{Transport: resolving(t, d.transport(), pem, "acme.licenses.test:443", s.address(i, 0))},
		})
		request := seat("cad")
		request.Token = true
		for range 3 {
			lease := checkout(t, c, request)
			claims, err := c.Verifier(licenseclient.VerifierOptions{}).Verify(t.Context(), lease.Token())
			if err != nil || claims.LeaseID != lease.ID {
				t.Errorf("%+v, %v", claims, err)
			}
			if err := lease.Return(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	oneLeader(t, dialed)

	plain := connect(t, licenseclient.Options{
		ServerURL: "http://" + strings.Replace(s.address(0, 0), "127.0.0.1", "acme.localhost", 1), APIKey: key, Timeout: 2 * time.Second,
	})
	if _, err := plain.Checkout(t.Context(), seat("cad")); err == nil {
		t.Error("a checkout without TLS")
	}
	stranger := connect(t, licenseclient.Options{
		ServerURL: "https://" + s.address(0, 0), APIKey: key, Timeout: 5 * time.Second,
	})
	var unfinished *licenseclient.UnfinishedError
	if _, err := stranger.Checkout(t.Context(), seat("cad")); !errors.As(err, &unfinished) || unfinished.Attempts != 1 {
		t.Errorf("with a CA that this machine does not know: %v", err)
	}
}
