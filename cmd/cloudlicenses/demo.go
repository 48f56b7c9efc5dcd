package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cloudlicenses/cloudlicenses/shard"
)

const (
	demoTenant = shard.DemoTenant
	demoUser   = "alice@mercedes.com"
	// demoKeyFile keeps the demo's API keys and password in dev's folder: the
	// cluster knows but their hashes, and a key in somebody's shell outlives a
	// restart.
	demoKeyFile = "demo.json"

	demoAdminID    = "user-demo"
	demoAdminEmail = "admin@mercedes.com"
	demoAdminName  = "License Administrator"

	demoVendorAdminID    = "user-demo-vendor"
	demoVendorAdminEmail = "licensing@vector.com"
	demoVendorAdminName  = "Vendor Administrator"
)

// demoKey is what demoKeyFile holds.
type demoKey struct {
	APIKey        string `json:"api_key"`
	VendorAPIKey  string `json:"vendor_api_key"`
	AdminPassword string `json:"admin_password"` // of the tenant's owner

	VendorAdminPassword string `json:"vendor_admin_password"` // of the vendor's
}

// makeDemo makes the demo, or finds it as an earlier start left it.
func makeDemo(ctx context.Context, door *shard.Shard, dataDir string) (*readyDemo, error) {
	path := filepath.Join(dataDir, demoKeyFile)
	var kept demoKey
	if err := readJSONFile(path, &kept); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w; remove the file for a new key", err)
	}
	var made shard.Provisioned
	err := patiently(ctx, bootPatience, func() (err error) {
		made, err = door.Demo(ctx, kept.APIKey, kept.VendorAPIKey)
		return err
	})
	if err != nil {
		return nil, err
	}
	if now := kept.with(&made); now != kept {
		kept = now
		if err := writeJSONFile(path, kept, modeSecret); err != nil {
			return nil, err
		}
	}
	err = patiently(ctx, bootPatience, func() error {
		return errors.Join(
			door.PutOwner(ctx, demoTenant, demoAdminID, demoAdminEmail, demoAdminName, kept.AdminPassword),
			door.PutOwner(ctx, shard.DemoVendor.Account(), demoVendorAdminID, demoVendorAdminEmail, demoVendorAdminName, kept.VendorAdminPassword),
		)
	})
	if err != nil {
		return nil, err
	}
	return &readyDemo{
		VendorID:       string(shard.DemoVendor),
		VendorAPIKey:   kept.VendorAPIKey,
		VendorEmail:    demoVendorAdminEmail,
		VendorPassword: kept.VendorAdminPassword,

		TenantID:  string(made.TenantID),
		LicenseID: string(made.LicenseIDs[0]),
		ProductID: string(shard.DemoProduct),
		APIKey:    kept.APIKey,

		AdminEmail:    demoAdminEmail,
		AdminPassword: kept.AdminPassword,
	}, nil
}

// with returns what is to be kept: the keys that were made, and a password
// where there is none yet.
func (k demoKey) with(made *shard.Provisioned) demoKey {
	k.APIKey, k.VendorAPIKey = made.APIKey, made.VendorKey
	for _, password := range []*string{&k.AdminPassword, &k.VendorAdminPassword} {
		if *password == "" {
			*password = shard.NewOneTimeToken()[:20]
		}
	}
	return k
}

// curl is a checkout to paste into a shell.
func (d *readyDemo) curl() string {
	return fmt.Sprintf(`curl -sS %s/api/v1/licenses/checkout -H 'Authorization: Bearer %s' -d '{"product_id":"%s","user":"%s"}'`,
		d.TenantURL, d.APIKey, d.ProductID, demoUser)
}
