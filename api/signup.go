package api

import (
	"errors"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/api/body"
	"github.com/cloudlicenses/cloudlicenses/api/guard"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// Sign-up, on the platform's own host (seed B1).

// Limits of a registration's fields, in bytes.
const (
	maxCompany = 300
	maxEmail   = 254 // RFC 5321, 4.5.3.1.3, without its brackets
	maxTaxID   = 50
	maxToken   = 100
)

// onApex reports whether the Host is the platform's own domain.
func (c *call) onApex() bool {
	name, ok := hostName(c.ctx.Host())
	return ok && guard.EqualFold(name, c.server.domain)
}

// newRegistration is the body of POST /api/v1/tenants/register.
type newRegistration struct {
	Company struct {
		Name    string `json:"name"`
		Domain  string `json:"domain"`
		Country string `json:"country"`
		TaxID   string `json:"tax_id"`
	} `json:"company"`
	Tenant struct {
		ID     string `json:"id"`
		Region string `json:"region"`
		Plan   string `json:"plan"`
	} `json:"tenant"`
	Admin struct {
		Email string `json:"email"`
		Name  string `json:"name"`
	} `json:"admin"`
}

// check returns what is wrong with the fields, and what is asked for.
func (n *newRegistration) check() (in shard.SignUp, wrong []body.FieldError) {
	complain := func(pointer, detail string) {
		wrong = append(wrong, body.FieldError{Pointer: pointer, Detail: detail})
	}
	text := func(pointer, value string, limit int) {
		if value == "" || len(value) > limit || strings.TrimSpace(value) != value || !printable([]byte(value)) {
			complain(pointer, "must be 1–"+strconv.Itoa(limit)+" bytes of text, without control characters or spaces around it")
		}
	}
	in = shard.SignUp{
		Company: n.Company.Name, Country: n.Company.Country, TaxID: n.Company.TaxID,
		ID: cloudlicenses.TenantID(n.Tenant.ID), Region: n.Tenant.Region, Plan: n.Tenant.Plan,
		Email: n.Admin.Email, Name: n.Admin.Name,
	}
	text("/company/name", in.Company, maxCompany)
	var err error
	if in.Domain, err = shard.NormalizeDomain(n.Company.Domain); err != nil {
		complain("/company/domain", err.Error())
	}
	if !cloudlicenses.ValidCountry(in.Country) {
		complain("/company/country", "must be a country's code of ISO 3166-1 alpha-2, such as DE")
	}
	if in.TaxID != "" {
		text("/company/tax_id", in.TaxID, maxTaxID)
	}
	if err := in.ID.ValidateSignUp(); err != nil {
		complain("/tenant/id", err.Error())
	}
	if cloudlicenses.ValidateID(in.Region) != nil {
		complain("/tenant/region", "must be a region, such as eu-central")
	}
	if !slices.Contains(cloudlicenses.PlanNames(), in.Plan) {
		complain("/tenant/plan", "must be one of "+strings.Join(cloudlicenses.PlanNames(), ", "))
	}
	normal, err := cloudlicenses.NormalizeEmail(in.Email)
	if in.Email = normal; err != nil || !validEmail(normal) {
		complain("/admin/email", "must be an e-mail address of at most "+strconv.Itoa(maxEmail)+" bytes")
	}
	if err := cloudlicenses.ValidatePersonName(in.Name); err != nil {
		complain("/admin/name", err.Error())
	}
	return in, wrong
}

// validEmail reports whether s is an address and nothing else.
func validEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && len(s) <= maxEmail && printable([]byte(s)) && !strings.ContainsAny(s, " \"")
}

// serveRegister is POST /api/v1/tenants/register.
func (c *call) serveRegister() {
	var n newRegistration
	if p := strictly(c.ctx.PostBody(), &n); p != nil {
		c.refuse(p)
		return
	}
	in, wrong := n.check()
	if len(wrong) > 0 {
		c.refuse(&problem{code: cloudlicenses.InvalidField, detail: "the body has invalid fields", invalid: wrong})
		return
	}
	if wait := c.server.registrations.take(c.address(), time.Now()); wait > 0 {
		c.refuse(&problem{code: cloudlicenses.RateLimited, detail: "too many registrations from this address; wait", retryIn: max(1, int(wait/time.Second))})
		return
	}
	r, err := c.server.shard.Register(c.context(), in)
	if err != nil {
		c.refuseSignUp(err)
		return
	}
	c.out = appendMember(c.out[:0], `{"tenant_id":`, string(r.ID))
	c.out = appendMember(c.out, `,"tenant_url":`, c.server.TenantURL(r.ID))
	c.out = append(c.out, `,"status":"pending_verification","verification":{"method":"dns","dns_record":{"type":"TXT"`...)
	c.out = appendMember(c.out, `,"name":`, r.RecordName)
	c.out = appendMember(c.out, `,"value":`, r.RecordValue)
	c.out = appendMember(c.out, `}},"next_steps":[`, "Add DNS TXT record to "+in.Domain)
	c.out = append(c.out, `,"Wait for verification (usually < 5 minutes)","Receive admin credentials via email"]}`...)
	c.unstored()
	c.written(r.Written)
	c.reply(fasthttp.StatusCreated)
}

// signUpWindow is the hour over which tries of a token are counted, in seconds.
const signUpWindow = 3600

// serveVerify is POST /api/v1/tenants/verify.
func (c *call) serveVerify() {
	var n struct {
		TenantID string `json:"tenant_id"`
		Token    string `json:"verification_token"`
	}
	if p := strictly(c.ctx.PostBody(), &n); p != nil {
		c.refuse(p)
		return
	}
	var wrong []body.FieldError
	if n.TenantID == "" || len(n.TenantID) > cloudlicenses.MaxIDLength {
		wrong = append(wrong, body.FieldError{Pointer: "/tenant_id", Detail: "must be a tenant id"})
	}
	if n.Token == "" || len(n.Token) > maxToken {
		wrong = append(wrong, body.FieldError{Pointer: "/verification_token", Detail: "must be what follows cloudlicenses-verify= in the record's value"})
	}
	if len(wrong) > 0 {
		c.refuse(&problem{code: cloudlicenses.InvalidField, detail: "the body has invalid fields", invalid: wrong})
		return
	}
	tenant, written, err := c.server.shard.Verify(c.context(), cloudlicenses.TenantID(n.TenantID), n.Token)
	if err != nil {
		c.refuseSignUp(err)
		return
	}
	url := c.server.TenantURL(tenant.ID)
	c.out = appendMember(c.out[:0], `{"tenant_id":`, string(tenant.ID))
	c.out = appendMember(c.out, `,"status":`, "verified")
	c.out = appendMember(c.out, `,"tenant_url":`, url)
	c.out = appendMember(c.out, `,"admin_login":`, url+"/login")
	c.out = appendMember(c.out, `,"crm_id":`, tenant.CustomerID)
	c.out = append(appendMember(c.out, `,"created_at":`, *timeText(tenant.CreatedMillis)), '}')
	c.unstored()
	c.written(written)
	c.reply(fasthttp.StatusOK)
}

// unstored keeps what is between a client and us from keeping the reply.
func (c *call) unstored() { c.ctx.Response.Header.Set("Cache-Control", "no-store") }

// refuseSignUp sends what an error of a sign-up amounts to.
func (c *call) refuseSignUp(err error) {
	var refusal *shard.Refusal
	switch {
	case errors.Is(err, shard.ErrResolver):
		c.err = err
		c.refuse(&problem{code: cloudlicenses.Overloaded, detail: "DNS gives no answer at the moment; nothing was done, ask again"})
	case !errors.As(err, &refusal):
		c.fail(err)
	case refusal.Code == cloudlicenses.RateLimited:
		c.refuse(&problem{code: refusal.Code, detail: refusal.Detail, retryIn: signUpWindow})
	case refusal.Code == cloudlicenses.AlreadyExists && refusal.Detail == "domain":
		c.refuse(&problem{code: refusal.Code, detail: "the domain belongs to another sign-up or tenant", invalid: []body.FieldError{
			{Pointer: "/company/domain", Detail: "has a tenant, or a sign-up that has not expired"},
		}})
	case refusal.Code == cloudlicenses.AlreadyExists:
		c.refuse(&problem{code: refusal.Code, detail: "the tenant id is taken, or looks like one that is", invalid: []body.FieldError{
			{Pointer: "/tenant/id", Detail: "is taken, or looks like one that is"},
		}})
	default:
		c.refuse(decided(refusal.Code, cloudlicenses.LayerNone, refusal.Detail, "/tenant"))
	}
}
