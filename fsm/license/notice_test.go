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

// TestNotifiedIsTrue: only who was mailed counts as notified, whatever is said
// again; a notice that has expired is no mail.
func TestNotifiedIsTrue(t *testing.T) {
	r := newRig(t, fastStore())
	r.apply(encode(license.OpTenant, "acme", 1, &license.PutTenant{Epoch: 1}))
	put := func(key byte) [16]byte {
		p := &license.PutNotice{Key: [16]byte{key}, VendorID: "vector", Notice: license.Notice{Email: "it@acme.example"}, ExpiresMillis: r.now + hour}
		require.Equal(t, cl.OK, decodeAck(t, r.apply(encode(license.OpPutNotice, "acme", 1, p))[0]).Code)
		return p.Key
	}
	provision := func(id cl.LicenseID, revision uint64, key [16]byte) license.Ack {
		l := sampleLicense()
		l.ID, l.ProductID, l.Revision = id, cl.ProductID(id), revision
		l.EndMillis = 0
		ack := decodeAck(t, r.apply(encode(license.OpProvision, "acme", 1, &license.Provision{License: l, NoticeKey: key}))[0])
		require.Equal(t, cl.OK, ack.Code, ack.Detail)
		return ack
	}
	key := put(1)
	require.True(t, provision("lic-1", 1, key).Notified)
	require.True(t, provision("lic-1", 1, key).Notified, "the same once more")
	r.reopen()
	require.True(t, provision("lic-1", 2, key).Notified)
	require.False(t, provision("lic-2", 1, [16]byte{9}).Notified, "there is no notice")

	key = put(2)
	r.now += hour
	require.False(t, provision("lic-3", 1, key).Notified, "it has expired")
	require.False(t, provision("lic-3", 1, key).Notified)
}
