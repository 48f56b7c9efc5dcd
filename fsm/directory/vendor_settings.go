package directory

import (
	"github.com/tinylib/msgp/msgp"

	"github.com/cloudlicenses/cloudlicenses"
)

func init() {
	register(OpVendorSet, (*state).setVendor)
	register(OpVendorHost, (*state).verifyVendorHost)
	register(OpVendorShare, (*state).setVendorShare)
}

// newVendorSettings are those of a new vendor.
func newVendorSettings() VendorSettings { return VendorSettings{AutoProvision: true} }

// setVendor changes a vendor's name and settings.
func (s *state) setVendor(c *SetVendor) msgp.Marshaler {
	v := s.vendors[c.ID]
	if v == nil {
		return refuseVendor(cloudlicenses.NotFound, "there is no such vendor")
	}
	name, settings := v.Name, v.Settings
	for _, member := range []struct {
		of   VendorMember
		take func()
	}{
		{VendorName, func() { name = c.Name }},
		{VendorAutoProvision, func() { settings.AutoProvision = c.Settings.AutoProvision }},
		{VendorBrandName, func() { settings.BrandName = c.Settings.BrandName }},
		{VendorBrandColor, func() { settings.BrandColor = c.Settings.BrandColor }},
		{VendorBrandLogo, func() { settings.BrandLogo = c.Settings.BrandLogo }},
		{VendorHost, func() { settings.Host = c.Settings.Host }},
	} {
		if c.Set&member.of != 0 {
			member.take()
		}
	}
	if settings.Host != v.Settings.Host {
		settings.HostVerified = false
	}
	switch owner := s.hosts[settings.Host]; {
	case name == "" || len(name) > cloudlicenses.MaxNameLength:
		return refuseVendor(cloudlicenses.InvalidField, "display_name: must be 1–300 bytes")
	case len(settings.BrandName) > cloudlicenses.MaxNameLength, len(settings.BrandColor) > cloudlicenses.MaxIDLength,
		len(settings.BrandLogo) > cloudlicenses.MaxURLLength, len(settings.Host) > maxDomainLength:
		return refuseVendor(cloudlicenses.InvalidField, "branding: is too long")
	case settings.Host != v.Settings.Host && owner != "" && owner != v.ID:
		return refuseVendor(cloudlicenses.AlreadyExists, "another vendor has this white-label host")
	}
	if !c.Check {
		s.replaceSettings(v, name, settings)
	}
	return &VendorResult{Vendor: *v}
}

// setVendorShare sets the platform's share.
func (s *state) setVendorShare(c *SetVendorShare) msgp.Marshaler {
	v := s.vendors[c.ID]
	switch {
	case v == nil:
		return refuseVendor(cloudlicenses.NotFound, "there is no such vendor")
	case c.Rate != 0 && (c.Rate < cloudlicenses.MinShareRate || c.Rate > cloudlicenses.MaxShareRate):
		return refuseVendor(cloudlicenses.InvalidField, "basis_points: must be 200 to 500, or 0 for the default")
	case v.ShareRate != c.Rate:
		v.ShareRate = c.Rate
		s.put(keyVendor(v.ID), v)
	}
	return &VendorResult{Vendor: *v}
}

// maxDomainLength is that of a name in DNS (RFC 1035, 2.3.4).
const maxDomainLength = 253

// verifyVendorHost puts a white-label host into force.
func (s *state) verifyVendorHost(c *VerifyVendorHost) msgp.Marshaler {
	v := s.vendors[c.ID]
	if v == nil {
		return refuseVendor(cloudlicenses.NotFound, "there is no such vendor")
	}
	owner := s.hosts[c.Host]
	switch {
	case c.Host == "" || v.Settings.Host != c.Host:
		return refuseVendor(cloudlicenses.InvalidField, "white_label_host: is another one by now")
	case owner != "" && owner != v.ID:
		return refuseVendor(cloudlicenses.AlreadyExists, "another vendor has this white-label host")
	}
	settings := v.Settings
	settings.HostVerified = true
	s.replaceSettings(v, v.Name, settings)
	return &VendorResult{Vendor: *v}
}

// replaceSettings stores what has changed and keeps the index of hosts.
func (s *state) replaceSettings(v *Vendor, name string, settings VendorSettings) {
	if v.Name == name && v.Settings == settings {
		return
	}
	if v.Settings.HostVerified {
		delete(s.hosts, v.Settings.Host)
	}
	v.Name, v.Settings = name, settings
	s.addHost(v)
	s.put(keyVendor(v.ID), v)
}

func (s *state) addHost(v *Vendor) {
	if v.Settings.HostVerified {
		s.hosts[v.Settings.Host] = v.ID
	}
}

// vendorHosts answers QueryVendorHosts.
func (s *state) vendorHosts() msgp.Marshaler {
	result := &VendorHosts{}
	if len(s.hosts) == 0 {
		return result
	}
	for _, id := range s.vendorIDs {
		if settings := &s.vendors[id].Settings; settings.HostVerified {
			result.Items = append(result.Items, WhiteLabel{Host: settings.Host, VendorID: id})
		}
	}
	return result
}
