//go:build plant

package cluster_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/internal/plant"
)

// TestPlantedAnswerAheadIsCaught runs the check of writes that overlap in a
// process with the bug planted: it must fail, and for the reason that the bug
// gives it.
//
//	go test -tags plant -run Planted ./cluster
func TestPlantedAnswerAheadIsCaught(t *testing.T) {
	run := func(bug string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNothingShowsBeforeTheLeadersOwnDiskHasIt$", "-test.v")
		cmd.Env = append(os.Environ(), "CLOUDLICENSES_PLANT="+bug)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("")
	require.NoError(t, err, out)
	out, err = run(plant.AnswerAhead)
	require.Error(t, err, "an answer ahead of the disk went unnoticed")
	require.Regexp(t, "Condition satisfied", out)
}
