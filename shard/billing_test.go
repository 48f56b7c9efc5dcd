package shard

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
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

// billed starts three nodes with a vendor and two customers of it.
func billed(t *testing.T) (c *trio, mercedes, bmw CreatedTenant) {
	c = newTrio(t)
	c.start(0, 1, 2)
	_, _, err := c.shards[0].CreateVendor(t.Context(), CreateVendorRequest{ID: "vector-de", Name: "Vector GmbH", LicensePrefix: "vector"})
	require.NoError(t, err)
	made := map[cloudlicenses.TenantID]CreatedTenant{}
	for _, id := range []cloudlicenses.TenantID{"mercedes", "bmw"} {
		created, err := c.shards[0].CreateTenant(t.Context(), CreateTenantRequest{ID: id})
		require.NoError(t, err)
		made[id] = created
		for _, product := range []string{"cad", "ide"} {
			g, contact := wish(id, product)
			g.OpportunityID += "-" + string(id)
			_, _, err := c.shards[0].Generate(t.Context(), g, contact)
			require.NoError(t, err)
		}
	}
	return c, made["mercedes"], made["bmw"]
}

// TestReportsAskNoLeader: exports and costs are read from the replica of the node
// that is asked, so the leaders of the groups handle none of another node's; and
// they go on, marked stale, while there is no leader at all.
func TestReportsAskNoLeader(t *testing.T) {
	c, mercedes, bmw := billed(t)
	var written Written
	for i := range byte(8) {
		_, written = c.checkout(0, mercedes, "cad", i)
	}
	_, more := c.checkout(0, bmw, "cad", 9)
	opt := ReadOptions{MinIndex: JoinAppliedIndexes(written.Applied, more.Applied)}
	month := billing.DayAt(time.Now().UnixMilli()).Month()
	report := func(i int, opt ReadOptions) (int64, Freshness) {
		found, fresh, err := c.shards[i].VendorCharges(t.Context(), "vector-de", "", month.Days(), opt)
		require.NoError(t, err)
		uses := int64(0)
		for _, charge := range found.Charges {
			uses += charge.Sum.Uses
		}
		costs, _, err := c.shards[i].TenantCosts(t.Context(), "mercedes", month, opt)
		require.NoError(t, err)
		require.Equal(t, "EUR", string(costs.Totals[0].Currency))
		require.EqualValues(t, 1_000_000+150_000, costs.Totals[0].Total, "two commit fees and three uses")
		return uses, fresh
	}
	for i := range c.shards {
		report(i, opt) // each replica has it all
	}
	asked := func(i int, group cluster.GroupID) int64 { return c.asked[i][group].Load() }
	for i := range c.shards {
		for group := cluster.GroupID(0); group < 3; group++ {
			leader := c.leader(group)
			if leader == i {
				continue
			}
			leaders, own := asked(leader, group), asked(i, group)
			uses, fresh := report(i, ReadOptions{})
			require.EqualValues(t, 3, uses)
			require.Less(t, fresh.StalenessMillis, int64(5000))
			require.Equal(t, leaders, asked(leader, group), "node %d asked the leader of group %d", i, group)
			if group == directoryGroup {
				require.Greater(t, asked(i, group), own, "the counter counts")
			}
		}
	}
	const left = 1
	user := license.PutUser{By: license.By{Platform: true}, ID: "user-1", Email: "b@mercedes.com", Name: "B", Role: cloudlicenses.RoleBilling, PasswordHash: []byte("hash")}
	_, _, err := c.shards[0].DoUser(t.Context(), "mercedes", license.OpPutUser, &user)
	require.NoError(t, err)
	token := NewSessionToken("mercedes")
	in, entered, err := c.shards[0].DoUser(t.Context(), "mercedes", license.OpLogin, &license.Login{
		Email: user.Email, PasswordOK: true, PasswordSum: sha256.Sum256(user.PasswordHash), Session: HashToken(token),
	})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, in.Code)
	edge := OpenEdge(t, c.shards[left])
	ask := func(min string) (status int, stale int64) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+edge+"/api/v1/costs", nil)
		require.NoError(t, err)
		request.Host = "mercedes.example.test"
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("X-Min-Index", min)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		stale, _ = strconv.ParseInt(response.Header.Get("X-Staleness-Ms"), 10, 64)
		return response.StatusCode, stale
	}
	status, _ := ask(entered.Applied)
	require.Equal(t, http.StatusOK, status)
	stopped := time.Now()
	c.stop(0)
	c.stop(2)
	gone := time.Now()
	require.Eventually(t, func() bool {
		uses, fresh := report(left, ReadOptions{})
		require.EqualValues(t, 3, uses)
		require.NotEqualValues(t, -1, fresh.StalenessMillis)
		require.Less(t, fresh.StalenessMillis, time.Since(stopped).Milliseconds()+2000, "it was up to date until then, also where it led")
		return fresh.StalenessMillis > 500 && time.Since(gone) > time.Second
	}, 20*time.Second, 50*time.Millisecond, "it says how old it is")
	status, stale := ask("")
	require.Equal(t, http.StatusOK, status, "people read on as well")
	require.Greater(t, stale, int64(500))
}

// TestInvoiceSaga: a node that dies at any step of a month's run leaves nothing
// half-way and nothing twice: the next one ends it.
func TestInvoiceSaga(t *testing.T) {
	c, _, _ := billed(t)
	platform := license.By{Platform: true}
	account := cloudlicenses.VendorID("vector-de").Account()
	var ack license.Ack
	_, err := c.shards[0].Do(t.Context(), account, Command{Op: license.OpVendorSettings, Result: &ack, Payload: &license.VendorSettings{
		By: platform, Set: license.ChangedURL | license.ChangedToken, Invoice: license.InvoiceHook{URL: "https://vector.com/invoices", Token: "key"},
	}})
	require.NoError(t, err)
	require.Equal(t, cloudlicenses.OK, ack.Code, ack.Detail)
	var group directory.VendorResult
	_, err = c.shards[0].ReadDirectory(t.Context(), Command{Op: directory.QueryVendor, Payload: &directory.GetVendor{ID: "vector-de"}, Result: &group}, ReadOptions{Linearizable: true})
	require.NoError(t, err)

	month := billing.NewMonth(2026, time.January)
	for _, late := range []bool{false, true} {
		for left, died := 0, true; died; left, month = left+1, month+1 {
			_, err := c.mortal(left, late).RunInvoices(t.Context(), "vector-de", month, platform, false)
			died = err != nil
			if died {
				require.ErrorIs(t, err, errDied)
				require.Less(t, left, 4)
			} else {
				require.Equal(t, 3, left, "two invoices, and the end")
			}
			run, err := c.shards[1].RunInvoices(t.Context(), "vector-de", month, platform, false)
			require.NoError(t, err)
			require.Equal(t, 2, len(run.Issued)+run.Known)
			again, err := c.shards[2].RunInvoices(t.Context(), "vector-de", month, platform, false)
			require.NoError(t, err)
			require.Empty(t, again.Issued)
			var page license.InvoicePage
			query := Command{Op: license.QueryInvoices, Payload: &license.ListInvoices{Month: uint32(month), Limit: 100}, Result: &page}
			_, err = c.shards[0].Read(t.Context(), account, query, ReadOptions{Linearizable: true})
			require.NoError(t, err)
			require.Len(t, page.Items, 2)
			for _, v := range page.Items {
				require.EqualValues(t, 1_000_000, v.Total, "%+v", v)
				require.Len(t, v.Lines, 2)
				require.Equal(t, "cad - Commit (5 licenses)", v.Lines[0].Description)
			}
			sent := map[string]int{}
			for _, line := range c.outgoing(cluster.GroupID(group.Vendor.Group)) {
				sent[line]++
			}
			for line, n := range sent {
				require.Equal(t, 1, n, line)
			}
		}
	}
	var through license.InvoicedResult
	require.NoError(t, c.shards[0].readNow(t.Context(), account, license.QueryInvoiced, &license.GetInvoiced{}, &through))
	require.Equal(t, uint32(month-1), through.Month)
	count := 0
	for _, line := range c.outgoing(cluster.GroupID(group.Vendor.Group)) {
		var name, kind string
		_, err := fmt.Sscan(line, &name, &kind)
		require.NoError(t, err)
		if name == string(account) && kind == "invoice.issued" {
			count++
		}
	}
	require.EqualValues(t, 2*(month-billing.NewMonth(2026, time.January)), count, "each once")
	_, err = c.shards[0].RunInvoices(t.Context(), "vector-de", billing.DayAt(time.Now().UnixMilli()).Month(), platform, true)
	require.ErrorIs(t, err, ErrMonthRuns)
}

// TestEveryVendorIsInvoiced: also one that is suspended, and one whose turn comes
// when the month of all others is through; and what waited for the invoice goes on.
func TestEveryVendorIsInvoiced(t *testing.T) {
	c := newTrio(t)
	var ahead atomic.Int64
	c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c.start(0, 1, 2)
	s, ctx := c.shards[c.leader(directoryGroup)], t.Context()
	for id, prefix := range map[cloudlicenses.VendorID]string{"vector-de": "vector", "late": "late"} {
		_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: id, Name: prefix, LicensePrefix: prefix})
		require.NoError(t, err)
	}
	created, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	for product, vendor := range map[string]cloudlicenses.VendorID{"cad": "vector-de", "sim": "late"} {
		g, contact := wish("mercedes", product)
		g.VendorID = vendor
		_, _, err = s.Generate(ctx, g, contact)
		require.NoError(t, err)
	}
	for intent := range byte(7) { // two past the five committed seats
		lease, _ := c.checkout(0, created, "cad", intent+1)
		require.Equal(t, cloudlicenses.OK, lease.Code, lease.Detail)
	}
	_, _, err = s.SetVendor(ctx, "vector-de", "", cloudlicenses.TenantSuspended)
	require.NoError(t, err)
	month := billing.DayAt(c.now().UnixMilli()).Month()
	ahead.Store(((month+1).First().UnixMillis()-time.Now().UnixMilli())*int64(time.Millisecond) + int64(time.Hour))

	r := beginChange(t, s, directory.ChangeTenant{ID: "mercedes", Status: cloudlicenses.TenantDeleting, Actor: "operator"})
	_, _, err = s.settleTenant(ctx, &r)
	require.NoError(t, err)
	waits, err := s.waitsForInvoice(ctx, &r.Tenant)
	require.NoError(t, err)
	require.True(t, waits)

	through := invoicedThrough{"late": month} // as if it had been
	require.NoError(t, s.invoiceVendors(ctx, month, through))
	require.Equal(t, month, through["vector-de"])
	_, _, err = s.SetVendor(ctx, "vector-de", "", cloudlicenses.TenantActive)
	require.NoError(t, err)
	invoices := func(vendor cloudlicenses.VendorID) []license.Invoice {
		var page license.InvoicePage
		query := Command{Op: license.QueryInvoices, Payload: &license.ListInvoices{Month: uint32(month), Limit: 100}, Result: &page}
		_, err := s.Read(ctx, vendor.Account(), query, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		return page.Items
	}
	made := invoices("vector-de")
	require.Len(t, made, 1)
	require.Equal(t, "cad - Overage (2 checkouts)", made[0].Lines[1].Description)
	ahead.Add(int64(heldLook))
	waits, err = s.waitsForInvoice(ctx, &r.Tenant)
	require.NoError(t, err)
	require.False(t, waits)

	require.Empty(t, invoices("late"))
	delete(through, "late")
	require.NoError(t, s.invoiceVendors(ctx, month, through))
	require.Len(t, invoices("late"), 1, "the others' month is through, and its own is not")
}
