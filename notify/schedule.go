package notify

import (
	"slices"
	"time"
)

// delays[i] is the longest wait after attempt i+1: quick at first, for what
// passes by itself, then over a weekend, for what a human has to mend (Standard
// Webhooks, "Retries"). Their sum stays under three days, and so does every
// schedule, since jitter only shortens them.
var delays = []time.Duration{
	5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 20 * time.Hour,
}

const (
	// MaxAttempts is how often a record is tried in all.
	MaxAttempts = 11
	// jitter is the share of a delay that chance may take off, so that what
	// failed together does not come back together.
	jitter = 0.2
	// maxRetryAfter bounds the wait that a receiver may ask for.
	maxRetryAfter = 24 * time.Hour
)

// NextAttempt returns when to try again what failed in its attempt-th attempt
// (from 1) at now; random is in [0,1). False: not any more. A pure function.
func NextAttempt(attempt int, now time.Time, random float64) (time.Time, bool) {
	if attempt < 1 {
		attempt = 1
	}
	if attempt > len(delays) {
		return time.Time{}, false
	}
	delay := delays[attempt-1]
	return now.Add(delay - time.Duration(jitter*min(max(random, 0), 1)*float64(delay))), true
}

// Schedule returns the longest waits after each attempt but the last, for
// documentation and for those who show what is to come.
func Schedule() []time.Duration { return slices.Clone(delays) }
