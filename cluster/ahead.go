package cluster

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// A leader's own disk and its followers write an entry at the same time. Raft
// counts the leader itself as soon as StoreLogs returns, which here is before
// its disk has confirmed the write; what follows from that count is held back
// until it has:
//
//   - the leader applies an entry, and so answers, only once its own write is
//     durable (applier);
//   - it tells its followers no commit index past its durable one
//     (cappedTransport), so they do not apply such an entry either;
//   - once it leads no more, it vouches for an entry to its successor, by
//     reading it for AppendEntries, only when the write is durable (ownLog);
//   - whatever is no plain command of a leader waits for its own write and all
//     before it, and so does every cut of the log.
//
// A leader that crashes in between comes back without the entry, of which
// nobody has seen an effect. As long as it runs, its log holds the entry and
// it votes for no candidate that lacks it. See docs/adr/0010.

// leads reports whether Raft writes as the leader. It may be deposed while it
// writes: then what went ahead is as what any deposed leader has.
func (g *groupLog) leads() bool {
	leading := g.leading.Load()
	return leading != nil && (*leading)()
}

// mayGoAhead reports whether StoreLogs may return before the disk does.
func (g *groupLog) mayGoAhead(logs []*raft.Log) bool {
	if !g.leads() {
		return false
	}
	for _, l := range logs {
		if l.Type != raft.LogCommand {
			return false
		}
	}
	return true
}

// ownLog is a group's log as Raft sees it.
type ownLog struct {
	*raft.LogCache
	log *groupLog
}

// GetLog implements raft.LogStore.
func (l ownLog) GetLog(index uint64, out *raft.Log) error {
	if !l.log.leads() {
		if err := l.log.await(index); err != nil {
			return err
		}
	}
	return l.LogCache.GetLog(index, out)
}

// cappedTransport tells followers no commit index past what is durable here,
// keeps heartbeats from deposing a leader behind Raft's back, is patient with
// peers that can't be reached, and tells nobody twice what is committed.
type cappedTransport struct {
	*raft.NetworkTransport
	log     *groupLog
	follows func() bool
	stop    <-chan struct{} // closed when the group ends
	doubts  *atomic.Uint64  // of what peers know, see tidings
}

// errNoFollower answers a heartbeat to a node that does not follow. Its sender
// asks again by a call that the main goroutine handles.
var errNoFollower = errors.New("heartbeat to a node that does not follow yet")

// SetHeartbeatHandler implements raft.Transport. Raft handles heartbeats beside
// its main goroutine. A leader's would come to an end there without its main
// loop knowing, which could then write a waiting command under its successor's
// term: an entry that the successor takes for its own. So only a follower's are
// handled there; the main goroutine of others hears of a leader in its turn.
func (t cappedTransport) SetHeartbeatHandler(handle func(raft.RPC)) {
	if handle == nil {
		t.NetworkTransport.SetHeartbeatHandler(nil)
		return
	}
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) {
		if !t.follows() {
			rpc.Respond(nil, errNoFollower)
			return
		}
		handle(rpc)
	})
}

func (t cappedTransport) cap(args *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	if !plant.On(plant.AnswerAhead) {
		args.LeaderCommitIndex = min(args.LeaderCommitIndex, t.log.durable.Load())
	}
	return args
}

// AppendEntries implements raft.Transport. After each failure Raft waits twice
// as long before it replicates to a peer again, up to 10 s, and so long after a
// cut has healed, or after a node has opened its groups, the peer would lag:
// unreachPatience keeps the failures few. Heartbeats fail at once, for they are
// never put off for longer than half of a leader's time-out.
func (t cappedTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if isHeartbeat(args) {
		return t.heartbeat(id, target, args, resp)
	}
	for began := time.Now(); ; {
		err := t.NetworkTransport.AppendEntries(id, target, t.cap(args), resp)
		if err == nil || !unreached(err) || time.Since(began) > unreachPatience {
			return err
		}
		select {
		case <-t.stop:
			return err
		case <-time.After(unreachPause):
		}
	}
}

// unreached reports whether a call has come to no replica of the group.
func unreached(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, errNoReplica)
}

// isHeartbeat is Raft's own test for the calls that it handles beside its main
// goroutine.
func isHeartbeat(args *raft.AppendEntriesRequest) bool {
	return args.PrevLogEntry == 0 && args.PrevLogTerm == 0 && len(args.Entries) == 0 && args.LeaderCommitIndex == 0
}

// heartbeat sends a heartbeat, to a peer that does not follow yet as a call to
// its main goroutine: Raft's own next call may be seconds away. PrevLogTerm
// makes it one, and nothing else, since a receiver reads it with PrevLogEntry
// only.
func (t cappedTransport) heartbeat(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if err != nil && err.Error() == errNoFollower.Error() { // it has crossed the wire as text
		again := *args
		again.PrevLogTerm = again.Term
		err = t.NetworkTransport.AppendEntries(id, target, &again, resp)
	}
	if err != nil || !resp.Success { // refused by a peer in a later term
		t.doubts.Add(1)
	}
	return err
}

// AppendEntriesPipeline implements raft.Transport.
func (t cappedTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return &cappedPipeline{AppendPipeline: p, trans: t}, nil
}

// cappedPipeline is of one leader's term and one follower. Only Raft's goroutine
// for that follower sends.
type cappedPipeline struct {
	raft.AppendPipeline
	trans cappedTransport
	told  tidings
	asked time.Time // when Raft last called
}

// tidings are what a call without entries is for.
type tidings struct {
	last, committed uint64 // indexes
	// doubts counts, for the whole group, what may be of a follower that began
	// anew and knows nothing, or is in a later term: heartbeats that failed or
	// were refused, and new connections.
	doubts uint64
}

// AppendEntries implements raft.AppendPipeline. Raft tells followers every
// commitTimeout what is committed, changed or not. What was told over the same
// connection is not told again, which would be a good part of what an idle group
// costs: heartbeats keep in touch. Where they leave a doubt all followers are told
// once more: one that is gone, or in a later term, is found that way alone. A call
// that comes sooner than commitTimeout is for something, such as a transfer of the
// leadership, which repeats it until the follower has all.
func (p *cappedPipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	args = p.trans.cap(args)
	now := tidings{args.PrevLogEntry, args.LeaderCommitIndex, p.trans.doubts.Load()}
	before := p.asked
	p.asked = time.Now()
	if n := len(args.Entries); n > 0 {
		now.last = args.Entries[n-1].Index
	} else if now == p.told && p.asked.Sub(before) >= commitTimeout {
		return nil, nil //nolint:nilnil // the library drops it, and waits for no answer
	}
	future, err := p.AppendPipeline.AppendEntries(args, resp)
	if err == nil {
		p.told = now
	}
	return future, err
}
