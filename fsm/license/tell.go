package license

import (
	"time"

	"github.com/cloudlicenses/cloudlicenses"
)

var _ = register(OpTellVendor, operation{name: "tell vendor", needs: needsTenant, apply: (*Machine).applyTellVendor})

// prefixTold begins the key of a toldRecord: 'g' tenant(4).
const prefixTold = 'g'

// vendorEventData is the data of an event for a vendor: ids alone.
type vendorEventData struct {
	VendorID   cloudlicenses.VendorID  `json:"vendor_id"`
	TenantID   cloudlicenses.TenantID  `json:"tenant_id"`
	CRMAccount string                  `json:"crm_account_id,omitempty"`
	LicenseID  cloudlicenses.LicenseID `json:"license_id,omitempty"`
	ProductID  cloudlicenses.ProductID `json:"product_id,omitempty"`
	OccurredAt string                  `json:"occurred_at"`
}

// applyTellVendor leaves events in the outbox, each once: they are numbered, and
// come in order.
func (m *Machine) applyTellVendor(t *tenant, payload []byte) (reply, error) {
	var p TellVendor
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	vendor, isVendor := t.name.Vendor()
	if !isVendor {
		return m.acked(cloudlicenses.InvalidField, notOfVendor), nil
	}
	before := t.vendor.told
	for i := range p.Events {
		e := &p.Events[i]
		if e.Sequence <= t.vendor.told {
			continue
		}
		t.vendor.told = e.Sequence
		m.emit(t, e.Kind, &vendorEventData{
			VendorID: vendor, TenantID: e.TenantID, CRMAccount: e.CRMAccount, LicenseID: e.LicenseID, ProductID: e.ProductID,
			OccurredAt: time.UnixMilli(e.AtMillis).UTC().Format(time.RFC3339),
		})
	}
	if t.vendor.told != before {
		m.put(key4(prefixTold, t.number), &toldRecord{t.vendor.told})
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

func (l *loader) told(key, value []byte) error {
	t, _, err := l.keyNumbers(key, 5)
	if err != nil {
		return err
	}
	var r toldRecord
	if err := decode(&r, value); err != nil {
		return err
	}
	t.vendor.told = r.Sequence
	return nil
}
