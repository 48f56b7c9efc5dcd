package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses"
)

// changedTenant is a tenant as the admin address shows it after a change.
type changedTenant struct {
	tenantInfo
	DeletesAt string `json:"deletes_at,omitempty"`
}

// printChanged prints a tenant after a change.
func printChanged(cmd *cobra.Command, op *operator, t *changedTenant) error {
	if op.output == outputJSON {
		return printJSON(cmd.OutOrStdout(), t)
	}
	shown := tenantTable(t.tenantInfo)
	shown.header = append(shown.header, "REMOVED FROM")
	shown.rows[0] = append(shown.rows[0], orElse(t.DeletesAt, "-"))
	return shown.print(cmd.OutOrStdout())
}

func newTenantSetCommand() *cobra.Command {
	op := &operator{}
	var change struct {
		Plan   string `json:"plan,omitempty"`
		Status string `json:"status,omitempty"`
	}
	cmd := &cobra.Command{
		Use:   "set ID",
		Short: "Change a tenant's plan, suspend it or resume it",
		Long: `Changes a tenant's plan, which is in force at once and refused where it is too
small for what is in use, or its status. A suspended tenant checks nothing out;
leases that are out are kept alive and returned as ever, and its people may log
in.
` + operatorEnvironment,
		Example: `  cloudlicenses tenant set mercedes --plan professional
  cloudlicenses tenant set mercedes --status suspended`,
		Args: exactArgs(1, "the tenant's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case change.Plan == "" && change.Status == "":
				return usagef("nothing to change: name --plan or --status")
			case change.Plan != "" && !slices.Contains(cloudlicenses.PlanNames(), change.Plan):
				return usagef("--plan %q: want one of %s", change.Plan, strings.Join(cloudlicenses.PlanNames(), ", "))
			case change.Status != "" && change.Status != "active" && change.Status != "suspended":
				return usagef("--status %q: want active or suspended; 'tenant delete' deletes", change.Status)
			}
			if err := op.connect(); err != nil {
				return err
			}
			var t changedTenant
			if err := op.call(cmd.Context(), http.MethodPatch, "/v1/tenants/"+url.PathEscape(args[0]), change, &t); err != nil {
				return err
			}
			return printChanged(cmd, op, &t)
		},
	}
	op.addTo(cmd)
	cmd.Flags().StringVar(&change.Plan, "plan", "", "the plan: "+strings.Join(cloudlicenses.PlanNames(), ", "))
	cmd.Flags().StringVar(&change.Status, "status", "", "active or suspended")
	return cmd
}

func newTenantDeleteCommand() *cobra.Command {
	op := &operator{}
	var confirm string
	var grace time.Duration
	var cancel bool
	cmd := &cobra.Command{
		Use:   "delete ID",
		Short: "Delete a tenant, or take that back",
		Long: `Deletes a tenant: from now on it checks nothing out, and when the time of grace is
over its leases end, its keys are revoked, and all that it has is removed with its
data key. Its id is not given again; its domain is free. Until then --cancel takes
it back.
` + operatorEnvironment,
		Example: `  cloudlicenses tenant delete mercedes --confirm mercedes
  cloudlicenses tenant delete mercedes --cancel`,
		Args: exactArgs(1, "the tenant's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cancel && confirm != args[0] {
				return usagef("--confirm %s is missing: repeat the tenant's id", args[0])
			}
			body := struct {
				GraceSeconds *int64 `json:"grace_seconds,omitempty"`
			}{}
			if cmd.Flags().Changed("grace") {
				if grace < 0 || grace > cloudlicenses.MaxDeletionGrace {
					return usagef("--grace %s: want 0 to a year", grace)
				}
				seconds := int64(grace / time.Second)
				body.GraceSeconds = &seconds
			}
			if err := op.connect(); err != nil {
				return err
			}
			var t changedTenant
			var err error
			path := "/v1/tenants/" + url.PathEscape(args[0]) + "/deletion"
			if cancel {
				err = op.call(cmd.Context(), http.MethodDelete, path, nil, &t)
			} else {
				err = op.call(cmd.Context(), http.MethodPost, path, body, &t)
			}
			if err != nil {
				return err
			}
			return printChanged(cmd, op, &t)
		},
	}
	op.addTo(cmd)
	cmd.Flags().StringVar(&confirm, "confirm", "", "the tenant's id once more")
	cmd.Flags().DurationVar(&grace, "grace", 0, "time in which that can be taken back, such as 720h (default: as the server is configured)")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "take the deletion back")
	return cmd
}
