package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

var discard = log.New(io.Discard, "", 0)

// mailbox is a mail server over real sockets, and what it has been told.
type mailbox struct {
	addr   *net.TCPAddr
	refuse map[string]error // by command: "MAIL", "RCPT", "DATA"; set before start

	mu       sync.Mutex
	commands []string // all sessions': "AUTH user", "MAIL from", …
	received []received
}

type received struct {
	from, to, user string
	secured        bool
	data           string
}

type session struct {
	box            *mailbox
	conn           *smtp.Conn
	from, to, user string
}

// newMailbox starts a server: with implicit TLS, or with STARTTLS where config is
// not nil, or without TLS.
func newMailbox(t *testing.T, config *tls.Config, implicit bool, prepare func(*mailbox)) *mailbox {
	t.Helper()
	box := &mailbox{refuse: map[string]error{}}
	if prepare != nil {
		prepare(box)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	box.addr = listener.Addr().(*net.TCPAddr)
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{box: box, conn: c}, nil
	}))
	server.Domain = "mail.test"
	server.AllowInsecureAuth = true // what must never be asked for is offered
	server.ErrorLog = discard
	if implicit {
		listener = tls.NewListener(listener, config)
	} else {
		server.TLSConfig = config
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = listener.Close() // the server may not know it yet
		_ = server.Close()
		<-ended
	})
	return box
}

func (b *mailbox) note(command string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commands = append(b.commands, command)
	word, _, _ := strings.Cut(command, " ")
	return b.refuse[word]
}

func (b *mailbox) all() ([]received, []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.received, b.commands
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		_ = s.box.note("AUTH " + user)
		if user != "cloud" || password != "let me in" {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return s.box.note("MAIL " + from)
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return s.box.note("RCPT " + to)
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.box.note("DATA"); err != nil {
		return err
	}
	_, secured := s.conn.TLSConnectionState()
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.received = append(s.box.received, received{from: s.from, to: s.to, user: s.user, secured: secured, data: string(data)})
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// to returns a mailer for the box.
func (b *mailbox) to(t *testing.T, change func(*SMTPConfig)) *SMTP {
	t.Helper()
	c := SMTPConfig{Host: "127.0.0.1", Port: b.addr.Port, ServerName: "mail.test", Hello: "node.test", Timeout: 10 * time.Second}
	if change != nil {
		change(&c)
	}
	m, err := NewSMTP(c)
	require.NoError(t, err)
	return m
}

func mailError(t *testing.T, err error) *MailError {
	t.Helper()
	var failure *MailError
	require.ErrorAs(t, err, &failure)
	return failure
}

func TestSMTPInEveryMode(t *testing.T) {
	ca := newAuthority(t)
	config := ca.server(t, "mail.test")
	for name, c := range map[string]struct {
		server   *tls.Config
		implicit bool
		mode     TLSMode
		user     string
		secured  bool
	}{
		"STARTTLS required":             {config, false, StartTLSRequired, "", true},
		"STARTTLS required, password":   {config, false, StartTLSRequired, "cloud", true},
		"STARTTLS optional and offered": {config, false, StartTLSOptional, "", true},
		"STARTTLS optional, not there":  {nil, false, StartTLSOptional, "", false},
		"implicit":                      {config, true, ImplicitTLS, "", true},
		"implicit, password":            {config, true, ImplicitTLS, "cloud", true},
	} {
		t.Run(name, func(t *testing.T) {
			box := newMailbox(t, c.server, c.implicit, nil)
			mailer := box.to(t, func(s *SMTPConfig) {
				s.TLS, s.RootCAs, s.User, s.Password = c.mode, ca.pool, c.user, "let me in"
			})
			for range 2 { // the second time it is a repetition
				require.NoError(t, mailer.Send(context.Background(), testMessage()))
			}
			got, _ := box.all()
			require.Len(t, got, 2)
			for _, r := range got {
				require.Equal(t, c.secured, r.secured)
				require.Equal(t, c.user, r.user)
				require.Equal(t, "license-server@cloudlicenses.com", r.from)
				require.Equal(t, "admin@mercedes.com", r.to)
				requireMessage(t, testMessage(), r.data)
			}
		})
	}
}

// TestSMTPKeepsToTLS: where the connection cannot be trusted neither mail nor
// password is sent, and it is not the message's fault.
func TestSMTPKeepsToTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good, wrongName := ca.server(t, "mail.test"), ca.server(t, "evil.test")
	for name, c := range map[string]struct {
		server   *tls.Config
		implicit bool
		change   func(*SMTPConfig)
	}{
		"no STARTTLS":             {nil, false, func(*SMTPConfig) {}},
		"another name":            {wrongName, false, func(*SMTPConfig) {}},
		"another name, implicit":  {wrongName, true, func(c *SMTPConfig) { c.TLS = ImplicitTLS }},
		"another name, optional":  {wrongName, false, func(c *SMTPConfig) { c.TLS, c.User = StartTLSOptional, "" }},
		"unknown authority":       {good, false, func(c *SMTPConfig) { c.RootCAs = other.pool }},
		"unknown to the system":   {good, true, func(c *SMTPConfig) { c.TLS, c.RootCAs = ImplicitTLS, nil }},
		"the host is not a name":  {good, false, func(c *SMTPConfig) { c.ServerName = "" }},
		"plain where it is to be": {nil, false, func(c *SMTPConfig) { c.TLS, c.Timeout = ImplicitTLS, 500*time.Millisecond }},
	} {
		t.Run(name, func(t *testing.T) {
			box := newMailbox(t, c.server, c.implicit, nil)
			err := box.to(t, func(s *SMTPConfig) {
				s.RootCAs, s.User, s.Password = ca.pool, "cloud", "let me in"
				c.change(s)
			}).Send(context.Background(), testMessage())
			require.False(t, mailError(t, err).Permanent)
			_, commands := box.all()
			require.Empty(t, commands)
		})
	}
}

func TestSMTPConfigIsChecked(t *testing.T) {
	for _, c := range []SMTPConfig{
		{}, {Host: "mail.test", Port: 70000}, {Host: "mail.test", Hello: "a b"},
		{Host: "mail.test", TLS: StartTLSOptional, User: "cloud", Password: "let me in"},
	} {
		_, err := NewSMTP(c)
		require.Error(t, err)
	}
	for mode, port := range map[TLSMode]int{StartTLSRequired: 587, StartTLSOptional: 587, ImplicitTLS: 465} {
		m, err := NewSMTP(SMTPConfig{Host: "mail.test", TLS: mode})
		require.NoError(t, err)
		require.Equal(t, port, m.config.Port)
	}
	for text, want := range map[string]TLSMode{"": StartTLSRequired, "required": StartTLSRequired, "optional": StartTLSOptional, "implicit": ImplicitTLS} {
		got, err := ParseTLSMode(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ParseTLSMode("none")
	require.Error(t, err)
}

func TestSMTPRefusals(t *testing.T) {
	for _, command := range []string{"MAIL", "RCPT", "DATA"} {
		for _, code := range []int{421, 450, 451, 452, 550, 552, 554} {
			box := newMailbox(t, nil, false, func(b *mailbox) {
				b.refuse[command] = &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "<admin@mercedes.com>: no, thank you"}
			})
			failure := mailError(t, box.to(t, func(c *SMTPConfig) { c.TLS = StartTLSOptional }).Send(context.Background(), testMessage()))
			require.Equal(t, code >= 500, failure.Permanent, "%s %d: %v", command, code, failure)
			require.Equal(t, code, failure.Code)
			require.Contains(t, failure.Error(), "no, thank you")
			require.NotContains(t, failure.Class(), "admin@mercedes.com")
			got, _ := box.all()
			require.Empty(t, got)
		}
	}
}

// TestSMTPWrongPassword: it is wrong for every mail, and an operator's to mend.
func TestSMTPWrongPassword(t *testing.T) {
	ca := newAuthority(t)
	box := newMailbox(t, ca.server(t, "mail.test"), false, nil)
	failure := mailError(t, box.to(t, func(c *SMTPConfig) {
		c.RootCAs, c.User, c.Password = ca.pool, "cloud", "guess"
	}).Send(context.Background(), testMessage()))
	require.False(t, failure.Permanent)
	require.Equal(t, 535, failure.Code)
	require.NotContains(t, failure.Error(), "guess")
	_, commands := box.all()
	require.Equal(t, []string{"AUTH cloud"}, commands)
}

// script is a mail server that says what it is told to, line by line.
func script(t *testing.T, talk func(c net.Conn, in *bufio.Reader)) *mailbox {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				talk(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	return &mailbox{addr: listener.Addr().(*net.TCPAddr)}
}

// polite answers every command with yes until it returns false.
func polite(c net.Conn, in *bufio.Reader, each func(line string) (answer string, on bool)) {
	_, _ = io.WriteString(c, "220 mail.test\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		answer, on := each(strings.TrimSpace(line))
		_, _ = io.WriteString(c, answer)
		if !on {
			return
		}
	}
}

func TestSMTPNetworkFailuresAreTemporary(t *testing.T) {
	closed := &mailbox{addr: &net.TCPAddr{Port: 1}}
	for name, box := range map[string]*mailbox{
		"nobody there": closed,
		"hangs up":     script(t, func(net.Conn, *bufio.Reader) {}),
		"busy":         script(t, func(c net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(c, "421 too busy\r\n") }),
		"no service":   script(t, func(c net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(c, "554 go away\r\n") }),
		"not SMTP":     script(t, func(c net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }),
		"mute": script(t, func(_ net.Conn, in *bufio.Reader) {
			_, _ = io.Copy(io.Discard, in)
		}),
		"never done": script(t, func(c net.Conn, _ *bufio.Reader) {
			line := []byte("220-" + strings.Repeat("x", 1000) + "\r\n")
			for err := error(nil); err == nil; {
				_, err = c.Write(line)
			}
		}),
		"hangs up in the middle": script(t, func(c net.Conn, in *bufio.Reader) {
			polite(c, in, func(line string) (string, bool) {
				if strings.HasPrefix(line, "RCPT") {
					return "", false
				}
				return "250 yes\r\n", true
			})
		}),
		"hangs up instead of an answer": script(t, func(c net.Conn, in *bufio.Reader) {
			polite(c, in, func(line string) (string, bool) {
				switch line {
				case "DATA":
					return "354 go on\r\n", true
				case ".":
					return "", false
				}
				if strings.HasPrefix(line, "MAIL") || strings.HasPrefix(line, "RCPT") || strings.HasPrefix(line, "EHLO") {
					return "250 yes\r\n", true
				}
				return "", true
			})
		}),
	} {
		t.Run(name, func(t *testing.T) {
			err := box.to(t, func(c *SMTPConfig) { c.TLS, c.Timeout = StartTLSOptional, 2*time.Second }).Send(context.Background(), testMessage())
			require.False(t, mailError(t, err).Permanent, "%v", err)
		})
	}
}

// TestSMTPEndsWithItsContext: in the middle of a session.
func TestSMTPEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	box := script(t, func(c net.Conn, in *bufio.Reader) {
		polite(c, in, func(line string) (string, bool) {
			if strings.HasPrefix(line, "MAIL") {
				cancel()
				return "", true
			}
			return "250 yes\r\n", true
		})
	})
	err := box.to(t, func(c *SMTPConfig) { c.TLS, c.Timeout = StartTLSOptional, time.Hour }).Send(ctx, testMessage())
	require.False(t, mailError(t, err).Permanent)
	require.ErrorIs(t, err, context.Canceled)
}

// TestSMTPDeliveredIsDelivered: a server that is gone once it has said yes has
// the mail, and must not get it again.
func TestSMTPDeliveredIsDelivered(t *testing.T) {
	box := script(t, func(c net.Conn, in *bufio.Reader) {
		inData := false
		polite(c, in, func(line string) (string, bool) {
			switch {
			case line == "DATA":
				inData = true
				return "354 go on\r\n", true
			case line == ".":
				return "250 taken\r\n", false
			case inData:
				return "", true
			}
			return "250 yes\r\n", true
		})
	})
	require.NoError(t, box.to(t, func(c *SMTPConfig) { c.TLS = StartTLSOptional }).Send(context.Background(), testMessage()))
}

func TestSMTPRefusesABadMessageItself(t *testing.T) {
	box := newMailbox(t, nil, false, nil)
	m := testMessage()
	m.Subject = "Hello\r\nBcc: everybody@example.com"
	err := box.to(t, func(c *SMTPConfig) { c.TLS = StartTLSOptional }).Send(context.Background(), m)
	require.True(t, mailError(t, err).Permanent)
	require.True(t, errors.Is(err, ErrMessage))
	_, commands := box.all()
	require.Empty(t, commands)
}
