package peer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

func TestCheckFindsWhatDoesNotAgree(t *testing.T) {
	var h Holdings
	h.Took()
	h.Took()
	h.Took()
	h.Gave()
	account, err := h.Check(&Books{Counted: []int64{2, 0}, Leases: []int64{2, 0}})
	require.NoError(t, err)
	require.Equal(t, load.Account{Counted: 2, Leases: 2}, account)

	account, err = h.Check(&Books{Counted: []int64{1, 1}, Leases: []int64{2, 0}})
	require.ErrorContains(t, err, "pool 0 counts 1 seats in use and has 2 leases", "the sums are equal")
	require.Equal(t, load.Account{Counted: 2, Leases: 2}, account)

	lost := &Books{Counted: []int64{1, 0}, Leases: []int64{1, 0}}
	_, err = h.Check(lost)
	require.ErrorContains(t, err, "1 leases are live, callers hold 2")
	doubled := &Books{Counted: []int64{2, 1}, Leases: []int64{2, 1}}
	_, err = h.Check(doubled)
	require.ErrorContains(t, err, "3 leases are live, callers hold 2")

	h.Lost()
	for _, b := range []*Books{lost, doubled} {
		_, err = h.Check(b)
		require.NoError(t, err, "the call of unknown outcome may have been either")
	}
}
