//go:build race

package license_test

// raced: the race detector makes everything many times slower; what searches
// at random searches less.
const raced = true
