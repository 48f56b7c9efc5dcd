// Package redis runs a Redis master with two replicas, and keeps pools and
// leases in it.
package redis
