//go:build !race

package license_test

const raced = false
