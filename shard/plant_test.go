//go:build plant

package shard

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// TestPlantedLateRevocationIsCaught: the test of revocations fails when a key
// goes on working for a moment, and passes in the same binary without that.
//
//	go test -tags plant -run Planted ./shard
func TestPlantedLateRevocationIsCaught(t *testing.T) {
	run := func(bug string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRevocationHoldsEverywhere$", "-test.v")
		cmd.Env = append(os.Environ(), "CLOUDLICENSES_PLANT="+bug)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("")
	require.NoError(t, err, out)
	out, err = run(plant.LateRevocation)
	require.Error(t, err, "a late revocation went unnoticed")
	require.Contains(t, out, "after it was acknowledged")
}
