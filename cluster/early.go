package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

// applyEarly is the planted bug AckBeforeCommit: the leader applies and
// answers at once, and replicates a moment later.
func (g *group) applyEarly(data []byte) raft.ApplyFuture {
	const later = 300 * time.Millisecond
	index := g.raft.LastIndex() + 1
	results := g.apply.ApplyBatch([]*raft.Log{{Index: index, Type: raft.LogCommand, Data: data}})
	time.AfterFunc(later, func() { g.raft.Apply(data, 0) })
	return earlyFuture{index: index, response: results[0]}
}

type earlyFuture struct {
	index    uint64
	response any
}

// Error implements raft.Future.
func (f earlyFuture) Error() error { return nil }

// Index implements raft.IndexFuture.
func (f earlyFuture) Index() uint64 { return f.index }

// Response implements raft.ApplyFuture.
func (f earlyFuture) Response() any { return f.response }
