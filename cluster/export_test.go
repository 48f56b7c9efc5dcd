package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

// LogRange is what a replica's log holds.
func (n *Node) LogRange(id GroupID) (first, last uint64) {
	g := n.group(id)
	first, _ = g.log.FirstIndex()
	last, _ = g.log.LastIndex()
	return first, last
}

// LastContact is when a replica last heard of its leader.
func (n *Node) LastContact(id GroupID) time.Time { return n.group(id).raft.LastContact() }

// AskForVote asks a peer for its vote in the next term, as a candidate that then
// fails.
func (n *Node) AskForVote(id GroupID, peer, address, candidate string) error {
	g := n.group(id)
	last, err := g.log.LastIndex()
	if err != nil {
		return err
	}
	term := g.raft.CurrentTerm()
	return g.trans.RequestVote(raft.ServerID(peer), raft.ServerAddress(address), &raft.RequestVoteRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(candidate), Addr: []byte(candidate)},
		Term:      term + 1, LastLogIndex: last, LastLogTerm: term, LeadershipTransfer: true,
	}, &raft.RequestVoteResponse{})
}
