package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cloudlicenses/cloudlicenses/notify"
)

// addMailFlags declares the keys of what leaves. They are the same on every
// node: whichever leads a group delivers for it.
func addMailFlags(fs *pflag.FlagSet) {
	fs.String("smtp-addr", "", "host:port of the mail server (port 587 where left out, 465 with --smtp-tls implicit); the same on every node")
	fs.String("smtp-user", "", "user at the mail server (default: none)")
	fs.String("smtp-password-file", "", "file with the password of --smtp-user")
	fs.String("smtp-tls", "required", "STARTTLS required or optional (never with a password), or implicit: TLS from the first byte")
	fs.String("mail-from", "", "sender of every mail, 'Name <address>' or an address (default: no-reply@<domain>)")
	fs.String("mail-dir", "", "write every mail as an .eml file into this folder instead of sending it")
	fs.Bool("webhook-allow-private", false, "let webhooks, and single sign-on, reach private addresses and http:// URLs: for tests, and networks of your own")
}

// checkMail checks the keys of what leaves.
func (c *serverConfig) checkMail() error {
	if c.SMTPAddr != "" && c.MailDir != "" {
		return usagef("--smtp-addr and --mail-dir: name one of them")
	}
	if c.SMTPAddr == "" && (c.SMTPUser != "" || c.SMTPPasswordFile != "") {
		return usagef("--smtp-user and --smtp-password-file go with --smtp-addr")
	}
	if (c.SMTPUser == "") != (c.SMTPPasswordFile == "") {
		return usagef("--smtp-user and --smtp-password-file go together")
	}
	if _, err := c.sender(); err != nil {
		return err
	}
	if c.SMTPAddr == "" {
		return nil
	}
	_, err := c.smtp("")
	return err
}

// sender is the address that mails come from.
func (c *serverConfig) sender() (notify.Address, error) {
	from, err := notify.ParseAddress(orElse(c.MailFrom, "no-reply@"+c.Domain))
	switch {
	case err != nil && c.MailFrom == "": // a domain that is none for mail: mails would be refused
		if c.SMTPAddr != "" || c.MailDir != "" {
			return from, usagef("--mail-from is missing: no-reply@%s is no address", c.Domain)
		}
		return notify.Address{}, nil
	case err != nil:
		return from, usagef("--mail-from %q: want 'Name <address>' or an address", c.MailFrom)
	}
	return from, nil
}

// smtp returns the mail server that is configured; it connects to nothing.
func (c *serverConfig) smtp(password string) (*notify.SMTP, error) {
	mode, err := notify.ParseTLSMode(c.SMTPTLS)
	if err != nil {
		return nil, usagef("--smtp-tls: %w", err)
	}
	host, portText, err := net.SplitHostPort(c.SMTPAddr)
	if err != nil {
		host, portText = c.SMTPAddr, "0" // the port of the mode
	}
	port, err := strconv.Atoi(portText)
	if err != nil || strings.ContainsAny(host, " /") {
		return nil, usagef("--smtp-addr %q: want host:port", c.SMTPAddr)
	}
	server, err := notify.NewSMTP(notify.SMTPConfig{Host: host, Port: port, TLS: mode, User: c.SMTPUser, Password: password})
	if err != nil {
		return nil, usagef("--smtp-addr %s: %w", c.SMTPAddr, err)
	}
	return server, nil
}

// wireMail sets up what leaves a node.
func (c *serverConfig) wireMail(w *nodeConfig) error {
	var err error
	if w.mailFrom, err = c.sender(); err != nil {
		return err
	}
	if c.WebhookAllowPrivate {
		w.webhooks = privateWebhooks()
	}
	if c.MailDir != "" {
		folder, err := notify.NewFolder(c.MailDir)
		if err != nil {
			return fmt.Errorf("--mail-dir: %w", err)
		}
		w.mailer = folder
	}
	if c.SMTPAddr == "" {
		return nil
	}
	var password []byte
	if c.SMTPPasswordFile != "" {
		if password, err = os.ReadFile(c.SMTPPasswordFile); err != nil {
			return usagef("--smtp-password-file: %w", err)
		}
	}
	server, err := c.smtp(strings.TrimRight(string(password), "\r\n"))
	if err != nil {
		return err
	}
	w.mailer = server
	return nil
}

// privateWebhooks lets webhooks reach every address, without TLS too.
func privateWebhooks() notify.WebhookConfig {
	return notify.WebhookConfig{
		AllowHTTP:     true,
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
	}
}
