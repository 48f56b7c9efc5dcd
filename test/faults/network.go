package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// network puts each node into a network namespace with two links: one to the
// harness's clients, one to its peers. Cutting the second leaves the node
// reachable by clients, which is when a deposed leader could do harm.
//
//	harness ── bridge c ──┬── n1 ──┬── bridge p
//	                      ├── n2 ──┤
//	                      └── n3 ──┘
type network struct {
	name  string // prefix of all it makes
	octet int    // of its two subnets 10.<octet>.1.0/24 and 10.<octet>.2.0/24
	nodes int
}

// newNetwork builds bridges, namespaces and links; root is needed.
func newNetwork(nodes int) (*network, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("network namespaces need root")
	}
	w := &network{name: fmt.Sprintf("clf%03d", rand.IntN(1000)), octet: 64 + rand.IntN(128), nodes: nodes}
	if err := w.build(); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *network) build() error {
	client, peers := w.name+"c", w.name+"p"
	steps := [][]string{
		{"link", "add", client, "type", "bridge"}, {"link", "add", peers, "type", "bridge"},
		{"addr", "add", fmt.Sprintf("10.%d.1.254/24", w.octet), "dev", client},
		{"link", "set", client, "up"}, {"link", "set", peers, "up"},
	}
	for i := range w.nodes {
		ns := w.namespace(i)
		steps = append(steps, []string{"netns", "add", ns}, []string{"-n", ns, "link", "set", "lo", "up"})
		for _, l := range []struct{ port, bridge, inside, ip string }{
			{w.port(i, "c"), client, "client", w.clientIP(i)},
			{w.port(i, "p"), peers, "peers", w.peerIP(i)},
		} {
			steps = append(steps,
				[]string{"link", "add", l.port, "type", "veth", "peer", "name", l.inside, "netns", ns},
				[]string{"link", "set", l.port, "master", l.bridge, "up"},
				[]string{"-n", ns, "addr", "add", l.ip + "/24", "dev", l.inside},
				[]string{"-n", ns, "link", "set", l.inside, "up"})
		}
	}
	for _, s := range steps {
		if err := ip(s...); err != nil {
			return err
		}
	}
	return nil
}

// close removes everything, in any state; what is not there is passed over.
func (w *network) close() {
	for i := range w.nodes {
		_ = ip("link", "del", w.port(i, "c"))
		_ = ip("link", "del", w.port(i, "p"))
		_ = ip("netns", "del", w.namespace(i))
	}
	_ = ip("link", "del", w.name+"c")
	_ = ip("link", "del", w.name+"p")
}

func (w *network) namespace(i int) string         { return w.name + "n" + strconv.Itoa(i+1) }
func (w *network) port(i int, side string) string { return w.name + side + strconv.Itoa(i+1) }
func (w *network) clientIP(i int) string          { return fmt.Sprintf("10.%d.1.%d", w.octet, i+1) }
func (w *network) peerIP(i int) string            { return fmt.Sprintf("10.%d.2.%d", w.octet, i+1) }

// within is what precedes a command line that runs beside node i; the command
// takes the place of ip, so that the process id is its own.
func (w *network) within(i int) []string { return []string{"ip", "netns", "exec", w.namespace(i)} }

// isolate cuts node i from its peers, or joins it again.
func (w *network) isolate(i int, cut bool) error {
	return ip("link", "set", w.port(i, "p"), map[bool]string{true: "down", false: "up"}[cut])
}

// mute drops what node from sends to node to; the other way stays open.
func (w *network) mute(from, to int, cut bool) error {
	verb := map[bool]string{true: "add", false: "del"}[cut]
	return ip("-n", w.namespace(from), "route", verb, "blackhole", w.peerIP(to)+"/32")
}

// reaches reports whether node from can open a connection to an address.
func (w *network) reaches(from int, addr string) bool {
	host, port, _ := strings.Cut(addr, ":")
	argv := append(w.within(from), "timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/"+host+"/"+port)
	return exec.Command(argv[0], argv[1:]...).Run() == nil
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %.200s", strings.Join(args, " "), err, out)
	}
	return nil
}
