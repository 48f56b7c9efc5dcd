package shard

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/billing"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// year is the next one of a vendor whose account is made in January.
type year struct {
	c      *trio
	s      *Shard
	offset atomic.Int64
}

const vectorAccount = cloudlicenses.TenantID("@vector-de")

func newYear(t *testing.T) *year {
	y := &year{c: newTrio(t)}
	y.at(ofYear(time.January).First().UnixMillis() + time.Hour.Milliseconds())
	y.c.now = func() time.Time { return time.Now().Add(time.Duration(y.offset.Load())) }
	y.c.start(0, 1, 2)
	y.s = y.c.shards[y.c.leader(directoryGroup)]
	_, _, err := y.s.CreateVendor(t.Context(), CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	_, err = y.s.CreateTenant(t.Context(), CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	return y
}

// ofYear is a month of it; 13 is the first one after it.
func ofYear(m time.Month) billing.Month { return billing.NewMonth(time.Now().UTC().Year()+1, m) }

// at sets the clock of all nodes.
func (y *year) at(millis int64) {
	y.offset.Store((millis - time.Now().UnixMilli()) * int64(time.Millisecond))
}

// runs makes the invoices of [from, to] by themselves, each an hour after it.
func (y *year) runs(t *testing.T, from, to time.Month) {
	for m := from; m <= to; m++ {
		y.at(ofYear(m+1).First().UnixMillis() + time.Hour.Milliseconds())
		require.NoError(t, y.s.invoiceVendors(t.Context(), ofYear(m), make(invoicedThrough)))
	}
}

func (y *year) byHand(t *testing.T, m time.Month) InvoiceRun {
	run, err := y.s.RunInvoices(t.Context(), "vector-de", ofYear(m), platform, true)
	require.NoError(t, err)
	return run
}

// generate generates a license of mercedes, 5,000.00 a month.
func (y *year) generate(t *testing.T, product string, change func(*directory.GenerateLicense)) directory.License {
	g, contact := wish("mercedes", product)
	g.Terms.StartMillis, g.Terms.EndMillis = ofYear(time.January).First().UnixMillis(), ofYear(13).First().UnixMillis()
	if change != nil {
		change(&g)
	}
	r, _, err := y.s.Generate(t.Context(), g, contact)
	require.NoError(t, err)
	return r.License
}

func (y *year) amend(t *testing.T, l *directory.License, fields directory.AmendFields, terms directory.Terms) {
	_, _, err := y.s.AmendLicense(t.Context(), directory.AmendLicense{VendorID: "vector-de", ID: l.ID, Fields: fields, Terms: terms})
	require.NoError(t, err)
}

// kept is what the account keeps, the newest month first.
func (y *year) kept(t *testing.T) (all []license.Invoice) {
	list := license.ListInvoices{Limit: 100}
	for more := true; more; {
		var page license.InvoicePage
		require.NoError(t, y.s.readNow(t.Context(), vectorAccount, license.QueryInvoices, &list, &page))
		require.Equal(t, cloudlicenses.OK, page.Code)
		all = append(all, page.Items...)
		list.Cursor, more = page.Next, page.Next != ""
	}
	return all
}

// billed requires what was billed by now, in whole months of one license.
func (y *year) billed(t *testing.T, months int64) {
	t.Helper()
	var lines string
	var total int64
	for _, v := range y.kept(t) {
		for _, line := range v.Lines {
			lines += fmt.Sprintf("\n%s: %s %d", v.ID, line.Description, line.Amount)
		}
		total += v.Total
	}
	require.Equal(t, months*500_000, total, lines)
}

// TestCommitFeesOfAmendedContracts: every month of a contract is billed once,
// whatever the contract was when its invoices were made.
func TestCommitFeesOfAmendedContracts(t *testing.T) {
	y := newYear(t)
	cad := y.generate(t, "cad", nil)
	ide := y.generate(t, "ide", func(g *directory.GenerateLicense) { g.Terms.Cycle = cloudlicenses.BillingYearly })
	sim := y.generate(t, "sim", func(g *directory.GenerateLicense) {
		g.Terms.Cycle, g.Terms.AutoRenew = cloudlicenses.BillingYearly, false
	})
	y.runs(t, time.January, time.September)
	y.billed(t, 9)
	y.generate(t, "late", func(g *directory.GenerateLicense) { g.Terms.StartMillis = ofYear(time.August).First().UnixMillis() })
	y.amend(t, &cad, directory.AmendCycle, directory.Terms{Cycle: cloudlicenses.BillingYearly})
	y.amend(t, &ide, directory.AmendCycle, directory.Terms{Cycle: cloudlicenses.BillingMonthly})
	y.amend(t, &sim, directory.AmendEnd, directory.Terms{EndMillis: ofYear(time.June).First().UnixMillis()})
	y.runs(t, time.October, time.October)
	y.billed(t, 9+10+5+3)
	for m := time.January; m <= time.October; m++ {
		require.Empty(t, y.byHand(t, m).Issued, "by hand, nothing is billed again")
	}
	y.runs(t, time.November, time.December)
	y.billed(t, 12+12+5+5)
}

// TestBackdatedByHand: what the invoice of a month does not hold is billed beside
// it.
func TestBackdatedByHand(t *testing.T) {
	y := newYear(t)
	y.generate(t, "cad", nil)
	y.runs(t, time.January, time.March)
	y.generate(t, "ide", nil)
	for m := time.January; m <= time.March; m++ {
		run := y.byHand(t, m)
		require.Equal(t, 1, run.Known)
		require.Len(t, run.Issued, 1)
		require.Regexp(t, `^inv-\d{4}-0\d-[0-9a-f]{20}-p2$`, run.Issued[0].ID)
		require.Equal(t, "ide - Commit (5 licenses)", run.Issued[0].Lines[0].Description)
	}
	y.billed(t, 6)
}

// TestVoidIsBilledByHand: what a void invoice has billed is billed by the next
// revision of it, and by no other.
func TestVoidIsBilledByHand(t *testing.T) {
	y := newYear(t)
	y.generate(t, "cad", nil)
	y.generate(t, "ide", func(g *directory.GenerateLicense) { g.Terms.Cycle = cloudlicenses.BillingQuarterly })
	y.runs(t, time.January, time.March)
	y.billed(t, 6)
	for _, v := range y.kept(t) {
		if v.Month == uint32(ofYear(time.March)) {
			_, _, _, err := y.s.VoidInvoice(t.Context(), "vector-de", v.ID, platform, "")
			require.NoError(t, err)
		}
	}
	y.billed(t, 2)
	y.runs(t, time.April, time.April)
	y.billed(t, 3)
	require.Empty(t, y.byHand(t, time.February).Issued)
	run := y.byHand(t, time.March)
	require.Len(t, run.Issued, 1)
	require.EqualValues(t, 2, run.Issued[0].Revision)
	require.Len(t, run.Issued[0].Lines, 4)
	require.Empty(t, y.byHand(t, time.March).Issued)
	y.billed(t, 7)
}

// TestRunAtMidnight: a month that is run in the very moment in which it is over
// finds contracts renewed that renew themselves with it.
func TestRunAtMidnight(t *testing.T) {
	y := newYear(t)
	y.generate(t, "cad", func(g *directory.GenerateLicense) {
		g.Terms.EndMillis, g.Terms.Cycle = ofYear(time.March).First().UnixMillis(), cloudlicenses.BillingYearly
	})
	y.at(ofYear(time.March).First().UnixMillis() - 50)
	require.Eventually(t, func() bool {
		_, err := y.s.RunInvoices(t.Context(), "vector-de", ofYear(time.February), platform, true)
		if err != nil {
			require.ErrorIs(t, err, ErrMonthRuns)
		}
		return err == nil
	}, 10*time.Second, time.Millisecond)
	y.billed(t, 0)
}

// hook sets where the vendor's invoices go.
func (y *year) hook(t *testing.T) {
	var ack license.Ack
	_, err := y.s.Do(t.Context(), vectorAccount, Command{Op: license.OpVendorSettings, Result: &ack, Payload: &license.VendorSettings{
		By: platform, Set: license.ChangedURL | license.ChangedToken, Invoice: license.InvoiceHook{URL: "https://vector.com/invoices", Token: "key"},
	}})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, ack.Code, ack.Detail)
}

// sent is what is on its way to the vendor's billing system, by invoice.
func (y *year) sent(t *testing.T) map[string]string {
	var of directory.VendorResult
	_, err := y.s.ReadDirectory(t.Context(), Command{Op: directory.QueryVendor, Payload: &directory.GetVendor{ID: "vector-de"}, Result: &of}, ReadOptions{Linearizable: true})
	require.NoError(t, err)
	bodies := make(map[string]string)
	for _, line := range y.c.outgoing(cluster.GroupID(of.Vendor.Group)) {
		payload, ours := strings.CutPrefix(line, string(vectorAccount)+" invoice.issued ")
		if !ours {
			continue
		}
		var message license.InvoiceMessage
		require.NoError(t, json.Unmarshal([]byte(payload), &message))
		require.NotContains(t, bodies, message.ID, "sent twice")
		bodies[message.ID] = string(message.Body)
	}
	return bodies
}

// TestResentAsKept: what is sent again is the invoice as it is kept, whatever the
// month would come to now.
func TestResentAsKept(t *testing.T) {
	y := newYear(t)
	y.generate(t, "cad", nil)
	y.runs(t, time.January, time.January) // there is no URL
	require.Empty(t, y.sent(t))
	y.generate(t, "ide", nil)
	y.hook(t)
	kept := y.kept(t)[0]
	y.byHand(t, time.January)
	y.byHand(t, time.January)
	sent := y.sent(t)
	require.Len(t, sent, 2)
	require.Contains(t, sent[kept.ID], `"total":5000.00`)
	require.Contains(t, sent[kept.ID+"-p2"], `"total":5000.00`)
}

// TestCreditNoteIsSentAgain: a credit note that could not be sent is, by a run of
// its month or where its invoice is voided again.
func TestCreditNoteIsSentAgain(t *testing.T) {
	y := newYear(t)
	y.generate(t, "cad", nil)
	y.runs(t, time.January, time.February)
	var notes []string
	void := func(id string) {
		_, mirror, _, err := y.s.VoidInvoice(t.Context(), "vector-de", id, platform, "")
		require.NoError(t, err)
		notes = append(notes, string(mirror.ID))
	}
	kept := y.kept(t) // February's, and January's
	void(kept[0].ID)
	void(kept[1].ID)
	require.Empty(t, y.sent(t))
	y.hook(t)
	void(kept[0].ID)
	require.Contains(t, y.sent(t)[notes[0]], `"total":-5000.00`)
	require.NotContains(t, y.sent(t), notes[1])
	y.byHand(t, time.January)
	require.Contains(t, y.sent(t)[notes[1]], `"total":-5000.00`)
	void(kept[1].ID)
	y.byHand(t, time.February)
	require.Len(t, y.sent(t), 4, "two credit notes and two revisions, each once")
}

// TestHandSkipsNoMonth: a month that is run by hand before its turn keeps no
// earlier one from being run.
func TestHandSkipsNoMonth(t *testing.T) {
	y := newYear(t)
	y.generate(t, "cad", nil)
	y.at(ofYear(time.April).First().UnixMillis() + time.Hour.Milliseconds())
	require.Len(t, y.byHand(t, time.March).Issued, 1)
	y.billed(t, 1)
	require.NoError(t, y.s.invoiceVendors(t.Context(), ofYear(time.March), make(invoicedThrough)))
	y.billed(t, 3)
	require.Len(t, y.kept(t), 3, "each month has its own")
	through, err := y.s.newReader(ReadOptions{Linearizable: true}).invoicedBefore(t.Context(), "vector-de")
	require.NoError(t, err)
	require.Equal(t, ofYear(time.April), through)
}

// TestOneCustomerHoldsUpNoLaterMonth: what can't be billed of one customer keeps the
// others from no month.
func TestOneCustomerHoldsUpNoLaterMonth(t *testing.T) {
	y := newYear(t)
	_, err := y.s.CreateTenant(t.Context(), CreateTenantRequest{ID: "aaa"})
	require.NoError(t, err)
	for _, product := range []string{"p-0", "p-1"} { // together more than there is
		g, contact := wish("aaa", product)
		g.CRMAccount, g.Terms.CommitFeeMinor = "ACC-0", math.MaxInt64/2+1
		g.Terms.StartMillis, g.Terms.EndMillis = ofYear(time.January).First().UnixMillis(), ofYear(13).First().UnixMillis()
		_, _, err := y.s.Generate(t.Context(), g, contact)
		require.NoError(t, err)
	}
	y.generate(t, "cad", nil)
	y.at(ofYear(time.April).First().UnixMillis() + time.Hour.Milliseconds())
	for range 2 {
		require.ErrorIs(t, y.s.invoiceVendors(t.Context(), ofYear(time.March), make(invoicedThrough)), billing.ErrOverflow)
		y.billed(t, 3)
	}
	through, err := y.s.newReader(ReadOptions{Linearizable: true}).invoicedBefore(t.Context(), "vector-de")
	require.NoError(t, err)
	require.LessOrEqual(t, through, ofYear(time.January), "none is through")
}

// TestOneCustomerHoldsUpNoOther: a customer with thousands of lines is billed in
// parts, and one that can't be billed keeps no other from being so.
func TestOneCustomerHoldsUpNoOther(t *testing.T) {
	y := newYear(t)
	_, err := y.s.CreateTenant(t.Context(), CreateTenantRequest{ID: "aaa"})
	require.NoError(t, err)
	const licenses = 80
	for i := range licenses {
		g, contact := wish("aaa", fmt.Sprint("p-", i))
		g.ProductName = strings.Repeat("<", 300)
		g.Terms.StartMillis, g.Terms.EndMillis = ofYear(time.January).First().UnixMillis(), ofYear(13).First().UnixMillis()
		g.Terms.Cycle = cloudlicenses.BillingYearly
		if i == 0 { // more than there is
			g.CRMAccount, g.Terms.CommitFeeMinor, g.Terms.Cycle = "ACC-0", math.MaxInt64/6, cloudlicenses.BillingYearly
		}
		_, _, err := y.s.Generate(t.Context(), g, contact)
		require.NoError(t, err)
	}
	y.generate(t, "cad", func(g *directory.GenerateLicense) { g.Terms.Cycle = cloudlicenses.BillingYearly })
	y.hook(t)
	y.at(ofYear(13).First().UnixMillis() + time.Hour.Milliseconds())
	_, err = y.s.RunInvoices(t.Context(), "vector-de", ofYear(time.December), platform, false)
	require.ErrorIs(t, err, billing.ErrOverflow)
	y.billed(t, 12*licenses) // of the one, less what can't be billed, and of the other
	for id, body := range y.sent(t) {
		require.Less(t, len(body), 50<<10, id)
	}
	require.Greater(t, len(y.sent(t)), 30)
	through, err := y.s.newReader(ReadOptions{Linearizable: true}).invoicedBefore(t.Context(), "vector-de")
	require.NoError(t, err)
	require.Less(t, through, ofYear(time.December), "the month is not through")
}
