package license_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestNoVendorFillsNotices: one vendor's contacts that wait leave room for those of
// the others.
func TestNoVendorFillsNotices(t *testing.T) {
	r := newRig(t, fastStore())
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}))
	number := uint64(0)
	put := func(vendor cl.VendorID, n int) (last cl.Code) {
		commands := make([][]byte, 0, n)
		for range n {
			number++
			p := &license.PutNotice{VendorID: vendor, Notice: license.Notice{Email: "it@acme.example"}, ExpiresMillis: epochStart + hour}
			binary.BigEndian.PutUint64(p.Key[:], number)
			commands = append(commands, encode(license.OpPutNotice, "acme", 1, p))
		}
		results := r.apply(commands...)
		return decodeAck(t, results[n-1]).Code
	}
	require.Equal(t, cl.OK, put("greedy", cl.MaxVendorNotices))
	require.Equal(t, cl.Overloaded, put("greedy", 1))
	require.Equal(t, cl.OK, put("modest", 1))
	r.reopen()
	require.Equal(t, cl.Overloaded, put("greedy", 1))
	r.now += hour
	require.Equal(t, cl.OK, put("greedy", 1), "those have expired")
}
