package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// The operator's own vendor, whose licenses `tenant create` makes.
const (
	operatorVendorID cloudlicenses.VendorID = "operator"

	operatorVendorName = "Operator"
	operatorPrefix     = "operator"
)

// DefaultPlan is a tenant's plan where none is named.
const DefaultPlan = string(cloudlicenses.PlanEnterprise)

// Limits of provisioning.
const (
	// licensesPerCommand bounds a PutLicenses: some 100 KiB.
	licensesPerCommand = 500
	// MaxProvisionedLicenses bounds the count of a LicenseSpec.
	MaxProvisionedLicenses = 1_000_000
)

// Refusal is a machine's refusal as an error, where a saga ends by it.
type Refusal struct {
	Code   cloudlicenses.Code
	Detail string
	// LicenseID is the license in the way of an already_exists.
	LicenseID cloudlicenses.LicenseID
	// Use is what a plan_limit_exceeded would have come to.
	Use license.PlanUse
}

// Error returns the code and the detail.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return string(r.Code)
	}
	return string(r.Code) + ": " + r.Detail
}

// refused returns the refusal that a result's code stands for, or nil.
func refused(code cloudlicenses.Code, detail string) error {
	if code == cloudlicenses.OK {
		return nil
	}
	return &Refusal{Code: code, Detail: detail}
}

// LicenseSpec describes licenses to provision.
type LicenseSpec struct {
	ProductID   cloudlicenses.ProductID
	ProductName string // empty: ProductID
	Constraint  string // semver range; empty: any version
	CommitQty   int64
	MaxOverage  int64
	// Total is T; 0: CommitQty + MaxOverage.
	Total int64
	// Fees are in minor units of Currency (empty: EUR).
	CommitFeeMinor  int64
	OverageFeeMinor int64
	Currency        cloudlicenses.Currency
	// StartMillis is the contract's first moment (0: 1 January of this year,
	// UTC), EndMillis the first one after it (0: open-ended).
	StartMillis int64
	EndMillis   int64
	// Count makes that many licenses, of products ProductID-0000,
	// ProductID-0001, …; 0: one, of ProductID itself.
	Count int64
}

// CreateTenantRequest asks for a verified tenant.
type CreateTenantRequest struct {
	ID      cloudlicenses.TenantID
	Company string // empty: ID
	Region  string // empty: this node's own
	Plan    string // empty: DefaultPlan
	// Licenses are made in the name of the operator's own vendor.
	Licenses []LicenseSpec
}

// CreatedTenant is what `tenant create` prints.
type CreatedTenant struct {
	TenantID  cloudlicenses.TenantID  `json:"tenant_id"`
	LicenseID cloudlicenses.LicenseID `json:"license_id,omitempty"` // the first one's
	APIKey    string                  `json:"api_key"`              // shown here and never again
}

// CreateTenant makes an active tenant with an API key of both scopes, and
// licenses where asked. It is a saga (directory → group → active) that an
// interrupted caller resumes by repeating it; a tenant that is past it is an
// already_exists Refusal.
func (s *Shard) CreateTenant(ctx context.Context, req CreateTenantRequest) (CreatedTenant, error) {
	tenant, err := s.openTenant(ctx, req)
	if err != nil {
		return CreatedTenant{}, err
	}
	if tenant.Status != cloudlicenses.TenantPending {
		return CreatedTenant{}, &Refusal{Code: cloudlicenses.AlreadyExists, Detail: fmt.Sprintf("there is a tenant %q", tenant.ID)}
	}
	created := CreatedTenant{TenantID: tenant.ID}
	if len(req.Licenses) > 0 {
		if err := s.putVendor(ctx, operatorVendorID, operatorVendorName, operatorPrefix); err != nil {
			return CreatedTenant{}, err
		}
		ids, err := s.provision(ctx, tenant, operatorVendorID, req.Licenses)
		if err != nil {
			return CreatedTenant{}, err
		}
		created.LicenseID = ids[0]
	}
	if created.APIKey, err = s.putKey(ctx, tenant, "operator"); err != nil {
		return CreatedTenant{}, err
	}
	return created, s.activate(ctx, tenant)
}

// openTenant creates the tenant, or finds it, and makes it known to its group.
func (s *Shard) openTenant(ctx context.Context, req CreateTenantRequest) (*directory.Tenant, error) {
	for _, spec := range req.Licenses {
		if err := spec.validate(); err != nil {
			return nil, err
		}
	}
	create := &directory.CreateTenant{ID: req.ID, Company: req.Company, Region: req.Region, Plan: req.Plan, AtMillis: time.Now().UnixMilli()}
	if create.Company == "" {
		create.Company = string(req.ID)
	}
	if create.Plan == "" {
		create.Plan = DefaultPlan
	}
	if region := s.region.Load(); create.Region == "" && region != nil {
		create.Region = *region
	}
	var result directory.TenantResult
	if _, err := s.DoDirectory(ctx, Command{Op: directory.OpTenant, Payload: create, Result: &result}); err != nil {
		return nil, fmt.Errorf("create tenant %s: %w", req.ID, err)
	}
	// One that is there already may be this call's own, from a try whose
	// outcome was unknown, or one left half-way.
	if err := refused(result.Code, result.Detail); err != nil && (result.Code != cloudlicenses.AlreadyExists || result.Tenant.ID == "") {
		return nil, err
	}
	tenant := &result.Tenant
	if tenant.Status != cloudlicenses.TenantPending {
		return tenant, nil
	}
	return tenant, s.putTenant(ctx, tenant)
}

// putTenant makes a tenant known to its group, with a data key of its own.
func (s *Shard) putTenant(ctx context.Context, tenant *directory.Tenant) error {
	keys := s.keys.Load()
	if keys == nil {
		return errNoSecrets
	}
	dataKey, err := keys.NewDataKey(tenant.ID)
	if err != nil {
		return err
	}
	var ack license.Ack
	_, err = s.doPlaced(ctx, tenant, Command{
		Op:      license.OpTenant,
		Payload: &license.PutTenant{Epoch: tenant.Epoch, URL: s.tenantURL(tenant.ID), Plan: cloudlicenses.Plan(tenant.Plan), DataKey: dataKey},
		Result:  &ack,
	})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	if err != nil {
		return fmt.Errorf("open tenant %s in group %d: %w", tenant.ID, tenant.Group, err)
	}
	return nil
}

// activate ends the saga.
func (s *Shard) activate(ctx context.Context, tenant *directory.Tenant) error {
	var result directory.TenantResult
	written, err := s.DoDirectory(ctx, Command{
		Op:      directory.OpTenantUp,
		Payload: &directory.SetTenantStatus{ID: tenant.ID, Status: cloudlicenses.TenantActive, AtMillis: time.Now().UnixMilli()},
		Result:  &result,
	})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return fmt.Errorf("activate tenant %s: %w", tenant.ID, err)
	}
	index, err := ParseAppliedIndex(written.Applied, directoryGroup)
	if err != nil {
		return err
	}
	s.places.keep(&result.Tenant, index)
	return nil
}

// putVendor makes a vendor known; the same one again is fine.
func (s *Shard) putVendor(ctx context.Context, id cloudlicenses.VendorID, name, prefix string) error {
	var ack directory.Ack
	_, err := s.DoDirectory(ctx, Command{
		Op:      directory.OpVendor,
		Payload: &directory.PutVendor{Vendor: directory.Vendor{ID: id, Name: name, LicensePrefix: prefix}},
		Result:  &ack,
	})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	if err != nil {
		return fmt.Errorf("create vendor %s: %w", id, err)
	}
	return nil
}

// putKey gives a tenant an API key of both scopes and returns it.
func (s *Shard) putKey(ctx context.Context, tenant *directory.Tenant, app string) (string, error) {
	secrets := s.Secrets()
	if secrets == nil {
		return "", errors.New("the cluster's secrets are not open yet")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a key id: %w", err)
	}
	key := NewAPIKey(tenant.ID)
	var ack license.Ack
	_, err = s.doPlaced(ctx, tenant, Command{
		Op: license.OpKey,
		Payload: &license.PutKey{Key: license.Key{
			ID:            cloudlicenses.KeyID("key-" + id.String()),
			Hash:          HashAPIKey(secrets.KeyHMAC, key),
			AppName:       app,
			Scopes:        cloudlicenses.ScopeCheckout | cloudlicenses.ScopeReturn,
			CreatedMillis: time.Now().UnixMilli(),
		}},
		Result: &ack,
	})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	if err != nil {
		return "", fmt.Errorf("create an API key of %s: %w", tenant.ID, err)
	}
	return key, nil
}
