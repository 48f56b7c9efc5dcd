package notify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func testMessage() *Message {
	return &Message{
		ID:      "g1-42",
		From:    Address{Name: "Lizenzserver “Süd”", Email: "license-server@cloudlicenses.com"},
		To:      Address{Name: "License Administrator", Email: "admin@mercedes.com"},
		Subject: "Für Sie: 20 new licenses, and a subject that is long enough to be folded onto a second line",
		Text:    "Grüße,\n\n.\n.. a line of a dot ends no mail\nFrom here on\n" + strings.Repeat("long ", 300) + "\n",
		HTML:    "<p>Grüße</p>\n" + strings.Repeat("<br>", 500) + "\n",
		Date:    time.Date(2026, 11, 23, 22, 30, 0, 0, time.FixedZone("", 3600)),
	}
}

// headers are all that a mail of ours has, in the order of their names.
var headers = []string{"Auto-Submitted", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "X-Auto-Response-Suppress"}

// requireMessage reads a mail as its receiver does, and compares.
func requireMessage(t *testing.T, want *Message, raw string) {
	t.Helper()
	got, err := netmail.ReadMessage(strings.NewReader(raw))
	require.NoError(t, err)
	var names []string
	for name, values := range got.Header {
		names = append(names, name)
		require.Len(t, values, 1, name)
	}
	slices.Sort(names)
	require.Equal(t, headers, names)

	require.Equal(t, "auto-generated", got.Header.Get("Auto-Submitted"))
	require.Equal(t, "All", got.Header.Get("X-Auto-Response-Suppress"))
	require.Equal(t, "<"+string(want.ID)+"@"+want.From.domain()+">", got.Header.Get("Message-ID"))
	date, err := got.Header.Date()
	require.NoError(t, err)
	require.True(t, date.Equal(want.Date.Truncate(time.Second)), "%v", date)
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	require.NoError(t, err)
	require.Equal(t, want.Subject, subject)
	for header, address := range map[string]Address{"From": want.From, "To": want.To} {
		list, err := got.Header.AddressList(header)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, address, Address{Name: list[0].Name, Email: list[0].Address})
	}

	kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := multipart.NewReader(got.Body, params["boundary"])
	for _, part := range []struct{ kind, body string }{{"text/plain; charset=UTF-8", want.Text}, {"text/html; charset=UTF-8", want.HTML}} {
		p, err := parts.NextRawPart()
		require.NoError(t, err)
		require.Equal(t, part.kind, p.Header.Get("Content-Type"))
		var decoded io.Reader = p
		if encoding := p.Header.Get("Content-Transfer-Encoding"); encoding != "8bit" {
			require.Equal(t, "quoted-printable", encoding)
			decoded = quotedprintable.NewReader(p)
		}
		body, err := io.ReadAll(decoded)
		require.NoError(t, err)
		require.Equal(t, part.body, strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	_, err = parts.NextRawPart()
	require.ErrorIs(t, err, io.EOF)
	for line := range strings.SplitSeq(raw, "\r\n") {
		require.NotContains(t, line, "\n")
		require.LessOrEqual(t, len(line), 998) // RFC 5322, 2.1.1
	}
}

func TestMessageRefusesWhatIsNotAMail(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, change := range map[string]func(*Message){
		"no id":                  func(m *Message) { m.ID = "" },
		"id with a path":         func(m *Message) { m.ID = "../g1-42" },
		"id with a dot":          func(m *Message) { m.ID = "g1.42" },
		"hidden id":              func(m *Message) { m.ID = "-g1" },
		"id with a line":         func(m *Message) { m.ID = "g1\r\nBcc" },
		"long id":                func(m *Message) { m.ID = ID(long) },
		"no sender":              func(m *Message) { m.From = Address{} },
		"no recipient":           func(m *Message) { m.To = Address{} },
		"two recipients":         func(m *Message) { m.To.Email = "a@b.com, c@d.com" },
		"recipient with a line":  func(m *Message) { m.To.Email = "a@b.com\r\nRCPT TO:<c@d.com>" },
		"recipient in brackets":  func(m *Message) { m.To.Email = "<a@b.com>" },
		"recipient with options": func(m *Message) { m.To.Email = "a@b.com> NOTIFY=NEVER" },
		"quoted recipient":       func(m *Message) { m.To.Email = `"a b"@b.com` },
		"literal":                func(m *Message) { m.To.Email = "a@[127.0.0.1]" },
		"address":                func(m *Message) { m.To.Email = "a@127.0.0.1" },
		"two ats":                func(m *Message) { m.To.Email = "a@b@c.com" },
		"dots":                   func(m *Message) { m.To.Email = "a..b@c.com" },
		"host with dots":         func(m *Message) { m.To.Email = "a@c..com" },
		"host with a dash":       func(m *Message) { m.To.Email = "a@-c.com" },
		"past ASCII":             func(m *Message) { m.To.Email = "jürgen@c.com" },
		"long local part":        func(m *Message) { m.To.Email = strings.Repeat("x", 65) + "@c.com" },
		"long address":           func(m *Message) { m.To.Email = "a@" + strings.Repeat("b.", 130) + "com" },
		"name with a line":       func(m *Message) { m.To.Name = "A\nBcc: c@d.com" },
		"sender with a line":     func(m *Message) { m.From.Name = "A\r\n" },
		"long name":              func(m *Message) { m.To.Name = long },
		"turned name":            func(m *Message) { m.To.Name = "A\u202egro.live" },
		"no subject":             func(m *Message) { m.Subject = " " },
		"subject with a line":    func(m *Message) { m.Subject = "A\nBcc: c@d.com" },
		"subject with a CR":      func(m *Message) { m.Subject = "A\rBcc: c@d.com" },
		"subject with a NUL":     func(m *Message) { m.Subject = "A\x00" },
		"subject with U+2028":    func(m *Message) { m.Subject = "A\u2028B" },
		"subject not UTF-8":      func(m *Message) { m.Subject = "A\xff" },
		"encoded subject":        func(m *Message) { m.Subject = "=?utf-8?q?=0D=0A?=" },
		"encoded name":           func(m *Message) { m.To.Name = "=?utf-8?q?=0D=0A?=" },
		"long subject":           func(m *Message) { m.Subject = long },
		"no text":                func(m *Message) { m.Text = "" },
		"no HTML":                func(m *Message) { m.HTML = "" },
		"long text":              func(m *Message) { m.Text = strings.Repeat("x", maxBody+1) },
		"HTML not UTF-8":         func(m *Message) { m.HTML = "\xff" },
		"no date":                func(m *Message) { m.Date = time.Time{} },
	} {
		m := testMessage()
		change(m)
		_, err := m.compose(false)
		require.ErrorIs(t, err, ErrMessage, name)
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]Address{
		"a@b.com":                           {Email: "a@b.com"},
		"root@localhost":                    {Email: "root@localhost"},
		"A B <a.b+c@x-y.com>":               {Name: "A B", Email: "a.b+c@x-y.com"},
		`"B, A" <a@b.com>`:                  {Name: "B, A", Email: "a@b.com"},
		"=?utf-8?q?J=C3=BCrgen?= <a@b.com>": {Name: "Jürgen", Email: "a@b.com"},
		"a@xn--mller-kva.de":                {Email: "a@xn--mller-kva.de"},
	} {
		got, err := ParseAddress(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"", "a", "a@", "@b.com", "a@b.com, c@d.com", "=?utf-8?q?A=0D=0ABcc:?= <a@b.com>", `"a b"@c.com`} {
		_, err := ParseAddress(bad)
		require.ErrorIs(t, err, ErrMessage, bad)
	}
}

func TestLine(t *testing.T) {
	for s, want := range map[string]string{
		"Mercedes-Benz AG": "Mercedes-Benz AG", " a\r\n\tb\u2028c ": "a b c", "\xffx\x00": "\ufffdx",
		"=?utf-8?q?=0D=0A?=": "= ?utf-8?q?=0D=0A?=", "\u202eevil": "evil", "==??": "== ??",
		strings.Repeat("ü", 101): strings.Repeat("ü", 99) + "…",
	} {
		require.Equal(t, want, Line(s))
		require.NoError(t, Address{Name: Line(s), Email: "a@b.com"}.Check())
	}
}

func TestIDsOfOneRecord(t *testing.T) {
	id := ID("g1-42")
	require.Equal(t, id.For("admin@mercedes.com"), id.For("admin@mercedes.com"))
	require.NotEqual(t, id.For("admin@mercedes.com"), id.For("it@mercedes.com"))
	require.True(t, id.For("https://vector.com/hook").valid())
	require.Len(t, id.For("x"), len(id)+17)
}

// FuzzHeaders: whatever a message is made of, it has the headers that it is to
// have and says what it is to say, or is refused.
func FuzzHeaders(f *testing.F) {
	f.Add("g1-42", "A", "a@b.com", "Hello", "text")
	f.Add("x", "A\r\nBcc: x@y.com", "a@b.com", "Hello\r\n\r\nbody", ".\r\n.\r\n")
	f.Add("x", "=?utf-8?q?=0D=0A?=", "a@b.com", "=?utf-8?b?DQo=?= "+strings.Repeat("ü", 100), "--boundary")
	f.Add("x", `a"\`, "!#$%&'*+-/=?^_`{|}~@b", strings.Repeat("x", 200), "")
	f.Fuzz(func(t *testing.T, id, name, email, subject, text string) {
		m := &Message{
			ID: ID(id), From: testMessage().From, To: Address{Name: name, Email: email}, Subject: subject,
			Text: text, HTML: "<p>", Date: testMessage().Date,
		}
		msg, err := m.compose(false)
		if err != nil {
			require.ErrorIs(t, err, ErrMessage)
			return
		}
		var raw bytes.Buffer
		_, err = msg.WriteTo(&raw)
		require.NoError(t, err)
		got, err := netmail.ReadMessage(&raw)
		require.NoError(t, err)
		require.Len(t, got.Header, len(headers))
		list, err := got.Header.AddressList("To")
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, email, list[0].Address)
	})
}

// TestFolderWritesLinksAsTheyAre: what is copied out of a file works, and what has
// lines that no mail may have is quoted-printable.
func TestFolderWritesLinksAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	folder, err := NewFolder(dir)
	require.NoError(t, err)
	m := testMessage()
	link := "https://vendors.cloudlicenses.com/welcome?token=" + strings.Repeat("3D_f", 30) + "&vendor_id=vector-de"
	m.Text, m.HTML = "Grüße:\n"+link+"\n", "<p>"+strings.Repeat("x", maxLine)+"</p>\n"
	require.NoError(t, folder.Send(context.Background(), m))
	raw, err := os.ReadFile(filepath.Join(dir, "g1-42.eml"))
	require.NoError(t, err)
	require.Contains(t, string(raw), "\r\n"+link+"\r\n")
	requireMessage(t, m, string(raw))
	require.Contains(t, string(raw), "Content-Transfer-Encoding: 8bit\r\n")
	require.Contains(t, string(raw), "Content-Transfer-Encoding: quoted-printable\r\n")
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	folder, err := NewFolder(dir)
	require.NoError(t, err)
	_, err = NewFolder(dir)
	require.NoError(t, err, "it may be there already")

	require.NoError(t, folder.Send(context.Background(), testMessage()))
	again := testMessage()
	again.Subject = "Again"
	require.NoError(t, folder.Send(context.Background(), again))
	raw, err := os.ReadFile(filepath.Join(dir, "g1-42.eml"))
	require.NoError(t, err)
	requireMessage(t, again, string(raw))
	info, err := os.Stat(filepath.Join(dir, "g1-42.eml"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			m := testMessage()
			m.ID = ID(fmt.Sprintf("g1-%d", i%4))
			require.NoError(t, folder.Send(context.Background(), m))
		})
	}
	all.Wait()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 5, "and nothing that is half a mail")

	bad := testMessage()
	bad.ID = "../out"
	require.True(t, mailError(t, folder.Send(context.Background(), bad)).Permanent)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.False(t, mailError(t, folder.Send(ctx, testMessage())).Permanent)
	require.NoError(t, os.RemoveAll(dir))
	require.False(t, mailError(t, folder.Send(context.Background(), testMessage())).Permanent)
}
