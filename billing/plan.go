package billing

import (
	"errors"
	"fmt"

	"github.com/cloudlicenses/cloudlicenses"
)

// PlanSpan is a plan from a day on, until the next span.
type PlanSpan struct {
	From Day
	Plan cloudlicenses.Plan
	// EnterpriseMinor is an enterprise plan's own monthly fee, in cents; 0 for
	// every other plan, whose price is fixed.
	EnterpriseMinor int64
}

// monthlyFee returns the fee of a whole month in cents.
func (s PlanSpan) monthlyFee() (int64, error) {
	terms, known := s.Plan.Terms()
	if !known || s.EnterpriseMinor < 0 || (!terms.Custom && s.EnterpriseMinor != 0) {
		return 0, fmt.Errorf("%w: %q at %d cents", ErrPlan, s.Plan, s.EnterpriseMinor)
	}
	return terms.FeeMinor + s.EnterpriseMinor, nil
}

// ErrPlan: unknown plan, a fee that is not the plan's, or spans out of order.
var ErrPlan = errors.New("plan cannot be billed")

// PlanLine is a line of a plan-fee statement.
type PlanLine struct {
	Plan    cloudlicenses.Plan
	Days    Range
	Monthly int64 // cents for a whole month
	Minor   int64 // cents, rounded once
}

// PlanStatement is what a tenant owes the platform for a month, in cents of
// cloudlicenses.PlanCurrency.
type PlanStatement struct {
	Tenant cloudlicenses.TenantID
	Period Month
	Lines  []PlanLine // by day; a free plan's line is 0
	Total  int64
}

// PlanFees makes a tenant's statement of a month: each plan's fee pro rata by
// the days it was in force, each line rounded once, half away from zero. On
// the day of a change the new plan counts. Spans are by From, ascending; before
// the first one the tenant did not exist. ended is the tenant's last day, or
// zero. Spans that change neither plan nor fee are one line. Errors: ErrPlan,
// ErrOverflow.
func PlanFees(tenant cloudlicenses.TenantID, period Month, spans []PlanSpan, ended Day) (PlanStatement, error) {
	s := PlanStatement{Tenant: tenant, Period: period}
	month := period.Days()
	if ended == 0 {
		ended = lastDay
	}
	for i, span := range spans {
		if i > 0 && span.From <= spans[i-1].From {
			return PlanStatement{}, fmt.Errorf("%w: spans are not in order of their first day", ErrPlan)
		}
		fee, err := span.monthlyFee()
		if err != nil {
			return PlanStatement{}, err
		}
		days := Range{span.From, ended}
		if i+1 < len(spans) {
			days.End = min(ended, spans[i+1].From-1)
		}
		if days = days.intersect(month); days.Count() == 0 {
			continue
		}
		if n := len(s.Lines); n > 0 && s.Lines[n-1].Plan == span.Plan && s.Lines[n-1].Monthly == fee {
			s.Lines[n-1].Days.End = days.End
			continue
		}
		s.Lines = append(s.Lines, PlanLine{Plan: span.Plan, Days: days, Monthly: fee})
	}
	for i := range s.Lines {
		line := &s.Lines[i]
		var err error
		if line.Minor, err = portion(line.Monthly, uint64(line.Days.Count()), uint64(month.Count())); err != nil {
			return PlanStatement{}, err
		}
		if s.Total, err = add(s.Total, line.Minor); err != nil {
			return PlanStatement{}, err
		}
	}
	return s, nil
}
