package cluster

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/hashicorp/raft"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// Propose has the group's leader commit a command and returns its result. It
// forwards at most once; errors are those of errors.go.
func (n *Node) Propose(ctx context.Context, id GroupID, command []byte) (Reply, error) {
	if g := n.group(id); g != nil && g.raft.State() == raft.Leader {
		replies, err := g.propose(ctx, [][]byte{command})
		if err != nil {
			return Reply{}, err
		}
		return replies[0], nil
	}
	b, url, err := n.toLeader(ctx, id, methodPropose, command)
	if err != nil {
		return Reply{}, err
	}
	r, err := splitReply(b)
	r.LeaderURL = url
	return r, err
}

// ProposeAll is Propose for several commands that may share entries; they
// apply in order. The error, if any, is that of all of them.
func (n *Node) ProposeAll(ctx context.Context, id GroupID, commands [][]byte) ([]Reply, error) {
	if g := n.group(id); g != nil && g.raft.State() == raft.Leader {
		return g.propose(ctx, commands)
	}
	var payload []byte
	for _, c := range commands {
		payload = appendFrame(payload, c)
	}
	b, url, err := n.toLeader(ctx, id, methodProposeAll, payload)
	if err != nil {
		return nil, err
	}
	frames, err := splitFrames(b)
	if err != nil || len(frames) != len(commands) {
		return nil, errors.Join(errShortFrame, err)
	}
	replies := make([]Reply, len(frames))
	for i, f := range frames {
		if replies[i], err = splitReply(f); err != nil {
			return nil, err
		}
		replies[i].LeaderURL = url
	}
	return replies, nil
}

// Query reads from the local replica where there is one and the options allow
// it, else from another node.
func (n *Node) Query(ctx context.Context, id GroupID, query []byte, opt ReadOptions) (Reply, error) {
	if g := n.group(id); plant.On(plant.StaleRead) && g != nil && g.everLed.Load() {
		opt.Linearizable = false
	}
	if g := n.group(id); g != nil && (!opt.Linearizable || g.raft.State() == raft.Leader) {
		return g.query(ctx, query, opt)
	}
	head := make([]byte, 9)
	if opt.Linearizable {
		head[0] = 1
	}
	binary.BigEndian.PutUint64(head[1:], opt.MinIndex)
	b, url, err := n.toLeader(ctx, id, methodQuery, head, query)
	if err != nil {
		return Reply{}, err
	}
	r, err := splitReply(b)
	r.LeaderURL = url
	return r, err
}

// toLeader sends a request to the node that leads a group. What never left
// this node is ErrNoLeader.
func (n *Node) toLeader(ctx context.Context, id GroupID, m method, payload ...[]byte) ([]byte, string, error) {
	if n.ending.Load() {
		return nil, "", ErrClosed
	}
	leader := n.LeaderOf(id)
	if leader == "" || leader == n.cfg.NodeID {
		return nil, "", ErrNoLeader
	}
	n.mu.Lock()
	var p *peer
	var url string
	if known := n.members[leader]; known != nil {
		p, url = n.peerOf(known), known.meta.HTTP
	}
	var succeeded chan struct{}
	if heard := n.leaders[id]; heard.node == leader {
		succeeded = heard.succeeded
	}
	n.mu.Unlock()
	if p == nil {
		return nil, "", ErrNoLeader
	}
	b, err := p.callUntil(ctx, succeeded, m, id, payload...)
	if errors.Is(err, errUnsent) || errors.Is(err, ErrClosed) || errors.Is(err, ErrNoGroup) {
		return nil, "", ErrNoLeader
	}
	if err != nil && m == methodQuery && errors.Is(err, ErrOutcomeUnknown) {
		return nil, "", ErrNoLeader // a read has no outcome to be unknown
	}
	return b, url, err
}
