package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// running is a command that runs in the test's process until it is stopped.
type running struct {
	stop   context.CancelFunc
	done   chan int
	stdout *lockedBuffer
	stderr *lockedBuffer
}

// lockedBuffer is a buffer that a command writes while the test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startCommand runs a command line and waits for its ready file.
func startCommand(t *testing.T, ready string, args ...string) (*running, readyFile) {
	t.Helper()
	require.NoError(t, os.RemoveAll(ready))
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{stop: cancel, done: make(chan int, 1), stdout: &lockedBuffer{}, stderr: &lockedBuffer{}}
	go func() { r.done <- execute(ctx, append(args, "--ready-file", ready), nil, r.stdout, r.stderr) }()
	t.Cleanup(cancel)
	var file readyFile
	require.Eventually(t, func() bool { return readJSONFile(ready, &file) == nil || len(r.done) > 0 }, time.Minute, 10*time.Millisecond)
	require.NotEmpty(t, file.Nodes, r.stderr.String())
	return r, file
}

// drain stops the command as SIGTERM would and demands exit code 0.
func (r *running) drain(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case code := <-r.done:
		require.Equal(t, exitOK, code, r.stderr.String())
	case <-time.After(time.Minute):
		t.Fatal("not drained after a minute")
	}
}

// TestDev starts the cluster that `make run` starts, uses it as a newcomer
// would, and starts it again on the same folder.
func TestDev(t *testing.T) {
	dir := t.TempDir()
	ready, data := filepath.Join(dir, "ready.json"), filepath.Join(dir, "data")
	args := []string{"dev", "--data-dir", data, "--http", "127.0.0.1:0"}
	dev, file := startCommand(t, ready, args...)

	require.Equal(t, "localhost", file.Domain)
	require.Len(t, file.Nodes, 3)
	require.Equal(t, "n1", file.Nodes[0].ID)
	require.Equal(t, "vector-de", file.Demo.VendorID)
	require.Equal(t, "mercedes", file.Demo.TenantID)
	require.Equal(t, "davinci-configurator-se", file.Demo.ProductID)
	require.True(t, strings.HasPrefix(file.Demo.TenantURL, "http://mercedes.localhost:"), file.Demo.TenantURL)
	require.Regexp(t, `(?m)^curl `, dev.stdout.String())
	for _, n := range []string{"", "n1", "n2", "n3"} {
		token, err := os.ReadFile(filepath.Join(data, n, "admin.token"))
		require.NoError(t, err)
		require.Equal(t, file.AdminToken, strings.TrimSpace(string(token)), n)
	}
	info, err := os.Stat(ready)
	require.NoError(t, err)
	require.Equal(t, modeSecret, info.Mode().Perm(), "it holds keys")

	t.Setenv("LICENSE_SERVER_URL", file.Demo.TenantURL)
	t.Setenv("LICENSE_API_KEY", file.Demo.APIKey)
	require.JSONEq(t, `[]`, mustRun(t, "leases", "-o", "json"), "nothing is checked out at the start")
	reply := pasteCurl(t, file)
	require.Equal(t, "commit", reply["type"])
	code, out, errs := runCommand(t, "run", "--product", file.Demo.ProductID, "--", "sh", "-c", "echo $CLOUDLICENSES_LEASE_ID; exit 7")
	require.Equal(t, 7, code, errs)
	require.Regexp(t, `^lease-\d+\n$`, out)
	mustRun(t, "return", strings.TrimSpace(out))
	require.Contains(t, mustRun(t, "leases"), reply["lease_id"])
	require.NotContains(t, mustRun(t, "leases"), strings.TrimSpace(out)+" ")

	me := asVendor(t, file, file.Nodes[1], http.MethodGet, "/api/v1/me")
	require.Equal(t, file.Demo.VendorID, me["vendor_id"])
	require.Contains(t, dev.stdout.String(), file.Demo.VendorAPIKey)
	require.Contains(t, dev.stdout.String(), file.Demo.VendorEmail+", password "+file.Demo.VendorPassword)
	logInAsVendor(t, file)

	t.Setenv(adminTokenEnv, file.AdminToken)
	t.Setenv(adminURLEnv, file.Nodes[2].Admin)
	require.Regexp(t, `(?m)^mercedes +CUST-00001 .* active `, mustRun(t, "tenant", "list"))
	require.Regexp(t, `(?m)^vector-de `, mustRun(t, "vendor", "list"))
	require.Regexp(t, `(?m)^3 +license +n\d `, mustRun(t, "cluster", "status"))

	code, _, errs = runCommand(t, "checkout", "--product", file.Demo.ProductID, "--app-version", "zzz")
	require.Equal(t, exitFailed, code)
	require.Regexp(t, `^cloudlicenses: checkout of \S+: --app-version zzz: [^;]+ \(invalid_field\)\n$`, errs)
	apex := strings.Replace(file.Demo.TenantURL, "mercedes.", "", 1)
	t.Setenv("LICENSE_SERVER_URL", apex)
	_, _, errs = runCommand(t, "leases")
	require.Contains(t, errs, "LICENSE_SERVER_URL is "+apex+": use "+strings.Replace(apex, "://", "://<tenant>.", 1))
	t.Setenv("LICENSE_SERVER_URL", file.Nodes[0].HTTP)
	_, _, errs = runCommand(t, "leases")
	require.Contains(t, errs, "use "+strings.Replace(apex, "://", "://{tenant}.", 1))
	t.Setenv("LICENSE_SERVER_URL", strings.Replace(file.Demo.TenantURL, "http:", "https:", 1))
	_, _, errs = runCommand(t, "leases")
	require.Contains(t, errs, "use "+file.Demo.TenantURL)
	for _, url := range []string{file.Nodes[2].HTTP, file.Nodes[2].HTTP + "/openapi.yaml", file.Demo.TenantURL, file.Nodes[2].Admin} {
		opens(t, url)
	}

	code, _, errs = runCommand(t, "dev", "--data-dir", data, "--http", "127.0.0.1:0", "--ready-file", ready)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "a node runs on the data folder "+filepath.Join(data, "n1")+" already")
	require.FileExists(t, ready, "it is that of the cluster that runs")
	code, _, errs = runCommand(t, "dev", "--data-dir", data, "--http", "127.0.0.1:0", "--nodes", "5")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "--nodes 3")
	code, _, errs = runCommand(t, "dev", "--data-dir", filepath.Join(dir, "other"), "--http", strings.TrimPrefix(file.Nodes[0].HTTP, "http://"))
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "is in use: --http")
	require.NotContains(t, dev.stdout.String(), "draining")
	dev.drain(t)
	require.Regexp(t, `(?s)draining\n.*stopped`, dev.stdout.String())
	require.NoFileExists(t, ready)

	dev, again := startCommand(t, ready, args...)
	require.Equal(t, file.Demo.APIKey, again.Demo.APIKey, "a key in somebody's shell outlives a restart")
	require.Equal(t, file.Demo.VendorAPIKey, again.Demo.VendorAPIKey)
	require.Equal(t, me, asVendor(t, again, again.Nodes[2], http.MethodGet, "/api/v1/me"))
	require.Equal(t, file.Demo.LicenseID, again.Demo.LicenseID)
	require.Equal(t, file.AdminToken, again.AdminToken)
	t.Setenv("LICENSE_SERVER_URL", again.Demo.TenantURL)
	require.Contains(t, mustRun(t, "leases"), reply["lease_id"], "leases outlive a restart")
	dev.drain(t)
}

// opens demands that a URL that dev prints answers a browser with something.
func opens(t *testing.T, url string) {
	t.Helper()
	transport, err := newHTTPTransport("")
	require.NoError(t, err)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode, url)
}

// pasteCurl sends the checkout that dev prints to its last node, with the
// tenant as Host.
func pasteCurl(t *testing.T, file readyFile) map[string]any {
	t.Helper()
	body := `{"product_id":"` + file.Demo.ProductID + `","user":"alice@mercedes.com"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, file.Nodes[2].HTTP+"/api/v1/licenses/checkout", strings.NewReader(body))
	require.NoError(t, err)
	req.Host = strings.TrimPrefix(file.Demo.TenantURL, "http://")
	req.Header.Set("Authorization", "Bearer "+file.Demo.APIKey)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, resp.StatusCode, string(data))
	var reply map[string]any
	require.NoError(t, json.Unmarshal(data, &reply))
	return reply
}

// asVendor asks a node's vendors' host with the demo's vendor key.
func asVendor(t *testing.T, file readyFile, node readyNode, method, path string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, node.HTTP+path, nil)
	require.NoError(t, err)
	req.Host = "vendors.localhost"
	req.Header.Set("Authorization", "Bearer "+file.Demo.VendorAPIKey)
	req.Header.Set("X-Vendor-ID", file.Demo.VendorID)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var reply map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&reply))
	require.Equal(t, http.StatusOK, resp.StatusCode, reply)
	return reply
}

// logInAsVendor demands that the demo's vendor has an owner who can log in.
func logInAsVendor(t *testing.T, file readyFile) {
	t.Helper()
	require.True(t, strings.HasPrefix(file.Demo.VendorURL, "http://vendors.localhost:"), file.Demo.VendorURL)
	credentials, err := json.Marshal(map[string]string{
		"vendor_id": file.Demo.VendorID, "email": file.Demo.VendorEmail, "password": file.Demo.VendorPassword,
	})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, file.Nodes[1].HTTP+"/api/v1/login", bytes.NewReader(credentials))
	require.NoError(t, err)
	req.Host = "vendors.localhost"
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// TestServerSecured runs one secured node and speaks to it over TLS; the same
// folder then refuses another node, another key and no key at all.
func TestServerSecured(t *testing.T) {
	certs, data := newCerts(t), filepath.Join(t.TempDir(), "n1")
	caFile := filepath.Join(certs, caCertFile)
	args := []string{"server", "--node-id", "n1", "--data-dir", data, "--bootstrap-expect", "1", "--groups", "1",
		"--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--raft", "127.0.0.1:0", "--gossip", "127.0.0.1:0",
		"--cert-dir", filepath.Join(certs, "n1")}
	ready := filepath.Join(data, "..", "ready.json")
	withKey := append(args[:len(args):len(args)], "--kek-file", filepath.Join(certs, kekFile))
	server, file := startCommand(t, ready, withKey...)
	require.Nil(t, file.Demo)
	require.Len(t, file.Nodes, 1)
	require.True(t, strings.HasPrefix(file.Nodes[0].HTTP, "https://"), file.Nodes[0].HTTP)

	t.Setenv(adminTokenEnv, file.AdminToken)
	t.Setenv(adminURLEnv, file.Nodes[0].Admin)
	var made createdTenant
	out := mustRun(t, "tenant", "create", "--ca-file", caFile, "--id", "acme", "--license", "cad", "--commit", "1", "--max-overage", "0", "-o", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(file.Nodes[0].HTTP, "https://"))
	require.NoError(t, err)
	t.Setenv("LICENSE_SERVER_URL", "https://acme.localhost:"+port)
	t.Setenv("LICENSE_API_KEY", made.APIKey)
	require.Contains(t, mustRun(t, "checkout", "--ca-file", caFile, "--product", "cad"), made.LicenseID)
	code, _, errs := runCommand(t, "checkout", "--ca-file", caFile, "--product", "cad")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "license_unavailable")
	code, _, errs = runCommand(t, "tenant", "list")
	require.Equal(t, exitFailed, code, "without the CA")
	require.Contains(t, errs, "certificate")

	code, _, errs = runCommand(t, append(withKey, "--ready-file", ready)...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "a node runs on the data folder "+data+" already; stop it first")
	require.FileExists(t, ready, "it is that of the node that runs")
	server.drain(t)
	require.Regexp(t, `(?s)"msg":"draining".*"msg":"stopped"`, server.stderr.String())
	require.NoFileExists(t, ready)

	code, _, errs = runCommand(t, args...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "--kek-file is missing")
	code, _, errs = runCommand(t, append(args, "--kek-file", filepath.Join(data, "none"))...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "key missing")
	code, _, errs = runCommand(t, append(withKey, "--cert-dir", filepath.Join(data, "none"))...)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "certificate missing")
	code, _, errs = runCommand(t, append(args, "--kek-file", filepath.Join(newCerts(t), kekFile))...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "does not open the cluster's secrets")
	code, _, errs = runCommand(t, append(withKey, "--node-id", "n2", "--cert-dir", filepath.Join(certs, "n2"))...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, `belongs to node "n1"`)
}

// TestServerNamesThePortInUse: which port, and which flag moves it.
func TestServerNamesThePortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	for _, flag := range []string{"--http", "--admin", "--raft", "--gossip"} {
		data := filepath.Join(t.TempDir(), "n1")
		args := []string{"server", "--node-id", "n1", "--data-dir", data, "--bootstrap-expect", "1", "--insecure"}
		for _, other := range []string{"--http", "--admin", "--raft", "--gossip"} {
			if other == flag {
				args = append(args, other, taken.Addr().String())
			} else {
				args = append(args, other, "127.0.0.1:0")
			}
		}
		code, _, errs := runCommand(t, args...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, "is in use: "+flag)
		require.NoDirExists(t, data, "nothing was made")
	}
}

// asBinary makes the test's own binary behave as cloudlicenses.
const asBinary = "TEST_AS_CLOUDLICENSES"

func TestMain(m *testing.M) {
	if os.Getenv(asBinary) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestRunPassesSignalsOn runs a process of its own, since signals are a
// process's.
func TestRunPassesSignalsOn(t *testing.T) {
	binary, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	dev, file := startCommand(t, filepath.Join(dir, "ready.json"), "dev", "--data-dir", filepath.Join(dir, "data"), "--http", "127.0.0.1:0", "--nodes", "1")
	defer dev.drain(t)
	t.Setenv("LICENSE_SERVER_URL", file.Demo.TenantURL)
	t.Setenv("LICENSE_API_KEY", file.Demo.APIKey)

	run := exec.CommandContext(t.Context(), binary, "run", "--product", file.Demo.ProductID, "--",
		"sh", "-c", `trap 'echo stopping; exit 9' TERM; echo started; while :; do sleep 0.05; done`)
	run.Env = append(os.Environ(), asBinary+"=1")
	printed := &lockedBuffer{}
	run.Stdout, run.Stderr = printed, printed
	require.NoError(t, run.Start())
	require.Eventually(t, func() bool { return strings.Contains(printed.String(), "started") }, time.Minute, 10*time.Millisecond)
	require.Contains(t, mustRun(t, "leases"), file.Demo.ProductID)
	require.NoError(t, run.Process.Signal(syscall.SIGTERM))
	err = run.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, printed.String())
	require.Equal(t, 9, exit.ExitCode(), "the program's own")
	require.Contains(t, printed.String(), "stopping")
	require.JSONEq(t, `[]`, mustRun(t, "leases", "-o", "json"), "the lease was returned")

	code, _, errs := runCommand(t, "run", "--product", "unknown", "--", "true")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "product_not_found")
	code, _, _ = runCommand(t, "run", "--product", file.Demo.ProductID, "--", "/does/not/exist")
	require.Equal(t, exitNotFound, code)
}

// TestRunTellsWhyNoServerAnswers: an unknown authority names the flag that is
// missing, and a port that nothing listens at is called that.
func TestRunTellsWhyNoServerAnswers(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer server.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	t.Setenv("LICENSE_API_KEY", "clsk_acme_x")
	for _, args := range [][]string{
		{"run", "--product", "p", "--timeout", "500ms", "--", "true"}, {"checkout", "--product", "p", "--timeout", "500ms"},
		{"return", "lease-1", "--timeout", "500ms"}, {"leases", "--timeout", "500ms"},
	} {
		t.Setenv("LICENSE_SERVER_URL", server.URL)
		code, _, errs := runCommand(t, args...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, "--ca-file", args)
		t.Setenv("LICENSE_SERVER_URL", gone.URL)
		code, _, errs = runCommand(t, args...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, "connection refused: nothing listens at "+strings.TrimPrefix(gone.URL, "http://"), args)
		require.Equal(t, 1, strings.Count(errs, "connection refused"), errs)
		require.NotContains(t, errs, "/api/v1", "the URL is named once")
	}
}

// TestRunTellsOfAReturnThatWaits: a server that is gone when the program ends
// is no silence.
func TestRunTellsOfAReturnThatWaits(t *testing.T) {
	stdout, stderr := &lockedBuffer{}, &lockedBuffer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().UTC()
		switch {
		case strings.HasSuffix(r.URL.Path, "/checkout"):
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{
				"lease_id": "lease-1", "license_id": "l", "product_id": "p", "user": "u", "type": "commit", "count": 1,
				"issued_at": now, "expires_at": now.Add(5 * time.Minute), "heartbeat_seconds": 100,
			})
		case !strings.Contains(stderr.String(), "lease-1 can't be returned yet"):
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"code":"no_leader","status":503,"retryable":true}`)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"lease_id": "lease-1", "type": "commit", "returned_at": now, "reason": "returned"})
		}
	}))
	defer server.Close()
	t.Setenv("LICENSE_SERVER_URL", server.URL)
	t.Setenv("LICENSE_API_KEY", "clsk_acme_x")
	code := execute(t.Context(), []string{"run", "--product", "p", "--", "true"}, nil, stdout, stderr)
	require.Equal(t, exitOK, code, stderr.String())
	require.Contains(t, stderr.String(), "lease-1 is returned")
}
