package cloudlicenses

import (
	"errors"
	"strconv"
	"strings"
)

// TenantID names a tenant and is its subdomain: 1–50 of a–z, 0–9 and inner
// hyphens, beginning with a letter.
type TenantID string

// VendorID names a software vendor, such as "vector-de".
type VendorID string

// accountMark begins the name of a vendor's account; no tenant id holds it.
const accountMark = "@"

// Account is the name under which a vendor's users, keys, audit log and outbox
// are kept: that of a tenant, which no tenant can have (docs/adr/0011).
func (id VendorID) Account() TenantID { return TenantID(accountMark + id) }

// Vendor returns the vendor whose account id names: none, and false, where it is a
// tenant's.
func (id TenantID) Vendor() (VendorID, bool) {
	vendor, ok := strings.CutPrefix(string(id), accountMark)
	if !ok || ValidateID(vendor) != nil {
		return "", false
	}
	return VendorID(vendor), true
}

// ProductID names a vendor's product, such as "davinci-configurator-se". Two
// vendors may use one ProductID.
type ProductID string

// LicenseID names a license, such as "lic-vector-mercedes-2025-001".
type LicenseID string

// KeyID names an API key, such as "key-0192f…"; it is public, the key is not.
type KeyID string

// LeaseID is a lease's number in its tenant's own sequence, from 1. Outside
// it is written "lease-<number>". A sequence per tenant tells nothing about
// neighbours.
type LeaseID uint64

const leasePrefix = "lease-"

// ErrLeaseID is returned for a text that is no lease id.
var ErrLeaseID = errors.New("not a lease id: want lease-<number>")

// String returns the public form.
func (id LeaseID) String() string {
	return leasePrefix + strconv.FormatUint(uint64(id), 10)
}

// ParseLeaseID parses the public form. Only the canonical text is accepted,
// so one lease has one name.
func ParseLeaseID(s string) (LeaseID, error) {
	digits, ok := strings.CutPrefix(s, leasePrefix)
	if !ok || len(digits) == 0 || digits[0] == '0' || digits[0] == '+' {
		return 0, ErrLeaseID
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, ErrLeaseID
	}
	return LeaseID(n), nil
}

// reservedTenantIDs are hosts of the platform itself, or would pass for them.
var reservedTenantIDs = map[TenantID]bool{
	"vendors": true, "vendor": true, "www": true, "api": true, "admin": true,
	"app": true, "mail": true, "smtp": true, "ns": true, "ns1": true, "ns2": true,
	"status": true, "docs": true, "help": true, "support": true, "billing": true,
	"login": true, "static": true, "cdn": true, "assets": true, "localhost": true,
	"root": true, "internal": true, "cloudlicenses": true,
}

// ErrTenantID is returned for a text that is no tenant id. Of one that would
// be, but is reserved, the error says so, and is ErrTenantID as well.
var ErrTenantID = errors.New("a tenant id is 1–50 characters of a–z, 0–9 and inner hyphens, begins with a letter and is no reserved name")

// reservedIDError is a tenant id that is reserved.
type reservedIDError TenantID

func (e reservedIDError) Error() string { return string(e) + " is reserved" }

// Is makes it an ErrTenantID.
func (e reservedIDError) Is(target error) bool { return target == ErrTenantID }

// Validate reports whether id may name a tenant.
func (id TenantID) Validate() error {
	if reservedTenantIDs[id] {
		return reservedIDError(id)
	}
	if len(id) < 1 || len(id) > 50 || strings.Contains(string(id), "--") {
		return ErrTenantID
	}
	if id[0] < 'a' || id[0] > 'z' || id[len(id)-1] == '-' {
		return ErrTenantID
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return ErrTenantID
		}
	}
	return nil
}

// ErrID is returned for a text that is no vendor, product or license id.
var ErrID = errors.New("an id is 1–100 characters of A–Z, a–z, 0–9, '.', '_', ':' and '-', and begins with a letter or digit")

// ValidateID reports whether s may be a vendor, product, license or key id.
func ValidateID(s string) error {
	if len(s) < 1 || len(s) > MaxIDLength {
		return ErrID
	}
	for i := range len(s) {
		c := s[i]
		alnum := (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
		if !alnum && (i == 0 || (c != '.' && c != '_' && c != ':' && c != '-')) {
			return ErrID
		}
	}
	return nil
}

// ErrForeignID is returned for a text that can't be the id of a foreign system.
var ErrForeignID = errors.New("an id of a CRM is 1–100 printable ASCII characters without '/', and no space at either end")

// ValidateForeignID reports whether s may be a CRM's own id of an account or an
// opportunity. It stands in paths as it is.
func ValidateForeignID(s string) error {
	if len(s) < 1 || len(s) > MaxIDLength || s[0] == ' ' || s[len(s)-1] == ' ' {
		return ErrForeignID
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '/' {
			return ErrForeignID
		}
	}
	return nil
}

// ErrLicensePrefix is returned for a text that is no license prefix.
var ErrLicensePrefix = errors.New("a license prefix is 1–30 characters of a–z and 0–9")

// ValidateLicensePrefix reports whether p may begin the ids of a vendor's
// licenses, as "vector" in "lic-vector-mercedes-2025-001". It has no hyphen, so
// that the ids of one vendor and tenant can't be taken for those of another:
// tenant ids have them.
func ValidateLicensePrefix(p string) error {
	if len(p) < 1 || len(p) > MaxLicensePrefix {
		return ErrLicensePrefix
	}
	for i := range len(p) {
		if c := p[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ErrLicensePrefix
		}
	}
	return nil
}
