package shard

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// operatorVendor is the operator's own vendor, whose licenses `tenant create`
// makes.
var operatorVendor = CreateVendorRequest{ID: "operator", Name: "Operator", LicensePrefix: "operator"}

// bothScopes are those of a tenant's first key.
const bothScopes = cloudlicenses.ScopeCheckout | cloudlicenses.ScopeReturn

// DefaultPlan is a tenant's plan where none is named.
const DefaultPlan = string(cloudlicenses.PlanEnterprise)

// licensesPerCommand bounds a PutLicenses: some 100 KiB.
const licensesPerCommand = 500

// Refusal is a machine's refusal as an error, where a saga ends by it.
type Refusal struct {
	Code   cloudlicenses.Code
	Detail string
	// LicenseID is the license in the way of an already_exists.
	LicenseID cloudlicenses.LicenseID
	// Use is what is in use beside what a plan_limit_exceeded refused.
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
	// OwnerEmail, normalized, is invited as the tenant's owner; empty: nobody is.
	OwnerEmail string
}

// CreatedTenant is what `tenant create` prints.
type CreatedTenant struct {
	TenantID  cloudlicenses.TenantID  `json:"tenant_id"`
	LicenseID cloudlicenses.LicenseID `json:"license_id,omitempty"` // the first one's
	APIKey    string                  `json:"api_key"`              // shown here and never again
}

// CreateTenant makes an active tenant with an API key of both scopes, without
// a rate limit, and licenses where asked. It is a saga (directory → group → active) that an
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
		if _, err := s.ensureVendor(ctx, operatorVendor); err != nil {
			return CreatedTenant{}, err
		}
		ids, err := s.provision(ctx, tenant, operatorVendor.ID, req.Licenses)
		if err != nil {
			return CreatedTenant{}, err
		}
		created.LicenseID = ids[0]
	}
	if created.APIKey, err = s.putKey(ctx, tenant, "operator", bothScopes, license.Restrictions{}); err != nil {
		return CreatedTenant{}, err
	}
	if req.OwnerEmail != "" {
		if err := s.inviteAsOwner(ctx, tenant, req.OwnerEmail); err != nil {
			return CreatedTenant{}, err
		}
	}
	_, err = s.activate(ctx, tenant)
	return created, err
}

// inviteAsOwner mails an invitation to be the owner of a tenant that is being
// made, once: one who is there already is left alone.
func (s *Shard) inviteAsOwner(ctx context.Context, tenant *directory.Tenant, email string) error {
	id, err := NewUserID()
	if err != nil {
		return err
	}
	var result license.UserResult
	_, err = s.doPlaced(ctx, tenant, Command{Op: license.OpPutUser, Result: &result, Payload: &license.PutUser{
		By: license.By{Platform: true}, ID: id, Email: email, Name: email, Role: cloudlicenses.RoleOwner, Mail: NewMail(cloudlicenses.TokenInvite),
	}})
	if err == nil && result.Code != cloudlicenses.AlreadyExists {
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return fmt.Errorf("invite the owner of %s: %w", tenant.ID, err)
	}
	return nil
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
	return tenant, s.openAccount(ctx, tenant, 0)
}

// openAccount makes a tenant, or a vendor's account, known to its group, with a
// data key of its own. All of its keys together may check out so often a minute;
// 0: as often as they like.
func (s *Shard) openAccount(ctx context.Context, tenant *directory.Tenant, checkoutsPerMinute int64) error {
	keys := s.keys.Load()
	if keys == nil {
		return errNoSecrets
	}
	url := s.vendorsURL()
	if _, isVendor := tenant.ID.Vendor(); !isVendor {
		url = s.tenantURL(tenant.ID)
	}
	var ack license.Ack
	_, err := s.doPlaced(ctx, tenant, Command{
		Op: license.OpTenant, Result: &ack,
		Payload: &license.PutTenant{
			Epoch: tenant.Epoch, URL: url, CheckoutsPerMinute: checkoutsPerMinute, Plan: cloudlicenses.Plan(tenant.Plan), DataKey: keys.NewDataKey(tenant.ID),
		},
	})
	if err == nil {
		err = refused(ack.Code, ack.Detail)
	}
	if err != nil {
		return fmt.Errorf("open %s in group %d: %w", tenant.ID, tenant.Group, err)
	}
	return nil
}

// activate ends the saga of a tenant or of a vendor.
func (s *Shard) activate(ctx context.Context, tenant *directory.Tenant) (Written, error) {
	active, now := cloudlicenses.TenantActive, time.Now().UnixMilli()
	var result directory.TenantResult
	var written Written
	var err error
	if id, isVendor := tenant.ID.Vendor(); isVendor {
		var vendor directory.VendorResult
		written, err = s.DoDirectory(ctx, Command{
			Op: directory.OpVendorStatus, Payload: &directory.SetVendorStatus{ID: id, Status: active, AtMillis: now}, Result: &vendor,
		})
		result = directory.TenantResult{Code: vendor.Code, Detail: vendor.Detail, Tenant: vendor.Vendor.Account()}
	} else {
		written, err = s.DoDirectory(ctx, Command{
			Op: directory.OpTenantUp, Payload: &directory.SetTenantStatus{ID: tenant.ID, Status: active, AtMillis: now}, Result: &result,
		})
	}
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return Written{}, fmt.Errorf("activate %s: %w", tenant.ID, err)
	}
	index, err := ParseAppliedIndex(written.Applied, directoryGroup)
	if err != nil {
		return Written{}, err
	}
	*tenant = result.Tenant
	s.places.keep(tenant, index)
	return written, nil
}

// putKey gives a tenant, or a vendor's account, an API key of these scopes and
// returns it.
func (s *Shard) putKey(ctx context.Context, tenant *directory.Tenant, app string, scopes cloudlicenses.Scope, restrictions license.Restrictions) (string, error) {
	text := NewAPIKey(tenant.ID)
	put, err := s.putKeyCommand(license.By{Platform: true}, text, license.Key{
		AppName: app, Scopes: scopes, Restrictions: restrictions,
	})
	if err != nil {
		return "", err
	}
	var result license.KeyResult
	_, err = s.doPlaced(ctx, tenant, Command{Op: license.OpKey, Payload: put, Result: &result})
	if err == nil {
		err = refused(result.Code, result.Detail)
	}
	if err != nil {
		return "", fmt.Errorf("create an API key of %s: %w", tenant.ID, err)
	}
	return text, nil
}
