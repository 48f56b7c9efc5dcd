package bench

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// replyTimeout is longer than any request may take.
	replyTimeout = 20 * time.Second
	// maxHeadBytes bounds the head of a reply.
	maxHeadBytes = 16 << 10
)

// conn is one HTTP/1.1 connection with one request on its way at a time. It
// reads of a reply what a benchmark needs, straight from its buffer: a client
// that costs as much as the server measures itself.
type conn struct {
	addr   string
	tls    *tls.Config // nil: plain
	c      net.Conn    // nil: to be dialed
	buf    []byte      // of what was read
	from   int         // start of what was not used yet in buf
	out    []byte      // the request
	expiry time.Time   // deadline in force
}

// reply is what came back. Body aliases the connection's buffer and holds
// until the next request.
type reply struct {
	status int
	body   []byte
	// leader is the base URL of the leader where the request was forwarded; it
	// aliases the buffer, too.
	leader []byte
}

func newConn(addr string, cfg *tls.Config) *conn {
	return &conn{addr: addr, tls: cfg, buf: make([]byte, 0, 4096), out: make([]byte, 0, 1024)}
}

func (c *conn) dial() error {
	dialer := &net.Dialer{Timeout: dialTimeout}
	var err error
	if c.tls == nil {
		c.c, err = dialer.Dial("tcp", c.addr)
	} else {
		c.c, err = tls.DialWithDialer(dialer, "tcp", c.addr, c.tls)
	}
	if err != nil {
		c.c = nil
		return err
	}
	c.buf, c.from, c.expiry = c.buf[:0], 0, time.Time{}
	return nil
}

// close ends the connection; the next request dials anew.
func (c *conn) close() {
	if c.c != nil {
		_ = c.c.Close()
		c.c = nil
	}
}

// roundTrip sends c.out and reads the reply. After an error the connection is
// closed, and whether the request took effect is unknown.
func (c *conn) roundTrip() (reply, error) {
	if c.c == nil {
		if err := c.dial(); err != nil {
			return reply{}, err
		}
	}
	r, err := c.exchange()
	if err != nil {
		c.close()
	}
	return r, err
}

func (c *conn) exchange() (reply, error) {
	if err := c.extend(); err != nil {
		return reply{}, err
	}
	if _, err := c.c.Write(c.out); err != nil {
		return reply{}, err
	}
	c.buf, c.from = c.buf[:0], 0
	head, err := c.readHead()
	if err != nil {
		return reply{}, err
	}
	r, length, err := parseHead(head)
	if err != nil {
		return reply{}, err
	}
	for len(c.buf)-c.from < length {
		if err := c.read(); err != nil {
			return reply{}, err
		}
	}
	r.body = c.buf[c.from : c.from+length]
	return r, nil
}

// extend moves the deadline where it comes close: one call in thousands,
// instead of one per request.
func (c *conn) extend() error {
	now := time.Now()
	if c.expiry.Sub(now) > replyTimeout/2 {
		return nil
	}
	c.expiry = now.Add(replyTimeout)
	return c.c.SetDeadline(c.expiry)
}

var (
	crlf    = []byte("\r\n")
	headEnd = []byte("\r\n\r\n")
)

// readHead reads up to the empty line and returns what is before it.
func (c *conn) readHead() ([]byte, error) {
	for {
		if i := bytes.Index(c.buf, headEnd); i >= 0 {
			c.from = i + len(headEnd)
			return c.buf[:i+len(crlf)], nil
		}
		if len(c.buf) > maxHeadBytes {
			return nil, errors.New("the head of a reply does not end")
		}
		if err := c.read(); err != nil {
			return nil, err
		}
	}
}

// read reads what there is. Room for a body's end is made by growing.
func (c *conn) read() error {
	if len(c.buf) == cap(c.buf) {
		grown := make([]byte, len(c.buf), 2*cap(c.buf))
		copy(grown, c.buf)
		c.buf = grown
	}
	n, err := c.c.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

const statusLine = "HTTP/1.1 200"

// parseHead reads the status line and the headers that matter.
func parseHead(head []byte) (r reply, length int, err error) {
	line, rest, _ := bytes.Cut(head, crlf)
	if len(line) < len(statusLine) {
		return r, 0, fmt.Errorf("no HTTP reply: %.40q", line)
	}
	if r.status, err = strconv.Atoi(string(line[len(statusLine)-3 : len(statusLine)])); err != nil {
		return r, 0, fmt.Errorf("no HTTP reply: %.40q", line)
	}
	length = -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, crlf)
		switch {
		case isHeader(line, "content-length"):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len("content-length:"):]))); err != nil {
				return r, 0, fmt.Errorf("reply with %q", line)
			}
		case isHeader(line, "x-leader"):
			r.leader = bytes.TrimSpace(line[len("x-leader:"):])
		}
	}
	if length < 0 {
		return r, 0, errors.New("reply without Content-Length")
	}
	return r, length, nil
}

// isHeader reports whether a header line has the given name, in lower case.
func isHeader(line []byte, name string) bool {
	if len(line) <= len(name) || line[len(name)] != ':' {
		return false
	}
	for i := range name {
		if line[i]|0x20 != name[i] {
			return false
		}
	}
	return true
}
