package redis

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// wire speaks as much RESP as a call needs, because a client's cost counts where
// client and servers share the processors: next to redigo it saves a tenth of
// the client's CPU time.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte // reused
}

func newWire(conn net.Conn) *wire { return &wire{conn: conn, in: bufio.NewReader(conn)} }

// callAndWait sends a function's call and a WAIT for replicas in one packet.
// args are the function's name, the number of its keys, keys and arguments.
func (w *wire) callAndWait(args ...string) (done, replicas int, err error) {
	w.out = appendCommand(w.out[:0], "FCALL", args...)
	w.out = append(w.out, waitCommand...)
	if _, err := w.conn.Write(w.out); err != nil {
		return 0, 0, err
	}
	done, err = w.integer()
	if err != nil && !errors.As(err, new(refusal)) {
		return 0, 0, err
	}
	// The second reply has to be taken from the connection in any case.
	replicas, waitErr := w.integer()
	return done, replicas, errors.Join(err, waitErr)
}

var waitCommand = appendCommand(nil, "WAIT", strconv.Itoa(waitReplicas), strconv.FormatInt(waitTimeout.Milliseconds(), 10))

// appendCommand adds a command to b: *<words>\r\n, then $<bytes>\r\n<word>\r\n
// for each word.
func appendCommand(b []byte, name string, args ...string) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(1+len(args)), 10)
	b = append(b, "\r\n"...)
	b = appendWord(b, name)
	for _, arg := range args {
		b = appendWord(b, arg)
	}
	return b
}

func appendWord(b []byte, word string) []byte {
	b = append(b, '$')
	b = strconv.AppendInt(b, int64(len(word)), 10)
	b = append(b, "\r\n"...)
	b = append(b, word...)
	return append(b, "\r\n"...)
}

// refusal is an error that Redis answered: the connection goes on.
type refusal string

func (r refusal) Error() string { return "redis: " + string(r) }

// integer reads one reply: :<n>\r\n, or -<error>\r\n.
func (w *wire) integer() (int, error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 3 {
		return 0, fmt.Errorf("redis: reply %q", line)
	}
	body := string(line[1 : len(line)-2])
	switch line[0] {
	case ':':
		return strconv.Atoi(body)
	case '-':
		return 0, refusal(body)
	default:
		return 0, fmt.Errorf("redis: reply %q", line)
	}
}
