package license

import "github.com/cloudlicenses/cloudlicenses"

var (
	_ = register(OpProvision, operation{name: "provision", needs: needsTenant, apply: (*Machine).applyProvision})
	_ = register(OpLinkVendor, operation{name: "link vendor", needs: needsTenant, apply: (*Machine).applyLinkVendor})
)

// prefixLink begins the key of a linkRecord: 'J' tenant(4) number(4).
const prefixLink = 'J'

// mailLinked is the kind of the mail that tells of a vendor.
const mailLinked = mailPrefix + "vendor_linked"

// linkMail is the JSON payload of mail.vendor_linked.
type linkMail struct {
	TenantID   cloudlicenses.TenantID `json:"tenant_id"`
	TenantURL  string                 `json:"tenant_url"`
	UserID     cloudlicenses.UserID   `json:"user_id"`
	Email      string                 `json:"email"`
	Name       string                 `json:"name"`
	VendorID   cloudlicenses.VendorID `json:"vendor_id"`
	VendorName string                 `json:"vendor_name"`
}

func (m *Machine) applyProvision(t *tenant, payload []byte) (reply, error) {
	var p Provision
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	l, known := &p.License, t.licenses[p.License.ID]
	if r := m.refusal(t, l, known); r != nil {
		m.ack = r.Ack
		return &m.ack, nil
	}
	if known != nil && known.Revision >= l.Revision {
		return m.provisioned(&known.License), nil
	}
	if l.Status == "" {
		l.Status = cloudlicenses.LicenseProvisioned
	}
	if m.refuseProvision(t, known, l) {
		m.keepRefusal(t, l)
		return &m.ack, nil
	}
	if known != nil {
		// One that came along may have been mailed with the revision before.
		notice := m.takeNotice(t, p.NoticeKey, Notice{})
		told := notice.Email != "" && l.Status != cloudlicenses.LicenseRevoked
		known.Notified = known.Notified || told
		m.revise(t, known, l)
		if told {
			m.mailNotice(t, &known.License, p.VendorName, notice)
		}
		return m.provisioned(&known.License), nil
	}
	notice := m.takeNotice(t, p.NoticeKey, p.Notice)
	l.Notified = notice.Email != "" && l.Status != cloudlicenses.LicenseRevoked
	t.order([]*license{m.provision(t, l)})
	m.state.touchTenant(t)
	if l.Status != cloudlicenses.LicenseRevoked {
		m.announceProvisioned(t, []*License{l}, p.VendorName)
		m.mailNotice(t, l, p.VendorName, notice)
	}
	return m.provisioned(l), nil
}

// refuseProvision judges a revision by what is in force; m.ack says why.
func (m *Machine) refuseProvision(t *tenant, known *license, l *License) bool {
	if code, detail := m.checkLicense(l); code != cloudlicenses.OK {
		m.acked(code, detail)
		return true
	}
	if known == nil {
		if other := t.foreign(l); other != "" {
			m.refuseOverlap(other)
			return true
		}
	}
	before, after, over := m.state.overPlan(t, known, l)
	if over {
		m.refuseOverPlan(t, before, after)
	}
	return over
}

func (m *Machine) provisioned(l *License) reply {
	m.ack = Ack{Notified: l.Notified}
	return &m.ack
}

// foreign returns the license that stands in the way of l and that the
// directory does not know of, or "". Among those that it knows it has decided,
// and their revisions may come in any order.
func (t *tenant) foreign(l *License) cloudlicenses.LicenseID {
	if l.Status == cloudlicenses.LicenseRevoked {
		return ""
	}
	for _, o := range t.products[l.ProductID] {
		if o.Revision == 0 && o.VendorID == l.VendorID && o.Status != cloudlicenses.LicenseRevoked && overlap(l, &o.License) {
			return o.ID
		}
	}
	return ""
}

// revise replaces what may change of a license, in force from now on.
func (m *Machine) revise(t *tenant, l *license, next *License) {
	m.state.accrue(m.store, l)
	next.VendorID, next.ProductID, next.Notified = l.VendorID, l.ProductID, l.Notified
	before := l.License
	l.License = *next
	m.state.shareTexts(l)
	m.storeLicense(l)
	m.statusEvent(t, before.Status, &l.License)
	before.Status, before.Revision = l.Status, l.Revision
	if before != l.License {
		m.licenseEvent(t, cloudlicenses.EventLicenseAmended, &l.License)
	}
}

// mailNotice tells a license's contact.
func (m *Machine) mailNotice(t *tenant, l *License, vendor string, n Notice) {
	if n.Email == "" {
		return
	}
	letter := provisionedMail{
		TenantID: t.name, TenantURL: t.url, Email: n.Email, Message: n.Message, VendorID: l.VendorID, VendorName: vendor, Count: 1,
	}
	letter.list([]*License{l})
	m.send(t, MailProvisioned, mustJSON(&letter))
}

// applyLinkVendor tells the tenant's owners and administrators, once.
func (m *Machine) applyLinkVendor(t *tenant, payload []byte) (reply, error) {
	var p LinkVendor
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	for i := range t.links {
		if t.links[i].VendorID == p.VendorID {
			return m.acked(cloudlicenses.OK, ""), nil
		}
	}
	t.links = append(t.links, linkRecord{VendorID: p.VendorID, Name: p.Name, AtMillis: m.state.clock})
	m.keyBytes = key44(m.keyBytes, prefixLink, t.number, uint32(len(t.links)))
	m.put(m.keyBytes, &t.links[len(t.links)-1])
	told := 0
	for _, u := range t.users.order {
		leads := u.User.Role == cloudlicenses.RoleOwner || u.User.Role == cloudlicenses.RoleAdmin
		if !leads || u.User.Status == cloudlicenses.UserDisabled {
			continue
		}
		if told++; told > cloudlicenses.MaxNotified {
			break
		}
		m.send(t, mailLinked, mustJSON(&linkMail{
			TenantID: t.name, TenantURL: t.url, UserID: u.User.ID, Email: u.User.Email, Name: u.User.Name, VendorID: p.VendorID, VendorName: p.Name,
		}))
	}
	return m.acked(cloudlicenses.OK, ""), nil
}
