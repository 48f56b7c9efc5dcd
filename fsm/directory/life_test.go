package directory

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

// tenantLife runs the directives about a tenant's life.
func (s *session) tenantLife(d *datadriven.TestData) string {
	id := tenantID(arg(d, "id", ""))
	has := func(key string) bool {
		return slices.ContainsFunc(d.CmdArgs, func(a datadriven.CmdArg) bool { return a.Key == key })
	}
	var r LifeResult
	switch d.Cmd {
	case "change":
		s.apply(OpChangeTenant, &ChangeTenant{
			ID: id, Plan: cloudlicenses.Plan(arg(d, "plan", "")), Status: cloudlicenses.TenantStatus(arg(d, "status", "")),
			GraceMillis: number(d, "grace", 0), Cancel: has("cancel"), Actor: arg(d, "actor", "operator"),
		}, &r)
	case "settled":
		s.apply(OpTenantSettled, &TenantSettled{ID: id, Revision: uint64(number(d, "revision", 0)), PlanRefused: has("refused")}, &r)
	case "begin-removal":
		s.apply(OpBeginRemoval, &BeginRemoval{ID: id}, &r)
	case "removed":
		return s.ack(OpTenantRemoved, &TenantRemoved{ID: id})
	case "life":
		ask(s.t, s.m, QueryLife, &GetTenant{ID: id}, &r)
	case "unsettled":
		var list Unsettled
		ask(s.t, s.m, QueryUnsettled, &ListUnsettled{NowMillis: number(d, "at", s.stamp)}, &list)
		var b strings.Builder
		for i := range list.Items {
			b.WriteString(showLife(&list.Items[i]))
		}
		return b.String()
	case "plans":
		var page PlanPage
		ask(s.t, s.m, QueryPlans, &List{Cursor: arg(d, "cursor", ""), Limit: number(d, "limit", 0)}, &page)
		var b strings.Builder
		for _, h := range page.Items {
			fmt.Fprintf(&b, "%s %v removed %d\n", h.ID, h.Plans, h.RemovedMillis)
		}
		fmt.Fprintf(&b, "next: %q\n", page.Next)
		return b.String()
	}
	return showLife(&r)
}

func showLife(r *LifeResult) string {
	if r.Code != cloudlicenses.OK {
		return refusal(r.Code, r.Detail)
	}
	l := &r.Life
	text := fmt.Sprintf("%s %s %s, revision %d settled %d plan %s %v by %s", r.Tenant.ID, r.Tenant.Status, r.Tenant.Plan, l.Revision, l.Settled, l.Plan, l.Plans, l.Actor)
	if l.Before != "" {
		text += fmt.Sprintf(", was %s, removed from %d, removing %t", l.Before, l.DeleteMillis, l.Removing)
	}
	return text + "\n"
}

func randomLife(r *rand.Rand, tenant cloudlicenses.TenantID) []byte {
	switch r.IntN(5) {
	case 0:
		return command(OpTenantSettled, &TenantSettled{ID: tenant, Revision: r.Uint64N(4), PlanRefused: r.IntN(3) == 0})
	case 1:
		return command(OpBeginRemoval, &BeginRemoval{ID: tenant})
	case 2:
		return command(OpTenantRemoved, &TenantRemoved{ID: tenant})
	default:
		plans := []cloudlicenses.Plan{"", "", cloudlicenses.PlanFree, cloudlicenses.PlanEnterprise, "gold"}
		states := []cloudlicenses.TenantStatus{"", cloudlicenses.TenantActive, cloudlicenses.TenantSuspended, cloudlicenses.TenantDeleting, "nonsense"}
		return command(OpChangeTenant, &ChangeTenant{
			ID: tenant, Plan: plans[r.IntN(len(plans))], Status: states[r.IntN(len(states))], GraceMillis: r.Int64N(2000),
			Cancel: r.IntN(5) == 0, Actor: "a",
		})
	}
}

func lifeSamples() [][]byte {
	return [][]byte{
		command(OpChangeTenant, &ChangeTenant{ID: "t1", Plan: cloudlicenses.PlanFree, Status: cloudlicenses.TenantDeleting, GraceMillis: 7, Cancel: true, Actor: "u"}),
		command(OpTenantSettled, &TenantSettled{ID: "t1", Revision: 3, PlanRefused: true}),
		command(OpBeginRemoval, &BeginRemoval{ID: "t1"}),
		command(OpTenantRemoved, &TenantRemoved{ID: "t1"}),
	}
}

// TestLifeEncodings: the bytes of the commands are what they were; a log of
// the last release has to be read by the next.
func TestLifeEncodings(t *testing.T) {
	id := "a27431"
	for i, want := range []string{
		"3c01000000000096" + id + "a466726565" + "a864656c6574696e67" + "07c3a175",
		"3d01000000000093" + id + "03c3",
		"3e01000000000091" + id,
		"3f01000000000091" + id,
	} {
		require.Equal(t, want, hex.EncodeToString(lifeSamples()[i]))
	}
}

// TestUnsettledArePaged: deletions that are held, however many, hide no other change.
func TestUnsettledArePaged(t *testing.T) {
	s := newState(discard{})
	s.advance(1000)
	const held = 2*maxUnfinished + 1
	for i := range held {
		id := cloudlicenses.TenantID(fmt.Sprintf("held-%03d", i))
		s.tenants[id] = &Tenant{ID: id, Status: cloudlicenses.TenantDeleting}
		s.addLife(&Life{ID: id, Revision: 1, Settled: 1, DeleteMillis: 1})
	}
	s.tenants["zzz"] = &Tenant{ID: "zzz", Status: cloudlicenses.TenantSuspended}
	s.addLife(&Life{ID: "zzz", Revision: 2, Settled: 1})
	var seen []cloudlicenses.TenantID
	ask := &ListUnsettled{NowMillis: 1000}
	for pages := 1; ; pages++ {
		page, _ := s.unsettled(ask).(*Unsettled)
		for i := range page.Items {
			seen = append(seen, page.Items[i].Tenant.ID)
		}
		if ask.Cursor = page.Next; ask.Cursor == "" {
			require.Equal(t, 3, pages)
			break
		}
	}
	require.Len(t, seen, held+1)
	require.Equal(t, cloudlicenses.TenantID("zzz"), seen[held])
	require.True(t, slices.IsSorted(seen))
}
