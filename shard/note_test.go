package shard

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// OpenEdge serves the public API over a door until the test ends, and returns its
// address.
var OpenEdge func(t *testing.T, s *Shard) (address string)

// witness is an engine that remembers what was committed through it, and has no room
// for one command.
type witness struct {
	engine
	ops  []fsm.Op
	left int // commands until then
}

func (w *witness) Propose(ctx context.Context, group cluster.GroupID, command []byte) (cluster.Reply, error) {
	w.left--
	if w.left == -1 {
		return cluster.Reply{}, cluster.ErrStorageFull
	}
	reply, err := w.engine.Propose(ctx, group, command)
	if h, _, _, split := fsm.SplitHeader(command); err == nil && split == nil {
		w.ops = append(w.ops, h.Op)
	}
	return reply, err
}

// deed is something that a vendor asks for: of a license, or of a product that has
// none yet.
type deed struct {
	action  string
	request func(c *trio, product string, id cloudlicenses.LicenseID) (method, path, body string)
	done    func(c *trio, product string) bool
	fresh   bool // there is no license before
	refused bool
}

var deeds = []deed{
	{
		action: "license.generate", fresh: true,
		request: func(_ *trio, product string, _ cloudlicenses.LicenseID) (method, path, body string) {
			return "POST", "/api/v1/licenses/generate", fmt.Sprintf(`{"crm_opportunity_id":"SF-%[1]s",
				"customer":{"crm_account_id":"ACC-mercedes","name":"Mercedes","tenant_id":"mercedes","contact_email":"%[1]s@mercedes.com"},
				"product":{"id":"%[1]s","name":"CAD"},
				"entitlement":{"total_licenses":20,"commit_qty":5,"max_overage":15,"pricing":{"commit_fee_monthly":5000,"overage_per_use":500,"currency":"EUR"}},
				"contract":{"start_date":"2026-01-01","end_date":"2030-12-31","auto_renew":true,"billing_cycle":"monthly"},"auto_provision":true}`, product)
		},
		done: func(c *trio, product string) bool { return len(c.of(cloudlicenses.ProductID(product))) == 1 },
	},
	{
		action: "license.amend",
		request: func(_ *trio, _ string, id cloudlicenses.LicenseID) (method, path, body string) {
			return "PATCH", "/api/v1/licenses/" + string(id), `{"entitlement":{"total_licenses":12}}`
		},
		done: func(c *trio, product string) bool { return c.of(cloudlicenses.ProductID(product))[0].Terms.Total == 12 },
	},
	{
		action: "license.suspend",
		request: func(_ *trio, _ string, id cloudlicenses.LicenseID) (method, path, body string) {
			return "POST", "/api/v1/licenses/" + string(id) + "/suspend", ""
		},
		done: func(c *trio, product string) bool {
			return c.of(cloudlicenses.ProductID(product))[0].SuspendedMillis != 0
		},
	},
	{
		action: "license.amend", refused: true, // that is more than 5 and 15
		request: func(_ *trio, _ string, id cloudlicenses.LicenseID) (method, path, body string) {
			return "PATCH", "/api/v1/licenses/" + string(id), `{"entitlement":{"total_licenses":21}}`
		},
		done: func(c *trio, product string) bool { return c.of(cloudlicenses.ProductID(product))[0].Revision > 1 },
	},
	{
		action: "overage.adjust",
		request: func(c *trio, _ string, id cloudlicenses.LicenseID) (method, path, body string) {
			record := c.overage(id)[0]
			month := time.UnixMilli(record.AtMillis).UTC().Format("2006-01")
			return "POST", fmt.Sprintf("/api/v1/billing/overage/records/%s-%d/adjust", month, record.Sequence), fmt.Sprintf(`{"license_id":%q,"uses":1,"reason":"a mistake"}`, id)
		},
		done: func(c *trio, product string) bool {
			return len(c.overage(c.of(cloudlicenses.ProductID(product))[0].ID)) == 2
		},
	},
}

// overage returns the records of a license of mercedes.
func (c *trio) overage(id cloudlicenses.LicenseID) []license.Overage {
	var page license.OveragePage
	_, err := c.shards[1].Read(c.t.Context(), "mercedes", Command{
		Op: license.QueryOverage, Payload: &license.ListOverage{LicenseID: id, Month: time.Now().UTC().Format("2006-01"), Limit: 100}, Result: &page,
	}, ReadOptions{Linearizable: true})
	require.NoError(c.t, err)
	return page.Items
}

// begun is a deed of which a node knew as much as was committed through it.
type begun struct {
	deed
	product       string
	license       cloudlicenses.LicenseID // empty: there was none before
	ops           []fsm.Op
	failed        bool  // the node has, before it was through
	from, through int64 // Unix ms, around the request
}

// begin has a node do a deed that finds no room for its command number full + 1, or
// the node dead.
func (c *trio) begin(d deed, keys Provisioned, product string, full int, dies *dying) (b begun) {
	t, ctx := c.t, c.t.Context()
	b = begun{deed: d, product: product}
	if !d.fresh {
		g, contact := wish("mercedes", product)
		made, _, err := c.shards[1].Generate(ctx, g, contact)
		require.NoError(t, err)
		b.license = made.License.ID
		var r license.LeaseResult
		_, err = c.shards[1].Do(ctx, "mercedes", Command{Op: license.OpCheckout, Result: &r, Payload: &license.Checkout{
			Caller: license.Caller{KeyHash: HashAPIKey(c.shards[1].Secrets().KeyHMAC, keys.APIKey)}, Intent: [16]byte(fmt.Appendf(nil, "%-16.16s", product)),
			ProductID: cloudlicenses.ProductID(product), User: "alice", Count: 6, TTLMillis: 300_000, AllowOverage: true,
		}})
		require.NoError(t, err)
		require.Equal(t, cloudlicenses.OK, r.Code, r.Detail)
	}
	method, path, body := d.request(c, product, b.license)
	seen := &witness{engine: c.nodes[0], left: full}
	dies.engine = seen
	s := New(Config{Node: c.nodes[0], Domain: "example.test", Logger: slog.New(slog.DiscardHandler)})
	s.engine = dies
	s.secrets.Store(c.shards[0].Secrets())
	s.keys.Store(c.shards[0].keys.Load())

	request, err := http.NewRequestWithContext(ctx, method, "http://"+OpenEdge(t, s)+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Host, request.Close = "vendors.example.test", true
	request.Header.Set("Authorization", "Bearer "+keys.VendorKey)
	b.from = time.Now().UnixMilli()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	b.through, b.ops = time.Now().UnixMilli(), seen.ops
	if b.failed = dies.left < 0 || seen.left < 0; !b.failed {
		require.Equal(t, d.refused, response.StatusCode == http.StatusUnprocessableEntity, string(answer))
		require.Equal(t, !d.refused, response.StatusCode < http.StatusMultipleChoices, string(answer))
	}
	return b
}

// want is what the vendor's log has of a deed in the end: at most one result.
func (b *begun) want() []string {
	switch {
	case slices.Contains(b.ops, license.OpNote):
		return []string{"success"}
	case !slices.Contains(b.ops, license.OpIntend), slices.Contains(b.ops, license.OpDropNote):
		return nil
	}
	return []string{string(cloudlicenses.OutcomeUnknown)}
}

// TestDeedsAreNotedThroughDeathAtEveryStep: whichever command of a vendor's deed is
// the last that a node gets out, and whether it was committed, or finds no room at a
// leader: what was done is in the vendor's log once, as done or, under its own time,
// as something whose outcome nobody knows; what was not is not there as done. The
// leader of the vendor's group is lost before what it waits for is due.
func TestDeedsAreNotedThroughDeathAtEveryStep(t *testing.T) {
	c := newTrio(t)
	var ahead atomic.Int64
	c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c.start(0, 1, 2)
	keys, err := c.shards[0].Provision(t.Context(), ProvisionRequest{
		Tenant: CreateTenantRequest{ID: "mercedes"}, VendorID: "vector-de", VendorName: "Vector", LicensePrefix: "vector",
	})
	require.NoError(t, err)

	var all []begun
	const never = 1000
	for n, d := range deeds {
		steps := each(t, fmt.Sprintf("deed-%d", n), func(product string, left int, late bool) bool {
			all = append(all, c.begin(d, keys, product, never, &dying{left: left, late: late}))
			return all[len(all)-1].failed
		})
		require.GreaterOrEqual(t, steps, 3, "%s: intention, deed, note", d.action)
		for left := range steps {
			all = append(all, c.begin(d, keys, fmt.Sprintf("deed-%d-%d", n, left), left, &dying{left: never}))
			require.True(t, all[len(all)-1].failed)
		}
	}
	require.NoError(t, c.resume(c.shards[1]))
	group := cluster.GroupID(c.tenantOf("@vector-de").Group)
	gone := c.leader(group)
	c.stop(gone)
	require.NotEqual(t, gone, c.leader(group))
	c.start(gone)
	ahead.Store(int64(2 * time.Minute))
	var log license.AuditPage
	read := func(op fsm.Op, query msgp.Marshaler, result msgp.Unmarshaler) {
		_, err := c.shards[1].Read(t.Context(), "@vector-de", Command{Op: op, Payload: query, Result: result}, ReadOptions{Linearizable: true})
		require.NoError(t, err)
	}
	unknown := 0
	for i := range all {
		if slices.Equal(all[i].want(), []string{string(cloudlicenses.OutcomeUnknown)}) {
			unknown++
		}
	}
	require.Eventually(t, func() bool {
		log = license.AuditPage{}
		read(license.QueryAudit, &license.ListAudit{Limit: 1000, Result: string(cloudlicenses.OutcomeUnknown)}, &log)
		return len(log.Items) >= unknown
	}, 20*time.Second, 20*time.Millisecond)
	log = license.AuditPage{}
	read(license.QueryAudit, &license.ListAudit{Limit: 1000}, &log)
	for i := range all {
		all[i].isIn(c, log.Items)
	}
	var proof license.AuditProof
	read(license.QueryVerify, &license.VerifyAudit{}, &proof)
	require.True(t, proof.Valid, proof.Detail)
}

// isIn requires that a log has what came of a deed, once.
func (b *begun) isIn(c *trio, log []license.Audit) {
	t, name := c.t, fmt.Sprintf("%s of %s, of which %v was committed", b.action, b.product, b.ops)
	var results []string
	for i := range log {
		a := &log[i]
		if a.Action != b.action || (a.ProductID != cloudlicenses.ProductID(b.product) && (b.license == "" || a.LicenseID != b.license)) {
			continue
		}
		results = append(results, a.Result)
		require.GreaterOrEqual(t, a.AtMillis, b.from, name)
		require.LessOrEqual(t, a.AtMillis, b.through, name)
		require.NotEmpty(t, a.Actor, name)
	}
	require.Equal(t, b.want(), results, name)
	if b.done(c, b.product) {
		require.Len(t, results, 1, name)
	} else {
		require.NotContains(t, results, "success", name)
	}
}
