package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/cloudlicenses/cloudlicenses"
)

// TLSMode is how a connection to a mail server is secured.
type TLSMode int

const (
	// StartTLSRequired is STARTTLS (RFC 3207), or nothing is sent.
	StartTLSRequired TLSMode = iota
	// StartTLSOptional is STARTTLS where the server offers it, else in the clear.
	// Not with a password. A certificate that does not hold is an error all the same.
	StartTLSOptional
	// ImplicitTLS is TLS from the first byte (RFC 8314, 3.3).
	ImplicitTLS
)

// ParseTLSMode reads a mode as configurations write it.
func ParseTLSMode(text string) (TLSMode, error) {
	switch text {
	case "required", "":
		return StartTLSRequired, nil
	case "optional":
		return StartTLSOptional, nil
	case "implicit":
		return ImplicitTLS, nil
	}
	return 0, fmt.Errorf("TLS mode %q: one of required, optional, implicit", text)
}

// SMTPConfig says where mail goes out.
type SMTPConfig struct {
	Host       string // name or address
	Port       int    // 0: 587, or 465 for ImplicitTLS
	TLS        TLSMode
	ServerName string         // what the certificate must be for; "": Host
	RootCAs    *x509.CertPool // nil: the system's
	User       string         // "": without authentication
	Password   string
	Hello      string        // our name in EHLO; "": the machine's
	Timeout    time.Duration // of connecting, of logging in, of handing over, each; 0: 30 s
}

const (
	defaultSMTPTimeout = 30 * time.Second
	// maxReplyBytes bounds what a server may say on one connection.
	maxReplyBytes = 256 << 10
)

// SMTP is a [Mailer] that hands each message to one server, over a connection of
// its own. Safe for concurrent use.
type SMTP struct {
	config SMTPConfig
	tls    *tls.Config
}

// NewSMTP checks the configuration; it connects to nothing.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	if c.Host == "" || c.Port < 0 || c.Port > 65535 {
		return nil, fmt.Errorf("mail server: %q is no host, or %d no port", c.Host, c.Port)
	}
	if c.TLS == StartTLSOptional && c.User != "" {
		return nil, errors.New("mail server: a password is sent over TLS only: require STARTTLS, or use implicit TLS")
	}
	if c.Port == 0 {
		c.Port = 587
		if c.TLS == ImplicitTLS {
			c.Port = 465
		}
	}
	if c.ServerName == "" {
		c.ServerName = c.Host
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultSMTPTimeout
	}
	if c.Hello == "" {
		c.Hello = "localhost"
		if name, err := os.Hostname(); err == nil && cloudlicenses.ValidHost(name) {
			c.Hello = name
		}
	}
	if !cloudlicenses.ValidHost(c.Hello) {
		return nil, fmt.Errorf("mail server: %q is no name for EHLO", c.Hello)
	}
	return &SMTP{config: c, tls: &tls.Config{ServerName: c.ServerName, RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12}}, nil
}

// Send hands the message over. An error is permanent where the server has
// refused this message with a 5xx: its sender, its recipient or its content.
// What goes wrong before that, a refused password among it, is for an operator
// to mend, and therefore temporary, as are 4xx and everything of the network.
func (s *SMTP) Send(ctx context.Context, m *Message) error {
	msg, err := m.compose(false)
	if err != nil {
		return &MailError{Permanent: true, Err: err}
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return temporary(ctx, err)
	}
	// The library closes no connection whose greeting fails, and does not look at
	// a context once it has one.
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	client, err := s.client(conn)
	if err != nil {
		return temporary(ctx, err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return temporary(ctx, err)
	}
	err = client.SendWithSMTPClient(session, msg)
	if msg.IsDelivered() { // what goes wrong after that is of no matter
		_ = client.CloseWithSMTPClient(session)
		return nil
	}
	return refusal(ctx, err)
}

// connect returns a connection to the server, with TLS in force where that is
// implicit.
func (s *SMTP) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(s.config.Host, strconv.Itoa(s.config.Port)))
	if err != nil {
		return nil, err
	}
	capped := &cappedConn{Conn: raw, left: maxReplyBytes}
	if s.config.TLS != ImplicitTLS {
		return capped, nil
	}
	secured := tls.Client(capped, s.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return secured, nil
}

// client returns a client of the library that speaks over conn.
func (s *SMTP) client(conn net.Conn) (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(s.config.Port), mail.WithTimeout(s.config.Timeout), mail.WithHELO(s.config.Hello),
		mail.WithTLSConfig(s.tls), mail.WithoutNoop(), mail.WithoutRset(), mail.WithoutSMTPUTF8(),
		mail.WithDialContextFunc(func(context.Context, string, string) (net.Conn, error) { return conn, nil }),
	}
	switch s.config.TLS {
	case StartTLSRequired:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case StartTLSOptional:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case ImplicitTLS:
		options = append(options, mail.WithSSL())
	}
	if s.config.User != "" {
		options = append(options, mail.WithUsername(s.config.User), mail.WithPassword(s.config.Password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthSCRAMSHA256))
	}
	return mail.NewClient(s.config.Host, options...)
}

// temporary wraps what has nothing to do with the message.
func temporary(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err() // not the closed connection that it led to
	}
	failure := &MailError{Err: err}
	var reply *textproto.Error
	if errors.As(err, &reply) {
		failure.Code = reply.Code
	}
	return failure
}

// refusal classes an error of the message's own commands, MAIL to the end of DATA.
func refusal(ctx context.Context, err error) error {
	var send *mail.SendError
	if !errors.As(err, &send) || send.ErrorCode() == 0 {
		return temporary(ctx, err)
	}
	text, _, _ := strings.Cut(send.Error(), ", affected ")
	return &MailError{Permanent: send.ErrorCode() >= 500, Code: send.ErrorCode(), Err: errors.New(text)}
}

// cappedConn is a connection from which only so much may be read: a server's
// replies have no end of their own.
type cappedConn struct {
	net.Conn
	left int // bytes; read by one goroutine
}

func (c *cappedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the server has said more than %d bytes", maxReplyBytes)
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
