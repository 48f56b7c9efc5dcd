package main

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
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

// tenantChange is what `tenant set` changes.
type tenantChange struct {
	Plan   string `json:"plan,omitempty"`
	Status string `json:"status,omitempty"`
}

// check says what is wrong with a change.
func (c *tenantChange) check() error {
	switch {
	case c.Plan != "" && !slices.Contains(cloudlicenses.PlanNames(), c.Plan):
		return usagef("--plan %q: want one of %s", c.Plan, strings.Join(cloudlicenses.PlanNames(), ", "))
	case c.Status != "" && c.Status != "active" && c.Status != "suspended":
		return usagef("--status %q: want active or suspended; 'tenant delete' deletes", c.Status)
	}
	return nil
}

func newTenantSetCommand() *cobra.Command {
	op := &operator{}
	var change tenantChange
	var perMinute int64
	cmd := &cobra.Command{
		Use:   "set ID",
		Short: "Change a tenant's plan or limit, suspend it or resume it",
		Long: `Changes a tenant's plan, which is in force at once and refused where it is too
small for what is in use, or its status. A suspended tenant checks nothing out;
leases that are out are kept alive and returned as ever, and its people may log
in.

--checkouts-per-minute limits how often all API keys of the tenant together may
check out. Tenants that signed up begin with a limit, those of 'tenant create'
without one. The limits of a single key are its tenant's own matter.
` + operatorEnvironment,
		Example: `  cloudlicenses tenant set mercedes --plan professional
  cloudlicenses tenant set mercedes --status suspended
  cloudlicenses tenant set mercedes --checkouts-per-minute 60000`,
		Args: exactArgs(1, "the tenant's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			limits := cmd.Flags().Changed("checkouts-per-minute")
			switch {
			case change == (tenantChange{}) && !limits:
				return usagef("nothing to change: name --plan, --status or --checkouts-per-minute")
			case limits && (perMinute < 0 || perMinute > cloudlicenses.MaxRateLimit):
				return usagef("--checkouts-per-minute %d: want 0 (no limit) to %d", perMinute, cloudlicenses.MaxRateLimit)
			}
			if err := change.check(); err != nil {
				return err
			}
			if err := op.connect(); err != nil {
				return err
			}
			path := "/v1/tenants/" + url.PathEscape(args[0])
			if limits {
				if err := limitTenant(cmd, op, path, args[0], perMinute); err != nil || change == (tenantChange{}) {
					return err
				}
			}
			var t changedTenant
			if err := op.call(cmd.Context(), http.MethodPatch, path, change, &t); err != nil {
				return err
			}
			return printChanged(cmd, op, &t)
		},
	}
	op.addTo(cmd)
	cmd.Flags().StringVar(&change.Plan, "plan", "", "the plan: "+strings.Join(cloudlicenses.PlanNames(), ", "))
	cmd.Flags().StringVar(&change.Status, "status", "", "active or suspended")
	cmd.Flags().Int64Var(&perMinute, "checkouts-per-minute", 0, "of all keys together; 0: no limit")
	return cmd
}

// limitTenant limits the checkouts of a tenant and prints that.
func limitTenant(cmd *cobra.Command, op *operator, path, tenant string, perMinute int64) error {
	body := struct {
		PerMinute int64 `json:"checkouts_per_minute"`
	}{perMinute}
	var done map[string]any
	if err := op.call(cmd.Context(), http.MethodPut, path+"/limits", body, &done); err != nil {
		return err
	}
	if op.output == outputJSON {
		return printJSON(cmd.OutOrStdout(), done)
	}
	t := table{header: []string{"TENANT", "CHECKOUTS A MINUTE"}}
	t.add(tenant, strconv.FormatInt(perMinute, 10))
	return t.print(cmd.OutOrStdout())
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
