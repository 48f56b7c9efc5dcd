package shard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// errDied is what a dying engine answers.
var errDied = errors.New("the node has died")

// dying is an engine that dies at a command: before it is proposed, or after
// it was committed and before anybody hears of it.
type dying struct {
	engine
	left int // commands until then
	late bool
}

func (d *dying) Propose(ctx context.Context, group cluster.GroupID, command []byte) (cluster.Reply, error) {
	d.left--
	if d.left < 0 && (!d.late || d.left < -1) {
		return cluster.Reply{}, errDied
	}
	reply, err := d.engine.Propose(ctx, group, command)
	if err == nil && d.left < 0 {
		return cluster.Reply{}, errDied
	}
	return reply, err
}

func (d *dying) Query(ctx context.Context, group cluster.GroupID, query []byte, opt cluster.ReadOptions) (cluster.Reply, error) {
	if d.left < 0 {
		return cluster.Reply{}, errDied
	}
	return d.engine.Query(ctx, group, query, opt)
}

// mortal returns a door whose node dies at its command number left + 1.
func (c *trio) mortal(left int, late bool) *Shard {
	s := New(Config{Node: c.nodes[0], Domain: "example.test"})
	s.engine = &dying{engine: c.nodes[0], left: left, late: late}
	return s
}

// wish is a request for a license of its own product, and whom it is told to.
func wish(tenant cloudlicenses.TenantID, name string) (directory.GenerateLicense, license.Notice) {
	start := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	return directory.GenerateLicense{
		VendorID: "vector-de", OpportunityID: "SF-" + name, ProductID: cloudlicenses.ProductID(name), ProductName: name,
		CRMAccount: "ACC-" + string(tenant), Company: "C", TenantID: tenant, RequestHash: [32]byte{1}, AutoProvision: true,
		Terms: directory.Terms{
			Total: 20, CommitQty: 5, MaxOverage: 15, CommitFeeMinor: 500_000, OverageFeeMinor: 50_000, Currency: "EUR",
			StartMillis: start.UnixMilli(), EndMillis: start.AddDate(1, 0, 0).UnixMilli(), AutoRenew: true, Cycle: cloudlicenses.BillingMonthly,
		},
	}, license.Notice{Email: name + "@mercedes.com", Message: "Ready!"}
}

// outgoing returns the kinds and payloads of what a group is about to send.
func (c *trio) outgoing(group cluster.GroupID) (lines []string) {
	var page license.OutboxPage
	_, err := c.shards[0].ReadGroup(c.t.Context(), group, Command{
		Op: license.QueryOutbox, Payload: &license.ListOutbox{Limit: 10_000}, Result: &page,
	}, ReadOptions{Linearizable: true})
	require.NoError(c.t, err)
	for _, o := range page.Items {
		lines = append(lines, string(o.TenantID)+" "+o.Kind+" "+string(o.Payload))
	}
	return lines
}

// resume has a door finish what is unfinished, as the directory's leader does:
// its replica has all that anybody was told of.
func (c *trio) resume(s *Shard) error {
	var cluster directory.ClusterResult
	query := Command{Op: directory.QueryCluster, Result: &cluster}
	fresh, err := c.shards[0].ReadDirectory(c.t.Context(), query, ReadOptions{Linearizable: true})
	require.NoError(c.t, err)
	if _, err = s.ReadDirectory(c.t.Context(), query, ReadOptions{MinIndex: fresh.Applied}); err != nil {
		return err
	}
	return s.resumeLicenses(c.t.Context())
}

func count(lines []string, parts ...string) (n int) {
	for _, line := range lines {
		hit := true
		for _, part := range parts {
			hit = hit && strings.Contains(line, part)
		}
		if hit {
			n++
		}
	}
	return n
}

// provisionedOnce requires that a license is wholly there, and once.
func (c *trio) provisionedOnce(l *directory.License) {
	t := c.t
	require.Equal(t, cloudlicenses.LicenseProvisioned, l.Status)
	require.Equal(t, l.Revision, l.Synced)
	require.NotZero(t, l.ProvisionedMillis)
	require.True(t, l.Notified)
	var page license.LicensePage
	_, err := c.shards[0].Read(t.Context(), l.TenantID, Command{
		Op: license.QueryLicenses, Payload: &license.ListLicenses{Limit: 1000}, Result: &page,
	}, ReadOptions{Linearizable: true})
	require.NoError(t, err)
	found := 0
	for i := range page.Items {
		if page.Items[i].License.ProductID == l.ProductID {
			found++
			want := granted(l)
			want.Notified = true
			require.Equal(t, want, page.Items[i].License)
		}
	}
	require.Equal(t, 1, found, "%s in its group", l.ID)
	lines := c.outgoing(cluster.GroupID(c.tenantOf(l.TenantID).Group))
	require.Equal(t, 1, count(lines, "mail.provisioned", string(l.ProductID)+"@mercedes.com"), "mails to the contact of %s", l.ID)
	for _, account := range []cloudlicenses.TenantID{l.TenantID, l.VendorID.Account()} {
		var kept license.NoticeResult
		_, err := c.shards[0].Read(t.Context(), account, Command{
			Op: license.QueryNotice, Payload: &license.FindNotice{Key: l.NoticeKey[:]}, Result: &kept,
		}, ReadOptions{Linearizable: true})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.NotFound, kept.Code, "the notice of %s is gone from %s", l.ID, account)
	}
}

// of returns the vendor's licenses of a product.
func (c *trio) of(product cloudlicenses.ProductID) []directory.License {
	var page directory.LicensePage
	_, err := c.shards[0].ReadDirectory(c.t.Context(), Command{
		Op: directory.QueryLicenses, Payload: &directory.ListLicenses{VendorID: "vector-de", ProductID: product}, Result: &page,
	}, ReadOptions{Linearizable: true})
	require.NoError(c.t, err)
	return page.Items
}

// each runs test for a death at every command of a saga, until it lives.
func each(t *testing.T, name string, test func(product string, left int, late bool) (died bool)) int {
	t.Helper()
	for left := 0; ; left++ {
		for _, late := range []bool{false, true} {
			if !test(fmt.Sprintf("%s-%d-%t", name, left, late), left, late) {
				return left
			}
		}
	}
}

// TestGenerateSurvivesDeathAtEveryStep: whichever command of the saga is the
// last that a node gets out, and whether it was committed: what is left is
// nothing at all or becomes a whole license by itself, told once; and who
// repeats the request has that license, and one alone.
func TestGenerateSurvivesDeathAtEveryStep(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	ctx := t.Context()
	_, err := c.shards[0].CreateTenant(ctx, CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	_, _, err = c.shards[0].CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	require.NoError(t, c.shards[0].PutOwner(ctx, "mercedes", "user-1", "admin@mercedes.com", "Admin", "correct horse battery"))

	settled := func(product string) {
		g, contact := wish("mercedes", product)
		require.NoError(t, c.resume(c.shards[1]))
		before := c.of(g.ProductID)
		require.LessOrEqual(t, len(before), 1)
		for i := range before {
			c.provisionedOnce(&before[i])
		}
		again, _, err := c.shards[2].Generate(ctx, g, contact)
		require.NoError(t, err)
		require.True(t, again.Replayed || len(before) == 0)
		after := c.of(g.ProductID)
		require.Len(t, after, 1)
		require.Equal(t, after[0], again.License)
		c.provisionedOnce(&after[0])
	}
	steps := each(t, "known", func(product string, left int, late bool) bool {
		g, contact := wish("mercedes", product)
		_, _, err := c.mortal(left, late).Generate(ctx, g, contact)
		settled(product)
		return errors.Is(err, errDied)
	})
	require.GreaterOrEqual(t, steps, 4, "notice, intent, group, end")

	// The node that finishes it may die as well.
	steps = each(t, "resumed", func(product string, left int, late bool) bool {
		g, contact := wish("mercedes", product)
		_, _, err := c.mortal(2, false).Generate(ctx, g, contact)
		require.ErrorIs(t, err, errDied)
		err = c.resume(c.mortal(left, late))
		settled(product)
		return err != nil
	})
	require.GreaterOrEqual(t, steps, 2)

	// An amendment reaches the group by itself.
	each(t, "amended", func(product string, left int, late bool) bool {
		g, contact := wish("mercedes", product)
		made, _, err := c.shards[0].Generate(ctx, g, contact)
		require.NoError(t, err)
		amend := directory.AmendLicense{VendorID: "vector-de", ID: made.License.ID, Fields: directory.AmendTotal, Terms: directory.Terms{Total: 12}}
		_, _, err = c.mortal(left, late).AmendLicense(ctx, amend)
		require.NoError(t, c.resume(c.shards[1]))
		amended, _, again := c.shards[2].AmendLicense(ctx, amend)
		require.NoError(t, again)
		require.EqualValues(t, 12, amended.License.Terms.Total)
		require.EqualValues(t, 2, amended.License.Revision)
		c.provisionedOnce(&amended.License)
		return errors.Is(err, errDied)
	})
	group := cluster.GroupID(c.tenantOf("mercedes").Group)
	require.Equal(t, 1, count(c.outgoing(group), "mercedes mail.vendor_linked"), "the tenant is told of the vendor once")
	for group := range cluster.GroupID(3) {
		c.sameState(group)
	}
}

// TestWaitingLicense: a license for a tenant that is not there waits in the
// directory, its contact in the vendor's account, and both come to the tenant
// once it is, whoever dies on the way.
func TestWaitingLicense(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	ctx := t.Context()
	_, _, err := c.shards[0].CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	number := 0
	each(t, "waits", func(product string, left int, late bool) bool {
		number++
		tenant := cloudlicenses.TenantID(fmt.Sprintf("customer-%d", number))
		g, contact := wish(tenant, product)
		_, _, died := c.mortal(left, late).Generate(ctx, g, contact)
		waiting, _, err := c.shards[1].Generate(ctx, g, contact)
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.LicenseWaitingForTenant, waiting.License.Status)
		require.Equal(t, directory.NoticeAtVendor, waiting.License.Notice)
		require.NoError(t, c.resume(c.shards[1]))
		require.Len(t, c.of(g.ProductID), 1)

		_, err = c.shards[2].CreateTenant(ctx, CreateTenantRequest{ID: tenant})
		require.NoError(t, err)
		for left := 0; c.resume(c.mortal(left/2, left%2 == 1)) != nil; left++ {
			require.Less(t, left, 20)
		}
		l := c.of(g.ProductID)[0]
		require.Equal(t, waiting.License.ID, l.ID)
		c.provisionedOnce(&l)
		return errors.Is(died, errDied)
	})
	require.Greater(t, number, 2)

	// The leader of the directory does it by itself.
	g, contact := wish("by-itself", "by-itself")
	_, _, err = c.shards[0].Generate(ctx, g, contact)
	require.NoError(t, err)
	resuming, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range c.shards {
		go s.ResumeLicenses(resuming)
	}
	_, err = c.shards[1].CreateTenant(ctx, CreateTenantRequest{ID: "by-itself"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return c.of("by-itself")[0].Status == cloudlicenses.LicenseProvisioned }, 20*time.Second, 20*time.Millisecond)
	l := c.of("by-itself")[0]
	c.provisionedOnce(&l)
}

// TestBlockedVendorsNotice: what a blocked vendor writes to a contact never gets
// into the tenant's group: the only command there is is the directory's.
func TestBlockedVendorsNotice(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	ctx := t.Context()
	_, _, err := c.shards[0].CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	_, err = c.shards[0].CreateTenant(ctx, CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	g, contact := wish("mercedes", "first")
	_, _, err = c.shards[0].Generate(ctx, g, contact)
	require.NoError(t, err)
	_, _, err = c.shards[0].BlockVendor(ctx, directory.BlockVendor{TenantID: "mercedes", VendorID: "vector-de", Blocked: true})
	require.NoError(t, err)

	g, contact = wish("mercedes", "second")
	_, _, err = c.mortal(1, false).Generate(ctx, g, contact)
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, cloudlicenses.LicenseNotActive, refusal.Code)
}

// TestSuspendedVendorsNotice: a license that waited for its tenant goes on
// waiting while its vendor is suspended, for the notice to its contact is in the
// vendor's account.
func TestSuspendedVendorsNotice(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	ctx := t.Context()
	_, _, err := c.shards[0].CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	g, contact := wish("mercedes", "late")
	_, _, err = c.shards[0].Generate(ctx, g, contact)
	require.NoError(t, err)
	_, _, err = c.shards[0].SetVendor(ctx, "vector-de", "", cloudlicenses.TenantSuspended)
	require.NoError(t, err)
	_, err = c.shards[0].CreateTenant(ctx, CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	require.ErrorIs(t, c.resume(c.shards[0]), ErrTenantNotFound)
	require.Equal(t, cloudlicenses.LicenseGenerated, c.of("late")[0].Status)

	_, _, err = c.shards[0].SetVendor(ctx, "vector-de", "", cloudlicenses.TenantActive)
	require.NoError(t, err)
	require.NoError(t, c.resume(c.shards[0]))
	l := c.of("late")[0]
	c.provisionedOnce(&l)
}

// TestContractsEndByThemselves: the directory's leader renews a contract that
// is over by its own length and expires another, and the group learns of it. A
// license that renews itself is in force all the while.
func TestContractsEndByThemselves(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	ctx := t.Context()
	tenant, err := c.shards[0].CreateTenant(ctx, CreateTenantRequest{ID: "mercedes"})
	require.NoError(t, err)
	_, _, err = c.shards[0].CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	resuming, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range c.shards {
		go s.ResumeLicenses(resuming)
	}
	ended := func(name string, renews bool) directory.License {
		g, contact := wish("mercedes", name)
		start := time.Date(2024, time.February, 29, 0, 0, 0, 0, time.UTC)
		g.Terms.StartMillis, g.Terms.EndMillis = start.UnixMilli(), time.Date(2025, time.February, 28, 0, 0, 0, 0, time.UTC).UnixMilli()
		g.Terms.AutoRenew = renews
		made, _, err := c.shards[1].Generate(ctx, g, contact)
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.LicenseProvisioned, made.License.Status, "it comes to its group before it comes to its end")
		return made.License
	}
	renewing, expiring := ended("renewing", true), ended("expiring", false)
	r, _ := c.checkout(2, tenant, "renewing", 1)
	require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	r, _ = c.checkout(2, tenant, "expiring", 2)
	require.Equal(t, cloudlicenses.LicenseNotActive, r.Code)
	require.Eventually(t, func() bool {
		return c.of("expiring")[0].Status == cloudlicenses.LicenseExpired && c.of("renewing")[0].Synced == renewing.Revision+1
	}, 20*time.Second, 20*time.Millisecond)
	require.Equal(t, expiring.Terms, c.of("expiring")[0].Terms)
	l := c.of("renewing")[0]
	last := time.UnixMilli(l.Terms.EndMillis).UTC()
	require.Greater(t, l.Terms.EndMillis, time.Now().UnixMilli())
	require.Less(t, l.Terms.EndMillis, time.Now().AddDate(1, 0, 1).UnixMilli())
	require.Equal(t, time.February, last.Month())
	require.GreaterOrEqual(t, last.Day(), 28)
	c.provisionedOnce(&l)
	r, _ = c.checkout(0, tenant, "renewing", 3)
	require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
}

// TestLateRefusal: where two nodes are at the first revision of a license and the
// plan grows between them, both are refused: no seats are left that the directory
// does not know of.
func TestLateRefusal(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	ctx := t.Context()
	s := c.shards[0]
	_, _, err := s.CreateVendor(ctx, CreateVendorRequest{ID: "vector-de", Name: "Vector", LicensePrefix: "vector"})
	require.NoError(t, err)
	tenant, err := s.CreateTenant(ctx, CreateTenantRequest{ID: "mercedes", Plan: "free"})
	require.NoError(t, err)
	g, contact := wish("mercedes", "cad")
	var generated directory.LicenseResult
	_, err = s.DoDirectory(ctx, Command{Op: directory.OpLicenseGenerate, Payload: &g, Result: &generated})
	require.NoError(t, err)
	l := &generated.License
	provision := func() (ack license.Ack) {
		_, err := s.Do(ctx, "mercedes", Command{Op: license.OpProvision, Payload: &license.Provision{License: granted(l)}, Result: &ack})
		require.NoError(t, err)
		return ack
	}
	first := provision()
	require.Equal(t, cloudlicenses.PlanLimitExceeded, first.Code)
	_, _, err = s.ChangeTenant(ctx, "mercedes", TenantChange{Plan: cloudlicenses.PlanEnterprise, Actor: "operator"})
	require.NoError(t, err)
	second := provision()
	require.Equal(t, first, second)
	for _, ack := range []*license.Ack{&first, &second} {
		var refusal *Refusal
		require.ErrorAs(t, s.failLicense(ctx, l, ack), &refusal)
		require.Equal(t, cloudlicenses.PlanLimitExceeded, refusal.Code)
	}
	require.Empty(t, c.of("cad"))
	lease, _ := c.checkout(0, tenant, "cad", 1)
	require.Equal(t, cloudlicenses.ProductNotFound, lease.Code)

	again, _, err := s.Generate(ctx, g, contact)
	require.NoError(t, err)
	require.False(t, again.Replayed)
	c.provisionedOnce(&again.License)
}
