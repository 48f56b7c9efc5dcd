package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// costs is what a cluster has used since it was started.
type costs struct {
	allocations, allocatedBytes float64 // on the heaps of all nodes
	diskBytes                   float64 // written by all nodes
	wireBytes                   float64 // on this machine's loopback
	commands, entries           float64 // proposed, and the log entries they were in
	operations                  float64 // done by the callers
}

// costs reads what the subject has used; it is 0 where that can't be told.
func (s *subject) costs(ctx context.Context) (costs, error) {
	if s.rig == nil {
		return costs{}, nil
	}
	return s.rig.costs(ctx)
}

func (c *rig) costs(ctx context.Context) (sum costs, err error) {
	if sum.wireBytes, err = loopbackBytes(); err != nil {
		return sum, err
	}
	if sum.diskBytes, err = diskBytes(); err != nil {
		return sum, err
	}
	for _, s := range c.servers {
		metrics, err := c.metrics(ctx, s)
		if err != nil {
			return sum, err
		}
		sum.allocations += metrics["go_memstats_mallocs_total"]
		sum.allocatedBytes += metrics["go_memstats_alloc_bytes_total"]
		sum.commands += metrics["cloudlicenses_commands_total"]
		sum.entries += metrics["cloudlicenses_log_entries_total"]
	}
	return sum, nil
}

// since are the figures per operation between two readings.
func (c costs) since(before costs) map[string]float64 {
	figures := map[string]float64{}
	operations := c.operations - before.operations
	if operations == 0 || c.allocations == 0 {
		return figures
	}
	per := func(name string, after, before float64) {
		if d := after - before; d > 0 {
			figures[name] = d / operations
		}
	}
	per("allocations_per_operation", c.allocations, before.allocations)
	per("allocated_bytes_per_operation", c.allocatedBytes, before.allocatedBytes)
	per("disk_bytes_per_operation", c.diskBytes, before.diskBytes)
	per("wire_bytes_per_operation", c.wireBytes, before.wireBytes)
	if entries := c.entries - before.entries; entries > 0 {
		figures["commands_per_log_entry"] = (c.commands - before.commands) / entries
	}
	return figures
}

// metrics reads a node's /metrics: the sum of each name's values, whatever
// their labels.
func (c *rig) metrics(ctx context.Context, s *server) (map[string]float64, error) {
	text, err := c.fetch(ctx, s, http.MethodGet, "/metrics", nil)
	if err != nil {
		return nil, err
	}
	sums := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			sums[name] += v
		}
	}
	return sums, lines.Err()
}

// procField reads a number behind a name in /proc/PID/file.
func procField(pid int, file, name string) (float64, error) {
	path := fmt.Sprintf("/proc/%d/%s", pid, file)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strconv.ParseFloat(strings.Fields(rest)[0], 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// sectorBytes is the unit of /proc/diskstats, whatever the disk's own is.
const sectorBytes = 512

// diskBytes is what was written to the machine's disks since its start. A
// process's own write_bytes does not do: the kernel counts every page of the
// folio that a write touches, up to a few MiB for a log's record of 300 bytes.
func diskBytes() (sum float64, err error) {
	b, err := os.ReadFile("/proc/diskstats")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) < 10 {
			continue
		}
		// Partitions and mapped devices would count a second time.
		if _, err := os.Stat("/sys/block/" + fields[2] + "/device"); err != nil {
			continue
		}
		sectors, err := strconv.ParseFloat(fields[9], 64)
		if err != nil {
			return 0, err
		}
		sum += sectors * sectorBytes
	}
	return sum, nil
}

// loopbackBytes is what was sent over loopback since the machine's start.
func loopbackBytes() (float64, error) {
	b, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if fields := strings.Fields(rest); ok && name == "lo" && len(fields) > 8 {
			return strconv.ParseFloat(fields[8], 64)
		}
	}
	return 0, errors.New("/proc/net/dev knows no loopback")
}
