package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeAdmin is an admin address that answers what the test says and keeps the
// requests.
type fakeAdmin struct {
	*httptest.Server
	requests []string
	answers  map[string]string // "METHOD path" → body
}

func newFakeAdmin(t *testing.T, answers map[string]string) *fakeAdmin {
	f := &fakeAdmin{answers: answers}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.requests = append(f.requests, fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), body))
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"code":"unauthenticated","title":"Unauthenticated","status":401,"detail":"no"}`)
			return
		}
		answer, ok := f.answers[r.Method+" "+r.URL.RequestURI()]
		if !ok {
			w.WriteHeader(http.StatusConflict)
			answer = `{"code":"already_exists","title":"Already exists","status":409,"detail":"there is a tenant \"acme\""}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(f.Close)
	t.Setenv(adminTokenEnv, "secret")
	return f
}

func TestTenantCreatePrintsThreeFieldsAlone(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{
		"POST /v1/tenants": `{"tenant_id":"acme","license_id":"lic-operator-acme-2026-001","api_key":"clsk_acme_x","more":1}`,
	})
	out := mustRun(t, "tenant", "create", "--admin", f.URL, "--id", "acme", "--license", "cad",
		"--commit", "3", "--max-overage", "4", "--count", "2", "--output", "json")
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, map[string]any{"tenant_id": "acme", "license_id": "lic-operator-acme-2026-001", "api_key": "clsk_acme_x"}, got)
	require.Equal(t, []string{`POST /v1/tenants {"id":"acme","plan":"enterprise","licenses":{"product":"cad","commit":3,"max_overage":4,"count":2}}`}, f.requests)
}

func TestListsAreFollowedToTheirEnd(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{
		"GET /v1/vendors?consistency=linearizable&cursor=&limit=100":  `{"items":[{"id":"a","name":"A"}],"next_cursor":"a"}`,
		"GET /v1/vendors?consistency=linearizable&cursor=a&limit=100": `{"items":[{"id":"b","name":"B"}],"next_cursor":null}`,
	})
	out := mustRun(t, "vendor", "list", "--admin", f.URL)
	require.Contains(t, out, "VENDOR")
	require.Regexp(t, `(?m)^a +A .*\nb +B `, out)
}

func TestClusterStatusShowsAGroupWithoutLeader(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{"GET /v1/cluster": `{
		"nodes":[{"id":"n1","state":"alive","http":"http://127.0.0.1:8080","region":"eu-central","zone":"","version":"1"}],
		"groups":[{"id":0,"kind":"directory","leader":"n1","term":2,"commit_index":9,"replicas":[{"node":"n1","role":"leader","applied_index":9}]},
		          {"id":1,"kind":"license","leader":null,"term":3,"commit_index":0,"replicas":[]}]}`})
	out := mustRun(t, "cluster", "status", "--admin", f.URL)
	require.Regexp(t, `(?m)^0 +directory +n1 +2 +9 +n1:leader\(9\)`, out)
	require.Regexp(t, `(?m)^1 +license +- +3 +0 +-`, out)
	out = mustRun(t, "cluster", "status", "--admin", f.URL, "-o", "json")
	require.Contains(t, out, `"leader": null`)
}

func TestTenantCreatePrintsURLAndCount(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{
		"POST /v1/tenants": `{"tenant_id":"acme","tenant_url":"http://acme.localhost:8080","license_id":"lic-1","api_key":"clsk_acme_x"}`,
	})
	out := mustRun(t, "tenant", "create", "--admin", f.URL, "--id", "acme", "--license", "cad", "--commit", "3", "--count", "2")
	require.Regexp(t, `(?m)^acme +http://acme.localhost:8080 +lic-1 +clsk_acme_x$`, out)
	require.Contains(t, out, "2 licenses were made; lic-1 is the first.")
}

func TestVendorCreatePrintsWhatIsStored(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{
		"POST /v1/vendors": `{"id":"vector-de","name":"vector-de","license_prefix":"vector","region":"eu-central","status":"active","group":2,"epoch":1,"created_at":"2026-01-02T03:04:05Z"}`,
	})
	out := mustRun(t, "vendor", "create", "--admin", f.URL, "--id", "vector-de")
	require.Regexp(t, `(?m)^vector-de +vector-de +vector +eu-central +active +2026-01-02T03:04:05Z$`, out)
	require.Equal(t, []string{`POST /v1/vendors {"id":"vector-de","name":"vector-de"}`}, f.requests, "the prefix is the server's to choose")
}

// TestNotAnAdminAddress: what to do when something else answered.
func TestNotAnAdminAddress(t *testing.T) {
	t.Setenv(adminTokenEnv, "secret")
	status := func(url string) string {
		t.Helper()
		code, _, errs := runCommand(t, "cluster", "status", "--admin", url)
		require.Equal(t, exitFailed, code)
		return errs
	}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"tenant_not_found","status":404,"detail":"no tenant of this host","layer":"host"}`)
	}))
	defer plain.Close()
	require.Contains(t, status(plain.URL), "is this its admin address")
	require.Contains(t, status(strings.Replace(plain.URL, "http:", "https:", 1)), "speaks plain HTTP: use "+plain.URL)
	secured := httptest.NewTLSServer(http.NotFoundHandler())
	defer secured.Close()
	require.Contains(t, status(strings.Replace(secured.URL, "https:", "http:", 1)), "speaks TLS: use "+secured.URL)
	f := newFakeAdmin(t, map[string]string{})
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"tenant_not_found","status":404,"detail":"there is no such tenant"}`)
	})
	_, _, errs := runCommand(t, "tenant", "show", "acme", "--admin", f.URL)
	require.NotContains(t, errs, "admin address")
}

// TestElectionsAreWaitedOut: a call during an election is asked again.
func TestElectionsAreWaitedOut(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"code":"no_leader","status":503,"retryable":true}`)
			return
		}
		_, _ = io.WriteString(w, `{"tenant_id":"acme","api_key":"clsk_acme_x"}`)
	}))
	defer server.Close()
	t.Setenv(adminTokenEnv, "secret")
	require.Contains(t, mustRun(t, "tenant", "create", "--admin", server.URL, "--id", "acme"), "clsk_acme_x")
	require.Equal(t, 3, asked)
}

func TestOperatorRefusals(t *testing.T) {
	f := newFakeAdmin(t, nil)
	code, out, errs := runCommand(t, "tenant", "create", "--admin", f.URL, "--id", "acme")
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	require.Contains(t, errs, `there is a tenant "acme" (409 already_exists)`)

	tokenFile := filepath.Join(t.TempDir(), "admin.token")
	require.NoError(t, os.WriteFile(tokenFile, []byte("wrong\n"), modeSecret))
	code, _, errs = runCommand(t, "tenant", "list", "--admin", f.URL, "--admin-token-file", tokenFile)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "401 unauthenticated")
	require.Contains(t, errs, adminTokenEnv)

	f.Close()
	code, _, errs = runCommand(t, "tenant", "list", "--admin", f.URL)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "is the node running")
}

func TestUsageErrorsExitWithTwo(t *testing.T) {
	t.Setenv(adminTokenEnv, "")
	t.Setenv("LICENSE_SERVER_URL", "")
	t.Setenv("LICENSE_API_KEY", "")
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"serve"}, `unknown command "serve" for "cloudlicenses"; did you mean "server"?`},
		{[]string{"serve", "--help"}, `unknown command "serve" for "cloudlicenses"; did you mean "server"?`},
		{[]string{"cluster", "statsu", "-h"}, `unknown command "statsu" for "cloudlicenses cluster"; did you mean "status"?`},
		{[]string{"help", "serve"}, `unknown command "serve" for "cloudlicenses"; did you mean "server"?`},
		{[]string{"help", "cluster", "statsu"}, `unknown command "statsu" for "cloudlicenses cluster"; did you mean "status"?`},
		{[]string{"help", "version", "all"}, `unknown command "all" for "cloudlicenses version"`},
		{[]string{"cluster", "drian"}, `unknown command "drian" for "cloudlicenses cluster"`},
		{[]string{"dev", "--redy-file", "x"}, "unknown flag: --redy-file; did you mean --ready-file?"},
		{[]string{"dev", "--nodes", "many"}, "invalid argument"},
		{[]string{"dev", "--nodes", "0"}, "--nodes 0"},
		{[]string{"dev", "--http", "0.0.0.0:8080"}, "loopback"},
		{[]string{"dev", "surplus"}, "takes no argument"},
		{[]string{"server"}, "--node-id is missing"},
		{[]string{"version", "--output", "xml"}, "want table or json"},
		{[]string{"tenant", "create"}, "--id is missing"},
		{[]string{"tenant", "create", "--id", "a", "--commit", "1"}, "--commit needs --license"},
		{[]string{"tenant", "create", "--id", "a", "--license", "p", "--commit", "-5"}, "--commit -5: want 0 or more"},
		{[]string{"tenant", "create", "--id", "a", "--license", "p", "--max-overage", "-1"}, "--max-overage -1: want 0 or more"},
		{[]string{"tenant", "create", "--id", "www"}, `--id "www": www is reserved`},
		{[]string{"tenant", "create", "--id", "a", "--plan", "gold"}, `--plan "gold": want one of free, startup, professional, enterprise`},
		{[]string{"tenant", "list", "--admin-token-file", none}, "--admin-token-file"},
		{[]string{"tenant", "list", "--admin", "127.0.0.1:8081"}, `--admin "127.0.0.1:8081": want a URL: https://127.0.0.1:8081, or http://127.0.0.1:8081`},
		{[]string{"tenant", "show"}, "wants the tenant's id"},
		{[]string{"tenant", "list"}, "no admin token"},
		{[]string{"cluster", "join"}, "at least one gossip address"},
		{[]string{"cluster", "join", "nowhere"}, "want host:port"},
		{[]string{"cert", "create-node"}, "--node-id"},
		{[]string{"cert", "create-client", "--name", "a/b"}, "--name"},
		{[]string{"cert", "create-ca", "--days", "0"}, "--days"},
		{[]string{"checkout"}, "--product is missing"},
		{[]string{"checkout", "--product", "p"}, "cloudlicenses: LICENSE_SERVER_URL and LICENSE_API_KEY are not set: want"},
		{[]string{"checkout", "--product", "p", "--ttl", "5s"}, "--ttl 5s: want 1m to 24h"},
		{[]string{"return"}, "wants the id of a lease"},
		{[]string{"run", "--product", "p"}, "no command to run"},
		{[]string{"run", "--product", "p", "--on-lost", "panic", "--", "true"}, "--on-lost"},
	} {
		code, out, errs := runCommand(t, c.args...)
		require.Equal(t, exitUsage, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.want, "%v", c.args)
		require.Contains(t, errs, "--help", "%v", c.args)
		require.Empty(t, out, "%v", c.args)
	}
	t.Setenv("LICENSE_SERVER_URL", "acme.localhost:8080")
	t.Setenv("LICENSE_API_KEY", "clsk_acme_x")
	code, _, errs := runCommand(t, "leases")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `cloudlicenses: LICENSE_SERVER_URL is "acme.localhost:8080": want https://acme.localhost:8080, or http://acme.localhost:8080`)
	code, _, errs = runCommand(t, "leases", "--ca-file", none)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "--ca-file")
}

// TestEveryCommandTeaches: each command has an example, and a group lists its
// commands.
func TestVersionIsAFlagToo(t *testing.T) {
	code, want, _ := runCommand(t, "version")
	require.Equal(t, exitOK, code)
	code, got, errs := runCommand(t, "--version")
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, want, got)
	require.Contains(t, got, runtime.Version())
}

func TestEveryCommandTeaches(t *testing.T) {
	root := newRootCommand()
	root.InitDefaultHelpCmd()
	pending := root.Commands()
	for len(pending) > 0 {
		cmd := pending[0]
		pending = append(pending[1:], cmd.Commands()...)
		if cmd.Name() == "help" || cmd.Name() == "completion" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			continue
		}
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		if !cmd.HasSubCommands() {
			require.NotEmpty(t, cmd.Example, cmd.CommandPath())
		}
	}
}

func TestAuditVerifyTellsABrokenLog(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{
		"GET /v1/tenants/acme/audit/verify": `{"valid":true,"records":42,"head":"ab12"}`,
		"GET /v1/tenants/bad/audit/verify":  `{"valid":false,"records":7,"head":"cd34","detail":"the block of record 8 does not follow from the one before it"}`,
	})
	require.Regexp(t, `(?m)^acme +true +42 +ab12$`, mustRun(t, "audit", "verify", "--admin", f.URL, "--tenant", "acme"))
	require.JSONEq(t, `{"tenant_id":"acme","valid":true,"records":42,"head":"ab12"}`,
		mustRun(t, "audit", "verify", "--admin", f.URL, "--tenant", "acme", "-o", "json"))
	code, out, errs := runCommand(t, "audit", "verify", "--admin", f.URL, "--tenant", "bad")
	require.Equal(t, exitFailed, code)
	require.Regexp(t, `(?m)^bad +false +7 +cd34$`, out)
	require.Contains(t, errs, "the audit log of bad is broken: the block of record 8")
	code, out, _ = runCommand(t, "audit", "verify", "--admin", f.URL, "--tenant", "bad", "-o", "json")
	require.Equal(t, exitFailed, code)
	require.Contains(t, out, `"valid": false`)
	for _, args := range [][]string{{}, {"--tenant", "No"}} {
		code, _, _ = runCommand(t, append([]string{"audit", "verify", "--admin", f.URL}, args...)...)
		require.Equal(t, 2, code)
	}
}

func TestTenantSet(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{"PUT /v1/tenants/acme/limits": `{"id":"acme","checkouts_per_minute":60000}`})
	require.Regexp(t, `(?m)^acme +60000$`, mustRun(t, "tenant", "set", "acme", "--admin", f.URL, "--checkouts-per-minute", "60000"))
	require.Equal(t, []string{`PUT /v1/tenants/acme/limits {"checkouts_per_minute":60000}`}, f.requests)
	for _, args := range [][]string{{"acme"}, {"acme", "--checkouts-per-minute", "-1"}, {}} {
		code, _, _ := runCommand(t, append([]string{"tenant", "set", "--admin", f.URL}, args...)...)
		require.Equal(t, 2, code)
	}
}
