// Package mailbox is a mail server for tests: real SMTP over a real socket, which
// keeps what it takes.
package mailbox

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"sync"

	"github.com/emersion/go-smtp"
)

// Server is a mail server without TLS on a port of 127.0.0.1.
type Server struct {
	// Taken, where it is set, is asked before the server says that it has taken
	// a message, which it keeps by then. It is set before the first message.
	Taken func(*mail.Message) error

	listener net.Listener
	smtp     *smtp.Server
	ended    chan struct{}

	mu       sync.Mutex
	messages []Message
}

// Message is a mail that the server has taken.
type Message struct {
	To   string
	ID   string // Message-ID, with its brackets
	Data []byte
}

// Start starts a server.
func Start() (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	s := &Server{listener: listener, ended: make(chan struct{})}
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{server: s}, nil }))
	s.smtp.Domain = "mail.test"
	s.smtp.ErrorLog = log.New(io.Discard, "", 0)
	go func() {
		defer close(s.ended)
		_ = s.smtp.Serve(listener)
	}()
	return s, nil
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Port is the server's port.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port } //nolint:forcetypeassert // it listens on TCP

// Close stops the server.
func (s *Server) Close() {
	_ = s.listener.Close() // the server may not know it yet
	_ = s.smtp.Close()
	<-s.ended
}

// Messages returns what was taken, oldest first.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// To returns the messages to an address.
func (s *Server) To(address string) (found []Message) {
	for _, m := range s.Messages() {
		if m.To == address {
			found = append(found, m)
		}
	}
	return found
}

type session struct {
	server *Server
	to     string
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	message, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	s.server.messages = append(s.server.messages, Message{To: s.to, ID: message.Header.Get("Message-Id"), Data: data})
	s.server.mu.Unlock()
	if s.server.Taken != nil {
		return s.server.Taken(message)
	}
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }
