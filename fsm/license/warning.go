package license

import (
	"encoding/json"
	"strconv"

	"github.com/cloudlicenses/cloudlicenses"
)

// Overage that reaches 50, 80 or 100 % of what there may be is told to the
// tenant once a month for each mark: by mail to who answers for the bill, and to
// the endpoints that ask for it. Which mark was reached follows from the counters
// before and after the charge, so nothing is remembered but the month's peak.

// MailOverage is the kind of the mail beside the event of a warning.
const MailOverage = mailPrefix + "overage_warning"

// marks are shares of a limit in percent, the highest first.
var marks = [...]int64{100, 80, 50}

// The meters of a warning.
const (
	meterSeats = "seats" // overage seats in use at once
	meterUses  = "uses"  // overage uses charged in the month
	meterCost  = "cost"  // overage charged in the month
)

// warning is the data of the event overage.warning, and of the mail.
type warning struct {
	TenantID  cloudlicenses.TenantID  `json:"tenant_id"`
	LicenseID cloudlicenses.LicenseID `json:"license_id"`
	VendorID  cloudlicenses.VendorID  `json:"vendor_id"`
	ProductID cloudlicenses.ProductID `json:"product_id"`
	Product   string                  `json:"product_name"`
	KeyID     cloudlicenses.KeyID     `json:"key_id,omitempty"` // whose cap it is; empty: the license's
	Period    string                  `json:"period"`
	Meter     string                  `json:"meter"`
	Percent   int64                   `json:"percent"`
	Used      json.Number             `json:"used"`
	Limit     json.Number             `json:"limit"`
	Currency  cloudlicenses.Currency  `json:"currency,omitempty"` // of cost
}

// overageMail is the JSON payload of mail.overage_warning.
type overageMail struct {
	warning
	TenantURL string               `json:"tenant_url"`
	UserID    cloudlicenses.UserID `json:"user_id"`
	Email     string               `json:"email"`
	Name      string               `json:"name"`
}

// reached returns the highest mark that a rise from before to after reaches, or
// 0. A limit of 0 has none: nothing gets that far.
func reached(before, after, limit int64) int64 {
	if limit <= 0 {
		return 0
	}
	for _, percent := range marks {
		at := limit/100*percent + (limit%100*percent+99)/100 // rounded up, and never past 64 bits
		if before < at && after >= at {
			return percent
		}
	}
	return 0
}

// warnSeats counts the overage seats in use after a grant, and warns.
func (m *Machine) warnSeats(t *tenant, l *license) {
	u, now, limit := &l.usage, l.pool.Overage, l.entitlement().OverageCapacity()
	before := u.OveragePeak
	u.OveragePeak = max(before, now)
	if percent := reached(before, now, limit); percent > 0 {
		m.warn(t, l, &warning{Meter: meterSeats, Percent: percent, Used: count(now), Limit: count(limit)})
	}
}

// warnCaps warns of the marks that a charge, which the counters hold already,
// has reached of monthly caps.
func (m *Machine) warnCaps(t *tenant, k *key, l *license, charged, cost int64) {
	for i := range t.rules.Caps {
		c := &t.rules.Caps[i]
		uses, minor, concerned := m.state.under(c, k, l)
		if !concerned {
			continue
		}
		if percent := reached(uses-charged, uses, c.MaxUses); percent > 0 {
			m.warn(t, l, &warning{KeyID: c.KeyID, Meter: meterUses, Percent: percent, Used: count(uses), Limit: count(c.MaxUses)})
		}
		if percent := reached(minor-cost, minor, c.MaxMinor); percent > 0 && c.countsMoney(l.Currency) {
			m.warn(t, l, &warning{
				KeyID: c.KeyID, Meter: meterCost, Percent: percent, Used: amount(minor, l.Currency), Limit: amount(c.MaxMinor, l.Currency), Currency: l.Currency,
			})
		}
	}
}

func count(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

func amount(minor int64, c cloudlicenses.Currency) json.Number {
	return json.Number(cloudlicenses.Money{Minor: minor, Currency: c}.String())
}

// warn leaves a warning in the outbox: for endpoints, owners and billing.
func (m *Machine) warn(t *tenant, l *license, w *warning) {
	w.TenantID, w.LicenseID, w.VendorID, w.ProductID, w.Product = t.name, l.ID, l.VendorID, l.ProductID, l.ProductName
	w.Period = monthText(m.state.now[grainMonth].number)
	m.emit(t, cloudlicenses.EventOverageWarning, w)
	told := 0
	for _, u := range t.users.order {
		pays := u.User.Role == cloudlicenses.RoleOwner || u.User.Role == cloudlicenses.RoleBilling
		if !pays || u.User.Status == cloudlicenses.UserDisabled {
			continue
		}
		if told++; told > cloudlicenses.MaxNotified {
			return
		}
		m.send(t, MailOverage, mustJSON(&overageMail{*w, t.url, u.User.ID, u.User.Email, u.User.Name}))
	}
}
