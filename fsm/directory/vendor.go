package directory

import (
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

// maxPrefixLength bounds a vendor's license prefix, so that a license id stays
// within cloudlicenses.MaxIDLength.
const maxPrefixLength = 30

// maxNameLength bounds names of companies and vendors, in bytes.
const maxNameLength = 300

// validPrefix reports whether p may be a license prefix. It has no hyphen, so
// that the ids of one vendor and tenant can't be taken for those of another:
// tenant ids have them.
func validPrefix(p string) bool {
	if len(p) < 1 || len(p) > maxPrefixLength {
		return false
	}
	for i := range len(p) {
		if c := p[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// putVendor creates a vendor.
func (s *state) putVendor(c *PutVendor) msgp.Marshaler {
	v := c.Vendor
	switch {
	case cloudlicenses.ValidateID(string(v.ID)) != nil:
		return Ack{Code: cloudlicenses.InvalidField, Detail: "vendor id: " + cloudlicenses.ErrID.Error()}
	case !validPrefix(v.LicensePrefix):
		return Ack{Code: cloudlicenses.InvalidField, Detail: "a license prefix is 1–30 characters of a–z and 0–9"}
	case len(v.Name) > maxNameLength:
		return Ack{Code: cloudlicenses.InvalidField, Detail: "the vendor's name is longer than 300 bytes"}
	}
	if known := s.vendors[v.ID]; known != nil {
		if known.Name == v.Name && known.LicensePrefix == v.LicensePrefix {
			return Ack{}
		}
		return Ack{Code: cloudlicenses.AlreadyExists, Detail: "there is a vendor of this id"}
	}
	if _, taken := s.prefixes[v.LicensePrefix]; taken {
		return Ack{Code: cloudlicenses.AlreadyExists, Detail: "another vendor has this license prefix"}
	}
	if v.CreatedMillis == 0 {
		v.CreatedMillis = s.meta.ClockMillis
	}
	s.addVendor(&v)
	s.put(keyVendor(v.ID), &v)
	return Ack{}
}

// provisionsAlone reports whether the vendor's licenses are provisioned as they
// are generated, where a customer's own setting does not say.
func (v *Vendor) provisionsAlone() bool { return true }
