// Package client tests the Go client, and what clients of every kind do, against
// the real server: the cluster of `dev`, three `server` processes that are killed,
// and three secured ones. TestFlow is a vendor's first customer from the sign-up to
// the bill, TestGuides does what docs/guides say.
//
// It stands outside the client's module, which must not need the server.
package client
