package directory

import (
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

// putVendor creates a vendor and places its account.
func (s *state) putVendor(c *PutVendor) msgp.Marshaler {
	switch {
	case cloudlicenses.ValidateID(string(c.ID)) != nil:
		return refuseVendor(cloudlicenses.InvalidField, "vendor id: "+cloudlicenses.ErrID.Error())
	case cloudlicenses.ValidateLicensePrefix(c.LicensePrefix) != nil:
		return refuseVendor(cloudlicenses.InvalidField, cloudlicenses.ErrLicensePrefix.Error())
	case len(c.Name) > cloudlicenses.MaxNameLength:
		return refuseVendor(cloudlicenses.InvalidField, "the vendor's name is longer than 300 bytes")
	}
	if known := s.vendors[c.ID]; known != nil {
		if known.Name == c.Name && known.LicensePrefix == c.LicensePrefix && (c.Region == "" || known.Region == c.Region) {
			return &VendorResult{Vendor: *known}
		}
		return &VendorResult{Code: cloudlicenses.AlreadyExists, Detail: "there is a vendor of this id", Vendor: *known}
	}
	switch {
	case s.registrations.byID[c.ID.Account()] != nil:
		return refuseVendor(cloudlicenses.AlreadyExists, "somebody has signed up under this id")
	case s.prefixTaken(c.LicensePrefix):
		return refuseVendor(cloudlicenses.AlreadyExists, "another vendor has this license prefix")
	}
	group := s.place(c.Region, nil, s.vendorsPerGroup)
	if group == 0 {
		return refuseVendor(cloudlicenses.RegionUnavailable, fmt.Sprintf("no license group is in region %q", c.Region))
	}
	v := &Vendor{
		ID: c.ID, Name: c.Name, LicensePrefix: c.LicensePrefix, Region: c.Region,
		Status: cloudlicenses.TenantPending, Group: group, Epoch: firstEpoch, CreatedMillis: c.AtMillis,
		Settings: newVendorSettings(),
	}
	if v.CreatedMillis == 0 {
		v.CreatedMillis = s.meta.ClockMillis
	}
	s.addVendor(v)
	s.put(keyVendor(v.ID), v)
	return &VendorResult{Vendor: *v}
}

// setVendorStatus moves a vendor to another state. Deleting is final.
func (s *state) setVendorStatus(c *SetVendorStatus) msgp.Marshaler {
	v := s.vendors[c.ID]
	if v == nil {
		return refuseVendor(cloudlicenses.NotFound, "there is no such vendor")
	}
	if detail := refuseStatus(v.Status, c.Status); detail != "" {
		return refuseVendor(cloudlicenses.InvalidField, detail)
	}
	if v.Status == c.Status {
		return &VendorResult{Vendor: *v}
	}
	v.Status = c.Status
	if c.Status == cloudlicenses.TenantActive && v.VerifiedMillis == 0 {
		v.VerifiedMillis = c.AtMillis
		if v.VerifiedMillis == 0 {
			v.VerifiedMillis = s.meta.ClockMillis
		}
	}
	s.put(keyVendor(v.ID), v)
	return &VendorResult{Vendor: *v}
}

func refuseVendor(code cloudlicenses.Code, detail string) *VendorResult {
	return &VendorResult{Code: code, Detail: detail}
}

// provisionsAlone reports whether the vendor's licenses are provisioned as they
// are generated, where a customer's own setting does not say.
func (v *Vendor) provisionsAlone() bool { return v.Settings.AutoProvision }

// vendor answers QueryVendor.
func (s *state) vendor(q *GetVendor) msgp.Marshaler {
	if v := s.vendors[q.ID]; v != nil {
		return &VendorResult{Vendor: *v}
	}
	return &VendorResult{Code: cloudlicenses.NotFound}
}
