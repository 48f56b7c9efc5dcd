package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

func newTenantCommand() *cobra.Command {
	return newGroup("tenant", "Create, change and delete tenants",
		"Operator's administration of tenants (customers), spoken to one node's admin address.\n"+operatorEnvironment,
		newTenantCreateCommand(), newTenantListCommand(), newTenantShowCommand(), newTenantSetCommand(), newTenantDeleteCommand())
}

// createTenant is the body of POST /v1/tenants.
type createTenant struct {
	ID       string         `json:"id"`
	Company  string         `json:"company,omitempty"`
	Region   string         `json:"region,omitempty"`
	Plan     string         `json:"plan,omitempty"`
	Owner    string         `json:"owner_email,omitempty"`
	Licenses *createLicense `json:"licenses,omitempty"`
}

// createLicense describes the licenses that a new tenant gets.
type createLicense struct {
	Product    string `json:"product"`
	Commit     int64  `json:"commit"`
	MaxOverage int64  `json:"max_overage"`
	Count      int64  `json:"count,omitempty"`
}

// createdTenant is the reply. As JSON the command prints the members of the
// contract's "Command line".
type createdTenant struct {
	TenantID  string `json:"tenant_id"`
	LicenseID string `json:"license_id,omitempty"`
	APIKey    string `json:"api_key"`
}

// print prints the tenant and its URL for a person.
func (c *createdTenant) print(w io.Writer, url string, licenses int64) error {
	t := table{header: []string{"TENANT", "URL", "LICENSE", "API KEY (not shown again)"}}
	t.add(c.TenantID, url, c.LicenseID, c.APIKey)
	if err := t.print(w); err != nil || licenses == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "%d licenses were made; %s is the first.\n", licenses, c.LicenseID)
	return err
}

func newTenantCreateCommand() *cobra.Command {
	op := &operator{}
	var req createTenant
	var lic createLicense
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a verified tenant, with a license and an API key",
		Long: `Makes a tenant that is active at once, with a first API key of both scopes, which
is shown here and never again: a tenant that is there already is refused. With
--license it gets a license of the operator's own vendor: --commit seats without
further charge and up to --max-overage more; with --count K it gets K licenses,
of products PRODUCT-0000, PRODUCT-0001, …. Applications reach the tenant under
the URL that is printed: its name has to resolve to the nodes. With --owner-email
somebody is invited by mail as the tenant's owner, who may then make keys and
invite others; without, nobody can log in.
` + operatorEnvironment,
		Example: `  cloudlicenses tenant create --id acme --license cad --commit 5 --max-overage 15
  cloudlicenses tenant create --id acme --owner-email ann@acme.com
  cloudlicenses tenant create --id load --license p --commit 10 --max-overage 0 --count 1000 --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := completeTenant(cmd, &req, &lic); err != nil {
				return err
			}
			if err := op.connect(); err != nil {
				return err
			}
			var created struct {
				createdTenant
				URL string `json:"tenant_url"`
			}
			if err := op.call(cmd.Context(), http.MethodPost, "/v1/tenants", req, &created); err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), created.createdTenant)
			}
			return created.print(cmd.OutOrStdout(), created.URL, lic.Count)
		},
	}
	op.addTo(cmd)
	fs := cmd.Flags()
	fs.StringVar(&req.ID, "id", "", "the tenant's id: its subdomain (required)")
	fs.StringVar(&req.Company, "company", "", "the company's name (default: the id)")
	fs.StringVar(&req.Region, "region", "", "region of the tenant's data (default: that of the node asked)")
	fs.StringVar(&req.Owner, "owner-email", "", "whom to invite by mail as the tenant's owner (default: nobody)")
	fs.StringVar(&req.Plan, "plan", shard.DefaultPlan, "the tenant's plan: "+strings.Join(cloudlicenses.PlanNames(), ", "))
	fs.StringVar(&lic.Product, "license", "", "product to license to the tenant")
	fs.Int64Var(&lic.Commit, "commit", 0, "committed seats (with --license)")
	fs.Int64Var(&lic.MaxOverage, "max-overage", 0, "overage seats beyond those (with --license)")
	fs.Int64Var(&lic.Count, "count", 0, "make this many licenses, of products PRODUCT-0000, … (with --license)")
	return cmd
}

// completeTenant checks the flags of `tenant create` against each other.
func completeTenant(cmd *cobra.Command, req *createTenant, lic *createLicense) error {
	switch {
	case req.ID == "":
		return usagef("--id is missing: name the tenant")
	case !slices.Contains(cloudlicenses.PlanNames(), req.Plan):
		return usagef("--plan %q: want one of %s", req.Plan, strings.Join(cloudlicenses.PlanNames(), ", "))
	case lic.Commit < 0:
		return usagef("--commit %d: want 0 or more", lic.Commit)
	case lic.MaxOverage < 0:
		return usagef("--max-overage %d: want 0 or more", lic.MaxOverage)
	}
	if err := cloudlicenses.TenantID(req.ID).Validate(); err != nil {
		return usagef("--id %q: %w", req.ID, err)
	}
	if lic.Product != "" {
		if cmd.Flags().Changed("count") && lic.Count < 1 {
			return usagef("--count %d: want 1 or more", lic.Count)
		}
		if lic.Commit == 0 && lic.MaxOverage == 0 {
			return usagef("--license %s would have no seats: name --commit or --max-overage", lic.Product)
		}
		req.Licenses = lic
		return nil
	}
	for _, name := range []string{"commit", "max-overage", "count"} {
		if cmd.Flags().Changed(name) {
			return usagef("--%s needs --license PRODUCT", name)
		}
	}
	return nil
}

// tenantInfo is a tenant as the admin address shows it.
type tenantInfo struct {
	ID         string `json:"id"`
	CustomerID string `json:"customer_id"`
	Company    string `json:"company"`
	Region     string `json:"region"`
	Plan       string `json:"plan"`
	Status     string `json:"status"`
	Group      uint32 `json:"group"`
	URL        string `json:"url"`
	CreatedAt  string `json:"created_at"`
}

func tenantTable(tenants ...tenantInfo) *table {
	t := &table{header: []string{"TENANT", "CUSTOMER", "COMPANY", "REGION", "PLAN", "STATUS", "GROUP", "CREATED"}}
	for _, i := range tenants {
		t.add(i.ID, i.CustomerID, i.Company, i.Region, i.Plan, i.Status, fmt.Sprint(i.Group), i.CreatedAt)
	}
	return t
}

func newTenantListCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tenants",
		Long:    "Lists every tenant with the group that holds it.\n" + operatorEnvironment,
		Example: `  cloudlicenses tenant list --output json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := op.connect(); err != nil {
				return err
			}
			tenants, err := listAll[tenantInfo](cmd.Context(), op, "/v1/tenants")
			if err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), tenants)
			}
			return tenantTable(tenants...).print(cmd.OutOrStdout())
		},
	}
	op.addTo(cmd)
	return cmd
}

func newTenantShowCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show one tenant",
		Long:    "Shows a tenant and the group that holds it.\n" + operatorEnvironment,
		Example: `  cloudlicenses tenant show mercedes`,
		Args:    exactArgs(1, "the tenant's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := op.connect(); err != nil {
				return err
			}
			var t tenantInfo
			if err := op.call(cmd.Context(), http.MethodGet, "/v1/tenants/"+url.PathEscape(args[0])+"?consistency=linearizable", nil, &t); err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), t)
			}
			return tenantTable(t).print(cmd.OutOrStdout())
		},
	}
	op.addTo(cmd)
	return cmd
}
