// Package bench measures: the cluster over HTTP, its engine alone, the same
// engine on plain raft-boltdb, an echo of the HTTP edge and the peers, all
// through package load. It starts what it measures as processes of their own,
// on loopback and on a real disk, and leaves tables, raw results and plots.
//
// It knows the public API and the command line as any client does, and the
// engine's packages for the modes without HTTP. Nothing imports it but cmd.
package bench
