package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryShare is the part of the machine's (or cgroup's) memory that the Go
// runtime may use before it collects harder: the rest is the page cache's and
// Pebble's.
const memoryShare = 0.8

// prepareProcess sets what a process that holds licenses in memory needs: a
// memory limit, unless GOMEMLIMIT names one, and no core dumps, which would
// write keys and users to disk.
func prepareProcess(logger *slog.Logger) {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		logger.Warn("core dumps stay on", "error", err)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if total := availableMemory(); total > 0 {
		limit := int64(float64(total) * memoryShare)
		debug.SetMemoryLimit(limit)
		logger.Debug("memory limit set", "bytes", limit)
	}
}

// availableMemory is the machine's memory or the tightest limit of the
// process's cgroups, in bytes; 0 where neither can be told.
func availableMemory() int64 {
	var info unix.Sysinfo_t
	var total int64
	if err := unix.Sysinfo(&info); err == nil {
		total = int64(info.Totalram) * int64(info.Unit)
	}
	for _, path := range cgroupLimitFiles() {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// "max" (v2) does not parse; v1's "no limit" is larger than any total.
		limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err == nil && limit > 0 && (total == 0 || limit < total) {
			total = limit
		}
	}
	return total
}

// cgroupLimitFiles lists the memory limits above this process, in cgroup v2
// and v1.
func cgroupLimitFiles() []string {
	const mount = "/sys/fs/cgroup"
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	var files []string
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, name := mount, "memory.max"
		if strings.Contains(parts[1], "memory") {
			root, name = filepath.Join(mount, "memory"), "memory.limit_in_bytes"
		} else if parts[1] != "" {
			continue
		}
		for dir := filepath.Clean("/" + parts[2]); ; dir = filepath.Dir(dir) {
			files = append(files, filepath.Join(root, dir, name))
			if dir == "/" {
				break
			}
		}
	}
	return files
}

// parseLogLevel parses --log-level.
func parseLogLevel(s string) (slog.Level, error) {
	var level slog.Level
	switch s {
	case "debug", "info", "warn", "error":
		return level, level.UnmarshalText([]byte(s))
	default:
		return level, usagef("--log-level %q: want debug, info, warn or error", s)
	}
}

// newLogger logs JSON lines.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
