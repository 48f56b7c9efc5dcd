package license

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUserSet: few users are counted exactly, many within five standard errors,
// and neither order nor repetition changes a set.
func TestUserSet(t *testing.T) {
	for _, n := range []int{0, 1, 20, sparseUsers, sparseUsers + 1, 1000, 5000, 100_000} {
		users := make([]string, n)
		for i := range users {
			users[i] = fmt.Sprintf("user-%d@example.com", i)
		}
		var a, b userSet
		for _, u := range users {
			a.add(hashUser(u))
		}
		rand.New(rand.NewSource(int64(n))).Shuffle(n, func(i, j int) { users[i], users[j] = users[j], users[i] })
		for _, u := range append(users, users...) {
			b.add(hashUser(u))
		}
		require.Equal(t, a.record(), b.record())
		for _, u := range users {
			require.False(t, a.add(hashUser(u)), "a user who is there already changes nothing")
		}
		if n <= sparseUsers {
			require.Equal(t, int64(n), a.count())
		} else {
			require.InEpsilon(t, n, a.count(), 5*0.0325, "%d users", n)
		}
		a.clear()
		require.Zero(t, a.count())
	}
}
