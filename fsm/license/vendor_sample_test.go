package license_test

import (
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// vendorSamples has one row per command of vendors' accounts. Append only.
func vendorSamples() []sample {
	by := license.By{Session: sum("s"), Address: "10.0.0.1"}
	return []sample{
		{"OpVendorSettings", license.OpVendorSettings, true, &license.VendorSettings{
			By: by, Set: license.ChangedURL | license.ChangedToken, Invoice: license.InvoiceHook{URL: "https://vector.com/invoices", Token: "secret"},
		}},
		{"OpPutProduct", license.OpPutProduct, true, &license.PutProduct{
			By: by, Create: true, Set: license.ChangedName | license.ChangedArchived, Product: license.Product{
				ID: "cad", Name: "CAD", Constraint: ">=8.0.0", MinLibVersion: "1.2.0", Archived: true, CreatedMillis: epochStart, UpdatedMillis: epochStart + hour,
			},
		}},
	}
}

// vendorQuerySamples has one row per query of vendors' accounts. Append only.
func vendorQuerySamples() []sample {
	return []sample{
		{"QueryKey", license.QueryKey, true, &license.FindKey{Caller: sampleCaller(), NowMillis: epochStart}},
		{"QueryInvoiceHook", license.QueryInvoiceHook, true, &license.GetInvoiceHook{Reserved: true}},
		{"QueryProducts", license.QueryProducts, true, &license.ListProducts{ID: "cad", Cursor: "caa", Limit: 50}},
	}
}
