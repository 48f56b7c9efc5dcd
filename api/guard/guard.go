package guard

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

// fasthttp parses leniently, and two parsers that disagree about where a
// request ends or whom it addresses are a way in. The guard therefore sits
// between the socket and fasthttp: it reads each request's head as a whole,
// refuses what RFC 9112 calls an error (head.go), and follows the body's
// framing, so that the next head on the connection is checked as well.
//
// One request at a time is handed on. fasthttp has then flushed every earlier
// answer when it asks for more, and a refusal can be written to the socket
// without overtaking one.

// WriteTimeout bounds how long a client may take to read an answer.
const WriteTimeout = 30 * time.Second

// deadlineSlack is how much too early an idle or write deadline may be: so
// seldom is it moved.
const deadlineSlack = time.Second

// Draining lets a refused client read the refusal before the reset that
// closing with unread input would send.
const (
	drainBytes = 8 << 20
	drainTime  = time.Second
)

// Listener wraps every connection that another one accepts.
type Listener struct {
	net.Listener
	// Refuse returns a refusal as a whole HTTP response.
	Refuse func(r *Refusal) []byte
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &Conn{Conn: c, refuse: l.Refuse, address: addressOf(c.RemoteAddr())}
	// Until the first request's head is there, TLS handshake included.
	if err := c.SetDeadline(time.Now().Add(cloudlicenses.HeaderTimeout)); err != nil {
		_ = c.Close()
		return nil, err
	}
	if t, ok := c.(tlsConn); ok {
		return &TLSConn{Conn: g, tls: t}, nil
	}
	return g, nil
}

type tlsConn interface {
	Handshake() error
	ConnectionState() tls.ConnectionState
}

type phase uint8

const (
	phaseHead phase = iota
	phaseLength
	phaseChunked
	phaseRefused
)

// deadline names what a connection is given time for.
type deadline uint8

const (
	deadlineFirst deadline = iota // the first head, since accepting
	deadlineIdle                  // the next head's first byte
	deadlineHead                  // the rest of a head
	deadlineBody                  // a body
	deadlineOver                  // none: a request is being answered
)

// Conn is one connection. Read is called by the connection's goroutine
// alone, Close by any.
type Conn struct {
	net.Conn
	refuse  func(r *Refusal) []byte
	address string // of the peer, without port

	phase     phase
	rest      []byte // read from the socket and not handed on
	cleared   int    // so much of rest is checked and may go
	lineFrom  int    // rest before it holds complete lines only
	remaining int64  // body bytes still to hand on (phaseLength)
	chunks    chunkScanner

	timed      deadline  // which read deadline is set
	timedSince time.Time // since when, for the idle one
	writeSince time.Time // when the write deadline was last set

	lingering atomic.Bool

	// Memo is the handler's own, for what one request of the connection leaves
	// to the next. Only the connection's goroutine uses it, and nobody where the
	// connection is Shared.
	Memo any
	// Shared is set, before the first one, where requests come side by side.
	Shared bool
}

// Read hands on checked bytes of at most one request.
func (g *Conn) Read(p []byte) (int, error) {
	for {
		if g.cleared > 0 {
			return g.handOn(p), nil
		}
		switch g.phase {
		case phaseRefused:
			return 0, net.ErrClosed
		case phaseHead:
			n, err := g.readHead(p)
			if n > 0 || err != nil {
				return n, err
			}
		default:
			n, err := g.readBody(p)
			if n > 0 || err != nil {
				return n, err
			}
		}
	}
}

// readHead hands on a head with what has come of its body. It returns 0, nil
// where the caller has to look again.
func (g *Conn) readHead(p []byte) (int, error) {
	if len(g.rest) > 0 {
		if n, r := g.scan(g.rest); r != nil {
			return 0, g.reject(r)
		} else if n > 0 {
			g.cleared = n
			return 0, nil
		}
		if err := g.timeHead(); err != nil {
			return 0, err
		}
		return 0, g.fill()
	}
	if err := g.timeIdle(); err != nil {
		return 0, err
	}
	n, err := g.Conn.Read(p)
	if n == 0 {
		return 0, err
	}
	whole, r := g.scan(p[:n])
	switch {
	case r != nil:
		return 0, g.reject(r)
	case whole == n:
		return n, nil
	case whole > 0:
		g.keep(p[whole:n])
		return whole, nil
	}
	g.keep(p[:n])
	return 0, nil
}

// scan looks at b, which starts a head, and returns how many bytes may be
// handed on: 0 where the head is not complete.
func (g *Conn) scan(b []byte) (int, *Refusal) {
	end, r := headEnd(b, &g.lineFrom)
	if r != nil {
		return 0, r
	}
	if end == 0 {
		if len(b) > cloudlicenses.MaxHeaderBytes {
			return 0, refuseHeaderSize
		}
		return 0, nil
	}
	g.lineFrom = 0
	if g.timed != deadlineIdle {
		g.timed = deadlineOver
	}
	if end > cloudlicenses.MaxHeaderBytes {
		return 0, refuseHeaderSize
	}
	frame, r := parseHead(b[:end])
	if r != nil {
		return 0, r
	}
	body := b[end:]
	switch {
	case frame.chunked:
		g.phase, g.chunks = phaseChunked, chunkScanner{}
		n, r := g.chunked(body)
		return end + n, r
	case frame.length > 0:
		n := min(int64(len(body)), frame.length)
		if n == frame.length {
			return end + int(n), nil
		}
		g.phase, g.remaining = phaseLength, frame.length-n
		return end + int(n), g.timeBody()
	}
	return end, nil
}

// chunked follows the chunks in b and returns how many bytes are of this body.
func (g *Conn) chunked(b []byte) (int, *Refusal) {
	n, done, r := g.chunks.scan(b)
	if r != nil {
		return 0, r
	}
	if done {
		g.phase = phaseHead
		return n, nil
	}
	if g.chunks.seen == int64(n) { // the first piece
		return n, g.timeBody()
	}
	return n, nil
}

// readBody hands on more of a body.
func (g *Conn) readBody(p []byte) (int, error) {
	if g.phase == phaseLength {
		n, err := g.take(p[:min(int64(len(p)), g.remaining)])
		g.remaining -= int64(n)
		if g.remaining == 0 {
			g.phase = phaseHead
		}
		return n, err
	}
	if len(g.rest) == 0 {
		if err := g.fill(); err != nil {
			return 0, err
		}
	}
	n, r := g.chunked(g.rest)
	if r != nil {
		return 0, g.reject(r)
	}
	g.cleared = n
	return 0, nil
}

// handOn moves cleared bytes into p.
func (g *Conn) handOn(p []byte) int {
	n := copy(p, g.rest[:g.cleared])
	g.cleared -= n
	g.rest = g.rest[:copy(g.rest, g.rest[n:])]
	if len(g.rest) == 0 && cap(g.rest) > cloudlicenses.MaxHeaderBytes {
		g.rest = nil
	}
	return n
}

// take fills p from rest, or else from the socket.
func (g *Conn) take(p []byte) (int, error) {
	if len(g.rest) == 0 {
		return g.Conn.Read(p)
	}
	n := copy(p, g.rest)
	g.rest = g.rest[:copy(g.rest, g.rest[n:])]
	return n, nil
}

func (g *Conn) keep(b []byte) { g.rest = append(g.rest[:0], b...) }

// fill reads once from the socket behind rest.
func (g *Conn) fill() error {
	const step = 4 << 10
	if cap(g.rest)-len(g.rest) < step {
		g.rest = append(make([]byte, 0, 2*cap(g.rest)+step), g.rest...)
	}
	n, err := g.Conn.Read(g.rest[len(g.rest):cap(g.rest)])
	g.rest = g.rest[:len(g.rest)+n]
	if n > 0 {
		return nil
	}
	return err
}

// timeIdle sets the deadline for the next request's first byte. That of a
// fresh connection was set when it was accepted.
func (g *Conn) timeIdle() error {
	if g.timed == deadlineFirst {
		return nil
	}
	now := time.Now()
	if g.timed == deadlineIdle && now.Sub(g.timedSince) < deadlineSlack {
		return nil
	}
	g.timed, g.timedSince = deadlineIdle, now
	return g.Conn.SetReadDeadline(now.Add(cloudlicenses.IdleTimeout))
}

// timeHead sets the deadline for the rest of a head, once.
func (g *Conn) timeHead() error {
	if g.timed == deadlineFirst || g.timed == deadlineHead {
		return nil
	}
	g.timed = deadlineHead
	return g.Conn.SetReadDeadline(time.Now().Add(cloudlicenses.HeaderTimeout))
}

// timeBody sets the deadline for a body that did not come with its head.
func (g *Conn) timeBody() *Refusal {
	g.timed = deadlineBody
	if g.Conn.SetReadDeadline(time.Now().Add(cloudlicenses.BodyTimeout)) != nil {
		return refuseClosed
	}
	return nil
}

// Address is the peer's, without port.
func (g *Conn) Address() string { return g.address }

// Write writes an answer; nothing follows a refusal.
func (g *Conn) Write(p []byte) (int, error) {
	if g.phase == phaseRefused {
		return 0, net.ErrClosed
	}
	if now := time.Now(); now.Sub(g.writeSince) >= deadlineSlack {
		g.writeSince = now
		if err := g.Conn.SetWriteDeadline(now.Add(WriteTimeout)); err != nil {
			return 0, err
		}
	}
	return g.Conn.Write(p)
}

// reject answers with a refusal and ends the connection.
func (g *Conn) reject(r *Refusal) error {
	g.phase = phaseRefused
	if r == refuseClosed {
		return net.ErrClosed
	}
	_ = g.Conn.SetWriteDeadline(time.Now().Add(drainTime))
	if _, err := g.Conn.Write(g.refuse(r)); err == nil {
		g.lingering.Store(true)
	}
	return net.ErrClosed
}

// Linger makes Close wait until the client has had time to read the answer,
// where it may still be sending.
func (g *Conn) Linger() { g.lingering.Store(true) }

// Close closes the connection, for a refused one after what the client is
// still sending was thrown away for a while.
func (g *Conn) Close() error {
	if g.lingering.Swap(false) {
		if half, ok := g.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			_ = g.Conn.SetReadDeadline(time.Now().Add(drainTime))
			_, _ = io.CopyN(io.Discard, g.Conn, drainBytes)
		}
	}
	return g.Conn.Close()
}

// TLSConn is a Conn over TLS; fasthttp tells TLS by its methods.
type TLSConn struct {
	*Conn
	tls tlsConn
	// serverName and certName are cached by Names: both stay as they are once
	// the handshake is done.
	named                bool
	serverName, certName string
}

// Handshake runs the TLS handshake.
func (g *TLSConn) Handshake() error { return g.tls.Handshake() }

// ConnectionState returns the state of the TLS connection.
func (g *TLSConn) ConnectionState() tls.ConnectionState { return g.tls.ConnectionState() }

// Bare returns the connection without its guard, for a protocol that frames
// by itself; it has the deadline of the handshake.
func (g *TLSConn) Bare() net.Conn { return g.Conn.Conn }

// Names returns the server name the client asked for and the common name of
// its verified certificate; either may be empty.
func (g *TLSConn) Names() (server, cert string) {
	if !g.named {
		state := g.tls.ConnectionState()
		g.named, g.serverName = true, state.ServerName
		if len(state.VerifiedChains) > 0 {
			g.certName = state.VerifiedChains[0][0].Subject.CommonName
		}
	}
	return g.serverName, g.certName
}

// Of returns the guard around a connection, or nil where there is none.
func Of(conn net.Conn) *Conn {
	switch g := conn.(type) {
	case *Conn:
		return g
	case *TLSConn:
		return g.Conn
	}
	return nil
}

func addressOf(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().String()
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}
