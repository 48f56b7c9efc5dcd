package license

import (
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

// licenseData is the data of every event about a license.
type licenseData struct {
	TenantID      cloudlicenses.TenantID      `json:"tenant_id"`
	LicenseID     cloudlicenses.LicenseID     `json:"license_id"`
	VendorID      cloudlicenses.VendorID      `json:"vendor_id"`
	ProductID     cloudlicenses.ProductID     `json:"product_id"`
	ProductName   string                      `json:"product_name"`
	Version       string                      `json:"version"`
	Status        cloudlicenses.LicenseStatus `json:"status"`
	TotalLicenses int64                       `json:"total_licenses"`
	CommitQty     int64                       `json:"commit_qty"`
	MaxOverage    int64                       `json:"max_overage"`
	StartDate     string                      `json:"start_date"`
	EndDate       *string                     `json:"end_date"` // included; null: open-ended
}

// userData is the data of every event about a user.
type userData struct {
	TenantID cloudlicenses.TenantID `json:"tenant_id"`
	UserID   cloudlicenses.UserID   `json:"user_id"`
	Email    string                 `json:"email"`
	Name     string                 `json:"name"`
	Role     cloudlicenses.Role     `json:"role"`
}

// provisionedMail is the JSON payload of mail.provisioned, to a user or to a
// license's contact, who need be none.
type provisionedMail struct {
	TenantID   cloudlicenses.TenantID `json:"tenant_id"`
	TenantURL  string                 `json:"tenant_url"`
	UserID     cloudlicenses.UserID   `json:"user_id,omitempty"`
	Email      string                 `json:"email"`
	Name       string                 `json:"name,omitempty"`
	Message    string                 `json:"message,omitempty"`   // the vendor's own words
	VendorID   cloudlicenses.VendorID `json:"vendor_id,omitempty"` // where all are of one
	VendorName string                 `json:"vendor_name,omitempty"`
	Licenses   []provisionedLine      `json:"licenses"` // the first ones
	Count      int                    `json:"count"`    // of all
}

type provisionedLine struct {
	ID         cloudlicenses.LicenseID `json:"license_id"`
	Product    string                  `json:"product_name"`
	Seats      int64                   `json:"total_licenses"`
	CommitQty  int64                   `json:"commit_qty"`
	MaxOverage int64                   `json:"max_overage"`
}

// MailProvisioned is the kind of the mail beside the event of new licenses.
const MailProvisioned = mailPrefix + "provisioned"

// announcedLicenses bounds the licenses that one mail lists.
const announcedLicenses = 20

func day(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.DateOnly) }

// licenseEvent leaves in the audit log what a vendor has done to a license, and
// tells the account's endpoints.
func (m *Machine) licenseEvent(t *tenant, kind cloudlicenses.EventKind, l *License) {
	m.entry = Audit{Action: string(kind), Result: resultSuccess, LicenseID: l.ID, ProductID: l.ProductID, Actor: string(l.VendorID)}
	m.recordAudit(t)
	if len(t.hooks) == 0 {
		return
	}
	data := licenseData{
		TenantID: t.name, LicenseID: l.ID, VendorID: l.VendorID, ProductID: l.ProductID, ProductName: l.ProductName, Version: l.Constraint,
		Status: l.Status, TotalLicenses: l.Total, CommitQty: l.CommitQty, MaxOverage: l.MaxOverage, StartDate: day(l.StartMillis),
	}
	if l.EndMillis != 0 {
		last := day(l.EndMillis - 1)
		data.EndDate = &last
	}
	m.emit(t, kind, &data)
}

// statusEvent tells of a change of a license's status, where it is one.
func (m *Machine) statusEvent(t *tenant, before cloudlicenses.LicenseStatus, l *License) {
	switch {
	case before == l.Status:
	case l.Status == cloudlicenses.LicenseSuspended:
		m.licenseEvent(t, cloudlicenses.EventLicenseSuspended, l)
	case l.Status == cloudlicenses.LicenseProvisioned:
		m.licenseEvent(t, cloudlicenses.EventLicenseResumed, l)
	case l.Status == cloudlicenses.LicenseRevoked:
		m.licenseEvent(t, cloudlicenses.EventLicenseRevoked, l)
	}
}

// userEvent tells the account's endpoints of a user.
func (m *Machine) userEvent(t *tenant, kind cloudlicenses.EventKind, u *user) {
	m.emit(t, kind, &userData{TenantID: t.name, UserID: u.User.ID, Email: u.User.Email, Name: u.User.Name, Role: u.User.Role})
}

// announceProvisioned tells of the licenses of one command: the endpoints of
// each, owners and administrators by one mail. The name of the vendor may be empty.
func (m *Machine) announceProvisioned(t *tenant, licenses []*License, vendor string) {
	for _, l := range licenses {
		m.licenseEvent(t, cloudlicenses.EventLicenseProvisioned, l)
	}
	letter := provisionedMail{TenantID: t.name, TenantURL: t.url, VendorID: licenses[0].VendorID, VendorName: vendor, Count: len(licenses)}
	told := 0
	for _, u := range t.users.order {
		if u.User.Status == cloudlicenses.UserDisabled || u.User.Role != cloudlicenses.RoleOwner && u.User.Role != cloudlicenses.RoleAdmin {
			continue
		}
		if told++; told > cloudlicenses.MaxNotified {
			return
		}
		if letter.Licenses == nil {
			letter.list(licenses)
		}
		letter.UserID, letter.Email, letter.Name = u.User.ID, u.User.Email, u.User.Name
		m.send(t, MailProvisioned, mustJSON(&letter))
	}
}

func (p *provisionedMail) list(licenses []*License) {
	for i, l := range licenses {
		if l.VendorID != p.VendorID {
			p.VendorID = ""
		}
		if i < announcedLicenses {
			p.Licenses = append(p.Licenses, provisionedLine{l.ID, l.ProductName, l.Total, l.CommitQty, l.MaxOverage})
		}
	}
}
