package peer

import (
	"fmt"
	"sync/atomic"

	"github.com/cloudlicenses/cloudlicenses/bench/load"
)

// Holdings counts what callers were told, to be compared with what the system
// says once they rest.
type Holdings struct {
	held    atomic.Int64 // leases that callers hold
	unknown atomic.Int64 // calls that failed: they may have had an effect or not
}

// Took notes an acknowledged checkout.
func (h *Holdings) Took() { h.held.Add(1) }

// Gave notes an acknowledged return.
func (h *Holdings) Gave() { h.held.Add(-1) }

// Lost notes a call whose outcome nobody knows.
func (h *Holdings) Lost() { h.unknown.Add(1) }

// Books are a system's seats in use, pool by pool.
type Books struct {
	// Counted by the pool's counter, and Leases that are live.
	Counted, Leases []int64
}

// NewBooks are empty books of n pools.
func NewBooks(n int) *Books {
	return &Books{Counted: make([]int64, n), Leases: make([]int64, n)}
}

// Check compares counters with leases in each pool, and both with what the
// callers hold. The account is complete also where the error is not nil.
func (h *Holdings) Check(b *Books) (load.Account, error) {
	var a load.Account
	var err error
	for pool, counted := range b.Counted {
		leases := b.Leases[pool]
		a.Counted += counted
		a.Leases += leases
		if counted != leases && err == nil {
			err = fmt.Errorf("pool %d counts %d seats in use and has %d leases", pool, counted, leases)
		}
	}
	if err != nil {
		return a, err
	}
	held, unknown := h.held.Load(), h.unknown.Load()
	if a.Leases < held-unknown || a.Leases > held+unknown {
		return a, fmt.Errorf("%d leases are live, callers hold %d (outcome unknown: %d)", a.Leases, held, unknown)
	}
	return a, nil
}
