package cluster

import (
	"context"
	"crypto/cipher"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TickInterval is a node's pulse: how often a leader asks its machine what time
// has made due, and tells its applied index while that grows.
const TickInterval = 100 * time.Millisecond

// Config is what a node needs to start.
type Config struct {
	NodeID string
	// DataDir holds everything of this node; made when missing.
	DataDir string
	// MinFreeDisk is how many bytes stay free on the disk of DataDir: with less,
	// this node as a leader refuses what it is asked to commit (ErrStorageFull),
	// with less than a quarter of it small commands, too; 0: whatever there is.
	MinFreeDisk uint64
	// RaftAddr is the listen address of the multiplexed port for Raft and
	// forwarding, host:port; port 0 lets the system choose.
	RaftAddr string
	// GossipAddr is memberlist's listen address (TCP and UDP), host:port.
	GossipAddr string
	// Join names gossip addresses of the cluster; its own among them is fine.
	Join []string
	// BootstrapExpect is how many nodes must have met before they form a
	// cluster; 0 waits to be added to one.
	BootstrapExpect int
	// Groups is the number of license groups, 1…Groups; the directory is 0.
	Groups int
	// Replicas per license group; fewer where there are fewer nodes.
	Replicas int

	Region, Zone, Version string
	// HTTPURL and AdminURL are advertised to the other nodes.
	HTTPURL, AdminURL string

	// TLSServer and TLSClient secure the multiplexed port; both nil: plain.
	TLSServer, TLSClient *tls.Config
	// JoinToken must be the same on all nodes; each connection shows it.
	JoinToken string
	// BeforeJoin is asked before this node is taken into a cluster that is there
	// already, of which it may ask questions. An UnfitError ends the node, with
	// any other it is asked again; nil: nothing to ask.
	BeforeJoin func(context.Context) error
	// GossipKey encrypts gossip (32 bytes); nil: plain.
	GossipKey []byte

	// LogKey seals the entries of the log under random nonces, so those must be
	// long (24 bytes); nil: they are plain.
	LogKey cipher.AEAD

	// NewMachine opens the machine of a group in its own folder.
	NewMachine func(group GroupID, dir string) (Machine, error)
	// Now is the node's clock; nil: the system's.
	Now func() time.Time
	// Fatal is told why the node can't go on; nil: log and exit(1).
	Fatal func(err error)

	Logger  *slog.Logger
	Metrics prometheus.Registerer

	// Tuning for tests; zero values mean the defaults.
	Tuning Tuning
}

// Reply is what a command or query came to.
type Reply struct {
	// Value is the machine's result.
	Value []byte
	// Index is the group's applied index that the value includes.
	Index uint64
	// LeaderURL is the HTTP base URL of the group's leader where the node
	// had to forward, else empty.
	LeaderURL string
	// StalenessMillis says of a local read how long ago the replica was known
	// to be up to date; 0 at the leader and for linearizable reads; -1 where
	// it never was since the start.
	StalenessMillis int64
}

// ReadOptions says which replica may answer a query.
type ReadOptions struct {
	// Linearizable asks the leader, which first verifies that it is one.
	Linearizable bool
	// MinIndex makes the replica wait until it has applied that index,
	// MinIndexWait at most.
	MinIndex uint64
}

// Member is a node as gossip knows it.
type Member struct {
	ID       string `json:"id"`
	State    string `json:"state"` // "alive", "suspect", "dead" or "left"
	RaftAddr string `json:"raft"`
	HTTPURL  string `json:"http"`
	AdminURL string `json:"admin"`
	Region   string `json:"region"`
	Zone     string `json:"zone"`
	Version  string `json:"version"`
}

// ReplicaStatus is one replica of a group.
type ReplicaStatus struct {
	Node         string `json:"node"`
	Role         string `json:"role"` // "leader", "follower", "candidate", "learner" or "unknown"
	AppliedIndex uint64 `json:"applied_index"`
}

// GroupStatus is one group as the cluster sees it.
type GroupStatus struct {
	ID          GroupID         `json:"id"`
	Leader      string          `json:"leader"` // node id; empty: none
	Term        uint64          `json:"term"`
	CommitIndex uint64          `json:"commit_index"`
	Replicas    []ReplicaStatus `json:"replicas"`
}
