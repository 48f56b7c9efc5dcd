package license_test

import (
	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// lifeSamples has one row per command about a tenant's life. They come last: in
// the end there is no tenant any more. Append only.
func lifeSamples() []sample {
	return []sample{
		{"OpNote", license.OpNote, true, &license.Note{
			By: license.By{Platform: true, Session: sum("s"), Address: "10.0.0.1"}, Action: "license.amend", LicenseID: "lic-1", ProductID: "cad", Subject: "ACC-1",
			ID: serial(8),
		}},
		{"OpIntend", license.OpIntend, true, &license.Note{By: license.By{Platform: true, Address: "10.0.0.1"}, Action: "license.amend", LicenseID: "lic-1", ID: serial(9)}},
		{"OpDropNote", license.OpDropNote, true, &license.DropNote{ID: serial(9)}},
		{"OpSetFloor", license.OpSetFloor, true, &license.Floor{VendorID: "vector", ProductID: "cad", MinLibVersion: "1.2.3", AtMillis: epochStart}},
		{"OpAdjust", license.OpAdjust, true, &license.Adjust{
			ID: serial(3), VendorID: "vector", LicenseID: "lic-1", Month: 2026*12 + 10, Sequence: 1, Uses: 1, Reason: "granted by mistake",
		}},
		{"OpKeepOverage", license.OpKeepOverage, true, &license.KeepOverage{Items: []license.Kept{{
			TenantID: "bmw", LicenseID: "lic-1", Month: 2026*12 + 10, Company: "BMW AG", Own: sampleLicense(), EndMillis: epochStart,
			Days: []license.DaySum{{Day: 20_400, Currency: "EUR", PriceMinor: 50_000, Uses: -1, Minor: -50_000, Adjustment: true}},
		}}}},
		{"OpTerms", license.OpTerms, true, &license.SetTerms{Revision: 1, Plan: cl.PlanProfessional, Status: cl.TenantDeleting, Actor: "user-9"}},
		{"OpEndTenant", license.OpEndTenant, true, &license.EndTenant{Limit: 1000}},
		{"OpRemoveTenant", license.OpRemoveTenant, true, &license.RemoveTenant{Epoch: 1, Charged: 2}},
	}
}
