package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/notify"
)

func TestMailConfig(t *testing.T) {
	for flags, message := range map[string]string{
		"":                         "",
		"--mail-dir=x":             "",
		"--smtp-addr=mail.test":    "",
		"--smtp-addr=mail.test:25": "",
		"--smtp-addr=[2001:db8::1]:25 --smtp-tls=implicit":                         "",
		"--smtp-addr=mail.test --smtp-user=u --smtp-password-file=x":               "",
		"--smtp-addr=mail.test --mail-from=ops@acme.example":                       "",
		"--webhook-allow-private":                                                  "",
		"--smtp-addr=mail.test --mail-dir=x":                                       "name one of them",
		"--smtp-user=u --smtp-password-file=x":                                     "go with --smtp-addr",
		"--smtp-addr=mail.test --smtp-user=u":                                      "go together",
		"--smtp-addr=mail.test --smtp-password-file=x":                             "go together",
		"--smtp-addr=mail.test:x":                                                  "want host:port",
		"--smtp-addr=mail.test:70000":                                              "--smtp-addr mail.test:70000",
		"--smtp-addr=https://mail.test":                                            "--smtp-addr",
		"--smtp-addr=mail.test --smtp-tls=none":                                    "--smtp-tls",
		"--smtp-addr=mail.test --mail-from=nobody":                                 "--mail-from",
		"--smtp-addr=m.t --smtp-tls=optional --smtp-user=u --smtp-password-file=x": "over TLS only",
		"--mail-dir=x --domain=192.0.2.1":                                          "--mail-from is missing",
		"--domain=192.0.2.1":                                                       "",
	} {
		args := []string{"--node-id", "n1", "--data-dir", "/tmp/none", "--bootstrap-expect", "1", "--insecure"}
		cfg, err := parseServer(t, "", nil, append(args, strings.Fields(flags)...)...)
		require.NoError(t, err, flags)
		if err := cfg.validate(); message == "" {
			require.NoError(t, err, flags)
		} else {
			require.ErrorContains(t, err, message, flags)
		}
	}
}

func TestMailWiring(t *testing.T) {
	dir := t.TempDir()
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte("secret\n"), 0o600))
	var w nodeConfig
	cfg := serverConfig{Domain: "licenses.test", MailDir: filepath.Join(dir, "mail"), MailFrom: "Licenses <ops@licenses.test>"}
	require.NoError(t, cfg.wireMail(&w))
	require.IsType(t, &notify.Folder{}, w.mailer)
	require.Equal(t, notify.Address{Name: "Licenses", Email: "ops@licenses.test"}, w.mailFrom)
	require.False(t, w.webhooks.AllowHTTP)

	cfg = serverConfig{Domain: "licenses.test", SMTPAddr: "mail.test:25", SMTPUser: "u", SMTPPasswordFile: password, WebhookAllowPrivate: true}
	require.NoError(t, cfg.wireMail(&w))
	require.IsType(t, &notify.SMTP{}, w.mailer)
	require.Equal(t, "no-reply@licenses.test", w.mailFrom.Email)
	require.True(t, w.webhooks.AllowHTTP)
	cfg.SMTPPasswordFile = filepath.Join(dir, "none")
	require.ErrorContains(t, cfg.wireMail(&w), "--smtp-password-file")

	w = nodeConfig{}
	require.NoError(t, (&serverConfig{Domain: "licenses.test"}).wireMail(&w))
	require.Nil(t, w.mailer, "mails are kept")
}

func TestOutboxStatus(t *testing.T) {
	var status outboxStatus
	require.NoError(t, json.Unmarshal([]byte(`{"groups":[
		{"id":1,"pending":{"mails":0,"webhooks":0},"dead":{"mails":0,"webhooks":0},"oldest_at":null},
		{"id":2,"pending":{"mails":3,"webhooks":1},"dead":{"mails":0,"webhooks":7},"oldest_at":"2026-11-26T01:00:00Z"}]}`), &status))
	var out bytes.Buffer
	require.NoError(t, status.print(&out))
	require.Regexp(t, `(?m)^2 +3 +1 +2026-11-26T01:00:00Z +0 +7`, out.String())
	require.NotRegexp(t, `(?m)^1 `, out.String())
	status.Groups = status.Groups[:1]
	out.Reset()
	require.NoError(t, status.print(&out))
	require.Empty(t, out.String(), "where all has left there is nothing to say")
}
