package license_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// shows are the lines of a session that are no command of the machine: they
// move the clock, or read.
var shows map[string]func(*session, arguments) string

func init() {
	shows = map[string]func(*session, arguments) string{
		"advance": (*session).advance, "at": (*session).at, "tick": (*session).tick,
		"admit": (*session).admit, "leases": (*session).leases, "licenses": (*session).licenses,
		"keys": (*session).keys, "usage": (*session).usage, "overage": (*session).overage,
		"audit": (*session).audit, "outbox": (*session).outbox,
		"mails": (*session).mails, "notice": (*session).notice, "contracts": (*session).contracts,
		"sums": (*session).sums, "rules-now": (*session).rulesNow, "show-terms": (*session).terms,
	}
}

// clock shows a time of the session's first day by its clock, another in full.
func clock(millis int64) string {
	at := time.UnixMilli(millis).UTC()
	if at.YearDay() == time.UnixMilli(epochStart).UTC().YearDay() {
		return at.Format("15:04:05.999")
	}
	return at.Format("2006-01-02T15:04:05.999")
}

func (s *session) showCode(out *strings.Builder, code cl.Code, layer cl.Layer, detail, mentions string) {
	if code == cl.OK {
		fmt.Fprintln(out, "ok")
		return
	}
	fmt.Fprint(out, code)
	if layer != cl.LayerNone {
		fmt.Fprintf(out, " (%s)", layer)
	}
	if mentions != "" {
		fmt.Fprintf(out, " mentions %s: %v", mentions, strings.Contains(detail, mentions))
	}
	fmt.Fprintln(out)
}

func (s *session) showLease(out *strings.Builder, op fsm.Op, l license.LeaseResult, mentions string) {
	if l.Code != cl.OK {
		s.showCode(out, l.Code, l.Layer, l.Detail, mentions)
		showRate(out, l.Rate)
		return
	}
	fmt.Fprintf(out, "%s ", l.Lease.ID)
	switch op {
	case license.OpCheckout:
		fmt.Fprintf(out, "%s %s %d+%d until %s", l.Lease.LicenseID, l.Lease.Type(),
			l.Lease.Count-l.Lease.OverageCount, l.Lease.OverageCount, clock(l.Lease.ExpiresMillis))
	case license.OpHeartbeat:
		fmt.Fprintf(out, "until %s", clock(l.Lease.ExpiresMillis))
	default:
		fmt.Fprintf(out, "%s %s at %s", l.Lease.LicenseID, endName(l.Lease.End), clock(l.Lease.EndedMillis))
	}
	if l.Replayed {
		fmt.Fprint(out, " (replayed)")
	}
	fmt.Fprintln(out)
	showRate(out, l.Rate)
}

func endName(r cl.EndReason) string {
	return map[cl.EndReason]string{cl.EndNone: "live", cl.EndReturned: "returned", cl.EndExpired: "expired", cl.EndReleased: "released"}[r]
}

// showPools shows the pools that have changed since they were last shown.
func (s *session) showPools(out *strings.Builder) {
	for _, l := range s.allLicenses() {
		line := poolLine(l)
		if s.shown[l.License.ID] != line {
			fmt.Fprintln(out, line)
			s.shown[l.License.ID] = line
		}
	}
}

func poolLine(l license.LicenseState) string {
	p := cl.Pool{Commit: l.CommitInUse, Overage: l.OverageInUse}
	e := cl.Entitlement{Total: l.License.Total, CommitQty: l.License.CommitQty, MaxOverage: l.License.MaxOverage}
	line := fmt.Sprintf("%s: %d+%d of %d/%d/%d, %d free", l.License.ID, p.Commit, p.Overage, e.Total, e.CommitQty, e.MaxOverage, p.Available(e))
	if l.License.Status != cl.LicenseProvisioned {
		line += ", " + string(l.License.Status)
	}
	return line
}

// allLicenses pages through the tenant's licenses, two at a time.
func (s *session) allLicenses() (all []license.LicenseState) {
	q := license.ListLicenses{Limit: 2}
	for range 1000 {
		var page license.LicensePage
		askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryLicenses, &q, &page)
		if page.Code == cl.TenantNotFound || page.Code == cl.StalePlacement {
			return nil
		}
		require.Equal(s.r.t, cl.OK, page.Code)
		require.LessOrEqual(s.r.t, len(page.Items), 2)
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return all
		}
	}
	s.r.t.Fatal("the pages never end")
	return nil
}

func (s *session) advance(a arguments) string {
	s.r.now += a.duration("by", 0)
	return clock(s.r.now) + "\n"
}

func (s *session) at(a arguments) string {
	s.r.now = a.time("time", s.r.now)
	return clock(s.r.now) + "\n"
}

// tick lets the leader propose what is due.
func (s *session) tick(arguments) string {
	var out strings.Builder
	if n := s.r.tick(); n == 0 {
		fmt.Fprintln(&out, "nothing due")
	}
	s.showPools(&out)
	return out.String()
}

// admit asks whether the leader would propose a checkout at all.
func (s *session) admit(a arguments) string {
	tenant := cl.TenantID(a.text("tenant", string(s.tenant)))
	refusal := s.r.m.Admit(s.r.now, encode(license.OpCheckout, tenant, uint32(a.number("epoch", int64(s.epoch))), s.checkout(a)))
	if refusal == nil {
		return "proposed\n"
	}
	var out strings.Builder
	s.showLease(&out, license.OpCheckout, decodeLease(s.r.t, refusal), "")
	return out.String()
}

// access is the platform's own, or a key's where key= is given.
func (s *session) access(a arguments) license.Access {
	if !a.has("key") {
		return license.Access{}
	}
	return license.Access{ByKey: true, Caller: s.caller(a), NowMillis: s.r.now, Uncounted: a.has("uncounted")}
}

func (s *session) leases(a arguments) string {
	var out strings.Builder
	q := license.ListLeases{Access: s.access(a), LicenseID: cl.LicenseID(a.text("license", "")), User: a.text("user", ""), Limit: a.number("limit", 3)}
	for range 1000 {
		var page license.LeasePage
		askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryLeases, &q, &page)
		if page.Code != cl.OK {
			s.showCode(&out, page.Code, page.Layer, page.Detail, "")
			showRate(&out, page.Rate)
			return out.String()
		}
		for _, l := range page.Items {
			fmt.Fprintf(&out, "%s %s %s %s@%s by %s %d+%d until %s\n", l.ID, l.LicenseID, l.Type(), l.User, l.Hostname, l.KeyID,
				l.Count-l.OverageCount, l.OverageCount, clock(l.ExpiresMillis))
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if out.Len() == 0 {
		return "none\n"
	}
	return out.String()
}

func (s *session) licenses(a arguments) string {
	var out strings.Builder
	q := license.ListLicenses{Access: s.access(a), ID: cl.LicenseID(a.text("id", "")), Limit: 100}
	var page license.LicensePage
	askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryLicenses, &q, &page)
	if page.Code != cl.OK {
		s.showCode(&out, page.Code, page.Layer, page.Detail, "")
	}
	for _, l := range page.Items {
		fmt.Fprintf(&out, "%s %s/%s\n", poolLine(l), l.License.VendorID, l.License.ProductID)
	}
	return out.String()
}

func (s *session) usage(a arguments) string {
	var out strings.Builder
	q := license.ListUsage{Month: a.text("month", "2026-11"), Limit: 1}
	for range 1000 {
		var page license.UsagePage
		askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryUsage, &q, &page)
		require.Equal(s.r.t, cl.OK, page.Code)
		for _, u := range page.Items {
			fmt.Fprintf(&out, "%s %s: %d commit, %d overage checkouts, %d uses, peak %d, %.3f seat-seconds", u.LicenseID, u.Month,
				u.CommitCheckouts, u.OverageCheckouts, u.OverageUses, u.PeakInUse, float64(u.SeatMillis)/1000)
			for _, r := range u.Refusals {
				fmt.Fprintf(&out, ", %d %s", r.Count, r.Code)
			}
			fmt.Fprintln(&out)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if out.Len() == 0 {
		return "none\n"
	}
	return out.String()
}

func (s *session) overage(a arguments) string {
	var out strings.Builder
	q := license.ListOverage{Month: a.text("month", "2026-11"), Limit: 2}
	for range 1000 {
		var page license.OveragePage
		askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryOverage, &q, &page)
		require.Equal(s.r.t, cl.OK, page.Code)
		for _, o := range page.Items {
			fmt.Fprintf(&out, "#%d %s %s by %s: %d × %s %s at %s\n", o.Sequence, o.LicenseID, o.LeaseID, o.KeyID, o.Uses,
				cl.Money{Minor: o.PriceMinor, Currency: o.Currency}, o.Currency, clock(o.AtMillis))
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if out.Len() == 0 {
		return "none\n"
	}
	return out.String()
}

func (s *session) audit(a arguments) string {
	var out strings.Builder
	q := license.ListAudit{
		User: a.text("user", ""), KeyID: cl.KeyID(a.text("key", "")), Result: a.text("result", ""),
		FromMillis: a.time("from", 0), ToMillis: a.time("to", 0), Limit: a.number("limit", 3), Newest: a.text("order", "") == "newest",
	}
	for range 1000 {
		var page license.AuditPage
		askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryAudit, &q, &page)
		require.Equal(s.r.t, cl.OK, page.Code)
		require.LessOrEqual(s.r.t, int64(len(page.Items)), q.Limit)
		for _, r := range page.Items {
			fmt.Fprintf(&out, "#%d %s %s %s", r.Sequence, clock(r.AtMillis), r.Action, r.Result)
			for _, part := range []string{string(r.KeyID), string(r.LicenseID), string(r.ProductID), r.User, r.Hostname, r.Actor} {
				fmt.Fprintf(&out, " %s", orDash(part))
			}
			fmt.Fprintf(&out, " lease %d %d (%d overage)\n", r.LeaseID, r.Count, r.OverageCount)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if out.Len() == 0 {
		return "none\n"
	}
	return out.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (s *session) outbox(arguments) string {
	var out strings.Builder
	var page license.OutboxPage
	ask(s.r.t, s.r.m, "", license.QueryOutbox, &license.ListOutbox{Limit: 100}, &page)
	require.Equal(s.r.t, cl.OK, page.Code)
	for _, o := range page.Items {
		fmt.Fprintln(&out, outgoingLine(&o))
	}
	if out.Len() == 0 {
		return "none\n"
	}
	return out.String()
}
