package license_test

import (
	"fmt"
	"strings"

	"github.com/tinylib/msgp/msgp"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// vendorCommand builds the body of a command line about a vendor's account:
//
//	settings [url=U] [bearer=T]         what is named is changed, to nothing by ""
//	create-product|update-product id=P [name=N] [version=V] [lib=L] [archived=BOOL]
//
// by=SESSION or by-key=KEY says who asks.
func (s *session) vendorCommand(name string, a arguments) (op fsm.Op, body msgp.Marshaler, known bool) {
	changed := func(key string, member license.Changed) license.Changed {
		if a.has(key) {
			return member
		}
		return 0
	}
	switch name {
	case "settings":
		return license.OpVendorSettings, &license.VendorSettings{
			By: a.by(), Set: changed("url", license.ChangedURL) | changed("bearer", license.ChangedToken),
			Invoice: license.InvoiceHook{URL: a.text("url", ""), Token: a.text("bearer", "")},
		}, true
	case "create-product", "update-product":
		return license.OpPutProduct, &license.PutProduct{
			By: a.by(), Create: name == "create-product",
			Set: changed("name", license.ChangedName) | changed("version", license.ChangedConstraint) |
				changed("lib", license.ChangedMinLibVersion) | changed("archived", license.ChangedArchived),
			Product: license.Product{
				ID: cl.ProductID(a.text("id", "")), Name: a.text("name", ""), Constraint: a.text("version", ""),
				MinLibVersion: a.text("lib", ""), Archived: a.text("archived", "") == "true",
			},
		}, true
	}
	return 0, nil, false
}

func productLine(p *license.Product) string {
	line := fmt.Sprintf("%s %q version=%q lib=%q created %s updated %s", p.ID, p.Name, p.Constraint, p.MinLibVersion, clock(p.CreatedMillis), clock(p.UpdatedMillis))
	if p.Archived {
		line += " archived"
	}
	return line
}

func (s *session) showProduct(out *strings.Builder, result []byte) {
	var r license.ProductResult
	if decode(s.r.t, result, &r); r.Code != cl.OK {
		fmt.Fprintln(out, strings.TrimSuffix(fmt.Sprintf("%s: %s", r.Code, r.Detail), ": "))
		return
	}
	fmt.Fprintln(out, productLine(&r.Product))
}

func init() {
	shows["account"] = (*session).account
	shows["products"] = (*session).products
	shows["invoice-hook"] = (*session).invoiceHook
	shows["find-key"] = (*session).findKey
}

// account makes the following lines those of another tenant or account.
func (s *session) account(a arguments) string {
	s.tenant = cl.TenantID(a.text("name", "acme"))
	return ""
}

func (s *session) products(a arguments) string {
	var out strings.Builder
	var page license.ProductPage
	ask(s.r.t, s.r.m, s.tenant, license.QueryProducts, &license.ListProducts{
		ID: cl.ProductID(a.text("id", "")), Cursor: a.text("cursor", ""), Limit: a.number("limit", 0),
	}, &page)
	if page.Code != cl.OK {
		return fmt.Sprintln(page.Code)
	}
	for i := range page.Items {
		fmt.Fprintln(&out, productLine(&page.Items[i]))
	}
	if page.Next != "" {
		fmt.Fprintln(&out, "next", page.Next)
	}
	return out.String()
}

func (s *session) invoiceHook(arguments) string {
	var r license.InvoiceHookResult
	ask(s.r.t, s.r.m, s.tenant, license.QueryInvoiceHook, &license.GetInvoiceHook{}, &r)
	return fmt.Sprintf("%s%q %q\n", r.Code, r.Invoice.URL, r.Invoice.Token)
}

func (s *session) findKey(a arguments) string {
	var r license.KeyFacts
	ask(s.r.t, s.r.m, s.tenant, license.QueryKey, &license.FindKey{Caller: s.caller(a), NowMillis: s.r.now + a.duration("later", 0)}, &r)
	if r.Code != cl.OK {
		return fmt.Sprintf("%s (%s)\n", r.Code, r.Layer)
	}
	return fmt.Sprintf("%s of %s\n", r.Key.ID, r.Key.AppName)
}
