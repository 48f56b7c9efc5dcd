package license_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	cl "github.com/cloudlicenses/cloudlicenses"
	"github.com/cloudlicenses/cloudlicenses/fsm"
	"github.com/cloudlicenses/cloudlicenses/fsm/license"
)

// TestSmallCommands: what is taken while the disk has little room makes nothing new.
func TestSmallCommands(t *testing.T) {
	r := newRig(t, fastStore())
	small := map[fsm.Op]bool{license.OpHeartbeat: true, license.OpReturn: true, license.OpRelease: true, license.OpOutboxTried: true}
	for _, s := range samples() {
		tenant, epoch := cl.TenantID(""), uint32(0)
		if s.ofTenant {
			tenant, epoch = "acme", 1
		}
		require.Equal(t, small[s.op], r.m.Small(encode(s.op, tenant, epoch, s.body)), s.name)
	}
	require.False(t, r.m.Small(nil))
}
