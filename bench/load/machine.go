package load

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is what a run ran on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_bytes"`
	Kernel string `json:"kernel"`
}

// String is the machine in a line, such as "AMD EPYC, 2 cores, Linux 6.1.0".
func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, Linux %s", m.CPU, m.Cores, m.Kernel)
}

// ThisMachine describes the machine; what cannot be told is left empty.
func ThisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU()}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = int64(info.Totalram) * int64(info.Unit)
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	return m
}

const (
	probeBytes   = 4096
	probeSamples = 200
)

// ProbeFsync returns the median of writing 4 KiB after the last and
// fdatasyncing it, in microseconds, in a preallocated file of dir: what the
// disk asks for one durable append.
func ProbeFsync(dir string) (medianMicros float64, err error) {
	f, err := os.CreateTemp(dir, "fsync-probe-")
	if err != nil {
		return 0, fmt.Errorf("probe of the disk: %w", err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}()
	// Written, not only allocated: a first write to a block changes metadata.
	if _, err := f.Write(make([]byte, probeBytes*probeSamples)); err != nil {
		return 0, fmt.Errorf("probe of the disk: %w", err)
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("probe of the disk: %w", err)
	}
	page := []byte(strings.Repeat("x", probeBytes))
	waits := make([]float64, 0, probeSamples)
	for i := range probeSamples {
		start := time.Now()
		if _, err := f.WriteAt(page, int64(i)*probeBytes); err != nil {
			return 0, fmt.Errorf("probe of the disk: %w", err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, fmt.Errorf("probe of the disk: %w", err)
		}
		waits = append(waits, float64(time.Since(start))/float64(time.Microsecond))
	}
	slices.Sort(waits)
	return waits[len(waits)/2], nil
}

// clockTick is USER_HZ, in which /proc counts; it is 100 on every Linux that Go
// runs on.
const clockTick = 100

// cpuUsed reads the CPU time that the servers, with all their descendants, this
// process and the whole machine have used so far.
func cpuUsed(servers []int) usage {
	var self unix.Rusage
	used := usage{machine: machineBusy()}
	if unix.Getrusage(unix.RUSAGE_SELF, &self) == nil {
		used.client = float64(self.Utime.Nano()+self.Stime.Nano()) / 1e9
	}
	if len(servers) == 0 {
		return used
	}
	all := processes()
	children := map[int][]int{}
	for pid, p := range all {
		children[p.parent] = append(children[p.parent], pid)
	}
	for left := slices.Clone(servers); len(left) > 0; {
		pid := left[0]
		left = append(left[1:], children[pid]...)
		used.servers += float64(all[pid].ticks) / clockTick
	}
	return used
}

// machineBusy reads the seconds that all processors together were not idle since
// the machine's start; 0 where that cannot be told.
func machineBusy() float64 {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return parseBusy(first)
}

// parseBusy reads the line "cpu user nice system idle iowait irq softirq steal …"
// of proc(5).
func parseBusy(line string) float64 {
	const idle, iowait, steal = 4, 5, 8 // places in the line
	fields := strings.Fields(line)
	busy := 0.0
	for i := 1; i < len(fields) && i <= steal; i++ {
		if i == idle || i == iowait {
			continue
		}
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return 0
		}
		busy += n
	}
	return busy / clockTick
}

// CPUSeconds is the CPU time that processes, with all their descendants, have
// used so far.
func CPUSeconds(pids []int) float64 { return cpuUsed(pids).servers }

// process is a line of /proc/PID/stat.
type process struct {
	parent int
	// ticks of CPU time, with those of children that have ended.
	ticks int64
}

// processes reads all of the machine's.
func processes() map[int]process {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	all := make(map[int]process, len(paths))
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if p, ok := parseStat(string(b)); ok {
			all[pid] = p
		}
	}
	return all
}

// parseStat reads the fields of proc(5): 4 ppid, 14 utime, 15 stime, 16 cutime
// and 17 cstime. The second, the name, may hold anything, in parentheses.
func parseStat(line string) (p process, ok bool) {
	_, rest, ok := strings.Cut(line[max(strings.LastIndexByte(line, ')'), 0):], ") ")
	fields := strings.Fields(rest) // from field 3
	if !ok || len(fields) < 15 {
		return p, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return p, false
	}
	p.parent = parent
	for _, field := range fields[11:15] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return p, false
		}
		p.ticks += n
	}
	return p, true
}
