package main

import (
	"errors"
	"fmt"
	"os"
)

// readyFile is the object that --ready-file gets (contract "Command line").
// Parts that are not there are left out.
type readyFile struct {
	Domain     string      `json:"domain"`
	Nodes      []readyNode `json:"nodes"`
	AdminToken string      `json:"admin_token"`
	MailDir    string      `json:"mail_dir,omitempty"` // where dev writes mails
	DNSAddr    string      `json:"dns_addr,omitempty"` // of dev's DNS server
	Demo       *readyDemo  `json:"demo,omitempty"`
}

// readyNode is a node of the cluster; http and admin are base URLs.
type readyNode struct {
	ID    string `json:"id"`
	HTTP  string `json:"http"`
	Admin string `json:"admin"`
}

// readyDemo is what `dev` has made to try things on.
type readyDemo struct {
	VendorID     string `json:"vendor_id"`
	VendorAPIKey string `json:"vendor_api_key"`
	VendorURL    string `json:"vendor_url"`
	// Of the vendor's owner.
	VendorEmail    string `json:"vendor_email"`
	VendorPassword string `json:"vendor_password"`

	TenantID  string `json:"tenant_id"`
	TenantURL string `json:"tenant_url"`
	// Of the tenant's owner.
	AdminEmail    string `json:"admin_email"`
	AdminPassword string `json:"admin_password"`

	LicenseID string `json:"license_id"`
	ProductID string `json:"product_id"`
	APIKey    string `json:"api_key"`
}

// removeReadyFile removes what an earlier start has left: the file says that
// the cluster serves now.
func removeReadyFile(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("--ready-file: %w", err)
	}
	return nil
}

// write writes the file by rename, readable by its owner alone: it holds keys.
func (r *readyFile) write(path string) error {
	if path == "" {
		return nil
	}
	return writeJSONFile(path, r, modeSecret)
}
