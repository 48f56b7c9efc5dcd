package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBilling(t *testing.T) {
	f := newFakeAdmin(t, map[string]string{
		"GET /v1/billing/revenue-share?period=2025-11": `{"period":"2025-11","vendors":[
			{"vendor_id":"vector-de","overage_revenue":22000.00,"basis_points":275,"share":605.00,"currency":"EUR"}],"totals":[{"currency":"EUR","share":605.00}],"failed":["absurd"]}`,
		"GET /v1/billing/plans?consistency=linearizable&cursor=&limit=100": `{"items":[{"tenant_id":"acme","lines":[],"total":0.00,"currency":"USD"}],"next_cursor":null}`,
		"GET /v1/billing/plans?period=2025-11&consistency=linearizable&cursor=&limit=100": `{"items":[
			{"tenant_id":"acme","lines":[],"total":0.00,"currency":"USD"},
			{"tenant_id":"mercedes","lines":[{"plan":"startup","start":"2025-11-01","end":"2025-11-30","amount":499.00}],"total":499.00,"currency":"USD"}],"next_cursor":null}`,
		"PUT /v1/vendors/vector-de/revenue-share": `{"vendor_id":"vector-de","basis_points":275}`,
	})
	out := mustRun(t, "billing", "revenue-share", "--admin", f.URL, "--period", "2025-11")
	require.Regexp(t, `(?m)^2025-11 +vector-de +22000.00 +2.75 % +605.00 +EUR\n2025-11 +absurd +does not add up +- +- +-\n2025-11 +total +- +- +605.00 +EUR$`, out)
	require.Contains(t, mustRun(t, "billing", "revenue-share", "--admin", f.URL, "--period", "2025-11", "-o", "json"), `"overage_revenue": 22000.00`)

	require.Regexp(t, `(?m)^acme +total`, mustRun(t, "billing", "statement", "--admin", f.URL))
	out = mustRun(t, "billing", "statement", "mercedes", "--admin", f.URL, "--period", "2025-11")
	require.Regexp(t, `(?m)^mercedes +startup +2025-11-01 +2025-11-30 +499.00 +USD\nmercedes +total +- +- +499.00 +USD$`, out)
	require.NotContains(t, out, "acme")

	require.Regexp(t, `vector-de +2.75 %`, mustRun(t, "billing", "set-share", "vector-de", "2.75", "--admin", f.URL))
	require.Equal(t, `PUT /v1/vendors/vector-de/revenue-share {"basis_points":275}`, f.requests[len(f.requests)-1])
	mustRun(t, "billing", "set-share", "vector-de", "default", "--admin", f.URL)
	require.Equal(t, `PUT /v1/vendors/vector-de/revenue-share {"basis_points":0}`, f.requests[len(f.requests)-1])

	for _, args := range [][]string{
		{"revenue-share", "--period", "11/2025"}, {"statement", "a", "b"}, {"statement", "--period", "2025-13"},
		{"set-share", "vector-de", "2.755"}, {"set-share", "vector-de", "-2"}, {"set-share", "vector-de", "7"}, {"set-share", "vector-de", "x"},
		{"set-share", "vector-de", ""}, {"set-share", "vector-de", "%"}, {"set-share", "vector-de", "."}, {"set-share", "vector-de", ".00%"},
		{"set-share", "vector-de", "0"}, {"set-share", "vector-de", ".5"},
	} {
		code, _, errs := runCommand(t, append([]string{"billing"}, append(args, "--admin", f.URL)...)...)
		require.Equal(t, exitUsage, code, errs)
	}
	code, _, errs := runCommand(t, "billing", "statement", "nobody", "--admin", f.URL)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "nobody")
}
