package api

import (
	"encoding/json"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// A tenant's settings: its own rules on overage.

// shownTenantSettings are a tenant's settings as replies have them.
type shownTenantSettings struct {
	Overage shownRules `json:"overage"`
}

type shownRules struct {
	Deny bool       `json:"deny"`
	Caps []shownCap `json:"caps"`
}

// shownCap is a monthly cap of a license or of a key.
type shownCap struct {
	LicenseID cloudlicenses.LicenseID `json:"license_id,omitempty"`
	KeyID     cloudlicenses.KeyID     `json:"key_id,omitempty"`
	MaxUses   *int64                  `json:"max_uses"` // null: as many as there may be
	MaxCost   *json.Number            `json:"max_cost"` // null: whatever it costs
	Currency  cloudlicenses.Currency  `json:"currency,omitempty"`
}

func showCap(c *license.Cap) shownCap {
	shown := shownCap{LicenseID: c.LicenseID, KeyID: c.KeyID}
	if c.MaxUses >= 0 {
		shown.MaxUses = &c.MaxUses
	}
	if c.MaxMinor >= 0 {
		cost := json.Number(cloudlicenses.Money{Minor: c.MaxMinor, Currency: c.Currency}.String())
		shown.MaxCost, shown.Currency = &cost, c.Currency
	}
	return shown
}

// tenantSettingsChange is the body of PATCH /api/v1/settings on a tenant's host.
type tenantSettingsChange struct {
	Overage *struct {
		Deny *bool     `json:"deny"`
		Caps *[]capSet `json:"caps"`
	} `json:"overage"`
}

type capSet struct {
	LicenseID string      `json:"license_id"`
	KeyID     string      `json:"key_id"`
	MaxUses   *int64      `json:"max_uses"`
	MaxCost   json.Number `json:"max_cost"`
	Currency  string      `json:"currency"`
}

// rulesNow reads the tenant's rules.
func (c *call) rulesNow(o listOptions) (license.Rules, bool) {
	var r license.RulesResult
	if !c.read(license.QueryRules, &license.GetRules{}, &r, o) || !c.found(r.Code) {
		return license.Rules{}, false
	}
	return r.Rules, true
}

func (c *call) sendTenantSettings(r *license.Rules) {
	shown := shownTenantSettings{shownRules{Deny: r.DenyOverage, Caps: []shownCap{}}}
	for i := range r.Caps {
		shown.Overage.Caps = append(shown.Overage.Caps, showCap(&r.Caps[i]))
	}
	c.send(fasthttp.StatusOK, shown)
}

// serveTenantSettings is GET /api/v1/settings on a tenant's host.
func (c *call) serveTenantSettings() {
	o, ok := c.options()
	if !ok {
		return
	}
	if rules, ok := c.rulesNow(o); ok {
		c.sendTenantSettings(&rules)
	}
}

// serveChangeTenantSettings is PATCH /api/v1/settings on a tenant's host. What is
// left out stays as it is; caps are replaced as a whole.
func (c *call) serveChangeTenantSettings() {
	var in tenantSettingsChange
	if !c.decode(&in) {
		return
	}
	now := listOptions{read: shard.ReadOptions{Linearizable: true}}
	rules, ok := c.rulesNow(now)
	if !ok {
		return
	}
	var w wrong
	if in.Overage != nil && in.Overage.Deny != nil {
		rules.DenyOverage = *in.Overage.Deny
	}
	if in.Overage != nil && in.Overage.Caps != nil {
		rules.Caps = c.newCaps(&w, *in.Overage.Caps)
	}
	if !c.valid(w) {
		return
	}
	var ack license.Ack
	written, err := c.server.shard.Do(c.context(), c.tenant, shard.Command{
		Op: license.OpRules, Payload: &license.SetRules{By: c.by(), Rules: rules}, Result: &ack,
	})
	switch {
	case err != nil:
		c.fail(err)
	case ack.Code != cloudlicenses.OK:
		c.refuse(decided(ack.Code, cloudlicenses.LayerNone, ack.Detail, "/overage"))
	default:
		c.written(written)
		c.sendTenantSettings(&rules)
	}
}

// newCaps checks caps as sent. The amount of a license's cap is in the license's
// currency, that of a key's names one.
func (c *call) newCaps(w *wrong, sent []capSet) []license.Cap {
	if len(sent) > cloudlicenses.MaxCaps {
		w.check(true, "overage/caps", "has at most "+strconv.Itoa(cloudlicenses.MaxCaps))
		return nil
	}
	caps := make([]license.Cap, 0, len(sent))
	for i := range sent {
		set, at := &sent[i], "overage/caps/"+strconv.Itoa(i)
		limit := license.Cap{
			LicenseID: cloudlicenses.LicenseID(set.LicenseID), KeyID: cloudlicenses.KeyID(set.KeyID), MaxUses: -1, MaxMinor: -1,
		}
		w.check((set.LicenseID == "") == (set.KeyID == ""), at, "must name either a license_id or a key_id")
		w.check(set.MaxUses == nil && set.MaxCost == "", at, "must have max_uses, max_cost or both")
		if set.MaxUses != nil {
			limit.MaxUses = *set.MaxUses
			w.check(limit.MaxUses < 0, at+"/max_uses", "must not be negative")
		}
		if limit.Currency = cloudlicenses.Currency(set.Currency); limit.Currency == "" && limit.LicenseID != "" {
			limit.Currency = c.currencyOf(limit.LicenseID)
		}
		if set.MaxCost != "" && (limit.Currency != "" || limit.LicenseID == "") {
			money, err := cloudlicenses.ParseMoney(set.MaxCost.String(), limit.Currency)
			if _, unknown := limit.Currency.Decimals(); unknown != nil {
				w.check(true, at+"/currency", unknown.Error())
			} else if err != nil {
				w.check(true, at+"/max_cost", err.Error())
			}
			limit.MaxMinor = money.Minor
		}
		caps = append(caps, limit)
	}
	return caps
}

// currencyOf returns a license's currency; empty where there is no such license,
// which the machine refuses then.
func (c *call) currencyOf(id cloudlicenses.LicenseID) cloudlicenses.Currency {
	var page license.LicensePage
	query := shard.Command{Op: license.QueryLicenses, Payload: &license.ListLicenses{ID: id, Limit: 1}, Result: &page}
	if _, err := c.server.shard.Read(c.context(), c.tenant, query, shard.ReadOptions{}); err != nil || len(page.Items) == 0 {
		return ""
	}
	return page.Items[0].License.Currency
}
