package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// announced is what a leader has last told of a group.
type announced struct {
	term, index uint64
	at          time.Time
}

// announcementBytes is one group's part of an announcement: group (u32), term
// (u64), applied index (u64), age in microseconds (u32).
const announcementBytes = 4 + 8 + 8 + 4

// announce tells all nodes up to which index each of these groups, which this
// node leads, was applied at a moment when it was verified to lead. Replicas
// measure their staleness against that, and nodes without a replica learn who
// leads.
func (n *Node) announce(groups []*group) {
	payload := n.announcement(groups)
	if len(payload) == 0 {
		return
	}
	for _, p := range n.alivePeers() {
		if p.telling.Swap(true) {
			continue // one that can't be reached holds nobody else up
		}
		go func() {
			defer p.telling.Store(false)
			p.tell(n.ctx, methodAnnounce, payload)
		}()
	}
}

// news are the groups of which something is to be announced: every pulse while
// a group's index grows, every idleAnnounce while not. Of the pulse only.
func (n *Node) news(now time.Time) (groups []*group) {
	for _, g := range n.localGroups() {
		if !g.isLeader() {
			continue
		}
		term, index := g.raft.CurrentTerm(), g.apply.applied.Load()
		if g.told.term == term && g.told.index == index && now.Sub(g.told.at) < idleAnnounce-TickInterval/2 {
			continue
		}
		g.told = announced{term, index, now}
		groups = append(groups, g)
	}
	return groups
}

func (n *Node) announcement(groups []*group) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(n.cfg.NodeID)))
	b = append(b, n.cfg.NodeID...)
	empty := len(b)
	ctx, cancel := context.WithTimeout(n.ctx, TickInterval)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, g := range groups {
		at := time.Now() // before the index: no later moment is claimed than it is known for
		term, index := g.raft.CurrentTerm(), g.apply.applied.Load()
		wg.Go(func() {
			if g.verify.check(ctx) != nil {
				return
			}
			g.fresh.hear(index, at) // should it lose its office, it was up to date until now
			mu.Lock()
			defer mu.Unlock()
			b = binary.BigEndian.AppendUint32(b, uint32(g.id))
			b = binary.BigEndian.AppendUint64(b, term)
			b = binary.BigEndian.AppendUint64(b, index)
			b = binary.BigEndian.AppendUint32(b, uint32(time.Since(at).Microseconds()))
		})
	}
	wg.Wait()
	if len(b) == empty {
		return nil
	}
	return b
}

// heard takes a leader's announcement that was onWay for so long.
func (n *Node) heard(b []byte, onWay time.Duration) {
	if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
		return
	}
	cut := 2 + int(binary.BigEndian.Uint16(b))
	from := string(b[2:cut])
	now := time.Now().Add(-onWay)
	for b = b[cut:]; len(b) >= announcementBytes; b = b[announcementBytes:] {
		id := GroupID(binary.BigEndian.Uint32(b))
		term, index := binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:])
		age := time.Duration(binary.BigEndian.Uint32(b[20:])) * time.Microsecond
		n.mu.Lock()
		g := n.groups[id]
		before := n.leaders[id]
		current := term >= before.term
		if term > before.term {
			n.leaders[id] = heardLeader{node: from, term: term, succeeded: make(chan struct{})}
			if before.succeeded != nil {
				close(before.succeeded)
			}
		}
		n.mu.Unlock()
		if g != nil && current {
			g.fresh.hear(index, now.Add(-age))
		}
	}
}

func (n *Node) localGroups() []*group {
	n.mu.Lock()
	defer n.mu.Unlock()
	groups := make([]*group, 0, len(n.groups))
	for _, g := range n.groups {
		groups = append(groups, g)
	}
	sort.Slice(groups, func(i, j int) bool { return groups[i].id < groups[j].id })
	return groups
}

// ownStatus is one replica as its own node sees it.
type ownStatus struct {
	Group   GroupID `json:"group"`
	Role    string  `json:"role"`
	Leader  string  `json:"leader"`
	Term    uint64  `json:"term"`
	Commit  uint64  `json:"commit"`
	Applied uint64  `json:"applied"`
	// Reached is the last index that needs no more doing, of whatever kind.
	Reached uint64 `json:"reached"`
	// Servers are the ids in the configuration this replica knows; those that
	// only learn carry false.
	Servers map[string]bool `json:"servers"`
}

func (n *Node) ownStatus() []ownStatus {
	var all []ownStatus
	for _, g := range n.localGroups() {
		s := ownStatus{
			Group: g.id, Leader: n.LeaderOf(g.id), Term: g.raft.CurrentTerm(), Commit: g.raft.CommitIndex(),
			Applied: g.apply.applied.Load(), Servers: map[string]bool{},
		}
		s.Reached = max(s.Applied, g.raft.AppliedIndex())
		switch g.raft.State() {
		case raft.Leader:
			s.Role = "leader"
		case raft.Candidate:
			s.Role = "candidate"
		default:
			s.Role = "follower"
		}
		if f := g.raft.GetConfiguration(); f.Error() == nil {
			for _, server := range f.Configuration().Servers {
				s.Servers[string(server.ID)] = server.Suffrage == raft.Voter
			}
		}
		all = append(all, s)
	}
	return all
}

func (n *Node) statusJSON() ([]byte, error) { return json.Marshal(n.ownStatus()) }

// Groups asks every node for its replicas (briefly) and returns all groups in
// order of id.
func (n *Node) Groups(ctx context.Context) []GroupStatus {
	const patience = 500 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answers := map[string][]ownStatus{n.cfg.NodeID: n.ownStatus()}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for id, p := range n.alivePeers() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			b, err := p.call(ctx, methodStatus, 0)
			var s []ownStatus
			if err != nil || json.Unmarshal(b, &s) != nil {
				return
			}
			mu.Lock()
			answers[id] = s
			mu.Unlock()
		}()
	}
	wg.Wait()
	return n.mergeStatus(answers)
}

// knowsBetter reports whether a's view of a group's servers counts before b's:
// a leader's first, that of a later term, then what is committed further.
func knowsBetter(a, b ownStatus) bool {
	if lead := a.Role == "leader"; lead != (b.Role == "leader") {
		return lead
	}
	if a.Term != b.Term {
		return a.Term > b.Term
	}
	return a.Commit > b.Commit
}

// mergeStatus puts the nodes' views together; the highest term says who leads.
func (n *Node) mergeStatus(answers map[string][]ownStatus) []GroupStatus {
	groups := map[GroupID]*GroupStatus{}
	servers := map[GroupID]map[string]bool{}
	teller := map[GroupID]ownStatus{} // whose view of the servers counts
	for _, own := range answers {
		for _, s := range own {
			g := groups[s.Group]
			if g == nil {
				g = &GroupStatus{ID: s.Group}
				groups[s.Group] = g
			}
			g.CommitIndex = max(g.CommitIndex, s.Commit)
			if best, ok := teller[s.Group]; !ok || knowsBetter(s, best) {
				teller[s.Group], servers[s.Group] = s, s.Servers
			}
			if s.Term > g.Term {
				g.Term, g.Leader = s.Term, ""
			}
			if s.Term == g.Term && s.Leader != "" {
				g.Leader = s.Leader
			}
		}
	}
	list := make([]GroupStatus, 0, len(groups))
	for id, g := range groups {
		for node, votes := range servers[id] {
			r := ReplicaStatus{Node: node, Role: "unknown"}
			for _, s := range answers[node] {
				if s.Group != id {
					continue
				}
				r.Role, r.AppliedIndex = s.Role, s.Reached
				if !votes {
					r.Role = "learner"
				}
			}
			g.Replicas = append(g.Replicas, r)
		}
		sort.Slice(g.Replicas, func(i, j int) bool { return g.Replicas[i].Node < g.Replicas[j].Node })
		list = append(list, *g)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list
}
