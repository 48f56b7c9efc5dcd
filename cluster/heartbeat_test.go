package cluster

import (
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// A heartbeat reaches Raft beside its main goroutine only on a follower. Calls
// that are no mere heartbeats always go to the main goroutine.
func TestOnlyFollowersTakeHeartbeats(t *testing.T) {
	open := func() *raft.NetworkTransport {
		n, err := raft.NewTCPTransport("127.0.0.1:0", nil, 1, time.Second, io.Discard)
		require.NoError(t, err)
		t.Cleanup(func() { _ = n.Close() })
		return n
	}
	var follows atomic.Bool
	receiver := cappedTransport{open(), &groupLog{}, follows.Load}
	handled := 0
	receiver.SetHeartbeatHandler(func(rpc raft.RPC) {
		handled++
		rpc.Respond(&raft.AppendEntriesResponse{Success: true}, nil)
	})
	sender := cappedTransport{open(), &groupLog{}, nil}
	sender.log.durable.Store(3)
	call := func(commitIndex uint64) (raft.AppendEntriesResponse, error) {
		var reply raft.AppendEntriesResponse
		err := sender.AppendEntries("r", receiver.LocalAddr(), &raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{Addr: []byte("s")}, Term: 2, LeaderCommitIndex: commitIndex,
		}, &reply)
		return reply, err
	}
	_, err := call(0)
	require.ErrorContains(t, err, errNoFollower.Error())
	require.Zero(t, handled)

	follows.Store(true)
	reply, err := call(0)
	require.NoError(t, err)
	require.True(t, reply.Success)
	require.Equal(t, 1, handled)

	go func() {
		rpc := <-receiver.Consumer()
		asked, _ := rpc.Command.(*raft.AppendEntriesRequest)
		rpc.Respond(&raft.AppendEntriesResponse{Success: asked.LeaderCommitIndex == 3}, nil)
	}()
	reply, err = call(5)
	require.NoError(t, err)
	require.True(t, reply.Success, "no commit index past the durable one is told")
	require.Equal(t, 1, handled)
}
