// Package load puts a system under load and says what it did: closed loop, or
// open loop with latencies counted from when a call was due, so that a stall
// is not hidden by the calls it held back (coordinated omission).
//
// It knows callers that check out and return, and never whom they call: our
// cluster, the echo beside it, the engine without HTTP and every peer are
// driven and timed by the same code. It imports the standard library,
// golang.org/x/sys and HdrHistogram only.
package load
