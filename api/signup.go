package api

import (
	"errors"
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

// maxToken bounds a verification token, in bytes.
const maxToken = 100

// onApex reports whether the Host is the platform's own domain.
func (c *call) onApex() bool {
	name, ok := hostName(c.ctx.Host())
	return ok && guard.EqualFold(name, c.server.domain)
}

// companyFields and adminFields are what sign-ups of tenants and of vendors have in
// common.
type companyFields struct {
	Name    string `json:"name"`
	Domain  string `json:"domain"`
	Country string `json:"country"`
	TaxID   string `json:"tax_id"`
}

type adminFields struct {
	Email string `json:"email"`
	Name  string `json:"name"`
}

// newRegistration is the body of POST /api/v1/tenants/register.
type newRegistration struct {
	Company companyFields `json:"company"`
	Tenant  struct {
		ID     string `json:"id"`
		Region string `json:"region"`
		Plan   string `json:"plan"`
	} `json:"tenant"`
	Admin adminFields `json:"admin"`
}

// text checks a field of plain text.
func (w *wrong) text(member, value string, limit int) {
	w.check(value == "" || len(value) > limit || strings.TrimSpace(value) != value || !printable([]byte(value)),
		member, "must be 1–"+strconv.Itoa(limit)+" bytes of text, without control characters or spaces around it")
}

// signUp checks what all sign-ups have in common, and returns what is asked for.
func (w *wrong) signUp(company *companyFields, region string, admin *adminFields) shard.SignUp {
	in := shard.SignUp{Company: company.Name, Country: company.Country, TaxID: company.TaxID, Region: region, Name: admin.Name}
	w.text("company/name", in.Company, cloudlicenses.MaxNameLength)
	var err error
	in.Domain, err = shard.NormalizeDomain(company.Domain)
	if err != nil {
		w.check(true, "company/domain", err.Error())
	}
	w.check(!cloudlicenses.ValidCountry(in.Country), "company/country", "must be a country's code of ISO 3166-1 alpha-2, such as DE")
	if in.TaxID != "" {
		w.text("company/tax_id", in.TaxID, cloudlicenses.MaxTaxIDLength)
	}
	in.Email, err = cloudlicenses.NormalizeEmail(admin.Email)
	w.check(err != nil, "admin/email", cloudlicenses.ErrEmail.Error())
	if err := cloudlicenses.ValidatePersonName(in.Name); err != nil {
		w.check(true, "admin/name", err.Error())
	}
	return in
}

// check returns what is wrong with the fields, and what is asked for.
func (n *newRegistration) check() (in shard.SignUp, w wrong) {
	in = w.signUp(&n.Company, n.Tenant.Region, &n.Admin)
	in.ID, in.Plan = cloudlicenses.TenantID(n.Tenant.ID), n.Tenant.Plan
	if err := in.ID.ValidateSignUp(); err != nil {
		w.check(true, "tenant/id", err.Error())
	}
	w.check(cloudlicenses.ValidateID(in.Region) != nil, "tenant/region", "must be a region, such as eu-central")
	w.check(!slices.Contains(cloudlicenses.PlanNames(), in.Plan), "tenant/plan", "must be one of "+strings.Join(cloudlicenses.PlanNames(), ", "))
	return in, w
}

// mayRegister counts a sign-up against its address, or refuses it.
func (c *call) mayRegister() bool {
	wait := c.server.registrations.take(c.address(), time.Now())
	if wait > 0 {
		c.refuse(&problem{code: cloudlicenses.RateLimited, detail: "too many registrations from this address; wait", retryIn: wholeSeconds(wait)})
	}
	return wait == 0
}

// serveRegister is POST /api/v1/tenants/register.
func (c *call) serveRegister() {
	var n newRegistration
	if !c.decode(&n) {
		return
	}
	in, w := n.check()
	if !c.valid(w) {
		return
	}
	if !c.mayRegister() {
		return
	}
	r, err := c.server.shard.Register(c.context(), in)
	if err != nil {
		c.refuseSignUp(err, "/tenant")
		return
	}
	c.out = appendMember(c.out[:0], `{"tenant_id":`, string(r.ID))
	c.out = appendMember(c.out, `,"tenant_url":`, c.server.TenantURL(r.ID))
	c.registered(&in, &r)
}

// registered finishes the reply to a registration: what is to be done next.
func (c *call) registered(in *shard.SignUp, r *shard.Registered) {
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

// bareToken is a token as a person may have pasted it: with what stands before it
// in the record's value.
func bareToken(pasted string) string {
	return strings.TrimPrefix(strings.TrimSpace(pasted), shard.VerificationPrefix)
}

// serveVerify is POST /api/v1/tenants/verify.
func (c *call) serveVerify() {
	var n struct {
		TenantID string `json:"tenant_id"`
		Token    string `json:"verification_token"`
	}
	if !c.decode(&n) {
		return
	}
	n.Token = bareToken(n.Token)
	var w wrong
	w.verification("tenant_id", "a tenant id", n.TenantID, n.Token)
	if !c.valid(w) {
		return
	}
	tenant, written, err := c.server.shard.Verify(c.context(), cloudlicenses.TenantID(n.TenantID), n.Token)
	if err != nil {
		c.refuseSignUp(err, "/tenant")
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

// verification checks the fields of a verification.
func (w *wrong) verification(member, what, id, token string) {
	w.check(id == "" || len(id) > cloudlicenses.MaxIDLength, member, "must be "+what)
	w.check(token == "" || len(token) > maxToken, "verification_token", "must be what follows cloudlicenses-verify= in the record's value")
}

// unstored keeps what is between a client and us from keeping the reply.
func (c *call) unstored() { c.ctx.Response.Header.Set("Cache-Control", "no-store") }

// refuseSignUp sends what an error of a sign-up amounts to. Where is the JSON
// pointer of the object with the id.
func (c *call) refuseSignUp(err error, where string) {
	var refusal *shard.Refusal
	taken := func(detail, pointer, what string) {
		c.refuse(&problem{code: cloudlicenses.AlreadyExists, detail: detail, invalid: []body.FieldError{{Pointer: pointer, Detail: what}}})
	}
	switch {
	case errors.Is(err, shard.ErrResolver):
		c.err = err
		c.refuse(&problem{code: cloudlicenses.Overloaded, detail: "DNS gives no answer at the moment; nothing was done, ask again"})
	case !errors.As(err, &refusal):
		c.fail(err)
	case refusal.Code == cloudlicenses.RateLimited:
		c.refuse(&problem{code: refusal.Code, detail: refusal.Detail, retryIn: signUpWindow})
	case refusal.Code != cloudlicenses.AlreadyExists:
		c.refuse(decided(refusal.Code, cloudlicenses.LayerNone, refusal.Detail, where))
	case refusal.Detail == "domain":
		taken("the domain belongs to another sign-up or "+where[1:], "/company/domain", "has a "+where[1:]+", or a sign-up that has not expired")
	case refusal.Detail == "license_prefix":
		taken("another vendor has this license prefix", where+"/license_prefix", "is taken: name another one")
	default:
		taken("the "+where[1:]+" id is taken, or looks like one that is", where+"/id", "is taken, or looks like one that is")
	}
}
