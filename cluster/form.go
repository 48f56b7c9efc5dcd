package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/hashicorp/raft"
)

// placement is what a cluster was formed with: which nodes hold each group.
// What changes later is in Raft's own configurations.
type placement struct {
	ID     string            `json:"id"` // of this formation: its coordinator and time
	Nodes  map[string]string `json:"nodes"`
	Groups []placedGroup     `json:"groups"` // in order of id, the directory first
	// Late is this node's own: it came after the formation, or again without
	// its folder, and must not vote from the formation's configuration.
	Late bool `json:"late,omitempty"`
}

type placedGroup struct {
	ID    GroupID  `json:"id"`
	Nodes []string `json:"nodes"`
}

func (p *placement) servers(id GroupID) []raft.Server {
	for _, g := range p.Groups {
		if g.ID != id {
			continue
		}
		servers := make([]raft.Server, 0, len(g.Nodes))
		for _, node := range g.Nodes {
			servers = append(servers, raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(node), Address: raft.ServerAddress(p.Nodes[node])})
		}
		return servers
	}
	return nil
}

// maxDirectoryVoters bounds the directory's quorum; further nodes learn.
const maxDirectoryVoters = 5

// place spreads groups over nodes: consecutive groups begin at consecutive
// nodes, so that replicas even out.
func place(formation string, nodes map[string]string, groups, replicas int) *placement {
	ids := make([]string, 0, len(nodes))
	for id := range nodes {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	p := &placement{ID: formation, Nodes: nodes}
	p.Groups = append(p.Groups, placedGroup{ID: 0, Nodes: ids[:min(len(ids), maxDirectoryVoters)]})
	for g := range groups {
		holders := make([]string, 0, replicas)
		for r := range min(replicas, len(ids)) {
			holders = append(holders, ids[(g+r)%len(ids)])
		}
		sort.Strings(holders)
		p.Groups = append(p.Groups, placedGroup{ID: GroupID(g + 1), Nodes: holders})
	}
	return p
}

// Placement returns the nodes that hold each license group, as formed at the
// cluster's start; nil before.
func (n *Node) Placement() map[GroupID][]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.placed == nil {
		return nil
	}
	groups := make(map[GroupID][]string, len(n.placed.Groups))
	for _, g := range n.placed.Groups {
		if g.ID != 0 {
			groups[g.ID] = slices.Clone(g.Nodes)
		}
	}
	return groups
}

func (n *Node) placementJSON() ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.placed == nil {
		return nil, nil
	}
	return json.Marshal(n.placed)
}

// form brings this node into a cluster: by the placement on its disk, by that
// of a cluster it meets, or by forming one with the nodes it was told to
// expect. It returns when the node's groups are open.
func (n *Node) form(ctx context.Context) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		n.mu.Lock()
		placed := n.placed
		n.mu.Unlock()
		if placed != nil {
			return n.openGroups(placed)
		}
		err := n.learnPlacement(ctx)
		if err == nil {
			err = n.coordinate(ctx)
		}
		var unfit *UnfitError
		if errors.Is(err, errOtherCluster) || errors.Is(err, errJoinToken) || errors.As(err, &unfit) {
			return err
		}
		if err != nil {
			n.log.Debug("form or join the cluster", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// UnfitError is BeforeJoin's where waiting does not mend it.
type UnfitError struct{ Err error }

func (e *UnfitError) Error() string { return e.Err.Error() }

// Unwrap returns why the node does not fit.
func (e *UnfitError) Unwrap() error { return e.Err }

// learnPlacement asks nodes that say they have one. A node that promised that
// very formation is one of its founders. Any other has no memory of what it
// may have acknowledged under its id, so each group's leader takes it in anew
// before it may vote.
func (n *Node) learnPlacement(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var errs []error
	for _, p := range n.formedPeers() {
		b, err := p.call(ctx, methodPlacement, 0)
		if err != nil || len(b) == 0 {
			errs = append(errs, err)
			continue
		}
		var learned placement
		if err := json.Unmarshal(b, &learned); err != nil {
			return err
		}
		n.mu.Lock()
		founder := n.promised == learned.ID
		n.mu.Unlock()
		if !founder {
			if n.cfg.BeforeJoin != nil {
				if err := n.cfg.BeforeJoin(ctx); err != nil {
					return err
				}
			}
			if err := n.rejoin(ctx, &learned); err != nil {
				return err
			}
			learned.Late = true
		}
		return n.keepPlacement(&learned)
	}
	return errors.Join(errs...)
}

// rejoin has the leaders of this node's groups take it in as a learner.
func (n *Node) rejoin(ctx context.Context, p *placement) error {
	request, err := json.Marshal(rejoinRequest{n.cfg.NodeID, n.port.listener.Addr().String()})
	if err != nil {
		return err
	}
	for _, g := range p.Groups {
		if g.ID != 0 && !slices.Contains(g.Nodes, n.cfg.NodeID) {
			continue
		}
		if _, _, err := n.toLeader(ctx, g.ID, methodRejoin, request); err != nil {
			return fmt.Errorf("group %d: %w", g.ID, err)
		}
	}
	return nil
}

type rejoinRequest struct {
	Node string `json:"node"`
	Addr string `json:"addr"`
}

// takeIn makes a node whose folder is new a learner of a group this node
// leads; promote makes it a voter again once it has caught up.
func (g *group) takeIn(payload []byte) error {
	var r rejoinRequest
	if err := json.Unmarshal(payload, &r); err != nil || r.Node == "" {
		return errShortFrame
	}
	if !g.isLeader() {
		return ErrNoLeader
	}
	future := g.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return err
	}
	for _, s := range future.Configuration().Servers {
		if string(s.ID) == r.Node {
			g.node.log.Warn("node comes back with an empty folder: it learns before it votes", "member", r.Node, "group", g.id)
			if err := g.raft.RemoveServer(s.ID, 0, callTimeout).Error(); err != nil {
				return err
			}
		}
	}
	err := g.addLearner(r.Node, r.Addr)
	g.node.log.Info("node learns a group", "member", r.Node, "group", g.id, "err", err)
	return err
}

// addLearner adds a node to the group's configuration. Another node's entry at
// that address is a former tenant of it, and Raft takes an address only once.
func (g *group) addLearner(node, addr string) error {
	future := g.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return err
	}
	for _, s := range future.Configuration().Servers {
		if string(s.Address) != addr || string(s.ID) == node {
			continue
		}
		g.node.log.Warn("another node had this address: it is removed", "member", s.ID, "address", addr, "group", g.id)
		if err := g.raft.RemoveServer(s.ID, 0, callTimeout).Error(); err != nil {
			return err
		}
	}
	return g.raft.AddNonvoter(raft.ServerID(node), raft.ServerAddress(addr), 0, callTimeout).Error()
}

func (n *Node) formedPeers() []*peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	var peers []*peer
	for id, m := range n.members {
		if id != n.cfg.NodeID && !m.gone && m.meta.Formed {
			peers = append(peers, n.peerOf(m))
		}
	}
	return peers
}

// coordinate forms the cluster if this node has the lowest id of at least
// BootstrapExpect nodes that expect to. Every one of them must promise first.
func (n *Node) coordinate(ctx context.Context) error {
	n.mu.Lock()
	if n.cfg.BootstrapExpect == 0 || n.placed != nil {
		n.mu.Unlock()
		return nil
	}
	nodes := map[string]string{n.cfg.NodeID: n.port.listener.Addr().String()}
	peers := map[string]*peer{}
	lowest := true
	for id, m := range n.members {
		if id == n.cfg.NodeID || m.gone {
			continue
		}
		if m.meta.Formed {
			n.mu.Unlock()
			return nil // learn from it instead
		}
		if m.meta.Expect == 0 {
			continue // it waits to be added later
		}
		nodes[id] = m.meta.Raft
		peers[id] = n.peerOf(m)
		lowest = lowest && n.cfg.NodeID < id
	}
	n.mu.Unlock()
	if !lowest || len(nodes) < n.cfg.BootstrapExpect {
		return nil
	}
	formation := fmt.Sprintf("%s-%d", n.cfg.NodeID, n.cfg.Now().UnixMilli())
	b, err := json.Marshal(place(formation, nodes, n.cfg.Groups, n.cfg.Replicas))
	if err != nil {
		return err
	}
	if err := n.promise(b); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for id, p := range peers {
		if _, err := p.call(ctx, methodPromise, 0, b); err != nil {
			return fmt.Errorf("node %s: %w", id, err)
		}
	}
	n.mu.Lock()
	late := n.promised != formation || !time.Now().Before(n.promisedUntil)
	n.mu.Unlock()
	if late {
		return errors.New("the promises have lapsed")
	}
	// From here on the cluster is formed: who misses the word learns it by gossip.
	if err := n.formed(b); err != nil {
		return err
	}
	for id, p := range peers {
		if _, err := p.call(ctx, methodForm, 0, b); err != nil {
			n.log.Warn("tell a node that the cluster is formed", "member", id, "err", err)
		}
	}
	return nil
}

// promise keeps this node free for one formation for a while.
func (n *Node) promise(b []byte) error {
	var p placement
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	switch {
	case n.placed != nil:
		return errors.New("already in a cluster")
	case n.promised != "" && n.promised != p.ID && now.Before(n.promisedUntil):
		return errors.New("promised to another coordinator")
	case p.Nodes[n.cfg.NodeID] != n.port.listener.Addr().String():
		return errors.New("known by another address")
	}
	// On disk before it counts: a founder that restarts must still know.
	if err := writeFileSync(n.promisePath(), []byte(p.ID)); err != nil {
		return err
	}
	n.promised, n.promisedUntil = p.ID, now.Add(formPromise)
	return nil
}

// formed takes the coordinator's word that the cluster is formed.
func (n *Node) formed(b []byte) error {
	var p placement
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	n.mu.Lock()
	promised := n.promised
	n.mu.Unlock()
	if promised != p.ID {
		return errors.New("formed without this node's promise")
	}
	return n.keepPlacement(&p)
}

// keepPlacement keeps a placement for good.
func (n *Node) keepPlacement(p *placement) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	n.mu.Lock()
	if n.placed != nil {
		defer n.mu.Unlock()
		if n.placed.ID != p.ID {
			return errors.New("already in a cluster")
		}
		return nil
	}
	if err := writeFileSync(n.placementPath(), b); err != nil {
		n.mu.Unlock()
		return err
	}
	n.setPlaced(p)
	n.mu.Unlock()
	n.tellMeta()
	return nil
}

// tellMeta spreads this node's changed description. Where the others did not
// take it in time, they get it with their next exchange of state.
func (n *Node) tellMeta() {
	if err := n.gossip.UpdateNode(leaveTimeout); err != nil {
		n.log.Debug("tell the changed description", "err", err)
	}
}

func (n *Node) promisePath() string { return filepath.Join(n.cfg.DataDir, "promise") }

func (n *Node) placementPath() string { return filepath.Join(n.cfg.DataDir, "placement.json") }

// loadPlacement reads the placement of an earlier start, if there was one.
func (n *Node) loadPlacement() error {
	if b, err := os.ReadFile(n.promisePath()); err == nil {
		n.promised = string(b)
	}
	b, err := os.ReadFile(n.placementPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var p placement
	if err := json.Unmarshal(b, &p); err != nil || len(p.Groups) == 0 {
		return fmt.Errorf("%s is damaged: remove the data folder %s and start the node again, it is rebuilt from the other nodes", n.placementPath(), n.cfg.DataDir)
	}
	n.setPlaced(&p)
	return nil
}

// openGroups opens this node's replicas. A node that is not in the placement
// joins the directory as a learner, which the directory's leader grants.
func (n *Node) openGroups(p *placement) error {
	for _, g := range p.Groups {
		if !slices.Contains(g.Nodes, n.cfg.NodeID) && g.ID != 0 {
			continue
		}
		var form []raft.Server
		if slices.Contains(g.Nodes, n.cfg.NodeID) && !p.Late {
			form = p.servers(g.ID)
		}
		opened, err := n.openGroup(g.ID, form)
		if err != nil {
			return err
		}
		n.mu.Lock()
		n.groups[g.ID] = opened
		n.mu.Unlock()
	}
	return nil
}

// tend makes voters of the placement's nodes that learn, in the groups this
// node leads, once they have caught up.
func (n *Node) tend(ctx context.Context) {
	for _, g := range n.localGroups() {
		if !g.isLeader() {
			continue
		}
		future := g.raft.GetConfiguration()
		if future.Error() != nil {
			continue
		}
		for _, s := range future.Configuration().Servers {
			if s.Suffrage != raft.Voter && n.founds(string(s.ID), g.id) {
				g.promote(ctx, s)
			}
		}
	}
}

// founds reports whether the placement names a node for a group.
func (n *Node) founds(node string, id GroupID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, g := range n.placed.Groups {
		if g.ID == id {
			return slices.Contains(g.Nodes, node)
		}
	}
	return false
}

// promote makes a learner a voter once it has applied all. A snapshot that
// the stopped replication to its former self still sent may have set it back
// behind the commit index, and Raft brings it no entry again before that index
// moves: a barrier moves it.
func (g *group) promote(ctx context.Context, learner raft.Server) {
	if !g.caughtUp(ctx, string(learner.ID)) {
		if err := g.raft.Barrier(callTimeout).Error(); err != nil {
			g.node.log.Debug("barrier for a learner", "group", g.id, "err", err)
		}
		return
	}
	err := g.raft.AddVoter(learner.ID, learner.Address, 0, callTimeout).Error()
	g.node.log.Info("node votes again", "member", learner.ID, "group", g.id, "err", err)
}

// caughtUp asks a learner whether it has applied what is applied here now.
func (g *group) caughtUp(ctx context.Context, node string) bool {
	p := g.node.peerByID(node)
	if p == nil {
		return false
	}
	want := g.apply.applied.Load()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	b, err := p.call(ctx, methodStatus, 0)
	var replicas []ownStatus
	if err != nil || json.Unmarshal(b, &replicas) != nil {
		return false
	}
	for _, s := range replicas {
		if s.Group == g.id {
			return s.Applied >= want
		}
	}
	return false
}
