package cluster

import (
	"sync/atomic"
	"time"
)

// space tells whether the disk of the data folder has room for new writes. Where
// it has not, a leader takes none: a log or a machine that could not write would
// end the node, and reads with it. What the engine writes of itself (expiries, the
// log of other leaders, snapshots) has the room that is left.
type space struct {
	reserve uint64 // bytes that stay free; 0: nothing is watched
	free    atomic.Uint64
	low     atomic.Bool
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
	switch was := n.space.low.Swap(low); {
	case low && !was:
		n.log.Warn("the data folder has little room: new writes are refused", "free", usage.AvailBytes, "reserve", n.space.reserve)
	case was && !low:
		n.log.Info("the data folder has room again: writes are taken", "free", usage.AvailBytes)
	}
}

// Space reports how many bytes the disk of the data folder has free, how many
// have to stay free, and whether new writes are refused for that. All is zero
// where nothing is watched.
func (n *Node) Space() (free, reserve uint64, low bool) {
	return n.space.free.Load(), n.space.reserve, n.space.low.Load()
}
