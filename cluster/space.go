package cluster

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// space tells whether the disk of the data folder has room for new writes. Where
// it has not, a leader takes none that grow, and hands its groups to replicas that
// have room: a log or a machine that could not write would end the node, and reads
// with it. Small commands have the room down to a quarter of the reserve, and what
// the engine writes of itself (expiries, the log of other leaders, snapshots) what
// is left.
type space struct {
	reserve uint64 // bytes that stay free; 0: nothing is watched
	free    atomic.Uint64
	low     atomic.Bool // less than reserve
	out     atomic.Bool // less than reserve / smallShare
}

// takes reports whether there is room for commands, of which some make something
// new, or none does.
func (s *space) takes(grows bool) bool {
	return !s.low.Load() || !grows && !s.out.Load()
}

// watchSpace looks at the disk's room every spaceInterval.
func (n *Node) watchSpace() {
	defer n.background.Done()
	ticker := time.NewTicker(spaceInterval)
	defer ticker.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
			n.lookAtSpace()
		}
	}
}

func (n *Node) lookAtSpace() {
	if n.space.reserve == 0 {
		return
	}
	usage, err := n.cfg.Tuning.FS.GetDiskUsage(n.cfg.DataDir)
	if err != nil {
		n.log.Debug("how much room the data folder has is not known", "err", err)
		return // as it was
	}
	n.space.free.Store(usage.AvailBytes)
	low := usage.AvailBytes < n.space.reserve
	n.metrics.room(usage.AvailBytes, low)
	out := usage.AvailBytes < n.space.reserve/smallShare
	if !n.space.out.Swap(out) && out {
		n.log.Error("the data folder is nearly full: heartbeats and returns are refused, too", "free", usage.AvailBytes)
	}
	switch was := n.space.low.Swap(low); {
	case low && !was:
		n.log.Warn("the data folder has little room: new writes are refused", "free", usage.AvailBytes, "reserve", n.space.reserve)
		n.tellMeta()
	case was && !low:
		n.log.Info("the data folder has room again: writes are taken", "free", usage.AvailBytes)
		n.tellMeta()
	}
}

// Space reports how many bytes the disk of the data folder has free, how many
// have to stay free, and whether new writes are refused for that. All is zero
// where nothing is watched.
func (n *Node) Space() (free, reserve uint64, low bool) {
	return n.space.free.Load(), n.space.reserve, n.space.low.Load()
}

// roomier returns a voter of the group whose disk has room, as far as gossip knows,
// another one at each turn; nil: there is none.
func (g *group) roomier(turn uint64) *raft.Server {
	future := g.raft.GetConfiguration()
	if future.Error() != nil {
		return nil // Raft is ending
	}
	n := g.node
	n.mu.Lock()
	defer n.mu.Unlock()
	var fit []raft.Server
	for _, server := range future.Configuration().Servers {
		m := n.members[string(server.ID)]
		if server.Suffrage == raft.Voter && string(server.ID) != n.cfg.NodeID && m != nil && !m.gone && !m.meta.Low {
			fit = append(fit, server)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return &fit[(uint64(g.id)+turn)%uint64(len(fit))]
}

// makeRoom hands leadership to a replica whose disk has room. Until another one
// leads, this one goes on with what it still takes.
func (g *group) makeRoom(to *raft.Server) error {
	g.node.log.Warn("handing leadership to a node whose disk has room", "group", g.id, "to", to.ID)
	return g.raft.LeadershipTransferToServer(to.ID, to.Address).Error()
}
