package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func newVendorCommand() *cobra.Command {
	return newGroup("vendor", "Create, change and look at vendors",
		"Operator's administration of software vendors, spoken to one node's admin address.\n"+operatorEnvironment,
		newVendorCreateCommand(), newVendorListCommand(), newVendorShowCommand(), newVendorSetCommand())
}

// vendorInfo is a vendor as the admin address takes and shows it.
type vendorInfo struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	LicensePrefix string `json:"license_prefix,omitempty"` // left out, the server chooses
	Region        string `json:"region,omitempty"`         // left out, the node's own
	Status        string `json:"status,omitempty"`
	Group         uint32 `json:"group,omitempty"` // that keeps its account
	Epoch         uint32 `json:"epoch,omitempty"`
	AutoProvision bool   `json:"auto_provision,omitempty"`
	Host          string `json:"white_label_host,omitempty"`
	CreatedAt     string `json:"created_at,omitempty"`
	WithKey       bool   `json:"with_key,omitempty"` // asked for
	APIKey        string `json:"api_key,omitempty"`
}

func vendorTable(vendors ...vendorInfo) *table {
	t := &table{header: []string{"VENDOR", "NAME", "LICENSE PREFIX", "REGION", "STATUS", "CREATED"}}
	for _, v := range vendors {
		t.add(v.ID, v.Name, v.LicensePrefix, v.Region, v.Status, v.CreatedAt)
	}
	return t
}

func newVendorCreateCommand() *cobra.Command {
	op := &operator{}
	var vendor vendorInfo
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a vendor",
		Long: `Makes a vendor: a company whose software is licensed to tenants, in whose name
licenses are issued. Its id and its license prefix are its own from then on; its
licenses are named lic-<prefix>-<tenant>-<year>-<nnn>. 'tenant create --license'
needs none: what it makes is of the operator's own vendor.

With --with-key it gets an API key, which is printed and shown nowhere else: with it
the vendor's CRM works, and makes further keys. A vendor that signs up by itself has
users who make keys, and needs none.

Made again with the same attributes, the vendor is printed as it is stored; with
others it is refused.
` + operatorEnvironment,
		Example: `  cloudlicenses vendor create --id vector-de --name "Vector Informatik GmbH" --license-prefix vector --with-key`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if vendor.ID == "" {
				return usagef("--id is missing: name the vendor")
			}
			if err := op.connect(); err != nil {
				return err
			}
			vendor.Name = orElse(vendor.Name, vendor.ID)
			return op.vendor(cmd, http.MethodPost, "/v1/vendors", vendor)
		},
	}
	op.addTo(cmd)
	cmd.Flags().StringVar(&vendor.ID, "id", "", "the vendor's id (required)")
	cmd.Flags().StringVar(&vendor.Name, "name", "", "the vendor's name (default: the id)")
	cmd.Flags().StringVar(&vendor.Region, "region", "", "where its account is kept (default: the node's region)")
	cmd.Flags().StringVar(&vendor.LicensePrefix, "license-prefix", "", "what its license ids begin with: a–z and 0–9 (default: the id up to its first hyphen)")
	cmd.Flags().BoolVar(&vendor.WithKey, "with-key", false, "make an API key of the vendor, and print it")
	return cmd
}

func newVendorListCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the vendors",
		Long:    "Lists every vendor.\n" + operatorEnvironment,
		Example: `  cloudlicenses vendor list`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := op.connect(); err != nil {
				return err
			}
			vendors, err := listAll[vendorInfo](cmd.Context(), op, "/v1/vendors")
			if err != nil {
				return err
			}
			if op.output == outputJSON {
				return printJSON(cmd.OutOrStdout(), vendors)
			}
			return vendorTable(vendors...).print(cmd.OutOrStdout())
		},
	}
	op.addTo(cmd)
	return cmd
}

func newVendorShowCommand() *cobra.Command {
	op := &operator{}
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show one vendor",
		Long:    "Shows a vendor and the group that keeps its account.\n" + operatorEnvironment,
		Example: `  cloudlicenses vendor show vector-de`,
		Args:    exactArgs(1, "the vendor's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := op.connect(); err != nil {
				return err
			}
			return op.vendor(cmd, http.MethodGet, vendorPath(args[0])+"?consistency=linearizable", nil)
		},
	}
	op.addTo(cmd)
	return cmd
}

func newVendorSetCommand() *cobra.Command {
	op := &operator{}
	var change struct {
		Name   string `json:"name,omitempty"`
		Status string `json:"status,omitempty"`
	}
	cmd := &cobra.Command{
		Use:   "set ID",
		Short: "Change a vendor",
		Long: `Changes a vendor's name or status. One that is suspended gets in neither by key
nor by session; what it has licensed goes on.
` + operatorEnvironment,
		Example: `  cloudlicenses vendor set vector-de --status suspended`,
		Args:    exactArgs(1, "the vendor's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if change.Name == "" && change.Status == "" {
				return usagef("nothing to change: give --name or --status")
			}
			if err := op.connect(); err != nil {
				return err
			}
			return op.vendor(cmd, http.MethodPatch, vendorPath(args[0]), change)
		},
	}
	op.addTo(cmd)
	cmd.Flags().StringVar(&change.Name, "name", "", "its new name")
	cmd.Flags().StringVar(&change.Status, "status", "", "active or suspended")
	return cmd
}

func vendorPath(id string) string { return "/v1/vendors/" + url.PathEscape(id) }

// vendor sends a request that is answered with a vendor, and prints it.
func (o *operator) vendor(cmd *cobra.Command, method, path string, body any) error {
	var v vendorInfo
	if err := o.call(cmd.Context(), method, path, body, &v); err != nil {
		return err
	}
	if o.output == outputJSON {
		return printJSON(cmd.OutOrStdout(), v)
	}
	if err := vendorTable(v).print(cmd.OutOrStdout()); err != nil || v.APIKey == "" {
		return err
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), "API key:", v.APIKey)
	return err
}
