// Package api is the HTTP edge: it decodes a request, checks host and key,
// makes one call into package shard and encodes the answer.
//
// The hot path (checkout, heartbeat, return, batch, licenses, leases) is
// served by fasthttp behind a guard that refuses what fasthttp would parse
// leniently; operators have an address of their own on net/http. It must
// never know how a checkout is decided, nor which group decides it.
package api
