package license

import (
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/cloudlicenses/cloudlicenses"
)

var (
	_ = register(OpLicenses, operation{name: "put licenses", needs: needsTenant, apply: (*Machine).applyLicenses})
	_ = register(OpAmend, operation{name: "amend license", needs: needsTenant, apply: (*Machine).applyAmend})
	_ = register(OpStatus, operation{name: "set license status", needs: needsTenant, apply: (*Machine).applyStatus})
)

// applyLicenses provisions licenses: all of the command, or none. Those that
// are there already are left as they are.
func (m *Machine) applyLicenses(t *tenant, payload []byte) (reply, error) {
	var p PutLicenses
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	type line struct {
		vendor  cloudlicenses.VendorID
		product cloudlicenses.ProductID
	}
	fresh := make([]*License, 0, len(p.Licenses))
	ids := make(map[cloudlicenses.LicenseID]bool, len(p.Licenses))
	lines := make(map[line][]*License, len(p.Licenses))
	for i := range p.Licenses {
		l := &p.Licenses[i]
		if t.licenses[l.ID] != nil || ids[l.ID] {
			continue
		}
		if l.Status == "" {
			l.Status = cloudlicenses.LicenseProvisioned
		}
		if code, detail := m.checkLicense(l); code != cloudlicenses.OK {
			return m.acked(code, string(l.ID)+": "+detail), nil
		}
		other := t.overlapping(l)
		at := line{l.VendorID, l.ProductID}
		for _, o := range lines[at] {
			if overlap(l, o) && other == "" {
				other = o.ID
			}
		}
		if other != "" && l.Status != cloudlicenses.LicenseRevoked {
			return m.refuseOverlap(other), nil
		}
		ids[l.ID] = true
		lines[at] = append(lines[at], l)
		fresh = append(fresh, l)
	}
	if before, after, over := m.state.overPlan(t, nil, fresh...); over {
		return m.refuseOverPlan(t, before, after), nil
	}
	provisioned := make([]*license, 0, len(fresh))
	for _, l := range fresh {
		provisioned = append(provisioned, m.provision(t, l))
	}
	t.order(provisioned)
	if len(fresh) > 0 {
		m.state.touchTenant(t)
		m.announceProvisioned(t, fresh, "")
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

func (m *Machine) refuseOverlap(other cloudlicenses.LicenseID) reply {
	m.ack = Ack{Code: cloudlicenses.AlreadyExists, Detail: "a license of this product is in force in that time", LicenseID: other}
	return &m.ack
}

// checkLicense judges a license by itself.
func (m *Machine) checkLicense(l *License) (cloudlicenses.Code, string) {
	e := cloudlicenses.Entitlement{Total: l.Total, CommitQty: l.CommitQty, MaxOverage: l.MaxOverage}
	switch {
	case !e.Valid():
		return cloudlicenses.InvalidEntitlement, "want 0 ≤ commit_qty ≤ total_licenses, max_overage ≥ 0 and total_licenses ≤ commit_qty + max_overage"
	case l.EndMillis != 0 && l.EndMillis <= l.StartMillis:
		return cloudlicenses.InvalidField, "contract dates: the end is not after the start"
	case l.CommitFeeMinor < 0 || l.OverageFeeMinor < 0:
		return cloudlicenses.InvalidField, "fees: want no negative amount"
	}
	if _, err := m.state.constraint(l.Constraint); err != nil {
		return cloudlicenses.InvalidField, "version: " + err.Error()
	}
	return cloudlicenses.OK, ""
}

// constraint compiles a version range, once for all licenses that have it.
func (s *state) constraint(text string) (*semver.Constraints, error) {
	if text == "" {
		return nil, nil
	}
	if c := s.constraints[text]; c != nil {
		return c, nil
	}
	c, err := semver.NewConstraint(text)
	if err != nil {
		return nil, err
	}
	s.constraints[text] = c
	return c, nil
}

// overlapping returns the license that stands in the way of l, or "".
func (t *tenant) overlapping(l *License) cloudlicenses.LicenseID {
	for _, o := range t.products[l.ProductID] {
		if o.ID != l.ID && o.VendorID == l.VendorID && o.Status != cloudlicenses.LicenseRevoked && overlap(l, &o.License) {
			return o.ID
		}
	}
	return ""
}

// overlap compares the contracts' times, [start, end) with end 0 for none.
func overlap(a, b *License) bool {
	return (a.EndMillis == 0 || b.StartMillis < a.EndMillis) && (b.EndMillis == 0 || a.StartMillis < b.EndMillis)
}

// provision creates a license that passed every check.
func (m *Machine) provision(t *tenant, p *License) *license {
	s := m.state
	l := &license{
		License: *p, number: uint32(len(t.licenseByNumber)) + 1, tenant: t,
		usage: usageRecord{Period: s.now[grainMonth].number, ChangedMillis: s.clock},
	}
	s.admitLicense(t, l)
	m.storeLicense(l)
	s.touchLicense(l)
	return l
}

// admitLicense brings a license into the tables, except the order by id. Its
// constraint compiles.
func (s *state) admitLicense(t *tenant, l *license) {
	l.heapPos = -1
	s.shareTexts(l)
	t.licenseByNumber = append(t.licenseByNumber, l)
	t.licenses[l.ID] = l
	l.floor = t.floorOf(l.VendorID, l.ProductID)
	t.products[l.ProductID] = append(t.products[l.ProductID], l)
}

// order merges new licenses into the order by id, moving each old one at most
// once.
func (t *tenant) order(fresh []*license) {
	byID := func(a, b *license) int { return strings.Compare(string(a.ID), string(b.ID)) }
	slices.SortFunc(fresh, byID)
	left := len(t.licenseOrder)
	t.licenseOrder = append(t.licenseOrder, fresh...)
	for i, l := range slices.Backward(fresh) {
		at, _ := slices.BinarySearchFunc(t.licenseOrder[:left], l, byID)
		copy(t.licenseOrder[at+i+1:], t.licenseOrder[at:left])
		t.licenseOrder[at+i] = l
		left = at
	}
}

// shareTexts lets a million licenses share what few vendors wrote.
func (s *state) shareTexts(l *license) {
	l.VendorID = cloudlicenses.VendorID(s.share(string(l.VendorID)))
	l.Currency = cloudlicenses.Currency(s.share(string(l.Currency)))
	l.Status = cloudlicenses.LicenseStatus(s.share(string(l.Status)))
	l.Constraint = s.share(l.Constraint)
	l.constraint, _ = s.constraint(l.Constraint)
	l.lastVersion, l.lastVerdict = "", cloudlicenses.OK
}

func (m *Machine) storeLicense(l *license) {
	m.keyBytes = key44(m.keyBytes, prefixLicense, l.tenant.number, l.number)
	m.put(m.keyBytes, &l.License)
}

// applyAmend replaces quantities, dates and prices, in force from now on.
func (m *Machine) applyAmend(t *tenant, payload []byte) (reply, error) {
	var a AmendLicense
	if err := decode(&a, payload); err != nil {
		return nil, err
	}
	p := &a.License
	l := t.licenses[p.ID]
	if l == nil {
		return m.acked(cloudlicenses.NotFound, "no such license"), nil
	}
	p.VendorID, p.ProductID, p.Status, p.Revision = l.VendorID, l.ProductID, l.Status, l.Revision
	if code, detail := m.checkLicense(p); code != cloudlicenses.OK {
		return m.acked(code, detail), nil
	}
	if l.Status != cloudlicenses.LicenseRevoked {
		if other := t.overlapping(p); other != "" {
			return m.refuseOverlap(other), nil
		}
	}
	if before, after, over := m.state.overPlan(t, l, p); over {
		return m.refuseOverPlan(t, before, after), nil
	}
	m.state.accrue(m.store, l)
	l.License = *p
	m.state.shareTexts(l)
	m.storeLicense(l)
	m.licenseEvent(t, cloudlicenses.EventLicenseAmended, &l.License)
	return m.acked(cloudlicenses.OK, ""), nil
}

// applyStatus suspends, resumes or revokes. Revoked is for good; expired is
// never set, it follows from the dates.
func (m *Machine) applyStatus(t *tenant, payload []byte) (reply, error) {
	var p SetLicenseStatus
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	l := t.licenses[p.ID]
	if l == nil {
		return m.acked(cloudlicenses.NotFound, "no such license"), nil
	}
	switch p.Status {
	case cloudlicenses.LicenseProvisioned, cloudlicenses.LicenseSuspended, cloudlicenses.LicenseRevoked:
	default:
		return m.acked(cloudlicenses.InvalidField, "status: want provisioned, suspended or revoked"), nil
	}
	if l.Status == cloudlicenses.LicenseRevoked && p.Status != cloudlicenses.LicenseRevoked {
		return m.acked(cloudlicenses.LicenseNotActive, "a revoked license stays revoked"), nil
	}
	before := l.Status
	l.Status = p.Status
	m.state.shareTexts(l)
	m.storeLicense(l)
	m.statusEvent(t, before, &l.License)
	return m.acked(cloudlicenses.OK, ""), nil
}

// ended reports whether a license's contract is over.
func (l *License) ended(clock int64) bool {
	return l.EndMillis != 0 && clock >= l.EndMillis && !l.AutoRenew
}

// statusAt is a license's status as the outside sees it.
func (l *license) statusAt(clock int64) cloudlicenses.LicenseStatus {
	if l.Status != cloudlicenses.LicenseRevoked && l.ended(clock) {
		return cloudlicenses.LicenseExpired
	}
	return l.Status
}
