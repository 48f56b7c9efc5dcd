package cloudlicenses_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
)

// TestRoleTable holds every action × role against a table of its own: a new
// action or role fails until somebody has decided.
func TestRoleTable(t *testing.T) {
	const o, a, b, v = cl.RoleOwner, cl.RoleAdmin, cl.RoleBilling, cl.RoleViewer
	may := map[cl.Action][]cl.Role{
		cl.ActOwnAccount: {o, a, b, v}, cl.ActViewLicenses: {o, a, b, v}, cl.ActViewLeases: {o, a, b, v},
		cl.ActReleaseLease: {o, a}, cl.ActViewUsers: {o, a}, cl.ActManageUsers: {o, a}, cl.ActManageOwners: {o},
		cl.ActViewKeys: {o, a}, cl.ActManageKeys: {o, a}, cl.ActViewCosts: {o, a, b}, cl.ActViewAudit: {o, a},
		cl.ActViewAlerts: {o, a, b, v}, cl.ActManageAlerts: {o, a}, cl.ActViewFingerprints: {o, a},
		cl.ActManageFingerprints: {o, a}, cl.ActViewSettings: {o, a}, cl.ActManageSettings: {o, a}, cl.ActViewEvents: {o, a, b, v},
		cl.ActManageLicenses: {o, a}, cl.ActManageBilling: {o, a, b},
		cl.ActDeleteTenant: {o},
	}
	require.Len(t, may, len(cl.Actions))
	require.Equal(t, []cl.Role{o, a, b, v}, cl.Roles)
	named := map[string]bool{}
	for i, action := range cl.Actions {
		require.Equal(t, cl.Action(i+1), action, "Actions lists every action, in order")
		require.Contains(t, may, action)
		require.False(t, named[action.String()] || action.String() == "unknown", "action %d has a name of its own", uint8(action))
		named[action.String()] = true
		for _, role := range cl.Roles {
			want := false
			for _, r := range may[action] {
				want = want || r == role
			}
			require.Equal(t, want, role.May(action), "%s, action %d", role, action)
		}
		for _, nobody := range []cl.Role{"", "Owner", "root"} {
			require.False(t, nobody.May(action), "%q, action %d", nobody, action)
			require.False(t, nobody.Valid())
		}
	}
	for _, action := range cl.Actions {
		person := slices.Contains([]cl.Action{cl.ActOwnAccount, cl.ActViewUsers, cl.ActManageUsers, cl.ActManageOwners}, action)
		require.Equal(t, !person && cl.RoleAdmin.May(action), cl.VendorKeyMay(action), "a vendor's key, action %d", action)
	}
	for _, unknown := range []cl.Action{0, cl.Action(len(cl.Actions) + 1), 255} {
		require.False(t, cl.RoleOwner.May(unknown))
		require.False(t, cl.VendorKeyMay(unknown))
		require.Equal(t, "unknown", unknown.String())
	}
}

func TestNormalizeEmail(t *testing.T) {
	for text, want := range map[string]string{"Admin@Mercedes.COM": "admin@mercedes.com", " a@b ": "a@b", "a+b.c@x-y.org": "a+b.c@x-y.org", "a@xn--bcher-kva.de": "a@xn--bcher-kva.de"} {
		got, err := cl.NormalizeEmail(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "<a@b>", "a,b@c", "a@.b", "a@b.", "a\xff@b",
		"jörg@mercedes.com", "a@münchen.de", "a\u212a@b", "a..b@mercedes.com", ".a@b", "a.@b", "a@[127.0.0.1]", "a@127.0.0.1", "a@-x.com", "a@x_y.com",
		strings.Repeat("a", 65) + "@mercedes.com", strings.Repeat("a", 60) + "@" + strings.Repeat("b.", 100) + "com", string(make([]byte, 300)) + "@b"} {
		_, err := cl.NormalizeEmail(text)
		require.ErrorIs(t, err, cl.ErrEmail, "%q", text)
	}
}

func TestValidatePassword(t *testing.T) {
	require.NoError(t, cl.ValidatePassword("correct horse", "a@b"))
	require.NoError(t, cl.ValidatePassword("äöüäöüäöüäöü", "a@b"))
	for _, bad := range []string{"", "short", "elevenchars", "long.enough@example.com", "LONG.enough@example.com", string(make([]byte, 257)), "twelve chars\xff"} {
		require.ErrorIs(t, cl.ValidatePassword(bad, "long.enough@example.com"), cl.ErrPassword, "%q", bad)
	}
}
