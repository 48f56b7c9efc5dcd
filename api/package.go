package api

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
)

// typePackage is the media type of a license package: a compact JWS (RFC 7515).
const typePackage = "application/jose"

// packageClaims are what a license package states. It says what was agreed, and
// no more: what is in use, and whether it still is in force, the platform knows.
type packageClaims struct {
	ID          cloudlicenses.LicenseID     `json:"jti"`
	Issuer      string                      `json:"iss"` // the vendors' host
	Subject     cloudlicenses.TenantID      `json:"sub"`
	Audience    string                      `json:"aud"` // the tenant's URL
	IssuedAt    int64                       `json:"iat"`
	NotBefore   int64                       `json:"nbf"`           // the contract's first moment
	Expires     int64                       `json:"exp,omitempty"` // the first moment after it, unless it is open-ended or renewed
	VendorID    cloudlicenses.VendorID      `json:"vendor_id"`
	Opportunity string                      `json:"crm_opportunity_id"`
	CRMAccount  string                      `json:"crm_account_id"`
	Status      cloudlicenses.LicenseStatus `json:"status"`
	Product     shownProduct                `json:"product"`
	Entitlement packageEntitlement          `json:"entitlement"`
	Contract    shownContract               `json:"contract"`
}

// packageEntitlement leaves the price out: a package is handed on.
type packageEntitlement struct {
	Total      int64 `json:"total_licenses"`
	CommitQty  int64 `json:"commit_qty"`
	MaxOverage int64 `json:"max_overage"`
}

// servePackage is GET /packages/{id} on the vendors' host: the license, signed
// by the cluster's key, to be verified with /.well-known/jwks.json.
func (c *call) servePackage() {
	o, ok := c.options()
	if !ok {
		return
	}
	l, ok := c.ownLicense(cloudlicenses.LicenseID(c.pathID), o)
	if !ok {
		return
	}
	s := c.server.signer()
	switch {
	case s == nil:
		c.refuse(problemNotReady)
		return
	case l.Status == cloudlicenses.LicenseRevoked, l.Status == cloudlicenses.LicenseExpired:
		c.refuse(&problem{code: cloudlicenses.LicenseNotActive, detail: "the license is " + string(l.Status)})
		return
	}
	claims, err := json.Marshal(c.claims(l))
	if err != nil {
		c.fail(err)
		return
	}
	c.out = append(c.out[:0], s.packageHeader...)
	c.out = base64.RawURLEncoding.AppendEncode(c.out, claims)
	signature := ed25519.Sign(s.key, c.out)
	c.out = base64.RawURLEncoding.AppendEncode(append(c.out, '.'), signature)
	h := &c.ctx.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="`+string(l.ID)+`.jws"`)
	c.reply(fasthttp.StatusOK)
	h.SetContentType(typePackage)
}

func (c *call) claims(l *directory.License) packageClaims {
	shown := c.showLicense(l)
	claims := packageClaims{
		ID: l.ID, Issuer: c.server.VendorsURL(), Subject: l.TenantID, Audience: shown.Customer.TenantURL,
		IssuedAt: time.Now().Unix(), NotBefore: l.Terms.StartMillis / 1000,
		VendorID: l.VendorID, Opportunity: l.OpportunityID, CRMAccount: l.CRMAccount, Status: l.Status, Product: shown.Product,
		Entitlement: packageEntitlement{l.Terms.Total, l.Terms.CommitQty, l.Terms.MaxOverage}, Contract: shown.Contract,
	}
	if !l.Terms.AutoRenew {
		claims.Expires = l.Terms.EndMillis / 1000
	}
	return claims
}
