package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testPort is a port whose forwarding connections are handled by serve.
func testPort(t *testing.T, token, cluster string, serve func(net.Conn)) *port {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &port{
		listener: l, proof: joinProof(token), clusterID: func() string { return cluster }, logger: slog.Default(), forward: serve,
		connect: func(addr string, timeout time.Duration) (net.Conn, error) {
			return net.DialTimeout("tcp", addr, timeout)
		},
		groups: map[GroupID]*raftStream{}, conns: map[net.Conn]struct{}{},
	}
	p.wg.Add(1)
	go p.serve()
	t.Cleanup(p.close)
	return p
}

// hush takes what comes and never answers.
func hush(got chan<- struct{}) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		b := make([]byte, 1<<10)
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
			got <- struct{}{}
		}
	}
}

func TestPeerTellsUnsentFromUnknown(t *testing.T) {
	got := make(chan struct{}, 100)
	far := testPort(t, "", "", hush(got))
	near := testPort(t, "", "", hush(got))
	addr := far.listener.Addr().String()

	p := &peer{addr: addr, port: near}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := p.call(ctx, methodClock, 0)
	require.ErrorIs(t, err, ErrOutcomeUnknown, "sent and not answered in time")

	abandon := make(chan struct{})
	close(abandon)
	_, err = p.callUntil(context.Background(), abandon, methodClock, 0)
	require.ErrorIs(t, err, ErrOutcomeUnknown)

	lost := make(chan error, 1)
	for range len(got) {
		<-got
	}
	go func() { _, err := p.call(context.Background(), methodClock, 0); lost <- err }()
	<-got
	far.close()
	require.ErrorIs(t, <-lost, ErrOutcomeUnknown, "the connection broke after it was sent")
	require.Eventually(t, func() bool {
		_, err := p.call(context.Background(), methodClock, 0)
		return err != nil && !isUnknown(err)
	}, 5*time.Second, time.Millisecond, "nobody listens: never sent")
	p.close()
	_, err = p.call(context.Background(), methodClock, 0)
	require.ErrorIs(t, err, ErrClosed)
}

func isUnknown(err error) bool { return statusOf(err) == statusOf(ErrOutcomeUnknown) }

func TestPortRefusesStrangers(t *testing.T) {
	got := make(chan struct{}, 100)
	far := testPort(t, "token", "one", hush(got))
	addr := far.listener.Addr().String()
	for _, c := range []struct {
		token, cluster string
		kind           byte
		err            error
	}{
		{"token", "one", connForward, nil},
		{"token", "", connForward, nil}, // a newcomer does not know the cluster's id yet
		{"other", "one", connForward, errJoinToken},
		{"token", "two", connForward, errOtherCluster},
		{"token", "one", connRaft, errVerdicts[verdictGroup]},
		{"token", "one", 'X', errVerdicts[verdictKind]},
	} {
		near := testPort(t, c.token, c.cluster, hush(got))
		conn, err := near.dial(addr, c.kind, 7, time.Second)
		require.ErrorIs(t, err, c.err, "%+v", c)
		if err == nil {
			conn.Close()
		}
	}
	// Something that is no node at all is hung up on.
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
}

// Frames of many callers cross one connection and each gets its own reply.
func TestPeerCarriesManyCallsAtOnce(t *testing.T) {
	n := &Node{ctx: context.Background(), cfg: Config{Now: func() time.Time { return time.UnixMicro(1234567) }}}
	far := testPort(t, "", "", n.serveForward)
	near := testPort(t, "", "", n.serveForward)
	p := &peer{addr: far.listener.Addr().String(), port: near}
	defer p.close()
	var callers sync.WaitGroup
	for range 50 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for range 50 {
				b, err := p.call(context.Background(), methodClock, 0)
				if err != nil || len(b) != 8 {
					t.Errorf("%v %v", b, err)
					return
				}
				if _, err := p.call(context.Background(), 99, 0); err == nil || err.Error() != "peer: "+errUnknownMethod.Error() {
					t.Errorf("unknown method: %v", err)
					return
				}
			}
		}()
	}
	callers.Wait()
}
