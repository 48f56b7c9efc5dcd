package license_test

import (
	"fmt"
	"strings"

	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// lifeCommand builds the body of a command line about the tenant's life.
func (s *session) lifeCommand(name string, a arguments) (op fsm.Op, body msgp.Marshaler, known bool) {
	switch name {
	case "terms":
		return license.OpTerms, &license.SetTerms{
			Revision: uint64(a.number("revision", 1)), Plan: cl.Plan(a.text("plan", "free")),
			Status: cl.TenantStatus(a.text("status", "active")), Actor: a.text("actor", "operator"),
		}, true
	case "end-tenant":
		return license.OpEndTenant, &license.EndTenant{Limit: a.number("limit", 1000)}, true
	case "remove-tenant":
		return license.OpRemoveTenant, &license.RemoveTenant{Epoch: s.epoch, Charged: uint64(a.number("charged", 0))}, true
	}
	return 0, nil, false
}

// showLife shows the results that are no Ack.
func (s *session) showLife(out *strings.Builder, op fsm.Op, result []byte) bool {
	switch op {
	case license.OpTerms:
		var r license.TermsResult
		decode(s.r.t, result, &r)
		s.showTerms(out, &r)
	case license.OpEndTenant:
		var r license.EndedTenant
		decode(s.r.t, result, &r)
		if r.Code != cl.OK {
			s.showCode(out, r.Code, cl.LayerNone, r.Detail, "")
			break
		}
		fmt.Fprintf(out, "%d leases left, %d records of overage\n", r.Left, r.Charged)
	default:
		return false
	}
	return true
}

func (s *session) showTerms(out *strings.Builder, r *license.TermsResult) {
	if r.Code != cl.OK {
		s.showCode(out, r.Code, cl.LayerNone, r.Detail, "")
	}
	if r.Use.Plan != "" || r.Code == cl.OK {
		fmt.Fprintf(out, "revision %d %s, %s\n", r.Revision, r.Status, useLine(&r.Use))
	}
	if r.Country != "" {
		fmt.Fprintf(out, "%s %s\n", r.Country, r.TaxID)
	}
}

// useLine shows what is in use of a plan's limits.
func useLine(u *license.PlanUse) string {
	return fmt.Sprintf("%s: %d of %d vendors, %d of %d seats", u.Plan, u.Vendors, u.MaxVendors, u.Seats, u.MaxSeats)
}

func (s *session) terms(arguments) string {
	var r license.TermsResult
	askAt(s.r.t, s.r.m, s.tenant, s.epoch, license.QueryTerms, &license.GetTerms{}, &r)
	var out strings.Builder
	s.showTerms(&out, &r)
	return out.String()
}
