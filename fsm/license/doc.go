// Package license is the tenant machine: licenses and their pools, checkout,
// return, heartbeat, expiry, API keys, users and their sessions, usage,
// overage records, the audit chain and the outbox of the tenants that one Raft
// group holds.
//
// One operation family a file. Memory is the working copy; package fsm brings
// it to disk behind the apply.
package license
