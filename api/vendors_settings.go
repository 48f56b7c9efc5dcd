package api

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Settings of a vendor. A text that is set to "" is cleared; what is left out
// stays as it is.

// shownSettings are a vendor's settings as replies have them.
type shownSettings struct {
	VendorID      cloudlicenses.VendorID `json:"vendor_id"`
	DisplayName   string                 `json:"display_name"`
	LicensePrefix string                 `json:"license_prefix"`
	Region        string                 `json:"region"`
	AutoProvision bool                   `json:"auto_provision"`
	Branding      shownBranding          `json:"branding"`
	Invoice       shownInvoiceHook       `json:"invoice_webhook"`
	WhiteLabel    *shownWhiteLabel       `json:"white_label"`
}

type shownBranding struct {
	Name    string `json:"name"`
	Color   string `json:"color"`
	LogoURL string `json:"logo_url"`
}

// shownInvoiceHook never has the token, but whether there is one.
type shownInvoiceHook struct {
	URL      string `json:"url"`
	TokenSet bool   `json:"bearer_token_set"`
}

type shownWhiteLabel struct {
	Host   string       `json:"host"`
	Status string       `json:"status"` // pending_verification, active
	Record *recordToSet `json:"dns_record,omitempty"`
}

type recordToSet struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// settingsChange is the body of PATCH /api/v1/settings.
type settingsChange struct {
	DisplayName   *string `json:"display_name"`
	AutoProvision *bool   `json:"auto_provision"`
	Branding      struct {
		Name    *string `json:"name"`
		Color   *string `json:"color"`
		LogoURL *string `json:"logo_url"`
	} `json:"branding"`
	Invoice struct {
		URL   *string `json:"url"`
		Token *string `json:"bearer_token"`
	} `json:"invoice_webhook"`
	WhiteLabel struct {
		Host *string `json:"host"`
	} `json:"white_label"`
}

// vendorSettingsRoutes are the rows of routeTable for a vendor's settings.
func vendorSettingsRoutes() []route {
	return []route{
		{method: "GET", path: "/api/v1/settings", name: "vendor_settings", on: onVendors, action: cloudlicenses.ActViewSettings, handle: (*call).serveSettings},
		{method: "PATCH", path: "/api/v1/settings", name: "vendor_settings_update", on: onVendors, action: cloudlicenses.ActManageSettings, handle: (*call).serveChangeSettings},
		{method: "POST", path: "/api/v1/settings/white-label/verify", name: "vendor_host_verify", on: onVendors, action: cloudlicenses.ActManageSettings, handle: (*call).serveVerifyHost},
	}
}

// settings reads a vendor's settings and where they are from.
func (c *call) settings(opt shard.ReadOptions) (shownSettings, shard.Freshness, error) {
	vendor, public, err := c.server.shard.Vendor(c.context(), c.vendor, opt)
	if err != nil {
		return shownSettings{}, shard.Freshness{}, err
	}
	invoice, account, err := c.server.shard.InvoiceHook(c.context(), c.vendor, opt)
	if err != nil {
		return shownSettings{}, shard.Freshness{}, err
	}
	shown, err := c.showSettings(&vendor, &invoice)
	return shown, shard.Freshness{
		Applied: shard.JoinAppliedIndexes(account.Applied, public.Applied), LeaderURL: account.LeaderURL,
		StalenessMillis: max(account.StalenessMillis, public.StalenessMillis),
	}, err
}

func (c *call) showSettings(v *directory.Vendor, invoice *license.InvoiceHook) (shownSettings, error) {
	s := &v.Settings
	shown := shownSettings{
		VendorID: v.ID, DisplayName: v.Name, LicensePrefix: v.LicensePrefix, Region: v.Region, AutoProvision: s.AutoProvision,
		Branding: showBranding(v),
		Invoice:  shownInvoiceHook{invoice.URL, invoice.Token != ""},
	}
	switch {
	case s.Host == "":
	case s.HostVerified:
		shown.WhiteLabel = &shownWhiteLabel{Host: s.Host, Status: "active"}
	default:
		name, value, err := c.server.shard.HostRecord(v.ID, s.Host)
		if err != nil {
			return shown, err
		}
		shown.WhiteLabel = &shownWhiteLabel{Host: s.Host, Status: "pending_verification", Record: &recordToSet{"TXT", name, value}}
	}
	return shown, nil
}

func showBranding(v *directory.Vendor) shownBranding {
	return shownBranding{v.Settings.BrandName, v.Settings.BrandColor, v.Settings.BrandLogo}
}

// brandingOf is a vendor's branding, for pages; nil where it has set none.
func brandingOf(v *directory.Vendor) *shownBranding {
	if b := showBranding(v); b != (shownBranding{}) {
		return &b
	}
	return nil
}

// sendSettings replies with the settings as they are now.
func (c *call) sendSettings(opt shard.ReadOptions, w *shard.Written) {
	shown, fresh, err := c.settings(opt)
	if err != nil {
		c.refuseVendor(err)
		return
	}
	if w != nil {
		c.written(*w)
	} else {
		c.fresh(&fresh)
	}
	c.send(fasthttp.StatusOK, shown)
}

// serveSettings is GET /api/v1/settings on the vendors' host.
func (c *call) serveSettings() {
	if o, ok := c.options(); ok {
		c.sendSettings(o.read, nil)
	}
}

// check returns what is wrong with a change, and what is asked for.
func (in *settingsChange) check(c *call) (change shard.VendorChange, w wrong) {
	public, account := &change.Public, &change.Account
	take := func(member directory.VendorMember, from *string, into *string) bool {
		if from == nil {
			return false
		}
		public.Set |= member
		*into = *from
		return true
	}
	text := func(member, value string, limit int) {
		w.check(utf8.RuneCountInString(value) > limit || strings.TrimSpace(value) != value || !printable([]byte(value)),
			member, "must be text of at most 100 characters, without control characters or spaces around it")
	}
	if take(directory.VendorName, in.DisplayName, &public.Name) {
		w.text("display_name", public.Name, cloudlicenses.MaxNameLength)
	}
	if in.AutoProvision != nil {
		public.Set |= directory.VendorAutoProvision
		public.Settings.AutoProvision = *in.AutoProvision
	}
	if take(directory.VendorBrandName, in.Branding.Name, &public.Settings.BrandName) {
		text("branding/name", public.Settings.BrandName, cloudlicenses.MaxPersonNameLength)
	}
	if color := &public.Settings.BrandColor; take(directory.VendorBrandColor, in.Branding.Color, color) && *color != "" {
		w.check(cloudlicenses.ValidateColor(*color) != nil, "branding/color", cloudlicenses.ErrColor.Error())
	}
	if logo := &public.Settings.BrandLogo; take(directory.VendorBrandLogo, in.Branding.LogoURL, logo) && *logo != "" {
		// No page shows one by plain HTTP, not even where the platform speaks it.
		w.check(cloudlicenses.ValidateURL(*logo, false) != nil, "branding/logo_url", cloudlicenses.ErrURL.Error())
	}
	if host := &public.Settings.Host; take(directory.VendorHost, in.WhiteLabel.Host, host) && *host != "" {
		normal, err := shard.NormalizeDomain(*host)
		*host = normal
		w.check(err != nil || c.server.ownHost(normal), "white_label/host", "must be a host below a domain of your own, such as licenses.vector.com")
	}
	if url := in.Invoice.URL; url != nil {
		account.Set |= license.ChangedURL
		account.Invoice.URL = *url
		if bad := cloudlicenses.ValidateURL(*url, !c.server.secure()) != nil; *url != "" && bad {
			w.check(true, "invoice_webhook/url", cloudlicenses.ErrURL.Error())
		} else if *url != "" {
			c.checkHost(&w, "invoice_webhook/url", *url)
		}
	}
	if token := in.Invoice.Token; token != nil {
		account.Set |= license.ChangedToken
		account.Invoice.Token = *token
		w.check(*token != "" && cloudlicenses.ValidateBearerToken(*token) != nil, "invoice_webhook/bearer_token", cloudlicenses.ErrBearerToken.Error())
	}
	return change, w
}

// ownHost reports whether a host is the platform's domain or below it.
func (s *Server) ownHost(host string) bool {
	return host == s.domain || strings.HasSuffix(host, "."+s.domain)
}

// serveChangeSettings is PATCH /api/v1/settings on the vendors' host.
func (c *call) serveChangeSettings() {
	var in settingsChange
	if !c.decode(&in) {
		return
	}
	change, w := in.check(c)
	if !c.valid(w) {
		return
	}
	change.Account.By = c.by()
	written, err := c.server.shard.ChangeVendor(c.context(), c.vendor, change)
	if err != nil {
		c.refuseVendor(err)
		return
	}
	c.sendSettings(shard.ReadOptions{Linearizable: true}, &written)
}

// serveVerifyHost is POST /api/v1/settings/white-label/verify.
func (c *call) serveVerifyHost() {
	vendor, _, err := c.server.shard.Vendor(c.context(), c.vendor, shard.ReadOptions{Linearizable: true})
	if err != nil {
		c.refuseVendor(err)
		return
	}
	if vendor.Settings.Host == "" {
		c.refuse(&problem{code: cloudlicenses.NotFound, detail: "there is no white-label host to verify: set one by PATCH /api/v1/settings"})
		return
	}
	written, err := c.server.shard.VerifyHost(c.context(), &vendor, c.by())
	if err != nil {
		c.refuseVendor(err)
		return
	}
	c.sendSettings(shard.ReadOptions{Linearizable: true}, &written)
}

// refuseVendor sends what an error about a vendor's own amounts to.
func (c *call) refuseVendor(err error) {
	var refusal *shard.Refusal
	switch {
	case errors.Is(err, shard.ErrResolver):
		c.err = err
		c.refuse(&problem{code: cloudlicenses.Overloaded, detail: "DNS gives no answer at the moment; nothing was done, ask again"})
	case errors.As(err, &refusal):
		c.decidedUser(&license.UserResult{Code: refusal.Code, Detail: refusal.Detail}, shard.Written{}, nil)
	default:
		c.fail(err)
	}
}
