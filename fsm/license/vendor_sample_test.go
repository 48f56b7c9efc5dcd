package license_test

import (
	cl "github.com/cloudlicenses/cloudlicenses"
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
		{"OpTouchKey", license.OpTouchKey, true, &license.TouchKey{Hash: keyHash("k1"), Address: "10.0.0.1"}},
		{"OpTellVendor", license.OpTellVendor, true, &license.TellVendor{Events: []license.VendorEvent{{
			Sequence: 7, AtMillis: epochStart, Kind: cl.EventLicenseRenewed, TenantID: "acme", CRMAccount: "ACC-1", LicenseID: "lic-1", ProductID: "cad",
		}}}},
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
