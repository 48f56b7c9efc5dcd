package cloudlicenses

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlans: the table is the one of seed G.
func TestPlans(t *testing.T) {
	require.Equal(t, []string{"free", "startup", "professional", "enterprise"}, PlanNames())
	for _, c := range []struct {
		plan           Plan
		vendors, seats int64
		feeInCents     int64
	}{
		{PlanFree, 1, 10, 0}, {PlanStartup, 3, 100, 4900}, {PlanProfessional, 10, 1000, 19900},
	} {
		terms, known := c.plan.Terms()
		require.True(t, known)
		require.Equal(t, c.feeInCents, terms.FeeMinor)
		require.False(t, terms.Custom)
		require.True(t, terms.Allow(c.vendors, c.seats))
		require.False(t, terms.Allow(c.vendors+1, c.seats))
		require.False(t, terms.Allow(c.vendors, c.seats+1))
	}
	terms, _ := PlanEnterprise.Terms()
	require.True(t, terms.Custom)
	require.True(t, terms.Allow(1<<40, 1<<40))
	require.False(t, Plan("gold").Valid())
	require.False(t, Plan("").Valid())
}
