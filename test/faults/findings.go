package main

import (
	"fmt"
	"os"
	"sync"
)

// flaw names a kind of broken promise.
type flaw string

// The promises a run can find broken.
const (
	flawLost      flaw = "lost"            // acknowledged, and gone
	flawDoubled   flaw = "doubled"         // one intent, two effects
	flawOver      flaw = "over-granted"    // more seats live than the license has
	flawStale     flaw = "stale"           // a read that must be fresh was not
	flawHistory   flaw = "not-linear"      // a pool's history fits no order
	flawUndecided flaw = "undecided"       // the search for an order ran out of time
	flawCharge    flaw = "charge"          // overage recorded ≠ overage acknowledged
	flawDiverged  flaw = "diverged"        // replicas differ at one index
	flawChain     flaw = "audit-chain"     // an audit chain does not verify
	flawClock     flaw = "clock"           // time that no clock within bounds shows
	flawExpiry    flaw = "expiry"          // freed too early or too late
	flawReply     flaw = "reply"           // an answer the contract does not allow
	flawExit      flaw = "exit"            // a process ended by itself, or badly
	flawRecovery  flaw = "no-recovery"     // the cluster did not come back
	flawNoFault   flaw = "no-fault"        // nothing was tested
	flawUnsettled flaw = "unsettled"       // an outcome stayed unknown after healing
	flawPromise   flaw = "false-no-effect" // told "nothing happened", and it had
	// maxFlawsShown of a kind are printed as they are found.
	maxFlawsShown  = 5
	maxFlawsOfKind = 1000
)

// finding is one broken promise.
type finding struct {
	Flaw   flaw   `json:"flaw"`
	Detail string `json:"detail"`
}

// findings collects broken promises from all goroutines and prints each as it
// is found.
type findings struct {
	quiet bool // print nothing: what is found was planted
	// told, if any, hears of each finding, under the lock.
	told func(flaw)

	mu    sync.Mutex
	ended bool // interrupted: what comes now is our own doing
	all   []finding
	count map[flaw]int
}

func newFindings() *findings { return &findings{count: map[flaw]int{}} }

func (f *findings) add(kind flaw, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return
	}
	f.count[kind]++
	if f.told != nil {
		f.told(kind)
	}
	if f.count[kind] > maxFlawsOfKind {
		return
	}
	found := finding{kind, fmt.Sprintf(format, args...)}
	f.all = append(f.all, found)
	if f.count[kind] <= maxFlawsShown && !f.quiet {
		fmt.Fprintf(os.Stderr, "BROKEN %s: %s\n", found.Flaw, found.Detail)
	}
}

// end drops whatever is found from now on.
func (f *findings) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
}

// of counts the findings of a kind.
func (f *findings) of(kind flaw) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[kind]
}

// list returns what was found so far.
func (f *findings) list() []finding {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]finding(nil), f.all...)
}
