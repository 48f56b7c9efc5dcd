package license_test

import (
	"fmt"
	"strings"

	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

func noticeKey(n uint64) []byte {
	key := serial(n)
	return key[:]
}

// provisionSamples has one row per command of provisioning. Append only.
func provisionSamples() []sample {
	l := sampleLicense()
	l.ID, l.Revision, l.AutoRenew = "lic-vector-acme-2025-007", 3, true
	notice := license.Notice{Email: "licenses@mercedes.com", Message: "Ready!"}
	return []sample{
		{"OpProvision", license.OpProvision, true, &license.Provision{License: l, VendorName: "Vector", NoticeKey: serial(7), Notice: notice}},
		{"OpLinkVendor", license.OpLinkVendor, true, &license.LinkVendor{VendorID: "vector", Name: "Vector"}},
		{"OpPutNotice", license.OpPutNotice, true, &license.PutNotice{Key: serial(8), VendorID: "vector", Notice: notice, ExpiresMillis: epochStart + hour}},
		{"OpDropNotice", license.OpDropNotice, true, &license.DropNotice{Key: noticeKey(9)}},
	}
}

// provisionQuerySamples has one row per query of provisioning. Append only.
func provisionQuerySamples() []sample {
	return []sample{{"QueryNotice", license.QueryNotice, true, &license.FindNotice{Key: noticeKey(7)}}}
}

// provisionCommand builds the body of a line about provisioning.
func (s *session) provisionCommand(name string, a arguments) (fsm.Op, msgp.Marshaler, bool) {
	key := serial(uint64(a.number("notice", 0)))
	notice := license.Notice{Email: a.text("email", ""), Message: a.text("message", "")}
	switch name {
	case "provision":
		l := s.license(a)
		l.Revision, l.AutoRenew = uint64(a.number("revision", 1)), a.has("renew")
		return license.OpProvision, &license.Provision{License: l, VendorName: "Vector GmbH", NoticeKey: key, Notice: notice}, true
	case "link":
		return license.OpLinkVendor, &license.LinkVendor{VendorID: cl.VendorID(a.text("vendor", "vector")), Name: a.text("name", "Vector GmbH")}, true
	case "put-notice":
		return license.OpPutNotice, &license.PutNotice{Key: key, Notice: notice, ExpiresMillis: s.r.now + a.duration("life", hour)}, true
	case "drop-notice":
		return license.OpDropNotice, &license.DropNotice{Key: key[:]}, true
	}
	return 0, nil, false
}

// mails shows the outgoing mails with all they say.
func (s *session) mails(arguments) string {
	var page license.OutboxPage
	askAt(s.r.t, s.r.m, "", 0, license.QueryOutbox, &license.ListOutbox{Limit: 100}, &page)
	var out strings.Builder
	for _, o := range page.Items {
		if strings.HasPrefix(o.Kind, "mail.") {
			fmt.Fprintf(&out, "%s %s\n", o.Kind, o.Payload)
		}
	}
	return orDash(out.String())
}

// notice shows a notice that is kept.
func (s *session) notice(a arguments) string {
	var r license.NoticeResult
	askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryNotice, &license.FindNotice{Key: noticeKey(uint64(a.number("notice", 0)))}, &r)
	return fmt.Sprintf("%s %s %q\n", orDash(string(r.Code)), orDash(r.Notice.Email), r.Notice.Message)
}

// contracts shows what the directory has a say in.
func (s *session) contracts(arguments) string {
	var out strings.Builder
	for _, l := range s.allLicenses() {
		end := "open"
		if l.License.EndMillis != 0 {
			end = clock(l.License.EndMillis)
		}
		fmt.Fprintf(&out, "%s %s revision %d, until %s, renews %t, %d a use\n", l.License.ID, l.License.Status, l.License.Revision, end, l.License.AutoRenew, l.License.OverageFeeMinor)
	}
	return out.String()
}

// provisioned is a Provision of a world's own line, which the directory keeps.
func (g *generator) provisioned(tenant cl.TenantID) step {
	l := g.license(g.pick(3))
	l.ID, l.VendorID, l.ProductID = "dir-0", "ansys", "cfd"
	l.Revision, l.AutoRenew = uint64(1+g.pick(6)), g.chance(30)
	if g.chance(30) {
		l.EndMillis = g.now + int64(g.pick(60))*minute
	}
	if g.chance(20) {
		l.Status = cl.LicenseSuspended
	}
	return g.to(license.OpProvision, tenant, &license.Provision{License: l, VendorName: "Ansys"})
}

// revise is the model's part for a Provision without a notice.
func (m *model) revise(t *modelTenant, b *license.Provision) license.Ack {
	known := t.license(b.License.ID)
	refused := t.refused[b.License.ID]
	switch {
	case refused > 0 && (refused == b.License.Revision || known == nil && refused > b.License.Revision):
		return license.Ack{Code: cl.InvalidEntitlement}
	case known != nil && known.Revision >= b.License.Revision:
		return license.Ack{}
	case !entitled(b.License):
		t.refused[b.License.ID] = b.License.Revision
		return license.Ack{Code: cl.InvalidEntitlement}
	case known != nil:
		before, next := known.License, b.License
		known.License = b.License
		if before.Status != next.Status {
			m.event(t)
		}
		before.Status, before.Revision = next.Status, next.Revision
		if before != next {
			m.event(t)
		}
		return license.Ack{}
	}
	t.licenses = append(t.licenses, &modelLicense{License: b.License, hours: map[uint32]*modelHour{}, peaks: map[string]int64{}})
	m.event(t)
	return license.Ack{}
}
