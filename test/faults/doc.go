// Command faults runs real server processes, hurts them, and checks that they
// kept every promise of the contract.
//
// It starts three (or five) `cloudlicenses server` processes with data folders
// of their own, has clients check seats out and return them through random
// nodes while a nemesis kills, pauses, restarts and cuts off processes from a
// printed seed, and then judges two things: each pool's history must be
// linearizable against the seat table (Porcupine), and every replica must hold
// exactly what was acknowledged: each lease, each overage use, each audit
// record, once.
//
// It speaks only what the outside can speak: the command line, the HTTP API
// and the admin address. The seat table is written anew here, so that a
// mistake in the product's own is not copied into its judge.
//
//	go run ./test/faults --seed 7 --duration 3m
//	go run ./test/faults --prove     # are planted bugs caught?
//	go run ./test/faults --netns     # partitions too (root)
//
// A seed fixes the faults, not each interleaving. A run in which no fault took
// effect fails, and so does one that ends with an undecided history.
package main
