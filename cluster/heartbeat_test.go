package cluster

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

func openTransport(t *testing.T) *raft.NetworkTransport {
	n, err := raft.NewTCPTransport("127.0.0.1:0", nil, 1, time.Second, io.Discard)
	require.NoError(t, err)
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// A heartbeat reaches Raft beside its main goroutine only on a follower. Calls
// that are no mere heartbeats always go to the main goroutine.
func TestOnlyFollowersTakeHeartbeats(t *testing.T) {
	var follows atomic.Bool
	receiver := cappedTransport{openTransport(t), &groupLog{}, follows.Load, nil, nil}
	handled := 0
	receiver.SetHeartbeatHandler(func(rpc raft.RPC) {
		handled++
		rpc.Respond(&raft.AppendEntriesResponse{Success: true}, nil)
	})
	sender := cappedTransport{openTransport(t), &groupLog{}, nil, nil, &atomic.Uint64{}}
	sender.log.durable.Store(3)
	call := func(commitIndex uint64) (raft.AppendEntriesResponse, error) {
		var reply raft.AppendEntriesResponse
		err := sender.AppendEntries("r", receiver.LocalAddr(), &raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{Addr: []byte("s")}, Term: 2, LeaderCommitIndex: commitIndex,
		}, &reply)
		return reply, err
	}
	answer := func(right func(*raft.AppendEntriesRequest) bool) {
		rpc := <-receiver.Consumer()
		asked, _ := rpc.Command.(*raft.AppendEntriesRequest)
		rpc.Respond(&raft.AppendEntriesResponse{Success: right(asked)}, nil)
	}
	go answer(func(asked *raft.AppendEntriesRequest) bool { return asked.Term == 2 && asked.PrevLogEntry == 0 })
	reply, err := call(0)
	require.NoError(t, err)
	require.True(t, reply.Success, "who does not follow hears of the leader by its main goroutine")
	require.Zero(t, handled)

	follows.Store(true)
	reply, err = call(0)
	require.NoError(t, err)
	require.True(t, reply.Success)
	require.Equal(t, 1, handled)

	go answer(func(asked *raft.AppendEntriesRequest) bool { return asked.LeaderCommitIndex == 3 })
	reply, err = call(5)
	require.NoError(t, err)
	require.True(t, reply.Success, "no commit index past the durable one is told")
	require.Equal(t, 1, handled)
}

// Replication to a peer that can't be reached goes on in one call, and goes
// through as soon as the peer is back.
func TestReplicationWaitsForAPeer(t *testing.T) {
	lost, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := lost.Addr().String()
	require.NoError(t, lost.Close())
	own, err := raft.NewTCPTransport("127.0.0.1:0", nil, 1, time.Second, io.Discard)
	require.NoError(t, err)
	defer own.Close()
	stop := make(chan struct{})
	sender := cappedTransport{own, &groupLog{}, nil, stop, &atomic.Uint64{}}
	call := func() error {
		entries := []*raft.Log{{Index: 1, Term: 2}}
		args := raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{Addr: []byte("s")}, Term: 2, Entries: entries}
		return sender.AppendEntries("r", raft.ServerAddress(address), &args, &raft.AppendEntriesResponse{})
	}
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		t.Fatalf("gave up at once: %v", err)
	case <-time.After(3 * unreachPause):
	}
	back, err := raft.NewTCPTransport(address, nil, 1, time.Second, io.Discard)
	require.NoError(t, err)
	defer back.Close()
	rpc := <-back.Consumer()
	rpc.Respond(&raft.AppendEntriesResponse{Success: true}, nil)
	require.NoError(t, <-done)

	require.NoError(t, back.Close())
	back.CloseStreams()
	close(stop)
	require.Error(t, call(), "a group that ends waits for nobody")
}

// A node that comes back opens its port before its groups: replication waits for
// them, too.
func TestReplicationWaitsForAGroup(t *testing.T) {
	near, far := testPort(t, "", "", nil), testPort(t, "", "", nil)
	transport := func(p *port) *raft.NetworkTransport {
		trans := raft.NewNetworkTransport(p.stream(1), 1, time.Second, io.Discard)
		t.Cleanup(func() { require.NoError(t, trans.Close()) })
		return trans
	}
	sender := cappedTransport{transport(near), &groupLog{}, nil, make(chan struct{}), &atomic.Uint64{}}
	done := make(chan error, 1)
	go func() {
		args := raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{Addr: []byte("s")}, Term: 2, Entries: []*raft.Log{{Index: 1, Term: 2}}}
		done <- sender.AppendEntries("r", raft.ServerAddress(far.listener.Addr().String()), &args, &raft.AppendEntriesResponse{})
	}()
	select {
	case err := <-done:
		t.Fatalf("gave up at once: %v", err)
	case <-time.After(3 * unreachPause):
	}
	rpc := <-transport(far).Consumer()
	rpc.Respond(&raft.AppendEntriesResponse{Success: true}, nil)
	require.NoError(t, <-done)
}

// A follower is told what is committed once, and again where a heartbeat was refused
// or failed, or Raft does not wait until it asks again.
func TestWhatIsCommittedIsToldOnce(t *testing.T) {
	receiver := openTransport(t)
	sender := cappedTransport{openTransport(t), &groupLog{}, nil, nil, &atomic.Uint64{}}
	p, err := sender.AppendEntriesPipeline("r", receiver.LocalAddr())
	require.NoError(t, err)
	defer p.Close()
	type call struct{ last, committed uint64 }
	var heard []call
	hear := func() {
		rpc := <-receiver.Consumer()
		asked, _ := rpc.Command.(*raft.AppendEntriesRequest)
		heard = append(heard, call{asked.PrevLogEntry + uint64(len(asked.Entries)), asked.LeaderCommitIndex})
		rpc.Respond(&raft.AppendEntriesResponse{Success: true}, nil)
		<-p.Consumer()
	}
	capped, ok := p.(*cappedPipeline)
	require.True(t, ok)
	send := func(last, committed uint64, entries ...*raft.Log) {
		capped.asked = capped.asked.Add(-commitTimeout) // Raft's own pace
		_, err := p.AppendEntries(&raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{Addr: []byte("s")}, Term: 2, PrevLogEntry: last, PrevLogTerm: 2, LeaderCommitIndex: committed, Entries: entries,
		}, &raft.AppendEntriesResponse{})
		require.NoError(t, err)
	}
	sender.log.durable.Store(1)
	send(0, 0, &raft.Log{Index: 1, Term: 2})
	hear()
	send(1, 1)
	hear()
	send(1, 1)
	send(1, 1)
	send(1, 1, &raft.Log{Index: 2, Term: 2})
	hear()
	send(2, 2) // as far as the disk here has it
	sender.log.durable.Store(2)
	send(2, 2)
	hear()
	send(2, 2)
	heartbeat := func(reply *raft.AppendEntriesResponse, failure error) {
		go func() { rpc := <-receiver.Consumer(); rpc.Respond(reply, failure) }()
		err := sender.AppendEntries("r", receiver.LocalAddr(), &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{Addr: []byte("s")}, Term: 2}, &raft.AppendEntriesResponse{})
		require.Equal(t, failure == nil, err == nil)
	}
	heartbeat(&raft.AppendEntriesResponse{Success: true}, nil)
	send(2, 2)
	heartbeat(&raft.AppendEntriesResponse{Term: 3}, nil)
	send(2, 2)
	hear()
	heartbeat(nil, errors.New("broken"))
	send(2, 2)
	hear()
	send(2, 2)
	capped.asked = time.Now()
	send(2, 2)
	send(2, 2, &raft.Log{Index: 3, Term: 2})
	hear()
	capped.asked = time.Now().Add(commitTimeout)
	send(3, 2)
	hear()
	require.Equal(t, []call{{1, 0}, {1, 1}, {2, 1}, {2, 2}, {2, 2}, {2, 2}, {3, 2}, {3, 2}}, heard)
}
