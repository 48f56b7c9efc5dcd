// Package fsm is what the platform's two replicated machines share: the
// command header, the Pebble store with its applied index, the write-behind
// and the snapshot.
//
// Machines are deterministic: the same entries lead to the same state and the
// same bytes on every replica. This package and those below it never see the
// wall clock, randomness, Raft or HTTP.
package fsm
