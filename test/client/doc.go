// Package client tests the Go client against the real server: the cluster of
// `dev`, three `server` processes that are killed, and three secured ones.
//
// It stands outside the client's module, which must not need the server.
package client
