package cluster

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A forwarding connection carries frames, both ways, many at a time:
//
//	+-------------+----------+-------------+-------------+------------+---------+
//	| length u32  | id u64   | method u8   | group u32   | sent u32   | payload |  request
//	+-------------+----------+-------------+-------------+------------+---------+
//	| length u32  | id u64   | status u8   | payload                             |  reply
//	+-------------+----------+-------------+-------------------------------------+
//
// big endian; length counts what follows it. A request with id 0 gets no
// reply. Replies come in any order. sent is milliseconds since the connection
// began, by the caller's steady clock: the callee sees by its own how long the
// frame was on its way, as in the buffers of a link that was cut.
type method uint8

const (
	methodPropose    method = 1  // command → reply
	methodProposeAll method = 2  // commands → replies
	methodQuery      method = 3  // flags u8, min index u64, query → reply
	methodAnnounce   method = 4  // one way: leaders' applied indexes
	methodClock      method = 5  // → Unix microseconds
	methodStatus     method = 6  // → JSON of the replicas here
	methodPlacement  method = 7  // → JSON of the placement; empty: none yet
	methodPromise    method = 8  // JSON of a placement → may it be formed?
	methodForm       method = 9  // JSON of a placement → it is
	methodRejoin     method = 10 // JSON of a rejoinRequest → the leader takes it in as a learner
	methodGoodbye    method = 11 // node id: it leaves of its own will
)

// The status of a reply is the error on its far side.
const statusOK, statusOther byte = 0, 255

var statusErrors = []struct {
	status byte
	err    error
}{
	{1, ErrNoLeader},
	{2, ErrOutcomeUnknown},
	{3, ErrOverloaded},
	{4, ErrNotCaughtUp},
	{5, ErrNoGroup},
	{6, ErrClosed},
	{7, ErrStorageFull},
}

func statusOf(err error) byte {
	if err == nil {
		return statusOK
	}
	for _, s := range statusErrors {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	return statusOther
}

func errorOf(status byte, payload []byte) error {
	if status == statusOK {
		return nil
	}
	for _, s := range statusErrors {
		if s.status == status {
			return s.err
		}
	}
	return fmt.Errorf("peer: %s", payload)
}

// errUnsent: the call never left this node.
var errUnsent = errors.New("peer is not reachable")

// peer is this node's one outgoing forwarding connection to another node,
// dialed on first use and again after it broke.
type peer struct {
	addr string
	port *port

	mu      sync.Mutex
	conn    *peerConn
	dialing chan struct{} // closed when the dial under way has ended
	closed  bool

	telling atomic.Bool // an announcement is being handed over
}

type peerConn struct {
	conn  net.Conn
	began time.Time

	mu     sync.Mutex
	out    []byte // frames waiting for the writer
	spare  []byte
	wake   chan struct{} // buffered 1: there is something in out
	next   uint64
	calls  map[uint64]*call
	broken bool
}

type call struct {
	done   chan struct{} // buffered 1
	status byte
	reply  []byte
	lost   bool
}

var callPool = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// connect returns the live connection, dialing where there is none.
func (p *peer) connect(ctx context.Context) (*peerConn, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, ErrClosed
		}
		if p.conn != nil {
			c := p.conn
			p.mu.Unlock()
			return c, nil
		}
		if p.dialing == nil {
			p.dialing = make(chan struct{})
			p.mu.Unlock()
			return p.dial()
		}
		wait := p.dialing
		p.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		p.mu.Lock()
		failed := p.conn == nil
		p.mu.Unlock()
		if failed {
			return nil, errUnsent
		}
	}
}

func (p *peer) dial() (*peerConn, error) {
	raw, err := p.port.dial(p.addr, connForward, 0, dialTimeout)
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.dialing)
	p.dialing = nil
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	if p.closed {
		raw.Close()
		return nil, ErrClosed
	}
	c := &peerConn{conn: raw, began: time.Now(), wake: make(chan struct{}, 1), calls: map[uint64]*call{}}
	p.conn = c
	go c.write()
	go func() {
		c.read()
		p.mu.Lock()
		if p.conn == c {
			p.conn = nil
		}
		p.mu.Unlock()
	}()
	return c, nil
}

func (p *peer) close() {
	p.mu.Lock()
	p.closed = true
	c := p.conn
	p.mu.Unlock()
	if c != nil {
		c.conn.Close()
	}
}

// call sends a request and waits for its reply. errUnsent means that the far
// side never saw it; ErrOutcomeUnknown that it may have.
func (p *peer) call(ctx context.Context, m method, group GroupID, payload ...[]byte) ([]byte, error) {
	return p.callUntil(ctx, nil, m, group, payload...)
}

// callUntil is call that also gives up, as ErrOutcomeUnknown, when abandon is
// closed.
func (p *peer) callUntil(ctx context.Context, abandon <-chan struct{}, m method, group GroupID, payload ...[]byte) ([]byte, error) {
	c, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	k := callPool.Get().(*call)
	k.lost, k.reply = false, nil
	id, ok := c.send(k, m, group, payload)
	if !ok {
		callPool.Put(k)
		return nil, errUnsent
	}
	select {
	case <-k.done:
		status, reply, lost := k.status, k.reply, k.lost
		k.reply = nil
		callPool.Put(k)
		if lost {
			return nil, ErrOutcomeUnknown
		}
		return reply, errorOf(status, reply)
	case <-ctx.Done():
	case <-abandon:
	}
	c.mu.Lock()
	_, waiting := c.calls[id]
	delete(c.calls, id)
	c.mu.Unlock()
	if !waiting { // the reply is just being delivered: let it land
		<-k.done
	}
	callPool.Put(k)
	return nil, ErrOutcomeUnknown
}

// tell sends a request without reply where a connection can be had.
func (p *peer) tell(ctx context.Context, m method, payload []byte) {
	if c, err := p.connect(ctx); err == nil {
		c.send(nil, m, 0, [][]byte{payload})
	}
}

// send queues a frame; false: the connection is broken and nothing was sent.
func (c *peerConn) send(k *call, m method, group GroupID, payload [][]byte) (uint64, bool) {
	size := 8 + 1 + 4 + 4
	for _, p := range payload {
		size += len(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return 0, false
	}
	var id uint64
	if k != nil {
		c.next++
		id = c.next
		c.calls[id] = k
	}
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(size))
	c.out = binary.BigEndian.AppendUint64(c.out, id)
	c.out = append(c.out, byte(m))
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(group))
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(time.Since(c.began).Milliseconds()))
	for _, p := range payload {
		c.out = append(c.out, p...)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return id, true
}

// write sends what has gathered, as one write.
func (c *peerConn) write() {
	for range c.wake {
		c.mu.Lock()
		b := c.out
		c.out, c.spare = c.spare[:0], nil
		c.mu.Unlock()
		if len(b) == 0 {
			continue
		}
		if _, err := c.conn.Write(b); err != nil {
			c.conn.Close() // the reader ends the calls
			return
		}
		c.mu.Lock()
		if cap(b) <= 1<<20 {
			c.spare = b[:0]
		}
		c.mu.Unlock()
	}
}

// read delivers replies until the connection ends, then loses what waits.
func (c *peerConn) read() {
	br := bufio.NewReaderSize(c.conn, 64<<10)
	var head [4 + 8 + 1]byte
	for {
		if _, err := io.ReadFull(br, head[:]); err != nil {
			break
		}
		size := binary.BigEndian.Uint32(head[:4])
		if size < 9 || size > maxFrameBytes {
			break
		}
		reply := make([]byte, size-9)
		if _, err := io.ReadFull(br, reply); err != nil {
			break
		}
		id := binary.BigEndian.Uint64(head[4:12])
		c.mu.Lock()
		k := c.calls[id]
		delete(c.calls, id)
		c.mu.Unlock()
		if k != nil {
			k.status, k.reply = head[12], reply
			k.done <- struct{}{}
		}
	}
	c.conn.Close()
	c.mu.Lock()
	c.broken = true
	calls := c.calls
	c.calls = nil
	close(c.wake)
	c.mu.Unlock()
	for _, k := range calls {
		k.lost = true
		k.done <- struct{}{}
	}
}
