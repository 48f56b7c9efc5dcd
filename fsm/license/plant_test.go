//go:build plant

package license_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// TestPlantedBugsAreCaught runs the checks of this package in a process with a
// bug planted: each of them must fail, and pass without it.
//
//	go test -tags plant -run Planted ./fsm/...
func TestPlantedBugsAreCaught(t *testing.T) {
	for _, c := range []struct{ bug, check, says string }{
		{plant.TornCut, "TestCrashAnywhere", "disk at|log below is gone"},
		{plant.TornCut, "TestTornCutWouldChargeTwice", "charged"},
		{plant.NoDedup, "TestModel", "Replayed"},
		{plant.NoDedup, "TestRepeatedRequestChangesNothing", "Replayed"},
		{plant.NoDedup, "TestSessions", "replayed"},
		{plant.LateRevocation, "TestSessions", "key_revoked"},
		{plant.LocalExpiry, "TestExpiryNeverByOwnClock", "overage_max_exceeded"},
	} {
		t.Run(c.bug+" by "+c.check, func(t *testing.T) {
			out, err := checkWith("", c.check)
			require.NoError(t, err, out)
			out, err = checkWith(c.bug, c.check)
			require.Error(t, err, "%s did not notice %s", c.check, c.bug)
			require.Regexp(t, c.says, out)
		})
	}
}

func checkWith(bug, check string) (string, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^"+check+"$", "-test.v", "-rapid.nofailfile")
	cmd.Env = append(os.Environ(), "CLOUDLICENSES_PLANT="+bug)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
