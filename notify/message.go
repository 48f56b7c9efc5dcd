package notify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wneessen/go-mail"

	"github.com/cloudlicenses/cloudlicenses"
)

const (
	maxSubject = 200       // characters
	maxName    = 100       // characters of a display name
	maxBody    = 256 << 10 // bytes of each part
	maxID      = 100       // bytes
	maxLine    = 998       // bytes, without its end (RFC 5322, 2.1.1)
)

// Mailer sends a message. Every error is a [*MailError].
type Mailer interface {
	Send(ctx context.Context, m *Message) error
}

// MailError is why a message was not sent. Servers quote whom they refuse: its
// text is kept where it is sealed, and logs get its Class.
type MailError struct {
	// Permanent: the message, its recipient or its sender was refused for good.
	// Otherwise trying again later may help.
	Permanent bool
	Code      int // SMTP reply (RFC 5321, 4.2); 0: the server said nothing
	Err       error
}

func (e *MailError) Error() string { return "mail: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *MailError) Unwrap() error { return e.Err }

// Class is the error without what the server said and what the message holds.
func (e *MailError) Class() string {
	switch {
	case errors.Is(e.Err, ErrMessage):
		return "mail: " + ErrMessage.Error()
	case e.Permanent:
		return "mail: the server refuses it for good"
	case e.Code != 0:
		return "mail: the server refuses it for now"
	}
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	var file *fs.PathError
	switch {
	case errors.As(e.Err, &network):
		return "mail: " + network.Error()
	case errors.As(e.Err, &certificate):
		return "mail: " + certificate.Error()
	case errors.As(e.Err, &file):
		return "mail: " + file.Error()
	case errors.Is(e.Err, context.DeadlineExceeded):
		return "mail: the server takes too long"
	}
	return "mail: it could not be handed over"
}

// ErrMessage: the message itself cannot be sent by anybody. Permanent.
var ErrMessage = errors.New("not a message that can be sent")

// ID names a delivery: the stable id of its outbox record, the same in every
// attempt. 1–100 letters, digits, "-" and "_", the first a letter or digit: safe
// in a header, in a file's name, and in what a webhook signs.
type ID string

// For returns the id of the one of a record's deliveries that goes to receiver,
// an address or a URL: a record may have several. 17 characters longer.
func (id ID) For(receiver string) ID {
	sum := sha256.Sum256([]byte(receiver))
	return id + "-" + ID(hex.EncodeToString(sum[:8]))
}

func (id ID) valid() bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !alphanumeric(c) && (i == 0 || c != '-' && c != '_') {
			return false
		}
	}
	return true
}

// Message is one mail to one recipient.
type Message struct {
	ID      ID // makes the Message-ID: <ID@domain of From>
	From    Address
	To      Address
	Subject string    // one line, up to 200 characters
	Text    string    // the plain part, up to 256 KiB
	HTML    string    // the HTML part, a document of its own
	Date    time.Time // when what it tells of was, so that a repetition says the same
}

// Address is a mailbox.
type Address struct {
	Name  string // to show, up to 100 characters; may be empty
	Email string // local@domain, in ASCII; an internationalized domain as xn--
}

// ParseAddress reads "local@domain" or "Name <local@domain>" (RFC 5322, 3.4).
// Errors: [ErrMessage].
func ParseAddress(text string) (Address, error) {
	parsed, err := netmail.ParseAddress(text)
	if err != nil {
		return Address{}, fmt.Errorf("%w: an address: %w", ErrMessage, err)
	}
	a := Address{Name: parsed.Name, Email: parsed.Address}
	return a, a.Check()
}

// Check returns an [ErrMessage] where a is not an address that mail can be sent
// to: no quoted local parts, no address literals, nothing past ASCII.
func (a Address) Check() error {
	if email, err := cloudlicenses.NormalizeEmail(a.Email); err != nil || !strings.EqualFold(email, a.Email) {
		return fmt.Errorf("%w: not an address: %q", ErrMessage, a.Email)
	}
	if !oneLine(a.Name) || utf8.RuneCountInString(a.Name) > maxName {
		return fmt.Errorf("%w: not a name: %q", ErrMessage, a.Name)
	}
	return nil
}

func (a Address) domain() string { return a.Email[strings.LastIndexByte(a.Email, '@')+1:] }

func (a Address) netmail() *netmail.Address {
	return &netmail.Address{Name: a.Name, Address: a.Email}
}

// check refuses everything that could make a header say more than its field.
func (m *Message) check() error {
	if !m.ID.valid() {
		return fmt.Errorf("%w: id %q", ErrMessage, m.ID)
	}
	if err := m.From.Check(); err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	if err := m.To.Check(); err != nil {
		return fmt.Errorf("recipient: %w", err)
	}
	if strings.TrimSpace(m.Subject) == "" || !oneLine(m.Subject) || utf8.RuneCountInString(m.Subject) > maxSubject {
		return fmt.Errorf("%w: subject %q", ErrMessage, m.Subject)
	}
	for _, body := range []string{m.Text, m.HTML} {
		if body == "" || len(body) > maxBody || !utf8.ValidString(body) {
			return fmt.Errorf("%w: a part is empty, past %d bytes or not UTF-8", ErrMessage, maxBody)
		}
	}
	if m.Date.IsZero() {
		return fmt.Errorf("%w: no date", ErrMessage)
	}
	return nil
}

// compose makes the message as it goes out: multipart/alternative, both parts
// quoted-printable. A plain one is for readers of the file: its parts are as they
// were written (8bit, RFC 2045, 2.8), where their lines are short enough, so that a
// link can be copied out. Mail servers need not take that (RFC 6152).
func (m *Message) compose(plain bool) (*mail.Msg, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.From.netmail())
	msg.ToMailAddress(m.To.netmail())
	msg.Subject(m.Subject)
	msg.SetDateWithValue(m.Date.UTC())
	msg.SetMessageIDWithValue(string(m.ID) + "@" + m.From.domain())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, 5
	msg.SetGenHeader(mail.HeaderXAutoResponseSuppress, "All")
	text, encoding := part(m.Text, plain)
	msg.SetBodyString(mail.TypeTextPlain, text, encoding)
	html, encoding := part(m.HTML, plain)
	msg.AddAlternativeString(mail.TypeTextHTML, html, encoding)
	return msg, nil
}

// part returns a body as the library wants it for its encoding. It ends the lines
// of quoted-printable itself.
func part(body string, plain bool) (string, mail.PartOption) {
	if !plain || slices.ContainsFunc(strings.Split(body, "\n"), func(line string) bool { return len(line) > maxLine }) {
		return body, mail.WithPartEncoding(mail.EncodingQP)
	}
	return strings.ReplaceAll(body, "\n", "\r\n"), mail.WithPartEncoding(mail.NoEncoding)
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// Line makes what somebody has chosen fit for [Address].Name and for a subject:
// one line of at most 100 characters, which means nothing but itself.
func Line(s string) string {
	s = strings.Map(func(r rune) rune {
		if notOfLine(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	s = strings.ReplaceAll(s, encodedWord, "= ?")
	return shorten(strings.Join(strings.Fields(s), " "), maxName)
}

// encodedWord begins what readers of headers decode (RFC 2047, 2): whoever could
// write it could make a header show what nobody has checked.
const encodedWord = "=?"

// oneLine reports whether s is UTF-8 without controls, line separators, marks
// that turn the direction of what follows, and encoded words.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, notOfLine) && !strings.Contains(s, encodedWord)
}

func notOfLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}
