package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ask sends a request to a node under a Host and decodes the reply.
func ask(t *testing.T, base, host, method, path, token, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	require.NoError(t, err)
	if host != "" {
		req.Host = host
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var reply map[string]any
	if len(text) > 0 {
		require.NoError(t, json.Unmarshal(text, &reply), string(text))
	}
	return resp.StatusCode, reply
}

// letterTo waits for a mail to an address in a folder of .eml files, and returns
// it with its plain text.
func letterTo(t *testing.T, dir, address, subject string) (head mail.Header, text string) {
	t.Helper()
	find := func() bool {
		files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
		require.NoError(t, err)
		for _, path := range files {
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			message, err := mail.ReadMessage(bytes.NewReader(raw))
			require.NoError(t, err, path)
			to, err := message.Header.AddressList("To")
			require.NoError(t, err)
			if to[0].Address != address || !strings.Contains(message.Header.Get("Subject"), subject) {
				continue
			}
			_, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
			require.NoError(t, err)
			part, err := multipart.NewReader(message.Body, params["boundary"]).NextRawPart()
			require.NoError(t, err)
			require.Equal(t, "8bit", part.Header.Get("Content-Transfer-Encoding"))
			plain, err := io.ReadAll(part)
			require.NoError(t, err)
			head, text = message.Header, strings.ReplaceAll(string(plain), "\r\n", "\n")
			return true
		}
		return false
	}
	require.Eventually(t, find, 30*time.Second, 10*time.Millisecond, "no mail %q to %s in %s", subject, address, dir)
	return head, text
}

var linkInMail = regexp.MustCompile(`(?m)^https?://\S+$`)

// TestSignUpByMail takes a customer from the registration to being logged in, by
// nothing but the public API, DNS and what is mailed; then it invites a
// colleague, and is told of a new license.
func TestSignUpByMail(t *testing.T) {
	dir := t.TempDir()
	dev, file := startCommand(t, filepath.Join(dir, "ready.json"), "dev", "--data-dir", filepath.Join(dir, "data"), "--http", "127.0.0.1:0")
	defer dev.drain(t)
	require.True(t, filepath.IsAbs(file.MailDir))
	require.Contains(t, dev.stdout.String(), file.MailDir)
	node := func(i int) string { return file.Nodes[i].HTTP }

	status, registered := ask(t, node(0), "localhost", "POST", "/api/v1/tenants/register", "", `{
		"company": {"name": "Globex AG", "domain": "globex.example", "country": "DE", "tax_id": "DE123456789"},
		"tenant": {"id": "globex", "region": "eu-central", "plan": "enterprise"},
		"admin": {"email": "carla@globex.example", "name": "Carla Test"}}`)
	require.Equal(t, 201, status, registered)
	verification, _ := registered["verification"].(map[string]any)
	record, ok := verification["dns_record"].(map[string]any)
	require.True(t, ok, registered)
	value := fmt.Sprint(record["value"])
	status, reply := ask(t, file.Nodes[1].Admin, "", "PUT", "/v1/dev/dns", file.AdminToken,
		fmt.Sprintf(`{"name":%q,"type":"TXT","value":%q}`, record["name"], value))
	require.Equal(t, 200, status, reply)
	_, token, _ := strings.Cut(value, "=")
	status, verified := ask(t, node(1), "localhost", "POST", "/api/v1/tenants/verify", "", fmt.Sprintf(`{"tenant_id":"globex","verification_token":%q}`, token))
	require.Equal(t, 200, status, verified)
	require.NotContains(t, fmt.Sprint(verified), "password", "credentials leave by mail alone")

	head, text := letterTo(t, file.MailDir, "carla@globex.example", "is ready")
	require.Regexp(t, `^<[0-9a-f]{32}@localhost>$`, head.Get("Message-Id"))
	require.Contains(t, text, "Globex AG")
	require.Contains(t, text, "your tenant globex.localhost")
	require.NotContains(t, text, "vendor_id")
	host, set := follow(t, text, node(2), `"a long enough password"`)
	require.True(t, strings.HasPrefix(host, "globex.localhost:"), host)
	require.Equal(t, 200, set)
	_, again := follow(t, text, node(2), `"another good password"`)
	require.Equal(t, 422, again, "a link works once")
	status, login := ask(t, node(0), host, "POST", "/api/v1/login", "", `{"email":"carla@globex.example","password":"a long enough password"}`)
	require.Equal(t, 200, status, login)
	session, _ := login["token"].(string)

	status, reply = ask(t, node(1), host, "POST", "/api/v1/users", session, `{"email":"dora@globex.example","name":"Dora","role":"admin"}`)
	require.Equal(t, 201, status, reply)
	_, text = letterTo(t, file.MailDir, "dora@globex.example", "invited")
	require.Contains(t, text, "carla@globex.example has invited you")
	_, set = follow(t, text, node(0), `"one more good password"`)
	require.Equal(t, 200, set)
	status, reply = ask(t, node(1), host, "POST", "/api/v1/password/reset", "", `{"email":"dora@globex.example"}`)
	require.Equal(t, 202, status, reply)
	_, text = letterTo(t, file.MailDir, "dora@globex.example", "new password")
	_, set = follow(t, text, node(0), `"yet another good password"`)
	require.Equal(t, 200, set)

	info, err := os.Stat(file.MailDir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "mails hold links")
	log, err := os.ReadFile(filepath.Join(dir, "data", devLogFile))
	require.NoError(t, err)
	link, err := url.Parse(linkInMail.FindString(text))
	require.NoError(t, err)
	require.NotContains(t, string(log), link.Query().Get("token"))
	for i := range file.Nodes { // whoever leads the group has sent them
		metrics := plain(t, file.Nodes[i].Admin+"/metrics")
		require.Contains(t, metrics, "cloudlicenses_mail_configured 1")
	}
}

// follow sets a password by the link in a mail, and returns the link's host.
func follow(t *testing.T, text, node, password string) (host string, status int) {
	t.Helper()
	link, err := url.Parse(linkInMail.FindString(text))
	require.NoError(t, err)
	require.Equal(t, "/welcome", link.Path)
	status, _ = ask(t, node, link.Host, "POST", "/api/v1/password", "", fmt.Sprintf(`{"token":%q,"password":%s}`, link.Query().Get("token"), password))
	return link.Host, status
}

func plain(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}
