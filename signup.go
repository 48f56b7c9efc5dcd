package cloudlicenses

import (
	"errors"
	"strings"
)

// What a sign-up may name.

// alsoReserved are names that nobody may sign up as, besides
// reservedTenantIDs: they would pass for the platform, or for a host that
// mail, DNS or certificates trust by its name.
var alsoReserved = []TenantID{
	"abuse", "account", "accounts", "administrator", "auth", "autoconfig", "autodiscover", "blog", "console",
	"dashboard", "dns", "download", "email", "ftp", "hostmaster", "imap", "info", "invoice", "isatap", "ldap",
	"legal", "license", "licenses", "mta-sts", "mx", "noreply", "oauth", "operator", "packages", "partner",
	"payment", "payments", "pop", "pop3", "portal", "postmaster", "pricing", "privacy", "proxy", "register",
	"security", "server", "shop", "signin", "signup", "sso", "ssl", "sysadmin", "system", "team", "tenant",
	"tenants", "verify", "vpn", "web", "webmail", "webmaster", "welcome", "wpad", "ww", "wwww",
}

// reservedSkeletons are how the reserved names look.
var reservedSkeletons = func() map[string]TenantID {
	m := make(map[string]TenantID)
	for id := range reservedTenantIDs {
		m[id.Skeleton()] = id
	}
	for _, id := range alsoReserved {
		m[id.Skeleton()] = id
	}
	return m
}()

// alike maps spellings that are taken for one another to one of them.
var alike = strings.NewReplacer("rn", "m", "vv", "w", "0", "o", "1", "l", "i", "l")

// Skeleton returns how an id looks at a glance: two ids of one skeleton are
// confusable (rn and m, vv and w, 0 and o, 1, i and l).
func (id TenantID) Skeleton() string { return alike.Replace(strings.ToLower(string(id))) }

// ErrVendorID is returned for a text that no vendor may sign up under. Of one
// that is reserved, the error says so, and is ErrVendorID as well.
var ErrVendorID = errors.New("a vendor id to sign up under is 1–50 characters of a–z, 0–9 and inner hyphens, begins with a letter and is no reserved name")

// reservedVendorError is a vendor id that is reserved.
type reservedVendorError VendorID

func (e reservedVendorError) Error() string { return string(e) + " is reserved" }

// Is makes it an ErrVendorID.
func (e reservedVendorError) Is(target error) bool { return target == ErrVendorID }

// ValidateSignUp reports whether a vendor may sign up under id: what a tenant
// may be called. An operator may give others.
func (id VendorID) ValidateSignUp() error {
	var reserved reservedIDError
	switch err := TenantID(id).ValidateSignUp(); {
	case err == nil:
		return nil
	case errors.As(err, &reserved):
		return reservedVendorError(id)
	}
	return ErrVendorID
}

// ValidateSignUp reports whether somebody may sign up under id: a valid id that
// neither is a reserved name nor looks like one. The error is ErrTenantID.
func (id TenantID) ValidateSignUp() error {
	if err := id.Validate(); err != nil {
		return err
	}
	if reservedSkeletons[id.Skeleton()] != "" {
		return reservedIDError(id)
	}
	return nil
}

// countries are the officially assigned codes of ISO 3166-1 alpha-2.
const countries = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ" +
	" CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR" +
	" GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP" +
	" KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT" +
	" MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW" +
	" SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ" +
	" UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "

// ValidCountry reports whether code is a country's of ISO 3166-1 alpha-2, in
// capitals.
func ValidCountry(code string) bool {
	return len(code) == 2 && code[0] != ' ' && code[1] != ' ' && strings.Contains(countries, " "+code+" ")
}
