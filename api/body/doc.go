// Package body reads the JSON bodies of the hot path: strictly, by hand and
// without allocating.
//
// It knows the members of each operation and their limits, and imports
// nothing but the root package, so that its fuzz targets build in seconds. It
// must never know HTTP.
package body
