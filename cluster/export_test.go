package cluster

import "time"

// LogRange is what a replica's log holds.
func (n *Node) LogRange(id GroupID) (first, last uint64) {
	g := n.group(id)
	first, _ = g.log.FirstIndex()
	last, _ = g.log.LastIndex()
	return first, last
}

// LastContact is when a replica last heard of its leader.
func (n *Node) LastContact(id GroupID) time.Time { return n.group(id).raft.LastContact() }
