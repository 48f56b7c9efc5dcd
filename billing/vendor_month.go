package billing

import "github.com/cloudlicenses/cloudlicenses"

// VendorTotals sums what a vendor's customers owe for a month, by currency: the
// commit fee of each license once, pro rata as CommitFees says, and all overage,
// adjustments included. The charges are those of the month. Errors: ErrContract,
// ErrOverflow.
func VendorTotals(month Month, charges []Charge) ([]CostTotal, error) {
	var commit, overage, total tally
	book := func(currency cloudlicenses.Currency, fee, cost int64) error {
		if err := commit.add(currency, fee); err != nil {
			return err
		}
		if err := overage.add(currency, cost); err != nil {
			return err
		}
		sum, err := add(fee, cost)
		if err != nil {
			return err
		}
		return total.add(currency, sum)
	}
	counted := make(map[cloudlicenses.LicenseID]bool, len(charges))
	for i := range charges {
		c := charges[i].Contract
		if !counted[c.License] {
			counted[c.License] = true
			fee, err := CommitFeeTotal(c, month.Days())
			if err != nil {
				return nil, err
			}
			if err := book(c.Currency, fee, 0); err != nil {
				return nil, err
			}
		}
		if err := book(charges[i].Sum.Currency, 0, charges[i].Sum.Minor); err != nil {
			return nil, err
		}
	}
	totals := make([]CostTotal, len(total))
	for i := range total {
		totals[i] = CostTotal{total[i].Currency, commit[i].Minor, overage[i].Minor, total[i].Minor}
	}
	return totals, nil
}
