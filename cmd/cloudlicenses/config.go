package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
)

// envPrefix begins every environment variable of the server; the rest is the
// key in capitals.
const envPrefix = "CLOUDLICENSES_"

// serverConfig is the configuration of `server`. A key is written node_id in
// the YAML file, --node-id as a flag, CLOUDLICENSES_NODE_ID in the environment;
// flag beats environment beats file beats default.
type serverConfig struct {
	NodeID  string `koanf:"node_id"`
	DataDir string `koanf:"data_dir"`

	HTTP   string `koanf:"http"`
	Admin  string `koanf:"admin"`
	Raft   string `koanf:"raft"`
	Gossip string `koanf:"gossip"`

	AdvertiseHTTP  string `koanf:"advertise_http"`
	AdvertiseAdmin string `koanf:"advertise_admin"`

	BootstrapExpect int      `koanf:"bootstrap_expect"`
	Join            []string `koanf:"join"`
	JoinToken       string   `koanf:"join_token"`
	Groups          int      `koanf:"groups"`
	Replicas        int      `koanf:"replicas"`
	Region          string   `koanf:"region"`
	Zone            string   `koanf:"zone"`
	Domain          string   `koanf:"domain"`

	CertDir  string `koanf:"cert_dir"`
	HTTPCert string `koanf:"http_cert"`
	HTTPKey  string `koanf:"http_key"`
	KEKFile  string `koanf:"kek_file"`
	Insecure bool   `koanf:"insecure"`

	ReadyFile      string   `koanf:"ready_file"`
	AdminTokenFile string   `koanf:"admin_token_file"`
	TrustedProxies []string `koanf:"trusted_proxies"`
	LogLevel       string   `koanf:"log_level"`
	DNSResolver    string   `koanf:"dns_resolver"`

	SMTPAddr            string        `koanf:"smtp_addr"`
	SMTPUser            string        `koanf:"smtp_user"`
	SMTPPasswordFile    string        `koanf:"smtp_password_file"`
	SMTPTLS             string        `koanf:"smtp_tls"`
	MailFrom            string        `koanf:"mail_from"`
	MailDir             string        `koanf:"mail_dir"`
	WebhookAllowPrivate bool          `koanf:"webhook_allow_private"`
	DeletionGrace       time.Duration `koanf:"deletion_grace"`
	MinFreeDisk         uint64        `koanf:"min_free_disk"`

	// ClockOffset shifts the node's clock; for tests of clock skew.
	ClockOffset time.Duration `koanf:"clock_offset"`
	// SnapshotEntries bounds the log between two snapshots; for tests of
	// snapshots and compaction. 0 is the engine's own bound.
	SnapshotEntries int64 `koanf:"snapshot_entries"`

	// origins says of a key where its value came from, unless it is a flag.
	origins origins
	// remarks are for the log.
	remarks []string
}

// addServerFlags declares every key with its default. The flag's name is the
// key with hyphens.
func addServerFlags(fs *pflag.FlagSet) {
	fs.String("config", "", "YAML file of these keys, written with underscores (node_id: n1)")

	fs.String("node-id", "", "this node's name in the cluster, for good (required)")
	fs.String("data-dir", "", "folder of this node's data, made when missing (required)")
	fs.String("http", "127.0.0.1:8080", "address of the public API")
	fs.String("admin", "127.0.0.1:8081", "address for operators, metrics and health")
	fs.String("raft", "127.0.0.1:7000", "address for Raft and forwarding between nodes, as the other nodes reach it")
	fs.String("gossip", "127.0.0.1:7001", "address for membership (TCP and UDP), as the other nodes reach it")
	fs.String("advertise-http", "", "base URL of the public API as clients reach this node (default: from --http)")
	fs.String("advertise-admin", "", "base URL of the admin address (default: from --admin)")
	fs.Int("bootstrap-expect", 0, "nodes that must have met to form a new cluster; 0 joins an existing one")
	fs.StringSlice("join", nil, "gossip addresses of nodes to join; this node's own among them is fine")
	fs.String("join-token", "", "token the cluster was started with, the same on every node")
	fs.Int("groups", 3, "license groups of a new cluster, the directory not counted")
	fs.Int("replicas", 3, "replicas of each license group")
	fs.String("region", "eu-central", "region of this node: where its groups' data lives")
	fs.String("zone", "", "failure zone of this node within the region")
	fs.String("domain", "localhost", "domain under which tenants are hosts: <tenant>.<domain>")
	fs.String("cert-dir", "", "folder with ca.crt, node.crt, node.key and gossip.key, made by 'cloudlicenses cert'")
	fs.String("http-cert", "", "certificate of the public API where it is not the node's own (PEM)")
	fs.String("http-key", "", "key of --http-cert (PEM)")
	fs.String("kek-file", "", "key that wraps the cluster's secrets: 32 bytes in hex, the same on every node")
	fs.Bool("insecure", false, "no TLS and no certificates; loopback addresses only")
	fs.String("ready-file", "", "JSON file to write once the node serves")
	fs.String("admin-token-file", "", "where to keep the admin token (default: admin.token in the data folder)")
	fs.StringSlice("trusted-proxies", nil, "networks (CIDR) whose X-Forwarded-For counts")
	fs.String("dns-resolver", "", "host:port of the DNS resolver that verifies sign-ups' domains (default: the first of /etc/resolv.conf)")
	addMailFlags(fs)
	fs.Duration("deletion-grace", cloudlicenses.DeletionGrace, "how long the deletion of a tenant can be taken back")
	fs.Uint64("min-free-disk", cloudlicenses.MinFreeDisk, "bytes that stay free on the disk of the data folder: with less, new writes are refused (503 storage_full); 0: never")
	fs.String("log-level", "info", "debug, info, warn or error")
	fs.Duration("clock-offset", 0, "shift this node's clock")
	fs.Int64("snapshot-entries", 0, "log entries between two snapshots")
	for _, name := range []string{"clock-offset", "snapshot-entries"} {
		if err := fs.MarkHidden(name); err != nil {
			panic(err)
		}
	}
}

// loadServerConfig reads the four layers. Errors are usage errors and name the
// layer and the key.
func loadServerConfig(fs *pflag.FlagSet, environ []string) (serverConfig, error) {
	var cfg serverConfig
	keys := map[string]bool{}
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			keys[flagKey(f.Name)] = true
		}
	})
	cfg.origins = origins{}
	k := koanf.New(".")
	if path := configPath(fs, environ); path != "" {
		if err := loadConfigFile(k, path, keys, cfg.origins); err != nil {
			return cfg, usageError{err}
		}
	}
	variables, remarks, err := serverVariables(environ, keys)
	if err != nil {
		return cfg, usageError{err}
	}
	cfg.remarks = remarks
	fromEnv := env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return variables },
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ToLower(strings.TrimPrefix(name, envPrefix))
			cfg.origins[key] = "set by " + name
			return key, value
		},
	})
	if err := k.Load(fromEnv, nil); err != nil {
		return cfg, usagef("environment: %w", err)
	}
	flags := posflag.ProviderWithFlag(fs, ".", k, func(f *pflag.Flag) (string, any) {
		if f.Name == "help" {
			return "", nil
		}
		return flagKey(f.Name), posflag.FlagVal(fs, f)
	})
	if err := k.Load(flags, nil); err != nil {
		return cfg, usagef("flags: %w", err)
	}
	fs.Visit(func(f *pflag.Flag) { delete(cfg.origins, flagKey(f.Name)) })
	k.Delete("config")
	err = k.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{
		DecoderConfig: &mapstructure.DecoderConfig{
			DecodeHook: mapstructure.ComposeDecodeHookFunc(
				mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")),
			WeaklyTypedInput: true, ErrorUnused: true, TagName: "koanf",
		},
	})
	if err != nil {
		return cfg, usagef("configuration: %w%s", err, cfg.origins.quoted(err.Error()))
	}
	cfg.trim()
	return cfg, nil
}

func (c *serverConfig) trim() {
	for _, list := range []*[]string{&c.Join, &c.TrustedProxies} {
		for i := range *list {
			(*list)[i] = strings.TrimSpace((*list)[i])
		}
		*list = slices.DeleteFunc(*list, func(s string) bool { return s == "" })
	}
}

func flagKey(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// configPath is --config, or its environment variable.
func configPath(fs *pflag.FlagSet, environ []string) string {
	if f := fs.Lookup("config"); f.Changed {
		return f.Value.String()
	}
	for _, e := range environ {
		if path, ok := strings.CutPrefix(e, envPrefix+"CONFIG="); ok {
			return path
		}
	}
	return ""
}

// loadConfigFile loads the YAML file, which may hold known keys only: a
// misspelled key that is passed over would leave a default in force unseen.
func loadConfigFile(k *koanf.Koanf, path string, keys map[string]bool, from origins) error {
	own := koanf.New(".")
	if err := own.Load(file.Provider(path), yaml.Parser()); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("config file %s does not exist", path)
		}
		return fmt.Errorf("config file %s: %w", path, err)
	}
	var known []string
	for key := range keys {
		if key != "config" {
			known = append(known, key)
		}
	}
	for _, key := range own.Keys() {
		if slices.Contains(known, key) {
			from[key] = "set in " + path
			continue
		}
		if near := nearest(flagKey(key), known); near != "" {
			return fmt.Errorf("config file %s: unknown key %q; did you mean %q?", path, key, near)
		}
		return fmt.Errorf("config file %s: unknown key %q ('cloudlicenses server --help' lists the flags; a key is a flag with underscores)", path, key)
	}
	return k.Merge(own)
}

// validate checks everything that can be known before a socket or a file is
// opened. Errors are usage errors; they name the flag, and where its value came
// from if that is elsewhere.
func (c *serverConfig) validate() error { return c.origins.explain(c.check()) }

func (c *serverConfig) check() error {
	switch {
	case c.NodeID == "":
		return usagef("--node-id is missing: name this node, for example --node-id n1")
	case !validNodeID(c.NodeID):
		return usagef("--node-id %q: want 1–63 letters, digits, '.', '_' and '-'", c.NodeID)
	case c.DataDir == "":
		return usagef("--data-dir is missing: name this node's data folder")
	case c.BootstrapExpect < 0:
		return usagef("--bootstrap-expect %d: want 0 or more", c.BootstrapExpect)
	case c.BootstrapExpect == 0 && len(c.Join) == 0 && !exists(c.DataDir):
		return usagef("neither --bootstrap-expect nor --join: start a new cluster with --bootstrap-expect N, or join one with --join ADDR")
	case c.Groups < 1 || c.Groups > cluster.MaxGroups:
		return usagef("--groups %d: want 1–%d", c.Groups, cluster.MaxGroups)
	case c.Replicas < 1 || c.Replicas > cluster.MaxReplicas:
		return usagef("--replicas %d: want 1–%d", c.Replicas, cluster.MaxReplicas)
	case c.SnapshotEntries < 0:
		return usagef("--snapshot-entries %d: want 0 or more", c.SnapshotEntries)
	case c.Domain == "":
		return usagef("--domain is empty")
	case c.Region == "":
		return usagef("--region is empty")
	case (c.HTTPCert == "") != (c.HTTPKey == ""):
		return usagef("--http-cert and --http-key go together")
	}
	if _, err := parseLogLevel(c.LogLevel); err != nil {
		return err
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	if c.DeletionGrace <= 0 || c.DeletionGrace > cloudlicenses.MaxDeletionGrace {
		return usagef("--deletion-grace %s: want more than 0, at most a year", c.DeletionGrace)
	}
	if _, _, err := net.SplitHostPort(c.DNSResolver); c.DNSResolver != "" && err != nil {
		return usagef("--dns-resolver %q: want host:port, such as 127.0.0.1:53", c.DNSResolver)
	}
	if err := c.checkMail(); err != nil {
		return err
	}
	if err := c.validateAddresses(); err != nil {
		return err
	}
	return c.validateSecurity()
}

func validNodeID(id string) bool {
	if len(id) < 1 || len(id) > 63 || id[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// proxies parses --trusted-proxies; a bare address is its own network.
func (c *serverConfig) proxies() ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(c.TrustedProxies))
	for _, s := range c.TrustedProxies {
		if addr, err := netip.ParseAddr(s); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, usagef("--trusted-proxies %q: want a network such as 10.0.0.0/8", s)
		}
		prefixes = append(prefixes, p.Masked())
	}
	return prefixes, nil
}

// validateSecurity holds the rule of the contract's "Command line": secure
// unless told otherwise, and otherwise on loopback only.
func (c *serverConfig) validateSecurity() error {
	if !c.Insecure {
		if c.CertDir == "" {
			return usagef(`no certificates: a cluster is secured unless --insecure is given. Make them with
  cloudlicenses cert create-ca --cert-dir certs
  cloudlicenses cert create-node --cert-dir certs --node-id %s --host <this node's names and addresses>
and start with --cert-dir certs/%s --kek-file certs/kek.key`, c.NodeID, c.NodeID)
		}
		if c.KEKFile == "" {
			return usagef("--kek-file is missing: the key that wraps the cluster's secrets; 'cloudlicenses cert create-ca' makes one (kek.key), every node is given the same")
		}
		return nil
	}
	if c.CertDir != "" || c.HTTPCert != "" {
		return usagef("--insecure goes without --cert-dir, --http-cert and --http-key: leave out the one or the other")
	}
	for _, a := range c.addresses() {
		if !isLoopback(a.value) {
			return usagef("%s %s is no loopback address, and --insecure is accepted on loopback only (127.0.0.0/8 or [::1]); to listen elsewhere leave --insecure out and make certificates with 'cloudlicenses cert'", a.flag, a.value)
		}
	}
	return nil
}
