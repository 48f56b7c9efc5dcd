package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses"
)

func newPlanCommand() *cobra.Command {
	return newGroup("plan", "Look at plans",
		"What plans allow and cost, as one node's admin address tells. 'tenant set --plan' changes a tenant's.\n"+operatorEnvironment,
		newPlanListCommand(), newPlanShowCommand())
}

// planInfo is a plan as the admin address shows it.
type planInfo struct {
	Plan       string       `json:"plan"`
	MaxVendors *int64       `json:"max_vendors"`
	MaxSeats   *int64       `json:"max_seats"`
	Price      *json.Number `json:"price_monthly"`
	Currency   string       `json:"currency"`
	Support    string       `json:"support"`
}

// planPage is the reply of GET /v1/plans.
type planPage struct {
	Items []planInfo `json:"items"`
}

func planTable(plans ...planInfo) *table {
	t := &table{header: []string{"PLAN", "VENDORS", "SEATS", "A MONTH", "SUPPORT"}}
	for _, p := range plans {
		price := "custom"
		if p.Price != nil {
			price = p.Price.String() + " " + p.Currency
		}
		t.add(p.Plan, limitText(p.MaxVendors), limitText(p.MaxSeats), price, p.Support)
	}
	return t
}

func limitText(limit *int64) string {
	if limit == nil {
		return "unlimited"
	}
	return fmt.Sprint(*limit)
}

func newPlanListCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the plans",
		Long:    "Lists every plan, the smallest first.\n" + operatorEnvironment,
		Example: `  cloudlicenses plan list`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			page, err := readPlans(cmd, op)
			if err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), page.Items)
			}
			return planTable(page.Items...).print(cmd.OutOrStdout())
		},
	}
	op.addTo(cmd)
	return cmd
}

func newPlanShowCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:     "show PLAN",
		Short:   "Show one plan",
		Long:    "Shows what a plan allows and costs.\n" + operatorEnvironment,
		Example: `  cloudlicenses plan show startup`,
		Args:    exactArgs(1, "the plan's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			page, err := readPlans(cmd, op)
			if err != nil {
				return err
			}
			for _, p := range page.Items {
				if p.Plan != args[0] {
					continue
				}
				if op.output == outputJSON {
					return printJSON(cmd.OutOrStdout(), p)
				}
				return planTable(p).print(cmd.OutOrStdout())
			}
			return usagef("%q is no plan: there are %s", args[0], strings.Join(cloudlicenses.PlanNames(), ", "))
		},
	}
	op.addTo(cmd)
	return cmd
}

func readPlans(cmd *cobra.Command, op *operator) (planPage, error) {
	var page planPage
	if err := op.connect(); err != nil {
		return page, err
	}
	return page, op.call(cmd.Context(), http.MethodGet, "/v1/plans", nil, &page)
}
