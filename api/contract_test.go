package api

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

// contract is openapi.yaml, ready to validate. Every exchange of the tests
// of this package is held against it (send).
var contract = sync.OnceValue(func() validator.Validator {
	document, err := libopenapi.NewDocument(openAPI)
	if err != nil {
		panic(err)
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		panic(errs[0])
	}
	return v
})

// contractMu serializes the validator, which tests share.
var contractMu sync.Mutex

// validRequest reports whether openapi.yaml allows a request, and why not.
func validRequest(method, host, path, body string, headers ...header) (bool, string) {
	request := httptest.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	for _, h := range headers {
		if h.value != "" {
			// The tests speak plain HTTP, where the cookie has no prefix.
			request.Header.Set(h.name, strings.Replace(h.value, cookiePlain+"=", cookieSecure+"=", 1))
		}
	}
	request.Header.Set("Content-Type", typeJSON)
	contractMu.Lock()
	defer contractMu.Unlock()
	ok, errs := contract().ValidateHttpRequestSync(request)
	var why []string
	for _, err := range errs {
		why = append(why, err.Error())
	}
	return ok, strings.Join(why, "; ")
}

// keepsContract requires that an answered exchange is as openapi.yaml says:
// the reply always, the request where it was not refused.
func keepsContract(t testing.TB, host, method, path, body string, headers []header, r *reply) {
	t.Helper()
	routed := path
	if cut := strings.IndexByte(path, '?'); cut >= 0 {
		routed = path[:cut]
	}
	rows, _ := newRouter(routeTable(), func(audience) bool { return true }).find([]byte(routed))
	known := choose(rows, []byte(method)) != nil
	if host == "" { // the admin address
		known = strings.HasPrefix(routed, "/v1/") && r.text("code") != "not_found" && r.StatusCode != http.StatusMethodNotAllowed
	}
	if !known || method == http.MethodHead || r.StatusCode == http.StatusRequestHeaderFieldsTooLarge {
		return
	}
	request := httptest.NewRequest(method, "http://"+host+path, nil)
	response := *r.Response
	response.Body = io.NopCloser(bytes.NewReader(r.raw))
	contractMu.Lock()
	ok, errs := contract().ValidateHttpResponse(request, &response)
	contractMu.Unlock()
	for _, err := range errs {
		t.Errorf("%s %s → %d %s: %s", method, path, r.StatusCode, r.raw, err.Error())
	}
	require.True(t, ok)
	if r.StatusCode < 300 && !(strings.HasSuffix(path, "/batch") && strings.Contains(string(r.raw), `"status":422`)) {
		ok, why := validRequest(method, host, path, body, headers...)
		require.True(t, ok, "%s %s was answered with %d, but openapi.yaml refuses it: %s", method, path, r.StatusCode, why)
	}
}

// TestRoutesAreTheSpec: openapi.yaml has exactly the routes that are served.
func TestRoutesAreTheSpec(t *testing.T) {
	document, err := libopenapi.NewDocument(openAPI)
	require.NoError(t, err)
	model, err := document.BuildV3Model()
	require.NoError(t, err)
	ok, errs := contract().ValidateDocument()
	for _, err := range errs {
		t.Error(err.Error())
	}
	require.True(t, ok)
	var described, served []string
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			described = append(described, strings.ToUpper(method)+" "+path)
			require.NotEmpty(t, operation.OperationId)
			require.NotEmpty(t, operation.Summary)
		}
	}
	for _, row := range routeTable() {
		served = append(served, row.method+" "+row.path)
	}
	for _, row := range adminTable() {
		served = append(served, row.pattern)
	}
	sort.Strings(described)
	sort.Strings(served)
	// A path may be served on tenants' hosts and on the vendors'.
	require.Equal(t, slices.Compact(served), described)
}

// TestCodesAreTheSpec: openapi.yaml lists every code, and only those.
func TestCodesAreTheSpec(t *testing.T) {
	document, err := libopenapi.NewDocument(openAPI)
	require.NoError(t, err)
	model, err := document.BuildV3Model()
	require.NoError(t, err)
	var described, known []string
	for _, node := range model.Model.Components.Schemas.GetOrZero("Code").Schema().Enum {
		described = append(described, node.Value)
	}
	for i := range meanings {
		known = append(known, string(meanings[i].code))
	}
	sort.Strings(described)
	sort.Strings(known)
	require.Equal(t, known, described)
	var permitted []string
	for _, node := range model.Model.Components.Schemas.GetOrZero("Permission").Schema().Enum {
		permitted = append(permitted, node.Value)
	}
	require.Equal(t, permissions(func(cloudlicenses.Action) bool { return true }), permitted)
	var layered []string
	for _, node := range model.Model.Components.Schemas.GetOrZero("Layer").Schema().Enum {
		layered = append(layered, node.Value)
	}
	for i, layer := range layers {
		require.Equal(t, string(layer), layered[i])
	}
}
