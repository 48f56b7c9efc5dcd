package load

import (
	"context"
	"errors"
)

// ErrRefused: the system works and granted nothing, as where no seat is free.
// A Caller returns it, wrapped or not; any other error is a failure.
var ErrRefused = errors.New("refused")

// ErrNoAccount is what Verify says of a system that keeps neither counters nor
// leases.
var ErrNoAccount = errors.New("the system keeps no account")

// Target is a system under load, prepared with its pools and running.
type Target interface {
	// Caller returns the i-th of the callers that work at the same time. Each
	// is used by one goroutine only and has a connection of its own where the
	// system has connections.
	Caller(ctx context.Context, i int) (Caller, error)
	// Verify compares the system's counters with its leases while all callers are
	// at rest, with what they hold. An error is a system that does not agree with
	// itself, or ErrNoAccount.
	Verify(ctx context.Context) (Account, error)
}

// Caller takes a seat, or a batch of them, and gives it back, in turn: it holds at
// most one.
type Caller interface {
	// Checkout takes one seat of pool, counted from 0.
	Checkout(pool int) error
	// Return gives back the seat that is held.
	Return() error
	// Close ends the connection. A seat still held is returned first.
	Close() error
}

// Account is what a system says of its seats.
type Account struct {
	// Counted seats are in use by the pools' counters.
	Counted int64 `json:"counted"`
	// Leases are live, read one by one.
	Leases int64 `json:"leases"`
	// Held is what the callers hold.
	Held int64 `json:"held"`
}
