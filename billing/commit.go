package billing

// CommitFee is one line of commit fee: one price for days of one month.
type CommitFee struct {
	Month     Month
	Days      Range // the covered days of Month at this price
	CommitQty int64
	Minor     int64 // minor units of the contract's currency, rounded once
}

// Whole reports whether the line is a whole month's fee, not pro rata.
func (f CommitFee) Whole() bool { return f.Days.whole() }

// CommitFees returns the commit fee of a calendar month, in order of days: the
// whole fee where one price covers the whole month, else fee × days / days of
// the month for each price, each line rounded once, half away from zero
// (contract, "States and rules"). Versions that change neither fee nor
// quantity are one line. A month outside the contract has none. Errors:
// ErrContract, ErrOverflow.
func CommitFees(c *ContractLine, m Month) ([]CommitFee, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return appendCommitFees(nil, c, m)
}

// appendCommitFees is CommitFees for a valid contract.
func appendCommitFees(fees []CommitFee, c *ContractLine, m Month) ([]CommitFee, error) {
	whole := m.Days()
	covered := c.covered().intersect(whole)
	for i := 0; i < len(c.Prices); {
		price := c.Prices[i]
		days := Range{price.From, lastDay}
		if i == 0 {
			days.Start = 0
		}
		for i++; i < len(c.Prices); i++ {
			if next := c.Prices[i]; next.CommitFeeMonthly != price.CommitFeeMonthly || next.CommitQty != price.CommitQty {
				days.End = next.From - 1
				break
			}
		}
		days = days.intersect(covered)
		if days.Count() == 0 {
			continue
		}
		minor, err := portion(price.CommitFeeMonthly, uint64(days.Count()), uint64(whole.Count()))
		if err != nil {
			return nil, err
		}
		fees = append(fees, CommitFee{Month: m, Days: days, CommitQty: price.CommitQty, Minor: minor})
	}
	return fees, nil
}

// CommitFeeTotal returns the commit fees of the months whose last day is in a
// range, in minor units. A month belongs to the range that holds its last day,
// since that is when its fee is known; so cutting a range in two never changes
// what is charged. Errors: ErrContract, ErrOverflow.
func CommitFeeTotal(c *ContractLine, within Range) (int64, error) {
	if err := c.Validate(); err != nil {
		return 0, err
	}
	return commitFeeTotal(c, within)
}

func commitFeeTotal(c *ContractLine, within Range) (total int64, err error) {
	covered := c.covered()
	if covered.Count() == 0 || within.Count() == 0 {
		return 0, nil
	}
	first := max(covered.Start.Month(), within.Start.Month())
	last := min(covered.End.Month(), within.End.Month())
	var room [4]CommitFee
	for m := first; m <= last; m++ {
		if !within.Holds(m.Last()) {
			continue
		}
		fees, err := appendCommitFees(room[:0], c, m)
		if err != nil {
			return 0, err
		}
		for _, f := range fees {
			if total, err = add(total, f.Minor); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

// closing returns the month with whose invoice the fee of a covered month is
// billed. A cycle begins with the month in which the contract begins and is billed
// in its last month; the contract's end or a revocation closes the running cycle
// early, so that no fee stays unbilled. A quarter is therefore the contract's, not
// the calendar's: a contract from 15 February is billed for February to April in
// April.
func (c *ContractLine) closing(m Month) Month {
	covered, length := c.covered(), c.Cycle.months()
	return min(m+length-1-(m-covered.Start.Month())%length, covered.End.Month())
}

// Due returns the months whose commit fee is billed with the invoice of period, in
// order: those of the cycle that closes with it, and of earlier cycles what is not
// billed though the run of their invoices is through, since the contract was other
// than it is now.
func Due(c *ContractLine, period Month, books *Books) (months []Month) {
	covered := c.covered()
	if covered.Count() == 0 || c.Cycle.months() == 0 {
		return nil
	}
	marks := books.Fees[c.License]
	from := max(covered.Start.Month(), min(books.From, period)-CycleYearly.months())
	for m := from; m <= min(period, covered.End.Month()); m++ {
		closing := c.closing(m)
		due := closing == period || closing < period && closing >= books.From && closing <= books.Through
		switch marks[m] {
		case MarkBilled:
		case MarkAgain:
			months = append(months, m)
		default:
			if due {
				months = append(months, m)
			}
		}
	}
	return months
}
