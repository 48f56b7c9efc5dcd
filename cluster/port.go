package cluster

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// port is the node's one TCP port for Raft and forwarding. A connection says
// first what it is for, and shows that it belongs to the same cluster:
//
//	caller: | "CLN1" | kind (u8) | group (u32) | n (u8) cluster id | proof (32) |
//	callee: | verdict (u8) |
//
// proof is SHA-256 over the join token; the verdict is 0, or why not.
type port struct {
	listener  net.Listener
	tlsServer *tls.Config
	tlsClient *tls.Config
	proof     [32]byte
	clusterID func() string
	logger    *slog.Logger
	forward   func(net.Conn) // takes over a forwarding connection
	connect   func(addr string, timeout time.Duration) (net.Conn, error)

	mu     sync.Mutex
	groups map[GroupID]*raftStream
	conns  map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

const (
	portMagic = "CLN1"

	connRaft    byte = 'R'
	connForward byte = 'F'

	verdictOK      byte = 0
	verdictCluster byte = 1 // of another cluster
	verdictToken   byte = 2 // another join token
	verdictGroup   byte = 3 // no such replica here (yet)
	verdictKind    byte = 4
)

var (
	errOtherCluster = errors.New("the data folder belongs to another cluster than the nodes it was told to join: join nodes of one cluster, or start with an empty data folder")
	errJoinToken    = errors.New("the join token is not the cluster's: start all nodes with the same --join-token")
)

// errNoReplica is of a node that comes back, too, until it has opened its groups.
var errNoReplica = errors.New("peer has no replica of the group")

var errVerdicts = map[byte]error{
	verdictCluster: errOtherCluster,
	verdictToken:   errJoinToken,
	verdictGroup:   errNoReplica,
	verdictKind:    errors.New("peer does not know this kind of connection"),
}

func joinProof(token string) [32]byte {
	return sha256.Sum256([]byte("cloudlicenses join token\x00" + token))
}

// serve accepts until close.
func (p *port) serve() {
	defer p.wg.Done()
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			p.mu.Lock()
			closed := p.closed
			p.mu.Unlock()
			if closed {
				return
			}
			// Out of file descriptors, say: other connections go on.
			p.logger.Warn("accept on the cluster port", "err", err)
			time.Sleep(20 * time.Millisecond) // nothing to be awaited: back off
			continue
		}
		if !p.track(conn) {
			conn.Close()
			return
		}
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			if err := p.greet(conn); err != nil {
				p.logger.Debug("connection refused", "from", conn.RemoteAddr(), "err", err)
				conn.Close()
				p.untrack(conn)
			}
		}()
	}
}

func (p *port) track(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *port) untrack(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// trackedConn forgets itself when closed.
type trackedConn struct {
	net.Conn
	port *port
	raw  net.Conn
}

func (c *trackedConn) Close() error {
	c.port.untrack(c.raw)
	return c.Conn.Close()
}

// greet reads a connection's first bytes and hands it on.
func (p *port) greet(raw net.Conn) error {
	conn := raw
	_ = raw.SetDeadline(time.Now().Add(handshakeTimeout))
	if p.tlsServer != nil {
		conn = tls.Server(raw, p.tlsServer)
	}
	kind, group, verdict, err := p.readGreeting(conn)
	if err != nil {
		return err
	}
	var stream *raftStream
	if verdict == verdictOK && kind == connRaft {
		p.mu.Lock()
		stream = p.groups[group]
		p.mu.Unlock()
		if stream == nil {
			verdict = verdictGroup
		}
	}
	if _, err := conn.Write([]byte{verdict}); err != nil {
		return err
	}
	if verdict != verdictOK {
		return errVerdicts[verdict]
	}
	_ = raw.SetDeadline(time.Time{})
	tracked := &trackedConn{Conn: conn, port: p, raw: raw}
	if kind == connForward {
		p.forward(tracked)
		return nil
	}
	select {
	case stream.accepted <- tracked:
		return nil
	case <-stream.closed:
		return net.ErrClosed
	}
}

func (p *port) readGreeting(conn net.Conn) (kind byte, group GroupID, verdict byte, err error) {
	head := make([]byte, len(portMagic)+1+4+1)
	if _, err := io.ReadFull(conn, head); err != nil {
		return 0, 0, 0, err
	}
	if string(head[:len(portMagic)]) != portMagic {
		return 0, 0, 0, errors.New("not a node of this software")
	}
	kind = head[len(portMagic)]
	group = GroupID(binary.BigEndian.Uint32(head[len(portMagic)+1:]))
	rest := make([]byte, int(head[len(head)-1])+32)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return 0, 0, 0, err
	}
	theirs, ours := string(rest[:len(rest)-32]), p.clusterID()
	switch {
	case theirs != "" && ours != "" && theirs != ours:
		verdict = verdictCluster
	case subtle.ConstantTimeCompare(rest[len(rest)-32:], p.proof[:]) != 1:
		verdict = verdictToken
	case kind != connRaft && kind != connForward:
		verdict = verdictKind
	}
	return kind, group, verdict, nil
}

// dial opens a connection of a kind to a peer's port.
func (p *port) dial(addr string, kind byte, group GroupID, timeout time.Duration) (net.Conn, error) {
	raw, err := p.connect(addr, timeout)
	if err != nil {
		return nil, err
	}
	_ = raw.SetDeadline(time.Now().Add(timeout))
	conn := raw
	if p.tlsClient != nil {
		cfg := p.tlsClient
		if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
			host, _, _ := net.SplitHostPort(addr)
			cfg = cfg.Clone()
			cfg.ServerName = host
		}
		conn = tls.Client(raw, cfg)
	}
	if err := p.greetPeer(conn, kind, group); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet %s: %w", addr, err)
	}
	_ = raw.SetDeadline(time.Time{})
	return conn, nil
}

func (p *port) greetPeer(conn net.Conn, kind byte, group GroupID) error {
	id := p.clusterID()
	b := append([]byte(portMagic), kind)
	b = binary.BigEndian.AppendUint32(b, uint32(group))
	b = append(b, byte(len(id)))
	b = append(b, id...)
	b = append(b, p.proof[:]...)
	if _, err := conn.Write(b); err != nil {
		return err
	}
	var verdict [1]byte
	if _, err := io.ReadFull(conn, verdict[:]); err != nil {
		return err
	}
	if verdict[0] == verdictOK {
		return nil
	}
	if err := errVerdicts[verdict[0]]; err != nil {
		return err
	}
	return fmt.Errorf("peer refused the connection (%d)", verdict[0])
}

// stream returns the StreamLayer of one group.
func (p *port) stream(group GroupID) *raftStream {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &raftStream{port: p, group: group, accepted: make(chan net.Conn), closed: make(chan struct{})}
	p.groups[group] = s
	return s
}

func (p *port) close() {
	p.mu.Lock()
	p.closed = true
	conns := make([]net.Conn, 0, len(p.conns))
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	p.listener.Close()
	for _, c := range conns {
		c.Close()
	}
	p.wg.Wait()
}

// raftStream is the raft.StreamLayer of one group over the shared port.
type raftStream struct {
	port     *port
	group    GroupID
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
	doubts   atomic.Uint64 // see tidings: one is a connection made
}

var _ raft.StreamLayer = (*raftStream)(nil)

// Accept implements net.Listener.
func (s *raftStream) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *raftStream) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.port.mu.Lock()
		delete(s.port.groups, s.group)
		s.port.mu.Unlock()
	})
	return nil
}

// Addr implements net.Listener.
func (s *raftStream) Addr() net.Addr { return s.port.listener.Addr() }

// Dial implements raft.StreamLayer.
func (s *raftStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	s.doubts.Add(1)
	return s.port.dial(string(address), connRaft, s.group, min(timeout, dialTimeout))
}
