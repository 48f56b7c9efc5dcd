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
	// demoKeyFile keeps the demo's API key in dev's folder: the cluster knows
	// but its hash, and a key in somebody's shell outlives a restart.
	demoKeyFile = "demo.json"
)

// demoKey is what demoKeyFile holds.
type demoKey struct {
	APIKey string `json:"api_key"`
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
		made, err = door.Demo(ctx, kept.APIKey)
		return err
	})
	if err != nil {
		return nil, err
	}
	if made.APIKey != kept.APIKey {
		kept.APIKey = made.APIKey
		if err := writeJSONFile(path, demoKey{made.APIKey}, modeSecret); err != nil {
			return nil, err
		}
	}
	return &readyDemo{
		VendorID:  string(shard.DemoVendor),
		TenantID:  string(made.TenantID),
		LicenseID: string(made.LicenseIDs[0]),
		ProductID: string(shard.DemoProduct),
		APIKey:    kept.APIKey,
	}, nil
}

// curl is a checkout to paste into a shell.
func (d *readyDemo) curl() string {
	return fmt.Sprintf(`curl -sS %s/api/v1/licenses/checkout -H 'Authorization: Bearer %s' -d '{"product_id":"%s","user":"%s"}'`,
		d.TenantURL, d.APIKey, d.ProductID, demoUser)
}
