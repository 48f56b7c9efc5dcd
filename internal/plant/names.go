// Package plant lets the fault harness build a binary with a known bug in it
// and prove that it is caught. A normal build compiles every use away.
package plant

// Names of the bugs that can be planted (build with -tags plant and set
// CLOUDLICENSES_PLANT to one of them).
const (
	SkipFsync       = "skip-fsync"        // the log store acknowledges before its fsync
	AnswerAhead     = "answer-ahead"      // a leader applies and tells what its own disk does not have yet
	AckBeforeCommit = "ack-before-commit" // a leader answers before the quorum has the entry
	NoDedup         = "no-dedup"          // a repeated intent is granted anew
	StaleRead       = "stale-read"        // a node that led once serves linearizable reads by itself
	LocalExpiry     = "local-expiry"      // a replica expires leases by its own clock
	LateRevocation  = "late-revocation"   // a key goes on working for a moment after its revocation was acknowledged
	TornCut         = "torn-cut"          // write-behind writes records from after its applied index
	HalfSnapshot    = "half-snapshot"     // a snapshot is installed half-way and served
)
