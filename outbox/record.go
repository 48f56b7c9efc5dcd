package outbox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
	"github.com/cloudlicenses/cloudlicenses/notify"
)

// errUnknown: a newer version left the record, and knows what to make of it.
var errUnknown = errors.New("this version knows no such mail")

// errExpired: nobody could use the link any more.
var errExpired = errors.New("its link had expired before it could be sent")

// record makes what is sent of a record. An error is for good.
func (g *drain) record(it *license.Delivery) (notify.Record, error) {
	switch o := &it.Outgoing; {
	case it.Gone:
		return notify.Record{}, errGone
	case it.Disabled != "":
		return notify.Record{}, errDisabled
	case o.EndpointID != "":
		webhook, err := webhookOf(it)
		return notify.Record{Webhook: webhook}, err
	default:
		mail, err := g.mailOf(o)
		return notify.Record{Mail: mail}, err
	}
}

func webhookOf(it *license.Delivery) (*notify.Webhook, error) {
	o := &it.Outgoing
	if o.EndpointID == license.InvoiceEndpoint {
		var in license.InvoiceMessage
		if err := json.Unmarshal(o.Payload, &in); err != nil {
			return nil, fmt.Errorf("an invoice's body: %w", err)
		}
		return &notify.Webhook{ID: notify.ID(in.ID), URL: it.URL, Body: in.Body, Bearer: it.Bearer}, nil
	}
	body, err := notify.EventBody(o.Kind, time.UnixMilli(o.AtMillis), o.Payload)
	if err != nil {
		return nil, fmt.Errorf("an event's body: %w", err)
	}
	w := &notify.Webhook{ID: notify.ID(cloudlicenses.FormatDeliveryID(o.EndpointID, o.Number)), URL: it.URL, Body: body}
	for _, text := range it.Secrets {
		secret, err := notify.ParseSecret(text)
		if err != nil {
			return nil, err
		}
		w.Secrets = append(w.Secrets, secret)
	}
	return w, nil
}

// letter is what every mail's payload may hold; see package license for which
// kind has what.
type letter struct {
	TenantURL string                  `json:"tenant_url"`
	Company   string                  `json:"company"`
	Email     string                  `json:"email"`
	Message   string                  `json:"message"`
	Name      string                  `json:"name"`
	Role      string                  `json:"role"`
	InvitedBy string                  `json:"invited_by"`
	Token     string                  `json:"token"`
	ExpiresAt time.Time               `json:"expires_at"`
	VendorID  cloudlicenses.VendorID  `json:"vendor_id"`
	Vendor    string                  `json:"vendor_name"`
	Count     int                     `json:"count"`
	Product   string                  `json:"product_name"`
	LicenseID cloudlicenses.LicenseID `json:"license_id"`
	Meter     string                  `json:"meter"`
	Percent   int                     `json:"percent"`
	Used      json.Number             `json:"used"`
	Limit     json.Number             `json:"limit"`
	Currency  cloudlicenses.Currency  `json:"currency"`
	Licenses  []struct {
		ID         cloudlicenses.LicenseID `json:"license_id"`
		Product    string                  `json:"product_name"`
		Seats      int                     `json:"total_licenses"`
		CommitQty  int                     `json:"commit_qty"`
		MaxOverage int                     `json:"max_overage"`
	} `json:"licenses"`
}

func (g *drain) mailOf(o *license.Outgoing) (*notify.Message, error) {
	var in letter
	if err := json.Unmarshal(o.Payload, &in); err != nil {
		return nil, errors.New("a mail's payload can't be read") // the error may quote it
	}
	if in.Token != "" && !g.d.now().Before(in.ExpiresAt) {
		return nil, errExpired
	}
	account, _ := o.TenantID.Vendor() // whose users' links say which vendor
	words, err := in.words(o.Kind, account)
	if err != nil {
		return nil, err
	}
	id, err := g.door.MailID(g.group, o.Sequence, in.Email)
	if err != nil {
		return nil, err
	}
	return &notify.Message{
		ID: notify.ID(id), From: g.d.cfg.From, To: notify.Address{Name: notify.Line(in.Name), Email: in.Email},
		Subject: words.Subject, Text: words.Text, HTML: words.HTML, Date: time.UnixMilli(o.AtMillis),
	}, nil
}

// words writes the letter of a kind; account is the vendor whose account sends
// it, if one does.
func (in *letter) words(kind string, account cloudlicenses.VendorID) (notify.Letter, error) {
	switch kind {
	case "mail." + string(cloudlicenses.TokenWelcome):
		return notify.TenantWelcome{TenantURL: in.TenantURL, VendorID: account, Company: in.Company, Token: in.Token, Expires: in.ExpiresAt}.Letter()
	case "mail." + string(cloudlicenses.TokenInvite):
		return notify.UserInvitation{
			TenantURL: in.TenantURL, VendorID: account, Name: in.Name, InvitedBy: in.InvitedBy, Role: in.Role, Token: in.Token, Expires: in.ExpiresAt,
		}.Letter()
	case "mail." + string(cloudlicenses.TokenReset):
		return notify.PasswordReset{TenantURL: in.TenantURL, VendorID: account, Token: in.Token, Expires: in.ExpiresAt}.Letter()
	case "mail.vendor_linked":
		return notify.VendorLinked{TenantURL: in.TenantURL, Vendor: in.Vendor, VendorID: in.VendorID}.Letter()
	case license.MailOverage:
		return in.overage().Letter()
	case license.MailProvisioned:
		w := notify.LicenseProvisioned{TenantURL: in.TenantURL, Vendor: cmp.Or(in.Vendor, string(in.VendorID)), Message: in.Message, Count: in.Count}
		for _, l := range in.Licenses {
			w.Licenses = append(w.Licenses, notify.ProvisionedLicense{ID: l.ID, Product: l.Product, Seats: l.Seats, Commit: l.CommitQty, MaxOverage: l.MaxOverage})
		}
		return w.Letter()
	}
	return notify.Letter{}, fmt.Errorf("%w: %q", errUnknown, kind)
}

// meters are those of a warning's payload.
var meters = map[string]notify.Meter{"seats": notify.OverageSeats, "uses": notify.MonthlyUses, "cost": notify.MonthlyAmount}

func (in *letter) overage() notify.OverageWarning {
	shown := func(n json.Number) string {
		if in.Currency == "" {
			return n.String()
		}
		return string(in.Currency) + " " + n.String()
	}
	return notify.OverageWarning{
		TenantURL: in.TenantURL, Percent: in.Percent, License: in.LicenseID, Product: in.Product,
		Meter: meters[in.Meter], Used: shown(in.Used), Limit: shown(in.Limit),
	}
}

func (d *Drainer) now() time.Time {
	if d.cfg.Sender.Now == nil {
		return time.Now()
	}
	return d.cfg.Sender.Now()
}
