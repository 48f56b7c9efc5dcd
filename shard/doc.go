// Package shard knows which group holds a tenant and is the one door for
// commands and reads. It wraps commands in their header with the placement
// epoch, settles outcomes that a lost leader left unknown within the request's
// deadline, and refreshes a stale placement once. It must never know HTTP.
package shard
