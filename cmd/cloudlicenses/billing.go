package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cloudlicenses/cloudlicenses"
)

func newBillingCommand() *cobra.Command {
	return newGroup("billing", "The platform's own statements",
		"What the platform earns, as one node's admin address tells: its share of vendors' overage revenue, and plan fees.\n"+operatorEnvironment,
		newRevenueShareCommand(), newPlanFeesCommand(), newSetShareCommand())
}

// periodFlag is --period.
type periodFlag string

func (p *periodFlag) addTo(fs *pflag.FlagSet) {
	fs.StringVar((*string)(p), "period", "", "month of the statement, such as 2025-11 (default: the running one)")
}

// query returns path for the period, which it checks.
func (p periodFlag) query(path string) (string, error) {
	if p == "" {
		return path, nil
	}
	if _, err := time.Parse("2006-01", string(p)); err != nil {
		return "", usagef("--period %q: want a month such as 2025-11", string(p))
	}
	return path + "?" + url.Values{"period": {string(p)}}.Encode(), nil
}

// revenueShare is the reply of GET /v1/billing/revenue-share.
type revenueShare struct {
	Period  string `json:"period"`
	Vendors []struct {
		VendorID    string      `json:"vendor_id"`
		Revenue     json.Number `json:"overage_revenue"`
		BasisPoints int64       `json:"basis_points"`
		Share       json.Number `json:"share"`
		Currency    string      `json:"currency"`
	} `json:"vendors"`
	Totals []struct {
		Currency string      `json:"currency"`
		Share    json.Number `json:"share"`
	} `json:"totals"`
	Failed []string `json:"failed"`
}

func percent(basisPoints int64) string {
	return fmt.Sprintf("%d.%02d %%", basisPoints/100, basisPoints%100)
}

func newRevenueShareCommand() *cobra.Command {
	op, period := &operator{}, periodFlag("")
	cmd := &cobra.Command{
		Use:   "revenue-share",
		Short: "The platform's share of a month's overage revenue",
		Long:  "Shows what the platform's share of overage revenue comes to in a month, by vendor and currency.\n" + operatorEnvironment,
		Example: `  cloudlicenses billing revenue-share --period 2025-11
  cloudlicenses billing revenue-share --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := period.query("/v1/billing/revenue-share")
			if err != nil {
				return err
			}
			if err := op.connect(); err != nil {
				return err
			}
			var s revenueShare
			if err := op.call(cmd.Context(), http.MethodGet, path, nil, &s); err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			t := table{header: []string{"PERIOD", "VENDOR", "OVERAGE REVENUE", "RATE", "SHARE", "CURRENCY"}}
			for _, v := range s.Vendors {
				t.add(s.Period, v.VendorID, v.Revenue.String(), percent(v.BasisPoints), v.Share.String(), v.Currency)
			}
			for _, vendor := range s.Failed {
				t.add(s.Period, vendor, "does not add up", "", "", "")
			}
			for _, total := range s.Totals {
				t.add(s.Period, "total", "", "", total.Share.String(), total.Currency)
			}
			return t.print(cmd.OutOrStdout())
		},
	}
	op.addTo(cmd)
	period.addTo(cmd.Flags())
	return cmd
}

// planFee is an item of GET /v1/billing/plans.
type planFee struct {
	TenantID string `json:"tenant_id"`
	Lines    []struct {
		Plan   string      `json:"plan"`
		Start  string      `json:"start"`
		End    string      `json:"end"`
		Amount json.Number `json:"amount"`
	} `json:"lines"`
	Total    json.Number `json:"total"`
	Currency string      `json:"currency"`
}

func newPlanFeesCommand() *cobra.Command {
	op, period := &operator{}, periodFlag("")
	cmd := &cobra.Command{
		Use:     "statement [TENANT]",
		Short:   "A month's plan fees, by tenant",
		Long:    "Shows what tenants' plans come to in a month, a line for each plan that a tenant had; of all tenants, or of one.\n" + operatorEnvironment,
		Example: `  cloudlicenses billing statement mercedes --period 2025-11`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("want one tenant at most, not %s", strings.Join(args, " "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := period.query("/v1/billing/plans")
			if err != nil {
				return err
			}
			if err := op.connect(); err != nil {
				return err
			}
			fees, err := listAll[planFee](cmd.Context(), op, path)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				if fees = feesOf(fees, args[0]); len(fees) == 0 {
					return fmt.Errorf("the month has no fees of tenant %q", args[0])
				}
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), fees)
			}
			t := table{header: []string{"TENANT", "PLAN", "FROM", "TO", "AMOUNT", "CURRENCY"}}
			for _, f := range fees {
				for _, l := range f.Lines {
					t.add(f.TenantID, l.Plan, l.Start, l.End, l.Amount.String(), f.Currency)
				}
				t.add(f.TenantID, "total", "", "", f.Total.String(), f.Currency)
			}
			return t.print(cmd.OutOrStdout())
		},
	}
	op.addTo(cmd)
	period.addTo(cmd.Flags())
	return cmd
}

func feesOf(fees []planFee, tenant string) []planFee {
	var of []planFee
	for _, f := range fees {
		if f.TenantID == tenant {
			of = append(of, f)
		}
	}
	return of
}

func newSetShareCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:   "set-share VENDOR PERCENT|default",
		Short: "Set the platform's share of a vendor's overage revenue",
		Long: "Sets which part of a vendor's overage revenue is the platform's, in percent with two decimals, or \"default\".\n" +
			operatorEnvironment,
		Example: `  cloudlicenses billing set-share vector-de 2.75`,
		Args:    exactArgs(2, "the vendor's id and the rate in percent"),
		RunE: func(cmd *cobra.Command, args []string) error {
			points, err := basisPoints(args[1])
			if err != nil {
				return err
			}
			if err := op.connect(); err != nil {
				return err
			}
			var set struct {
				VendorID    string `json:"vendor_id"`
				BasisPoints int64  `json:"basis_points"`
			}
			body := map[string]int64{"basis_points": points}
			if err := op.call(cmd.Context(), http.MethodPut, "/v1/vendors/"+url.PathEscape(args[0])+"/revenue-share", body, &set); err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), set)
			}
			rate := defaultRate
			if set.BasisPoints != 0 {
				rate = percent(set.BasisPoints)
			}
			t := table{header: []string{"VENDOR", "RATE"}}
			t.add(set.VendorID, rate)
			return t.print(cmd.OutOrStdout())
		},
	}
	op.addTo(cmd)
	return cmd
}

// defaultRate is what stands for the rate of a vendor that has none of its own: a
// word, for what an empty variable of a script makes must not be it.
const defaultRate = "default"

// basisPoints reads a percentage with at most two decimals, without a float; 0 is
// the default rate.
func basisPoints(text string) (int64, error) {
	if text == defaultRate {
		return 0, nil
	}
	whole, decimals, _ := strings.Cut(strings.TrimSuffix(text, "%"), ".")
	points, err := strconv.ParseUint(whole+(decimals + "00")[:2], 10, 32)
	if err != nil || whole == "" || len(decimals) > 2 || points > cloudlicenses.MaxShareRate || points < cloudlicenses.MinShareRate {
		return 0, usagef("rate %q: want %d to %d percent, with two decimals at most, or %s", text,
			cloudlicenses.MinShareRate/100, cloudlicenses.MaxShareRate/100, defaultRate)
	}
	return int64(points), nil
}
