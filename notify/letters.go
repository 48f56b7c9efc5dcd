package notify

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net/url"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/cloudlicenses/cloudlicenses"
)

// Letter is what a mail says, in both its forms.
type Letter struct{ Subject, Text, HTML string }

// A base URL in what follows is a tenant's, without a path: "https://<tenant>.<domain>".
// Whatever people have chosen (names, products) may be anything: it is cut to one
// line of 100 characters, and escaped in HTML.

// The mails with a token are for users of tenants and of vendors. Those of a
// vendor have the base URL of the vendors' host and a VendorID, which the link
// carries: the host does not say which vendor.

// TenantWelcome tells a tenant's, or a vendor's, administrator that it is there.
type TenantWelcome struct {
	TenantURL string // base URL
	VendorID  cloudlicenses.VendorID
	Company   string // may be empty
	Token     string // one-time token of POST /api/v1/password
	Expires   time.Time
}

// UserInvitation asks somebody to join a tenant.
type UserInvitation struct {
	TenantURL string // base URL
	VendorID  cloudlicenses.VendorID
	Name      string // of who is invited; may be empty
	InvitedBy string // may be empty
	Role      string // to show; may be empty
	Token     string // one-time token of POST /api/v1/password
	Expires   time.Time
}

// PasswordReset carries the link to set a new password.
type PasswordReset struct {
	TenantURL string // base URL
	VendorID  cloudlicenses.VendorID
	Token     string // one-time token of POST /api/v1/password
	Expires   time.Time
}

// LicenseProvisioned tells a tenant of new licenses.
type LicenseProvisioned struct {
	TenantURL string               // base URL
	Vendor    string               // its name; may be empty
	Message   string               // the vendor's own words; may be empty
	Licenses  []ProvisionedLicense // the first ones
	Count     int                  // of all
}

// ProvisionedLicense is one line of the list.
type ProvisionedLicense struct {
	ID                        cloudlicenses.LicenseID
	Product                   string // its name; may be empty
	Seats, Commit, MaxOverage int    // T, C, M; Seats 0: not shown
}

// Meter is what an overage warning measures.
type Meter int

const (
	// OverageSeats in use, against the license's most.
	OverageSeats Meter = iota + 1
	// MonthlyUses against the tenant's cap.
	MonthlyUses
	// MonthlyAmount against the tenant's cap, in money.
	MonthlyAmount
)

// OverageWarning says that a share of what overage there may be is used.
type OverageWarning struct {
	TenantURL   string // base URL
	Percent     int    // the mark that was passed: 50, 80 or 100
	License     cloudlicenses.LicenseID
	Product     string // its name
	Meter       Meter
	Used, Limit string // as shown: "12", "EUR 6000.00"
}

// VendorLinked tells a tenant that a vendor can provision to it.
type VendorLinked struct {
	TenantURL string // base URL
	Vendor    string // its name
	VendorID  cloudlicenses.VendorID
}

// Letter returns what the mail says; an error where the URL is none.
func (w TenantWelcome) Letter() (Letter, error) {
	l := welcomeLetter
	if w.VendorID != "" {
		l = vendorWelcomeLetter
	}
	return l.render(w.TenantURL, "/welcome", oneTime(w.VendorID, w.Token), fields{"Company": w.Company, "Expires": w.Expires}, nil)
}

// Letter returns what the mail says; an error where the URL is none.
func (i UserInvitation) Letter() (Letter, error) {
	return invitationLetter.render(i.TenantURL, "/welcome", oneTime(i.VendorID, i.Token),
		fields{"Name": i.Name, "InvitedBy": i.InvitedBy, "Role": i.Role, "Expires": i.Expires}, nil)
}

// Letter returns what the mail says; an error where the URL is none.
func (p PasswordReset) Letter() (Letter, error) {
	return resetLetter.render(p.TenantURL, "/welcome", oneTime(p.VendorID, p.Token), fields{"Expires": p.Expires}, nil)
}

// Letter returns what the mail says; an error where the URL is none.
func (p LicenseProvisioned) Letter() (Letter, error) {
	var items []fields
	for _, l := range p.Licenses {
		items = append(items, fields{"ID": string(l.ID), "Product": l.Product, "Seats": l.Seats, "Commit": l.Commit, "MaxOverage": l.MaxOverage})
	}
	count := max(p.Count, len(p.Licenses))
	return provisionedLetter.render(p.TenantURL, "/licenses", nil,
		fields{"Vendor": p.Vendor, "Message": words(p.Message), "Count": count, "More": count - len(p.Licenses)}, items)
}

// Letter returns what the mail says; an error where the URL is none, or the mark
// or meter is unknown.
func (o OverageWarning) Letter() (Letter, error) {
	if meterTexts[o.Meter] == "" || o.Percent != 50 && o.Percent != 80 && o.Percent != 100 {
		return Letter{}, fmt.Errorf("overage warning: meter %d at %d %%", o.Meter, o.Percent)
	}
	return overageLetter.render(o.TenantURL, "/licenses", nil, fields{
		"Percent": o.Percent, "License": string(o.License), "Product": o.Product,
		"Meter": meterTexts[o.Meter], "Used": o.Used, "Limit": o.Limit,
	}, nil)
}

// Letter returns what the mail says; an error where the URL is none.
func (v VendorLinked) Letter() (Letter, error) {
	return vendorLetter.render(v.TenantURL, "/settings", url.Values{"tab": {"vendors"}}, fields{"Vendor": v.Vendor, "VendorID": string(v.VendorID)}, nil)
}

// The texts, parsed: a mistake in one ends the process at its start, and every
// test with it.
var (
	welcomeLetter       = parse(welcomeText, needsToken)
	vendorWelcomeLetter = parse(vendorWelcomeText, needsToken)
	invitationLetter    = parse(invitationText, needsToken)
	resetLetter         = parse(resetText, needsToken)
	provisionedLetter   = parse(provisionedText, needsNone)
	overageLetter       = parse(overageText, needsNone)
	vendorLetter        = parse(vendorText, needsNone)
)

const needsToken, needsNone = true, false

// fields is what a text may name: strings, numbers, times.
type fields map[string]any

// letter is a parsed text.
type letter struct {
	subject, item, more *template.Template
	before, after       []*template.Template
	link                string
	token               bool // the link carries one
}

func parse(t text, token bool) *letter {
	one := func(s string) *template.Template {
		return template.Must(template.New("").Option("missingkey=error").Parse(s))
	}
	l := &letter{subject: one(t.subject), item: one(t.item), more: one(t.more), link: t.link, token: token}
	for _, s := range t.before {
		l.before = append(l.before, one(s))
	}
	for _, s := range append(t.after, footer) {
		l.after = append(l.after, one(s))
	}
	return l
}

// page is a letter's parts, filled in, as the HTML layout takes them.
type page struct {
	Language, Subject, Label, URL string
	Before, Items, After          []string
}

// oneTime is the query of a link with a one-time token; nil without one.
func oneTime(vendor cloudlicenses.VendorID, token string) url.Values {
	if token == "" {
		return nil
	}
	query := url.Values{"token": {token}}
	if vendor != "" {
		query.Set("vendor_id", string(vendor))
	}
	return query
}

// render fills the letter in. The link goes to path under base.
func (l *letter) render(base, path string, query url.Values, f fields, items []fields) (Letter, error) {
	u, err := parseBase(base)
	if err != nil {
		return Letter{}, err
	}
	if l.token && query == nil {
		return Letter{}, errors.New("a letter with a one-time link needs a token")
	}
	f["Site"] = u.Host
	u.Path, u.RawQuery = path, query.Encode()
	p := page{Language: language, Label: l.link, URL: u.String()}
	clean(f)
	subject, err := fill([]*template.Template{l.subject}, f)
	if err != nil || len(subject) == 0 {
		return Letter{}, errors.Join(errors.New("a letter without a subject"), err)
	}
	p.Subject = shorten(subject[0], maxSubject)
	if p.Before, err = fill(l.before, f); err != nil {
		return Letter{}, err
	}
	if p.After, err = fill(l.after, f); err != nil {
		return Letter{}, err
	}
	for _, item := range items {
		clean(item)
		line, err := fill([]*template.Template{l.item}, item)
		if err != nil {
			return Letter{}, err
		}
		p.Items = append(p.Items, line...)
	}
	more, err := fill([]*template.Template{l.more}, f)
	if err != nil {
		return Letter{}, err
	}
	p.Items = append(p.Items, more...)
	var html bytes.Buffer
	if err := layout.Execute(&html, p); err != nil {
		return Letter{}, fmt.Errorf("a letter's HTML: %w", err)
	}
	return Letter{Subject: p.Subject, Text: p.plain(), HTML: html.String()}, nil
}

// fill executes templates, and leaves out what comes out empty.
func fill(templates []*template.Template, f fields) ([]string, error) {
	var out []string
	for _, t := range templates {
		var b strings.Builder
		if err := t.Execute(&b, map[string]any(f)); err != nil {
			return nil, fmt.Errorf("a letter's text: %w", err)
		}
		if b.Len() > 0 {
			out = append(out, b.String())
		}
	}
	return out, nil
}

// clean makes every field one line that may stand in a header.
func clean(f fields) {
	for key, value := range f {
		switch v := value.(type) {
		case string:
			f[key] = Line(v)
		case time.Time:
			f[key] = v.UTC().Format(dateFormat)
		}
	}
}

// words are somebody's own, in one paragraph; longer than a line.
type words string

// maxWords bounds such a paragraph, in characters.
const maxWords = 2000

func (w words) String() string {
	plain := strings.Map(func(r rune) rune {
		if notOfLine(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(w), "\ufffd"))
	return shorten(strings.Join(strings.Fields(plain), " "), maxWords)
}

func shorten(s string, characters int) string {
	if utf8.RuneCountInString(s) <= characters {
		return s
	}
	return string([]rune(s)[:characters-1]) + "…"
}

// parseBase reads a tenant's base URL.
func parseBase(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("not a tenant's base URL: %q", base)
	}
	return u, nil
}

// plain returns the plain part. Its lines end in LF; the transport makes them CRLF.
func (p page) plain() string {
	var b strings.Builder
	paragraphs := func(list []string) {
		for _, s := range list {
			b.WriteString(s + "\n\n")
		}
	}
	paragraphs(p.Before)
	for _, item := range p.Items {
		b.WriteString("- " + item + "\n")
	}
	if len(p.Items) > 0 {
		b.WriteString("\n")
	}
	b.WriteString(p.Label + ":\n" + p.URL + "\n\n")
	paragraphs(p.After[:len(p.After)-1])
	b.WriteString("-- \n" + p.After[len(p.After)-1] + "\n")
	return b.String()
}

// layout is the HTML part. Nothing in it is fetched from anywhere.
var layout = htmltemplate.Must(htmltemplate.New("").Parse(`<!DOCTYPE html>
<html lang="{{.Language}}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Subject}}</title></head>
<body style="margin:0;padding:24px;background:#f5f6f8;color:#1f2933;font:16px/1.5 sans-serif">
<div style="max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border-radius:8px">
{{range .Before}}<p>{{.}}</p>
{{end}}{{with .Items}}<ul>
{{range .}}<li>{{.}}</li>
{{end}}</ul>
{{end}}<p><a href="{{.URL}}" style="display:inline-block;padding:10px 18px;background:#1c5fd4;color:#ffffff;border-radius:6px;text-decoration:none">{{.Label}}</a></p>
<p style="font-size:13px;color:#52606d;word-break:break-all">{{.URL}}</p>
{{range .After}}<p style="font-size:14px;color:#52606d">{{.}}</p>
{{end}}</div>
</body>
</html>
`))
