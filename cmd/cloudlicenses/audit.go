package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cloudlicenses/cloudlicenses"
)

func newAuditCommand() *cobra.Command {
	return newGroup("audit", "Verify tenants' audit logs",
		"Operator's commands about audit logs, spoken to one node's admin address.\n"+operatorEnvironment,
		newAuditVerifyCommand())
}

// auditProof is what recomputing a chain found.
type auditProof struct {
	TenantID string `json:"tenant_id"`
	Valid    bool   `json:"valid"`
	Records  int64  `json:"records"`
	Head     string `json:"head"`
	Detail   string `json:"detail,omitempty"`
}

func newAuditVerifyCommand() *cobra.Command {
	op := &operator{}
	var tenant string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute a tenant's audit chain",
		Long: `Recomputes the chain of hashes of a tenant's audit log from its first record on,
on the replica of the node that is asked, and compares it with the head that the
tenant's record holds. Ask each node in turn to verify every replica: equal heads
are equal logs. A log that was changed is said to be broken, and where; the exit
code is then 1.
` + operatorEnvironment,
		Example: `  cloudlicenses audit verify --tenant mercedes`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tenant == "" {
				return usagef("--tenant is missing: name the tenant")
			}
			if err := cloudlicenses.TenantID(tenant).Validate(); err != nil {
				return usagef("--tenant %q: %w", tenant, err)
			}
			if err := op.connect(); err != nil {
				return err
			}
			proof := auditProof{TenantID: tenant}
			if err := op.call(cmd.Context(), http.MethodGet, "/v1/tenants/"+url.PathEscape(tenant)+"/audit/verify", nil, &proof); err != nil {
				return err
			}
			if err := proof.print(cmd, op.output); err != nil || proof.Valid {
				return err
			}
			return fmt.Errorf("the audit log of %s is broken: %s", tenant, proof.Detail)
		},
	}
	op.addTo(cmd)
	cmd.Flags().StringVar(&tenant, "tenant", "", "the tenant's id (required)")
	return cmd
}

func (p *auditProof) print(cmd *cobra.Command, format outputFormat) error {
	if format == outputJSON {
		return printJSON(cmd.OutOrStdout(), p)
	}
	t := table{header: []string{"TENANT", "VALID", "RECORDS", "HEAD"}}
	t.add(p.TenantID, strconv.FormatBool(p.Valid), strconv.FormatInt(p.Records, 10), p.Head)
	return t.print(cmd.OutOrStdout())
}
