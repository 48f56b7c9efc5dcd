package license

import (
	"encoding/hex"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
)

// A tenant's overage outlives it in its vendors' accounts: exports and the revenue
// share of months that are over must not change because a customer went (ADR 19).

var _ = register(OpKeepOverage, operation{name: "keep overage", needs: needsTenant, apply: (*Machine).applyKeepOverage})

// prefixKept begins the key of a Kept, which is read from the disk:
//
//	'b' account(4) month(4) tenant 0 license
const prefixKept = 'b'

func (k *Kept) key(account *tenant) []byte {
	key := append(key44(nil, prefixKept, account.number, k.Month), k.TenantID...)
	return append(append(key, 0), k.LicenseID...)
}

// applyKeepOverage keeps what it is given. Said again, it changes nothing.
func (m *Machine) applyKeepOverage(t *tenant, payload []byte) (reply, error) {
	var p KeepOverage
	if err := decode(&p, payload); err != nil {
		return nil, err
	}
	if _, isVendor := t.name.Vendor(); !isVendor {
		return m.acked(cloudlicenses.InvalidField, notOfVendor), nil
	}
	for i := range p.Items {
		k := &p.Items[i]
		if k.TenantID.Validate() != nil || len(k.LicenseID) > cloudlicenses.MaxIDLength {
			return m.acked(cloudlicenses.InvalidField, "tenant_id, license_id: are none"), nil
		}
	}
	for i := range p.Items {
		m.put(p.Items[i].key(t), &p.Items[i])
	}
	return m.acked(cloudlicenses.OK, ""), nil
}

// kept answers QueryKept. A cursor is the rest of the last record's key, in hex.
func (q *question) kept() (reply, error) {
	var ask ListKept
	if err := q.decode(&ask); err != nil {
		return nil, err
	}
	after, err := hex.DecodeString(ask.Cursor)
	if err != nil || ask.To < ask.From {
		return &KeptPage{Code: cloudlicenses.InvalidField}, nil
	}
	page := &KeptPage{}
	var scan *fsm.Scan
	code, err := q.read(func(v view) (err error) {
		lo := key44(nil, prefixKept, v.tenant.number, ask.From)
		if len(after) > 0 {
			lo = append(append(key4(prefixKept, v.tenant.number), after...), 0)
		}
		scan, err = v.store.Scan(lo, successor(key44(nil, prefixKept, v.tenant.number, ask.To)))
		return err
	})
	if err != nil || code != cloudlicenses.OK {
		return &KeptPage{Code: code}, err
	}
	last := ""
	for size := pageSize(ask.Limit); err == nil && scan.Next(); {
		if len(page.Items) == size {
			page.Next = last
			break
		}
		var k Kept
		if err = decode(&k, scan.Value()); err == nil {
			page.Items = append(page.Items, k)
			last = hex.EncodeToString(scan.Key()[5:])
		}
	}
	if closeErr := scan.Close(); err == nil {
		err = closeErr
	}
	return page, err
}
