package cluster

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

// meta is what a node tells of itself by gossip; maxMetaBytes at most.
type meta struct {
	Raft    string `json:"r"`
	HTTP    string `json:"h,omitempty"`
	Admin   string `json:"a,omitempty"`
	Region  string `json:"g,omitempty"`
	Zone    string `json:"z,omitempty"`
	Version string `json:"v,omitempty"`
	Cluster string `json:"c,omitempty"` // id, once known
	Born    int64  `json:"b"`           // this process's start, Unix milliseconds
	Expect  int    `json:"e,omitempty"`
	Groups  int    `json:"n,omitempty"`
	Formed  bool   `json:"f,omitempty"` // it has a placement
	Low     bool   `json:"l,omitempty"` // its disk has little room
}

func decodeMeta(b []byte) (meta, bool) {
	var m meta
	if len(b) == 0 || json.Unmarshal(b, &m) != nil || m.Raft == "" {
		return meta{}, false
	}
	return m, true
}

// ownMeta describes this node as it is now.
func (n *Node) ownMeta() meta {
	n.mu.Lock()
	defer n.mu.Unlock()
	return meta{
		Raft: n.port.listener.Addr().String(), HTTP: n.cfg.HTTPURL, Admin: n.cfg.AdminURL,
		Region: n.cfg.Region, Zone: n.cfg.Zone, Version: n.cfg.Version, Cluster: n.identity.ClusterID,
		Born: n.born, Expect: n.cfg.BootstrapExpect, Groups: n.cfg.Groups, Formed: n.placed != nil, Low: n.space.low.Load(),
	}
}

// startGossip opens memberlist. Timings are those of a LAN.
func (n *Node) startGossip() error {
	host, portText, err := net.SplitHostPort(n.cfg.GossipAddr)
	if err != nil {
		return fmt.Errorf("gossip address %q: %w", n.cfg.GossipAddr, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return fmt.Errorf("gossip address %q: %w", n.cfg.GossipAddr, err)
	}
	cfg := memberlist.DefaultLANConfig()
	cfg.Name = n.cfg.NodeID
	cfg.BindAddr, cfg.BindPort = host, port
	cfg.AdvertiseAddr, cfg.AdvertisePort = "", 0
	cfg.Logger = slog.NewLogLogger(gossipHandler{n.log.Handler()}, slog.LevelInfo)
	cfg.Delegate = (*gossipDelegate)(n)
	cfg.Conflict = (*gossipDelegate)(n)
	cfg.Merge = (*gossipDelegate)(n)
	cfg.Events = (*gossipDelegate)(n)
	cfg.SecretKey = n.cfg.GossipKey
	// A node that died and comes back at another address takes its name over.
	cfg.DeadNodeReclaimTime = time.Second
	cfg.ProbeInterval = 500 * time.Millisecond
	cfg.ProbeTimeout = 300 * time.Millisecond
	cfg.PushPullInterval = 15 * time.Second
	// News wait for this at most; on an idle node it is one of the clocks that
	// wake it. A failed probe is news after ProbeInterval.
	cfg.GossipInterval = 500 * time.Millisecond
	// A message is a few hundred bytes, a compressor's window is allocated anew
	// for each.
	cfg.EnableCompression = false
	list, err := memberlist.Create(cfg)
	if err != nil {
		return fmt.Errorf("gossip on %s: %w", n.cfg.GossipAddr, err)
	}
	n.gossip = list
	return nil
}

// keepJoining contacts the addresses of Join until one other node answered,
// and again whenever this node finds itself alone.
func (n *Node) keepJoining() {
	defer n.background.Done()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	warned := time.Now()
	for {
		if len(n.cfg.Join) > 0 && n.gossip.NumMembers() < 2 {
			_, err := n.JoinPeers(n.cfg.Join)
			if err != nil && n.expectsCompany() && time.Since(warned) > lonelyWarning {
				warned = time.Now()
				n.log.Warn("no other node answers by gossip: are they running, is gossip reachable, and is the gossip key the same?",
					"join", n.cfg.Join, "err", strings.Join(strings.Fields(err.Error()), " "))
			}
		}
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// expectsCompany reports whether the cluster has, or will have, other nodes.
func (n *Node) expectsCompany() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cfg.BootstrapExpect > 1 || (n.placed != nil && len(n.placed.Nodes) > 1)
}

// JoinPeers gossips with more addresses and returns how many answered.
func (n *Node) JoinPeers(addrs []string) (int, error) {
	count, err := n.gossip.Join(addrs)
	// memberlist flattens its errors; what NotifyMerge found is kept aside.
	n.mu.Lock()
	fatal := n.refused
	n.mu.Unlock()
	if fatal != nil {
		n.fail(fatal)
		return count, fatal
	}
	return count, err
}

// membershipError: this node can't be a member of the cluster it found.
type membershipError struct{ text string }

func (e *membershipError) Error() string { return e.text }

// gossipDelegate is Node as memberlist's delegate.
type gossipDelegate Node

// NodeMeta implements memberlist.Delegate.
func (d *gossipDelegate) NodeMeta(limit int) []byte {
	b, err := json.Marshal((*Node)(d).ownMeta())
	if err != nil || len(b) > limit {
		return nil
	}
	return b
}

// NotifyMsg implements memberlist.Delegate.
func (d *gossipDelegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (d *gossipDelegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (d *gossipDelegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (d *gossipDelegate) MergeRemoteState([]byte, bool) {}

// NotifyMerge implements memberlist.MergeDelegate: nodes of another cluster
// and another node of our own name are not merged with.
func (d *gossipDelegate) NotifyMerge(peers []*memberlist.Node) error {
	n := (*Node)(d)
	own := n.ownMeta()
	for _, p := range peers {
		m, ok := decodeMeta(p.Meta)
		if !ok {
			continue
		}
		if p.Name == n.cfg.NodeID {
			if m.Raft != own.Raft && p.State == memberlist.StateAlive && m.Born < own.Born && n.answers(m.Raft) {
				return n.refuse("node id %q is taken: it is alive at %s; give this node another --node-id", n.cfg.NodeID, m.Raft)
			}
			continue
		}
		if m.Cluster != "" && own.Cluster != "" && m.Cluster != own.Cluster {
			return n.refuse("data folder %s belongs to cluster %s, but node %q at %s to cluster %s: join nodes of one cluster, or start with an empty data folder",
				n.cfg.DataDir, own.Cluster, p.Name, m.Raft, m.Cluster)
		}
		if !m.Formed && !own.Formed && m.Groups != 0 && own.Groups != m.Groups {
			return n.refuse("this node has --groups %d, node %q has %d: start all nodes with the same number", own.Groups, p.Name, m.Groups)
		}
	}
	return nil
}

// refuse remembers why this node can't be a member, if it is the newcomer: of
// two that differ, the one without company yields.
func (n *Node) refuse(format string, args ...any) error {
	err := &membershipError{fmt.Sprintf(format, args...)}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, m := range n.members {
		if id != n.cfg.NodeID && !m.gone {
			return err
		}
	}
	n.refused = err
	return err
}

// answers reports whether a node of this cluster listens at a raft address.
func (n *Node) answers(addr string) bool {
	conn, err := n.port.dial(addr, connForward, 0, 300*time.Millisecond)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// NotifyConflict implements memberlist.ConflictDelegate.
func (d *gossipDelegate) NotifyConflict(existing, other *memberlist.Node) {
	n := (*Node)(d)
	if existing.Name != n.cfg.NodeID {
		return
	}
	theirs, ok := decodeMeta(other.Meta)
	if ok && theirs.Born < n.born {
		n.fail(&membershipError{fmt.Sprintf("node id %q is taken: it is alive at %s; give this node another --node-id", n.cfg.NodeID, theirs.Raft)})
		return
	}
	n.log.Error("another node has this node's id and should end", "node", n.cfg.NodeID, "other", other.Address())
}

// NotifyJoin implements memberlist.EventDelegate.
func (d *gossipDelegate) NotifyJoin(m *memberlist.Node) { (*Node)(d).noteMember(m, "joined") }

// NotifyLeave implements memberlist.EventDelegate.
func (d *gossipDelegate) NotifyLeave(m *memberlist.Node) { (*Node)(d).noteMember(m, "left") }

// NotifyUpdate implements memberlist.EventDelegate.
func (d *gossipDelegate) NotifyUpdate(m *memberlist.Node) { (*Node)(d).noteMember(m, "") }

// noteMember keeps what is known of a node. It must not call into memberlist,
// which holds its lock.
func (n *Node) noteMember(m *memberlist.Node, what string) {
	description, ok := decodeMeta(m.Meta)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	known := n.members[m.Name]
	if known == nil {
		known = &member{id: m.Name}
		n.members[m.Name] = known
	}
	known.meta = description
	known.gone = what == "left"
	if known.gone && known.peer != nil {
		// A connection that a cut link holds up would outlive the cut by as
		// long as the cut lasted.
		go known.peer.close()
		known.peer = nil
	}
	if what == "joined" {
		known.left = false
	}
	if what != "" && m.Name != n.cfg.NodeID {
		n.log.Info("member "+what, "member", m.Name, "raft", description.Raft)
	}
}

// saidGoodbye notes that a node leaves of its own will.
func (n *Node) saidGoodbye(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.members[id]; m != nil {
		m.left = true
	}
}

// member is what this node knows of another, and its connection there.
type member struct {
	id   string
	meta meta
	gone bool // gossip took it for dead, or it left
	left bool // it said so itself
	peer *peer
}

// peerOf returns the connection to a node; nil where it is not known. Caller
// holds n.mu.
func (n *Node) peerOf(m *member) *peer {
	if m.peer != nil && m.peer.addr == m.meta.Raft {
		return m.peer
	}
	if m.peer != nil {
		go m.peer.close()
	}
	m.peer = &peer{addr: m.meta.Raft, port: n.port}
	return m.peer
}

// peerByID returns the connection to a node, nil where it is unknown.
func (n *Node) peerByID(id string) *peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.members[id]
	if m == nil || id == n.cfg.NodeID {
		return nil
	}
	return n.peerOf(m)
}

// alivePeers returns the connections to all other nodes that gossip holds for
// alive, by id.
func (n *Node) alivePeers() map[string]*peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	peers := make(map[string]*peer, len(n.members))
	for id, m := range n.members {
		if id != n.cfg.NodeID && !m.gone {
			peers[id] = n.peerOf(m)
		}
	}
	return peers
}

// Members returns the nodes known by gossip, in order of id.
func (n *Node) Members() []Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	members := make([]Member, 0, len(n.members))
	for id, m := range n.members {
		state := "alive"
		switch {
		case m.gone && m.left:
			state = "left"
		case m.gone:
			state = "dead"
		}
		members = append(members, Member{
			ID: id, State: state, RaftAddr: m.meta.Raft, HTTPURL: m.meta.HTTP, AdminURL: m.meta.Admin,
			Region: m.meta.Region, Zone: m.meta.Zone, Version: m.meta.Version,
		})
	}
	sort.Slice(members, func(i, j int) bool { return members[i].ID < members[j].ID })
	return members
}
