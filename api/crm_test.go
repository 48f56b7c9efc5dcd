package api

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/shard"
)

// vectors is a file of testdata/crm; see the README there.
type vectors struct {
	System string `json:"system"`
	Tenant struct {
		ID      cloudlicenses.TenantID `json:"id"`
		Company string                 `json:"company"`
	} `json:"tenant"`
	Exchanges []struct {
		About   string `json:"about"`
		Request struct {
			Method  string            `json:"method"`
			Path    string            `json:"path"`
			Headers map[string]string `json:"headers"`
			Body    string            `json:"body"`
		} `json:"request"`
		Reply struct {
			Status int            `json:"status"`
			Body   map[string]any `json:"body"`
		} `json:"reply"`
	} `json:"exchanges"`
}

var platformURL = regexp.MustCompile(`^https://([a-z0-9-]+)\.cloudlicenses\.com(/.*)?$`)

// sameAs compares a reply with the one on file. Of a problem only what the file
// has.
func sameAs(t *testing.T, about string, want, got any, partly bool) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		members, ok := got.(map[string]any)
		require.True(t, ok, about)
		for name, value := range want {
			require.Contains(t, members, name, about)
			if at, isText := members[name].(string); strings.HasSuffix(name, "_at") && value != nil {
				require.True(t, isText, about)
				_, err := time.Parse(time.RFC3339, at)
				require.NoError(t, err, about)
				continue
			}
			sameAs(t, about+"/"+name, value, members[name], partly)
		}
		if !partly {
			require.Len(t, members, len(want), about)
		}
	case []any:
		items, ok := got.([]any)
		require.True(t, ok, about)
		require.Len(t, items, len(want), about)
		for i := range want {
			sameAs(t, about, want[i], items[i], partly)
		}
	case string:
		if m := platformURL.FindStringSubmatch(want); m != nil {
			want = strings.Replace(live.server.TenantURL("@"), "@", m[1], 1) + m[2]
		}
		if prefix, ok := strings.CutSuffix(want, "*"); ok {
			require.True(t, strings.HasPrefix(got.(string), prefix), about)
			return
		}
		require.Equal(t, want, got, about)
	default:
		require.Equal(t, want, got, about)
	}
}

// TestCRMVectors runs what CRM systems send against the API.
func TestCRMVectors(t *testing.T) {
	ctx := context.Background()
	_, _, err := live.shard.CreateVendor(ctx, shard.CreateVendorRequest{ID: "vector-de", Name: "Vector Informatik GmbH", LicensePrefix: "vector"})
	require.NoError(t, err)
	account := &pool{t: t, tenant: cloudlicenses.VendorID("vector-de").Account()}
	key, _ := account.newKey(0, time.Time{})
	files, err := filepath.Glob("testdata/crm/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var v vectors
			require.NoError(t, json.Unmarshal(text, &v))
			_, err = live.shard.CreateTenant(ctx, shard.CreateTenantRequest{ID: v.Tenant.ID, Company: v.Tenant.Company})
			require.NoError(t, err)
			for _, x := range v.Exchanges {
				headers := []header{{"Authorization", "Bearer " + key}}
				for name, value := range x.Request.Headers {
					headers = append(headers, header{name, value})
				}
				r := send(t, live.edge, vendorsHost, x.Request.Method, x.Request.Path, x.Request.Body, headers...)
				require.Equal(t, x.Reply.Status, r.StatusCode, "%s: %s", x.About, r.raw)
				sameAs(t, x.About, x.Reply.Body, r.body, x.Reply.Status >= 400)
			}
		})
	}
}
