package cloudlicenses_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
)

func TestVendorSettingsAreChecked(t *testing.T) {
	for _, good := range []string{"#ff8800", "#FF88aa", "#000000"} {
		require.NoError(t, cl.ValidateColor(good))
	}
	for _, bad := range []string{"", "red", "#fff", "ff8800", "#ff880g", "#ff88000", "#ff 800", "##f8800"} {
		require.ErrorIs(t, cl.ValidateColor(bad), cl.ErrColor, bad)
	}
	for _, good := range []string{"https://vector.com/api/billing/invoices", "https://vector.com:8443/?a=b", "https://[2001:db8::1]/"} {
		require.NoError(t, cl.ValidateURL(good, false), good)
	}
	require.NoError(t, cl.ValidateURL("http://vector.com", true))
	for _, bad := range []string{
		"", "vector.com", "http://vector.com", "ftp://vector.com", "https://", "https:///path", "https://u:p@vector.com", "https://vector.com/#f",
		"https://vector.com/a b", "https://vector.com/\n", "https://bücher.de", "https:vector.com", "https://" + strings.Repeat("a", 2048),
	} {
		require.ErrorIs(t, cl.ValidateURL(bad, false), cl.ErrURL, bad)
	}
	for _, good := range []string{"abc", "eyJh.x-_~+/==", strings.Repeat("a", 4096)} {
		require.NoError(t, cl.ValidateBearerToken(good))
	}
	for _, bad := range []string{"", "a b", "a\r\nX: y", "ä", "\xff", strings.Repeat("a", 4097)} {
		require.ErrorIs(t, cl.ValidateBearerToken(bad), cl.ErrBearerToken, bad)
	}
}
