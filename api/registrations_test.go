package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses"
)

func TestRegistrationsSlide(t *testing.T) {
	var r registrations
	now := time.Unix(1_800_000_000, 0)
	for range cloudlicenses.MaxRegistrations {
		require.Zero(t, r.take("192.0.2.1", now))
		now = now.Add(time.Minute)
	}
	wait := r.take("192.0.2.1", now)
	require.Equal(t, cloudlicenses.RegistrationWindow-cloudlicenses.MaxRegistrations*time.Minute, wait)
	require.Equal(t, wait, r.take("::ffff:192.0.2.1", now), "a mapped address is the same client")
	require.Zero(t, r.take("192.0.2.2", now))
	require.Zero(t, r.take("192.0.2.1", now.Add(wait)))
	require.NotZero(t, r.take("192.0.2.1", now.Add(wait)), "one has left the window, and one came")

	for range cloudlicenses.MaxRegistrations {
		require.Zero(t, r.take("2001:db8::1", now))
	}
	require.NotZero(t, r.take("2001:db8::ffff:1", now), "the same /64")
	require.Zero(t, r.take("2001:db8:0:1::1", now))
	require.Zero(t, r.take("192.0.2.3", now.Add(3*cloudlicenses.RegistrationWindow)))
	require.Len(t, r.at, 1, "who did not come again is forgotten")
}
