package peer

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// ErrNotInstalled: the peer is not on this machine and cannot be put there.
var ErrNotInstalled = errors.New("cannot be installed")

// Peer is a system that can count seats and keep leases.
type Peer interface {
	// Name is one word, such as "redis".
	Name() string
	// Guarantee says what an acknowledged checkout survives, in a sentence.
	Guarantee() string
	Schemes() []Scheme
	// Install puts the peer on this machine unless it is there. The error wraps
	// ErrNotInstalled.
	Install(ctx context.Context) error
	// Start runs the peer's cluster on loopback ports with its data under dir,
	// which is empty. Nothing is left running after an error.
	Start(ctx context.Context, dir string) (Cluster, error)
}

// Kind says whose idea a scheme is.
type Kind string

// The kinds of schemes.
const (
	// Naive is what one writes first.
	Naive Kind = "naive"
	// Expert is what one writes knowing how the system locks and commits.
	Expert Kind = "expert"
)

// Scheme is a way to keep pools and leases in a peer.
type Scheme struct {
	Name string
	Kind Kind
	// Text says how a checkout works, in a sentence.
	Text string
}

// Job is what a cluster is prepared for.
type Job struct {
	Scheme string
	// Pools have Seats each.
	Pools, Seats int
}

// Cluster is a peer that runs.
type Cluster interface {
	// Prepare removes what was there before and makes the job's pools.
	Prepare(ctx context.Context, job Job) (load.Target, error)
	// Settings are those that its durability and its speed depend on, as the
	// running servers report them.
	Settings() map[string]string
	// Processes are the servers' ids, first the one that clients talk to. Their
	// descendants are servers too.
	Processes() []int
	// Stop ends all processes. Their data stay.
	Stop() error
}

// SchemeOf finds a scheme of p by its name.
func SchemeOf(p Peer, name string) (Scheme, error) {
	names := make([]string, 0, len(p.Schemes()))
	for _, s := range p.Schemes() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scheme{}, fmt.Errorf("%s has no scheme %q; there are: %q", p.Name(), name, names)
}
