package shard

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm/directory"
)

// TestUnknownHostIsConfirmed: a host that a replica does not know yet is asked of
// the leader; and then, whoever asks, not again for a while.
func TestUnknownHostIsConfirmed(t *testing.T) {
	c := newTrio(t)
	c.start(0, 1, 2)
	lead := c.leader(directoryGroup)
	s := c.shards[(lead+1)%3]
	_, _, err := s.CreateVendor(t.Context(), CreateVendorRequest{ID: "vector-de", Name: "Vector GmbH", LicensePrefix: "vector"})
	require.NoError(t, err)
	c.whiteLabel("vector-de", "licenses.vector.com")

	s.hosts.now.Store(&hostList{until: time.Now().Add(time.Hour)}) // of a replica that is behind
	vendor, ok := s.VendorOfHost(t.Context(), "licenses.vector.com")
	require.True(t, ok)
	require.Equal(t, cloudlicenses.VendorID("vector-de"), vendor)

	asked := c.asked[lead][directoryGroup].Load()
	for range 100 {
		_, ok = s.VendorOfHost(t.Context(), "strange.example")
		require.False(t, ok)
	}
	require.LessOrEqual(t, c.asked[lead][directoryGroup].Load()-asked, int64(3))
}

// whiteLabel gives a vendor a verified host.
func (c *trio) whiteLabel(vendor cloudlicenses.VendorID, host string) {
	c.t.Helper()
	var r directory.VendorResult
	for _, command := range []Command{
		{Op: directory.OpVendorSet, Payload: &directory.SetVendor{ID: vendor, Set: directory.VendorHost, Settings: directory.VendorSettings{Host: host}}, Result: &r},
		{Op: directory.OpVendorHost, Payload: &directory.VerifyVendorHost{ID: vendor, Host: host}, Result: &r},
	} {
		_, err := c.shards[0].DoDirectory(c.t.Context(), command)
		require.NoError(c.t, err)
		require.Equal(c.t, cloudlicenses.OK, r.Code, r.Detail)
	}
}
