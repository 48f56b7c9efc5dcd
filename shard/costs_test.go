package shard

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/billing"
)

// TestCostsAreRead once for all who ask at the same time, anew where that failed or
// is a while ago.
func TestCostsAreRead(t *testing.T) {
	var recent recentCosts
	now := time.Unix(1, 0)
	of := costsOf{"mercedes", 1}
	first, mine := recent.join(of, now)
	require.True(t, mine)
	_, mine = recent.join(costsOf{"bmw", 1}, now)
	require.True(t, mine, "another tenant")
	_, mine = recent.join(costsOf{"mercedes", 2}, now)
	require.True(t, mine, "another month")
	same, mine := recent.join(of, now.Add(time.Minute))
	require.False(t, mine, "it is on its way")
	require.Same(t, first, same)
	close(first.done)
	_, mine = recent.join(of, now.Add(costsKept-1))
	require.False(t, mine)
	failed, mine := recent.join(of, now.Add(costsKept))
	require.True(t, mine, "it is old")
	failed.err = errors.New("no replica")
	close(failed.done)
	_, mine = recent.join(of, now.Add(costsKept))
	require.True(t, mine, "it failed")
	for i := range 2 * manyReads {
		read, _ := recent.join(costsOf{"many", billing.Month(i)}, now.Add(time.Duration(i)*costsKept))
		close(read.done)
	}
	require.LessOrEqual(t, len(recent.reads), manyReads)
}

// TestCostsThatPanic are nobody's: who waited reads by itself.
func TestCostsThatPanic(t *testing.T) {
	var broken Shard // has no engine
	read := func() {
		_, _, _ = broken.TenantCosts(t.Context(), "mercedes", 1, ReadOptions{})
	}
	require.Panics(t, read)
	require.Panics(t, read, "not what the first one left")
}
