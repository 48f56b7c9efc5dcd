package license_test

import (
	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// administer is the model's part for everything that is not about a lease.
func (m *model) administer(t *modelTenant, body any) license.Ack {
	switch b := body.(type) {
	case *license.PutLicenses:
		return m.provision(t, b)
	case *license.AmendLicense:
		l := t.license(b.License.ID)
		if l == nil {
			return license.Ack{Code: cl.NotFound}
		}
		next := b.License
		next.VendorID, next.ProductID, next.Status = l.VendorID, l.ProductID, l.Status
		if !entitled(next) {
			return license.Ack{Code: cl.InvalidEntitlement}
		}
		if other := t.overlapping(next); other != "" {
			return license.Ack{Code: cl.AlreadyExists, LicenseID: other}
		}
		l.License = next
		m.event(t)
	case *license.SetLicenseStatus:
		l := t.license(b.ID)
		switch {
		case l == nil:
			return license.Ack{Code: cl.NotFound}
		case l.Status == b.Status:
			return license.Ack{}
		case l.Status == cl.LicenseRevoked:
			return license.Ack{Code: cl.LicenseNotActive}
		}
		l.Status = b.Status
		m.event(t)
	case *license.PutEndpoint:
		t.hook = true
	case *license.Provision:
		return m.revise(t, b)
	case *license.SetRules:
		return m.setRules(t, b)
	case *license.LimitTenant:
		t.perMinute = b.CheckoutsPerMinute
	}
	return license.Ack{}
}

// event is something that an endpoint is told of.
func (m *model) event(t *modelTenant) {
	if t.hook {
		m.sequence++
		m.pending[m.sequence] = 0
	}
}

func entitled(l license.License) bool {
	return cl.Entitlement{Total: l.Total, CommitQty: l.CommitQty, MaxOverage: l.MaxOverage}.Valid()
}

// overlapping names a license of the same vendor and product whose period
// overlaps that of l.
func (t *modelTenant) overlapping(l license.License) cl.LicenseID {
	for _, o := range t.licenses {
		if o.ID != l.ID && o.VendorID == l.VendorID && o.ProductID == l.ProductID && o.Status != cl.LicenseRevoked &&
			(o.EndMillis == 0 || l.StartMillis < o.EndMillis) && (l.EndMillis == 0 || o.StartMillis < l.EndMillis) {
			return o.ID
		}
	}
	return ""
}

func (m *model) provision(t *modelTenant, b *license.PutLicenses) license.Ack {
	var fresh []*modelLicense
	for _, l := range b.Licenses {
		if t.license(l.ID) != nil {
			continue
		}
		if !entitled(l) {
			return license.Ack{Code: cl.InvalidEntitlement}
		}
		if other := t.overlapping(l); other != "" {
			return license.Ack{Code: cl.AlreadyExists, LicenseID: other}
		}
		fresh = append(fresh, &modelLicense{License: l, hours: map[uint32]*modelHour{}, peaks: map[string]int64{}})
	}
	t.licenses = append(t.licenses, fresh...)
	for range fresh {
		m.event(t)
	}
	return license.Ack{}
}
