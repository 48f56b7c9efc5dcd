package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLibraryFloor: a vendor's lowest client library holds for licenses that are
// there and for those to come, alone and in a batch.
func TestLibraryFloor(t *testing.T) {
	vendor, _ := newVendor(t)
	vendorDo(t, vendor.key, "POST", "/api/v1/products", `{"product_id":"ide","name":"IDE","min_lib_version":"1.2.0"}`).wants(t, 201, "")
	tenant := newPool(t, 1, 0)
	vendor.newLicense(generation(tenant.tenant, "ide")).wants(t, 201, "")
	take := func(library string) *reply {
		var headers []header
		if library != "" {
			headers = append(headers, header{headerLibVersion, library})
		}
		return tenant.post(pathCheckout, `{"product_id":"ide","user":"u"}`, headers...)
	}
	require.Contains(t, string(take("").wants(t, 422, "version_not_allowed").raw), "X-Lib-Version is missing")
	require.Contains(t, string(take("1.1.0").wants(t, 422, "version_not_allowed").raw), "1.2.0 or newer")
	take("1.2.0").wants(t, 201, "")
	batch := tenant.post("/api/v1/licenses/batch", `{"operations":[{"op":"checkout","product_id":"ide","user":"u"}]}`).wants(t, 200, "")
	require.Contains(t, string(batch.raw), `"version_not_allowed"`)

	vendorDo(t, vendor.key, "PATCH", "/api/v1/products/ide", `{"min_lib_version":"2.0.0"}`).wants(t, 200, "")
	take("1.2.0").wants(t, 422, "version_not_allowed")
	vendorDo(t, vendor.key, "PATCH", "/api/v1/products/ide", `{"min_lib_version":""}`).wants(t, 200, "")
	take("").wants(t, 201, "")
}
