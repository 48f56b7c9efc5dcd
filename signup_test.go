package cloudlicenses

import (
	"errors"
	"strings"
	"testing"
)

func TestSignUpRefusesReservedNamesAndTheirLookAlikes(t *testing.T) {
	for _, id := range []TenantID{"www", "api", "admin", "vendors", "mail", "adrnin", "maii", "ma1l", "vendor5s-", "vvww", "l0gin", "postmaster", "Www", ""} {
		if err := id.ValidateSignUp(); !errors.Is(err, ErrTenantID) {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []TenantID{"mercedes", "bmw", "tesla", "a1", "modern"} {
		if err := id.ValidateSignUp(); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []VendorID{"operator", "0perator", "Vector-de", "vector.de", "@x", "vector_de", ""} {
		if err := id.ValidateSignUp(); !errors.Is(err, ErrVendorID) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := VendorID("vector-de").ValidateSignUp(); err != nil {
		t.Error(err)
	}
	if VendorID("Vector-DE").Account().Skeleton() != VendorID("vector-de").Account().Skeleton() {
		t.Error("an operator's vendor in capitals is no other one")
	}
	for a, b := range map[TenantID]TenantID{"modern": "modem", "paypal": "paypa1", "volvo": "v0lvo", "vvolvo": "wolvo"} {
		if a.Skeleton() != b.Skeleton() {
			t.Errorf("%q and %q look alike", a, b)
		}
	}
	if TenantID("mercedes").Skeleton() == TenantID("mercedez").Skeleton() {
		t.Error("another word")
	}
}

func TestCountries(t *testing.T) {
	if n := len(strings.Fields(countries)); n != 249 {
		t.Errorf("%d countries, ISO 3166-1 has 249", n)
	}
	for code, want := range map[string]bool{"DE": true, "ZW": true, "AD": true, "de": false, "UK": false, "XX": false, "": false, "D": false, "E ": false, " D": false, "DEU": false} {
		if ValidCountry(code) != want {
			t.Errorf("%q", code)
		}
	}
}
