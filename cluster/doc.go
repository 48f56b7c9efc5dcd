// Package cluster is one node and its Raft groups: log, stable and snapshot
// storage, the multiplexed port, proposal batches, reads, membership and
// freshness.
//
// Bytes in, bytes out: it hosts a Machine per group and never learns what a
// command means. It must never say "tenant".
package cluster
