//go:build plant

package fsm_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// TestPlantedTornCutIsCaught runs the crash test with the bug planted: it must
// fail, and for the reason that the bug gives it. Without the bug the same
// binary passes.
//
//	go test -tags plant -run Planted ./fsm/...
func TestPlantedTornCutIsCaught(t *testing.T) {
	run := func(bug string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashAnywhere$", "-test.v")
		cmd.Env = append(os.Environ(), "CLOUDLICENSES_PLANT="+bug)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("")
	require.NoError(t, err, out)
	out, err = run(plant.TornCut)
	require.Error(t, err, "a torn cut went unnoticed")
	require.Regexp(t, "disk at|log below", out)
}
