package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/cluster"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// ProvisionRequest asks for licenses of a vendor in a tenant, and for both of
// them where they are missing.
type ProvisionRequest struct {
	Tenant        CreateTenantRequest // its Licenses are not looked at
	VendorID      cloudlicenses.VendorID
	VendorName    string
	LicensePrefix string
	CRMAccount    string // of the tenant with the vendor
	Licenses      []LicenseSpec
	// APIKey is one handed out earlier; where the tenant does not know it
	// (or it is empty), a new one is made.
	APIKey string
	// VendorKey is the same of the vendor.
	VendorKey string
	// AppName of new keys.
	AppName string
}

// Provisioned is what Provision left behind.
type Provisioned struct {
	TenantID   cloudlicenses.TenantID
	LicenseIDs []cloudlicenses.LicenseID // the first of each of the request's Licenses
	APIKey     string
	VendorKey  string
}

// Provision brings a vendor, a tenant, its licenses and an API key about.
// Repeated, it leaves what is there.
func (s *Shard) Provision(ctx context.Context, req ProvisionRequest) (Provisioned, error) {
	req.Tenant.Licenses = req.Licenses
	tenant, err := s.openTenant(ctx, req.Tenant)
	if err != nil {
		return Provisioned{}, err
	}
	vendor, err := s.ensureVendor(ctx, CreateVendorRequest{ID: req.VendorID, Name: req.VendorName, LicensePrefix: req.LicensePrefix})
	if err != nil {
		return Provisioned{}, err
	}
	done := Provisioned{TenantID: tenant.ID, APIKey: req.APIKey}
	if done.VendorKey, err = s.vendorKeyFor(ctx, &vendor, req.VendorKey, req.AppName); err != nil {
		return Provisioned{}, err
	}
	known, err := s.knowsKey(ctx, tenant, req.APIKey)
	if err != nil {
		return Provisioned{}, err
	}
	if !known {
		if done.APIKey, err = s.putKey(ctx, tenant, req.AppName, bothScopes); err != nil {
			return Provisioned{}, err
		}
	}
	if tenant.Status == cloudlicenses.TenantPending {
		if _, err := s.activate(ctx, tenant); err != nil {
			return Provisioned{}, err
		}
	}
	for i := range req.Licenses {
		id, err := s.generated(ctx, tenant, &req, &req.Licenses[i])
		if err != nil {
			return Provisioned{}, err
		}
		done.LicenseIDs = append(done.LicenseIDs, id)
	}
	return done, nil
}

// generated returns the license that the tenant has of a product, generated
// where it has none.
func (s *Shard) generated(ctx context.Context, tenant *directory.Tenant, req *ProvisionRequest, spec *LicenseSpec) (cloudlicenses.LicenseID, error) {
	var there directory.LicensePage
	list := &directory.ListLicenses{VendorID: req.VendorID, TenantID: tenant.ID, ProductID: spec.ProductID, Limit: cloudlicenses.MaxListLimit}
	query := Command{Op: directory.QueryLicenses, Payload: list, Result: &there}
	if _, err := s.ReadDirectory(ctx, query, ReadOptions{Linearizable: true}); err != nil {
		return "", err
	}
	for i := range there.Items {
		if l := &there.Items[i]; l.Synced > 0 && l.Status == cloudlicenses.LicenseProvisioned {
			return l.ID, nil
		}
	}
	l := spec.license(0, req.VendorID, "", spec.start(time.Now()))
	opportunity := fmt.Sprintf("demo-%d", len(there.Items))
	result, _, err := s.Generate(ctx, directory.GenerateLicense{
		VendorID: req.VendorID, OpportunityID: opportunity, ProductID: spec.ProductID, ProductName: l.ProductName,
		CRMAccount: req.CRMAccount, Company: tenant.Company, TenantID: tenant.ID, AutoProvision: true,
		Terms: directory.Terms{
			Constraint: l.Constraint, Total: l.Total, CommitQty: l.CommitQty, MaxOverage: l.MaxOverage,
			CommitFeeMinor: l.CommitFeeMinor, OverageFeeMinor: l.OverageFeeMinor, Currency: l.Currency,
			StartMillis: l.StartMillis, EndMillis: l.EndMillis, Cycle: cloudlicenses.BillingMonthly,
		},
	}, license.Notice{})
	return result.License.ID, err
}

// knowsKey reports whether the tenant has the key, neither revoked nor expired.
func (s *Shard) knowsKey(ctx context.Context, tenant *directory.Tenant, key string) (bool, error) {
	secrets := s.Secrets()
	if owner, err := accountOf(key); err != nil || owner != tenant.ID {
		return false, nil //nolint:nilerr // a text that is no key of the tenant is not known
	}
	if secrets == nil {
		return false, errors.New("the cluster's secrets are not open yet")
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	hash, now := HashAPIKey(secrets.KeyHMAC, key), time.Now().UnixMilli()
	header := fsm.Header{Op: license.QueryKeys, Version: license.Version, Epoch: tenant.Epoch, Tenant: tenant.ID}
	for cursor := ""; ; {
		var page license.KeyPage
		list := &license.ListKeys{Cursor: cursor, Limit: cloudlicenses.MaxListLimit}
		if _, err := s.query(ctx, cluster.GroupID(tenant.Group), header, list, cluster.ReadOptions{Linearizable: true}, &page); err != nil {
			return false, fmt.Errorf("list the keys of %s: %w", tenant.ID, err)
		}
		if err := refused(page.Code, ""); err != nil {
			return false, err
		}
		for i := range page.Items {
			k := &page.Items[i]
			if k.Hash == hash {
				return k.RevokedMillis == 0 && (k.ExpiresMillis == 0 || k.ExpiresMillis > now), nil
			}
		}
		if page.Next == "" {
			return false, nil
		}
		cursor = page.Next
	}
}

// The demo of `dev`: the customer's own example.
const (
	DemoVendor  cloudlicenses.VendorID  = "vector-de"
	DemoTenant  cloudlicenses.TenantID  = "mercedes"
	DemoProduct cloudlicenses.ProductID = "davinci-configurator-se"
)

// Demo provisions the demo: 20 seats, 5 of them committed, EUR 5000.00 a month
// and EUR 500.00 per overage use. The keys, of the tenant and of the vendor, are
// those that an earlier start made, or empty.
func (s *Shard) Demo(ctx context.Context, apiKey, vendorKey string) (Provisioned, error) {
	return s.Provision(ctx, ProvisionRequest{
		Tenant:        CreateTenantRequest{ID: DemoTenant, Company: "Mercedes-Benz AG"},
		VendorID:      DemoVendor,
		VendorName:    "Vector Informatik GmbH",
		LicensePrefix: "vector",
		CRMAccount:    "ACC-98765",
		Licenses: []LicenseSpec{{
			ProductID:       DemoProduct,
			ProductName:     "DaVinci Configurator SE",
			Constraint:      ">=8.0.0",
			CommitQty:       5,
			MaxOverage:      15,
			CommitFeeMinor:  500_000,
			OverageFeeMinor: 50_000,
			Currency:        "EUR",
		}},
		APIKey:    apiKey,
		VendorKey: vendorKey,
		AppName:   "demo",
	})
}
