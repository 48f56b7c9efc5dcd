package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// parseServer loads a configuration from flags, environment and file content.
func parseServer(t *testing.T, yaml string, environ []string, args ...string) (serverConfig, error) {
	t.Helper()
	fs := pflag.NewFlagSet("server", pflag.ContinueOnError)
	addServerFlags(fs)
	if yaml != "" {
		path := filepath.Join(t.TempDir(), "server.yaml")
		require.NoError(t, os.WriteFile(path, []byte(yaml), 0o600))
		args = append(args, "--config", path)
	}
	require.NoError(t, fs.Parse(args))
	return loadServerConfig(fs, environ)
}

func TestServerConfigPrecedence(t *testing.T) {
	const yaml = "node_id: file\nregion: file\nzone: file\njoin: [a:1, b:2]\nclock_offset: 2s\ninsecure: true\n"
	cfg, err := parseServer(t, yaml,
		[]string{"CLOUDLICENSES_REGION=env", "CLOUDLICENSES_ZONE=env", "CLOUDLICENSES_GROUPS=5",
			"CLOUDLICENSES_TRUSTED_PROXIES=10.0.0.0/8, 192.0.2.7", "CLOUDLICENSES_ADMIN_TOKEN=other", "HOME=/"},
		"--zone", "flag")
	require.NoError(t, err)
	require.Equal(t, "file", cfg.NodeID)
	require.Equal(t, "env", cfg.Region)
	require.Equal(t, "flag", cfg.Zone)
	require.Equal(t, 5, cfg.Groups)
	require.Equal(t, 3, cfg.Replicas, "the default")
	require.Equal(t, []string{"a:1", "b:2"}, cfg.Join)
	require.Equal(t, "2s", cfg.ClockOffset.String())
	require.True(t, cfg.Insecure)
	proxies, err := cfg.proxies()
	require.NoError(t, err)
	require.Equal(t, "[10.0.0.0/8 192.0.2.7/32]", toText(proxies))
}

func TestServerConfigFromEnvironmentNamesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.yaml")
	require.NoError(t, os.WriteFile(path, []byte("node_id: n7\n"), 0o600))
	cfg, err := parseServer(t, "", []string{"CLOUDLICENSES_CONFIG=" + path})
	require.NoError(t, err)
	require.Equal(t, "n7", cfg.NodeID)
}

// TestServerConfigOrigins: an error says where a value came from that is no
// flag's.
func TestServerConfigOrigins(t *testing.T) {
	const good = "node_id: n1\ndata_dir: /tmp/none\nbootstrap_expect: 1\ninsecure: true\n"
	for name, c := range map[string]struct {
		yaml    string
		environ []string
		args    []string
		want    string
	}{
		"variable":      {good, []string{"CLOUDLICENSES_HTTP=8080"}, nil, `^--http "8080": want host:port \(set by CLOUDLICENSES_HTTP\)$`},
		"file":          {good + "replicas: 77\n", nil, nil, `^--replicas 77: want 1–9 \(set in .*server.yaml\)$`},
		"over the file": {good + "replicas: 77\n", []string{"CLOUDLICENSES_REPLICAS=78"}, nil, `^--replicas 78: .*\(set by CLOUDLICENSES_REPLICAS\)$`},
		"flag":          {good + "replicas: 77\n", []string{"CLOUDLICENSES_REPLICAS=78"}, []string{"--replicas", "79"}, `^--replicas 79: want 1–9$`},
		"wrong type":    {good, []string{"CLOUDLICENSES_GROUPS=many"}, nil, `groups is set by CLOUDLICENSES_GROUPS`},
		"misspelled":    {good, []string{"CLOUDLICENSES_NODEID=n7"}, nil, `^unknown variable CLOUDLICENSES_NODEID; did you mean CLOUDLICENSES_NODE_ID\?$`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := parseServer(t, c.yaml, c.environ, c.args...)
			if err == nil {
				err = cfg.validate()
			}
			require.Error(t, err)
			require.Regexp(t, c.want, err.Error())
			var usage usageError
			require.ErrorAs(t, err, &usage)
		})
	}
}

// TestForeignVariables: a node starts with the variables of operators and
// workstations, of Kubernetes, and with the URL that commands ask.
func TestForeignVariables(t *testing.T) {
	cfg, err := parseServer(t, "node_id: n1\n", []string{
		"CLOUDLICENSES_ADMIN_URL=https://10.0.0.1:8081", "CLOUDLICENSES_ADMIN_TOKEN=secret", "CLOUDLICENSES_LEASE_ID=lease-1",
		"CLOUDLICENSES_PORT=tcp://10.0.0.1:443", "CLOUDLICENSES_HTTP_SERVICE_HOST=10.0.0.1", "CLOUDLICENSES_SERVICE_PORT_HTTPS=443",
		"CLOUDLICENSES_HTTP_PORT_443_TCP_ADDR=10.0.0.1", "CLOUDLICENSES_HTTP_PORT=tcp://10.0.0.1:443", "LICENSE_SERVER_URL=http://a.localhost",
	})
	require.NoError(t, err)
	require.Empty(t, cfg.remarks)
	cfg, err = parseServer(t, "node_id: n1\n", []string{"CLOUDLICENSES_ADMIN=https://10.0.0.1:8081", "CLOUDLICENSES_FAVORITE_COLOR=blue"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8081", cfg.Admin, "the default")
	require.Len(t, cfg.remarks, 2)
	require.Contains(t, cfg.remarks[0], adminURLEnv)
	require.Contains(t, cfg.remarks[1], "CLOUDLICENSES_FAVORITE_COLOR")
	_, err = parseServer(t, "node_id: n1\n", []string{"CLOUDLICENSES_RAFT_PORT=7000"})
	require.NoError(t, err)
}

func TestServerConfigRefusals(t *testing.T) {
	const good = "node_id: n1\ndata_dir: /tmp/none\nbootstrap_expect: 1\ninsecure: true\n"
	for name, c := range map[string]struct {
		yaml string
		args []string
		want string
	}{
		"unknown key":           {good + "bootstrap_expct: 3\n", nil, `unknown key "bootstrap_expct"; did you mean "bootstrap_expect"`},
		"hyphenated key":        {good + "raft-port: 3\n", nil, `unknown key "raft-port"`},
		"nested key":            {good + "cluster:\n  nodes: 3\n", nil, `unknown key "cluster.nodes"`},
		"broken YAML":           {"a: [", nil, "config file"},
		"wrong type":            {good + "groups: many\n", nil, "groups"},
		"missing file":          {"", []string{"--config", "/does/not/exist.yaml"}, "does not exist"},
		"no node id":            {"insecure: true\n", nil, "--node-id is missing"},
		"bad node id":           {good, []string{"--node-id", "a/b"}, "--node-id"},
		"no data dir":           {"node_id: n1\n", nil, "--data-dir is missing"},
		"insecure everywhere":   {good, []string{"--http", "0.0.0.0:8080"}, "loopback"},
		"insecure by name":      {good, []string{"--admin", "example.com:8081"}, "loopback"},
		"raft on every address": {good, []string{"--raft", ":7000"}, "--raft"},
		"bad address":           {good, []string{"--http", "8080"}, "want host:port"},
		"bad join":              {good, []string{"--join", "nowhere"}, "--join"},
		"no certificates":       {good, []string{"--insecure=false"}, "cloudlicenses cert create-ca"},
		"no key":                {good, []string{"--insecure=false", "--cert-dir", "x"}, "--kek-file is missing"},
		"both":                  {good, []string{"--cert-dir", "x"}, "--insecure goes without"},
		"bad level":             {good, []string{"--log-level", "loud"}, "--log-level"},
		"bad proxies":           {good, []string{"--trusted-proxies", "many"}, "--trusted-proxies"},
		"no way to a cluster":   {good, []string{"--bootstrap-expect", "0"}, "neither --bootstrap-expect nor --join"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := parseServer(t, c.yaml, nil, c.args...)
			if err == nil {
				err = cfg.validate()
			}
			require.ErrorContains(t, err, c.want)
			var usage usageError
			require.ErrorAs(t, err, &usage)
		})
	}
	cfg, err := parseServer(t, good, nil)
	require.NoError(t, err)
	require.NoError(t, cfg.validate())
}
