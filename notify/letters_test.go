package notify

import (
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

var expires = time.Date(2026, 11, 30, 10, 0, 0, 0, time.FixedZone("", 3600))

const tenantURL = "https://mercedes.cloudlicenses.com"

// letterer is every kind of mail.
type letterer interface{ Letter() (Letter, error) }

var letters = map[string]letterer{
	"welcome":           TenantWelcome{TenantURL: tenantURL, Company: "Mercedes-Benz AG", Token: "t0k-en_A", Expires: expires},
	"welcome-vendor":    TenantWelcome{TenantURL: "https://vendors.cloudlicenses.com", VendorID: "vector-de", Company: "Vector Informatik GmbH", Token: "t0k", Expires: expires},
	"invitation-vendor": UserInvitation{TenantURL: "https://vendors.cloudlicenses.com", VendorID: "a&b", Token: "t0k", Expires: expires},
	"reset-vendor":      PasswordReset{TenantURL: "https://vendors.cloudlicenses.com", VendorID: "vector-de", Token: "t0k", Expires: expires},
	"welcome-dev":       TenantWelcome{TenantURL: "http://mercedes.localhost:8080", Token: "a+b/c=&d", Expires: expires},
	"invitation":        UserInvitation{TenantURL: tenantURL, Name: "Alice", InvitedBy: "License Administrator", Role: "viewer", Token: "t0k", Expires: expires},
	"invitation-min":    UserInvitation{TenantURL: tenantURL, Token: "t0k", Expires: expires},
	"reset":             PasswordReset{TenantURL: tenantURL, Token: "t0k", Expires: expires},
	"provisioned": LicenseProvisioned{TenantURL: tenantURL, Vendor: "Vector Informatik GmbH", Count: 1, Licenses: []ProvisionedLicense{
		{ID: "lic-vector-mercedes-2025-0001", Product: "DaVinci Configurator SE", Seats: 20, Commit: 5, MaxOverage: 15},
	}},
	"provisioned-many": LicenseProvisioned{TenantURL: tenantURL, Count: 1000, Licenses: []ProvisionedLicense{
		{ID: "lic-vector-mercedes-2025-0001"}, {ID: "lic-vector-mercedes-2025-0002", Product: "CANoe"},
	}},
	"provisioned-words": LicenseProvisioned{TenantURL: tenantURL, Vendor: "Vector Informatik GmbH", Count: 1,
		Message:  "Your DaVinci Configurator SE licenses are ready!\n\nSee you at https://vector.com/support <today>, where somebody will answer whatever you would like to ask of us.",
		Licenses: []ProvisionedLicense{{ID: "lic-vector-mercedes-2025-0001"}}},
	"overage-50":  OverageWarning{TenantURL: tenantURL, Percent: 50, License: "lic-vector-mercedes-2025-0001", Product: "DaVinci Configurator SE", Meter: OverageSeats, Used: "8", Limit: "15"},
	"overage-80":  OverageWarning{TenantURL: tenantURL, Percent: 80, License: "lic-vector-mercedes-2025-0001", Product: "DaVinci Configurator SE", Meter: MonthlyAmount, Used: "EUR 8000.00", Limit: "EUR 10000.00"},
	"overage-100": OverageWarning{TenantURL: tenantURL, Percent: 100, License: "lic-vector-mercedes-2025-0001", Product: "DaVinci Configurator SE", Meter: MonthlyUses, Used: "44", Limit: "44"},
	"vendor":      VendorLinked{TenantURL: tenantURL, Vendor: "Vector Informatik GmbH", VendorID: "vector-de"},
}

// TestLetters holds the plain part of every mail, and the HTML of one.
func TestLetters(t *testing.T) {
	seen := map[string]bool{}
	datadriven.RunTest(t, "testdata/letters", func(t *testing.T, d *datadriven.TestData) string {
		name := d.CmdArgs[0].Key
		seen[name] = true
		require.Contains(t, letters, name)
		l, err := letters[name].Letter()
		require.NoError(t, err)
		if d.Cmd == "html" {
			return l.HTML
		}
		return "Subject: " + l.Subject + "\n\n" + l.Text
	})
	require.Len(t, seen, len(letters))
}

// TestLettersAreMessages: what is rendered can be sent, and both parts say it.
func TestLettersAreMessages(t *testing.T) {
	for name, of := range letters {
		l, err := of.Letter()
		require.NoError(t, err, name)
		m := testMessage()
		m.Subject, m.Text, m.HTML = l.Subject, l.Text, l.HTML
		require.NoError(t, m.check(), name)
		require.NotContains(t, l.Text+l.HTML, "<no value>")
		require.NotContains(t, l.Text+l.HTML, "ZgotmplZ", "html/template has refused something")
	}
}

// TestLettersLeadToPages: every link of a mail is one of the portal's pages, and
// the section it names one of that page's.
func TestLettersLeadToPages(t *testing.T) {
	const source = "../portal/web/src/"
	open := readSource(t, source+"app/open-pages.ts")
	pages := map[bool]string{
		false: open + readSource(t, source+"sites/tenant.ts"),
		true:  open + readSource(t, source+"sites/vendors.ts"),
	}
	settings := readSource(t, source+"pages/tenant/Settings.tsx")
	for name, of := range letters {
		l, err := of.Letter()
		require.NoError(t, err, name)
		link, err := url.Parse(regexp.MustCompile(`(?m)^https?://\S+$`).FindString(l.Text))
		require.NoError(t, err, name)
		ofVendors := strings.HasPrefix(link.Host, "vendors.")
		require.Contains(t, pages[ofVendors], "{ path: '"+strings.TrimPrefix(link.Path, "/")+"'", name)
		if tab := link.Query().Get("tab"); tab != "" {
			require.Contains(t, settings, "  "+tab+": lazy(", name)
		}
	}
}

func readSource(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// TestLettersOfHostileNames: what people have chosen stays text, on its line.
func TestLettersOfHostileNames(t *testing.T) {
	evil := "<script>alert(1)</script>\r\nBcc: x@y.com\n\n{{.Token}} \"'" + strings.Repeat("x", 500)
	for _, of := range []letterer{
		TenantWelcome{TenantURL: tenantURL, Company: evil, Token: evil, Expires: expires},
		UserInvitation{TenantURL: tenantURL, Name: evil, InvitedBy: evil, Role: evil, Token: "t", Expires: expires},
		LicenseProvisioned{TenantURL: tenantURL, Vendor: evil, Message: evil, Licenses: []ProvisionedLicense{{ID: cloudlicenses.LicenseID(evil), Product: evil}}},
		OverageWarning{TenantURL: tenantURL, Percent: 80, License: cloudlicenses.LicenseID(evil), Product: evil, Meter: OverageSeats, Used: evil, Limit: evil},
		VendorLinked{TenantURL: tenantURL, Vendor: evil, VendorID: cloudlicenses.VendorID(evil)},
	} {
		l, err := of.Letter()
		require.NoError(t, err)
		require.NotContains(t, l.HTML, "<script")
		require.NotContains(t, l.Text, "\nBcc")
		m := testMessage()
		m.Subject, m.Text, m.HTML = l.Subject, l.Text, l.HTML
		require.NoError(t, m.check())
	}
}

func TestLettersNeedWhatTheySay(t *testing.T) {
	for _, base := range []string{"", "mercedes.cloudlicenses.com", "javascript:alert(1)", "ftp://x", "https://", "https://u:p@x", "https://x/path", "https://x?q", "https://x#f"} {
		_, err := VendorLinked{TenantURL: base, Vendor: "V", VendorID: "v"}.Letter()
		require.Error(t, err, base)
	}
	for _, of := range []letterer{
		TenantWelcome{TenantURL: tenantURL}, UserInvitation{TenantURL: tenantURL}, PasswordReset{TenantURL: tenantURL},
		OverageWarning{TenantURL: tenantURL, Percent: 80}, OverageWarning{TenantURL: tenantURL, Percent: 60, Meter: OverageSeats},
	} {
		_, err := of.Letter()
		require.Error(t, err)
	}
}
