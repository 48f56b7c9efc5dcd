package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// setting is a line of postgresql.conf, the same on all servers.
type setting struct{ name, value string }

// durability is what every server has to report when it runs.
var durability = []setting{
	{"fsync", "on"},
	{"full_page_writes", "on"},
	{"synchronous_commit", "on"},
	{"synchronous_standby_names", "ANY 1 (s1, s2)"},
	{"wal_level", "replica"},
}

// tuning is for a small hot database, many connections and no pause while it
// is measured.
var tuning = []setting{
	{"listen_addresses", loopback},
	{"unix_socket_directories", ""},
	{"max_connections", "600"},
	{"shared_buffers", "512MB"},
	// A backend pays for each page of it that it touches first.
	{"wal_buffers", "4MB"},
	{"wal_compression", "lz4"},
	// Where many commit at once, one waits a millisecond for the others: fewer
	// flushes, here and on the standbys. Where few do, nobody waits.
	{"commit_delay", "1000"},
	{"commit_siblings", "20"},
	// A checkpoint is followed by full pages in the log: none within some minutes.
	{"checkpoint_timeout", "15min"},
	{"max_wal_size", "8GB"},
	{"min_wal_size", "1GB"},
	// Rows that change all the time are cleaned all the time, and not gently.
	{"autovacuum_naptime", "1s"},
	{"autovacuum_vacuum_cost_delay", "0"},
	{"autovacuum_vacuum_scale_factor", "0.2"},
	{"plan_cache_mode", "force_generic_plan"},
	{"jit", "off"},
	{"update_process_title", "off"},
	{"log_min_messages", "warning"},
	{"log_checkpoints", "off"},
}

// configure adds the settings to those that initdb wrote; the last one counts.
func configure(data string) error {
	f, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, s := range append(durability, tuning...) {
		if _, err := fmt.Fprintf(f, "%s = '%s'\n", s.name, s.value); err != nil {
			_ = f.Close()
			return err
		}
	}
	return f.Close()
}

// readSettings asks a running server, and fails where it is less durable than
// it was told to be.
func (c *cluster) readSettings(ctx context.Context, port int) error {
	conn, err := connect(ctx, port)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	show := func(name string) (value string, err error) {
		err = conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
		return value, err
	}
	settings := map[string]string{
		"nodes":  "a primary and 2 standbys",
		"client": "pgx, a connection per caller, one prepared statement per operation",
	}
	for _, s := range durability {
		value, err := show(s.name)
		if err != nil {
			return err
		}
		if value != s.value {
			return fmt.Errorf("postgres on port %d has %s = %q, not %q", port, s.name, value, s.value)
		}
		settings[s.name] = value
	}
	for _, name := range []string{
		"server_version", "shared_buffers", "wal_buffers", "max_wal_size", "wal_compression", "wal_sync_method",
		"commit_delay", "commit_siblings", "autovacuum_naptime",
	} {
		if settings[name], err = show(name); err != nil {
			return err
		}
	}
	settings["version"], _, _ = strings.Cut(settings["server_version"], " ")
	delete(settings, "server_version")
	c.settings = settings
	return nil
}
